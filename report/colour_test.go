package report

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// look is the hue and the filling of what a class draws; ok is false of what is
// not a framework's.
func look(class string) (hue string, ok bool) {
	for _, c := range strings.Fields(class) {
		for _, prefix := range []string{"f-", "st-"} {
			if h, found := strings.CutPrefix(c, prefix); found {
				return h, true
			}
		}
	}
	return "", false
}

// A backend has one colour and one mark wherever it appears: in the head of a row,
// in its drawings and in the interactive charts.
func TestOneColourPerBackend(t *testing.T) {
	_, v, page, raw := drawn(t)
	want := map[string]identity{}
	for _, b := range v.backends {
		want[b.Label] = b
	}
	rows, drawings := 0, 0
	check := func(where, name string, e element) {
		t.Helper()
		b := want[name]
		for _, x := range e.all(func(x element) bool { _, ok := look(x.attr("class")); return ok }) {
			drawings++
			if hue, _ := look(x.attr("class")); hue != b.Hue {
				t.Errorf("%s: %s is drawn in %s, its hue is %s", where, name, hue, b.Hue)
			}
			if x.has("m") && x.has("hollow") != b.Hollow {
				t.Errorf("%s: %s has the mark %q", where, name, x.attr("class"))
			}
		}
	}
	for _, tr := range page.tags("tr") {
		heads := tr.class("bn")
		if len(heads) == 1 {
			rows++
			check("a row", heads[0].text(), tr)
		}
	}
	for _, f := range page.tags("figure") {
		if names := f.class("bn"); len(names) == 1 {
			rows++
			check("a figure", names[0].text(), f)
		}
	}
	if rows < 100 || drawings < 300 {
		t.Errorf("%d rows and %d drawings, so this test shows little", rows, drawings)
	}
	for id, c := range chartOptions(t, raw).Charts {
		for _, s := range c.Option.Series {
			b, ok := want[s.Name]
			if !ok { // a phase, or the oracle
				continue
			}
			color := s.ItemStyle.Color
			if color == "--bg" { // hollow
				color = s.ItemStyle.BorderColor
			}
			if color != b.Var() || s.LineStyle.Color != "" && s.LineStyle.Color != b.Var() {
				t.Errorf("%s: %s has the colour %s and the line %s, want %s", id, s.Name, color, s.LineStyle.Color, b.Var())
			}
		}
	}
}

