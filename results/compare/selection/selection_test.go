package selection

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
)

// run is a run with cells like "M train 8 eager", and more settings behind it.
func run(dir string, cells ...string) results.Run {
	r := results.Run{Dir: dir, Meta: results.Meta{Baseline: "gorgonia"}}
	for _, text := range cells {
		c := results.Cell{Precision: "f32", Device: "cpu", Data: "resident", Accumulate: 1, Threads: 1, Hash: "sha256:aaaaaaaaaaaaaaaa"}
		for i, word := range strings.Fields(text) {
			key, value, ok := strings.Cut(word, "=")
			if !ok {
				key, value = []string{"workload", "mode", "batch", "backend"}[i], word
			}
			if key == "hash" {
				c.Hash = value
				continue
			}
			var err error
			if c, err = c.With(key, value); err != nil {
				panic(err)
			}
		}
		r.Meta.Cells = append(r.Meta.Cells, c)
	}
	return r
}

var (
	one = run("runs/one",
		"M train 8 eager", "M train 8 gorgonia", "M train 8 gomlx",
		"M infer 8 gomlx", "M infer 8 gorgonia", "N train 16 eager", "N train 16 gorgonia")
	threads = run("runs/threads",
		"M train 8 eager", "M train 8 eager threads=2", "M train 8 eager threads=4", "M train 8 gomlx threads=2", "M train 8 gomlx",
		"M train 8 eager allocator=tuned", "M train 16 eager hash=sha256:bbbb", "M train 16 eager threads=2 hash=sha256:bbbb")
)

// describe writes a selection as "table / row / col: head < base (reason)".
func describe(s Selection, runs []results.Run) []string {
	labels := Labels(runs)
	values := func(parts []Part) string {
		var v []string
		for _, p := range parts {
			v = append(v, p.Value)
		}
		return strings.Join(v, ",")
	}
	name := func(run int, c results.Cell) string {
		n := strings.NewReplacer("mode=", "", "precision=f32/", "", "batch=", "", "backend=", "").Replace(c.Name())
		if len(runs) > 1 {
			n = labels[run] + ":" + n
		}
		return n
	}
	var out []string
	for _, l := range s.Lines {
		d := fmt.Sprintf("%s: %s < %s", values(l.Col), name(l.Head.Run, l.Head.Cell), name(l.Base.Run, l.Base.Cell))
		if len(l.Table) > 0 {
			d = values(l.Table) + " / " + d
		}
		if l.Reason != "" {
			d += " (" + l.Reason + ")"
		}
		out = append(out, d)
	}
	for _, a := range s.Alone {
		out = append(out, "alone: "+name(a.Run, a.Cell))
	}
	return out
}

