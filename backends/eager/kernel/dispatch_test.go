package kernel

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Every family that this machine has can be forced; the processes say so, and
// nothing of a higher family runs in them.
func TestForcedFamilies(t *testing.T) {
	if os.Getenv("DLBENCH_TEST_PRINT_KERNELS") != "" {
		word := "ok"
		if err := CheckForced(); err != nil {
			word = err.Error()
		}
		line, err := json.Marshal(map[string]any{"kernels": Kernels(), "check": word})
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.Write(append(line, '\n'))
		return
	}
	if limit != "" {
		t.Skip(KernelsEnv + " is set")
	}
	for _, value := range append([]string{"", "sse"}, Families...) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestForcedFamilies$", "-test.count=1")
		cmd.Env = append(os.Environ(), KernelsEnv+"="+value, "DLBENCH_TEST_PRINT_KERNELS=1")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		line, _, _ := strings.Cut(string(out), "\n")
		var got struct {
			Kernels map[string]string
			Check   string
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%q: %v in %q", value, err, out)
		}
		has := Kernels()["f32-product"]
		if value != "" && got.Kernels["bf16-product"] != "widened to f32" {
			t.Errorf("%s: products of bfloat16 by %s", value, got.Kernels["bf16-product"])
		}
		switch {
		case value == "":
			if got.Check != "ok" || got.Kernels["forced"] != "" || got.Kernels["f32-product"] != has {
				t.Errorf("nothing forced: %+v", got)
			}
		case value == "sse":
			if !strings.Contains(got.Check, "expected one of go, avx2, avx512") {
				t.Errorf("%s: %s", value, got.Check)
			}
		case value == "go":
			if got.Check != "ok" || got.Kernels["f32-product"] != "plain Go" || got.Kernels["f64-product"] != "plain Go" || got.Kernels["f32-vectors"] != "plain Go" || got.Kernels["forced"] != "go" {
				t.Errorf("go: %+v", got)
			}
		case got.Check == "ok":
			if got.Kernels["f32-product"] != familyWord[value] || got.Kernels["f32-vectors"] != familyWord[value] || got.Kernels["forced"] != value {
				t.Errorf("%s: %+v", value, got)
			}
		case has == "AVX-512" || has == familyWord[value]:
			t.Errorf("%s on a machine with %s: %s", value, has, got.Check)
		case !strings.Contains(got.Check, "at most"):
			t.Errorf("%s: %s", value, got.Check)
		}
	}
}

// What Kernels calls forced is what the environment holds. Go keeps the results of
// tests by the variables that they read while they run, which this one alone does:
// without it those of another family were taken for those asked for.
func TestForcedIsOfTheEnvironment(t *testing.T) {
	if got, want := Kernels()["forced"], os.Getenv(KernelsEnv); got != want {
		t.Errorf("forced is %q, the environment has %q", got, want)
	}
}
