package claims

import "embed"

// Sources are the Go files of this package, tests included: pages of reports name
// the code that judged their records by a hash over them.
//
//go:embed *.go
var Sources embed.FS