func TestSelect(t *testing.T) {
	first := run("x/first", "M train 8 eager", "M train 8 gomlx", "N train 8 eager", "O train 8 eager")
	second := run("x/second", "M train 8 gomlx", "M train 8 eager", "N train 8 eager hash=sha256:bbbbbbbbbbbbbbbb", "P train 8 eager")
	for name, c := range map[string]struct {
		runs []results.Run
		q    Query
		want []string
	}{
		"each against the baseline": {[]results.Run{one}, Query{}, []string{
			"eager: M/train/8/eager < M/train/8/gorgonia", "gomlx: M/train/8/gomlx < M/train/8/gorgonia",
			"gomlx: M/infer/8/gomlx < M/infer/8/gorgonia", "eager: N/train/16/eager < N/train/16/gorgonia"}},
		"another base, which some cells lack": {[]results.Run{one}, Query{Base: "eager"}, []string{
			"gorgonia: M/train/8/gorgonia < M/train/8/eager", "gomlx: M/train/8/gomlx < M/train/8/eager",
			"gorgonia: M/infer/8/gorgonia < M/infer/8/eager", "gomlx: M/infer/8/gomlx < M/infer/8/eager", "gorgonia: N/train/16/gorgonia < N/train/16/eager"}},
		"a filter": {[]results.Run{one}, Query{Filter: "mode:train -workload:N backend:(gomlx OR gorgonia)"}, []string{
			"gomlx: M/train/8/gomlx < M/train/8/gorgonia"}},
		"as benchstat writes keys": {[]results.Run{one}, Query{Filter: `/mode:/^tr/ .name:"M"`, Col: "/backend@(gomlx eager)"}, []string{
			"eager: M/train/8/eager < M/train/8/gomlx"}},
		"columns in another order": {[]results.Run{one}, Query{Col: "backend@alpha", Filter: "workload:M mode:train"}, []string{
			"gomlx: M/train/8/gomlx < M/train/8/eager", "gorgonia: M/train/8/gorgonia < M/train/8/eager"}},
		"rows in another order, tables": {[]results.Run{one}, Query{Table: "mode@alpha", Row: "workload@(N M)"}, []string{
			"infer / gomlx: M/infer/8/gomlx < M/infer/8/gorgonia", "train / eager: N/train/16/eager < N/train/16/gorgonia",
			"train / eager: M/train/8/eager < M/train/8/gorgonia", "train / gomlx: M/train/8/gomlx < M/train/8/gorgonia"}},
		"a setting": {[]results.Run{threads}, Query{Base: "threads=1", Filter: "allocator:default"}, []string{
			"2: M/train/8/threads=2/eager < M/train/8/eager", "4: M/train/8/threads=4/eager < M/train/8/eager",
			"2: M/train/8/threads=2/gomlx < M/train/8/gomlx", "2: M/train/16/threads=2/eager < M/train/16/eager"}},
		"two settings at once": {[]results.Run{threads}, Query{Base: "threads=2,backend=gomlx", Filter: "batch:8 allocator:default -threads:4"}, []string{
			"1,eager: M/train/8/eager < M/train/8/threads=2/gomlx", "1,gomlx: M/train/8/gomlx < M/train/8/threads=2/gomlx",
			"2,eager: M/train/8/threads=2/eager < M/train/8/threads=2/gomlx"}},
		"the plain allocator": {[]results.Run{threads}, Query{Base: "allocator=default", Filter: "threads:1 batch:8 backend:eager"}, []string{
			"tuned: M/train/8/allocator=tuned/eager < M/train/8/eager"}},
		"other programs by request": {[]results.Run{threads}, Query{Base: "batch=8", Filter: "backend:eager threads:1 allocator:default"}, []string{
			"16: M/train/16/eager < M/train/8/eager"}},
		"an ignored setting": {[]results.Run{threads}, Query{Base: "backend=eager", Ignore: "threads", Filter: "(backend:eager threads:4) OR (backend:gomlx threads:2)"}, []string{
			"gomlx: M/train/8/threads=2/gomlx < M/train/8/threads=4/eager"}},
		"two runs": {[]results.Run{first, second}, Query{}, []string{
			"second: second:M/train/8/eager < first:M/train/8/eager", "second: second:M/train/8/gomlx < first:M/train/8/gomlx",
			"second: second:N/train/8/eager < first:N/train/8/eager (not the same work: the programs are sha256:aaaaaaaaaaaa and sha256:bbbbbbbbbbbb; hint: measure the base again with this version of the workload)",
			"second: second:O/train/8/eager < first:O/train/8/eager", "second: second:P/train/8/eager < first:P/train/8/eager"}},
		"the second run as the base": {[]results.Run{first, second}, Query{Base: "run=second", Filter: "workload:M backend:eager"}, []string{
			"first: first:M/train/8/eager < second:M/train/8/eager"}},
		"backends within each run": {[]results.Run{first, second}, Query{Base: "backend=eager", Filter: "workload:M"}, []string{
			"gomlx: first:M/train/8/gomlx < first:M/train/8/eager", "gomlx: second:M/train/8/gomlx < second:M/train/8/eager"}},
		"what a filter leaves out has not vanished": {[]results.Run{first, second}, Query{Filter: "workload:O run:first"}, nil},
		"nothing beside the base":                   {[]results.Run{run("d", "M train 8 gorgonia")}, Query{}, []string{"alone: M/train/8/gorgonia"}},
		"one name, two programs": {[]results.Run{run("d", "M train 8 gorgonia", "M train 8 gorgonia hash=sha256:bbbb", "M train 8 eager hash=sha256:bbbb")}, Query{}, []string{
			"eager: M/train/8/eager < M/train/8/gorgonia"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Select(c.runs, c.q)
			if err != nil {
				t.Fatal(err)
			}
			if got := describe(s, c.runs); !slices.Equal(got, c.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(c.want, "\n  "))
			}
			for _, l := range s.Lines {
				if l.Base.Cell.Hash != l.Head.Cell.Hash && l.Reason == "" && l.Base.Cell.Batch == l.Head.Cell.Batch && slices.Contains(c.runs[l.Head.Run].Meta.Cells, l.Head.Cell) && slices.Contains(c.runs[l.Base.Run].Meta.Cells, l.Base.Cell) {
					t.Errorf("compares other work: %+v", l)
				}
			}
		})
	}
}

