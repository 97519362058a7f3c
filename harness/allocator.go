package harness

import (
	"bufio"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/workloads"
)

// tunedMalloc makes glibc's malloc keep its memory (mallopt(3)): the heap's top
// is given back only above 1 GiB and grows by 64 MiB at once, and no block is
// mapped by itself, to be unmapped when it is freed. The last variable is for
// old versions of glibc: they refuse a threshold for mmap above 32 MiB without
// a word, and with the other variables set they would then map every block of
// 128 KiB or more.
var tunedMalloc = []string{
	"MALLOC_TRIM_THRESHOLD_=1073741824",
	"MALLOC_MMAP_THRESHOLD_=1073741824",
	"MALLOC_TOP_PAD_=67108864",
	"MALLOC_MMAP_MAX_=0",
}

// returningMalloc fixes the threshold from which a block is mapped by itself, and
// unmapped when it is freed, at its first value of 128 KiB (mallopt(3)). Otherwise
// glibc raises it to the size of the first such block that is freed: tensors then
// lie in the heap, where holes between them stay the process's.
var returningMalloc = []string{"MALLOC_MMAP_THRESHOLD_=131072"}

// allocatorEnv is what the cell's allocator adds to the worker's environment.
func allocatorEnv(c Cell) []string {
	if c.Entry.New != nil {
		return nil
	}
	switch c.Settings.Allocator {
	case workloads.AllocatorTuned:
		return tunedMalloc
	case workloads.AllocatorReturning:
		return returningMalloc
	}
	return nil
}

// untunable says why the cell's worker cannot have the allocator that it asks
// for, in one line; empty where it can. Go backends answer for themselves.
func untunable(c Cell) string {
	if allocatorEnv(c) == nil || len(c.Entry.Argv) == 0 {
		return ""
	}
	if runtime.GOOS != "linux" {
		return fmt.Sprintf("allocator %s: it sets the malloc of glibc on Linux, this is %s", c.Settings.Allocator, runtime.GOOS)
	}
	path, err := exec.LookPath(c.Entry.Argv[0])
	if err != nil {
		return "" // it cannot be started, which says more
	}
	library, err := cLibrary(path)
	switch {
	case err != nil:
		return fmt.Sprintf("allocator %s: the C library of %s cannot be told: %v", c.Settings.Allocator, c.Entry.Argv[0], err)
	case library != "glibc":
		return fmt.Sprintf("allocator %s: it sets the malloc of glibc, and %s has %s", c.Settings.Allocator, c.Entry.Argv[0], library)
	}
	return ""
}

// cLibrary names the C library that a program is started with, from the dynamic
// loader that its ELF file asks for: "glibc", or what it has in place of it. A
// script counts as its interpreter.
func cLibrary(path string) (string, error) {
	if interpreter, err := shebang(path); err != nil {
		return "", err
	} else if interpreter != "" {
		path = interpreter
	}
	f, err := elf.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(p.Open(), 4096))
		if err != nil {
			return "", err
		}
		loader := filepath.Base(strings.TrimRight(string(text), "\x00"))
		if strings.HasPrefix(loader, "ld-linux") || slices.Contains([]string{"ld.so.1", "ld64.so.1", "ld64.so.2"}, loader) {
			return "glibc", nil
		}
		return "the loader " + loader, nil
	}
	return "no shared C library", nil
}

// shebang is the interpreter that a script's first line names; empty for what is
// no script.
func shebang(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, 4096)).ReadString('\n')
	if rest, ok := strings.CutPrefix(line, "#!"); ok {
		if fields := strings.Fields(rest); len(fields) > 0 {
			return fields[0], nil
		}
	}
	if err == io.EOF {
		err = nil
	}
	return "", err
}
