//go:build linux && (amd64 || arm64) && !nonvml

package nvml

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/dlbench/dlbench/memprof/nvml/nvmltest"
)

// open loads the stand-in with the options of FAKE_NVML.
func open(t *testing.T, path, options string) *Library {
	t.Helper()
	t.Setenv("FAKE_NVML", options)
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func device(t *testing.T, l *Library, index int) *Device {
	t.Helper()
	d, err := l.Device(index)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// is fails the test unless a reading is what the stand-in has.
func is[T comparable](t *testing.T, what string, want T) func(T, error) {
	return func(got T, err error) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("%s: %v, %v, want %v", what, got, err, want)
		}
	}
}

func TestReadings(t *testing.T) {
	l := open(t, nvmltest.Build(t), "")
	is(t, "driver", "570.86.15")(l.Driver())
	is(t, "CUDA", "12.8")(l.CUDADriver())
	is(t, "count", 2)(l.Count())
	d := device(t, l, 1)
	is(t, "name", "NVIDIA Fake 80GB")(d.Name())
	is(t, "UUID", "GPU-1badcafe-0000-4000-8000-000000000000")(d.UUID())
	is(t, "bus", [3]uint32{0x10000, 0x1b, 3})(d.busID())
	is(t, "memory", Memory{Total: 80 << 30, Used: 1<<30 + 4096, Reserved: 1234})(d.Memory())
	is(t, "clocks", Clocks{SM: 1500, Memory: 2600})(d.Clocks())
	is(t, "highest clocks", Clocks{SM: 1980, Memory: 2619})(d.MaxClocks())
	is(t, "reasons", PowerCap)(d.Reasons())
	is(t, "temperature", 62)(d.Temperature())
	is(t, "power", 345678)(d.Power())
	is(t, "utilization", Utilization{GPU: 97, Memory: 43})(d.Utilization())
	is(t, "compute mode", "default")(d.ComputeMode())
	is(t, "persistence", true)(d.Persistence())
	is(t, "MIG mode", false)(d.MIGMode())
	list, err := d.Processes()
	if want := []Process{{4100, -1}, {4101, 1 << 20}}; err != nil || !slices.Equal(list, want) {
		t.Errorf("processes: %v, %v, want %v", list, err, want)
	}
}

// A driver without the newer functions is asked for the older ones, and so is
// one that has them and refuses their version.
func TestOlderDrivers(t *testing.T) {
	old := nvmltest.Build(t, "-DOLD")
	d := device(t, open(t, old, "reasons=0x60"), 0)
	is(t, "reasons", SoftwareThermal|HardwareThermal)(d.Reasons())
	is(t, "temperature", 61)(d.Temperature())
	refusing := nvmltest.Build(t)
	for _, code := range []string{"13", "25", "3"} {
		d = device(t, open(t, refusing, "nvmlDeviceGetMemoryInfo_v2="+code), 0)
		is(t, "memory without v2, code "+code, Memory{Total: 80 << 30, Used: 1<<30 + 1234})(d.Memory())
	}
	d = device(t, open(t, refusing, "nvmlDeviceGetTemperatureV=25"), 0)
	is(t, "temperature without V", 61)(d.Temperature())
	for _, none := range []string{
		"nvmlDeviceGetComputeRunningProcesses_v3=13", "nvmlDeviceGetComputeRunningProcesses_v3=13;nvmlDeviceGetComputeRunningProcesses_v2=13",
	} {
		list, err := device(t, open(t, refusing, none), 0).Processes()
		if want := []Process{{4100, -1}, {4101, 1 << 20}}; err != nil || !slices.Equal(list, want) {
			t.Errorf("%s: %v, %v, want %v", none, list, err, want)
		}
	}
}

// Drivers wrote entries of three sizes into the same array.
func TestProcessEntries(t *testing.T) {
	path := nvmltest.Build(t)
	for _, stride := range []string{"16", "24", "32"} {
		for _, n := range []int{0, 1, 2, 16, 17, 300} {
			l := open(t, path, "stride="+stride+";processes="+strconv.Itoa(n))
			list, err := device(t, l, 0).Processes()
			if err != nil || len(list) != n {
				t.Errorf("%d entries of %s bytes: %d, %v", n, stride, len(list), err)
				continue
			}
			for i, p := range list {
				if want := (Process{4100 + i, int64(i) << 20}); p != want && i > 0 {
					t.Errorf("entry %d of %s bytes: %v, want %v", i, stride, p, want)
				}
			}
		}
	}
	if list, err := device(t, open(t, path, "stride=20;processes=3"), 0).Processes(); err == nil {
		t.Errorf("entries of 20 bytes are read as %v", list)
	}
}

