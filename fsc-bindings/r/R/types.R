#' What becomes of values
#'
#' How values of R go to a node, and how they come back.
#'
#' @section To a node:
#' | in R | at the node |
#' |---|---|
#' | `NULL` | `null` |
#' | a number, a text or a logical of length one | a number, a text or a truth value; in `I()`, a list of one |
#' | a vector | a list, without detour by text for numbers |
#' | a matrix | a list of rows; an array of more dimensions, lists of such |
#' | a factor | its labels |
#' | a list with names | a map |
#' | a list without names | a list |
#' | a data frame | a map of its columns, which are lists also if there is one row only |
#' | an [fsc_representation] | the object itself, if it is on that node |
#'
#' @section Data frames as data:
#' In `data` of a computation, a data frame goes as what the function takes:
#' * of `StatisticsContingency`, two columns as pairs, row by row; factors are their labels, and each column keeps its type,
#' * of `StatisticsBivariate`, as a matrix, and so does X of `SecureMatrixMultiplication` and `StatisticsRegressionOLSVertical`, as `data = X` or `data = list(X, y)`; all columns
#'   must be numbers,
#' * of `StatisticsUnivariate`, `StatisticsFrequency`, `MinimumMaximum`, `SecureMedian` and `KthElement`, one column as that column.
#'
#' With `SecureSum`, as in all other calls and in [fsc_upload()], it goes as a map of its columns. For pairs, use `data.frame()` rather than `cbind()`: a matrix
#' has one type only, and `cbind()` of factors gives their codes, which are not the same at all parties.
#'
#' @section Missing and other values:
#' `NA` is missing, which is `null`, and never a number. What computations do with it says their parameter `missing`. `NaN` and infinite numbers are errors that name the
#' position, and nothing is sent.
#'
#' Names of vectors, rows and columns are not sent; those of lists are, of which no two may be the same.
#'
#' Texts go as UTF-8. What is not text in the session's encoding, nor marked as UTF-8 or latin1, is an error that names the position.
#'
#' Numbers that are whole, and vectors in which all are, go as integers up to 2^53, whether they are written 5 or 5L.
#'
#' Dates, times, differences of times and `integer64` are errors: convert them first, so that all parties mean the same. So are complex numbers, raw
#' vectors and functions.
#'
#' @section From a node:
#' Maps are named lists, in the order of their keys. Lists of numbers, of texts and of truth values are vectors, with `NA` where there is `null`; lists of rows of one length are matrices; other
#' lists are lists. `null` alone is `NULL`.
#' Integers are of type `integer` if they fit, otherwise `double` up to 2^53, and beyond that, as no number of R holds them, texts of their digits.
#'
#' Some things come back otherwise than they went: `character()` and `logical()` as `list()`; `numeric()` as `integer()`; whole
#' numbers such as 5 as integers; factors as texts; `c(NA, NA)` of any type as logicals; data frames as lists of their columns.
#'
#' @examples
#' api <- fsc_connect(node <- fsc_node())
#' there_and_back <- function(x) fsc_download(fsc_upload(api, x))
#' there_and_back(c(1.5, NA))
#' there_and_back(matrix(1:6, 2))
#' there_and_back(data.frame(age = c(34, 71), group = factor(c("A", "0"))))
#' try(there_and_back(c(1, NaN)))
#' fsc_stop(node)
#' @name fsc_types
NULL
