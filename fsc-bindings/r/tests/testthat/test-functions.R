# All ten functions, against base R on the pooled data.

test_that("SecureSum is sum", {
  nodes <- local_nodes(3)
  data <- list(c(1.25, 2), 3.5, numeric())
  expect_equal(compute(nodes, "SecureSum", data)$result$sum, sum(unlist(data)))
  tables <- lapply(1:3, function(i) matrix(i * 1:6, 2))
  expect_equal(compute(nodes, "SecureSum", tables, list(elementwise = TRUE))$result$sum, Reduce(`+`, tables))
  expect_identical(compute(nodes, "SecureSum", list(c(1, 2), 3, 4), list(type = "int64"))$result$sum, 10L)
  expect_error(compute(nodes, "SecureSum", list(c(1, NA), 2, 3)), class = "fsc_error_refused")
  omitted <- compute(nodes, "SecureSum", list(c(1, NA), NA, 3), list(missing = "omit"))
  expect_equal(omitted$result$sum, 4)
  expect_equal(omitted$result$omitted, 2)
})

test_that("MinimumMaximum is range", {
  nodes <- local_nodes(3)
  data <- list(c(13.2, 9.8, 15.1), 12.4, c(14.9, 16.3))
  result <- compute(nodes, "MinimumMaximum", data)$result
  expect_identical(c(result$minimum, result$maximum), range(unlist(data)))
  expect_equal(result$samples, 6)
})

test_that("KthElement is sort", {
  nodes <- local_nodes(3)
  arrays <- list(c(12, 3, 44, 9), c(30, 7, 7), c(21, 90))
  for (rank in c(1, 5)) {
    data <- lapply(arrays, function(array) list(array = array, rank = rank, lower_bound = 0, upper_bound = 365))
    expect_equal(compute(nodes, "KthElement", data, list(type = "int64"))$result$item, sort(unlist(arrays))[rank])
  }
})

test_that("SecureMedian is median", {
  nodes <- local_nodes(3)
  data <- list(c(34.5, 51, 47), 62, c(45, 59, 41, 70))
  result <- compute(nodes, "SecureMedian", data)$result
  expect_equal(result$median, median(unlist(data)))
  expect_equal(result$lower, quantile(unlist(data), 0.5, type = 1, names = FALSE))
})

test_that("StatisticsUnivariate is mean, sd and the rest", {
  nodes <- local_nodes(3)
  data <- list(c(2, 5, 3.5), c(8, 1), c(4, 4.5, 12))
  x <- unlist(data)
  n <- length(x)
  result <- compute(nodes, "StatisticsUnivariate", data)$result
  expect_equal(result$mean, mean(x))
  expect_equal(result$standard_deviation, sd(x))
  expect_equal(result$variance, var(x))
  expect_equal(result$variance_mle, var(x) * (n - 1) / n)
  expect_equal(result$standard_error_of_sample_mean, sd(x) / sqrt(n))
  expect_equal(result$geometric_mean, exp(mean(log(x))))
  expect_equal(result$harmonic_mean, 1 / mean(1 / x))
  expect_equal(result$root_mean_square, sqrt(mean(x^2)))
  m <- function(k) mean((x - mean(x))^k)
  expect_equal(result$skewness, m(3) / m(2)^1.5)
  expect_equal(result$kurtosis, m(4) / m(2)^2)
  expect_equal(c(result$samples, result$sum, result$minimum, result$maximum), c(n, sum(x), min(x), max(x)))
})

test_that("StatisticsBivariate is cov, cor and lm", {
  nodes <- local_nodes(3)
  data <- list(cbind(c(34, 51), c(118, 131)), cbind(c(62, 47), c(142, 125)), cbind(c(45, 70, 29), c(128, 139, 115)))
  pooled <- do.call(rbind, data)
  answer <- compute(nodes, "StatisticsBivariate", data)
  result <- answer$result
  expect_equal(result$covariance, cov(pooled)[1, 2])
  expect_equal(result$correlation_coefficient, cor(pooled)[1, 2])
  expect_equal(unname(coef(answer)), unname(coef(lm(pooled[, 2] ~ pooled[, 1]))))
  expect_equal(result$regression_slope_only, unname(coef(lm(pooled[, 2] ~ 0 + pooled[, 1]))))
})

test_that("StatisticsFrequency is table", {
  nodes <- local_nodes(3)
  data <- list(c("A", "0", "A", "B", "0"), factor(c("0", "AB", "A")), c("A", "0", "B", "A"))
  pooled <- unlist(lapply(data, as.character))
  answer <- compute(nodes, "StatisticsFrequency", data)
  expect_equal(as.vector(as.table(answer)), as.vector(table(pooled)))
  expect_equal(names(as.table(answer)), names(table(pooled)))
  expect_equal(answer$result$mode, names(which.max(table(pooled))))
  suppressed <- compute(nodes, "StatisticsFrequency", data, list(categories = c("0", "A", "B", "AB"), minimum_count = 3))
  expect_equal(c(as.table(suppressed)), c("0" = 4, A = 5, AB = NA, B = NA))
})

test_that("StatisticsContingency is table of two", {
  nodes <- local_nodes(3)
  data <- list(
    cbind(c("surgery", "drug", "surgery"), c("recovered", "recovered", "relapse")),
    cbind(c("drug", "drug"), c("recovered", "relapse")),
    cbind(c("surgery", "none", "surgery"), c("recovered", "relapse", "recovered"))
  )
  pooled <- do.call(rbind, data)
  expected <- table(row = pooled[, 1], column = pooled[, 2])
  answer <- compute(nodes, "StatisticsContingency", data)
  expect_equal(as.table(answer), expected, ignore_attr = "class")
  expect_equal(dimnames(as.table(answer)), dimnames(expected))
})

