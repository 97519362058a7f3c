package harness

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

func tunedCell(argv ...string) Cell {
	return Cell{Settings: workloads.Settings{Threads: 1, Allocator: workloads.AllocatorTuned}, Entry: backends.Entry{Argv: argv}}
}

func TestOnlyTunedCellsAreTuned(t *testing.T) {
	isTuned := func(c Cell) bool {
		return slices.ContainsFunc(environment(c, nil), func(e string) bool { return strings.HasPrefix(e, "MALLOC_") })
	}
	cell := tunedCell("worker")
	if !isTuned(cell) {
		t.Error("a tuned cell is not tuned")
	}
	if plain := (Cell{Settings: workloads.Settings{Threads: 1}}); isTuned(plain) {
		t.Error("a cell with the default allocator is tuned")
	}
	cell.Entry.New = func() backends.Backend { return nil }
	if isTuned(cell) {
		t.Error("a Go worker, which has no malloc, is tuned")
	}
	if why := untunable(cell); why != "" {
		t.Errorf("%s: a Go worker says so itself", why)
	}
}

// elfFile writes an ELF file that asks for a dynamic loader, or for none.
func elfFile(t *testing.T, loader string) string {
	t.Helper()
	const header, entry = 64, 56
	var b []byte
	b = append(b, elf.ELFMAG...)
	b = append(b, byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT), 0)
	b = append(b, make([]byte, 8)...)
	le := binary.LittleEndian
	b = le.AppendUint16(b, uint16(elf.ET_DYN))
	b = le.AppendUint16(b, uint16(elf.EM_X86_64))
	b = le.AppendUint32(b, uint32(elf.EV_CURRENT))
	for _, v := range []uint64{0, header, 0} { // entry, program headers, section headers
		b = le.AppendUint64(b, v)
	}
	b = le.AppendUint32(b, 0)
	for _, v := range []uint16{header, entry, 1, 0, 0, 0} {
		b = le.AppendUint16(b, v)
	}
	kind := elf.PT_INTERP
	if loader == "" {
		kind = elf.PT_NULL
	}
	b = le.AppendUint32(b, uint32(kind))
	b = le.AppendUint32(b, uint32(elf.PF_R))
	size := uint64(len(loader) + 1)
	for _, v := range []uint64{header + entry, 0, 0, size, size, 1} {
		b = le.AppendUint64(b, v)
	}
	b = append(append(b, loader...), 0)
	return written(t, "worker", string(b))
}

func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUntunable(t *testing.T) {
	if runtime.GOOS != "linux" {
		if why := untunable(tunedCell("worker")); !strings.HasSuffix(why, "this is "+runtime.GOOS) {
			t.Error(why)
		}
		return
	}
	glibc := elfFile(t, "/lib64/ld-linux-x86-64.so.2")
	musl := elfFile(t, "/lib/ld-musl-x86_64.so.1")
	for _, test := range []struct{ name, path, want string }{
		{"glibc", glibc, ""},
		{"glibc of NixOS", elfFile(t, "/nix/store/1-glibc-2.40/lib/ld-linux-aarch64.so.1"), ""},
		{"musl", musl, "has the loader ld-musl-x86_64.so.1"},
		{"static", elfFile(t, ""), "has no shared C library"},
		{"script on glibc", written(t, "shim", "#! "+glibc+" -x\n"), ""},
		{"script on musl", written(t, "shim", "#!"+musl+"\n"), "ld-musl"},
		{"text", written(t, "text", "hello"), "cannot be told: "},
		{"not there", "/nowhere/worker", ""}, // starting it says so
	} {
		if why := untunable(tunedCell(test.path)); !strings.Contains(why, test.want) || test.want == "" && why != "" {
			t.Errorf("%s: %q, want %q", test.name, why, test.want)
		}
	}
	// The trial ends with that reason and starts nothing.
	cell := tunedCell(musl)
	r := Config{Limits: results.Limits{TrialNS: int64(time.Minute)}}.trial(t.Context(), cell, results.KindCheck, place{attempt: 1})
	if r.End != results.EndUnsupported || !strings.HasPrefix(r.Reason, "allocator tuned: ") {
		t.Errorf("%s (%s)", r.End, r.Reason)
	}
}

// The variables do what they are for: memory that is freed and allocated again
// is not faulted in again.
func TestTunedMallocKeepsMemory(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 to call malloc through")
	}
	cell := tunedCell(python)
	if why := untunable(cell); why != "" {
		t.Skip(why)
	}
	const script = `
import ctypes, resource
c = ctypes.CDLL(None)
c.malloc.restype, c.free.argtypes, c.memset.argtypes = ctypes.c_void_p, [ctypes.c_void_p], [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
def step():
    for size in (200 << 10, 3 << 20, 100 << 20):
        p = c.malloc(size); c.memset(p, 1, size); c.free(p)
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step(); before = faults()
for _ in range(10): step()
print((faults() - before) // 10)
`
	faults := func(c Cell) int {
		cmd := exec.Command(python, "-c", script)
		cmd.Env = append(environment(c, nil), "PATH="+os.Getenv("PATH"), "HOME="+os.Getenv("HOME"))
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(out)))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	plain := cell
	plain.Settings.Allocator = ""
	before, after := faults(plain), faults(cell)
	if before < 10*(after+1) { // huge pages may make a fault of many
		t.Errorf("%d faults per step with the default allocator, %d with the tuned one", before, after)
	}
}

// Tensors of several sizes come and go, and one small block stays above them: by
// itself glibc keeps their memory, and a returning malloc does not.
func TestReturningMallocGivesBack(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 to call malloc through")
	}
	cell := tunedCell(python)
	cell.Settings.Allocator = workloads.AllocatorReturning
	if why := untunable(cell); why != "" {
		t.Skip(why)
	}
	const script = `
import ctypes
c = ctypes.CDLL(None)
c.malloc.restype, c.free.argtypes, c.memset.argtypes = ctypes.c_void_p, [ctypes.c_void_p], [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
def make(size):
    p = c.malloc(size); c.memset(p, 1, size); return p
resident = lambda: int(open("/proc/self/statm").read().split()[1]) * 4096
c.free(make(8 << 20)); before = resident()
blocks = [make(1 << 20) for _ in range(64)]; last = make(100000)
for p in blocks: c.free(p)
print((resident() - before) >> 20)
`
	grown := func(c Cell) int {
		cmd := exec.Command(python, "-c", script)
		cmd.Env = append(environment(c, nil), "PATH="+os.Getenv("PATH"), "HOME="+os.Getenv("HOME"))
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(out)))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	plain := cell
	plain.Settings.Allocator = ""
	if kept, returned := grown(plain), grown(cell); kept < 32 || returned > 8 {
		t.Errorf("after 64 MiB were freed: %d MiB stay by default, %d MiB with a returning malloc", kept, returned)
	}
}
