# How a computation shows how far it is: it is started without waiting, and its task is asked now and then.

# A bar comes after as many seconds.
UNSEEN <- 1
# The task is asked soon at first, then ever more seldom, in seconds.
FIRST_PAUSE <- 0.005
LAST_PAUSE <- 0.2
# How long a computation may take if nothing else is said, in seconds.
AN_HOUR <- 3600
# How long a cancellation may take.
A_FEW_SECONDS <- 10

is_watched <- function(arguments) {
  isTRUE(getOption("fsc.progress", interactive())) && is.null(argument(arguments, "wait")) && !is.null(about_call(arguments))
}

watch <- function(compute, arguments) {
  task <- result <- progress <- bar <- NULL
  has_ended <- FALSE
  on.exit({
    if (!is.null(bar)) close(bar)
    if (!is.null(task) && !has_ended) cancel(task)
    for (object in list(result, progress, task)) if (!is.null(object)) .Call(rfsc_release, handle_of(object))
  })
  limit <- if (timeout() > 0) timeout() else AN_HOUR
  start <- proc.time()[["elapsed"]]
  task <- tryCatch(call_object(compute, with_wait(arguments)), fsc_error_refused = function(refusal) {
    # The reference's nodes know no `wait`; whatever else is refused is refused without it, too.
    if (!grepl("wait", conditionMessage(refusal), fixed = TRUE)) stop(refusal)
    NULL
  })
  if (is.null(task)) return(answer(call_object(compute, arguments)))

  # What has no such attribute is no task, but the result.
  result <- tryCatch(fsc_attribute(task, "result"), fsc_error_refused = function(refusal) if (!identical(refusal$code, 404L)) stop(refusal))
  if (is.null(result)) {
    found <- task
    task <- NULL
    return(found)
  }
  progress <- fsc_attribute(task, "progress")
  pause <- FIRST_PAUSE
  nothing <- list(args = list(), kwargs = list())
  repeat {
    # Refused is what the computation ends with, but for too many requests (429): all else leaves it running.
    found <- withCallingHandlers(call_object(result, nothing), fsc_error_refused = function(error) has_ended <<- !identical(error$code, 429L))
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

# A node that does not answer must not hold up who has given up on it.
cancel <- function(task) {
  old <- options(fsc.timeout = A_FEW_SECONDS)
  on.exit(options(old))
  try(task$cancel(), silent = TRUE)
}

with_wait <- function(arguments) {
  # Where it is given by position as NULL, there is no other place for it.
  if (length(arguments$args) >= length(compute_takes)) return(with_argument(arguments, "wait", FALSE))
  arguments$kwargs["wait"] <- list(FALSE)
  arguments
}

# How much of its messages a node has sent, as far as is known beforehand.
share <- function(progress) {
  expected <- progress$expected_bytes
  if (is.null(expected) || is.null(progress$sent_bytes) || expected <= 0) return(0)
  min(1, progress$sent_bytes / expected)
}
