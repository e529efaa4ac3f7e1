#' Federated secure computing
#'
#' Several owners of data compute statistics of all their data together, and none of them has to show its own. Each owner, a *party*, runs
#' a *node* and talks to nobody but that node; the nodes run the cryptography among themselves.
#'
#' * [fsc_connect()] makes a client of a node, [fsc_node()] runs a node in this R process.
#' * Objects on a node are used as if they were here: `api$create(protocol = "Simon")$compute(...)`. See [fsc_representation].
#' * [fsc_download()] gets results, which print, plot and turn into tables: see [fsc_result].
#' * What R's values become on the way, and NA, is in [fsc_types]; errors are in [fsc_error].
#' * Scripts for the reference's R client run unchanged: see [Api()].
#'
#' @section Options:
#' * `fsc.timeout`: how many seconds a call may take, or `Inf`; absent or 0, an hour.
#' * `fsc.progress`: whether computations show how far they are; absent, in interactive sessions those that take longer than a second.
#'
#' @section Interrupts:
#' Ctrl-C (Esc in RStudio) ends a call that waits, and so does [setTimeLimit()]. If it computes, the computation ends at all parties.
#'
#' @section Processes:
#' A process that was forked, as by `parallel::mclapply()`, can't use what its parent has: all calls there are errors of class
#' `fsc_error_forked`. Use other kinds of workers, as of `parallel::makePSOCKcluster()`, and connect in each.
#'
#' @keywords internal
#' @useDynLib fsc, .registration = TRUE
#' @importFrom graphics barplot mosaicplot
#' @importFrom stats coef printCoefmat
#' @importFrom utils setTxtProgressBar txtProgressBar
"_PACKAGE"

.onUnload <- function(libpath) {
  .Call(rfsc_shutdown)
  library.dynam.unload("fsc", libpath)
}

# How many handles of the library this process has: for tests that look for leaks.
handles <- function() .Call(rfsc_handles)

# In seconds; zero is the library's default.
timeout <- function() {
  seconds <- getOption("fsc.timeout", 0)
  if (!is.numeric(seconds) || length(seconds) != 1L || is.na(seconds) || seconds < 0) invalid("the option fsc.timeout must be a number of seconds")
  min(seconds, 1e9) # thirty years, for Inf
}
