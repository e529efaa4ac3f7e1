#' Connect to a node
#'
#' Makes a client of a node. It asks nothing yet, so a node that is not there is an error of the first call.
#'
#' @param url Where the node is: `"http://host:port"`, `"serial:/dev/ttyUSB0?baud=115200"` for one at a serial line, `"local:NAME"` for
#'   one in this R process; or the node itself that [fsc_node()] gave.
#' @param token The token by which an HTTP node knows its client, if it wants one.
#' @param principal As whom a node of this process knows the client: for nodes given as such only. Absent, as `local`.
#' @return An object of class `fsc_api`. It has the methods
#' * `$create(...)`: the object that the node offers whose description contains these entries, as `protocol = "Simon"`: an
#'   [fsc_representation].
#' * `$list()`: what the node offers, as [fsc_list()].
#' * `$upload(value)`, `$download(object)`, `$release(object)`: as [fsc_upload()], [fsc_download()] and [fsc_release()].
#' @examples
#' # Three hospitals in one R process, each with a node; in life, each has a machine of its own.
#' nodes <- list(fsc_node("A"), fsc_node("B"), fsc_node("C"))
#' beds <- list(c(4, 0, 7), c(2, 1, 3), c(5, 2, 9))
#'
#' # As R does one thing at a time, nobody may wait for the others here: hence `wait = FALSE`.
#' tasks <- lapply(1:3, function(i) {
#'   network <- list(nodes = c("local:A", "local:B", "local:C"), myself = i - 1, uuid = "beds")
#'   simon <- fsc_connect(nodes[[i]])$create(protocol = "Simon")
#'   simon$compute(microprotocol = "SecureSum", data = beds[[i]], network = network, wait = FALSE)
#' })
#' while (is.null(result <- tasks[[1]]$result())) Sys.sleep(0.05)
#' fsc_download(result)
#'
#' for (node in nodes) fsc_stop(node)
#' @export
fsc_connect <- function(url, token = NULL, principal = NULL) {
  if (inherits(url, "fsc_node")) {
    if (!is.null(token)) invalid("token is for nodes that are reached by an address: give principal, or neither")
    handle <- .Call(rfsc_node_client, handle_of(url), principal)
    return(new_api(handle, url$addresses[[length(url$addresses)]], url))
  }
  if (!is.null(principal)) invalid("principal is for nodes that are given as such: by an address, the node knows its client by the token")
  new_api(.Call(rfsc_connect, url, token), url)
}

# A node that was given as such lives as long as its connections do.
new_api <- function(handle, address, node = NULL) structure(list(handle = handle, address = address, node = node), class = "fsc_api")

handle_of <- function(x) .subset2(x, "handle")

#' @export
`$.fsc_api` <- function(x, name) {
  switch(name,
    create = function(...) create(x, list(...)),
    list = function() fsc_list(x),
    upload = function(value) fsc_upload(x, value),
    download = function(object) fsc_download(object),
    release = function(object) fsc_release(object),
    address = .subset2(x, "address"),
    invalid("a connection has no ", name, ": it has create, list, upload, download, release and address")
  )
}

#' @importFrom utils .DollarNames
#' @export
.DollarNames.fsc_api <- function(x, pattern = "") {
  grep(pattern, c("create", "list", "upload", "download", "release", "address"), value = TRUE)
}

create <- function(api, description) {
  if (length(description) > 0L && is.null(names(description))) {
    invalid("objects are found by their descriptions: give named arguments, as protocol = \"Simon\"")
  }
  if (length(description) == 0L) description <- stats::setNames(list(), character())
  what <- description[["protocol"]]
  if (is.null(what)) what <- description[["microservice"]]
  new_representation(.Call(rfsc_create, handle_of(api), description, timeout()), api, if (is.character(what)) what[1L] else "object")
}

#' What a node offers
#'
#' @param api What [fsc_connect()] gave.
#' @return The descriptions of the objects that `api$create()` finds, each a named list, as a list of class `fsc_descriptions`; it prints with a
#'   line for each.
#' @examples
#' api <- fsc_connect(node <- fsc_node())
#' fsc_list(api)
#' fsc_stop(node)
#' @export
fsc_list <- function(api) {
  must_be(api, "fsc_api", "api", "what fsc_connect() gave")
  structure(.Call(rfsc_list, handle_of(api), TRUE, timeout()), class = "fsc_descriptions")
}

#' @export
format.fsc_descriptions <- function(x, ...) {
  line <- function(description) {
    texts <- Filter(function(entry) is.atomic(entry) && length(entry) == 1L, description)
    paste(names(texts), vapply(texts, format, ""), sep = ": ", collapse = ", ")
  }
  vapply(unclass(x), line, "")
}

#' @export
print.fsc_descriptions <- function(x, ...) {
  cat(format(x), sep = "\n")
  invisible(x)
}

#' Store a value at a node
#'
#' Data that several computations use need to go to the node only once: give what this returns as `data`.
#'
#' @param api What [fsc_connect()] gave.
#' @param value What to store: see [fsc_types].
#' @return An [fsc_representation]. The node keeps the value as long as R has this.
#' @examples
#' api <- fsc_connect(node <- fsc_node())
#' ages <- fsc_upload(api, c(34, 71, NA, 52))
#' fsc_download(ages)
#' fsc_stop(node)
#' @export
fsc_upload <- function(api, value) {
  must_be(api, "fsc_api", "api", "what fsc_connect() gave")
  new_representation(.Call(rfsc_upload, handle_of(api), value, timeout()), api, "value")
}

must_be <- function(x, class, name, what) {
  if (!inherits(x, class)) invalid(name, " must be ", what, ", but is of class ", class(x)[1L])
}

#' @export
format.fsc_api <- function(x, ...) {
  paste0("<fsc: connection to ", x$address, if (!.Call(rfsc_is_held, handle_of(x))) ", released", ">")
}

#' @export
print.fsc_api <- function(x, ...) {
  cat(format(x), "\n", sep = "")
  invisible(x)
}
