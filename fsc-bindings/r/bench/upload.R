# What it takes to bring a million doubles from R to a node: by this package, within the process and over HTTP, and as the reference's client
# does it, with httr. All in one run, taking turns; medians.
#
#   Rscript upload.R [runs] [--json]

library(fsc)

arguments <- commandArgs(TRUE)
runs <- max(11L, as.integer(c(setdiff(arguments, "--json"), "21")[1L]))
x <- rnorm(1e6)
bytes <- 8 * length(x)

node <- fsc_node(listen = "127.0.0.1:0")
here <- fsc_connect(node)
url <- node$addresses[1L]
over_http <- fsc_connect(url)

reference <- function() {
  answer <- httr::PUT(paste0(url, "/representations"), body = list(args = list(x), kwargs = NULL), encode = "json")
  uuid <- httr::content(answer)$uuid
  httr::DELETE(paste0(url, "/representation/", uuid))
  uuid
}

ways <- list(
  "copy of the vector in R" = function() x + 0,
  "fsc, within the process" = function() fsc_release(fsc_upload(here, x)),
  "fsc, over HTTP" = function() fsc_release(fsc_upload(over_http, x))
)
if (requireNamespace("httr", quietly = TRUE)) ways[["httr, as the reference's client"]] <- reference

times <- vapply(seq_len(runs), function(run) {
  vapply(ways, function(way) {
    gc()
    start <- Sys.time()
    way()
    as.numeric(Sys.time() - start, units = "secs")
  }, 0)
}, numeric(length(ways)))

medians <- apply(times, 1L, stats::median)
if ("--json" %in% arguments) {
  cat(sprintf('{"copy_s": %g, "upload_s": %g, "upload_http_s": %g, "httr_s": %g}\n', medians[1L], medians[2L], medians[3L], medians[4L]))
} else {
  cat(sprintf("%d doubles, %d runs, medians\n", length(x), runs))
  cat(sprintf("%-34s %9.2f ms  %8.3f GB/s\n", names(ways), 1e3 * medians, bytes / medians / 1e9), sep = "")
}
fsc_stop(node)
