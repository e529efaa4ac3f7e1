# A client in R computes on the data of patients.c: Rscript ask_patients.R PLACE URL URL URL
library(fsc)

arguments <- commandArgs(trailingOnly = TRUE)
place <- as.integer(arguments[1])
nodes <- arguments[-1]
api <- fsc_connect(nodes[place + 1])
ages <- api$create(microservice = "Patients")$column(name = "age")
refused <- tryCatch(fsc_download(ages), fsc_error = function(condition) condition)
stopifnot(inherits(refused, "fsc_error"), refused$code == 403)
network <- list(nodes = nodes, myself = place, uuid = "ages")
result <- api$create(protocol = "Simon")$compute(microprotocol = "SecureSum", data = ages, network = network)
cat("sum:", fsc_download(result)$result$sum, "\n")
