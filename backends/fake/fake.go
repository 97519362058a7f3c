// Package fake holds workers that break one rule each, or obey a script, for
// the tests of everything that has to see through them. Apart from its fault a
// fake does the real work: it wraps a backend that the caller hands in.
//
// A fake is named by its fault, with an argument where the table says so:
// "half-time", "alloc-known=64", "scripted=5ms/0.03". A process that is to be
// one runs as "dlbench worker fake:NAME".
package fake

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dlbench/dlbench/backends"
)

// fault is one way to misbehave.
type fault struct {
	name string
	arg  string // default argument; "" takes none
	does string // one phrase for people

	devices []string // that it says it has; nil: the CPU alone

	mutant string                                      // what is asked of New
	wrap   func(w *worker) (backends.Backend, error)   // nil: the backend as it is
	reply  func(w *worker, line []byte) ([]byte, bool) // rewrites a reply; false sends nothing; nil: as it is

	request func(w *worker, line []byte) []byte // rewrites a request; nil: as it is
}

// faults is the table of all fakes.
var faults = []fault{
	{name: "ok", does: "honest"},

	{name: "on-gpu", does: "says that it computes on a GPU, and does so on the CPU",
		devices: []string{"cpu", "cuda"}, request: onCPU, reply: deviceMemory},

	{name: "nul-on-stdout", does: "prints NUL bytes in place of the measured reply", reply: inMeasure(func(w *worker, line []byte) []byte {
		return append(make([]byte, 64), '\n')
	})},
	{name: "half-json", does: "prints the first half of the measured reply", reply: inMeasure(func(w *worker, line []byte) []byte {
		return append(slices.Clone(line[:len(line)/2]), '\n')
	})},
	{name: "huge-line", does: "prints a line of 3 MB in place of the measured reply", reply: inMeasure(func(w *worker, line []byte) []byte {
		return append([]byte(strings.Repeat("x", 3_000_000)), '\n')
	})},
	{name: "many-samples", does: "answers with 10^7 samples", reply: inMeasure(manySamples)},
	{name: "half-time", does: "reports half of the time that passed", reply: scaleTime(1, 2)},
	{name: "double-time", does: "reports twice the time that passed", reply: scaleTime(2, 1)},

	{name: "never-sync", does: "returns from a block before its steps are done", wrap: neverSync},
	{name: "wrong-loss", does: "reads back a loss that is off by 1 %", wrap: wrongLoss},
	{name: "transposed-weight", does: "reads its matrices transposed: same norm", wrap: transposedWeight},
	{name: "bf16", does: "computes in bf16", mutant: "bf16"},
	{name: "dropped-checkpoint", does: "says it recomputes, and does not", mutant: "dropped-checkpoint"},
	{name: "slower", arg: "10", does: "adds a busy loop of PERCENT[/WORKLOAD] to every step, of that workload alone if it is named", wrap: slower},
	{name: "scripted", arg: "5ms", does: "stretches steps to DURATION[,DURATION...][/TRIALNOISE[/STEPNOISE]]", wrap: scripted},
	{name: "busy", arg: "3", does: "burns so many more threads than granted", wrap: busy},

	{name: "hang-in-learn", does: "never answers the longer check of the learning curve", wrap: inLearning(forever)},
	{name: "sigkill-in-learn", does: "kills itself in that check", wrap: inLearning(killSelf)},
	{name: "alloc-in-learn", does: "allocates and touches 30 GB in that check", wrap: inLearning(runaway)},
	{name: "slow-in-learn", does: "takes 200 ms more for each step of that check", wrap: inLearning(func() error { time.Sleep(200 * time.Millisecond); return nil })},
	{name: "half-json-in-learn", does: "prints the first half of its reply to that check", reply: inLearn(func(line []byte) []byte {
		return append(slices.Clone(line[:len(line)/2]), '\n')
	})},
	{name: "other-losses-in-learn", does: "answers that check with twice the first loss", reply: inLearn(otherLosses)},

	{name: "stderr-flood", arg: "1000", does: "writes so many MB to standard error, then is honest", wrap: stderrFlood},
	{name: "hang", does: "never answers the measured run", wrap: hang},
	{name: "hang-ignore-sigterm", does: "hangs, ignores SIGTERM, and leaves a child in a session of its own holding standard output", wrap: hangHard},
	{name: "sigkill-in-measure", does: "kills itself in the measured run", wrap: sigkill},
	{name: "fails-after-bye", does: "ends with a status other than 0 after its bye", wrap: failsAfterBye},
	{name: "orphan", does: "leaves a child in a session of its own, and is honest", wrap: orphan},
	{name: "parent-killed", does: "kills the process that it was forked from in the measured run", wrap: parentKilled},
	{name: "alloc-runaway", does: "allocates and touches 30 GB in the measured run", wrap: allocRunaway},
	{name: "alloc-known", arg: "64", does: "holds so many MiB for a while in the measured run", wrap: allocKnown},
	{name: "alloc-known-grandchild", arg: "64", does: "the same in a child process", wrap: allocKnownChild},
}

