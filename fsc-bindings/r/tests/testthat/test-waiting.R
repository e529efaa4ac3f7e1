# Sends this process what Ctrl-C does, after a while.
interrupt_in <- function(seconds) {
  system2("sh", c("-c", shQuote(sprintf("sleep %s; kill -INT %d", seconds, Sys.getpid()))), wait = FALSE)
}

outcome_of <- function(expr) tryCatch({
  expr
  "ended"
}, interrupt = function(interrupt) "interrupted")

test_that("an interrupt ends the computation at all parties, and R goes on", {
  for (progress in c(FALSE, TRUE)) {
    old <- options(fsc.progress = progress)
    nodes <- local_nodes(3)
    network <- list(nodes = addresses(nodes), uuid = "the third party never comes")
    other <- simon(nodes[[2]])$compute(microprotocol = "SecureSum", data = 1, network = c(network, myself = 1), wait = FALSE)
    expect_null(other$result())
    interrupt_in(1)
    start <- proc.time()[["elapsed"]]
    capture.output(type = "message", {
      outcome <- outcome_of(simon(nodes[[1]])$compute(microprotocol = "SecureSum", data = 1, network = c(network, myself = 0)))
    })
    options(old)
    expect_equal(outcome, "interrupted")
    expect_lt(proc.time()[["elapsed"]] - start, 10)
    error <- error_of(result_of(other, 10))
    expect_identical(error$culprits, 0L)
    expect_equal(compute(nodes, "SecureSum", 1:3)$result$sum, 6)
  }
})

test_that("an interrupt ends a call to a node that does not answer", {
  # A server that takes connections and says nothing.
  server <- NULL
  for (port in sample(20000:30000, 20)) {
    server <- tryCatch(suppressWarnings(serverSocket(port)), error = function(error) NULL)
    if (!is.null(server)) break
  }
  skip_if(is.null(server))
  on.exit(close(server), add = TRUE)
  interrupt_in(0.5)
  expect_equal(outcome_of(fsc_list(fsc_connect(paste0("http://127.0.0.1:", port)))), "interrupted")
  interrupt_in(0.5)
  expect_equal(outcome_of(fsc_connect(paste0("http://127.0.0.1:", port))$create(protocol = "Simon")), "interrupted")
})

test_that("interrupts leave nothing behind", {
  nodes <- local_nodes(2)
  invisible(gc())
  before <- fsc:::handles()
  network <- list(nodes = addresses(nodes), uuid = "nobody", myself = 0)
  interrupt_in(0.5)
  expect_equal(outcome_of(simon(nodes[[1]])$compute(microprotocol = "SecureSum", data = runif(10), network = network)), "interrupted")
  invisible(gc())
  expect_equal(fsc:::handles(), before)
})

test_that("long computations show how far they are, if asked to", {
  nodes <- local_nodes(2, listen = "127.0.0.1:0")
  urls <- vapply(nodes, function(node) node$addresses[1], "")
  network <- list(nodes = urls, myself = 0, uuid = "slow")
  begun <- tempfile()
  background(c(
    sprintf("while (!file.exists('%s')) Sys.sleep(0.05)", begun),
    "Sys.sleep(2)",
    sprintf("network <- list(nodes = %s, myself = 1, uuid = 'slow')", deparse(urls)),
    sprintf("fsc_connect('%s')$create(protocol = 'Simon')$compute(microprotocol = 'SecureSum', data = 2, network = network)", urls[2])
  ))
  old <- options(fsc.progress = TRUE)
  on.exit(options(old), add = TRUE, after = FALSE)
  file.create(begun)
  shown <- capture.output(type = "message", {
    result <- simon(nodes[[1]])$compute(microprotocol = "SecureSum", data = 1, network = network)
  })
  expect_match(paste(shown, collapse = ""), "100%")
  expect_s3_class(fsc_download(result), "fsc_result")
  expect_equal(fsc_download(result)$result$sum, 3)
})

