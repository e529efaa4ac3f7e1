#' Objects on a node
#'
#' An object of class `fsc_representation` stands for one on a node. `object$name(...)` calls its method of that name there, and
#' gives what it answers: another such object, or `NULL` if it answers nothing. Named arguments go by name, others by position;
#' what they become is in [fsc_types]. An argument may be such an object itself.
#'
#' @details
#' `object$name` alone gives the method as a function of R, and asks the node nothing yet. `fsc_attribute()` gives an attribute without calling it,
#' and `fsc_call()` calls an object itself, so that `object$name(...)` is `fsc_call(fsc_attribute(object, "name"), ...)`.
#'
#' The node keeps an object as long as R does: `fsc_release()` lets it go at once, R's garbage collector in time.
#'
#' The service `Simon` has the method `compute(microprotocol, data, network, parameters, wait)`, where `network` is a list of
#' * `nodes`: the addresses of all parties' nodes, the same and in the same order at all of them,
#' * `myself`: the place of the own one, *counted from 0*,
#' * `uuid`: a name for the meeting, the same at all parties.
#'
#' With `wait = FALSE` it answers a task, which has `progress()`, `result()` (NULL while there is none) and `cancel()`. Otherwise, in
#' interactive sessions or with `options(fsc.progress = TRUE)`, a computation that takes longer than a second shows a progress bar.
#'
#' @param object The object.
#' @param name The attribute's name.
#' @param ... Arguments of the call.
#' @return `fsc_attribute()`, `fsc_call()` and methods: an `fsc_representation`, or `NULL`, invisibly. `fsc_download()`: what the object holds,
#'   as [fsc_types] says, or an [fsc_result] if a function of Simon's has made it. `fsc_release()`: `NULL`, invisibly.
#' @examples
#' api <- fsc_connect(node <- fsc_node())
#' storage <- api$create(microservice = "KeyValueStorage")$create(storage = "ward 3")
#' storage$store(key = "beds", value = c(4, 0, 7))
#' beds <- storage$retrieve(key = "beds")
#' beds
#' fsc_download(beds)
#' fsc_release(beds)
#' fsc_stop(node)
#' @name fsc_representation
NULL

# `about` says what made it, where that is known: list(`function` =, intercept =).
new_representation <- function(handle, api, label, about = NULL) {
  structure(list(handle = handle, api = api, label = label, about = about), class = "fsc_representation")
}

#' @export
`$.fsc_representation` <- function(x, name) {
  force(name)
  structure(function(...) call_method(x, name, arguments(list(...))), class = "fsc_method", of = .subset2(x, "label"), name = name)
}

# What an object has, the node knows; what this one is made of is not it.
#' @importFrom utils .DollarNames
#' @export
.DollarNames.fsc_representation <- function(x, pattern = "") {
  grep(pattern, if (.subset2(x, "label") == "Simon") c("compute", "create_task", "join_task") else character(), value = TRUE)
}

#' @export
print.fsc_method <- function(x, ...) {
  cat("<fsc: method ", attr(x, "name"), " of ", attr(x, "of"), ">\n", sep = "")
  invisible(x)
}

#' @rdname fsc_representation
#' @export
fsc_attribute <- function(object, name) {
  must_be(object, "fsc_representation", "object", "an object on a node")
  handle <- .Call(rfsc_attribute, handle_of(object), name, timeout())
  about <- .subset2(object, "about")
  new_representation(handle, .subset2(object, "api"), paste0(.subset2(object, "label"), "$", name), about)
}

#' @rdname fsc_representation
#' @export
fsc_call <- function(object, ...) {
  must_be(object, "fsc_representation", "object", "an object on a node")
  answer(call_object(object, arguments(list(...))))
}

#' @rdname fsc_representation
#' @export
fsc_download <- function(object) {
  must_be(object, "fsc_representation", "object", "an object on a node")
  content <- .Call(rfsc_download, handle_of(object), TRUE, timeout())
  new_result(content, .subset2(object, "about"))
}

#' @rdname fsc_representation
#' @export
fsc_release <- function(object) {
  if (!inherits(object, c("fsc_representation", "fsc_api"))) invalid("object must be an object on a node, or a connection")
  .Call(rfsc_release, handle_of(object))
  invisible(NULL)
}

# Named arguments go by name, others by position.
arguments <- function(all) {
  named <- if (is.null(names(all))) logical(length(all)) else nzchar(names(all))
  list(args = unname(all[!named]), kwargs = all[named])
}

# Methods of one name do the same on all nodes; what is known of them is what results are called.
call_method <- function(object, name, arguments) {
  method <- fsc_attribute(object, name)
  on.exit(.Call(rfsc_release, handle_of(method)))
  if (name == "compute" && is_watched(arguments)) {
    watch(method, arguments)
  } else {
    answer(call_object(method, arguments))
  }
}

call_object <- function(object, arguments) {
  handle <- .Call(rfsc_call, handle_of(object), arguments$args, arguments$kwargs, timeout())
  if (is.null(handle)) return(NULL)
  about <- about_call(arguments)
  if (is.null(about)) about <- .subset2(object, "about")
  label <- if (is.null(about)) "answer" else about[["function"]]
  new_representation(handle, .subset2(object, "api"), label, about)
}

# An object, or invisibly nothing.
answer <- function(x) if (is.null(x)) invisible(NULL) else x

about_call <- function(arguments) {
  microprotocol <- arguments$kwargs[["microprotocol"]]
  if (!is.character(microprotocol) || length(microprotocol) != 1L) return(NULL)
  list("function" = microprotocol, intercept = isTRUE(arguments$kwargs[["parameters"]][["intercept"]]))
}

#' @export
format.fsc_representation <- function(x, ...) {
  state <- if (.Call(rfsc_is_held, handle_of(x))) paste("at", .subset2(x, "api")$address) else "released"
  paste0("<fsc: ", .subset2(x, "label"), ", ", state, ">")
}

#' @export
print.fsc_representation <- function(x, ...) {
  cat(format(x), "\n", sep = "")
  invisible(x)
}

#' @export
str.fsc_representation <- function(object, ...) cat(" ", format(object), "\n", sep = "")

#' @export
str.fsc_api <- function(object, ...) cat(" ", format(object), "\n", sep = "")
