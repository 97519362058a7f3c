// Committed results are no part of the module: `go install` leaves them out.
module github.com/dlbench/dlbench/results/published

go 1.26
