#' The reference's R client
#'
#' `Api()` and what comes of it take and give what the reference's R client does, so that scripts for it run unchanged after `library(fsc)`.
#' New scripts are shorter with [fsc_connect()].
#'
#' @param root,url The node's address, as `"http://127.0.0.1:55501"`, by either name. `Api$new()` is the same as `Api()`.
#' @return A list of functions:
#' * `create(args = NULL, kwargs = NULL)`: the object whose description contains the entries of `kwargs`; a representation.
#' * `upload(args = NULL, kwargs = NULL)`: stores the first of `args`; a representation.
#' * `attribute(representation_uuid, member_name)`: an attribute; a representation.
#' * `call(representation_uuid, args = NULL, kwargs = NULL)`: calls an object; a representation, or `NULL`.
#' * `download(representation)`: the content, as nested lists of single values: not simplified to vectors. Integers that no number of R holds are rounded.
#' * `release(representation_uuid)`: lets the object go.
#' * `report()`: what the node offers: `list(list = , type = "list")`, where `list` has a description for each object.
#'
#' Representations have `$attribute(name)`, `$call(args, kwargs)`, `$representation_uuid` and `$api`. `representation_uuid` is a text that stands for
#' the object within this R session only. A variable that has it as it is keeps the object; a copy as plain text, as by `c()` or `as.character()`, is good as
#' long as something else keeps it. In calls, `args` may be a list with names, which then are named arguments.
#' @examples
#' node <- fsc_node(listen = "127.0.0.1:0")
#' api <- Api(node$addresses[1])
#' microservice <- api$create(kwargs = list(protocol = "Simon"))
#' compute <- microservice$attribute("compute")
#' api$release(compute$representation_uuid)
#' fsc_stop(node)
#' @export
Api <- function(root, url = root) { # nolint: the reference's name
  api <- fsc_connect(url)
  self <- NULL
  wrap <- function(handle) if (is.null(handle)) invisible(NULL) else reference_representation(handle, self)
  self <- structure(class = "fsc_reference_api", list(
    create = function(args = NULL, kwargs = NULL) wrap(handle_of(create(api, as.list(kwargs)))),
    upload = function(args = NULL, kwargs = NULL) {
      if (length(args) != 1L) invalid("args must be a list of the one value to store")
      wrap(handle_of(fsc_upload(api, as.list(args)[[1L]])))
    },
    attribute = function(representation_uuid, member_name) {
      wrap(.Call(rfsc_attribute, uuid(representation_uuid), member_name, timeout()))
    },
    call = function(representation_uuid, args = NULL, kwargs = NULL) {
      args <- as.list(args)
      given <- arguments(args)
      wrap(.Call(rfsc_call, uuid(representation_uuid), given$args, c(given$kwargs, as.list(kwargs)), timeout()))
    },
    download = function(representation) .Call(rfsc_download, uuid(representation), FALSE, timeout()),
    release = function(representation_uuid) invisible(.Call(rfsc_release, uuid(representation_uuid))),
    report = function() list(list = .Call(rfsc_list, handle_of(api), FALSE, timeout()), type = "list"),
    url = url
  ))
  self
}

# There, it is the generator of a class.
class(Api) <- "fsc_reference_generator"

#' @export
`$.fsc_reference_generator` <- function(x, name) {
  if (name != "new") invalid("Api has no ", name, ": it has new")
  x
}

#' @export
.DollarNames.fsc_reference_generator <- function(x, pattern = "") grep(pattern, "new", value = TRUE)

#' @export
print.fsc_reference_generator <- function(x, ...) {
  cat("<fsc: Api(root), a connection as the reference's R client makes them>\n")
  invisible(x)
}

reference_representation <- function(handle, api) {
  uuid <- new_uuid(handle)
  structure(class = c("fsc_reference_representation", "fsc_representation"), list(
    handle = handle,
    representation_uuid = uuid,
    api = api,
    attribute = function(name) api$attribute(uuid, name),
    call = function(args = NULL, kwargs = NULL) api$call(uuid, args, kwargs)
  ))
}

# A text that brings its handle with it, so that nothing but the scripts' own variables keeps an object. As plain text, it is looked up.
new_uuid <- function(handle) {
  known$last <- known$last + 1
  text <- sprintf("object-%.0f", known$last)
  assign(text, .Call(rfsc_weak, handle), envir = known$handles)
  reg.finalizer(handle, forget(text))
  structure(text, class = "fsc_uuid", handle = handle)
}

known <- new.env(parent = emptyenv())
known$last <- 0
known$handles <- new.env(parent = emptyenv())

# A function of its own, which must not see the handle.
forget <- function(text) {
  force(text)
  function(handle) rm(list = text, envir = known$handles)
}

# NULL if there is none (any more). Called from C, too.
handle_by_text <- function(text) {
  weak <- if (!is.na(text) && nzchar(text)) known$handles[[as.vector(unclass(text))]]
  if (!is.null(weak)) .Call(rfsc_strong, weak)
}

# Either a representation or its uuid will do.
uuid <- function(x) {
  handle <- if (inherits(x, "fsc_representation")) handle_of(x) else attr(x, "handle")
  if (is.null(handle) && is.character(x) && length(x) == 1L) handle <- handle_by_text(x)
  if (is.null(handle)) raise("invalid_handle", "this is no representation_uuid of this session, or nothing has kept its object")
  handle
}

#' @export
format.fsc_uuid <- function(x, ...) as.vector(unclass(x))

#' @export
print.fsc_uuid <- function(x, ...) {
  print(format(x))
  invisible(x)
}

#' @export
`$.fsc_reference_representation` <- function(x, name) .subset2(x, name)

#' @export
.DollarNames.fsc_reference_representation <- function(x, pattern = "") grep(pattern, names(unclass(x)), value = TRUE)

#' @export
format.fsc_reference_representation <- function(x, ...) {
  paste0("<fsc: object, ", if (.Call(rfsc_is_held, handle_of(x))) paste("at", .subset2(x, "api")$url) else "released", ">")
}

#' @export
print.fsc_reference_api <- function(x, ...) {
  cat("<fsc: connection to ", x$url, ">\n", sep = "")
  invisible(x)
}
