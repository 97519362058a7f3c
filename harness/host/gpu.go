package host

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dlbench/dlbench/memprof/nvml"
)

// GPUs describes every GPU of this host by name, memory and driver; none where
// there is no driver. It loads the driver's library, and without persistence
// mode it wakes the GPUs: ask only for a run that uses one.
func GPUs() []string {
	library, err := nvml.Shared()
	if err != nil {
		return nil
	}
	return describeGPUs(library)
}

func describeGPUs(library *nvml.Library) []string {
	all, err := library.Devices()
	if err != nil {
		return nil
	}
	driver, err := library.Driver()
	if err != nil {
		driver = "unknown"
	}
	var list []string
	for _, d := range all {
		name, err := d.Name()
		if err != nil {
			name = "unknown GPU"
		}
		memory := "memory unknown"
		if m, err := d.Memory(); err == nil {
			memory = fmt.Sprintf("%.1f GiB", float64(m.Total)/gib)
		}
		list = append(list, name+", "+memory+", driver "+driver)
	}
	return list
}

// checkGPUs looks at what makes measurements on the GPUs less sure; nothing is
// said of a host that has no NVIDIA driver.
func checkGPUs(library *nvml.Library, err error) []Finding {
	if err != nil {
		var u *nvml.UnavailableError
		if errors.As(err, &u) && u.Installed {
			return []Finding{warn("nvidia-smi must work first; cells on the CPU do not need it", "no GPU can be used: %s", u.Reason)}
		}
		return nil
	}
	all, err := library.Devices()
	if err != nil {
		return []Finding{warn("give this user, or this container, the GPU", "the GPUs cannot be listed: %v", err)}
	}
	list := []Finding{checkDriver(library, len(all))}
	for i, d := range all {
		list = append(list, checkGPU(i, d)...)
	}
	return list
}

func checkDriver(library *nvml.Library, gpus int) Finding {
	driver, err := library.Driver()
	if err != nil {
		return warn("", "the version of the NVIDIA driver is unknown: %v", err)
	}
	cuda, err := library.CUDADriver()
	if err != nil {
		cuda = "unknown"
	}
	return good("NVIDIA driver %s, for CUDA up to %s, GPUs: %d", driver, cuda, gpus)
}

// checkGPU gives one line for what the GPU is, and one for each thing that
// disturbs measurements on it or cannot be read.
func checkGPU(number int, d *nvml.Device) []Finding {
	who := fmt.Sprintf("GPU %d", number)
	if name, err := d.Name(); err == nil {
		who += " (" + name + ")"
	}
	var list []Finding
	add := func(f Finding) {
		f.What = who + ": " + f.What
		list = append(list, f)
	}
	unread := func(what string, err error) {
		if err != nil {
			add(warn("", "%s cannot be read: %v", what, err))
		}
	}
	var facts []string
	fact := func(what string, err error, format string, args ...any) {
		unread(what, err)
		if err == nil {
			facts = append(facts, fmt.Sprintf(format, args...))
		}
	}
	memory, err := d.Memory()
	fact("memory", err, "%.1f of %.1f GiB in use", float64(memory.Used)/gib, float64(memory.Total)/gib)
	now, err := d.Clocks()
	fact("clocks", err, "SM clock %d MHz", now.SM)
	top, err := d.MaxClocks()
	fact("highest clocks", err, "at most %d", top.SM)
	heat, err := d.Temperature()
	fact("temperature", err, "%d °C", heat)
	if len(facts) > 0 {
		add(good("%s", strings.Join(facts, ", ")))
	}
	if on, err := d.Persistence(); err != nil {
		unread("persistence mode", err)
	} else if !on {
		add(warn("nvidia-smi -pm 1 keeps it awake; during a run dlbench does",
			"persistence mode is off: the driver wakes the GPU for the first program of a while, which takes seconds"))
	}
	reasons, err := d.Reasons()
	unread("what holds the clocks back", err)
	if slow := reasons & nvml.Slowdown; slow != 0 {
		add(warn("let it cool, and look at its power limit and supply", "held back by %s", strings.Join(slow.Words(), ", ")))
	}
	if set := reasons &^ nvml.Slowdown &^ nvml.Idle; set != 0 {
		add(good("clocks are limited by %s", strings.Join(set.Words(), ", ")))
	}
	if programs, err := d.Processes(); err != nil {
		unread("the programs that compute on it", err)
	} else if len(programs) > 0 {
		add(warn("wait, or end them; nvidia-smi names them", "%d programs compute on it: they take time and memory from the measured one", len(programs)))
	}
	if mode, err := d.ComputeMode(); err != nil {
		unread("compute mode", err)
	} else if mode == "prohibited" {
		add(warn("nvidia-smi -c 0", "compute mode prohibited: no program can use it"))
	}
	if divided, err := d.MIGMode(); err != nil {
		unread("MIG mode", err)
	} else if divided {
		add(good("divided by MIG: a run uses its first part, or the one that CUDA_VISIBLE_DEVICES names"))
	}
	return list
}
