package harness

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/harness/child"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

// TestMain lets the test binary be the supervisor of the workers that it starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == child.SuperviseCommand {
		os.Exit(child.Supervise(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// A worker that ends before it can answer is a record with its last words, in
// one line, whatever ended it.
func TestLastWordsOfWorkers(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the reasons name signals and limits of Linux")
	}
	const mib = 1 << 20
	for _, test := range []struct {
		name, interpreter, script string
		limit                     int64
		end, signal, reason       string // reason: a regular expression for all of it
	}{
		{"silence", "sh", "exit 3", 0, results.EndCrashed, "", `exit code 3`},
		{"a line", "sh", "echo cannot go on >&2; echo >&2; exit 3", 0, results.EndCrashed, "", `exit code 3: cannot go on`},
		{"an import", "python3", "import no_such_framework", 0, results.EndCrashed, "",
			`exit code 1: ModuleNotFoundError: No module named 'no_such_framework'`},
		{"an import that the worker tells", "sh",
			`read hello; printf '%s\n' '{"t":"error","class":"failed","at":"hello","message":"ModuleNotFoundError: No module named '"'torch'"'"}'; read bye`, 0,
			results.EndCrashed, "", `import: ModuleNotFoundError: No module named 'torch'`},
		{"a signal", "sh", "echo last >&2; kill -SEGV $$", 0, results.EndCrashed, "SIGSEGV", `killed by SIGSEGV: last`},
		{"a segmentation fault in a library", "python3", "import ctypes\ndef step(): ctypes.string_at(0)\nstep()", 0, results.EndCrashed, "SIGSEGV",
			`killed by SIGSEGV: Fatal Python error: Segmentation fault in string_at, __init__\.py:\d+`},
		{"an abort in a library", "python3", "import ctypes\nctypes.CDLL(None).abort()", 0, results.EndCrashed, "SIGABRT",
			`killed by SIGABRT: Fatal Python error: Aborted in <module>, <string>:2`},
		{"over the limit", "python3", "x = bytearray(b'1') * (600 << 20)\nimport sys; sys.stdin.read()", 200 * mib, results.EndOOM, "",
			`the process tree held [2-6]\d\d\.\d MiB, the memory limit is 200\.0 MiB`},
		{"out of memory by its own word", "sh", "echo 'numpy.core._exceptions._ArrayMemoryError: Unable to allocate 9 TiB' >&2; exit 1", 200 * mib, results.EndOOM, "",
			`numpy\.core\._exceptions\._ArrayMemoryError: Unable to allocate 9 TiB; (the process tree held up to \d+\.\d MiB, )?the memory limit is 200\.0 MiB`},
		{"out of memory by its answer", "sh",
			`read hello; printf '%s\n' '{"t":"error","class":"oom","at":"hello","message":"MemoryError:\n arena"}'; read bye`, 200 * mib,
			results.EndOOM, "", `import: MemoryError: arena; (the process tree held up to \d+\.\d MiB, )?the memory limit is 200\.0 MiB`},
	} {
		t.Run(strings.ReplaceAll(test.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath(test.interpreter)
			if err != nil {
				t.Skipf("no %s", test.interpreter)
			}
			r := &runner{Config: Config{
				Limits: results.Limits{TrialNS: int64(time.Minute), MemoryBytes: test.limit}, Dir: t.TempDir(),
				Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")},
			}}
			cell := Cell{Settings: workloads.Settings{Device: workloads.DeviceCPU, Threads: 1}, Entry: backends.Entry{Argv: []string{path, "-c", test.script}}}
			rec := r.trial(t.Context(), cell, results.KindTime, place{attempt: 1})
			if rec.End != test.end || rec.Phase != "import" || rec.Signal != test.signal {
				t.Errorf("ended %s in %q by %q, want %s by %q", rec.End, rec.Phase, rec.Signal, test.end, test.signal)
			}
			if !regexp.MustCompile("^" + test.reason + "$").MatchString(rec.Reason) {
				t.Errorf("reason %q, want %s\n%s", rec.Reason, test.reason, rec.Stderr)
			}
		})
	}
}
