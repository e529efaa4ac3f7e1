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
  expect_true(is.list(api$report()))
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
  expect_error(api$attribute("object-1", "x"), "no representation_uuid", class = "fsc_error_invalid_handle")
  api$release(uploaded$representation_uuid)
  expect_error(api$download(uploaded), class = "fsc_error_invalid_handle")
  expect_output(print(uploaded), "released")
})
