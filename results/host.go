package results

import (
	"fmt"
	"maps"
	"slices"
)

// Diff lists what differs between two hosts, one line per field with both
// values: "cpu: A, B". None means that speeds may be compared. Memory sizes
// within 1 % are equal, because the same machine reports some kilobytes more
// or less after each boot.
func (h Host) Diff(other Host) []string {
	var diff []string
	text := func(field, a, b string) {
		if a != b {
			diff = append(diff, fmt.Sprintf("%s: %q, %q", field, a, b))
		}
	}
	list := func(field string, a, b any) {
		text(field, fmt.Sprint(a), fmt.Sprint(b))
	}
	text("os", h.OS, other.OS)
	text("kernel", h.Kernel, other.Kernel)
	text("arch", h.Arch, other.Arch)
	text("cpu", h.CPU, other.CPU)
	list("cores", h.Cores, other.Cores)
	list("mask", h.Mask, other.Mask)
	if d := h.MemBytes - other.MemBytes; max(d, -d) > max(h.MemBytes, other.MemBytes)/100 {
		list("mem_bytes", h.MemBytes, other.MemBytes)
	}
	text("virtual", h.Virtual, other.Virtual)
	text("governor", h.Governor, other.Governor)
	text("go", h.Go, other.Go)
	list("flags", sorted(h.Flags), sorted(other.Flags))
	// Only a run with cells on a GPU asks for them.
	if len(h.GPUs) > 0 && len(other.GPUs) > 0 {
		list("gpus", h.GPUs, other.GPUs)
	}
	keys := maps.Clone(h.Env)
	if keys == nil {
		keys = map[string]string{}
	}
	maps.Copy(keys, other.Env)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		text("env "+k, h.Env[k], other.Env[k])
	}
	return diff
}

func sorted(s []string) []string {
	return slices.Sorted(slices.Values(s))
}
