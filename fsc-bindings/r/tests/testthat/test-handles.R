test_that("the garbage collector releases what R no longer has", {
  node <- local_nodes(1)[[1]]
  api <- fsc_connect(node)
  invisible(gc())
  before <- fsc:::handles()
  objects <- lapply(1:20, function(i) fsc_upload(api, i))
  expect_equal(fsc:::handles(), before + 20)
  rm(objects)
  invisible(gc())
  expect_equal(fsc:::handles(), before)
})

test_that("a node lives as long as its connections", {
  api <- fsc_connect(fsc_node())
  object <- fsc_upload(api, 5)
  rm(api)
  invisible(gc())
  Sys.sleep(0.2)
  expect_equal(fsc_download(object), 5)
})

test_that("errors in the middle leave no handles", {
  node <- local_nodes(1)[[1]]
  api <- fsc_connect(node)
  invisible(gc())
  before <- fsc:::handles()
  for (i in 1:20) {
    try(fsc_upload(api, list(1:3, "a", list(b = c(1, NaN)))), silent = TRUE)
    try(fsc_upload(api, list(1:3, sum)), silent = TRUE)
    try(fsc_upload(api, list(a = 1, a = 2)), silent = TRUE)
    try(api$create(protocol = "none"), silent = TRUE)
    try(fsc_connect("nonsense"), silent = TRUE)
  }
  invisible(gc())
  expect_equal(fsc:::handles(), before)
})

test_that("memory stays flat over many calls", {
  skip_if_not(file.exists("/proc/self/status"))
  node <- local_nodes(1)[[1]]
  api <- fsc_connect(node)
  storage <- api$create(microservice = "KeyValueStorage")$create(storage = "s")
  storage$store(key = "a", value = runif(10))
  cycle <- function(count) for (i in seq_len(count)) {
    object <- storage$retrieve(key = "a")
    fsc_release(object)
  }
  cycle(2000)
  invisible(gc())
  before <- resident_kb()
  held <- fsc:::handles()
  cycle(10000)
  invisible(gc())
  expect_lte(fsc:::handles(), held)
  expect_lt(resident_kb() - before, 4096)
})

test_that("a forked process is refused, and harms nobody", {
  skip_if_not_installed("parallel")
  node <- local_nodes(1)[[1]]
  api <- fsc_connect(node)
  job <- parallel::mcparallel({
    class <- tryCatch(fsc_list(api), error = function(error) class(error)[1])
    upload <- tryCatch(fsc_upload(api, 1:3), error = function(error) error$status)
    rm(api)
    gc()
    c(class, upload)
  })
  expect_equal(parallel::mccollect(job)[[1]], c("fsc_error_forked", "forked"))
  expect_equal(fsc_download(fsc_upload(api, 5)), 5)
})

test_that("the package can be unloaded and loaded again, with objects about", {
  lines <- background(output = TRUE, c(
    "node <- fsc_node(); object <- fsc_upload(fsc_connect(node), 1)",
    sprintf("where <- %s", deparse(dirname(getNamespaceInfo("fsc", "path")))),
    "unloadNamespace('fsc')",
    "invisible(gc())",
    "library(fsc, lib.loc = where)",
    "error <- tryCatch(fsc_download(object), error = function(error) class(error)[1])",
    "rm(object, node); invisible(gc())",
    "cat(error, fsc_download(fsc_upload(fsc_connect(fsc_node()), 'works')), '\\n')"
  ))
  expect_match(lines[length(lines)], "fsc_error_invalid_handle works")
})
