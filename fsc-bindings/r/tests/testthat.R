library(testthat)
library(fsc)

test_check("fsc")
