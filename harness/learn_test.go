package harness

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/workloads"
)

// learner is a worker that answers checks: pace per step, so much more for the
// first check, and whatever it does with the key "correct".
type learner struct {
	pace, compile time.Duration
	correct       func(n int) string // what stands for the counts of n steps; nil: it does not know the key
	refuses       int                // checks of more steps are answered with an error; 0: none
	asked         []string
}

func (l *learner) serve(requests io.Reader, replies io.Writer) {
	for lines := bufio.NewScanner(requests); lines.Scan(); {
		var request backends.CheckRequest
		json.Unmarshal(lines.Bytes(), &request)
		l.asked = append(l.asked, fmt.Sprint(request.Steps, request.Correct))
		time.Sleep(l.compile + time.Duration(request.Steps)*l.pace)
		l.compile = 0
		counts := ""
		if request.Correct && l.correct != nil {
			counts = l.correct(request.Steps)
		}
		if counts == "error" || l.refuses > 0 && request.Steps > l.refuses {
			io.WriteString(replies, `{"t":"error","class":"failed","message":"no"}`+"\n")
			continue
		}
		losses := make([]string, request.Steps)
		for i := range losses {
			losses[i] = fmt.Sprintf("%g", 1/float64(i+1))
		}
		fmt.Fprintf(replies, `{"t":"checked","tensors":{},"losses":[%s]%s}`+"\n", strings.Join(losses, ","), counts)
	}
}

func counts(n int) string {
	return `,"correct":[` + strings.TrimSuffix(strings.Repeat("7,", n), ",") + "]"
}

func TestLearn(t *testing.T) {
	judged := []float64{1, 0.5, 1. / 3}
	for _, tt := range []struct {
		name    string
		worker  learner
		took    time.Duration // of the judged check
		limit   time.Duration // that the trial still has
		batches int
		asked   string
		losses  int
		correct int
	}{
		{"fast", learner{correct: counts}, time.Millisecond, time.Minute, 8, "[3 true 40 true]", 40, 40},
		{"five epochs", learner{correct: counts}, time.Millisecond, time.Minute, 20, "[3 true 100 true]", 100, 100},
		{"long epochs", learner{correct: counts}, time.Millisecond, time.Minute, 1000, "[3 true 200 true]", 200, 200},
		{"knows no counts", learner{}, time.Millisecond, time.Minute, 8, "[3 true 40 true]", 40, 0},
		{"refuses counts", learner{correct: func(int) string { return "error" }}, time.Millisecond, time.Minute, 8, "[3 true 3 false 40 false]", 40, 0},
		{"refuses long checks", learner{correct: counts, refuses: 3}, time.Millisecond, time.Minute, 8, "[3 true 40 true 40 false]", 3, 3},
		// The judged check compiled for 30 s: one step shows the pace.
		{"compiled before", learner{correct: counts}, 30 * time.Second, 5 * time.Minute, 8, "[1 true 40 true]", 40, 40},
		{"slow", learner{correct: counts, pace: 20 * time.Millisecond}, 60 * time.Millisecond, 1600 * time.Millisecond, 8, "[3 true 16 true]", 16, 16},
		{"refuses counts of one step", learner{correct: func(int) string { return "error" }}, 30 * time.Second, 5 * time.Minute, 8, "[1 true 1 false 40 false]", 40, 0},
		// What compiles at the first request says nothing of the pace.
		{"compiles again", learner{correct: counts, compile: 400 * time.Millisecond}, time.Millisecond, 4 * time.Second, 8, "[3 true 3 true 40 true]", 40, 40},
		{"one batch", learner{correct: counts}, time.Millisecond, time.Minute, 1, "[1 true 40 true]", 40, 40},
		// One step is less than what was judged already.
		{"too slow", learner{correct: counts, pace: 300 * time.Millisecond}, 900 * time.Millisecond, 2 * time.Second, 8, "[1 true]", 3, 0},
		{"no time left", learner{correct: counts}, time.Minute, 90 * time.Second, 8, "[]", 3, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			requests, toWorker := io.Pipe()
			fromWorker, replies := io.Pipe()
			defer toWorker.Close()
			go tt.worker.serve(requests, replies)
			tr := &trial{client: backends.NewClient(fromWorker, toWorker), deadline: time.Now().Add(tt.limit)}
			tr.cell.Settings.Mode = workloads.Train
			tr.cell.Program.Data.Batches, tr.cell.Work.Examples, tr.cell.Steps.Check = tt.batches, 16, 3
			tr.cell.Golden = &workloads.Golden{Losses: []float64{1, 0.5, 0.3, 0.2}}
			tr.rec.Check = &results.Check{Status: workloads.StatusOK, Losses: judged}
			if _, err := tr.learn(tt.took); err != nil {
				t.Fatal(err)
			}
			curve := tr.rec.Check.Curve
			asked := fmt.Sprint(tt.worker.asked)
			if tt.name == "slow" { // the clock rounds, and a busy host is slower
				asked = strings.NewReplacer("11 ", "16 ", "12 ", "16 ", "13 ", "16 ", "14 ", "16 ", "15 ", "16 ").Replace(asked)
				tt.losses, tt.correct = len(curve.Losses), len(curve.Losses)
			}
			if asked != tt.asked || len(curve.Losses) != tt.losses || len(curve.Correct) != tt.correct {
				t.Errorf("asked %s, %d losses, %d counts; want %s, %d, %d", asked, len(curve.Losses), len(curve.Correct), tt.asked, tt.losses, tt.correct)
			}
			if why := tr.rec.Check.CurveWhy; (why != "") != (tt.worker.refuses > 0) {
				t.Errorf("why the curve is short: %q", why)
			}
			if curve.Examples != 16 || curve.Epoch != tt.batches || curve.Losses[2] != 1./3 || tt.correct > 0 && curve.Correct[0] != 7 {
				t.Errorf("%+v", curve)
			}
			if want := tr.cell.Golden.Losses[:min(4, tt.losses)]; !slices.Equal(curve.Oracle, want) {
				t.Errorf("the oracle's losses are %v, want %v", curve.Oracle, want)
			}
			if !slices.Equal(tr.rec.Check.Losses, judged) {
				t.Errorf("the judged losses became %v", tr.rec.Check.Losses)
			}
		})
	}
}

