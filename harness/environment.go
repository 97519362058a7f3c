package harness

import (
	"maps"
	"strconv"
	"strings"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// WorkerEnv is the environment that every worker of the cells gets: what one
// of them has otherwise, such as another number of threads, is left out, and so
// is what the catalog sets for a backend.
func WorkerEnv(cells []Cell) map[string]string {
	return shared(cells, func(c Cell) []string {
		c.Entry.Env = nil
		return environment(c, nil)
	})
}

// shared are the variables that are alike in the environments of all cells.
func shared(cells []Cell, of func(Cell) []string) map[string]string {
	var common map[string]string
	for _, c := range cells {
		env := map[string]string{}
		for _, e := range of(c) {
			k, v, _ := strings.Cut(e, "=")
			env[k] = v
		}
		if common == nil {
			common = env
		}
		maps.DeleteFunc(common, func(k, v string) bool { return env[k] != v })
	}
	return common
}

// BackendEnv is what the workers of each backend get besides WorkerEnv, by
// backend; a backend that gets nothing more is left out.
func BackendEnv(cells []Cell) map[string]map[string]string {
	common, of := WorkerEnv(cells), map[string][]Cell{}
	for _, c := range cells {
		of[c.Name.Backend] = append(of[c.Name.Backend], c)
	}
	out := map[string]map[string]string{}
	for backend, its := range of {
		env := shared(its, func(c Cell) []string { return environment(c, nil) })
		maps.DeleteFunc(env, func(k, v string) bool { return common[k] == v })
		if len(env) > 0 {
			out[backend] = env
		}
	}
	return out
}

// Environment is what a worker of an entry sees that is granted threads on the
// CPU, with the allocator that its process has.
func Environment(e backends.Entry, threads int) []string {
	return environment(Cell{Entry: e, Settings: workloads.Settings{Device: workloads.DeviceCPU, Threads: threads}}, nil)
}

// environment is what a worker sees: a small fixed base and the thread counts
// of every runtime that reads one, so that all are granted the same. A Python
// process that is killed by a fault says where (PYTHONFAULTHANDLER): without it
// a crash within a framework has no last words.
func environment(c Cell, extra []string) []string {
	n := strconv.Itoa(c.Settings.Threads)
	env := []string{"LANG=C.UTF-8", "TZ=UTC", "PYTHONHASHSEED=0", "PYTHONUNBUFFERED=1", "PYTHONFAULTHANDLER=1"}
	for _, name := range []string{"GOMAXPROCS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS"} {
		env = append(env, name+"="+n)
	}
	env = append(env, allocatorEnv(c)...)
	env = append(env, visibleEnv(c)...)
	env = append(env, extra...)
	return append(env, c.Entry.Env...)
}
