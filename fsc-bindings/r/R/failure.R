#' Errors
#'
#' Whatever goes wrong in a node, on the way or in an argument is a condition of class `fsc_error`, so that `tryCatch()` can tell it
#' from others. Its other class says of what kind it is:
#'
#' | class | |
#' |---|---|
#' | `fsc_error_invalid_argument` | an argument can't be used; nothing was sent |
#' | `fsc_error_invalid_handle` | an object, a client or a node was released, or is of another R session |
#' | `fsc_error_refused` | the node has refused, and `code` says why, as HTTP has it: 400 wrong arguments, 401 token unknown, 403 not allowed, 404 not found, 409 parties disagree, 429 too much, 502 a party broke the protocol, 503 a party is away, 504 a party is silent |
#' | `fsc_error_unreachable` | nobody answers there, or the connection broke |
#' | `fsc_error_timed_out` | the option `fsc.timeout` has passed |
#' | `fsc_error_cancelled` | the call was cancelled |
#' | `fsc_error_stopped` | the node was stopped |
#' | `fsc_error_forked` | this process was forked: only its parent can use what it made |
#' | `fsc_error_wrong_type`, `fsc_error_would_block`, `fsc_error_limit`, `fsc_error_unsupported`, `fsc_error_internal` | the rest |
#'
#' @format A condition with the fields
#' * `message`: what is wrong, for whoever has to mend it.
#' * `call`: the call in which it happened.
#' * `status`: the kind, as a text: `"refused"`.
#' * `code`: the node's code, or `NA`.
#' * `culprits`: an integer vector of the parties at fault: their places in `network$nodes`, *counted from 0*, as `network$myself` is.
#'   So they are `network$nodes[error$culprits + 1]`.
#'
#' @examples
#' api <- fsc_connect(node <- fsc_node())
#' error <- tryCatch(api$create(protocol = "Garfunkel"), fsc_error = identity)
#' c(error$status, error$code)
#' fsc_stop(node)
#' @name fsc_error
#' @aliases fsc_errors
NULL

statuses <- c(
  "invalid_argument", "invalid_handle", "wrong_type", "refused", "unreachable", "timed_out", "cancelled", "stopped", "forked",
  "would_block", "limit", "unsupported", "internal"
)

# Called from C, too.
raise <- function(status, message, code = NA_integer_, culprits = integer()) {
  # A library that is newer than this may have more of them.
  kind <- if (is.character(status)) status else if (status %in% seq_along(statuses)) statuses[[status]] else "internal"
  call <- users_call() # not lazily: it looks where it is called
  stop(structure(
    class = c(paste0("fsc_error_", kind), "fsc_error", "error", "condition"),
    list(message = message, call = call, status = kind, code = code, culprits = culprits)
  ))
}

invalid <- function(...) raise("invalid_argument", paste0(...))

# The call by which the user got in here: errors should not quote what is inside.
users_call <- function() {
  own <- topenv()
  for (frame in seq_len(sys.nframe() - 2L)) {
    if (identical(topenv(environment(sys.function(frame))), own)) return(shortened(sys.call(frame)))
  }
  NULL
}

# Arguments may be data, and after do.call() the function may be there in full, which have no place in an error.
shortened <- function(call) {
  if (is.function(call[[1L]])) {
    name <- attr(call[[1L]], "name")
    call[[1L]] <- as.name(if (is.null(name)) "call" else name)
  }
  for (i in seq_along(call)[-1L]) {
    if (!missing_argument(call[[i]]) && !is.language(call[[i]]) && (length(call[[i]]) > 1L || is.list(call[[i]]))) {
      call[[i]] <- quote(...)
    }
  }
  call
}

missing_argument <- function(x) is.symbol(x) && !nzchar(as.character(x))
