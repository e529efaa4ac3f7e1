# As fsc_download makes them.
result <- function(microprotocol, json, intercept = FALSE) {
  content <- list(inputs = 3L, result = .Call(fsc:::rfsc_from_json, json, TRUE))
  fsc:::new_result(content, list("function" = microprotocol, intercept = intercept))
}

printed <- function(x) paste(capture.output(print(x)), collapse = "\n")

test_that("results are named lists with a class", {
  x <- result("SecureSum", "{\"sum\":3.5}")
  expect_s3_class(x, "fsc_result")
  expect_equal(names(x), c("inputs", "result"))
  expect_equal(x$result$sum, 3.5)
  expect_match(printed(x), "SecureSum of 3 parties")
  expect_equal(format(x), "<fsc: SecureSum of 3 parties>")
  expect_error(as.table(x), "no table of counts")
  expect_error(coef(x), "has no coefficients")
  expect_equal(fsc:::new_result(5, list("function" = "SecureSum")), 5)
  expect_equal(fsc:::new_result(list(phase = "ended"), list("function" = "SecureSum")), list(phase = "ended"))
})

test_that("categories of all kinds stay apart", {
  numbers <- result("StatisticsFrequency", "{\"cells\":[[1,4.0],[2.5,null]],\"mode\":1,\"samples\":4.0,\"suppressed\":1}")
  expect_equal(as.data.frame(numbers), data.frame(category = c(1, 2.5), count = c(4, NA)))
  expect_match(printed(numbers), "1 counts are not shown")
  mixed <- result("StatisticsFrequency", "{\"cells\":[[true,2.0],[1,4.0],[\"a\",1.0],[\"b\",null]]}")
  expect_equal(as.data.frame(mixed), data.frame(category = c("TRUE", "1", "a", "b"), count = c(2, 4, 1, NA)))
  truths <- result("StatisticsFrequency", "{\"cells\":[[false,2.0],[true,null]]}")
  expect_equal(as.data.frame(truths), data.frame(category = c(FALSE, TRUE), count = c(2, NA)))
  hidden <- result("StatisticsFrequency", "{\"cells\":[[\"a\",null],[\"b\",null]]}")
  expect_equal(as.data.frame(hidden), data.frame(category = c("a", "b"), count = NA_real_))
  none <- result("StatisticsFrequency", "{\"cells\":[]}")
  expect_equal(nrow(as.data.frame(none)), 0)
})

test_that("contingency tables may be sparse, numeric or suppressed", {
  sparse <- result("StatisticsContingency", "{\"cells\":[[[\"a\",\"x\"],2.0],[[\"b\",\"y\"],null]]}")
  expect_equal(unclass(as.table(sparse)), array(c(2, 0, 0, NA), c(2, 2), list(row = c("a", "b"), column = c("x", "y"))))
  numeric <- result("StatisticsContingency", "{\"cells\":[[[1,3],2.0],[[1,4],1.0]]}")
  expect_equal(as.data.frame(numeric), data.frame(row = "1", column = c("3", "4"), count = c(2, 1)))
  mixed <- result("StatisticsContingency", "{\"cells\":[[[\"a\",3],2.0],[[\"a\",true],1.0]]}")
  expect_equal(as.data.frame(mixed)$column, c("3", "TRUE"))
})

test_that("regressions print as tables", {
  plain <- result("StatisticsRegressionOLSVertical", "{\"mle\":[[0.5],[2.0]]}", intercept = TRUE)
  expect_equal(coef(plain), c("(Intercept)" = 0.5, x1 = 2))
  expect_equal(as.data.frame(plain), data.frame(term = c("(Intercept)", "x1"), estimate = c(0.5, 2)))
  expect_match(printed(plain), "(Intercept)", fixed = TRUE)
  json <- "{\"mle\":[[0.5],[2.0]],\"standard_errors\":[0.1,0.0],\"t\":[5.0,null],\"p\":[0.001,null],\"samples\":9,\"degrees_of_freedom\":7,\"r_squared\":null,\"notes\":{\"r_squared\":[\"y is constant\"]}}"
  details <- result("StatisticsRegressionOLSVertical", json)
  expect_equal(as.data.frame(details)$p.value, c(0.001, NA))
  expect_match(printed(details), "Pr(>|t|)", fixed = TRUE)
  expect_match(printed(details), "r_squared: y is constant")
  few <- result("StatisticsRegressionOLSVertical", "{\"mle\":[[0.5]],\"standard_errors\":null,\"t\":null,\"p\":null,\"notes\":[\"few rows\"]}")
  expect_equal(as.data.frame(few)$std.error, NA_real_)
  expect_match(printed(few), "few rows")
})