// A curve that begins unlike the judged steps, beyond their budget, is none.
func TestCurveBeginsLikeTheJudgedSteps(t *testing.T) {
	for _, tt := range []struct {
		second float64 // judged; the worker now says 0.5
		budget []float64
		want   bool
	}{
		{0.5, []float64{1e-3, 1e-3, 1e-3}, true},
		{0.50049, []float64{1e-3, 1e-3, 1e-3}, true},
		{0.51, []float64{1e-3, 1e-3, 1e-3}, false},
		{0.51, []float64{1e-3, 0.1, 1e-3}, true},
		{0.51, nil, true}, // nothing to hold it to
	} {
		requests, toWorker := io.Pipe()
		fromWorker, replies := io.Pipe()
		go (&learner{correct: counts}).serve(requests, replies)
		tr := &trial{client: backends.NewClient(fromWorker, toWorker), deadline: time.Now().Add(time.Minute)}
		tr.cell.Settings = workloads.Settings{Mode: workloads.Train, Precision: workloads.F32}
		tr.cell.Program.Data.Batches, tr.cell.Work.Examples, tr.cell.Steps.Check = 8, 16, 3
		tr.cell.Golden = &workloads.Golden{Losses: []float64{1, 0.5, 0.3}, Budgets: map[workloads.Precision]workloads.Budget{workloads.F32: {Losses: tt.budget}}}
		tr.rec.Check = &results.Check{Status: workloads.StatusOK, Losses: []float64{1, tt.second, 1. / 3}}
		if _, err := tr.learn(time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if c := tr.rec.Check; (c.Curve != nil) != tt.want || (c.CurveWhy == "") != tt.want {
			t.Errorf("judged %v, budget %v: curve %v, why %q", tt.second, tt.budget, c.Curve, c.CurveWhy)
		}
		toWorker.Close()
	}
}

// A breach of the protocol ends the conversation here as anywhere, and so the curve.
func TestLearnEndsWithTheWorker(t *testing.T) {
	for _, worker := range []learner{
		{correct: func(int) string { return `,"correct":[17]` }},
		{correct: func(n int) string { return strings.Replace(counts(n), "7", "17", 1) }},
	} {
		requests, toWorker := io.Pipe()
		fromWorker, replies := io.Pipe()
		go worker.serve(requests, replies)
		tr := &trial{client: backends.NewClient(fromWorker, toWorker), deadline: time.Now().Add(time.Minute)}
		tr.cell.Settings.Mode = workloads.Train
		tr.cell.Program.Data.Batches, tr.cell.Work.Examples, tr.cell.Steps.Check = 8, 16, 3
		tr.rec.Check = &results.Check{Losses: []float64{1}}
		if _, err := tr.learn(time.Millisecond); err == nil {
			t.Error("17 of 16 examples are right, and nobody minds")
		}
		toWorker.Close()
	}
}
