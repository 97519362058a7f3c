// Package results is what a run leaves behind: raw records, the metrics that
// are read from them, and the files that hold them. It judges nothing.
package results

// Schema is the version of run.json and of each line of trials.jsonl.
const Schema = 1

// Cell names one thing that is measured: workload x settings x backend.
type Cell struct {
	Workload   string `json:"workload"`
	Hash       string `json:"hash"` // of the resolved program
	Mode       string `json:"mode"`
	Precision  string `json:"precision"`
	Device     string `json:"device"`
	Data       string `json:"data"`
	Batch      int    `json:"batch"`
	Accumulate int    `json:"accumulate"`
	Threads    int    `json:"threads"`
	Checkpoint int    `json:"checkpoint"`
	// Allocator is "tuned" where glibc's malloc was told to keep its memory, and "returning"
	// where it was told to give every large block back.
	Allocator string `json:"allocator,omitempty"`
	Backend   string `json:"backend"`
}

// The kinds of trial.
const (
	KindTime   = "time"   // measured: the statistical sample
	KindCheck  = "check"  // once per cell and run: gradients, dropout at rate 0
	KindMemory = "memory" // timeline and PSS; never a speed sample
)

// The ends of a trial.
const (
	EndOK          = "ok"
	EndUnsupported = "unsupported"
	EndWrong       = "wrong"
	EndProtocol    = "protocol"
	EndTimeout     = "timeout"
	EndOOM         = "oom"
	EndCrashed     = "crashed"
	EndInterrupted = "interrupted"
)

// The phases of a trial, in order. "learn" is of check trials only, which end
// with it.
var Phases = []string{"import", "build", "first", "check", "learn", "warm-up", "measure"}

// Record is one trial, raw. Durations are nanoseconds, memory is bytes.
type Record struct {
	Schema  int    `json:"schema"`
	Kind    string `json:"kind"`
	Round   int    `json:"round"`   // from 1; 0 for check and memory trials
	Attempt int    `json:"attempt"` // from 1; a later attempt of a round replaces the earlier one
	Order   int    `json:"order"`   // position within the round
	// Planned is how many cells this attempt of the round was to measure, set on
	// timed trials: with fewer records than that the round is incomplete and its
	// trials do not count. 0: not known.
	Planned int    `json:"planned,omitempty"`
	Cell    Cell   `json:"cell"`
	Work    Work   `json:"work"`
	Start   string `json:"start"` // RFC 3339, UTC
	WallNS  int64  `json:"wall_ns"`

	End    string `json:"end"`
	Reason string `json:"reason,omitempty"` // one line, empty when ok
	Phase  string `json:"phase,omitempty"`  // in which the trial ended, unless ok
	Signal string `json:"signal,omitempty"` // that ended the worker
	Stderr string `json:"stderr,omitempty"` // tail, at most 64 KiB, only unless ok

	// Shared: the worker was forked from a process that had imported the framework
	// once for all of its backend's cells of the round; no import was measured.
	Shared bool `json:"shared,omitempty"`

	Worker Worker  `json:"worker"`
	Phases []Phase `json:"phases"`
	// The measured segment. BlockNS is nil where ReadFor summed the blocks up: what
	// may be given such a record asks Steps, SegmentNS and the metrics.
	BlockNS       []int64  `json:"block_ns,omitempty"`
	StepsPerBlock int      `json:"steps_per_block,omitempty"`
	Usage         *Usage   `json:"usage,omitempty"`
	Steady        *Steady  `json:"steady,omitempty"`
	Loss          *float64 `json:"loss,omitempty"` // of the last measured step

	Check      *Check       `json:"check,omitempty"`       // of the check steps
	FinalCheck *Check       `json:"final_check,omitempty"` // of the last measured step's loss
	Memory     *Memory      `json:"memory,omitempty"`
	Disturb    *Disturbance `json:"disturbance,omitempty"`

	summed *blocks // in place of BlockNS
}

// Work counts one step analytically; copied in so that a reader needs no spec.
type Work struct {
	Examples        int64 `json:"examples"`
	ModelFLOPs      int64 `json:"model_flops"`
	ParamBytes      int64 `json:"param_bytes"`
	ActivationBytes int64 `json:"activation_bytes"`
	// Of a training step: one gradient per trainable parameter, and what the
	// optimizer keeps between steps. The inputs are the examples of one step and
	// their labels. 0: not counted, in records of older versions.
	GradientBytes  int64 `json:"gradient_bytes,omitempty"`
	OptimizerBytes int64 `json:"optimizer_bytes,omitempty"`
	InputBytes     int64 `json:"input_bytes,omitempty"`
	// KeptBytes are the activations that a step holds at the same time: of one
	// micro-batch, and without what checkpoints drop (workloads.Program.KeptBytes).
	KeptBytes int64 `json:"kept_bytes,omitempty"`
}