// Every reading passes on what the driver says.
func TestErrors(t *testing.T) {
	path := nvmltest.Build(t)
	for _, tc := range []struct {
		function string
		read     func(*Library, *Device) error
	}{
		{"nvmlSystemGetDriverVersion", func(l *Library, _ *Device) error { _, err := l.Driver(); return err }},
		{"nvmlSystemGetCudaDriverVersion_v2", func(l *Library, _ *Device) error { _, err := l.CUDADriver(); return err }},
		{"nvmlDeviceGetCount_v2", func(l *Library, _ *Device) error { _, err := l.Devices(); return err }},
		{"nvmlDeviceGetName", func(_ *Library, d *Device) error { _, err := d.Name(); return err }},
		{"nvmlDeviceGetUUID", func(_ *Library, d *Device) error { _, err := d.UUID(); return err }},
		{"nvmlDeviceGetPciInfo_v3", func(l *Library, _ *Device) error { _, err := l.Devices(); return err }},
		{"nvmlDeviceGetMemoryInfo_v2", func(_ *Library, d *Device) error { _, err := d.Memory(); return err }},
		{"nvmlDeviceGetClockInfo", func(_ *Library, d *Device) error { _, err := d.Clocks(); return err }},
		{"nvmlDeviceGetMaxClockInfo", func(_ *Library, d *Device) error { _, err := d.MaxClocks(); return err }},
		{"nvmlDeviceGetCurrentClocksEventReasons", func(_ *Library, d *Device) error { _, err := d.Reasons(); return err }},
		{"nvmlDeviceGetTemperatureV", func(_ *Library, d *Device) error { _, err := d.Temperature(); return err }},
		{"nvmlDeviceGetPowerUsage", func(_ *Library, d *Device) error { _, err := d.Power(); return err }},
		{"nvmlDeviceGetUtilizationRates", func(_ *Library, d *Device) error { _, err := d.Utilization(); return err }},
		{"nvmlDeviceGetComputeMode", func(_ *Library, d *Device) error { _, err := d.ComputeMode(); return err }},
		{"nvmlDeviceGetPersistenceMode", func(_ *Library, d *Device) error { _, err := d.Persistence(); return err }},
		{"nvmlDeviceGetMigMode", func(_ *Library, d *Device) error { _, err := d.MIGMode(); return err }},
		{"nvmlDeviceGetComputeRunningProcesses_v3", func(_ *Library, d *Device) error { _, err := d.Processes(); return err }},
	} {
		l := open(t, path, tc.function+"=15")
		err := tc.read(l, device(t, l, 0))
		var failed *Error
		if !errors.As(err, &failed) || failed.Function != tc.function || !errors.Is(err, Return(15)) {
			t.Errorf("%s: %v", tc.function, err)
		}
	}
	l := open(t, path, "nvmlDeviceGetPowerUsage=3")
	if _, err := device(t, l, 0).Power(); !errors.Is(err, NotSupported) || err.Error() != "nvmlDeviceGetPowerUsage: not supported by this GPU" {
		t.Errorf("power: %v", err)
	}
	if _, err := l.Device(7); err == nil || !strings.Contains(err.Error(), "GPU 7") {
		t.Errorf("GPU 7 of 2: %v", err)
	}
}

