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
#' Counts that `minimum_count` suppresses are `NA`, and print so; plots leave them out. The labels of a table are those of the categories; where these look the same but are
#' not, as 1 and "1", texts are in quotes, and numbers have 17 digits. Integers beyond 2^53, which no number of R holds, are texts; in a column of `value`, all are then. What could not be computed is `NA`, and `result$notes` says why.
#'
#' @param x,object The result.
#' @param digits How many digits to print.
#' @param row.names,optional As in [as.data.frame()].
#' @param ... Further arguments: of `plot()` for [barplot()] and [mosaicplot()], of `print()` for [print()] and [printCoefmat()], as `na.print = "<5"` for what is suppressed.
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
  switch(function_of(x),
    StatisticsFrequency = {
      frame <- frequency_frame(x$result$cells)
      structure(array(frame$count, nrow(frame), list(category = labels_of(as.list(frame$category)))), class = "table")
    },
    StatisticsContingency = {
      # Tables that are too large come without the cells that nobody has.
      side <- contingency_sides(x$result$cells)
      counts <- array(0, lengths(list(side$row$labels, side$column$labels)), list(row = side$row$labels, column = side$column$labels))
      # Added, as integers beyond 2^53 are texts here, and may be those of others.
      for (i in seq_along(x$result$cells)) {
        at <- cbind(side$row$at[i], side$column$at[i])
        counts[at] <- counts[at] + count_of(x$result$cells[[i]])
      }
      structure(counts, class = "table") # as.table() wants at least one cell
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
  if (sum(counts, na.rm = TRUE) == 0) invalid("there is nothing to plot: no count is there that is shown and not zero")
  if (length(dim(counts)) == 1L) {
    barplot(counts, ...)
  } else {
    counts[is.na(counts)] <- 0
    # Of categories without counts, there is nothing to be seen.
    counts <- structure(counts[rowSums(counts) > 0, colSums(counts) > 0, drop = FALSE], class = "table")
    if (length(counts) == 1L) invalid("there is nothing to plot: all that is counted and shown is in one cell")
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
    StatisticsContingency = print_counts(x, ...),
    StatisticsRegressionOLSVertical = print_regression(x, digits, ...),
    if (all(vapply(result[shown(result)], is_single, NA))) {
      with_defaults(print, list(noquote(vapply(result[shown(result)], function(value) formatted(value, digits), ""))), list(right = TRUE), ...)
    } else {
      parts <- result[shown(result)]
      for (name in names(parts)) {
        if (length(parts) > 1L) cat(name, "\n", sep = "")
        with_defaults(print, list(parts[[name]]), list(digits = digits, quote = FALSE), ...)
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

# Calls a function with arguments that the user's come before.
with_defaults <- function(f, first, defaults, ...) {
  given <- list(...)
  do.call(f, c(first, given, defaults[setdiff(names(defaults), names(given))]))
}

# Each number on its own: whole ones without point, texts as they are.
formatted <- function(value, digits) {
  if (is.null(value)) return("NA")
  if (!is.numeric(value) || is.na(value)) return(as.character(or_na(value)))
  if (value == round(value) && abs(value) < 1e15) return(format(value, digits = 15L, scientific = FALSE))
  format(value, digits = digits)
}

# What is suppressed is NA, and visibly so: print() of a table leaves it blank.
print_counts <- function(x, na.print = "NA", ...) {
  counts <- as.table(x)
  if (length(counts) == 0L) {
    cat("no categories\n")
    return()
  }
  texts <- array(vapply(as.vector(counts), formatted, "", digits = 15L), dim(counts), dimnames(counts))
  texts[is.na(counts)] <- na.print
  with_defaults(print, list(as.table(texts)), list(right = TRUE), ...)
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
  with_defaults(printCoefmat, list(table, digits = digits), list(signif.legend = TRUE, na.print = "NA"), ...)
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
  if (is.matrix(cells)) {
    categories <- as.list(cells[, 1L])
    counts <- as.numeric(cells[, 2L])
  } else {
    categories <- lapply(cells, `[[`, 1L)
    counts <- vapply(cells, count_of, 0)
  }
  # Truth values, numbers and texts may be among them, and stay apart.
  category <- if (length(unique(vapply(categories, type_of, ""))) == 1L) unlist(categories) else labels_of(categories)
  data.frame(category = category, count = counts)
}

# [[row, column], count] each.
contingency_frame <- function(cells) {
  side <- contingency_sides(cells)
  data.frame(row = side$row$labels[side$row$at], column = side$column$labels[side$column$at], count = vapply(cells, count_of, 0))
}

# For each side of the table, its categories' labels, in the order of the cells, and which of them each cell is at.
contingency_sides <- function(cells) {
  side <- function(i) {
    all <- lapply(cells, function(cell) cell[[1L]][[i]])
    identities <- vapply(all, identity_of, "")
    list(labels = labels_of(all[!duplicated(identities)]), at = match(identities, unique(identities)))
  }
  list(row = side(1L), column = side(2L))
}

# 1, "1" and TRUE are three categories.
type_of <- function(category) if (is.numeric(category)) "number" else if (is.logical(category)) "truth" else "text"

identity_of <- function(category) {
  paste(type_of(category), if (is.numeric(category)) sprintf("%a", as.double(category)) else as.character(category))
}

# Texts for categories that differ, which differ, too: as short as may be.
labels_of <- function(categories) {
  types <- vapply(categories, type_of, "")
  labels <- vapply(categories, function(category) if (is.numeric(category)) format(category, digits = 15L) else as.character(category), "")
  clashing <- function(among) labels %in% labels[among][duplicated(labels[among])]
  numbers <- types == "number"
  exact <- numbers & clashing(numbers)
  labels[exact] <- vapply(categories[exact], function(category) sprintf("%.17g", category), "")
  quoted <- types == "text" & labels %in% labels[types != "text"]
  labels[quoted] <- paste0("\"", labels[quoted], "\"")
  make.unique(labels, sep = " #")
}

count_of <- function(cell) as.numeric(or_na(cell[[2L]]))

or_na <- function(x) if (is.null(x)) NA_real_ else x

as_text <- function(value) if (is.character(value) || is.na(value)) as.character(value) else format(value, digits = 17L, scientific = FALSE)

is_single <- function(x) is.null(x) || (is.atomic(x) && length(x) == 1L && is.null(dim(x)))

# The reference's misspelling is there beside the right one; notes are printed apart.
shown <- function(result) !names(result) %in% c("notes", "regression_interceipt")

statistics_frame <- function(result) {
  result <- result[shown(result)]
  if (all(vapply(result, is_single, NA))) {
    # Numbers that no double holds are texts, and stay so: then all are.
    values <- lapply(result, or_na)
    is_text <- any(vapply(values, is.character, NA))
    values <- if (is_text) vapply(values, as_text, "") else vapply(values, as.numeric, 0)
    return(data.frame(statistic = names(result), value = values, row.names = NULL))
  }
  single <- vapply(result, is_single, NA)
  parts <- result[!single]
  if (length(parts) == 1L && is.matrix(parts[[1L]])) return(as.data.frame(parts[[1L]]))
  lengths <- vapply(parts, function(part) if (is.atomic(part) && is.null(dim(part))) length(part) else NA_integer_, 0L)
  if (anyNA(lengths) || length(unique(lengths)) != 1L) invalid("this result is no single table: take its parts from $result")
  as.data.frame(parts)
}
