#' Results of computations
#'
#' What [fsc_download()] gives of a function of Simon's is a named list of class `fsc_result`, with `inputs`, the number of parties, and `result`, what the function
#' computes, as the function's documentation has it. It prints as the table that it is, and can be made one:
#'
#' | function | `as.data.frame()` | `as.table()` | `coef()` | `plot()` |
#' |---|---|---|---|---|
#' | `StatisticsFrequency` | `category`, `count` | one-way | | bars |
#' | `StatisticsContingency` | `row`, `column`, `count` | two-way | | mosaic |
#' | `StatisticsRegressionOLSVertical` | `term`, `estimate`, with details `std.error`, `statistic`, `p.value` | | coefficients | |
#' | `StatisticsBivariate` | `statistic`, `value` | | intercept and slope | |
#' | the others | `statistic`, `value`; of a matrix, its columns | | | |
#'
#' Counts that `minimum_count` suppresses are `NA`; plots leave them out. What could not be computed is `NA`, and `result$notes` says why.
#'
#' @param x,object The result.
#' @param digits How many digits to print.
#' @param row.names,optional As in [as.data.frame()].
#' @param ... Further arguments: of `plot()` for [barplot()] and [mosaicplot()], of `print()` for [print()] and [printCoefmat()].
#' @return As the table says; `print()` and `plot()` what they were given, invisibly.
#' @examples
#' nodes <- list(fsc_node("North"), fsc_node("South"))
#' groups <- list(c("A", "0", "A", "B"), factor(c("0", "AB", "A")))
#' tasks <- lapply(1:2, function(i) {
#'   network <- list(nodes = c("local:North", "local:South"), myself = i - 1, uuid = "blood groups")
#'   simon <- fsc_connect(nodes[[i]])$create(protocol = "Simon")
#'   data <- groups[[i]]
#'   simon$compute(microprotocol = "StatisticsFrequency", data = data, network = network, wait = FALSE)
#' })
#' while (is.null(result <- tasks[[1]]$result())) Sys.sleep(0.05)
#' counts <- fsc_download(result)
#' counts
#' as.data.frame(counts)
#' plot(counts)
#' for (node in nodes) fsc_stop(node)
#' @name fsc_result
NULL

# `about` is what is known of the call that has made it. What has no result in it, as the state of a task, is no result.
new_result <- function(content, about) {
  if (is.null(about) || !is.list(content) || !identical(sort(names(content)), c("inputs", "result"))) return(content)
  structure(content, class = "fsc_result", about = about)
}

function_of <- function(x) attr(x, "about")[["function"]]

#' @rdname fsc_result
#' @export
as.data.frame.fsc_result <- function(x, row.names = NULL, optional = FALSE, ...) {
  frame <- switch(function_of(x),
    StatisticsFrequency = frequency_frame(x$result$cells),
    StatisticsContingency = contingency_frame(x$result$cells),
    StatisticsRegressionOLSVertical = regression_frame(x),
    statistics_frame(x$result)
  )
  if (!is.null(row.names)) rownames(frame) <- row.names
  frame
}

#' @rdname fsc_result
#' @export
as.table.fsc_result <- function(x, ...) {
  frame <- as.data.frame(x)
  switch(function_of(x),
    StatisticsFrequency = as.table(array(frame$count, nrow(frame), list(category = as.character(frame$category)))),
    StatisticsContingency = {
      # Tables that are too large come without the cells that nobody has.
      rows <- unique(frame$row)
      columns <- unique(frame$column)
      counts <- array(0, c(length(rows), length(columns)), list(row = rows, column = columns))
      counts[cbind(match(frame$row, rows), match(frame$column, columns))] <- frame$count
      as.table(counts)
    },
    invalid("a result of ", function_of(x), " is no table of counts: as.data.frame() may be what you want")
  )
}

#' @rdname fsc_result
#' @export
coef.fsc_result <- function(object, ...) {
  result <- object$result
  switch(function_of(object),
    StatisticsRegressionOLSVertical = stats::setNames(as.vector(result$mle), terms_of(object)),
    StatisticsBivariate = c("(Intercept)" = or_na(result$regression_intercept), x = or_na(result$regression_slope)),
    invalid("a result of ", function_of(object), " has no coefficients")
  )
}

#' @rdname fsc_result
#' @export
plot.fsc_result <- function(x, ...) {
  counts <- as.table(x)
  if (length(dim(counts)) == 1L) {
    barplot(counts, ...)
  } else {
    counts[is.na(counts)] <- 0
    further <- list(...)
    if (is.null(further$main)) further$main <- ""
    do.call(mosaicplot, c(list(counts), further))
  }
  invisible(x)
}

#' @rdname fsc_result
#' @export
format.fsc_result <- function(x, ...) {
  paste0("<fsc: ", function_of(x), " of ", x$inputs, " parties>")
}

