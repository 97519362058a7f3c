package host

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/memprof/nvml"
	"github.com/dlbench/dlbench/memprof/nvml/nvmltest"
)

func library(t *testing.T, path, options string) *nvml.Library {
	t.Helper()
	t.Setenv("FAKE_NVML", options)
	l, err := nvml.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestGPUsInWords(t *testing.T) {
	path := nvmltest.Build(t)
	one := "NVIDIA Fake 80GB, 80.0 GiB, driver 570.86.15"
	for _, tc := range []struct {
		options string
		want    []string
	}{
		{"", []string{one, one}},
		{"count=0", nil},
		{"nvmlDeviceGetCount_v2=15", nil},
		{"count=1;nvmlDeviceGetMemoryInfo=3;nvmlDeviceGetMemoryInfo_v2=3", []string{"NVIDIA Fake 80GB, memory unknown, driver 570.86.15"}},
		{"count=1;nvmlSystemGetDriverVersion=9", []string{"NVIDIA Fake 80GB, 80.0 GiB, driver unknown"}},
	} {
		if got := describeGPUs(library(t, path, tc.options)); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.options, got, tc.want)
		}
	}
}

func TestDoctorOfGPUs(t *testing.T) {
	path := nvmltest.Build(t)
	const quiet = "count=1;processes=0;reasons=1"
	for _, tc := range []struct {
		name, options string
		warns         []string // parts of the findings that are not good, in order
	}{
		{"a quiet GPU", quiet, nil},
		{"asleep", quiet + ";persistence=0", []string{"GPU 0 (NVIDIA Fake 80GB): persistence mode is off"}},
		{"hot", "count=1;processes=0;reasons=0x60", []string{"held back by software thermal slowdown, hardware thermal slowdown"}},
		{"clocks set", "count=1;processes=0;reasons=2", nil},
		{"others on both", "reasons=0", []string{"GPU 0 (NVIDIA Fake 80GB): 2 programs", "GPU 1 (NVIDIA Fake 80GB): 2 programs"}},
		{"closed", quiet + ";compute=2", []string{"compute mode prohibited"}},
		{"nothing can be read", quiet + ";nvmlDeviceGetMemoryInfo_v2=15;nvmlDeviceGetClockInfo=15;nvmlDeviceGetPersistenceMode=15", []string{
			"memory cannot be read", "clocks cannot be read", "persistence mode cannot be read"}},
		{"not ours", "count=1;refused=0", []string{"the GPUs cannot be listed"}},
	} {
		var got []string
		for _, f := range checkGPUs(library(t, path, tc.options), nil) {
			if f.Level == Bad {
				t.Errorf("%s: cells on the CPU can be measured, and the finding is %+v", tc.name, f)
			}
			if f.Level != Good {
				got = append(got, f.What)
			}
		}
		if !slices.EqualFunc(got, tc.warns, strings.Contains) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.warns)
		}
	}
	facts := checkGPUs(library(t, path, quiet), nil)
	for i, want := range []string{"NVIDIA driver 570.86.15, for CUDA up to 12.8, GPUs: 1", "GPU 0 (NVIDIA Fake 80GB): 1.0 of 80.0 GiB in use, SM clock 1500 MHz, at most 1980, 61 °C"} {
		if facts[i].What != want {
			t.Errorf("%q, want %q", facts[i].What, want)
		}
	}
}

// A host without a driver is told nothing of GPUs; one whose driver does not
// work is told why.
func TestDoctorWithoutGPU(t *testing.T) {
	if got := checkGPUs(nil, &nvml.UnavailableError{Reason: "libnvidia-ml.so.1 not found"}); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	got := checkGPUs(nil, &nvml.UnavailableError{Reason: "nvmlInit_v2: the NVIDIA driver is not loaded", Installed: true})
	if len(got) != 1 || got[0].Level != Warn || !strings.Contains(got[0].What, "not loaded") || got[0].Hint == "" {
		t.Errorf("%+v", got)
	}
	if got := checkGPUs(nil, errors.New("other")); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
