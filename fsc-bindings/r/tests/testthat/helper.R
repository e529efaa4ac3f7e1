# Nodes that end with the test.
local_nodes <- function(count, ..., env = parent.frame()) {
  nodes <- lapply(seq_len(count), function(i) fsc_node(...))
  do.call(on.exit, list(bquote(for (node in .(nodes)) fsc_stop(node)), add = TRUE), envir = env)
  nodes
}

addresses <- function(nodes) vapply(nodes, function(node) node$addresses[length(node$addresses)], "")

simon <- function(node) fsc_connect(node)$create(protocol = "Simon")

# A computation among all nodes, each with its own data; starts all of them, and gives what each party learns.
start <- function(nodes, microprotocol, data, parameters = NULL, uuid = "meeting") {
  lapply(seq_along(nodes), function(i) {
    network <- list(nodes = addresses(nodes), myself = i - 1, uuid = uuid)
    simon(nodes[[i]])$compute(
      microprotocol = microprotocol, data = data[[i]], network = network, parameters = parameters, wait = FALSE
    )
  })
}

result_of <- function(task, seconds = 60) {
  end <- Sys.time() + seconds
  while (is.null(result <- task$result())) {
    if (Sys.time() > end) stop("no result after ", seconds, " s")
    Sys.sleep(0.01)
  }
  fsc_download(result)
}

compute <- function(nodes, microprotocol, data, parameters = NULL) {
  results <- lapply(start(nodes, microprotocol, data, parameters), result_of)
  for (result in results) expect_equal(result, results[[1]])
  results[[1]]
}

# Another R process, which has this package, and does not keep us waiting.
background <- function(code, output = FALSE) {
  script <- tempfile(fileext = ".R")
  library <- dirname(getNamespaceInfo("fsc", "path"))
  writeLines(c(sprintf("library(fsc, lib.loc = %s)", deparse(library)), code), script)
  # Rscript of this R, without what R CMD check sets up for its own processes.
  system2(file.path(R.home("bin"), "Rscript"), c("--vanilla", shQuote(script)), stdout = output, stderr = output, wait = is.logical(output) && output)
}

wait_for <- function(condition, seconds = 60) {
  end <- Sys.time() + seconds
  while (!condition()) {
    if (Sys.time() > end) stop("waited in vain for ", seconds, " s")
    Sys.sleep(0.02)
  }
}

resident_kb <- function() {
  line <- grep("^VmRSS", readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line))
}

error_of <- function(expr) tryCatch({
  expr
  stop("no error")
}, fsc_error = function(error) error)
