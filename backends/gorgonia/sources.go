package gorgonia

import "embed"

// Sources are the Go files of this package, tests included, for whoever counts
// what an adapter takes.
//
//go:embed *.go
var Sources embed.FS
