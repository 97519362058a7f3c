package main

import (
	"math"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
)

func cell(workload, mode, precision, backend string, threads int) results.Cell {
	return results.Cell{Workload: workload, Mode: mode, Precision: precision, Device: "cpu", Data: "resident", Batch: 8, Accumulate: 1, Threads: threads, Backend: backend}
}

// fixed makes a run in which a cell took step[i] milliseconds per step in round
// i+1 (0: the trial failed) and had peak MiB above import in its memory trial.
func fixed(cells map[results.Cell]struct {
	steps []float64
	peak  int64
}, order ...results.Cell) results.Run {
	var run results.Run
	run.Meta.Cells = order
	for _, c := range order {
		for i, ms := range cells[c].steps {
			r := results.Record{Kind: results.KindTime, Round: i + 1, Attempt: 1, Cell: c, End: results.EndOK, BlockNS: []int64{int64(ms * 1e6)}, StepsPerBlock: 1}
			if ms == 0 {
				r.End, r.Reason = results.EndCrashed, "signal"
			}
			run.Records = append(run.Records, r)
		}
		if peak := cells[c].peak; peak > 0 {
			base, top := int64(100<<20), int64(100<<20)+peak<<20
			run.Records = append(run.Records, results.Record{Kind: results.KindMemory, Cell: c, End: results.EndOK, Memory: &results.Memory{ImportPSS: &base, PeakPSS: &top}})
		}
	}
	return run
}

