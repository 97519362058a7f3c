package report

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"flag"
	"fmt"
	"html"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden is a run with one of everything, and its analysis.
func golden(t testing.TB) (results.Run, compare.Analysis) {
	t.Helper()
	run := resultstest.Golden()
	return run, compare.Analyze(run)
}

// writers are all forms of a report.
var writers = []struct {
	name  string
	write func(io.Writer, results.Run, compare.Analysis) error
}{
	{"report.html", HTML},
	{"report.md", Markdown},
	{"report.csv", CSV},
	{"report.json", JSON},
	{"report.txt", func(w io.Writer, r results.Run, a compare.Analysis) error { return Text(w, r, a, TextOptions{}) }},
	{"report-80.txt", func(w io.Writer, r results.Run, a compare.Analysis) error {
		return Text(w, r, a, TextOptions{Width: 80})
	}},
	{"report-color.txt", func(w io.Writer, r results.Run, a compare.Analysis) error {
		return Text(w, r, a, TextOptions{Color: true, Width: 120})
	}},
}

func renderHTML(t testing.TB, run results.Run, a compare.Analysis) string {
	t.Helper()
	var b bytes.Buffer
	if err := HTML(&b, run, a); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// between is what stands after the first open and before the next end.
func between(t testing.TB, s, open, end string) string {
	t.Helper()
	_, s, ok := strings.Cut(s, open)
	if !ok {
		t.Fatalf("no %q", open)
	}
	s, _, ok = strings.Cut(s, end)
	if !ok {
		t.Fatalf("no %q after %q", end, open)
	}
	return s
}

// withoutLibrary leaves echarts out, which is as long as it is foreign.
func withoutLibrary(t testing.TB, page string) string {
	t.Helper()
	lib, err := echarts()
	if err != nil {
		t.Fatal(err)
	}
	out := strings.Replace(page, string(lib.packed), "", 1)
	if out == page {
		t.Fatal("the page does not hold echarts")
	}
	return out
}

func TestGolden(t *testing.T) {
	run, a := golden(t)
	for _, w := range writers {
		t.Run(w.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := w.write(&b, run, a); err != nil {
				t.Fatal(err)
			}
			got := b.String()
			if w.name == "report.html" {
				got = withoutLibrary(t, got)
				records := between(t, got, `id="records">`, "</script>") // TestRecords reads them
				got = strings.Replace(got, records, "", 1)
				got = strings.Replace(got, between(t, got, ChartsOpen, "</script>"), string(chartJSON(t, got)), 1)
				got = strings.Replace(got, "page form "+Form(), "page form", 1)
			}
			path := filepath.Join("testdata", w.name)
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s differs from the golden file at byte %d:\n got %q\nwant %q\n(-update rewrites it)", path, differ(got, string(want)), around(got, differ(got, string(want))), around(string(want), differ(got, string(want))))
			}
		})
	}
}

