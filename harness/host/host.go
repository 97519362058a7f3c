// Package host says what machine a run was measured on and what else happened
// on it meanwhile: the fingerprint, the CPUs that are granted to workers, the
// disturbance of a trial, and whether the machine is fit to measure at all.
package host

import (
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/host"
	"github.com/shirou/gopsutil/v3/mem"

	"github.com/dlbench/dlbench/results"
)

// Fingerprint describes this machine. cpus is the mask that workers get.
// What the system does not tell is left empty.
func Fingerprint(cpus []int) results.Host {
	h := results.Host{
		OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version(),
		Cores: runtime.NumCPU(), Mask: slices.Clone(cpus),
	}
	if kernel, err := host.KernelVersion(); err == nil {
		h.Kernel = kernel
	}
	if n, err := cpu.Counts(true); err == nil && n > 0 {
		h.Cores = n
	}
	if infos, err := cpu.Info(); err == nil && len(infos) > 0 {
		h.CPU = strings.Join(strings.Fields(infos[0].ModelName), " ")
		h.Flags = kernelFlags(infos[0].Flags)
	}
	if runtime.GOARCH == "arm64" && !slices.Contains(h.Flags, "asimd") {
		h.Flags = append(h.Flags, "asimd") // part of the base architecture
	}
	if m, err := mem.VirtualMemory(); err == nil {
		h.MemBytes = int64(m.Total)
	}
	h.Virtual = virtual()
	h.Governor = governor(os.DirFS("/"), cpus)
	return h
}

// flags are the CPU features by which numerical kernels choose their code, as
// Linux names them, oldest first.
var flags = []string{
	"sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni",
	"avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "amx_fp16",
	"asimd", "asimdhp", "asimddp", "bf16", "i8mm", "sve", "sve2", "sme", // arm64
}

func kernelFlags(all []string) []string {
	var kept []string
	for _, f := range flags {
		if slices.Contains(all, f) {
			kept = append(kept, f)
		}
	}
	return kept
}

// virtual names the container and the virtual machine that this process is in;
// empty when there is neither.
func virtual() string {
	system, role, err := host.Virtualization()
	if err != nil || role != "guest" {
		system = ""
	}
	switch {
	case !hasHypervisorFlag():
		return system
	case system == "":
		return "virtual machine"
	case slices.Contains([]string{"docker", "lxc", "podman", "rkt", "systemd-nspawn", "openvz"}, system):
		return system + " in a virtual machine"
	}
	return system
}

func hasHypervisorFlag() bool {
	infos, err := cpu.Info()
	return err == nil && len(infos) > 0 && slices.Contains(infos[0].Flags, "hypervisor")
}

// governor returns the frequency governors of cpus (none: CPU 0), joined by
// commas when they differ; empty where the system has none.
func governor(root fs.FS, cpus []int) string {
	if len(cpus) == 0 {
		cpus = []int{0}
	}
	var names []string
	for _, n := range cpus {
		name := readLine(root, "sys/devices/system/cpu/cpu"+strconv.Itoa(n)+"/cpufreq/scaling_governor")
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// readLine returns a file's first line, trimmed; empty when it cannot be read.
func readLine(root fs.FS, path string) string {
	text, err := fs.ReadFile(root, path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line)
}