test_that("statistics are a column, and say what is missing", {
  x <- result("StatisticsUnivariate", "{\"mean\":2.5,\"variance\":null,\"samples\":1,\"omitted\":1,\"notes\":{\"variance\":\"a single number\"}}")
  expect_equal(as.data.frame(x), data.frame(statistic = c("mean", "omitted", "samples", "variance"), value = c(2.5, 1, 1, NA)))
  expect_match(printed(x), "variance: a single number")
  y <- result("StatisticsBivariate", "{\"regression_interceipt\":1.0,\"regression_intercept\":1.0,\"regression_slope\":null}")
  expect_equal(as.data.frame(y)$statistic, c("regression_intercept", "regression_slope"))
  expect_equal(coef(y), c("(Intercept)" = 1, x = NA))
  m <- result("SecureMatrixMultiplication", "{\"product\":[[1.0,2.0],[3.0,4.0]]}")
  expect_equal(as.data.frame(m), data.frame(V1 = c(1, 3), V2 = c(2, 4)))
  expect_match(printed(m), "[1,]", fixed = TRUE)
})

test_that("sums by element are a column", {
  sums <- result("SecureSum", "{\"sum\":[1.0,2.5],\"omitted\":1}")
  expect_equal(as.data.frame(sums), data.frame(sum = c(1, 2.5)))
  expect_match(printed(sums), "1.0 2.5", fixed = TRUE)
  expect_equal(as.data.frame(result("SecureSum", "{\"sum\":[1.0,2.5],\"omitted\":[0,1]}")), data.frame(sum = c(1, 2.5), omitted = 0:1)[, 2:1])
  expect_error(as.data.frame(result("SecureSum", "{\"sum\":[[1.0],[2.5]],\"omitted\":[0,1]}")), "no single table")
})

test_that("counts are plotted", {
  pdf(NULL)
  on.exit(dev.off())
  bars <- result("StatisticsFrequency", "{\"cells\":[[\"a\",2.0],[\"b\",null]]}")
  expect_invisible(plot(bars, main = "Groups"))
  mosaic <- result("StatisticsContingency", "{\"cells\":[[[\"a\",\"x\"],2.0],[[\"a\",\"y\"],1.0],[[\"b\",\"x\"],null],[[\"b\",\"y\"],3.0]]}")
  expect_invisible(plot(mosaic))
  expect_invisible(plot(mosaic, main = "Outcomes", color = TRUE))
  expect_error(plot(result("SecureSum", "{\"sum\":1}")), "no table of counts")
})

test_that("categories that look the same are counted apart", {
  cells <- "{\"cells\":[[1,2.0],[\"1\",3.0],[true,4.0],[\"TRUE\",5.0],[0.3,6.0],[0.30000000000000004,7.0]]}"
  x <- result("StatisticsFrequency", cells)
  expect_equal(sum(as.table(x)), 27)
  labels <- c("1", "\"1\"", "TRUE", "\"TRUE\"", "0.29999999999999999", "0.30000000000000004")
  expect_equal(names(as.table(x)), labels)
  expect_equal(as.data.frame(x)$category, labels)
  numbers <- result("StatisticsFrequency", "{\"cells\":[[0.3,6.0],[0.30000000000000004,7.0]]}")
  expect_equal(c(as.table(numbers)), c("0.29999999999999999" = 6, "0.30000000000000004" = 7))
  expect_identical(as.data.frame(numbers)$category, c(0.3, 0.1 + 0.2))
  cells <- "{\"cells\":[[[1,\"x\"],1.0],[[\"1\",\"x\"],2.0],[[true,0.3],3.0],[[\"TRUE\",0.30000000000000004],4.0],[[1,0.3],5.0],[[\"\\\"1\\\"\",0.3],6.0]]}"
  y <- result("StatisticsContingency", cells)
  expect_equal(sum(as.table(y)), 21)
  expect_equal(dim(as.table(y)), c(5L, 3L))
  expect_equal(anyDuplicated(rownames(as.table(y))), 0)
  expect_equal(as.data.frame(y)$count, c(1, 2, 3, 4, 5, 6))
})

