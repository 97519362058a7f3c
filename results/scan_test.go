package results

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// A key that the scanner does not know makes it leave every line to
// encoding/json: right, and slow without a word. So does one out of order.
func TestScannerKnowsEveryField(t *testing.T) {
	for _, c := range []struct {
		of   any
		keys []string
	}{
		{Record{}, keysOf(recordFields)}, {Phase{}, keysOf(phaseFields)}, {Usage{}, keysOf(usageFields)},
		{Steady{}, keysOf(steadyFields)}, {Check{}, keysOf(checkFields)}, {Disturbance{}, keysOf(disturbanceFields)},
	} {
		var want []string
		typ := reflect.TypeOf(c.of)
		for f := range typ.Fields() {
			if tag, ok := f.Tag.Lookup("json"); ok {
				name, _, _ := strings.Cut(tag, ",")
				want = append(want, name)
			}
		}
		if !slices.Equal(c.keys, want) {
			t.Errorf("%v: the scanner knows %q, its fields are %q", typ, c.keys, want)
		}
	}
}

func keysOf[T any](fields []field[T]) (keys []string) {
	for _, f := range fields {
		keys = append(keys, f.key)
	}
	return keys
}

// full is a record that has a value in every field.
func full() Record {
	n, f, yes := int64(12345678901), 0.25, true
	check := &Check{Status: "wrong", Worst: "param/fc1", Got: 1e-300, Want: -2.5, Error: 4.5e7, Ceiling: 1, Floor: 1e-9, Reason: "nicht \"gut\" <ü>\n", Losses: []float64{1, 2.25}, Curve: &Curve{Losses: []float64{3, 2}, Correct: []int{1, 4}, Examples: 8, Epoch: 2, Oracle: []float64{3}}, CurveWhy: "no \"answer\""}
	return Record{
		Schema: Schema, Kind: KindTime, Round: 3, Attempt: 2, Order: 7, Planned: 9, Cell: plain(),
		Work: Work{1, 2, 3, 4, 5, 6, 7, 8}, Start: "2026-11-20T08:00:00Z", WallNS: n, End: EndCrashed, Reason: "a\tb", Phase: "measure", Signal: "SIGSEGV", Stderr: "last\nwords\\", Shared: true,
		Worker:  Worker{Kind: "eager", Versions: map[string]string{"go": "1.26"}, Threads: 2, TF32: &yes, DTypes: map[string]string{"params": "f32"}, Params: 5, Segments: 2},
		Phases:  []Phase{{Name: "import", WallNS: n, HWM: &n}, {Name: "build", WallNS: 2, HWMWhy: "denied", Steps: 3}},
		BlockNS: []int64{0, 7, 42, 1234567, 12345678, 123456789, 999999999999999999}, StepsPerBlock: 2,
		Usage: &Usage{n, n, &n, &n, &n, &n, &n}, Steady: &Steady{true, 15}, Loss: &f, Check: check, FinalCheck: check,
		Memory:  &Memory{ImportPSS: &n, Absent: map[string]string{"device": "no GPU"}, Timeline: []Point{{1, 2}}},
		Disturb: &Disturbance{&n, &n, &n, &n, 5, &GPU{Name: "H", Samples: 2, Slowdowns: []string{"heat"}}},
	}
}