func differ(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func around(s string, i int) string { return s[max(0, min(i, len(s))-60):min(len(s), i+60)] }

// A page loads nothing and runs nothing but its own two scripts.
func TestPolicy(t *testing.T) {
	run, a := golden(t)
	page := renderHTML(t, run, a)
	policy := html.UnescapeString(between(t, page, `http-equiv="Content-Security-Policy" content="`, `"`))
	if !strings.HasPrefix(policy, "default-src 'none'; ") {
		t.Errorf("policy %q", policy)
	}
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	if h := hash(between(t, page, "<style>", "</style>")); !strings.Contains(policy, "style-src "+h+";") {
		t.Errorf("the style hashes to %s, the policy is %s", h, policy)
	}
	parts := strings.Split(page, "<script>")[1:]
	if len(parts) != 1 {
		t.Fatalf("%d scripts, expected 1", len(parts))
	}
	// Version 6.1.0 of echarts, as go-echarts serves it.
	packed, err := base64.StdEncoding.DecodeString(between(t, page, `id="echarts">`, "<"))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	code, err := io.ReadAll(z)
	if sum := fmt.Sprintf("%x", sha256.Sum256(code)); err != nil || sum != "61f13280aba3161f77fc801bf5f9c786f55f10432153a0683fc5cc0700b013d5" {
		t.Errorf("echarts is another: %s, %v", sum, err)
	}
	if h := hash(string(code)); !strings.Contains(policy, h) {
		t.Errorf("echarts hashes to %s, the policy is %s", h, policy)
	}
	for i, p := range parts {
		code, _, _ := strings.Cut(p, "</script>")
		if h := hash(code); !strings.Contains(policy, h) {
			t.Errorf("script %d hashes to %s, the policy is %s", i, h, policy)
		}
	}
	own := withoutLibrary(t, page)
	for _, bad := range []string{"http://", "https://", " style=", "<style ", "onclick", "onload=", "onerror", "javascript:", "@import ", "url(", "srcset", " src="} {
		if i := strings.Index(own, bad); i >= 0 {
			t.Errorf("%q in the page: %q", bad, around(own, i))
		}
	}
}

// The page reads well with scripts off: every figure of the tables is text, in
// both languages.
func TestReadable(t *testing.T) {
	run, a := golden(t)
	page := renderHTML(t, run, a)
	for _, want := range []string{
		"dlbench eager is faster in 4 of 5 comparisons, at an estimated 1.23× to 1.26× the speed of Gorgonia, not comparable in 1", "dlbench eager 5 项比较中 4 项更快（速度估计为 Gorgonia 的 1.23 至 1.26 倍），1 项无法比较",
		"13.3\u00a0k", "13.0\u00a0k–13.5\u00a0k", "1.15–1.33", "undecided", "尚无定论", "flaky, not ranked", "needs 662 steps, has 20", "需 662 步，仅 20 步",
		"smaps_rollup: permission denied", "killed by SIGKILL in measure", "SIGKILL", "last words", "not steady in 1 of 11", "Batches are small so that the suite fits its time.", "批量较小",
		"incomplete, so not counted: round 12", "Synthetic CPU @ 2.00GHz", "100\u202f480",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, r := range run.Records {
		if r.End != results.EndOK && !strings.Contains(page, html.EscapeString(r.Reason)) {
			t.Errorf("the page lacks the reason %q", r.Reason)
		}
	}
}

// "两者相当" and "equivalent" are said of nothing but a verdict, and speed is
// never "n times faster".
func TestHonestWords(t *testing.T) {
	run, a := golden(t)
	for i := range a.Groups {
		for j := range a.Groups[i].Comparisons {
			if a.Groups[i].Comparisons[j].Verdict == compare.Equivalent {
				t.Fatal("the fixture has an equivalent pair")
			}
		}
	}
	// The method explains the word; everything before it must not use it.
	body, _, _ := strings.Cut(renderHTML(t, run, a), `<section id="method"`)
	for _, word := range []string{"两者相当", "equivalent"} {
		if strings.Contains(body, word) {
			t.Errorf("%q without such a verdict", word)
		}
	}
	for i := range a.Groups {
		for j := range a.Groups[i].Comparisons {
			c := &a.Groups[i].Comparisons[j]
			if c.Verdict == compare.Inconclusive {
				c.Verdict = compare.Equivalent
			}
		}
	}
	body, _, _ = strings.Cut(renderHTML(t, run, a), `<section id="method"`)
	for _, word := range []string{"5 项比较中 3 项两者相当", "is equivalent in 3 of 5 comparisons"} {
		if !strings.Contains(body, word) {
			t.Errorf("no %q for equivalent pairs", word)
		}
	}
	for _, bad := range []string{"× faster", "x faster", "× slower", "times faster"} {
		if strings.Contains(body, bad) {
			t.Errorf("%q is ambiguous", bad)
		}
	}
}

// Every link on the page leads somewhere, and every figure's row links to raw
// trials.
func TestLinks(t *testing.T) {
	run, a := golden(t)
	page := renderHTML(t, run, a)
	ids := map[string]bool{}
	for _, p := range strings.Split(page, ` id="`)[1:] {
		id, _, _ := strings.Cut(p, `"`)
		if ids[id] {
			t.Errorf("two elements have the id %q", id)
		}
		ids[id] = true
	}
	links := 0
	for _, p := range strings.Split(page, ` href="#`)[1:] {
		id, _, _ := strings.Cut(p, `"`)
		links++
		if !ids[id] {
			t.Errorf("a link leads to %q, which is not there", id)
		}
	}
	if links < 100 {
		t.Errorf("%d links, expected every figure to have one", links)
	}
}