#' @rdname fsc_result
#' @export
print.fsc_result <- function(x, digits = max(3L, getOption("digits") - 3L), ...) {
  cat(function_of(x), " of ", x$inputs, " parties\n\n", sep = "")
  result <- x$result
  switch(function_of(x),
    StatisticsFrequency = ,
    StatisticsContingency = print(as.table(x), na.print = "NA", ...),
    StatisticsRegressionOLSVertical = print_regression(x, digits, ...),
    if (all(vapply(result[shown(result)], is_single, NA))) {
      frame <- statistics_frame(result)
      print(stats::setNames(frame$value, frame$statistic), digits = digits, ...)
    } else {
      parts <- result[shown(result)]
      for (name in names(parts)) {
        if (length(parts) > 1L) cat(name, "\n", sep = "")
        print(parts[[name]], digits = digits, ...)
      }
    }
  )
  if (!is.null(result$suppressed)) cat("\n", result$suppressed, " counts are not shown, as they are too small\n", sep = "")
  if (!is.null(result$omitted) && !"omitted" %in% statistics_printed(x)) cat("\n", result$omitted, " missing values were left out\n", sep = "")
  for (name in names(result$notes)) cat("\n", name, ": ", paste(unlist(result$notes[[name]]), collapse = "; "), sep = "")
  if (length(result$notes) > 0L && is.null(names(result$notes))) cat("\n", paste(unlist(result$notes), collapse = "\n"), sep = "")
  if (length(result$notes) > 0L) cat("\n")
  invisible(x)
}

# Which of the statistics are printed by name already.
statistics_printed <- function(x) {
  switch(function_of(x),
    StatisticsFrequency = , StatisticsContingency = , StatisticsRegressionOLSVertical = character(),
    names(x$result)
  )
}

print_regression <- function(x, digits, ...) {
  result <- x$result
  frame <- regression_frame(x)
  if (is.null(result$standard_errors)) {
    print(coef(x), digits = digits, ...)
    return()
  }
  table <- as.matrix(frame[, -1L])
  dimnames(table) <- list(frame$term, c("Estimate", "Std. Error", "t value", "Pr(>|t|)"))
  printCoefmat(table, digits = digits, signif.legend = TRUE, na.print = "NA", ...)
  cat("\n", result$samples, " rows, ", result$degrees_of_freedom, " degrees of freedom, R-squared ", format(or_na(result$r_squared), digits = digits), "\n", sep = "")
}

regression_frame <- function(x) {
  result <- x$result
  frame <- data.frame(term = terms_of(x), estimate = as.vector(result$mle))
  if ("standard_errors" %in% names(result)) {
    column <- function(values) if (is.null(values)) NA_real_ else as.numeric(values)
    frame$std.error <- column(result$standard_errors)
    frame$statistic <- column(result$t)
    frame$p.value <- column(result$p)
  }
  frame
}

# Nobody tells what the parties call their columns; that there is an intercept, only the call.
terms_of <- function(x) {
  count <- length(x$result$mle)
  if (isTRUE(attr(x, "about")$intercept)) c("(Intercept)", paste0("x", seq_len(count - 1L))) else paste0("x", seq_len(count))
}

# [category, count] each. Where all are numbers, they have become a matrix.
frequency_frame <- function(cells) {
  if (length(cells) == 0L) return(data.frame(category = character(), count = numeric()))
  if (is.matrix(cells)) return(data.frame(category = cells[, 1L], count = as.numeric(cells[, 2L])))
  categories <- lapply(cells, `[[`, 1L)
  # Truth values, numbers and texts may be among them, and stay apart.
  same <- length(unique(vapply(categories, function(category) is.numeric(category) + 2L * is.logical(category), 0))) == 1L
  if (!same) categories <- lapply(categories, format, digits = 15L)
  data.frame(category = unlist(categories), count = vapply(cells, count_of, 0))
}

# [[row, column], count] each.
contingency_frame <- function(cells) {
  side <- function(i) vapply(cells, function(cell) format(cell[[1L]][[i]], digits = 15L), "")
  data.frame(row = side(1L), column = side(2L), count = vapply(cells, count_of, 0))
}

count_of <- function(cell) as.numeric(or_na(cell[[2L]]))

or_na <- function(x) if (is.null(x)) NA_real_ else x

is_single <- function(x) is.null(x) || (is.atomic(x) && length(x) == 1L && is.null(dim(x)))

# The reference's misspelling is there beside the right one; notes are printed apart.
shown <- function(result) !names(result) %in% c("notes", "regression_interceipt")

statistics_frame <- function(result) {
  result <- result[shown(result)]
  if (all(vapply(result, is_single, NA))) {
    return(data.frame(statistic = names(result), value = vapply(result, function(x) as.numeric(or_na(x)), 0), row.names = NULL))
  }
  single <- vapply(result, is_single, NA)
  parts <- result[!single]
  if (length(parts) == 1L && is.matrix(parts[[1L]])) return(as.data.frame(parts[[1L]]))
  lengths <- vapply(parts, function(part) if (is.atomic(part) && is.null(dim(part))) length(part) else NA_integer_, 0L)
  if (anyNA(lengths) || length(unique(lengths)) != 1L) invalid("this result is no single table: take its parts from $result")
  as.data.frame(parts)
}
