package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// nbsp stands between a number and its unit.
const nbsp = "\u00a0"

// none stands where there is no figure.
const none = "–"

// sig formats v with three significant digits and no exponent between 1e-4 and
// 1e6, outside with one.
func sig(v float64) string {
	a := math.Abs(v)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return none
	case a == 0:
		return "0"
	case a < 1e-4 || a >= 1e7:
		return strconv.FormatFloat(v, 'e', 2, 64)
	}
	digits := 2 - int(math.Floor(math.Log10(a)))
	if digits >= 0 {
		s := strconv.FormatFloat(v, 'f', digits, 64)
		if t, err := strconv.ParseFloat(s, 64); err == nil && digits > 0 && math.Abs(t) >= math.Pow(10, float64(3-digits)) {
			s = strconv.FormatFloat(v, 'f', digits-1, 64) // 9.999 rounds up to 10.0
		}
		return s
	}
	p := math.Pow(10, float64(-digits))
	return strconv.FormatFloat(math.Round(v/p)*p, 'f', 0, 64)
}

// count formats a large quantity: 4720, 12.1 k, 3.40 M.
func count(v float64) string {
	switch a := math.Abs(v); {
	case a < 9995:
		return sig(v)
	case a < 999_500:
		return sig(v/1e3) + nbsp + "k"
	case a < 999_500_000:
		return sig(v/1e6) + nbsp + "M"
	default:
		return sig(v/1e9) + nbsp + "G"
	}
}

// span formats an interval of counts. Both ends keep their factor: 33.0–325 k
// could begin at 33.
func span(lo, hi float64) string { return count(lo) + "–" + count(hi) }

// times formats a ratio: 1.55×.
func times(v float64) string { return sig(v) + "×" }

// bound formats one end of an interval of ratios; nil is unbounded.
func bound(v *float64, open string) string {
	if v == nil || math.IsNaN(*v) || math.IsInf(*v, 0) {
		return open
	}
	return sig(*v)
}

// duration formats nanoseconds with the unit that suits them.
func duration(ns float64) string {
	switch a := math.Abs(ns); {
	case a == 0:
		return "0"
	case a < 1e3:
		return sig(ns) + nbsp + "ns"
	case a < 1e6:
		return sig(ns/1e3) + nbsp + "µs"
	case a < 1e9:
		return sig(ns/1e6) + nbsp + "ms"
	default:
		return sig(ns/1e9) + nbsp + "s"
	}
}

// mebibytes formats bytes; small figures keep a digit.
func mebibytes(b float64) string { return sig(b/(1<<20)) + nbsp + "MiB" }

// bytesize formats bytes with the unit that suits them.
func bytesize(b float64) string {
	switch a := math.Abs(b); {
	case a < 1<<10:
		return sig(b) + nbsp + "B"
	case a < 1<<20:
		return sig(b/(1<<10)) + nbsp + "KiB"
	case a < 1<<30:
		return mebibytes(b)
	default:
		return sig(b/(1<<30)) + nbsp + "GiB"
	}
}

// round3 is sig without trailing zeros: for settings and ticks, which are round
// by themselves.
func round3(v float64) string {
	s := sig(v)
	if strings.Contains(s, ".") && !strings.Contains(s, "e") {
		s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// shortest drops the zeros that a setting does not need: 30 s, not 30.0 s.
func shortest(s string) string {
	n, unit, ok := strings.Cut(s, nbsp)
	if strings.Contains(n, ".") {
		n = strings.TrimSuffix(strings.TrimRight(n, "0"), ".")
	}
	if ok {
		n += nbsp + unit
	}
	return n
}

// roundCount is count for ticks: 5000, 10 k, 15 k.
func roundCount(v float64) string { return shortest(count(v)) }

// scientific formats an error with two digits.
func scientific(v float64) string {
	if v == 0 {
		return "0"
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return none
	}
	s := strconv.FormatFloat(v, 'e', 1, 64)
	return strings.NewReplacer("e-0", "e-", "e+0", "e+").Replace(s)
}

// percent formats a share in the style of each language: 5 % and 5%.
func percent(v float64) text {
	s := round3(v * 100)
	return text{s + nbsp + "%", s + "%"}
}

// whole formats an integer with narrow spaces between thousands.
func whole(v int64) string {
	s := strconv.FormatInt(v, 10)
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	if neg {
		s = "-" + s
	}
	return s
}

// displayed is the longest name or reason that a table shows; the records in
// the page hold it whole.
const displayed = 300

// clean makes a foreign string safe to look at: valid UTF-8, no control
// characters, nothing that turns the direction of the text around, and at most
// limit characters.
func clean(s string, limit int) string {
	if len(s) > 8*limit { // the rest cannot show; do not walk megabytes
		s = s[:8*limit]
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == 0x2028 || r == 0x2029: // line and paragraph separator
			return ' '
		case unicode.IsControl(r):
			return '\uFFFD'
		case r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069, r == 0x200E, r == 0x200F, r == 0xFEFF:
			return -1
		}
		return r
	}, s)
	if r := []rune(s); len(r) > limit {
		s = string(r[:limit]) + "…"
	}
	return s
}

// noteLimit is the longest text of a suite's author that the page shows.
const noteLimit = 2000

// paragraph is clean for running text, in one line.
func paragraph(s string) string {
	return strings.Join(strings.Fields(clean(s, noteLimit)), " ")
}

// line is clean for a table: one line of at most displayed characters.
func line(s string) string {
	return strings.Join(strings.Fields(clean(s, displayed)), " ")
}

// pct formats a coordinate of a drawing, in percent of its width.
func pct(share float64) string {
	if math.IsNaN(share) {
		share = 0
	}
	return fmt.Sprintf("%.2f%%", 100*min(max(share, 0), 1))
}

// durations formats a range of nanoseconds, the unit once where both ends
// share it.
func durations(lo, hi float64) string {
	l, h := duration(lo), duration(hi)
	ln, lu, _ := strings.Cut(l, nbsp)
	if _, hu, _ := strings.Cut(h, nbsp); hu == lu {
		l = ln
	}
	return l + "–" + h
}

// trimFloat formats v with up to n significant digits.
func trimFloat(v float64, n int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return none
	}
	return strconv.FormatFloat(v, 'g', n, 64)
}
