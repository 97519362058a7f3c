package main

import (
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/python/environment/environmenttest"
	"github.com/dlbench/dlbench/harness"
	"github.com/dlbench/dlbench/workloads"
)

// What the catalog says of an entry, which a plan rests on before any process
// starts, is what its worker says of itself.
func TestCatalogAgreesWithWorkers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts every framework")
	}
	s, err := here(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range s.entries() {
		if strings.HasPrefix(e.Info.Name, "fake-") || e.New != nil {
			continue // of the Go entries both come from one function
		}
		t.Run(e.Info.Name, func(t *testing.T) {
			if err := s.ready([]backends.Entry{e}); err != nil {
				environmenttest.Lacks(t, "%v", err)
			}
			hello := helloOf(t, e)
			name, _, _ := strings.Cut(e.Info.Name, "@")
			if hello.Name != name || hello.Kind != e.Info.Kind {
				t.Errorf("the worker is %s (%s), the catalog has %s (%s)", hello.Name, hello.Kind, name, e.Info.Kind)
			}
			sets(t, "ops", hello.Ops, e.Info.Ops)
			sets(t, "precisions", hello.Precisions, e.Info.Precisions)
			sets(t, "features", hello.Features, e.Info.Features)
			if len(hello.Versions) == 0 || hello.Threads == "" {
				t.Errorf("the worker gives versions %v and says of threads %q", hello.Versions, hello.Threads)
			}
			if e := e.Info.Dialect["adam-epsilon"]; reflect.DeepEqual(hello.Dialect, map[string]string{}) && e == "corrected" {
				return // the default, not said
			}
			if !reflect.DeepEqual(hello.Dialect, e.Info.Dialect) {
				t.Errorf("the worker's dialect is %v, the catalog's %v", hello.Dialect, e.Info.Dialect)
			}
		})
	}
}

// helloOf starts an entry's worker as a trial would, and ends it.
func helloOf(t *testing.T, e backends.Entry) backends.HelloReply {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), e.Argv[0], e.Argv[1:]...)
	cmd.Env, cmd.Dir = harness.Environment(e, 1), t.TempDir()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client := backends.NewClient(out, in)
	hello, err := client.Hello(backends.Hello{T: "hello", Protocol: backends.ProtocolVersion, Trial: t.Name(), Threads: 1, Device: workloads.DeviceCPU})
	if err == nil {
		err = client.Bye()
	}
	in.Close()
	if ended := cmd.Wait(); err != nil || ended != nil {
		t.Fatalf("%v, %v\n%s", err, ended, stderr.String())
	}
	return hello
}

// sets compares two lists without their order.
func sets[S ~string](t *testing.T, what string, worker, catalog []S) {
	t.Helper()
	worker, catalog = slices.Sorted(slices.Values(worker)), slices.Sorted(slices.Values(catalog))
	if !slices.Equal(worker, catalog) {
		t.Errorf("%s: the worker says %v, the catalog %v", what, worker, catalog)
	}
}
