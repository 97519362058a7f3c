//go:build linux

package harness

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

// shellWorker is a worker of a few lines in which a subshell is a fork. session are
// the cases of its answers after hello.
func shellWorker(t *testing.T, session string) Cell {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("this machine has no sh: the worker is a script")
	}
	text := `
while read -r line; do
  case "$line" in
  *'"t":"fork"'*)
    ( pid=$(exec sh -c 'echo $PPID')
      ` + strings.Replace(`
      echo "{\"t\":\"forked\",\"pid\":$pid}"
      while read -r line; do
        case "$line" in
        *'"t":"hello"'*) echo '{"t":"hello","protocol":1,"name":"x","kind":"eager","ops":[],"precisions":[],"effective_threads":1}';;
        *'"t":"bye"'*) echo '{"t":"bye"}'; exit 0;;
        SESSION
        esac
      done
      exit 1 ) || echo "{\"t\":\"error\",\"class\":\"failed\",\"at\":\"fork\",\"message\":\"the forked worker ended with status $?\"}";;
  esac
done`, "SESSION", session, 1)
	return Cell{
		Name:     results.Cell{Workload: "W", Backend: "sh"},
		Entry:    backends.Entry{Argv: []string{shell, "-c", text}, Env: []string{"PATH=" + os.Getenv("PATH")}, Forks: true},
		Settings: workloads.Settings{Threads: 1, Device: workloads.DeviceCPU, Mode: workloads.Train},
	}
}

// group runs n check trials of the cell as one group.
func group(t *testing.T, cell Cell, n int) []results.Record {
	t.Helper()
	r := &runner{Config: Config{Limits: results.Limits{TrialNS: int64(20 * time.Second)}, Dir: t.TempDir()}}
	defer r.close()
	var records []results.Record
	for i := range n {
		records = append(records, r.trial(t.Context(), cell, results.KindCheck, place{attempt: 1, order: i + 1, shared: true, more: i+1 < n}))
	}
	if r.parent != nil {
		t.Error("the group is over and its process lives")
	}
	return records
}

// A refusal costs no new process: the next trial is forked from the same one,
// and each has its own last words.
func TestRefusalKeepsTheParent(t *testing.T) {
	cell := shellWorker(t, `*'"t":"build"'*) echo "the words of $pid" >&2; echo "{\"t\":\"error\",\"class\":\"unsupported\",\"at\":\"build\",\"message\":\"by $pid from $$\"}";;`)
	seen := map[string]bool{}
	parent := ""
	for i, r := range group(t, cell, 3) {
		pid, from, ok := strings.Cut(strings.TrimPrefix(r.Reason, "build: by "), " from ")
		if r.End != results.EndUnsupported || !r.Shared || !ok || seen[pid] {
			t.Fatalf("trial %d: %s (%s), shared %v; want unsupported by a process of its own", i+1, r.End, r.Reason, r.Shared)
		}
		seen[pid] = true
		if parent == "" {
			parent = from
		}
		if from != parent {
			t.Errorf("trial %d was forked from %s, the first from %s", i+1, from, parent)
		}
		if want := "the words of " + pid + "\n"; r.Stderr != want {
			t.Errorf("trial %d: last words %q, want %q", i+1, r.Stderr, want)
		}
	}
}

func TestForkedDeathIsClassed(t *testing.T) {
	cell := shellWorker(t, `*'"t":"build"'*) echo "MemoryError: of $pid" >&2; exit 3;;`)
	for i, r := range group(t, cell, 2) {
		if r.End != results.EndOOM || !strings.HasPrefix(r.Reason, "MemoryError: of ") || r.Phase != "build" {
			t.Errorf("trial %d: %s in %s (%s), want oom by its own words", i+1, r.End, r.Phase, r.Reason)
		}
	}
}

// The process id is the worker's word, and all readings rest on it.
func TestFalseProcessIDs(t *testing.T) {
	for name, lie := range map[string]string{"another's": "pid=1", "the parent's": "pid=$$"} {
		cell := shellWorker(t, "*) exit 1;;")
		cell.Entry.Argv[2] = strings.Replace(cell.Entry.Argv[2], "$(exec sh -c 'echo $PPID')", "0; "+lie, 1)
		if r := group(t, cell, 1)[0]; r.End != results.EndProtocol || !strings.Contains(r.Reason, "of no process that the worker forked") || r.Phase != "import" {
			t.Errorf("%s: %s in %s (%s), want a breach", name, r.End, r.Phase, r.Reason)
		}
	}
}

// An import that fails is told by the parent, in the trial that wanted it.
func TestFailedImport(t *testing.T) {
	cell := shellWorker(t, "")
	cell.Entry.Argv[2] = `read -r line; echo "Traceback" >&2; echo '{"t":"error","class":"failed","at":"fork","message":"No module named torch"}'; read -r line`
	for i, r := range group(t, cell, 2) {
		if r.End != results.EndCrashed || !strings.Contains(r.Reason, "No module named torch") || r.Phase != "import" || r.Stderr != "Traceback\n" {
			t.Errorf("trial %d: %s in %s (%s), stderr %q", i+1, r.End, r.Phase, r.Reason, r.Stderr)
		}
	}
}
