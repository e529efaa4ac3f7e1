json <- function(x) .Call(rfsc_to_json, x, "x")
parse <- function(text, simplify = TRUE) .Call(rfsc_from_json, text, simplify)
there_and_back <- function(x) parse(json(x))

test_that("scalars are scalars, vectors are lists", {
  expect_equal(json(5.5), "5.5")
  expect_equal(json(5L), "5")
  expect_equal(json("a"), "\"a\"")
  expect_equal(json(TRUE), "true")
  expect_equal(json(NULL), "null")
  expect_equal(json(I(5.5)), "[5.5]")
  expect_equal(json(I("a")), "[\"a\"]")
  expect_equal(json(I(TRUE)), "[true]")
  expect_equal(json(c(1.5, 2)), "[1.5,2.0]")
  expect_equal(json(1:3), "[1,2,3]")
  expect_equal(json(c("a", "b")), "[\"a\",\"b\"]")
  expect_equal(json(c(TRUE, FALSE)), "[true,false]")
  expect_equal(json(array(5, 1)), "[5]")
  expect_equal(json(numeric()), "[]")
  expect_equal(json(integer()), "[]")
  expect_equal(json(character()), "[]")
  expect_equal(json(logical()), "[]")
})

test_that("whole numbers go as integers, as R's users write them", {
  expect_equal(json(0), "0")
  expect_equal(json(c(1, 2)), "[1,2]")
  expect_equal(json(c(1, NA, 2)), "[1,null,2]")
  expect_equal(json(2^53), "9007199254740992")
  expect_equal(json(-2^53), "-9007199254740992")
  expect_equal(parse(json(2^60)), 2^60)
  expect_match(json(-0), "-0")
  expect_equal(parse(json(1e300)), 1e300)
})

test_that("NA is null, never a number", {
  expect_equal(json(NA_real_), "null")
  expect_equal(json(NA_integer_), "null")
  expect_equal(json(NA_character_), "null")
  expect_equal(json(NA), "null")
  expect_equal(json(c(1.5, NA)), "[1.5,null]")
  expect_equal(json(c(1L, NA)), "[1,null]")
  expect_equal(json(c("a", NA)), "[\"a\",null]")
  expect_equal(json(c(TRUE, NA)), "[true,null]")
  expect_equal(json(I(NA_real_)), "[null]")
  expect_equal(json(I(NA_integer_)), "[null]")
  expect_equal(json(factor(NA)), "null")
  expect_equal(json(matrix(c(1.5, NA, 3, 4), 2)), "[[1.5,3.0],[null,4.0]]")
  expect_equal(json(matrix(c(1L, NA, 3L, 4L), 2)), "[[1,3],[null,4]]")
})

test_that("NaN and infinities are refused by their position", {
  says <- function(x, what) expect_error(json(x), what, fixed = TRUE, class = "fsc_error_invalid_argument")
  says(NaN, "x is NaN")
  says(c(1, 2, NaN), "x[3] is NaN")
  says(c(NA, Inf), "x[2] is Inf")
  says(-Inf, "x is -Inf")
  says(matrix(c(1, 2, 3, 4, 5, NaN), 2), "x[2, 3] is NaN")
  says(array(c(rep(1, 7), NaN), c(2, 2, 2)), "x[2, 2, 2] is NaN")
  says(list(a = 1, b = list(2, c(3, Inf))), "x$b[[2]][2] is Inf")
  says(data.frame(age = c(1, NaN)), "x$age[2] is NaN")
})

test_that("errors name the argument", {
  node <- local_nodes(1)[[1]]
  method <- fsc_attribute(simon(node), "compute")
  expect_error(fsc_call(method, data = c(1, NaN)), "data[2] is NaN", fixed = TRUE)
  expect_error(fsc_call(method, 1, Inf), "argument 2 is Inf", fixed = TRUE)
})

test_that("factors go as labels", {
  expect_equal(json(factor(c("b", "a", NA, "b"))), "[\"b\",\"a\",null,\"b\"]")
  expect_equal(json(factor("b", levels = c("a", "b"))), "\"b\"")
  expect_equal(json(factor(c(10, 20))), "[\"10\",\"20\"]")
})

test_that("matrices go by rows", {
  expect_equal(json(matrix(1:6, 2)), "[[1,3,5],[2,4,6]]")
  expect_equal(json(matrix(1:6 + 0.5, 2)), "[[1.5,3.5,5.5],[2.5,4.5,6.5]]")
  expect_equal(json(cbind(c("a", "b"), c("x", NA))), "[[\"a\",\"x\"],[\"b\",null]]")
  expect_equal(json(matrix(c(TRUE, NA, FALSE, TRUE), 2)), "[[true,false],[null,true]]")
  expect_equal(json(matrix(5, 1, 1)), "[[5]]")
  expect_equal(json(array(1:8, c(2, 2, 2))), "[[[1,5],[3,7]],[[2,6],[4,8]]]")
})

