package backends

import "github.com/dlbench/dlbench/workloads"

// The messages of the wire. Every line is one JSON object with a "t" that
// names it. PROTOCOL.md is the text; these types are the truth it is tested
// against. Unknown keys are tolerated in the envelope and refused inside job.

// Hello opens a session.
type Hello struct {
	T        string `json:"t"` // "hello"
	Protocol int    `json:"protocol"`
	Trial    string `json:"trial"`   // for the worker's own messages, for example "r3-c07"
	Threads  int    `json:"threads"` // granted CPU threads
	Device   string `json:"device"`
}

// HelloReply is the worker's Info with what it made of the grant.
type HelloReply struct {
	T        string `json:"t"` // "hello"
	Protocol int    `json:"protocol"`
	Info
	Effective      int  `json:"effective_threads"`
	FlushDenormals bool `json:"flush_denormals"`
}

// Fork may come before hello, to a worker that is known to support it: the
// worker loads its framework and forks; the child answers with Forked and then
// is an ordinary worker, on the same pipes, until its bye. Then its parent waits
// for the next fork or for the end of input.
type Fork struct {
	T string `json:"t"` // "fork"
}

// Forked answers a Fork.
type Forked struct {
	T   string `json:"t"` // "forked"
	PID int    `json:"pid"`
}

// BuildRequest asks for a program; Built answers with "t":"built".
type BuildRequest struct {
	T   string `json:"t"` // "build"
	Job Job    `json:"job"`
}

// BuildReply answers a BuildRequest.
type BuildReply struct {
	T  string `json:"t"` // "built"
	NS int64  `json:"ns"`
	Built
}

// CheckRequest asks for steps training (or inference) steps from the initial
// state, on batches 0, 1, 2, ..., and a digest of what they did.
type CheckRequest struct {
	T     string `json:"t"` // "check"
	Steps int    `json:"steps"`
	Grads bool   `json:"grads,omitempty"` // also gradients, before the first step; builds for "check" only
	// Correct asks how many examples each step's batch has right. Workers of older
	// versions do not know it, and leave the answer out.
	Correct bool `json:"correct,omitempty"`
}

// CheckReply answers a CheckRequest.
type CheckReply struct {
	T string `json:"t"` // "checked"
	workloads.Digest
	// Correct counts, per step, the examples of its batch that are answered right
	// before the update: see CheckRequest.Correct and workloads.CountCorrect.
	Correct []int `json:"correct,omitempty"`
}

// PhaseMeasure is the phase whose block times are samples. The worker behaves
// the same in all phases.
const PhaseMeasure = "measure"

// RunRequest asks for blocks x per_block timed steps that go on from the
// current step number.
type RunRequest struct {
	T        string `json:"t"`     // "run"
	Phase    string `json:"phase"` // first, warm-up, measure: for messages only
	Blocks   int    `json:"blocks"`
	PerBlock int    `json:"per_block"`
}

// Ran answers a RunRequest. A block is per_block steps with one
// synchronisation at its end; BlockNS has one entry per block.
type Ran struct {
	T       string  `json:"t"` // "ran"
	Phase   string  `json:"phase"`
	BlockNS []int64 `json:"block_ns"`
	WallNS  int64   `json:"wall_ns"` // from before the first block to after the last
	CPUNS   int64   `json:"cpu_ns"`  // user + system of the worker process over wall_ns
	// What a worker cannot tell it leaves out: absent is not 0.
	SysNS       *int64  `json:"sys_ns,omitempty"`
	MinorFaults *int64  `json:"minor_faults,omitempty"`
	Voluntary   *int64  `json:"voluntary_switches,omitempty"`
	Involuntary *int64  `json:"involuntary_switches,omitempty"`
	GCNS        *int64  `json:"gc_ns,omitempty"` // stop-the-world pauses of a garbage collector, 0 without one
	Loss        float64 `json:"loss"`            // of the last step, read back to the host
	// CompileCache says, where what a first step compiles is kept on disk, whether
	// it was "cold" or "warm" when these steps ran.
	CompileCache string `json:"compile_cache,omitempty"`
	// Peaks of the framework's device allocator since build, in builds for memory.
	DeviceAllocated *int64 `json:"device_allocated,omitempty"`
	DeviceReserved  *int64 `json:"device_reserved,omitempty"`
}

// ResetReply answers {"t":"reset"}: parameters, buffers, optimizer state and
// the step number are as after build.
type ResetReply struct {
	T  string `json:"t"` // "reset"
	NS int64  `json:"ns"`
}

// WorkerError is a worker's answer in place of a reply.
type WorkerError struct {
	T       string `json:"t"`     // "error"
	Class   string `json:"class"` // unsupported, oom, failed
	At      string `json:"at,omitempty"`
	Message string `json:"message"`
}

// Error says what the worker said.
func (e *WorkerError) Error() string {
	if e.At == "" {
		return e.Class + ": " + e.Message
	}
	return e.Class + ": " + e.At + ": " + e.Message
}

// ProtocolError is a reply that breaks PROTOCOL.md.
type ProtocolError struct {
	Message string
	Quote   string // at most 200 bytes of what was read
}

// Error says what was wrong with the reply, and quotes it.
func (e *ProtocolError) Error() string { return "protocol: " + e.Message + ": " + e.Quote }
