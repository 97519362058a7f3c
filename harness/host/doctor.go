package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/shirou/gopsutil/v3/load"
	"github.com/shirou/gopsutil/v3/mem"

	"github.com/dlbench/dlbench/memprof"
	"github.com/dlbench/dlbench/memprof/nvml"
)

// Level says what a finding means for measuring.
type Level string

// The levels of a finding.
const (
	Good Level = "ok"
	Warn Level = "warn" // measurements are noisier, slower or poorer
	Bad  Level = "bad"  // measuring cannot work
)

// Finding is one fact about the host.
type Finding struct {
	Level Level
	What  string
	Hint  string // what to do; empty when good
}

func good(format string, args ...any) Finding {
	return Finding{Level: Good, What: fmt.Sprintf(format, args...)}
}

func warn(hint, format string, args ...any) Finding {
	return Finding{Level: Warn, What: fmt.Sprintf(format, args...), Hint: hint}
}

func bad(hint, format string, args ...any) Finding {
	return Finding{Level: Bad, What: fmt.Sprintf(format, args...), Hint: hint}
}

const gib = 1 << 30

// Doctor looks at what makes measurements here less sure or impossible. cache
// is the folder that will hold weights and batches; it need not exist.
func Doctor(cache string) []Finding {
	all := []Finding{checkSystem(), good("Go %s", strings.TrimPrefix(runtime.Version(), "go")), checkMemory(), checkDisk(cache)}
	if runtime.GOOS != "linux" {
		return all
	}
	root := os.DirFS("/")
	cpus, err := Granted(1)
	if err != nil {
		all = append(all, bad("run on a kernel with sched_getaffinity(2)", "%v", err))
	}
	all = append(all,
		checkGovernor(root, cpus), checkLoad(), checkSteal(root), checkSwap(), checkHugePages(root),
		checkQuota(newCgroup(root, "cpu")), checkMemoryLimit(newCgroup(root, "memory")),
		checkPeaks(), checkPressure(root), checkClock(root), checkPower(root),
	)
	return append(all, checkGPUs(nvml.Shared())...)
}

func checkSystem() Finding {
	switch runtime.GOOS {
	case "linux":
		return good("linux: every figure can be read")
	case "windows":
		return bad("run it under WSL 2", "windows: workers cannot be supervised")
	}
	return bad("run it on linux, for example in a virtual machine",
		"%s: no CPU mask, no memory limit and no memory figures", runtime.GOOS)
}

// Available is the memory in bytes that programs can take before the system
// swaps.
func Available() (int64, error) {
	m, err := mem.VirtualMemory()
	if err != nil {
		return 0, err
	}
	return int64(m.Available), nil
}

func checkMemory() Finding {
	m, err := mem.VirtualMemory()
	if err != nil {
		return warn("", "free memory is unknown: %v", err)
	}
	what := fmt.Sprintf("%.1f of %.1f GiB memory are available", float64(m.Available)/gib, float64(m.Total)/gib)
	switch {
	case m.Available < gib/2:
		return bad("end other programs", "%s", what)
	case m.Available < 4*gib:
		return warn("the quick suite needs up to 4 GiB for one trial", "%s", what)
	}
	return good("%s", what)
}

func checkDisk(dir string) Finding {
	free, err := diskFree(dir)
	if err != nil {
		return warn("name another folder for the cache", "free disk space is unknown: %v", err)
	}
	what := fmt.Sprintf("%.1f GiB are free for the cache in %s", float64(free)/gib, dir)
	switch {
	case free < gib/16:
		return bad("free some space, or name another folder for the cache", "%s", what)
	case free < 2*gib:
		return warn("the largest workloads write 1 GiB of weights", "%s", what)
	}
	return good("%s", what)
}

// existing returns dir or its nearest parent that exists.
func existing(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		_, err := os.Stat(dir)
		if !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return dir, err
		}
		dir = filepath.Dir(dir)
	}
}

func checkGovernor(root fs.FS, cpus []int) Finding {
	switch g := governor(root, cpus); g {
	case "":
		return good("no frequency governor is visible (virtual machine or fixed frequency)")
	case "performance":
		return good("frequency governor performance")
	default:
		return warn("cpupower frequency-set -g performance",
			"frequency governor %s: the CPU's speed changes with its load", g)
	}
}

func checkLoad() Finding {
	avg, err := load.Avg()
	if err != nil {
		return warn("", "load average is unknown: %v", err)
	}
	return judgeLoad(avg.Load1, runtime.NumCPU())
}

