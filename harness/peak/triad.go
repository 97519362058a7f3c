package peak

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// An array of STREAM is at least four times the last-level cache, so that next to
// nothing of it is there when the next repetition comes; three of them together
// are bounded, since a large machine has caches of hundreds of MiB.
const (
	timesCache = 4
	mostBytes  = 256 << 20
)

// segments is how many repetitions go once through the arrays, one after the
// other: each is short, and what it finds in the caches is of the one before.
const segments = 8

// arrayLen is the length of each of the three arrays for a cache of so many
// bytes; 0: not known.
func arrayLen(cache int64) int {
	bytes := int64(mostBytes)
	if cache > 0 {
		bytes = min(bytes, 3*timesCache*cache)
	}
	return int(bytes / 3 / 8)
}

// triad holds the arrays of a = b + s*c.
type triad struct{ a, b, c []float64 }

func newTriad(n int) *triad {
	t := &triad{make([]float64, n), make([]float64, n), make([]float64, n)}
	for i := range t.b { // no page is to be the system's one page of zeros
		t.a[i], t.b[i], t.c[i] = 3, 1, 2
	}
	return t
}

// best is the highest rate of the repetitions in bytes/s, read and written. Each
// thread has a part of every segment.
func (t *triad) best(cpus []int) float64 {
	n := len(t.a) / segments
	took := together(cpus, triadReps, func(i int) func(rep int) {
		return func(rep int) {
			first := rep % segments * n
			lo, hi := first+n*i/len(cpus), first+n*(i+1)/len(cpus)
			run(t.a[lo:hi], t.b[lo:hi], t.c[lo:hi], 3)
		}
	})
	return 3 * 8 * float64(n) / took.Seconds()
}

// run makes a = b + s*c.
func run(a, b, c []float64, s float64) {
	b, c = b[:len(a)], c[:len(a)]
	for len(a) >= 4 {
		a[0] = b[0] + s*c[0]
		a[1] = b[1] + s*c[1]
		a[2] = b[2] + s*c[2]
		a[3] = b[3] + s*c[3]
		a, b, c = a[4:], b[4:], c[4:]
	}
	for i := range a {
		a[i] = b[i] + s*c[i]
	}
}

// lastLevelCache is the size of the largest cache that the system tells of the
// first CPU; 0 where it does not.
func lastLevelCache() int64 {
	files, _ := filepath.Glob("/sys/devices/system/cpu/cpu0/cache/index*/size")
	var most int64
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil {
			most = max(most, cacheSize(string(text)))
		}
	}
	return most
}

// cacheSize reads "32768K", as Linux writes it; 0 if it is something else.
func cacheSize(text string) int64 {
	text = strings.TrimSpace(text)
	unit := int64(1)
	for suffix, bytes := range map[string]int64{"K": 1 << 10, "M": 1 << 20, "G": 1 << 30} {
		if number, ok := strings.CutSuffix(text, suffix); ok {
			text, unit = number, bytes
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return 0
	}
	return n * unit
}
