test_that("errors are conditions that say all", {
  node <- local_nodes(1)[[1]]
  error <- error_of(fsc_connect(node)$create(protocol = "Garfunkel"))
  expect_s3_class(error, c("fsc_error_refused", "fsc_error", "error", "condition"), exact = TRUE)
  expect_equal(error$status, "refused")
  expect_equal(error$code, 404L)
  expect_identical(error$culprits, integer())
  expect_true(nzchar(conditionMessage(error)))
})

test_that("nobody there is an error of the first call", {
  api <- fsc_connect("http://127.0.0.1:1")
  error <- error_of(fsc_list(api))
  expect_s3_class(error, "fsc_error_unreachable")
  expect_true(is.na(error$code))
})

test_that("an address that is none is an error", {
  expect_error(fsc_connect("nonsense"), class = "fsc_error_invalid_argument")
  expect_error(fsc_connect(5), "url must be a single text")
  expect_error(fsc_list(5), "api must be")
})

test_that("parties at fault are named by their places", {
  nodes <- local_nodes(3, peers = list(joining_seconds = 1))
  network <- list(nodes = addresses(nodes), myself = 0, uuid = "nobody else comes")
  error <- error_of(simon(nodes[[1]])$compute(microprotocol = "SecureSum", data = 1, network = network))
  expect_s3_class(error, "fsc_error_refused")
  expect_identical(error$culprits, 1:2)
  expect_equal(error$code, 504L)
})

test_that("parties that disagree all learn it", {
  nodes <- local_nodes(2)
  tasks <- lapply(1:2, function(i) {
    network <- list(nodes = addresses(nodes), myself = i - 1, uuid = "we differ")
    simon(nodes[[i]])$compute(microprotocol = c("SecureSum", "SecureMedian")[i], data = 1, network = network, wait = FALSE)
  })
  for (task in tasks) expect_equal(error_of(result_of(task))$code, 409L)
})

test_that("what was released is no longer usable", {
  node <- local_nodes(1)[[1]]
  api <- fsc_connect(node)
  object <- fsc_upload(api, 1)
  fsc_release(object)
  fsc_release(object)
  expect_error(fsc_download(object), "this object was released", class = "fsc_error_invalid_handle")
  expect_match(format(object), "released")
  kept <- fsc_upload(api, 1)
  fsc_release(api)
  expect_error(fsc_list(api), "this client was released")
  expect_equal(fsc_download(kept), 1)
})

test_that("what another session has saved is no longer usable", {
  node <- local_nodes(1)[[1]]
  object <- unserialize(serialize(fsc_upload(fsc_connect(node), 1), NULL))
  expect_error(fsc_download(object), "another R session", class = "fsc_error_invalid_handle")
  expect_match(format(object), "released")
})

test_that("a call has the time that the option gives it", {
  nodes <- local_nodes(2)
  network <- list(nodes = addresses(nodes), myself = 0, uuid = "late")
  old <- options(fsc.timeout = 0.3)
  on.exit(options(old), add = TRUE, after = FALSE)
  expect_error(simon(nodes[[1]])$compute(microprotocol = "SecureSum", data = 1, network = network), class = "fsc_error_timed_out")
  options(fsc.timeout = "soon")
  expect_error(simon(nodes[[1]]), "fsc.timeout")
})

test_that("errors quote the user's call, not data", {
  node <- local_nodes(1)[[1]]
  call <- fsc:::shortened(quote(f(x, 1, data = list)))
  expect_equal(call, quote(f(x, 1, data = list)))
  call <- as.call(list(quote(f), c(1, 2, 3), 5))
  expect_equal(deparse(fsc:::shortened(call)), "f(..., 5)")
  error <- error_of(do.call(simon(node)$compute, list(data = 1:3)))
  expect_equal(deparse(fsc:::shortened(as.call(list(simon(node)$compute, 1:3, quote(x))))), "compute(..., x)")
  expect_lt(nchar(paste(format(conditionCall(error)), collapse = "")), 500)
})

test_that("a status that is newer than this is an internal error", {
  expect_error(fsc:::raise(99L, "news"), "news", class = "fsc_error_internal")
})