// Names lists the fakes, without arguments.
func Names() []string {
	out := make([]string, len(faults))
	for i, f := range faults {
		out[i] = f.name
	}
	return out
}

// Entry is the catalog entry of the fake name, which may carry an argument,
// over a backend that claims info. Its Info.Name is "fake-" + the bare name.
func Entry(name string, info backends.Info) (backends.Entry, error) {
	f, _, err := find(name)
	if err != nil {
		return backends.Entry{}, err
	}
	info.Name = "fake-" + f.name
	return backends.Entry{Info: info, Argv: []string{"{self}", "worker", "fake:" + name}, Devices: f.devices, Forks: true}, nil
}

// Entries are the catalog entries of all fakes with their default arguments.
func Entries(info backends.Info) []backends.Entry {
	out := make([]backends.Entry, len(faults))
	for i, f := range faults {
		out[i], _ = Entry(f.name, info)
	}
	return out
}

// find splits a name from its argument and looks it up.
func find(name string) (fault, string, error) {
	bare, arg, given := strings.Cut(name, "=")
	i := slices.IndexFunc(faults, func(f fault) bool { return f.name == bare })
	if i < 0 {
		return fault{}, "", fmt.Errorf("unknown fake %q, known are %s", bare, strings.Join(Names(), ", "))
	}
	if given && faults[i].arg == "" {
		return fault{}, "", fmt.Errorf("fake %s takes no argument", bare)
	}
	if !given {
		arg = faults[i].arg
	}
	return faults[i], arg, nil
}

// worker is one running fake.
type worker struct {
	arg     string
	out     io.Writer // where replies go; an *os.File in a process of its own
	session *session
	backend backends.Backend // the honest one
}

// Run serves as the fake name until bye. newBackend makes the backend that
// does the work: the honest one for "", else the mutant of that name. A process
// of its own calls Main.
func Run(name string, in io.Reader, out io.Writer, info backends.Info, newBackend func(mutant string) (backends.Backend, error)) error {
	if play, ok := grandchildren[name]; ok {
		return play()
	}
	f, arg, err := find(name)
	if err != nil {
		return err
	}
	b, err := newBackend(f.mutant)
	if err != nil {
		return err
	}
	w := &worker{arg: arg, out: out, session: &session{}, backend: b}
	if f.wrap != nil {
		if b, err = f.wrap(w); err != nil {
			return fmt.Errorf("fake %s: %w", name, err)
		}
	}
	info.Name = "fake-" + f.name
	if f.reply != nil {
		out = &rewriter{w: w, reply: f.reply}
	}
	lines := w.session.watch(in)
	if f.request != nil {
		lines.rewrite = func(line []byte) []byte { return f.request(w, line) }
	}
	return backends.Serve(lines, out, info, b)
}