func judgeLoad(load1 float64, cpus int) Finding {
	if load1 > 0.25*float64(cpus) {
		return warn("wait, or end what else runs", "load average %.2f on %d CPUs: other programs take time from the measured one", load1, cpus)
	}
	return good("load average %.2f on %d CPUs", load1, cpus)
}

func checkSteal(root fs.FS) Finding {
	text, err := fs.ReadFile(root, "proc/stat")
	s, ok := parseStat(string(text))
	if err != nil || !ok || s.total == 0 {
		return warn("mount /proc", "steal time is unknown")
	}
	share := 100 * float64(s.steal) / float64(s.total)
	if share > 1 {
		return warn("use a dedicated host or a quieter time", "%.1f %% of CPU time since boot was stolen by other virtual machines", share)
	}
	return good("%.1f %% of CPU time since boot was stolen by other virtual machines", share)
}

func checkSwap() Finding {
	s, err := mem.SwapMemory()
	switch {
	case err != nil:
		return warn("", "swap is unknown: %v", err)
	case s.Used > 0:
		return warn("swapoff -a, or free memory", "%.1f GiB are swapped out: a worker may wait for the disk", float64(s.Used)/gib)
	case s.Total > 0:
		return good("%.1f GiB swap, none in use", float64(s.Total)/gib)
	}
	return good("no swap")
}

func checkHugePages(root fs.FS) Finding {
	line := readLine(root, "sys/kernel/mm/transparent_hugepage/enabled") // "always [madvise] never"
	_, mode, _ := strings.Cut(line, "[")
	mode, _, _ = strings.Cut(mode, "]")
	switch mode {
	case "":
		return good("no transparent huge pages")
	case "always":
		return warn("echo madvise > /sys/kernel/mm/transparent_hugepage/enabled, to compare with hosts that have that default",
			"transparent huge pages: always; memory peaks are rounded up to 2 MiB pages")
	}
	return good("transparent huge pages: %s", mode)
}

func checkQuota(g cgroup) Finding {
	if cpus, ok := g.quota(); ok {
		return warn("start the container without a CPU quota; pin it to CPUs instead (--cpuset-cpus)",
			"the control group may use %.2f CPUs: a worker is stopped when it has used its share", cpus)
	}
	return good("no CPU quota")
}

func checkMemoryLimit(g cgroup) Finding {
	limit, ok := g.memoryLimit()
	switch {
	case !ok:
		return good("no memory limit of a control group")
	case limit < 4*gib:
		return warn("start the container with more memory, or lower --limit memory=",
			"the control group may hold %.1f GiB", float64(limit)/gib)
	}
	return good("the control group may hold %.1f GiB", float64(limit)/gib)
}

func checkPeaks() Finding {
	pid := os.Getpid()
	if _, err := memprof.ReadPeak(pid); err != nil {
		return warn("mount /proc", "memory peaks cannot be read: %v", err)
	}
	if err := memprof.ResetPeak(pid); err != nil {
		return warn("run where /proc/PID/clear_refs may be written", "memory peaks cannot be told by phase: %v", err)
	}
	return good("memory peaks can be read and reset")
}

func checkPressure(root fs.FS) Finding {
	text, err := fs.ReadFile(root, "proc/pressure/cpu")
	if _, ok := parsePressure(string(text)); err != nil || !ok {
		return warn("boot with psi=1 to see when a worker waits for a CPU", "pressure stall information is absent")
	}
	return good("pressure stall information is there")
}

func checkClock(root fs.FS) Finding {
	source := readLine(root, "sys/devices/system/clocksource/clocksource0/current_clocksource")
	switch source {
	case "hpet", "acpi_pm", "jiffies", "refined-jiffies":
		return warn("boot with clocksource=tsc tsc=reliable if the CPU has an invariant one",
			"clock source %s: reading the clock costs a microsecond or more", source)
	case "":
		return good("the clock source is not told")
	}
	return good("clock source %s", source)
}

func checkPower(root fs.FS) Finding {
	const class = "sys/class/power_supply"
	supplies, err := fs.ReadDir(root, class)
	if err != nil {
		return good("no battery")
	}
	found := false
	for _, s := range supplies {
		dir := path.Join(class, s.Name())
		if readLine(root, dir+"/type") != "Battery" || readLine(root, dir+"/scope") == "Device" {
			continue // mains, or the battery of a mouse
		}
		found = true
		if readLine(root, dir+"/status") == "Discharging" {
			return warn("plug in the power supply", "running on battery: the CPU is held back")
		}
	}
	if found {
		return good("a battery, on mains power")
	}
	return good("no battery")
}
