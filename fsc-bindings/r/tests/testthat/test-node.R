test_that("a node is reached by name, by address and itself", {
  node <- fsc_node("reachable", listen = "127.0.0.1:0")
  on.exit(fsc_stop(node))
  expect_equal(node$addresses[2], "local:reachable")
  expect_match(node$addresses[1], "^http://127.0.0.1:[0-9]+$")
  expect_null(node$id)
  for (api in list(fsc_connect(node), fsc_connect("local:reachable"), fsc_connect(node$addresses[1]))) {
    listed <- format(fsc_list(api))
    expect_true(any(grepl("protocol: Simon", listed)))
  }
  expect_match(format(node), "node at http")
  expect_output(print(node), "local:reachable")
  expect_output(print(fsc_connect(node)), "connection to local:reachable")
  expect_output(print(simon(node)), "<fsc: Simon, at local:reachable>", fixed = TRUE)
  expect_output(print(simon(node)$compute), "method compute of Simon")
})

test_that("a stopped node says so", {
  node <- fsc_node("stopped")
  api <- fsc_connect(node)
  object <- api$create(protocol = "Simon")
  fsc_stop(node)
  fsc_stop(node)
  expect_match(format(node), "stopped")
  expect_error(fsc_list(api), class = "fsc_error")
  expect_error(fsc_connect(node), "this node was released")
  fsc_stop(fsc_node("stopped")) # the name is free again
})

test_that("two nodes of one name are an error", {
  node <- fsc_node("twin")
  on.exit(fsc_stop(node))
  expect_error(fsc_node("twin"), class = "fsc_error")
})

test_that("the configuration has R's ways of writing lists", {
  json <- fsc:::config_json
  expect_equal(json(list()), "{}")
  expect_equal(json(list(policy = list(functions = "SecureSum", minimum_parties = 3))), "{\"policy\":{\"functions\":[\"SecureSum\"],\"minimum_parties\":3}}")
  expect_equal(json(list(clients = list(name = "a", token = "t"))), "{\"clients\":[{\"name\":\"a\",\"token\":\"t\"}]}")
  expect_equal(json(list(clients = data.frame(name = c("a", "b"), token = c("t", "u")))), "{\"clients\":[{\"name\":\"a\",\"token\":\"t\"},{\"name\":\"b\",\"token\":\"u\"}]}")
  expect_equal(json(list(cors = list(origins = "x"))), "{\"cors\":{\"origins\":[\"x\"]}}")
})

test_that("policies hold", {
  nodes <- local_nodes(2, policy = list(functions = "SecureSum", minimum_parties = 3))
  expect_equal(error_of(compute(nodes, "SecureSum", 1:2))$code, 403L)
  three <- local_nodes(3, config = list(policy = list(functions = c("SecureSum", "SecureMedian"), minimum_parties = 3)))
  expect_equal(compute(three, "SecureSum", 1:3)$result$sum, 6)
  expect_equal(error_of(compute(three, "MinimumMaximum", 1:3))$code, 403L)
})

test_that("tokens are asked for", {
  node <- local_nodes(1, listen = "127.0.0.1:0", clients = list(name = "alice", token = "sixteen random characters"))[[1]]
  expect_equal(error_of(fsc_list(fsc_connect(node$addresses[1])))$code, 401L)
  expect_true(length(fsc_list(fsc_connect(node$addresses[1], token = "sixteen random characters"))) > 0)
  expect_error(fsc_connect(node, token = "x"), "give principal")
  expect_error(fsc_connect(node$addresses[1], principal = "x"), "token")
  expect_true(length(fsc_list(fsc_connect(node, principal = "alice"))) > 0)
})

test_that("configurations may be files", {
  folder <- tempfile()
  dir.create(folder)
  path <- file.path(folder, "node.toml")
  writeLines(c("[policy]", "minimum_parties = 3"), path)
  before <- getwd()
  node <- fsc_node(config = path)
  on.exit(fsc_stop(node))
  expect_equal(getwd(), before)
  expect_error(fsc_node(config = path, listen = "127.0.0.1:0"), "can't be added to the file")
  expect_error(fsc_node(config = file.path(folder, "none")), "there is no configuration")
})

test_that("wrong configurations say what is wrong", {
  expect_error(fsc_node(listne = "127.0.0.1:0"), "listne", class = "fsc_error")
  expect_error(fsc_node(config = list("127.0.0.1:0")), "have names")
  expect_error(fsc_node(config = 5), "must be a list")
})

test_that("connections have what they have", {
  node <- local_nodes(1)[[1]]
  api <- fsc_connect(node)
  expect_error(api$compute, "has no compute")
  expect_error(api$create("Simon"), "named arguments")
  expect_equal(fsc_download(api$upload(5)), 5)
  expect_equal(api$download(api$upload(5)), 5)
  expect_null(api$release(api$upload(5)))
  expect_true("create" %in% utils:::.DollarNames(api, ""))
  expect_s3_class(api$list(), "fsc_descriptions")
})

test_that("calls that answer nothing give NULL, invisibly", {
  node <- local_nodes(1)[[1]]
  storage <- fsc_connect(node)$create(microservice = "KeyValueStorage")$create(storage = "s")
  expect_invisible(storage$store(key = "a", value = 1:3))
  expect_null(storage$store("b", 2))
  expect_equal(fsc_download(storage$retrieve("a")), 1:3)
  method <- fsc_attribute(storage, "retrieve")
  expect_equal(fsc_download(fsc_call(method, key = "b")), 2)
})

test_that("a node that could not start leaves its name", {
  first <- fsc_node(listen = "127.0.0.1:0")
  on.exit(fsc_stop(first))
  taken <- sub("http://", "", first$addresses[1], fixed = TRUE)
  name <- paste0("retry-", Sys.getpid())
  expect_error(fsc_node(name, listen = taken), class = "fsc_error")
  second <- fsc_node(name, listen = "127.0.0.1:0")
  fsc_stop(second)
  expect_error(fsc_node(policy = "x"), class = "fsc_error")
  expect_error(fsc_node(cors = "x"), class = "fsc_error")
})

test_that("a node that was stopped can't be reached", {
  api <- fsc_connect(node <- fsc_node())
  named <- fsc_connect(node$addresses[1])
  fsc_stop(node)
  expect_error(named$list(), class = "fsc_error_unreachable")
})