test_that("short computations show nothing", {
  nodes <- local_nodes(2)
  old <- options(fsc.progress = TRUE)
  on.exit(options(old), add = TRUE, after = FALSE)
  network <- list(nodes = addresses(nodes), uuid = "quick")
  other <- simon(nodes[[2]])$compute(microprotocol = "SecureSum", data = 1, network = c(network, myself = 1), wait = FALSE)
  shown <- capture.output(type = "message", {
    result <- simon(nodes[[1]])$compute(microprotocol = "SecureSum", data = 1, network = c(network, myself = 0))
  })
  expect_identical(shown, character())
  expect_equal(fsc_download(result)$result$sum, 2)
})

test_that("what is refused is refused with a bar, too", {
  nodes <- local_nodes(2, peers = list(joining_seconds = 1))
  old <- options(fsc.progress = TRUE)
  on.exit(options(old), add = TRUE, after = FALSE)
  network <- list(nodes = addresses(nodes), myself = 0, uuid = "alone")
  capture.output(type = "message", {
    error <- error_of(simon(nodes[[1]])$compute(microprotocol = "SecureSum", data = 1, network = network))
    unknown <- error_of(simon(nodes[[1]])$compute(microprotocol = "Nonsense", data = 1, network = network))
  })
  expect_identical(error$culprits, 1L)
  expect_s3_class(unknown, "fsc_error_refused")
})

test_that("a time limit of R's is what it is, and cancels the computation", {
  nodes <- local_nodes(2)
  mine <- simon(nodes[[1]])
  invisible(gc())
  before <- fsc:::handles()
  error <- NULL
  outputs <- capture.output(type = "message", {
    error <- tryCatch({
      setTimeLimit(elapsed = 0.5, transient = TRUE)
      # The other party never comes.
      mine$compute(microprotocol = "SecureSum", data = 1, network = list(nodes = addresses(nodes), uuid = "limit", myself = 0))
    }, error = identity, interrupt = identity)
  })
  setTimeLimit()
  expect_s3_class(error, "simpleError")
  expect_match(conditionMessage(error), "time limit")
  expect_identical(outputs, character())
  invisible(gc())
  expect_equal(fsc:::handles(), before)
})

test_that("no limit is a limit, too", {
  node <- local_nodes(1)[[1]]
  old <- options(fsc.timeout = Inf)
  on.exit(options(old), add = TRUE, after = FALSE)
  expect_true(length(fsc_list(fsc_connect(node))) > 0)
})

test_that("with a bar, what has not ended within the time limit is cancelled", {
  nodes <- local_nodes(3)
  old <- options(fsc.progress = TRUE, fsc.timeout = 1)
  on.exit(options(old), add = TRUE, after = FALSE)
  network <- list(nodes = addresses(nodes), uuid = "patience")
  second <- simon(nodes[[2]])$compute(microprotocol = "SecureSum", data = 1, network = c(network, myself = 1), wait = FALSE)
  capture.output(type = "message", {
    error <- error_of(simon(nodes[[1]])$compute(microprotocol = "SecureSum", data = 1, network = c(network, myself = 0)))
  })
  expect_s3_class(error, "fsc_error_timed_out")
  options(fsc.timeout = 60)
  expect_s3_class(error_of(result_of(second, 10)), "fsc_error_refused")
})

test_that("a bar is shown with arguments by position, too", {
  nodes <- local_nodes(2, peers = list(joining_seconds = 3))
  old <- options(fsc.progress = TRUE)
  on.exit(options(old), add = TRUE, after = FALSE)
  network <- list(nodes = addresses(nodes), myself = 0, uuid = "alone")
  shown <- capture.output(type = "message", {
    error <- error_of(simon(nodes[[1]])$compute("SecureSum", 1, network, NULL, NULL))
  })
  expect_identical(error$culprits, 1L)
  expect_match(paste(shown, collapse = ""), "0%")
  other <- simon(nodes[[2]])$compute("SecureSum", 1, list(nodes = addresses(nodes), uuid = "both", myself = 1), wait = FALSE)
  result <- simon(nodes[[1]])$compute("SecureSum", 1, list(nodes = addresses(nodes), uuid = "both", myself = 0))
  expect_s3_class(fsc_download(result), "fsc_result")
})
