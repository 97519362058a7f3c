// Package gpu is the harness's side of trials on a GPU: it chooses the device,
// sees to it that the worker gets that one and no other, and watches it from
// outside of the worker. Nothing is loaded before the first trial on a GPU.
package gpu

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/dlbench/dlbench/memprof/nvml"
)

// driver is what is asked of the device while a trial runs.
type driver interface {
	Memory() (nvml.Memory, error)
	Clocks() (nvml.Clocks, error)
	Reasons() (nvml.Reasons, error)
	Temperature() (int, error)
	Power() (int, error)
	Processes() ([]nvml.Process, error)
}

// Device is the GPU that the workers of a run get.
type Device struct {
	driver driver
	name   string
	uuid   string
	top    nvml.Clocks // the highest; 0: not told
	paths  string      // where the worker finds the driver's libraries; empty: the system knows

	mu     sync.Mutex
	others map[int]bool // programs that outlasted settle
}

// Find returns the device that CUDA_VISIBLE_DEVICES puts first, or the first on
// the PCI bus. It asks the driver once per process. The error says in one line
// why there is none.
var Find = sync.OnceValues(func() (*Device, error) {
	list, set := os.LookupEnv("CUDA_VISIBLE_DEVICES")
	library, err := nvml.Shared()
	if err != nil {
		return nil, fmt.Errorf("no CUDA device here: %w", err)
	}
	d, err := library.Visible(list, set)
	if err != nil {
		return nil, fmt.Errorf("no CUDA device here: %w", err)
	}
	found := &Device{driver: d, paths: driverPaths(os.Getenv("LD_LIBRARY_PATH"))}
	if found.uuid, err = d.UUID(); err != nil {
		return nil, fmt.Errorf("no CUDA device that could be named here: %w", err)
	}
	if found.name, err = d.Name(); err != nil {
		found.name = found.uuid
	}
	if top, err := d.MaxClocks(); err == nil {
		found.top = top
	}
	return found, nil
})

// Name is the product's name.
func (d *Device) Name() string { return d.name }

// Env makes the device the only one that a worker sees, so that its number 0 is
// the one that is watched whatever order CUDA counts in.
func (d *Device) Env() []string {
	env := []string{"CUDA_DEVICE_ORDER=PCI_BUS_ID", "CUDA_VISIBLE_DEVICES=" + d.uuid}
	if d.paths != "" {
		env = append(env, "LD_LIBRARY_PATH="+d.paths)
	}
	return env
}

// Hidden is the environment of a worker that must not see any GPU: some
// frameworks compute on one wherever they find it.
func Hidden() []string { return []string{"CUDA_VISIBLE_DEVICES=-1"} }

// OnDemand is the environment in which XLA and TensorFlow take device memory as
// they need it. By themselves they take most of the GPU at the start, and the
// driver's figure would tell nothing of the work; so it is for memory trials.
func OnDemand() []string {
	return []string{"XLA_PYTHON_CLIENT_PREALLOCATE=false", "TF_FORCE_GPU_ALLOW_GROWTH=true"}
}

// driverPaths are those of the folders in list (as in LD_LIBRARY_PATH) that hold
// the driver's own library: container platforms say in this way where it is. The
// others might hold other versions of what a framework brings along.
func driverPaths(list string) string {
	var kept []string
	for _, dir := range filepath.SplitList(list) {
		if _, err := os.Stat(filepath.Join(dir, "libcuda.so.1")); err == nil && filepath.IsAbs(dir) {
			kept = append(kept, dir)
		}
	}
	return strings.Join(kept, string(filepath.ListSeparator))
}

// How long the driver may take to forget a program that has ended.
const (
	settleStep = 100 * time.Millisecond
	settleMost = 5
)

// settle counts the programs of others on the device, before a worker is
// started. What is gone within half a second was the trial before.
func (d *Device) settle() (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for waited := 0; ; waited++ {
		list, err := d.driver.Processes()
		if err != nil {
			return 0, err
		}
		known := true
		for _, p := range list {
			known = known && d.others[p.PID]
		}
		if !known && waited < settleMost {
			time.Sleep(settleStep)
			continue
		}
		d.others = map[int]bool{}
		for _, p := range list {
			d.others[p.PID] = true
		}
		return len(list), nil
	}
}