// machado are the matrices of severity 1 in linear RGB of Machado, Oliveira and
// Fernandes, "A physiologically-based model for simulation of color vision
// deficiency", IEEE Transactions on Visualization and Computer Graphics 15(6), 2009.
var machado = map[string][3][3]float64{
	"normal": {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
	"protan": {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
	"deutan": {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
	"tritan": {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}},
}

// lab is the CIE 1976 L*a*b* of an sRGB colour "#rrggbb" (D65) as someone with a
// deficiency sees it.
func lab(t *testing.T, hex string, seen [3][3]float64) [3]float64 {
	t.Helper()
	var rgb [3]float64
	for i := range rgb {
		n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatalf("%q is no colour", hex)
		}
		rgb[i] = linear(float64(n) / 255)
	}
	var s [3]float64
	for i := range s {
		for k := range rgb {
			s[i] += seen[i][k] * rgb[k]
		}
		s[i] = min(max(s[i], 0), 1)
	}
	f := func(x float64) float64 {
		if x > 216.0/24389 {
			return math.Cbrt(x)
		}
		return (24389.0/27*x + 16) / 116
	}
	x := f((0.4124564*s[0] + 0.3575761*s[1] + 0.1804375*s[2]) / 0.95047)
	y := f(0.2126729*s[0] + 0.7151522*s[1] + 0.0721750*s[2])
	z := f((0.0193339*s[0] + 0.1191920*s[1] + 0.9503041*s[2]) / 1.08883)
	return [3]float64{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// linear undoes the transfer function of sRGB.
func linear(c float64) float64 {
	if c <= 0.04045 {
		return c / 12.92
	}
	return math.Pow((c+0.055)/1.055, 2.4)
}

var colourVariable = regexp.MustCompile(`--([a-z]+[0-9]?):(#[0-9a-f]{6}|#[0-9a-f]{3})[;}]?`)

// palettes are the colours of the styles by the name of their variable: light,
// dark and print, the later sheets over the earlier ones.
func palettes(t *testing.T) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{"light": {}, "dark": {}, "print": {}}
	for _, sheet := range []string{"style.css", "memory.css", "ratios.css"} {
		css, err := files.ReadFile("templates/" + sheet)
		if err != nil {
			t.Fatal(err)
		}
		for name, begin := range map[string]string{"light": ":root{", "dark": "@media (prefers-color-scheme:dark){:root{", "print": "@media print{:root{"} {
			for _, m := range colourVariable.FindAllStringSubmatch(between(t, string(css), begin, "}")+"}", -1) {
				hex := m[2]
				if len(hex) == 4 {
					hex = "#" + strings.Repeat(hex[1:2], 2) + strings.Repeat(hex[2:3], 2) + strings.Repeat(hex[3:], 2)
				}
				all[name][m[1]] = hex
			}
		}
	}
	return all
}

// apart is the CIE 1976 distance of two colours as someone sees them.
func apart(t *testing.T, a, b string, seen [3][3]float64) float64 {
	t.Helper()
	p, q := lab(t, a, seen), lab(t, b, seen)
	return math.Sqrt(sq(p[0]-q[0]) + sq(p[1]-q[1]) + sq(p[2]-q[2]))
}

// The hues of frameworks stay apart for colour-blind readers, and stand out from
// the page. The floors are just below what the palette reaches.
func TestColoursAreApart(t *testing.T) {
	floors := map[string]map[string]float64{
		"light": {"normal": 31, "protan": 19, "deutan": 20, "tritan": 27},
		"dark":  {"normal": 36, "protan": 19, "deutan": 13, "tritan": 22},
		"print": {"normal": 31, "protan": 19, "deutan": 20, "tritan": 27},
	}
	hues := []string{"tf", "pt", "jax", "ort", "gor", "gmx", "eag"}
	for name, palette := range palettes(t) {
		for _, h := range append(hues, "bg") {
			if palette[h] == "" {
				t.Fatalf("the %s palette has no %s: %v", name, h, palette)
			}
		}
		for who, seen := range machado {
			least, pair := math.Inf(1), ""
			for i, a := range hues {
				for _, b := range hues[:i] {
					if d := apart(t, palette[a], palette[b], seen); d < least {
						least, pair = d, a+" and "+b
					}
				}
			}
			if floor := floors[name][who]; least < floor {
				t.Errorf("%s, %s: %s are %.1f apart, less than %v", name, who, pair, least, floor)
			}
			t.Logf("%s, %s: %.1f (%s)", name, who, least, pair)
		}
		for _, h := range hues {
			if c := contrast(luminance(t, palette[h]), luminance(t, palette["bg"])); c < 3 {
				t.Errorf("%s: %s has the contrast %.2f with the page", name, h, c)
			}
		}
	}
}

// Text can be read on every tint of the matrix, faster and slower look different
// to everyone, and so do neighbours in a stack of memory.
func TestTintsAreApart(t *testing.T) {
	for name, palette := range palettes(t) {
		for k := 1; k <= tints; k++ {
			n, s := palette[fmt.Sprintf("n%d", k)], palette[fmt.Sprintf("s%d", k)]
			for _, hex := range []string{n, s} {
				if c := contrast(luminance(t, hex), luminance(t, palette["ink"])); c < 4.5 {
					t.Errorf("%s: text on %s has the contrast %.2f", name, hex, c)
				}
			}
			for who, seen := range machado {
				if d := apart(t, n, s, seen); k > 1 && d < 10 || d < 5 {
					t.Errorf("%s, %s: the tints %d of faster and slower are %.1f apart", name, who, k, d)
				}
			}
		}
		stack := []string{"mb0", "mb1", "mb2", "mb3", "mb4", "mb6", "mb5"}
		for i := range stack[1:] {
			for who, seen := range machado {
				if d := apart(t, palette[stack[i]], palette[stack[i+1]], seen); d < 8 {
					t.Errorf("%s, %s: %s and %s are %.1f apart", name, who, stack[i], stack[i+1], d)
				}
			}
		}
	}
}

func sq(x float64) float64 { return x * x }

// luminance is WCAG's relative luminance.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	y := 0.0
	for i, w := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatalf("%q is no colour", hex)
		}
		y += w * linear(float64(n)/255)
	}
	return y
}

// contrast is WCAG's contrast ratio of two luminances.
func contrast(a, b float64) float64 { return (max(a, b) + 0.05) / (min(a, b) + 0.05) }
