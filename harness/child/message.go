package child

// order is the one message from the harness to the supervisor.
type order struct {
	Path        string // absolute
	Argv        []string
	Env         []string
	Dir         string
	MemoryLimit int64
	CPUs        []int
	Mark        string // value of the marker in Env
	Forks       bool   // the limits are of the worker's children
}

// report is a message from the supervisor to the harness: first how the start
// went, at last how the worker ended.
type report struct {
	PID   int    `json:",omitempty"` // the worker's, after a good start
	Error string `json:",omitempty"` // why the worker was not started

	Code   int
	Signal string `json:",omitempty"`
	OOM    bool   `json:",omitempty"`
	Reason string `json:",omitempty"`
	Peak   int64  `json:",omitempty"`
	CPUNS  int64  `json:",omitempty"`
}