func TestSelectRefuses(t *testing.T) {
	for _, c := range []struct {
		runs []results.Run
		q    Query
		want string
	}{
		{[]results.Run{run("runs/empty")}, Query{}, "runs/empty: the run has no cells"},
		{[]results.Run{one}, Query{Filter: "bakend:eager"}, `--filter: unknown key "bakend"; did you mean "backend"?`},
		{[]results.Run{one}, Query{Filter: "mode:train OR (backend:eager -hue:/a:b/)"}, `unknown key "hue"`},
		{[]results.Run{one}, Query{Filter: "mode:"}, "--filter \"mode:\": syntax error: expected key:value"},
		{[]results.Run{one}, Query{Filter: "mode:/("}, "--filter"},
		{[]results.Run{one}, Query{Filter: ".unit:sec/step"}, "--metric names what is compared"},
		{[]results.Run{one}, Query{Filter: "mode:trian"}, `no cell of 7 passes the filter "mode:trian"`},
		{[]results.Run{one}, Query{Row: "workload,hue"}, `--row: unknown key "hue"`},
		{[]results.Run{one}, Query{Row: "workload@up"}, `--row "workload@up": syntax error: unknown order`},
		{[]results.Run{one}, Query{Row: "workload,workload"}, "workload is there twice"},
		{[]results.Run{one}, Query{Row: "workload", Table: "workload"}, "--table and --row both name workload"},
		{[]results.Run{one}, Query{Col: "backend@(nope)"}, "no cell of 7 passes"},
		{[]results.Run{one}, Query{Base: "backend=pytorch"}, "the base is backend=pytorch: no cell has it; expected one of eager, gorgonia, gomlx"},
		{[]results.Run{one}, Query{Base: "eager", Filter: "backend:gomlx"}, "the filter leaves none of its cells"},
		{[]results.Run{one}, Query{Base: "hue=1"}, `--base "hue=1": unknown key "hue"`},
		{[]results.Run{one}, Query{Base: "threads="}, "expected KEY=VALUE"},
		{[]results.Run{one}, Query{Base: "threads=1,threads=2"}, "threads is there twice"},
		{[]results.Run{one}, Query{Base: "threads=1", Ignore: "threads"}, "--ignore leaves out threads, which is compared"},
		{[]results.Run{threads}, Query{Base: "backend=eager", Ignore: "threads,allocator"}, "two cells stand where one is compared"},
		{[]results.Run{{Dir: "d", Meta: results.Meta{Cells: one.Meta.Cells}}}, Query{}, "the run names no baseline"},
	} {
		_, err := Select(c.runs, c.q)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: got %v, want %q in one line", c.q, err, c.want)
		}
	}
}

func TestLabels(t *testing.T) {
	labelled := run("a/x")
	labelled.Meta.Label = "v2"
	for _, c := range []struct {
		runs []results.Run
		want string
	}{
		{[]results.Run{run("a/x"), run("a/y")}, "x,y"},
		{[]results.Run{run("a/x"), run("b/x")}, "a/x,b/x"},
		{[]results.Run{labelled, run("a/y")}, "v2,y"},
		{[]results.Run{labelled, labelled}, "a/x#1,a/x#2"},
	} {
		if got := strings.Join(Labels(c.runs), ","); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

// Any expression is a selection or an error in one line.
func FuzzSelect(f *testing.F) {
	f.Add("backend=eager", "mode:train -workload:(M OR /N/)", "workload@alpha", "backend", "mode@(train)", "threads")
	f.Add("", `"mode":"train"`, ".name,/batch@num", "", "", "")
	f.Fuzz(func(t *testing.T, base, filter, row, col, table, ignore string) {
		_, err := Select([]results.Run{one, threads}, Query{Base: base, Filter: filter, Row: row, Col: col, Table: table, Ignore: ignore})
		if err != nil && (err.Error() == "" || strings.ContainsAny(err.Error(), "\n\r")) {
			t.Errorf("%q", err)
		}
	})
}