// Worker is what the worker said of itself.
type Worker struct {
	Kind           string            `json:"kind,omitempty"`
	Versions       map[string]string `json:"versions,omitempty"`
	Dialect        map[string]string `json:"dialect,omitempty"`
	Kernels        map[string]string `json:"kernels,omitempty"` // the families of kernels that it chose, by what they do; empty: the worker did not say
	Threads        int               `json:"effective_threads,omitempty"`
	FlushDenormals bool              `json:"flush_denormals,omitempty"`
	TF32           *bool             `json:"tf32,omitempty"`          // matrix products through TF32; nil: the worker did not say
	CompileCache   string            `json:"compile_cache,omitempty"` // of the first step: "cold", "warm"; empty: nothing is cached
	DTypes         map[string]string `json:"dtypes,omitempty"`
	Params         int64             `json:"params,omitempty"`
	Segments       int               `json:"segments,omitempty"`
}

// Phase is one stretch between two borders of a trial.
type Phase struct {
	Name   string `json:"name"`
	WallNS int64  `json:"wall_ns"`           // the harness's clock
	HWM    *int64 `json:"hwm,omitempty"`     // peak resident bytes of the worker in this phase (VmHWM, reset at the border); not of forked workers
	HWMWhy string `json:"hwm_why,omitempty"` // why HWM is absent
	Steps  int    `json:"steps,omitempty"`
}

// Usage is what the worker's process used in the measured segment.
type Usage struct {
	WallNS      int64  `json:"wall_ns"`
	CPUNS       int64  `json:"cpu_ns"`
	SysNS       *int64 `json:"sys_ns,omitempty"` // this and what follows: absent where the worker could not tell
	MinorFaults *int64 `json:"minor_faults,omitempty"`
	Voluntary   *int64 `json:"voluntary_switches,omitempty"`
	Involuntary *int64 `json:"involuntary_switches,omitempty"`
	GCNS        *int64 `json:"gc_ns,omitempty"`
}

// Switches counts context switches of both kinds; nil where one is unknown.
func (u Usage) Switches() *int64 {
	if u.Voluntary == nil || u.Involuntary == nil {
		return nil
	}
	return new(*u.Voluntary + *u.Involuntary)
}

// Steady says how warm-up ended.
type Steady struct {
	Reached bool `json:"reached"`
	Steps   int  `json:"steps"` // warm-up steps done
}

// Check is a judgement against the oracle.
type Check struct {
	Status  string    `json:"status"` // ok, wrong, unproven
	Worst   string    `json:"worst,omitempty"`
	Got     float64   `json:"got"`
	Want    float64   `json:"want"`
	Error   float64   `json:"error"`
	Ceiling float64   `json:"ceiling"`
	Floor   float64   `json:"floor"`
	Reason  string    `json:"reason,omitempty"`
	Losses  []float64 `json:"losses,omitempty"`
	Curve   *Curve    `json:"curve,omitempty"` // of check trials in training
	// CurveWhy is why there is no curve, or why it is no longer than the judged
	// steps. It takes nothing from the proof.
	CurveWhy string `json:"curve_why,omitempty"`
}

// Curve is how a model learned in a check trial: from its initial parameters,
// step by step over its batches in their order, with every dropout rate 0. It is
// shown; only the steps that Check judges are proven.
type Curve struct {
	Losses []float64 `json:"losses"` // of each step, before its update
	// Correct counts, per step, the examples of the batch whose largest logit is
	// their label's (whose logit has the label's sign, with one logit), before the
	// update; empty where the worker cannot tell.
	Correct  []int     `json:"correct,omitempty"`
	Examples int       `json:"examples"`         // of a step
	Epoch    int       `json:"epoch"`            // steps that go once over the data
	Oracle   []float64 `json:"oracle,omitempty"` // the oracle's losses, as far as its golden goes
}

// Memory is the outcome of a memory trial.
type Memory struct {
	ImportPSS *int64 `json:"import_pss,omitempty"` // PSS of the process tree after import
	PeakPSS   *int64 `json:"peak_pss,omitempty"`   // PSS of the process tree at its peak
	PeakRSS   *int64 `json:"peak_rss,omitempty"`   // largest resident size of the process tree
	// Of a GPU: the device's memory in use at its peak less what was in use before
	// the build (driver), and the framework's own peaks of what it handed out and
	// of what it holds.
	Device          *int64            `json:"device,omitempty"`
	DeviceAllocated *int64            `json:"device_allocated,omitempty"`
	DeviceReserved  *int64            `json:"device_reserved,omitempty"`
	Absent          map[string]string `json:"absent,omitempty"` // figure -> why it could not be read
	Timeline        []Point           `json:"timeline,omitempty"`
}

// Point is one sample of the resident bytes of the process tree.
type Point struct {
	NS  int64 `json:"ns"` // since the worker's hello
	RSS int64 `json:"rss"`
}

// Disturbance is what else happened on the host during the measured segment
// (the whole trial where marked). It flags a trial, never filters it.
type Disturbance struct {
	StealNS     *int64 `json:"steal_ns,omitempty"`      // whole trial, all CPUs
	PSICPUNS    *int64 `json:"psi_cpu_ns,omitempty"`    // whole trial: some task waited for a CPU
	ThrottledNS *int64 `json:"throttled_ns,omitempty"`  // whole trial: cgroup CPU quota
	OthersCPUNS *int64 `json:"others_cpu_ns,omitempty"` // whole trial: CPU time of other processes
	CanaryNS    int64  `json:"canary_ns,omitempty"`     // a fixed kernel run by the harness just before the trial
	GPU         *GPU   `json:"gpu,omitempty"`           // trials on one only
}
