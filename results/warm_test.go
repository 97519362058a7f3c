package results

import (
	"slices"
	"strings"
	"testing"
)

// Of a cell's memory trials those that did not compile are used, where there are some.
func TestWarm(t *testing.T) {
	record := func(backend, kind, cache, end string) *Record {
		r := &Record{Kind: kind, Cell: plain(), End: end, Memory: &Memory{PeakPSS: ptr(int64(len(cache)))}}
		r.Cell.Backend, r.Worker.CompileCache = backend, cache
		return r
	}
	var (
		cold     = record("a", KindMemory, "cold", EndOK)
		warm     = record("a", KindMemory, "warm", EndOK)
		timed    = record("a", KindTime, "cold", EndOK)
		alone    = record("b", KindMemory, "cold", EndOK)
		failed   = record("b", KindMemory, "warm", EndCrashed)
		uncached = record("c", KindMemory, "", EndOK)
	)
	all := []*Record{cold, warm, timed, alone, failed, uncached}
	if got := Warm(all); !slices.Equal(got, []*Record{warm, timed, alone, failed, uncached}) {
		t.Errorf("%d of %d records are left", len(got), len(all))
	}
	if all[0] != cold {
		t.Error("the argument was changed")
	}
	if got := Warm(nil); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

// The exports say which memory trials are used.
func TestExportsPreferWarm(t *testing.T) {
	run := Run{Meta: Meta{Cells: []Cell{plain()}}}
	for i, cache := range []string{"cold", "warm"} {
		run.Records = append(run.Records, Record{Kind: KindMemory, Attempt: i + 1, Cell: plain(), End: EndOK, Worker: Worker{CompileCache: cache}, Memory: &Memory{PeakPSS: ptr(int64(111 * (i + 1)))}})
	}
	var b strings.Builder
	if err := ExportBench(&b, run); err != nil || strings.Contains(b.String(), " 111 ") || !strings.Contains(b.String(), " 222 ") {
		t.Errorf("%v\n%s", err, b.String())
	}
	b.Reset()
	if err := ExportCSV(&b, run); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	if len(lines) != 4 || !strings.Contains(lines[1], ",memory,0,1,0,false,") || !strings.Contains(lines[2], ",memory,0,2,0,true,") {
		t.Errorf("%s", b.String())
	}
}
