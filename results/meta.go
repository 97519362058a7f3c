package results

// Meta is run.json: what was asked, where, with what.
type Meta struct {
	Schema   int      `json:"schema"`
	Suite    string   `json:"suite"`
	Seed     uint64   `json:"seed"`
	Started  string   `json:"started"` // RFC 3339, UTC
	Command  []string `json:"command"`
	Version  string   `json:"version"` // of dlbench
	Binary   string   `json:"binary"`  // "sha256:" + hex of the executable
	Plan     string   `json:"plan"`    // "sha256:" + hex of the resolved suite
	Host     Host     `json:"host"`
	Baseline string   `json:"baseline"` // backend that the others are compared with
	Policy   Policy   `json:"policy"`
	Limits   Limits   `json:"limits"`
	Cells    []Cell   `json:"cells"` // all that was planned, in the suite's order
	// Workloads describes each workload once, by name, for reports.
	Workloads map[string]Workload `json:"workloads"`
	// Backends says under which conditions each backend's workers were started.
	Backends map[string]Backend `json:"backends,omitempty"`
	// Shared: the timed and check trials of backends whose workers can were forked
	// from one process per backend and pass; Record.Shared says which.
	Shared bool `json:"shared,omitempty"`
	// Notes is what a reader must know, by language ("en", "zh"): for example that
	// batches are small to fit the time.
	Notes map[string]string `json:"notes,omitempty"`
	// Label is the user's own name for what was measured, such as a commit.
	Label string `json:"label,omitempty"`
	// Calibration is what A/A runs had shown of the noise of this machine when the
	// run began; nil: nothing.
	Calibration *Calibration `json:"calibration,omitempty"`
	// Peaks is what the machine can do, measured when the run began; empty: it was
	// not.
	Peaks []Peak `json:"peaks,omitempty"`
	// Forecasts is by how many bytes each cell's worker was expected to grow over its
	// level after import, by cell name; cells of which nothing was known are missing.
	Forecasts map[string]Forecast `json:"forecasts,omitempty"`
	// Resumes are the later invocations that went on with the run, in order.
	Resumes []Resumption `json:"resumes,omitempty"`
}

// Forecast is what was expected of a cell's memory before the run.
type Forecast struct {
	AboveImport int64  `json:"above_import"` // bytes
	RestsOn     string `json:"rests_on"`     // trials of the cell: "measured here", "reference"; of others: "estimated"
}

// Backend is what a run knows of a backend besides what its workers say.
type Backend struct {
	Env         map[string]string `json:"env,omitempty"`         // set for its workers, besides Host.Env
	Environment string            `json:"environment,omitempty"` // name of the framework's environment: pytorch, pytorch@2.14.0
	DiskBytes   int64             `json:"disk_bytes,omitempty"`  // that the environment takes; 0: not known
	SetupNS     int64             `json:"setup_ns,omitempty"`    // that setting the environment up took, with the downloads that it made; 0: not known
	// AdapterLines are the lines of code, without blank lines and comments, that
	// teach dlbench this framework; what its entries share counts for each. 0: not
	// known.
	AdapterLines int `json:"adapter_lines,omitempty"`
	// Proven is what the compliance suite saw this entry do in these versions; nil:
	// no compliance run of them is known.
	Proven *Capabilities `json:"proven,omitempty"`
	Worker string        `json:"worker,omitempty"` // the user's command where the catalog does not have it
	Binary string        `json:"binary,omitempty"` // "sha256:" + hex of that command's executable
}

// Peak is what some CPUs of the machine reach together at best, as the roofline
// model takes it (Williams, Waterman and Patterson, Communications of the ACM 52,
// 2009).
type Peak struct {
	Threads        int     `json:"threads"`
	Precision      string  `json:"precision"`
	FLOPPerSecond  float64 `json:"flop_per_second"`  // multiply-adds on registers, 2 FLOP each
	BytesPerSecond float64 `json:"bytes_per_second"` // read and written by a triad on arrays far beyond the caches
	Kernel         string  `json:"kernel"`           // what computed: "avx512", "avx2"; "go" has no vectors, so that FLOPPerSecond is a lower bound
}

// Resumption is what an invocation that went on with a run may have changed.
type Resumption struct {
	At      string   `json:"at"` // RFC 3339, UTC
	Command []string `json:"command"`
	SuiteNS int64    `json:"suite_ns"` // its limit for the whole suite; 0: none
}

// Policy is how verdicts are reached.
type Policy struct {
	Metric    map[string]string `json:"metric"` // mode -> primary metric
	MinEffect float64           `json:"min_effect"`
	Alpha     float64           `json:"alpha"` // of the whole family
	MinRounds int               `json:"min_rounds"`
	MaxRounds int               `json:"max_rounds"`
	// Until is "decided" where a cell was measured until its comparisons had a
	// verdict, "max" where it was in all rounds; empty: not recorded.
	Until string `json:"until,omitempty"`
	// MemoryTrials is how many memory trials a cell has; 0: one, and another where
	// the first compiled.
	MemoryTrials int `json:"memory_trials,omitempty"`
}

// Limits bound a trial and a run.
type Limits struct {
	TrialNS     int64 `json:"trial_ns"`
	SuiteNS     int64 `json:"suite_ns"` // 0: none
	MemoryBytes int64 `json:"memory_bytes"`
}

// Workload is the description of a workload in one program of the run.
type Workload struct {
	Title  map[string]string `json:"title"` // en, zh
	Source map[string]string `json:"source,omitempty"`
	Params int64             `json:"params"`
	Layers []Layer           `json:"layers"`
}

// Layer is one op as a report shows it, for one example.
type Layer struct {
	Op          string `json:"op"`
	Name        string `json:"name,omitempty"`
	Shape       []int  `json:"shape"`
	Params      int64  `json:"params"`
	FLOPs       int64  `json:"flops"`       // forward
	Activations int64  `json:"activations"` // elements
	// AtInput: it has parameters, and what it reads depends on none, so that nothing
	// needs the gradient of its input. No layer has it in records of older versions.
	AtInput bool `json:"at_input,omitempty"`
}

// Host is the fingerprint of a machine. Hosts with different Keys are never
// compared in silence.
type Host struct {
	OS       string            `json:"os"`
	Kernel   string            `json:"kernel"`
	Arch     string            `json:"arch"`
	CPU      string            `json:"cpu"`
	Cores    int               `json:"cores"`
	Mask     []int             `json:"mask"` // CPUs granted
	MemBytes int64             `json:"mem_bytes"`
	Virtual  string            `json:"virtual,omitempty"`
	Governor string            `json:"governor,omitempty"`
	Go       string            `json:"go"`
	Flags    []string          `json:"flags,omitempty"` // CPU features that kernels choose by
	GPUs     []string          `json:"gpus,omitempty"`
	Env      map[string]string `json:"env,omitempty"` // what all workers run under, and nothing else of the user's environment
}

// Run is a run's folder, read.
type Run struct {
	Dir      string
	Meta     Meta
	Records  []Record
	Warnings []string // for example a torn last line that was dropped
	// Parts are the runs that Merge made this one of; nil: it is a run itself.
	// Rounds have a meaning in a part only.
	Parts []Run
}
