package workloads

import (
	"strings"
	"testing"
)

const modesSuite = `
suite: mine
backends: [eager]
cells:
  - {workload: CheckpointStackDeepNarrow, mode: train, batch: 8, checkpoint: CHECKPOINT}
rounds: {min: 1, max: 1, until: max}
limits: {trial: 1m, memory: 1GiB}
compare: {baseline: eager, metric: {train: step-time}, min-effect: 0.05, alpha: 0.05}
`

func TestCheckpointForms(t *testing.T) {
	for form, want := range map[string][]int{
		"none":                               {0},
		"0":                                  {0},
		"4":                                  {4},
		"{segments: 4}":                      {4},
		"{every: 16}":                        {8}, // of 128 places, one after each of 64 dense layers and 64 activations
		"[none, {segments: 2}, {every: 32}]": {0, 2, 4},
	} {
		s, err := parseSuite("mine.yaml", []byte(strings.Replace(modesSuite, "CHECKPOINT", form, 1)))
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		points, err := s.Expand()
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		var got []int
		for _, p := range points {
			got = append(got, p.Settings.Checkpoint)
		}
		if len(got) != len(want) {
			t.Fatalf("%s: got %v segments, expected %v", form, got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: got %v segments, expected %v", form, got, want)
			}
		}
	}
}

func TestCheckpointFormsRefused(t *testing.T) {
	for form, want := range map[string]string{
		"-1":                           "expected none, a number of segments",
		"some":                         "checkpoint: \"some\": expected none, a number of segments, {segments: N} or {every: K}",
		"1.5":                          "expected none, a number of segments",
		"[[2]]":                        "expected none, a number of segments",
		"{segments: 2, every: 3}":      "expected either segments or every",
		"{}":                           "expected either segments or every",
		"{every: 0}":                   "expected at least 1",
		"{segments: -2}":               "expected at least 1",
		"{steps: 2}":                   "steps",
		"{every: 1000}":                "has only 128 places",
		"[{every: 16}, {segments: 8}]": "appears twice",
		"[none, 0]":                    "appears twice",
	} {
		s, err := parseSuite("mine.yaml", []byte(strings.Replace(modesSuite, "CHECKPOINT", form, 1)))
		if err == nil {
			_, err = s.Expand()
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, expected one line with %q", form, err, want)
		}
	}
}