test_that("SecureMatrixMultiplication is %*%", {
  nodes <- local_nodes(3)
  x <- rbind(c(0.5, 2, -1), c(1, 0, 0.25))
  y <- cbind(c(12, 3.5, 8), c(7, 4, 16))
  expect_equal(compute(nodes, "SecureMatrixMultiplication", list(list(x), list(y), NULL))$result$product, x %*% y)
})

test_that("StatisticsRegressionOLSVertical is lm", {
  nodes <- local_nodes(3)
  age <- c(34, 51, 47, 62, 38, 45, 59, 41, 70, 29)
  dose <- c(2, 1.5, 3, 2.5, 1, 2, 3.5, 1.5, 2, 3)
  outcome <- c(7.1, 8.9, 11, 12.1, 5.6, 8.4, 13.9, 6.7, 12.4, 8.6)
  data <- list(list(cbind(age)), list(cbind(dose)), list(outcome))
  expected <- summary(lm(outcome ~ age + dose))
  answer <- compute(nodes, "StatisticsRegressionOLSVertical", data, list(intercept = TRUE, details = TRUE))
  expect_equal(unname(coef(answer)), unname(expected$coefficients[, 1]), tolerance = 1e-6)
  frame <- as.data.frame(answer)
  expect_equal(unname(as.matrix(frame[, -1])), unname(expected$coefficients), tolerance = 1e-6)
  expect_equal(answer$result$r_squared, expected$r.squared, tolerance = 1e-6)
})

test_that("data frames of pairs go row by row, with each column's type", {
  nodes <- local_nodes(2)
  tables <- list(
    data.frame(group = factor(c("b", "a", "b"), levels = c("z", "b", "a")), dose = c(1.5, 2, NA)),
    data.frame(group = factor("a"), dose = 2)
  )
  answer <- compute(nodes, "StatisticsContingency", tables, list(missing = "omit"))
  expect_equal(c(as.table(answer)["a", "2"], as.table(answer)["b", "1.5"], sum(as.table(answer))), c(2, 1, 3))
  pairs <- list(data.frame(x = c(1, 2, 4), y = c(2L, 3L, 5L)), data.frame(x = c(3.5, 0), y = c(1, 1)))
  pooled <- do.call(rbind, pairs)
  expect_equal(compute(nodes, "StatisticsBivariate", pairs)$result$covariance, cov(pooled)[1, 2])
  expect_error(start(nodes, "StatisticsBivariate", list(data.frame(x = 1, y = "a"), NULL)), "data$y must be numbers", fixed = TRUE)
  expect_error(start(nodes, "StatisticsContingency", list(data.frame(x = 1:2), NULL)), "takes pairs")
  expect_error(start(nodes, "StatisticsContingency", list(data.frame(x = 1, y = Sys.Date()), NULL)), "is a date")
})

test_that("data frames are matrices and columns where those are meant", {
  nodes <- local_nodes(2)
  x <- data.frame(a = c(0.5, 1), b = c(2, 0))
  y <- cbind(c(12, 3.5), c(7, 4))
  expect_equal(compute(nodes, "SecureMatrixMultiplication", list(list(x), list(y)))$result$product, unname(as.matrix(x)) %*% y)
  expect_equal(compute(nodes, "SecureMatrixMultiplication", list(x, list(y)))$result$product, unname(as.matrix(x)) %*% y)
  age <- c(34, 51, 47, 62, 38, 45, 59, 41)
  outcome <- c(7.1, 8.9, 11, 12.1, 5.6, 8.4, 13.9, 6.7)
  answer <- compute(nodes, "StatisticsRegressionOLSVertical", list(list(data.frame(age)), list(outcome)), list(intercept = TRUE))
  expect_equal(unname(coef(answer)), unname(coef(lm(outcome ~ age))), tolerance = 1e-6)
  expect_equal(compute(nodes, "StatisticsUnivariate", list(data.frame(age), data.frame(age = 5)))$result$mean, mean(c(age, 5)))
  expect_equal(compute(nodes, "SecureMedian", list(data.frame(age), 5))$result$median, median(c(age, 5)))
  expect_error(start(nodes, "StatisticsUnivariate", list(x, NULL)), "takes one column")
})

test_that("arguments may be given by position", {
  nodes <- local_nodes(2)
  tasks <- lapply(1:2, function(i) {
    network <- list(nodes = addresses(nodes), myself = i - 1, uuid = "by position")
    simon(nodes[[i]])$compute("StatisticsContingency", data.frame(c("a", "b"), c(i, 2)), network, list(), FALSE)
  })
  result <- result_of(tasks[[1]])
  expect_s3_class(result, "fsc_result")
  expect_equal(sum(as.table(result)), 4)
})

test_that("parameters may be empty, and NULL is none", {
  nodes <- local_nodes(2)
  expect_equal(compute(nodes, "SecureSum", list(1, 2), list())$result$sum, 3)
  expect_equal(compute(nodes, "SecureSum", list(1, 2), list(missing = NULL))$result$sum, 3)
  expect_identical(compute(nodes, "SecureSum", list(1, 2), list(missing = NULL, type = "int64"))$result$sum, 3L)
})