func TestOpenSaysWhy(t *testing.T) {
	path := nvmltest.Build(t)
	absent := filepath.Join(t.TempDir(), Soname)
	garbage := filepath.Join(t.TempDir(), Soname)
	if err := os.WriteFile(garbage, []byte("no library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, options string
		paths         []string
		want          string
		installed     bool
	}{
		{"no library", "", []string{absent}, absent + " not found", false},
		{"none at two places", "", []string{absent, absent + ".2"}, absent + " not found", false},
		{"a broken file", "", []string{absent, garbage}, garbage + " could not be loaded", true},
		{"another library", "", []string{"libc.so.6"}, "libc.so.6 has no function nvmlInit_v2", true},
		{"driver not loaded", "nvmlInit_v2=9", []string{path}, "nvmlInit_v2: the NVIDIA driver is not loaded", true},
		{"driver of another version", "nvmlInit_v2=18", []string{path}, "reload the driver", true},
		{"a code of the future", "nvmlInit_v2=77", []string{path}, "NVML code 77", true},
	} {
		t.Setenv("FAKE_NVML", tc.options)
		_, err := Open(tc.paths...)
		var unavailable *UnavailableError
		if !errors.As(err, &unavailable) || !strings.Contains(err.Error(), tc.want) || unavailable.Installed != tc.installed {
			t.Errorf("%s: %v (%+v), want %q", tc.name, err, unavailable, tc.want)
		}
	}
	l := open(t, path, "")
	if l.Path() != path {
		t.Errorf("path %s, want %s", l.Path(), path)
	}
}

// The Go structures are laid out as the C compiler lays out those of nvml.h.
func TestLayout(t *testing.T) {
	lib, err := purego.Dlopen(nvmltest.Build(t), purego.RTLD_NOW)
	if err != nil {
		t.Fatal(err)
	}
	var layout func(uint32) uint32
	purego.RegisterLibFunc(&layout, lib, "fakeLayout")
	for i, want := range []uintptr{
		unsafe.Sizeof(memoryV1{}), unsafe.Sizeof(memoryV2{}), unsafe.Offsetof(memoryV2{}.total), unsafe.Offsetof(memoryV2{}.used),
		unsafe.Sizeof(pciInfo{}), unsafe.Offsetof(pciInfo{}.domain), unsafe.Offsetof(pciInfo{}.device),
		unsafe.Sizeof(temperature{}), unsafe.Offsetof(temperature{}.celsius), unsafe.Sizeof(utilization{}),
		memoryV2Version, temperatureVersion, 8, unsafe.Offsetof(memoryV1{}.used),
	} {
		if got := layout(uint32(i)); uintptr(got) != want || got == 0 {
			t.Errorf("layout %d: C says %d, Go %d", i, got, want)
		}
	}
}

func TestVisible(t *testing.T) {
	path := nvmltest.Build(t)
	const first, second = "GPU-0badcafe-0000-4000-8000-000000000000", "GPU-1badcafe-0000-4000-8000-000000000000"
	const part = "MIG-0c0ffee0-5a5a-5a5a-5a5a-000000000001"
	for _, tc := range []struct {
		options, list string
		set           bool
		want          string // UUID, or part of the error
	}{
		{"", "", false, first},
		{"", "0", true, first},
		{"", "1", true, second},
		{"", " 1 ,0", true, second},
		{"", second, true, second},
		{"", "GPU-1b", true, second},
		{"", "", true, "hides all 2 GPUs"},
		{"", "-1", true, "hides all 2 GPUs"},
		{"", "2", true, "hides all 2 GPUs"},
		{"", "NoDevFiles", true, "hides all 2 GPUs"},
		{"", "GPU-77", true, "no GPU has a UUID"},
		{"twins=1", "GPU-0bad", true, "more than one"},
		{"swap=1", "", false, second},
		{"swap=1", "1", true, first},
		{"refused=0", "", false, second},
		{"refused=0", "1", true, "hides all 1 GPUs"},
		{"refused=0;count=1", "", false, "no permission"},
		{"count=0", "", false, "no GPU"},
		{"mig=1", "1", true, part},
		{"mig=1", "0", true, first},
		{"mig=1", part, true, part},
		{"mig=1", "MIG-77", true, "not found"},
		{"mig=1;nvmlDeviceGetMigDeviceHandleByIndex=6", "1", true, "no part to run on"},
	} {
		l := open(t, path, tc.options)
		d, err := l.Visible(tc.list, tc.set)
		if err != nil {
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%q with %q: %v, want %q", tc.options, tc.list, err, tc.want)
			}
			continue
		}
		if got, err := d.UUID(); got != tc.want || err != nil {
			t.Errorf("%q with %q: %s, %v, want %s", tc.options, tc.list, got, err, tc.want)
		}
	}
}

// A part of a GPU has memory of its own, and the clocks of its board.
func TestMIG(t *testing.T) {
	l := open(t, nvmltest.Build(t), "mig=1")
	d, err := l.DeviceByUUID("MIG-0c0ffee0-5a5a-5a5a-5a5a-000000000001")
	if err != nil {
		t.Fatal(err)
	}
	if !d.MIG() || device(t, l, 1).MIG() {
		t.Error("the part is not told from its board")
	}
	is(t, "name", "NVIDIA Fake 80GB MIG 1g.10gb")(d.Name())
	is(t, "memory", Memory{Total: 80 << 30, Used: 1<<30 + 4096 + 512, Reserved: 1234})(d.Memory())
	is(t, "temperature", 62)(d.Temperature())
	is(t, "reasons", PowerCap)(d.Reasons())
}

func TestManyGoroutines(t *testing.T) {
	l := open(t, nvmltest.Build(t), "")
	d := device(t, l, 0)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				if m, err := d.Memory(); err != nil || m.Total != 80<<30 {
					t.Errorf("%v, %v", m, err)
				}
				if name, err := d.Name(); err != nil || name != "NVIDIA Fake 80GB" {
					t.Errorf("%q, %v", name, err)
				}
			}
		})
	}
	all.Wait()
}