test_that("integers that R keeps as texts are not lost among texts", {
  x <- result("StatisticsFrequency", "{\"cells\":[[9007199254740993,2.0],[\"9007199254740993\",3.0]]}")
  expect_equal(c(as.table(x)), c("9007199254740993" = 2, "9007199254740993 #1" = 3))
  y <- result("StatisticsContingency", "{\"cells\":[[[9007199254740993,\"x\"],2.0],[[\"9007199254740993\",\"x\"],3.0]]}")
  expect_equal(sum(as.table(y)), 5)
})

test_that("computed tables keep such categories apart, too", {
  nodes <- local_nodes(2)
  x <- compute(nodes, "StatisticsFrequency", list(list(1, "1", 0.3), list(TRUE, "TRUE", 0.1 + 0.2, 1)))
  expect_equal(sum(as.table(x)), 7)
  expect_equal(max(as.table(x)), 2)
})

test_that("numbers that R can't hold keep their digits", {
  x <- result("SecureSum", "{\"sum\":9007199254740993,\"omitted\":1}")
  expect_equal(as.data.frame(x)$value[2], "9007199254740993")
  expect_equal(as.data.frame(x)$value[1], "1")
  expect_match(printed(x), "9007199254740993")
})

test_that("each statistic is printed on its own, and what is suppressed visibly so", {
  x <- result("StatisticsUnivariate", "{\"mean\":2.123456789,\"samples\":1200000,\"variance\":1e-9}")
  expect_match(printed(x), "1200000")
  expect_match(printed(x), "2.123 ")
  expect_match(printed(result("StatisticsFrequency", "{\"cells\":[[\"a\",2.0],[\"b\",null]]}")), "NA")
  y <- result("StatisticsContingency", "{\"cells\":[[[\"a\",\"x\"],2.0],[[\"a\",\"y\"],null]]}")
  expect_match(printed(y), "NA")
  expect_output(print(y, na.print = "<5"), "<5")
})

test_that("what print takes can be said", {
  json <- "{\"mle\":[[0.5],[2.0]],\"standard_errors\":[0.1,0.0],\"t\":[5.0,null],\"p\":[0.001,null],\"samples\":9,\"degrees_of_freedom\":7,\"r_squared\":0.5}"
  x <- result("StatisticsRegressionOLSVertical", json)
  expect_output(print(x), "Signif")
  expect_false(any(grepl("Signif", capture.output(print(x, signif.legend = FALSE)))))
  expect_output(print(x, na.print = "nothing"), "nothing")
})

test_that("where there is nothing to plot, that is said", {
  for (json in c("{\"cells\":[]}", "{\"cells\":[[\"a\",null]]}")) {
    expect_error(plot(result("StatisticsFrequency", json)), "nothing to plot", class = "fsc_error_invalid_argument")
  }
  none <- result("StatisticsContingency", "{\"cells\":[]}")
  expect_error(plot(none), "nothing to plot")
  expect_output(print(none), "no categories")
  expect_equal(nrow(as.data.frame(none)), 0)
})

test_that("tables with empty categories are plotted without them", {
  pdf(NULL)
  on.exit(dev.off())
  some <- result("StatisticsContingency", "{\"cells\":[[[\"a\",\"x\"],2.0],[[\"a\",\"y\"],2.0],[[\"b\",\"y\"],null],[[\"c\",\"z\"],null]]}")
  expect_invisible(plot(some))
  one <- result("StatisticsContingency", "{\"cells\":[[[\"a\",\"x\"],2.0],[[\"b\",\"x\"],null]]}")
  expect_error(plot(one), "in one cell", class = "fsc_error_invalid_argument")
  expect_output(print(result("SecureSum", "{\"sum\":[9007199254740993,2]}")), "[1] 9007199254740993 2", fixed = TRUE)
})