test_that("arrays come back as they went", {
  for (x in list(
    matrix(1:6, 2), matrix(1:6 + 0.5, 3), array(1:24, 2:4), array(1:24 + 0.5, 4:2), matrix(c(1.5, NA, 3, 4), 2),
    matrix(c("a", "b", NA, "d"), 2), matrix(c(TRUE, NA, FALSE, TRUE), 2), matrix(c(NA, 1.5, NA, 2), 2), matrix("a", 1, 1)
  )) {
    expect_identical(there_and_back(x), x)
  }
})

test_that("vectors come back as they went", {
  for (x in list(
    5.5, 5L, "a", TRUE, NULL, c(1.5, NA), c(1L, NA), c("a", NA), c(NA, TRUE), 1:3, c("ä", "€", "\U1F600"), c(-1.5, 2.25), .Machine$double.xmax,
    .Machine$double.eps, 5e-324, -.Machine$integer.max, list(a = 1L, b = "x"), list(1L, "x"), list(a = NULL, b = 1L), list()
  )) {
    expect_identical(there_and_back(x), x)
  }
  expect_identical(there_and_back(c(NA_real_, NA_real_)), c(NA, NA))
})

test_that("texts of other encodings are the same texts", {
  latin1 <- "\xe4"
  Encoding(latin1) <- "latin1"
  expect_equal(json(latin1), "\"ä\"")
  bytes <- "\xff"
  Encoding(bytes) <- "bytes"
  expect_error(json(c("a", bytes)), "x[2] is bytes", fixed = TRUE)
})

test_that("lists are maps or lists, data frames maps of columns", {
  expect_equal(json(list(a = 1, b = "x")), "{\"a\":1,\"b\":\"x\"}")
  expect_equal(json(list(1, "x", NULL)), "[1,\"x\",null]")
  expect_equal(json(list()), "[]")
  expect_equal(json(setNames(list(), character())), "{}")
  expect_equal(json(data.frame(a = 1:2, b = c("x", "y"))), "{\"a\":[1,2],\"b\":[\"x\",\"y\"]}")
  expect_equal(json(data.frame(a = 1, b = factor("x"))), "{\"a\":[1],\"b\":[\"x\"]}")
  expect_error(json(list(a = 1, 2)), "none at position 2")
  expect_error(json(list(a = 1, a = 2)), class = "fsc_error_invalid_argument")
})

test_that("what means something else is to be converted", {
  expect_error(json(Sys.Date()), "is a date or a time", class = "fsc_error_invalid_argument")
  expect_error(json(list(when = Sys.time())), "x$when is a date", fixed = TRUE)
  expect_error(json(as.POSIXlt(Sys.time())), "is a date or a time")
  expect_error(json(Sys.time() - Sys.time()), "difference of times")
  expect_error(json(structure(1, class = "integer64")), "integer64")
  expect_error(json(1i), "type complex")
  expect_error(json(raw(1)), "type raw")
  expect_error(json(sum), "type builtin")
  expect_error(json(fsc_connect("http://127.0.0.1:1")), "can't be sent")
})

test_that("integers are exact, or texts", {
  expect_identical(parse("2147483647"), .Machine$integer.max)
  expect_identical(parse("-2147483648"), -2147483648)
  expect_identical(parse("9007199254740992"), 2^53)
  expect_identical(parse("9007199254740993"), "9007199254740993")
  expect_identical(parse("170141183460469231731687303715884105727"), "170141183460469231731687303715884105727")
  expect_identical(parse("[1,2147483648]"), c(1, 2147483648))
  expect_identical(parse("[1,9007199254740993]"), c("1", "9007199254740993"))
})

test_that("lists are simplified only where nothing is lost", {
  expect_identical(parse("[1,\"a\"]"), list(1L, "a"))
  expect_identical(parse("[1,true]"), list(1L, TRUE))
  expect_identical(parse("[[1,2],[3]]"), list(1:2, 3L))
  expect_identical(parse("[[\"a\",4.0],[\"b\",null]]"), list(list("a", 4), c("b", NA)))
  expect_identical(parse("[[true,false],[1,2]]"), list(c(TRUE, FALSE), 1:2))
  expect_identical(parse("[[1,2],null]"), list(1:2, NULL))
  expect_identical(parse("[[null,null],[1,2]]"), matrix(c(NA, 1L, NA, 2L), 2))
  expect_identical(parse("[[null,null],[\"a\",\"b\"]]"), matrix(c(NA, "a", NA, "b"), 2))
  expect_identical(parse("[[[1,2],[3,4]],[[5,6]]]"), list(matrix(1:4, 2, byrow = TRUE), matrix(5:6, 1)))
  expect_identical(parse("[[[1,null],[3,4]],[[5,6],[7,8]]]")[2, , ], matrix(5:8, 2, byrow = TRUE))
  expect_identical(parse("[[[\"a\",1],[3,4]]]"), list(list(list("a", 1L), 3:4)))
  expect_identical(parse("[[\"a\"],[\"b\"]]"), matrix(c("a", "b"), 2))
  expect_identical(parse("[null,null]"), c(NA, NA))
  expect_identical(parse("{\"a\":{\"b\":[]}}")$a$b, parse("[]"))
})

