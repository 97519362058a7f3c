// Package nvml asks NVIDIA's driver about its GPUs: memory, processes, clocks,
// what holds the clocks back. It binds the management library that comes with
// the driver (libnvidia-ml.so.1) through purego, so nothing is linked and no C
// compiler is needed: where there is no driver, Open says so and costs one
// failed dlopen.
//
// Functions, constants and the layout of structures are those of the NVML API
// Reference Guide (https://docs.nvidia.com/deploy/nvml-api, API version 13) and
// of the header nvml.h; functions that newer drivers replaced are asked for in
// the order newest first. A test compiles a stand-in library from C and holds
// every layout to it.
//
// All methods may be called from any goroutine: NVML is thread-safe.
package nvml

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Soname is the name under which every driver installs the library.
const Soname = "libnvidia-ml.so.1"

// places are where the library is looked for: first as the system's loader
// finds it, then where WSL 2 and container platforms put it.
var places = []string{Soname, "/usr/lib/wsl/lib/" + Soname, "/usr/lib64-nvidia/" + Soname, "/usr/local/nvidia/lib64/" + Soname}

// Library is a loaded and initialised NVML.
type Library struct {
	api  *api
	path string
}

// UnavailableError says why this host has no NVML.
type UnavailableError struct {
	Reason string // one line, for example "libnvidia-ml.so.1 not found"
	// Installed is true where the library is there and does not work, for example
	// since its version is not the one of the loaded driver.
	Installed bool
}

// Error says that NVML is not available, and why.
func (e *UnavailableError) Error() string { return "NVML is not available: " + e.Reason }

// Shared opens the library once for the whole process, at the first call, and
// keeps it. That keeps the driver awake too: without persistence mode it would
// put the GPU to sleep between two programs, and wake it for seconds.
var Shared = sync.OnceValues(func() (*Library, error) { return Open() })

// Open loads and initialises the library, from the first of paths that loads
// (none: from where drivers install it). The error is an *UnavailableError.
func Open(paths ...string) (*Library, error) {
	if len(paths) == 0 {
		paths = places
	}
	missing := ""
	for _, path := range paths {
		a, err := load(path)
		if errors.Is(err, errNotThere) {
			missing = cmp.Or(missing, err.Error())
			continue
		}
		if err != nil {
			return nil, &UnavailableError{Reason: err.Error(), Installed: true}
		}
		if code := a.init(); code != Success {
			a.unload()
			return nil, &UnavailableError{Reason: (&Error{"nvmlInit_v2", code}).Error(), Installed: true}
		}
		return &Library{api: a, path: path}, nil
	}
	return nil, &UnavailableError{Reason: missing}
}

// Path is what the library was loaded by.
func (l *Library) Path() string { return l.path }

// Close ends the use of the library. Devices of it must not be used any more.
func (l *Library) Close() error {
	code := l.api.shutdown()
	l.api.unload()
	return check("nvmlShutdown", code)
}

// Driver is the version of the driver, for example "570.86.15".
func (l *Library) Driver() (string, error) {
	return text("nvmlSystemGetDriverVersion", l.api.driverVersion)
}

// CUDADriver is the newest version of CUDA that the driver can run, for example
// "13.0".
func (l *Library) CUDADriver() (string, error) {
	if l.api.cudaDriverVersion == nil {
		return "", lacks("nvmlSystemGetCudaDriverVersion_v2")
	}
	var v int32
	err := check("nvmlSystemGetCudaDriverVersion_v2", l.api.cudaDriverVersion(&v))
	return fmt.Sprintf("%d.%d", v/1000, v%1000/10), err
}

// Count is the number of GPUs, those that this user may not use included.
func (l *Library) Count() (int, error) {
	var n uint32
	err := check("nvmlDeviceGetCount_v2", l.api.count(&n))
	return int(n), err
}

// Device returns a GPU by the library's own number, from 0 to below Count. It
// is not the number that a CUDA program knows it by: see Visible.
func (l *Library) Device(index int) (*Device, error) {
	d := &Device{api: l.api}
	if err := check("nvmlDeviceGetHandleByIndex_v2", l.api.handleByIndex(uint32(index), &d.handle)); err != nil {
		return nil, fmt.Errorf("GPU %d: %w", index, err)
	}
	d.board = d.handle
	return d, nil
}

// DeviceByUUID returns a GPU, or a part of one in MIG mode, by its whole UUID,
// which begins with "GPU-" or "MIG-".
func (l *Library) DeviceByUUID(uuid string) (*Device, error) {
	d := &Device{api: l.api}
	if err := check("nvmlDeviceGetHandleByUUID", l.api.handleByUUID(uuid, &d.handle)); err != nil {
		return nil, fmt.Errorf("GPU %s: %w", uuid, err)
	}
	d.board = d.handle
	if !strings.HasPrefix(uuid, "MIG-") || l.api.boardOfMIG == nil {
		return d, nil
	}
	return d, check("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", l.api.boardOfMIG(d.handle, &d.board))
}

// Devices returns all GPUs that this user may use, in the order of their places
// on the PCI bus.
func (l *Library) Devices() ([]*Device, error) {
	n, err := l.Count()
	if err != nil {
		return nil, err
	}
	var all []*Device
	var refused error
	for i := range n {
		d, err := l.Device(i)
		if errors.Is(err, NoPermission) { // a container was given others
			refused = err
			continue
		}
		if err != nil {
			return nil, err
		}
		if d.bus, err = d.busID(); err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	if len(all) == 0 && refused != nil {
		return nil, refused
	}
	slices.SortStableFunc(all, func(a, b *Device) int { return slices.Compare(a.bus[:], b.bus[:]) })
	return all, nil
}
