# Scripts for the reference's R client, as they are.

test_that("three published scripts compute a sum, at the same time", {
  nodes <- local_nodes(3, listen = "127.0.0.1:0")
  urls <- vapply(nodes, function(node) node$addresses[1], "")
  outputs <- replicate(3, tempfile())
  secrets <- c(42, 43, 44)
  for (i in 1:3) {
    background(c(
      sprintf("URL_ALICE <- '%s'; URL_BOB <- '%s'; URL_CHARLIE <- '%s'", urls[1], urls[2], urls[3]),
      sprintf("URL <- '%s'; sink('%s')", urls[i], outputs[i]),
      'NODES <- c(URL_ALICE, URL_BOB, URL_CHARLIE)',
      'TOKEN <- "387a7282-c380-44c9-aede-08da7e931931"',
      sprintf('SECRET <- %.1f', secrets[i]),
      sprintf('NETWORK <- list(nodes=NODES, uuid=TOKEN, myself=%d)', i - 1),
      'api <- Api(URL)',
      'microservice <- api$create(kwargs=list(protocol="Simon"))',
      'compute <- microservice$attribute("compute")',
      'result <- compute$call(list(), list(microprotocol="SecureSum", data=SECRET, network=NETWORK))',
      'answer <- api$download(result)',
      'stopifnot(is.list(answer$result), identical(answer$result$sum, 129), identical(answer$inputs, 3L))',
      'api$release(result$representation_uuid)',
      'print(answer)',
      'sink()',
      sprintf("file.create('%s.done')", outputs[i])
    ))
  }
  wait_for(function() all(file.exists(paste0(outputs, ".done"))))
  for (output in outputs) expect_true(any(grepl("129", readLines(output))))
})

test_that("all methods of the reference are there", {
  node <- local_nodes(1, listen = "127.0.0.1:0")[[1]]
  api <- Api(node$addresses[1])
  expect_output(print(api), "connection to http")
  report <- api$report()
  expect_equal(names(report), c("list", "type"))
  expect_equal(report$type, "list")
  expect_true("Simon" %in% lapply(report$list, `[[`, "protocol"))
  service <- api$create(kwargs = list(microservice = "KeyValueStorage"))
  expect_output(print(service), "<fsc: object")
  create <- service$attribute("create")
  storage <- create$call(list(storage = "s"))
  storage <- api$call(create$representation_uuid, list(), list(storage = "s"))
  store <- api$attribute(storage$representation_uuid, "store")
  expect_null(store$call(list(key = "row", value = list(list(1, 2.5), "a", NULL))))
  expect_null(store$call(list("one", 5)))
  retrieve <- storage$attribute("retrieve")
  expect_identical(api$download(retrieve$call(list(key = "row"))), list(list(1L, 2.5), "a", NULL))
  expect_identical(api$download(retrieve$call(NULL, list(key = "one"))), 5L)
  expect_error(retrieve$call(), class = "fsc_error_refused")
  uploaded <- api$upload(list(c(1.5, 2.5)))
  expect_identical(api$download(uploaded), list(1.5, 2.5))
  expect_error(api$upload(list(1, 2)), "one value")
  expect_identical(uploaded$api, api)
  store$call(list("by object", uploaded))
  store$call(list("by uuid", list(representation_uuid = uploaded$representation_uuid)))
  expect_match(paste0(uploaded$representation_uuid), "^object-[0-9]+$")
  expect_output(print(uploaded$representation_uuid), "object-")
  expect_identical(api$download(retrieve$call(list("by uuid"))), list(1.5, 2.5))
  expect_error(api$attribute("object-0", "x"), "no representation_uuid", class = "fsc_error_invalid_handle")
  expect_error(api$attribute("", "x"), "no representation_uuid", class = "fsc_error_invalid_handle")
  api$release(uploaded$representation_uuid)
  expect_error(api$download(uploaded), class = "fsc_error_invalid_handle")
  expect_output(print(uploaded), "released")
})

test_that("a connection can be made in all ways that the reference has", {
  node <- local_nodes(1, listen = "127.0.0.1:0")[[1]]
  for (api in list(Api(root = node$addresses[1]), Api$new(node$addresses[1]), Api$new(root = node$addresses[1]), Api(url = node$addresses[1]))) {
    expect_equal(api$report()$type, "list")
  }
  expect_error(Api$old, "has new", class = "fsc_error_invalid_argument")
  expect_output(print(Api), "Api(root)", fixed = TRUE)
  expect_equal(utils::.DollarNames(api$create(kwargs = list(protocol = "Simon")), "^c"), "call")
})

test_that("a representation_uuid is good as plain text, as long as something keeps the object", {
  node <- local_nodes(1, listen = "127.0.0.1:0")[[1]]
  api <- Api(node$addresses[1])
  invisible(gc())
  before <- c(fsc:::handles(), length(fsc:::known$handles))
  kept <- list(api$upload(list(1)), api$upload(list(2)))
  uuids <- unlist(lapply(kept, `[[`, "representation_uuid"))
  expect_null(attributes(uuids))
  contents <- NULL
  for (uuid in uuids) contents <- c(contents, api$download(uuid))
  expect_equal(contents, 1:2)
  storage <- api$create(kwargs = list(microservice = "KeyValueStorage"))$attribute("create")$call(list(storage = "s"))
  storage$attribute("store")$call(list("by text", list(representation_uuid = uuids[2])))
  expect_identical(api$download(storage$attribute("retrieve")$call(list("by text"))), 2L)
  rm(kept, storage)
  invisible(gc())
  invisible(gc())
  expect_error(api$download(uuids[1]), class = "fsc_error_invalid_handle")
  expect_equal(c(fsc:::handles(), length(fsc:::known$handles)), before)
})

test_that("what no number of R holds is a double, as JSON parsers have it", {
  expect_identical(.Call(fsc:::rfsc_from_json, "[9007199254740993,170141183460469231731687303715884105727]", FALSE), list(2^53, 2^127))
})