func TestJudge(t *testing.T) {
	type figures = struct {
		steps []float64
		peak  int64
	}
	cnn := func(b string) results.Cell { return cell("MnistCnn", "train", "f32", b, 1) }
	mlp := func(b string) results.Cell { return cell("MlpInfer", "infer", "f32", b, 2) }
	image := func(precision string) results.Cell { return cell("ImageCnn64px", "train", precision, engine, 1) }
	run := fixed(map[results.Cell]figures{
		cnn(engine): {[]float64{3, 3, 3, 3, 3, 4}, 50},
		cnn("jax"):  {[]float64{6, 6, 6, 6, 6, 6}, 40},
		// The fastest by its median, although its first round is slow.
		cnn("pytorch"): {[]float64{9, 4, 4, 4, 4, 4}, 90},
		// Its valid trial is faster than all, but the ratio is of rounds that both have.
		cnn("tensorflow-session"): {[]float64{0, 0, 0, 0, 0, 0}, 0},
		mlp(engine):               {[]float64{1, 1}, 10},
		mlp("onnxruntime"):        {[]float64{1, 1}, 10},
		image("f32"):              {[]float64{100, 100, 100}, 10},
		image("bf16-mixed"):       {[]float64{60, 40, 40}, 10},
	}, cnn(engine), cnn("jax"), cnn("pytorch"), cnn("tensorflow-session"), mlp(engine), mlp("onnxruntime"), image("f32"), image("bf16-mixed"))

	rows := judge(run)
	for i, want := range []struct {
		what, rival string
		ratio, low  float64
		high        float64
		held        bool
		why         string
	}{
		{"training", "pytorch", 0.75, 1. / 3, 1, false, ""},
		{"inference", "onnxruntime", 1, 1, 1, true, ""},
		{"training", "", 0, 0, 0, false, "no framework was measured"},
		{"bf16-mixed / f32", "eager f32", 0.4, 0.4, 0.4, true, ""},
		{"peak memory", "jax", 1.25, 1.25, 1.25, false, ""},
		{"peak memory", "onnxruntime", 1, 1, 1, true, ""},
		{"peak memory", "", 0, 0, 0, false, "no framework has a figure"},
	} {
		if i >= len(rows) {
			t.Fatalf("%d rows", len(rows))
		}
		r := rows[i]
		if r.what != want.what || r.why != want.why || r.held() != want.held || want.why == "" && r.rival != want.rival {
			t.Errorf("row %d: %+v, want %+v", i, r, want)
		}
		if want.why == "" && (!near(r.ratio.value, want.ratio) || !near(r.ratio.low, want.low) || !near(r.ratio.high, want.high)) {
			t.Errorf("row %d: ratio %+v, want %+v", i, r.ratio, want)
		}
	}
	if !rows[0].open() || rows[1].open() {
		t.Errorf("open: %v with the limit %v in %+v, %v without an interval", rows[0].open(), rows[0].limit, rows[0].ratio, rows[1].open())
	}
	missed := strings.Join(misses(rows), "\n")
	for _, want := range []string{"training, MnistCnn batch=8 threads=1: 0.75 of pytorch, limit 0.6", "peak memory, MnistCnn batch=8 threads=1: 1.25 of jax, limit 1", "ImageCnn64px batch=8 threads=1: no framework"} {
		if !strings.Contains(missed, want) {
			t.Errorf("missed:\n%s\nlacks %s", missed, want)
		}
	}
	if n := strings.Count(missed, "\n") + 1; n != 4 {
		t.Errorf("%d limits missed, want 4:\n%s", n, missed)
	}
	var out strings.Builder
	write(&out, run, rows)
	for _, want := range []string{"0.33-1.00", "MISSED, the interval holds the limit", "3 ms, 50 MiB", "tensorflow-session: time trial ended crashed: signal"} {
		if !strings.Contains(strings.ReplaceAll(out.String(), "backend=", ""), want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// A worker that grew by less than its parameters take has no figure.
func TestPeakBelowParameters(t *testing.T) {
	c, o := cell("MnistMlp", "train", "f32", engine, 1), cell("MnistMlp", "train", "f32", "jax", 1)
	run := fixed(map[results.Cell]struct {
		steps []float64
		peak  int64
	}{c: {[]float64{1}, 5}, o: {[]float64{1}, 1}}, c, o)
	for i := range run.Records {
		run.Records[i].Work.ParamBytes = 2 << 20
	}
	if rows := judge(run); len(rows) != 2 || rows[1].why != "no framework has a figure" {
		t.Errorf("%+v", rows)
	}
}

// A failed engine is a miss, not a row that is left out.
func TestJudgeWithoutTheEngine(t *testing.T) {
	c, o := cell("MnistMlp", "train", "f32", engine, 1), cell("MnistMlp", "train", "f32", "jax", 1)
	rows := judge(fixed(map[results.Cell]struct {
		steps []float64
		peak  int64
	}{c: {[]float64{0, 0}, 0}, o: {[]float64{1, 1}, 5}}, c, o))
	if len(rows) != 2 || rows[0].held() || rows[1].held() || len(misses(rows)) != 2 {
		t.Errorf("%+v", rows)
	}
}

// The intervals that tables of order statistics give at 95 % (David and Nagaraja):
// the extremes with 6 to 8 rounds, the second from either side with 9 to 11.
func TestMedianRatio(t *testing.T) {
	for n, k := range map[int]int{1: 0, 5: 0, 6: 1, 8: 1, 9: 2, 11: 2, 12: 3, 14: 3, 15: 4} {
		var pairs []float64
		for i := n; i >= 1; i-- {
			pairs = append(pairs, float64(i))
		}
		r := medianRatio(pairs)
		low, high := float64(k), float64(n+1-k)
		if k == 0 {
			low, high = r.value, r.value
		}
		if r.value != float64(n+1)/2 || r.low != low || r.high != high || r.rounds != n {
			t.Errorf("%d rounds: %+v, want %v to %v", n, r, low, high)
		}
		if k > 0 && (r.share < 0.95 || r.share > 0.995) || k == 0 && r.share != 0 {
			t.Errorf("%d rounds: the interval holds the median with %v", n, r.share)
		}
	}
	if r := medianRatio([]float64{1, 2, 3, 4, 5, 6}); math.Abs(r.share-0.96875) > 1e-12 {
		t.Errorf("6 rounds: %v, want 1 - 2/64", r.share)
	}
}

func TestProgramRefuses(t *testing.T) {
	var out, errs strings.Builder
	if code := program(nil, &out, &errs); code != 2 || !strings.Contains(errs.String(), "usage") {
		t.Errorf("code %d: %s", code, errs.String())
	}
	if code := program([]string{t.TempDir()}, &out, &errs); code != 2 || !strings.Contains(errs.String(), "no run here") {
		t.Errorf("code %d: %s", code, errs.String())
	}
}

// The limit of bf16-mixed is for AMX: elsewhere the ratio is shown, and not held
// against the engine.
func TestBF16IsHeldToItsLimitOnAMX(t *testing.T) {
	image := func(precision string) results.Cell { return cell("ImageCnn64px", "train", precision, engine, 1) }
	for _, tt := range []struct {
		kernels map[string]string
		held    bool
		verdict string
	}{
		{map[string]string{"bf16-product": "AMX"}, false, "MISSED"},
		{map[string]string{"bf16-product": "AVX512-BF16"}, true, "not judged: the limit is for AMX, this machine has AVX512-BF16"},
		{nil, false, "MISSED"},
	} {
		run := fixed(map[results.Cell]struct {
			steps []float64
			peak  int64
		}{image("f32"): {[]float64{100, 100}, 0}, image("bf16-mixed"): {[]float64{150, 150}, 0}}, image("f32"), image("bf16-mixed"))
		for i := range run.Records {
			run.Records[i].Worker.Kernels = tt.kernels
		}
		r := judge(run)[1]
		if r.what != "bf16-mixed / f32" || r.held() != tt.held || verdict(r) != tt.verdict {
			t.Errorf("%v: %+v held %v, %q; want %v, %q", tt.kernels, r, r.held(), verdict(r), tt.held, tt.verdict)
		}
	}
}
