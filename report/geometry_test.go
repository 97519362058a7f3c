package report

import (
	"strconv"
	"strings"
	"testing"
)

// figureOf reads a number of a page.
func figureOf(t testing.TB, s string) float64 {
	t.Helper()
	x, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil {
		t.Fatalf("%q is no number", s)
	}
	return x
}
