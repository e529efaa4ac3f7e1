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
#' @param object,.object The object.
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
fsc_call <- function(.object, ...) {
  must_be(.object, "fsc_representation", ".object", "an object on a node")
  answer(call_object(.object, arguments(list(...))))
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
  if (is_compute(object)) arguments <- as_computed(arguments)
  handle <- .Call(rfsc_call, handle_of(object), arguments$args, arguments$kwargs, timeout())
  if (is.null(handle)) return(NULL)
  about <- about_call(arguments, is_compute(object))
  if (is.null(about)) about <- .subset2(object, "about")
  label <- if (is.null(about)) "answer" else about[["function"]]
  new_representation(handle, .subset2(object, "api"), label, about)
}

# An object, or invisibly nothing.
answer <- function(x) if (is.null(x)) invisible(NULL) else x

about_call <- function(arguments, is_compute = TRUE) {
  microprotocol <- if (is_compute) argument(arguments, "microprotocol") else arguments$kwargs[["microprotocol"]]
  if (!is.character(microprotocol) || length(microprotocol) != 1L) return(NULL)
  parameters <- if (is_compute) argument(arguments, "parameters") else arguments$kwargs[["parameters"]]
  list("function" = microprotocol, intercept = is.list(parameters) && isTRUE(parameters[["intercept"]]))
}

# The method of Simon's, whose arguments are known.
is_compute <- function(object) grepl("\\$compute$", .subset2(object, "label"))

compute_takes <- c("microprotocol", "data", "network", "parameters", "wait")

# An argument of compute, by name or by its position.
argument <- function(arguments, name) {
  if (name %in% names(arguments$kwargs)) return(arguments$kwargs[[name]])
  place <- match(name, compute_takes)
  if (place <= length(arguments$args)) arguments$args[[place]]
}

with_argument <- function(arguments, name, value) {
  if (name %in% names(arguments$kwargs)) {
    arguments$kwargs[name] <- list(value)
  } else {
    arguments$args[match(name, compute_takes)] <- list(value)
  }
  arguments
}

# What R's users mean by the arguments of compute, which by themselves would be something else.
as_computed <- function(arguments) {
  parameters <- argument(arguments, "parameters")
  if (is.list(parameters)) {
    # What is NULL is not given; without names, an empty list would be a list, and not a map.
    parameters <- parameters[!vapply(parameters, is.null, NA)]
    if (length(parameters) == 0L) parameters <- stats::setNames(list(), character())
    arguments <- with_argument(arguments, "parameters", parameters)
  }
  microprotocol <- argument(arguments, "microprotocol")
  if (is.character(microprotocol) && length(microprotocol) == 1L) {
    data <- argument(arguments, "data")
    if (is.list(data)) arguments <- with_argument(arguments, "data", data_of(microprotocol, data))
  }
  arguments
}

# Data frames as what the function takes: rows of pairs, a matrix, or a column.
data_of <- function(microprotocol, data) {
  switch(if (is.na(microprotocol)) "" else microprotocol,
    StatisticsContingency = if (is.data.frame(data)) as_pairs(data) else data,
    StatisticsBivariate = if (is.data.frame(data)) as_numbers(data, "data") else data,
    StatisticsRegressionOLSVertical = ,
    SecureMatrixMultiplication = {
      if (is.data.frame(data)) return(list(as_numbers(data, "data")))
      if (inherits(data, "fsc_representation") || length(data) == 0L) return(data)
      if (is.data.frame(data[[1L]])) data[[1L]] <- as_numbers(data[[1L]], "data[[1]]")
      # y is a list of numbers.
      if (length(data) == 2L && is.data.frame(data[[2L]])) data[[2L]] <- as_column(data[[2L]], microprotocol, "data[[2]]")
      data
    },
    StatisticsUnivariate = ,
    StatisticsFrequency = ,
    MinimumMaximum = ,
    SecureMedian = if (is.data.frame(data)) as_column(data, microprotocol, "data") else data,
    KthElement = {
      if (is.data.frame(data)) return(as_column(data, microprotocol, "data"))
      if (!inherits(data, "fsc_representation") && is.data.frame(data[["array"]])) data[["array"]] <- as_column(data[["array"]], microprotocol, "data$array")
      data
    },
    data
  )
}

# One row is a column, too, and no single number.
as_column <- function(frame, microprotocol, name) {
  if (ncol(frame) != 1L) invalid(microprotocol, " takes one column, but ", name, " is a data frame of ", ncol(frame), ": give one of them, as ", name, "[[1]]")
  column <- frame[[1L]]
  if (length(column) == 1L && is.null(dim(column))) as.list(column) else column
}

as_numbers <- function(frame, name) {
  are_numbers <- vapply(frame, function(column) (is.numeric(column) && !is.object(column) || is.logical(column) && all(is.na(column))) && is.null(dim(column)), NA)
  # Dates and the like are refused by what they are, as everywhere.
  if (!all(are_numbers)) {
    column <- which(!are_numbers)[[1L]]
    invalid(name, "$", names(frame)[[column]], " must be numbers, but is of class ", class(frame[[column]])[[1L]])
  }
  unname(as.matrix(frame))
}

# Each row a list of its own, as columns may differ in type.
as_pairs <- function(frame) {
  if (ncol(frame) != 2L) invalid("StatisticsContingency takes pairs, but data is a data frame of ", ncol(frame), " columns")
  columns <- lapply(frame, function(column) {
    if (!is.null(dim(column))) invalid("data is a data frame with a matrix in it: give columns")
    if (is.factor(column)) column <- as.character(column)
    # What keeps its meaning in a class is refused by what it is, at the first row.
    lapply(seq_along(column), function(i) column[[i]])
  })
  unname(do.call(Map, c(list(list), unname(columns))))
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

# What it is made of here is nothing that it has.
#' @export
names.fsc_representation <- function(x) character()

#' @export
names.fsc_reference_representation <- function(x) names(unclass(x))

#' @export
length.fsc_representation <- function(x) 1L

#' @export
str.fsc_representation <- function(object, ...) cat(" ", format(object), "\n", sep = "")

#' @export
str.fsc_api <- function(object, ...) cat(" ", format(object), "\n", sep = "")

#' @export
str.fsc_node <- function(object, ...) cat(" ", format(object), "\n", sep = "")

#' @export
names.fsc_api <- function(x) .DollarNames.fsc_api(x)
