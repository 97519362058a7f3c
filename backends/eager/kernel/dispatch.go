package kernel

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// KernelsEnv names the environment variable that keeps the kernels of this
// process to a family and those below it: one of [Families]. It is for tests and
// comparisons; what runs is in Kernels either way.
const KernelsEnv = "DLBENCH_EAGER_KERNELS"

// Families are the values of KernelsEnv, each with what stands before it: plain
// Go, AVX2 with FMA, and the AVX-512 subsets that the kernels need. Without the
// variable everything that the processor has is used.
var Families = []string{"go", "avx2", "avx512"}

// limit is what KernelsEnv held when the process started.
var limit = os.Getenv(KernelsEnv)

// allowed reports whether kernels of a family may run; families beyond the last
// of Families, such as AMX, only where nothing is forced.
func allowed(family string) bool {
	at, most := slices.Index(Families, family), slices.Index(Families, limit)
	return limit == "" || most >= 0 && at >= 0 && at <= most
}

// CheckForced says what is wrong with the forced family: a word that is none, or
// a family that this machine cannot run, in whose place another would run.
func CheckForced() error {
	switch {
	case limit == "":
		return nil
	case !slices.Contains(Families, limit):
		return fmt.Errorf("%s=%s: expected one of %s", KernelsEnv, limit, strings.Join(Families, ", "))
	case familyWord[limit] != readable(best32.name):
		return fmt.Errorf("%s=%s: this machine or build has %s at most", KernelsEnv, limit, readable(best32.name))
	}
	return nil
}

// familyWord is how people read a family.
var familyWord = map[string]string{"go": "plain Go", "avx2": "AVX2", "avx512": "AVX-512"}

// readable is familyWord of a tile's name.
func readable(tile string) string { return familyWord[strings.ToLower(tile)] }

// Kernels says which family does what in this process: "f32-product" and
// "f64-product" the matrix products (convolutions among them), "bf16-product" those of
// dense layers and convolutions in that format, "f32-vectors" the loops over float32. Where KernelsEnv forced them, "forced" is its value.
func Kernels() map[string]string {
	k := map[string]string{
		"f32-product": readable(best32.name), "f64-product": readable(best64.name),
		"f32-vectors": familyWord[Families[bestLevel()]], "bf16-product": best16.name,
	}
	if !FastBF16() {
		k["bf16-product"] = "widened to f32"
	}
	if limit != "" {
		k["forced"] = limit
	}
	return k
}
