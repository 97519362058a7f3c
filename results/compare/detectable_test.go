package compare

import (
	"math"
	"testing"
)

func TestDetectableEffect(t *testing.T) {
	one := DetectableEffect(0.02, 20, 0.02, 1, 0.05)
	if one <= 0.02 || one > 0.1 {
		t.Errorf("20 rounds at 2 %% noise: %g, expected beyond the minimum effect and below 10 %%", one)
	}
	for name, worse := range map[string]float64{
		"more noise":    DetectableEffect(0.04, 20, 0.02, 1, 0.05),
		"fewer rounds":  DetectableEffect(0.02, 10, 0.02, 1, 0.05),
		"larger family": DetectableEffect(0.02, 20, 0.02, 20, 0.05),
		"larger effect": DetectableEffect(0.02, 20, 0.05, 1, 0.05),
	} {
		if worse <= one {
			t.Errorf("%s: %g, expected more than %g", name, worse, one)
		}
	}
	for name, none := range map[string]float64{
		"too few rounds": DetectableEffect(0.02, 3, 0.02, 1, 0.05),
		"infinite noise": DetectableEffect(math.Inf(1), 20, 0.02, 1, 0.05),
		"unknown noise":  DetectableEffect(math.NaN(), 20, 0.02, 1, 0.05),
	} {
		if none != 0 {
			t.Errorf("%s: %g, expected 0", name, none)
		}
	}
}
