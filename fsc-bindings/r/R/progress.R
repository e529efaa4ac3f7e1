# How a computation shows how far it is: it is started without waiting, and its task is asked now and then.

# A bar comes after as many seconds.
UNSEEN <- 1
# The task is asked soon at first, then ever more seldom, in seconds.
FIRST_PAUSE <- 0.005
LAST_PAUSE <- 0.2

is_watched <- function(arguments) {
  isTRUE(getOption("fsc.progress", interactive())) &&
    is.null(arguments$kwargs[["wait"]]) && length(arguments$args) < 5L && !is.null(about_call(arguments))
}

watch <- function(compute, arguments) {
  with_wait <- arguments
  with_wait$kwargs["wait"] <- list(FALSE)
  task <- tryCatch(call_object(compute, with_wait), fsc_error_refused = function(refusal) {
    # The reference's nodes know no `wait`; whatever else is refused is refused without it, too.
    if (!grepl("wait", conditionMessage(refusal), fixed = TRUE)) stop(refusal)
    NULL
  })
  if (is.null(task)) return(answer(call_object(compute, arguments)))

  result <- tryCatch(fsc_attribute(task, "result"), fsc_error_refused = function(refusal) NULL)
  if (is.null(result)) return(task) # it was no task, but the result
  progress <- fsc_attribute(task, "progress")
  has_ended <- FALSE
  bar <- NULL
  on.exit({
    if (!is.null(bar)) close(bar)
    if (!has_ended) try(task$cancel(), silent = TRUE)
    for (object in list(result, progress, task)) .Call(rfsc_release, handle_of(object))
  })
  limit <- if (timeout() > 0) timeout() else Inf
  start <- proc.time()[["elapsed"]]
  pause <- FIRST_PAUSE
  nothing <- list(args = list(), kwargs = list())
  repeat {
    found <- withCallingHandlers(call_object(result, nothing), fsc_error = function(error) has_ended <<- TRUE)
    if (!is.null(found)) {
      has_ended <- TRUE
      if (!is.null(bar)) setTxtProgressBar(bar, 1)
      return(found)
    }
    elapsed <- proc.time()[["elapsed"]] - start
    if (elapsed > limit) raise("timed_out", paste0("no answer within ", limit, " s, the option fsc.timeout"))
    if (elapsed > UNSEEN) {
      if (is.null(bar)) bar <- txtProgressBar(style = 3, file = stderr())
      state <- call_object(progress, nothing)
      setTxtProgressBar(bar, share(.Call(rfsc_download, handle_of(state), TRUE, timeout())))
    }
    Sys.sleep(pause)
    pause <- min(LAST_PAUSE, 2 * pause)
  }
}

# How much of its messages a node has sent, as far as is known beforehand.
share <- function(progress) {
  expected <- progress$expected_bytes
  if (is.null(expected) || is.null(progress$sent_bytes) || expected <= 0) return(0)
  min(1, progress$sent_bytes / expected)
}