test_that("without simplification, all is lists of single values", {
  expect_identical(parse("[1,2.5]", FALSE), list(1L, 2.5))
  expect_identical(parse("[1,2]", FALSE), list(1L, 2L))
  expect_identical(parse("[[1,2],[3,4]]", FALSE), list(list(1L, 2L), list(3L, 4L)))
  expect_identical(parse("[\"a\",null]", FALSE), list("a", NULL))
})

test_that("values survive a node", {
  api <- fsc_connect(local_nodes(1, listen = "127.0.0.1:0")[[1]]$addresses[1])
  x <- list(numbers = c(1.5, NA), rows = matrix(1:6, 2), texts = c("a", NA), map = list(deep = list(er = TRUE)))
  expect_identical(fsc_download(fsc_upload(api, x))[names(x)], x)
  expect_null(fsc_download(fsc_upload(api, NULL)))
})

test_that("objects are arguments", {
  nodes <- local_nodes(2)
  uploaded <- lapply(seq_along(nodes), function(i) fsc_upload(fsc_connect(nodes[[i]]), c(i, 10 * i)))
  tasks <- lapply(seq_along(nodes), function(i) {
    network <- list(nodes = addresses(nodes), myself = i - 1, uuid = "objects")
    api <- fsc_connect(nodes[[i]])
    mine <- fsc_upload(api, c(i, 10 * i))
    api$create(protocol = "Simon")$compute(microprotocol = "SecureSum", data = mine, network = network, wait = FALSE)
  })
  expect_equal(result_of(tasks[[1]])$result$sum, 33)
})

test_that("text that would be altered is refused", {
  skip_if_not(l10n_info()[["UTF-8"]])
  wrong <- "caf\xe9"
  Encoding(wrong) <- "unknown"
  expect_error(json(c("a", wrong)), "x[2] is not text", fixed = TRUE)
  Encoding(wrong) <- "UTF-8"
  expect_error(json(c("a", wrong)), "x[2] is not text", fixed = TRUE)
  Encoding(wrong) <- "unknown"
  expect_error(json(factor(c(2, 1), labels = c(wrong, "a"))), "x[2] is not text", fixed = TRUE)
  expect_error(json(stats::setNames(list(1, 2), c("a", wrong))), "x has a name at position 2 that is not text", fixed = TRUE)
  bytes <- "\xff"
  Encoding(bytes) <- "bytes"
  expect_error(json(stats::setNames(list(1), bytes)), "x has a name at position 1", class = "fsc_error_invalid_argument")
  expect_error(fsc_connect(wrong), "url is not text", class = "fsc_error_invalid_argument")
  for (good in c("\u00e9", "\u20ac", "\U1F600", "\ud7ff", "\ue000")) expect_equal(json(good), paste0("\"", good, "\""))
})

test_that("in the C locale, only text that is marked goes", {
  old <- Sys.getlocale("LC_CTYPE")
  on.exit(Sys.setlocale("LC_CTYPE", old))
  Sys.setlocale("LC_CTYPE", "C")
  native <- "caf\xc3\xa9"
  Encoding(native) <- "unknown"
  expect_error(json(native), "x is not text", fixed = TRUE)
  marked <- native
  Encoding(marked) <- "UTF-8"
  expect_true(identical(charToRaw(json(marked)), charToRaw(paste0("\"", native, "\""))))
  latin1 <- "caf\xe9"
  Encoding(latin1) <- "latin1"
  expect_true(identical(charToRaw(json(latin1)), charToRaw(paste0("\"", native, "\""))))
})

test_that("what the library refuses is refused with its place", {
  expect_error(json(list(a = list(b = 1, b = 2))), "x$a has the name \"b\" twice, also at position 2", fixed = TRUE)
  expect_error(json(list(a = matrix(0, 3, 0))), "x$a is a matrix of 3 rows and no columns", fixed = TRUE)
  odd <- structure(1:2, class = "factor")
  expect_error(json(list(odd)), "x[[1]] is a factor whose levels", fixed = TRUE)
  expect_error(json(structure(1:2, class = "factor", levels = 1:2)), "x is a factor whose levels", fixed = TRUE)
})
