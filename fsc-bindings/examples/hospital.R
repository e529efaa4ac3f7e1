# A hospital's program in R, with a node of its own. It prints where the node listens, reads a line with its place and all addresses, and
# takes part in a sum of what its arguments are: Rscript hospital.R 34 71 52
library(fsc)

ages <- as.numeric(commandArgs(trailingOnly = TRUE))
node <- fsc_node(listen = "127.0.0.1:0")
cat("listening on ", node$addresses[1], "\n", sep = "")
flush(stdout())
words <- strsplit(readLines(file("stdin"), n = 1), " ")[[1]]
network <- list(nodes = words[-1], myself = as.integer(words[1]), uuid = "ages")
result <- fsc_connect(node)$create(protocol = "Simon")$compute(microprotocol = "SecureSum", data = ages, network = network)
cat("sum:", fsc_download(result)$result$sum, "\n")
fsc_stop(node)