func lineOf(t testing.TB, r Record) []byte {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

// What a Journal writes goes the fast way, and comes out as it went in.
func TestScannerReadsWhatAJournalWrites(t *testing.T) {
	least := Record{Schema: Schema, Kind: KindTime, Cell: plain(), End: EndOK, Phases: []Phase{}}
	for i, want := range []Record{full(), least} {
		m := newMemo()
		for range 2 { // the second time from the memo
			got, ok := m.scanRecord(lineOf(t, want))
			if !ok {
				t.Fatalf("record %d took the slow way", i)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("record %d:\n got %+v\nwant %+v", i, got, want)
			}
		}
	}
}

// What a Journal never writes is left to encoding/json.
func TestScannerGivesUp(t *testing.T) {
	line := string(lineOf(t, full()))
	for _, c := range []struct{ old, with string }{
		{`"schema":1`, `"schema":2`},
		{`"schema":1`, `"schema":01`},
		{`"schema":1`, `"schema":1.0`},
		{`"schema":1`, `"schema":1e0`},
		{`"schema":1`, `"schema":-1`},
		{`"schema":1`, `"schema":"1"`},
		{`"schema":1`, `"schema":null`},
		{`"schema":1`, ` "schema":1`},
		{`"schema":1`, `"Schema":1`},
		{`"schema":1`, `"schema":1,"schema":1`},
		{`"schema":1`, `"schema":1,"new":1`},
		{`"schema":1,"kind":"time"`, `"kind":"time","schema":1`},
		{`"round":3`, `"round":12345678901234567890`},
		{`"loss":0.25`, `"loss":NaN`},
		{`"loss":0.25`, `"loss":Infinity`},
		{`"loss":0.25`, `"loss":1e999`},
		{`"loss":0.25`, `"loss":0x1p-2`},
		{`"loss":0.25`, `"loss":.25`},
		{`"loss":0.25`, `"loss":0.`},
		{`"loss":0.25`, `"loss":+0.25`},
		{`"loss":0.25`, `"loss":00.25`},
		{`"loss":0.25`, `"loss":1_0`},
		{`[0,7,42`, `[0,-7,42`},
		{`[0,7,42`, `[0,07,42`},
		{`[0,7,42`, `[0,7.0,42`},
		{`[0,7,42`, `[0,,42`},
		{`[0,7,42`, `[,7,42`},
		{`999999999999999999]`, `9999999999999999999]`},
		{`999999999999999999]`, `999999999999999999,]`},
		{`"shared":true`, `"shared":True`},
		{`"kind":"time"`, "\"kind\":\"ti\xffme"},
		{"}\n", "}}\n"},
		{"}\n", "} \n"},
		{"}\n", "}\n\n"},
		{"}\n", "\n"},
	} {
		changed := strings.Replace(line, c.old, c.with, 1)
		if changed == line {
			t.Fatalf("%s is not in the line", c.old)
		}
		if _, ok := newMemo().scanRecord([]byte(changed)); ok {
			t.Errorf("%s for %s was accepted", c.with, c.old)
		}
	}
}

// A scanner accepts nothing that encoding/json refuses, and reads nothing
// differently.
func FuzzScanRecord(f *testing.F) {
	f.Add(lineOf(f, full()))
	f.Add([]byte(`{"schema":1,"kind":"\u00e9\ud83d","phases":null,"block_ns":[12345678,123456789012345678,0]}`))
	f.Add([]byte(`{"schema":1,"work":{"examples":1,"Examples":2},"worker":{"versions":{"a":"b","a":"c"}},"loss":-0,"check":{"losses":[]}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		m := newMemo()
		for range 2 {
			got, ok := m.scanRecord(line)
			if !ok {
				return
			}
			var want Record
			if _, err := strict(line, &want, &want.Schema); err != nil {
				t.Fatalf("accepted, though %v", err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("got %+v\nwant %+v", got, want)
			}
		}
	})
}

// Numbers of every length at every distance from the end of the line.
func TestDigits(t *testing.T) {
	for length := 1; length <= 18; length++ {
		for after := range 10 {
			var want uint64
			var b []byte
			for i := range length {
				d := uint64(i*7+3) % 10
				want = want*10 + d
				b = append(b, byte('0'+d))
			}
			for _, end := range []string{",", "]", "/", ":", "\xff", "\x00", "."} {
				s := scanner{b: append(slices.Clone(b), strings.Repeat(end, after)...)}
				if got, ok := s.digits(); !ok || got != want || s.i != length {
					t.Fatalf("%q: %d, %v, stopped at %d", s.b, got, ok, s.i)
				}
			}
		}
	}
}

// A chunk that ends anywhere gives the same records, and an error the same line.
func TestChunks(t *testing.T) {
	r := full()
	var file []byte
	for i := range 300 {
		r.Round = i + 1
		r.Stderr = strings.Repeat("x", i*i%5000)
		file = append(file, lineOf(t, r)...)
	}
	torn := append(slices.Clone(file), `{"schema":1,`...)
	planned := map[Cell]bool{plain(): true}
	for _, step := range []int{1 << 30, 5000, 77} {
		records, whole, left, err := readTrials(&slowly{torn, step}, "t", planned, (*Record).ownBlocks)
		if err != nil || len(records) != 300 || int(whole) != len(file) || left != 12 {
			t.Fatalf("by %d bytes: %d records, %d whole, %d torn, %v", step, len(records), whole, left, err)
		}
		for i, got := range records {
			if got.Round != i+1 || !reflect.DeepEqual(got.BlockNS, r.BlockNS) {
				t.Fatalf("by %d bytes: record %d is %+v", step, i, got)
			}
		}
		bad := bytes.Replace(file, []byte(`"round":251,`), []byte(`"round":"x",`), 1)
		bad = bytes.Replace(bad, []byte(`"round":290,`), []byte(`"round":"y",`), 1)
		if _, _, _, err := readTrials(&slowly{bad, step}, "t", planned, (*Record).ownBlocks); err == nil || !strings.HasPrefix(err.Error(), "t:251: column ") {
			t.Errorf("by %d bytes: %v", step, err)
		}
	}
}

// slowly reads some bytes at a time.
type slowly struct {
	rest []byte
	step int
}

func (s *slowly) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.step)], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// The sum in whole numbers is the sum in floating point.
func TestSum(t *testing.T) {
	for _, top := range []int64{1, 1e6, exactSum - 1, exactSum, 1 << 60, math.MaxInt64} {
		var ns []int64
		var want float64
		for i := range int64(2000) {
			v := top - (top/2000)*i
			ns = append(ns, v)
			want += float64(v)
		}
		if got := sum(ns); got.total != want || got.n != 2000 || got.negative {
			t.Errorf("up to %d: %+v, want %v", top, got, want)
		}
	}
	if got := sum([]int64{3, -1, 1 << 50}); !got.negative {
		t.Errorf("a negative block: %+v", got)
	}
}

// Metrics of a record without its blocks are those of the record with them.
func TestSummedRecordsHaveTheSameMetrics(t *testing.T) {
	r := full()
	r.End = EndOK
	for name, blocks := range map[string][]int64{
		"plain": func() (b []int64) {
			for i := range 1000 {
				b = append(b, int64(1e6+(i*7919)%1000))
			}
			return b
		}(),
		"negative": {5, -1, 7}, "zero": {0, 0}, "none": nil, "huge": {math.MaxInt64, math.MaxInt64, 1},
	} {
		for _, perBlock := range []int{1, 4} {
			whole := r
			whole.BlockNS, whole.StepsPerBlock = blocks, perBlock
			part := whole
			part.BlockNS = slices.Clone(blocks)
			part.summarize(Metrics)
			for _, m := range Metrics {
				a, ok1 := m.Of(whole)
				b, ok2 := m.Of(part)
				if a != b || ok1 != ok2 {
					t.Errorf("%s, %d per block: %s is %v, %v, and of the sum %v, %v", name, perBlock, m.Name, a, ok1, b, ok2)
				}
			}
			if part.Steps() != whole.Steps() {
				t.Errorf("%s: %d steps, %d", name, part.Steps(), whole.Steps())
			}
		}
	}
}
