#' Run a node in this R process
#'
#' The node runs in threads of its own, beside R, until it is stopped, the process ends, or R has neither it nor connections to it by
#' `fsc_connect(node)` any more. Clients and other nodes of this process reach it at `local:NAME`; others do if it has `listen`.
#'
#' @param name Its name; if absent, it gets one.
#' @param config Its configuration: a list with the entries of the file of `fsc serve`, or the path of such a file.
#' @param ... Entries of the configuration, as `listen = "127.0.0.1:0"` (where 0 stands for any port that is free) or
#'   `policy = list(minimum_parties = 3)`. They come before those of `config`.
#' @param node What `fsc_node()` gave.
#' @return `fsc_node()`: an object of class `fsc_node` with the fields
#' * `$addresses`: where it can be reached, `local:NAME` last,
#' * `$id`: by what others know it, or `NULL` if its configuration names no key.
#'
#' `fsc_stop()`: `NULL`, invisibly. Clients of a node that was stopped get errors of class `fsc_error_unreachable`: there is no such node any more.
#' @details
#' Entries that are lists, such as `policy$functions`, may be vectors of R, also of one element; `clients`, `nodes` and `lines` are lists
#' of lists. Relative paths count from the folder of the file, or else from the working directory, at the time of the call.
#' @examples
#' node <- fsc_node(policy = list(functions = c("SecureSum", "SecureMedian"), minimum_parties = 3))
#' node
#' api <- fsc_connect(node)
#' fsc_stop(node)
#' @export
fsc_node <- function(name = NULL, config = list(), ...) {
  entries <- list(...)
  if (is.character(config)) {
    if (length(entries) > 0L) invalid("entries can't be added to the file ", config[1L], ": write them there, or give a list")
    text <- read_config(config)
    # The file may name others beside it.
    handle <- .Call(rfsc_node_new, name, text, FALSE, dirname(config))
  } else {
    if (!is.list(config)) invalid("config must be a list or the path of a file")
    for (given in list(entries, config)) {
      if (length(given) > 0L && (is.null(names(given)) || !all(nzchar(names(given))))) {
        invalid("entries of a configuration have names, as listen = \"127.0.0.1:8001\"")
      }
    }
    entries <- c(entries, config[setdiff(names(config), names(entries))])
    handle <- .Call(rfsc_node_new, name, config_json(entries), TRUE, NULL)
  }
  # One that has failed must not keep its name until the garbage is collected.
  has_started <- FALSE
  on.exit(if (!has_started) .Call(rfsc_release, handle))
  .Call(rfsc_node_start, handle, timeout())
  about <- .Call(rfsc_node_describe, handle)
  has_started <- TRUE
  structure(list(handle = handle, addresses = about$addresses, id = about$id), class = "fsc_node")
}

#' @rdname fsc_node
#' @export
fsc_stop <- function(node) {
  must_be(node, "fsc_node", "node", "what fsc_node() gave")
  if (.Call(rfsc_is_held, handle_of(node))) {
    .Call(rfsc_node_stop, handle_of(node), timeout())
    .Call(rfsc_release, handle_of(node))
  }
  invisible(NULL)
}

read_config <- function(path) {
  if (length(path) != 1L || is.na(path)) invalid("config must be a list or the path of one file")
  if (!file.exists(path)) invalid("there is no configuration ", path)
  paste(readLines(path, warn = FALSE, encoding = "UTF-8"), collapse = "\n")
}

# Where lists stand in a configuration, R's users may have given a vector of one, or one table rather than a list of them.
config_json <- function(entries) {
  if (length(entries) == 0L) return("{}")
  as_tables <- function(x) if (is.data.frame(x)) unname(split(x, seq_len(nrow(x)))) else if (!is.null(names(x))) list(x) else x
  as_tables_of_lists <- function(x) lapply(as_tables(x), as.list)
  for (name in intersect(c("nodes", "lines", "clients"), names(entries))) entries[[name]] <- as_tables_of_lists(entries[[name]])
  # A table that is none is for the node to refuse.
  if (is.list(entries$policy) && !is.null(entries$policy$functions)) entries$policy$functions <- as.list(entries$policy$functions)
  if (is.list(entries$cors) && !is.null(entries$cors$origins)) entries$cors$origins <- as.list(entries$cors$origins)
  .Call(rfsc_to_json, entries, "config")
}

#' @export
format.fsc_node <- function(x, ...) {
  state <- if (.Call(rfsc_is_held, handle_of(x))) paste("at", paste(x$addresses, collapse = ", ")) else "stopped"
  paste0("<fsc: node ", state, if (!is.null(x$id)) paste(", id", x$id), ">")
}

#' @export
print.fsc_node <- function(x, ...) {
  cat(format(x), "\n", sep = "")
  invisible(x)
}
