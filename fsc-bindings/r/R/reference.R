#' The reference's R client
#'
#' `Api()` and what comes of it take and give what the reference's R client does, so that scripts for it run unchanged after `library(fsc)`.
#' New scripts are shorter with [fsc_connect()].
#'
#' @param url The node's address, as `"http://127.0.0.1:55501"`.
#' @return A list of functions:
#' * `create(args = NULL, kwargs = NULL)`: the object whose description contains the entries of `kwargs`; a representation.
#' * `upload(args = NULL, kwargs = NULL)`: stores the first of `args`; a representation.
#' * `attribute(representation_uuid, member_name)`: an attribute; a representation.
#' * `call(representation_uuid, args = NULL, kwargs = NULL)`: calls an object; a representation, or `NULL`.
#' * `download(representation)`: the content, as nested lists of single values: not simplified to vectors.
#' * `release(representation_uuid)`: lets the object go.
#' * `report()`: the descriptions of what the node offers, as a list of lists.
#'
#' Representations have `$attribute(name)`, `$call(args, kwargs)`, `$representation_uuid` and `$api`. `representation_uuid` is a text that stands for
#' the object within this R session only. In calls, `args` may be a list with names, which then are named arguments.
#' @examples
#' node <- fsc_node(listen = "127.0.0.1:0")
#' api <- Api(node$addresses[1])
#' microservice <- api$create(kwargs = list(protocol = "Simon"))
#' compute <- microservice$attribute("compute")
#' api$release(compute$representation_uuid)
#' fsc_stop(node)
#' @export
Api <- function(url) { # nolint: the reference's name
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
    report = function() unclass(fsc_list(api)),
    url = url
  ))
  self
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

# A text that brings its handle with it, so that nothing but the scripts' own variables keeps an object.
new_uuid <- function(handle) {
  counter$last <- counter$last + 1
  structure(sprintf("object-%.0f", counter$last), class = "fsc_uuid", handle = handle)
}

counter <- new.env(parent = emptyenv())
counter$last <- 0

# Either a representation or its uuid will do.
uuid <- function(x) {
  handle <- if (inherits(x, "fsc_representation")) handle_of(x) else attr(x, "handle")
  if (is.null(handle)) raise("invalid_handle", "this is no representation_uuid of this session")
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
format.fsc_reference_representation <- function(x, ...) {
  paste0("<fsc: object, ", if (.Call(rfsc_is_held, handle_of(x))) paste("at", .subset2(x, "api")$url) else "released", ">")
}

#' @export
print.fsc_reference_api <- function(x, ...) {
  cat("<fsc: connection to ", x$url, ">\n", sep = "")
  invisible(x)
}
