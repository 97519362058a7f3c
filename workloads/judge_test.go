package workloads

import (
	"encoding/json"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
)

func sampleGolden() Golden {
	return Golden{
		Schema: GoldenSchema, Program: "sha256:0123456789abcdef", Name: "Sample/train/2",
		Losses: []float64{2, 1.5, 1.25, 1},
		Tensors: map[string]Fingerprint{
			"logits": {Norm: 10, Proj: 3}, "grad/w": {Norm: 1, Proj: -0.5}, "param/w": {Norm: 4, Proj: 0},
		},
		Budgets: map[Precision]Budget{
			F32:     {Losses: []float64{1e-5, 1e-5, 2e-5, 4e-5}, Tensors: map[string]float64{"logits": 1e-5, "grad/w": 1e-5, "param/w": 1e-5}},
			TF32:    {Losses: []float64{.1, .1, .1, .1}, Tensors: map[string]float64{"logits": .1, "grad/w": .1, "param/w": .1}},
			BF16Mix: {Losses: []float64{.1, .1, .1, .1}, Tensors: map[string]float64{"logits": .1, "grad/w": .1, "param/w": .1}, Floor: 1e-4},
			F16Mix: {
				Losses: []float64{.1, .1, .1, .1}, Tensors: map[string]float64{"logits": .1, "grad/w": .1, "param/w": .1},
				Exact: &Digest{Losses: []float64{2, 2, 1.5, 1.25}, Tensors: map[string]Fingerprint{"logits": {Norm: 10, Proj: 3}, "grad/w": {Norm: 1, Proj: -0.5}, "param/w": {Norm: 5, Proj: 0}}},
			},
		},
	}
}

// sampleDigest is the golden's answer with all values scaled by 1+off.
func sampleDigest(off float64, change func(*Digest)) Digest {
	g := sampleGolden()
	d := Digest{Tensors: map[string]Fingerprint{}}
	for _, l := range g.Losses[:3] {
		d.Losses = append(d.Losses, l*(1+off))
	}
	for n, f := range g.Tensors {
		d.Tensors[n] = Fingerprint{f.Norm * (1 + off), f.Proj}
	}
	if change != nil {
		change(&d)
	}
	return d
}

// skipped makes the digest that of a worker whose first update was skipped.
func skipped(d *Digest) {
	off := d.Losses[0] / 2
	d.Losses = []float64{2 * off, 2 * off, 1.5 * off}
	d.Tensors["param/w"] = Fingerprint{5 * off, 0}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name   string
		digest Digest
		p      Precision
		status string
		worst  string
		reason string
	}{
		{"exact", sampleDigest(0, nil), F32, StatusOK, "loss 0", ""},
		{"within", sampleDigest(0.9e-5, nil), F32, StatusOK, "", ""},
		{"beyond", sampleDigest(1.1e-5, nil), F32, StatusWrong, "", "error 1.10e-05, ceiling 1.00e-05"},
		{"one loss", sampleDigest(0, func(d *Digest) { d.Losses[2] *= 1.01 }), F32, StatusWrong, "loss 2", "loss 2 is 1.2625, expected 1.25"},
		{"permuted: same norm, other projection", sampleDigest(0, func(d *Digest) { d.Tensors["param/w"] = Fingerprint{4, 0.01} }), F32, StatusWrong, "param/w", "projection of param/w is 0.01, expected 0: error 2.50e-03, ceiling 1.00e-05; the norm agrees"},
		{"worst relative to its ceiling", sampleDigest(0, func(d *Digest) { d.Losses[2] += 4e-5; d.Tensors["grad/w"] = Fingerprint{1 + 3e-5, -0.5} }), F32, StatusWrong, "grad/w", ""},
		{"NaN loss", sampleDigest(0, func(d *Digest) { d.Losses[1] = math.NaN() }), F32, StatusWrong, "loss 1", "loss 1 is NaN"},
		{"infinite norm", sampleDigest(0, func(d *Digest) { d.Tensors["logits"] = Fingerprint{math.Inf(1), 3} }), F32, StatusWrong, "logits", "norm of logits is +Inf"},
		{"NaN projection", sampleDigest(0, func(d *Digest) { d.Tensors["logits"] = Fingerprint{10, math.NaN()} }), F32, StatusWrong, "logits", "projection of logits is NaN"},
		{"missing tensor", sampleDigest(0, func(d *Digest) { delete(d.Tensors, "param/w") }), F32, StatusWrong, "param/w", "missing param/w"},
		{"no gradients at all", sampleDigest(0, func(d *Digest) { delete(d.Tensors, "grad/w") }), F32, StatusOK, "", ""},
		{"another gradient only", sampleDigest(0, func(d *Digest) { delete(d.Tensors, "grad/w"); d.Tensors["grad/x"] = Fingerprint{} }), F32, StatusWrong, "grad/w", "missing grad/w"},
		{"extra tensor", sampleDigest(0, func(d *Digest) { d.Tensors["param/x\n"] = Fingerprint{} }), F32, StatusWrong, "", `unexpected "param/x\n"`},
		{"no losses", sampleDigest(0, func(d *Digest) { d.Losses = nil }), F32, StatusWrong, "loss 0", "no losses"},
		{"more steps than the golden", sampleDigest(0, func(d *Digest) { d.Losses = make([]float64, 9) }), F32, StatusUnproven, "", "the golden covers 4"},
		{"bf16 within", sampleDigest(1e-2, nil), BF16Mix, StatusOK, "", ""},
		{"below the floor", sampleDigest(1e-6, nil), BF16Mix, StatusWrong, "", "precision not applied"},
		{"computed in f32", sampleDigest(9e-6, func(d *Digest) { d.Tensors["grad/w"] = Fingerprint{1.05, -0.5} }), TF32, StatusWrong, "", "every loss and tensor lies within the budget of f32"},
		{"one tensor beyond f32", sampleDigest(9e-6, func(d *Digest) { d.Tensors["param/w"] = Fingerprint{4.0001, 0} }), TF32, StatusOK, "", ""},
		{"one loss beyond f32", sampleDigest(9e-6, func(d *Digest) { d.Losses[1] *= 1.0001 }), TF32, StatusOK, "", ""},
		{"an update where steps are skipped", sampleDigest(1e-3, nil), F16Mix, StatusWrong, "loss 1", "loss 1 is 1.5015, expected 2"},
		{"skipped steps", sampleDigest(1e-3, skipped), F16Mix, StatusOK, "", ""},
		{"skipped steps in f32", sampleDigest(0, skipped), F16Mix, StatusWrong, "", "every loss and tensor lies within the budget of f32"},
		{"no budget", sampleDigest(0, nil), F64, StatusUnproven, "", "no budget for precision f64"},
	} {
		j := Judge(sampleGolden(), c.digest, c.p)
		if j.Status != c.status || (c.worst != "" && j.Worst != c.worst) || !strings.Contains(j.Reason, c.reason) || (j.Status == StatusOK) != (j.Reason == "") {
			t.Errorf("%s: %+v", c.name, j)
		}
		if strings.Contains(j.Reason, "\n") {
			t.Errorf("%s: reason of more than one line", c.name)
		}
		if _, err := json.Marshal(j); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if j := Judge(Golden{}, sampleDigest(0, nil), F32); j.Status != StatusUnproven {
		t.Errorf("without a golden: %+v", j)
	}
	j := Judge(sampleGolden(), sampleDigest(0, func(d *Digest) { d.Losses[0] = 2.5 }), BF16Mix)
	if want := (Judgement{Status: StatusWrong, Worst: "loss 0", Got: 2.5, Want: 2, Error: 0.25, Ceiling: 0.1, Floor: 1e-4, Reason: j.Reason}); j != want {
		t.Errorf("%+v, expected %+v", j, want)
	}
}

// Losses of masks near those of rate 0 are not taken for them in 16 bits, where
// ceilings are wide.
func TestDropsNothing(t *testing.T) {
	g := sampleGolden()
	scaled := func(by float64) (losses []float64) {
		for _, l := range g.Losses[:3] {
			losses = append(losses, l*by)
		}
		return losses
	}
	for _, c := range []struct {
		name   string
		losses []float64
		p      Precision
		want   bool
	}{
		{"the same", scaled(1), F32, true},
		{"rounded", scaled(1 + 0.9e-5), F32, true},
		{"dropped", scaled(1.001), F32, false},
		{"one dropped", append(scaled(1)[:2], 1.3), F32, false},
		{"rounded to 16 bits", scaled(1.02), BF16Mix, true},
		{"dropped, within the ceiling", scaled(1.05), BF16Mix, false},
		{"NaN", []float64{2, 1.5, math.NaN()}, F32, false},
		{"nothing", nil, F32, false},
		{"more than the golden has", make([]float64, 9), F32, false},
		{"no budget", scaled(1), F64, false},
	} {
		if got := DropsNothing(g, c.losses, c.p); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

func TestJudgeLoss(t *testing.T) {
	g := sampleGolden()
	drop := sampleGolden()
	drop.Dropout, drop.LossBand = true, []Band{{2, 2.2}, {1.4, 1.8}}
	for _, c := range []struct {
		name    string
		golden  Golden
		step    int
		loss    float64
		dropout bool
		status  string
		reason  string
	}{
		{"exact", g, 3, 1, false, StatusOK, ""},
		{"beyond", g, 3, 1.001, false, StatusWrong, "loss 3 is 1.001, expected 1"},
		{"NaN", g, 3, math.NaN(), false, StatusWrong, "NaN"},
		{"past the end", g, 4, 1, false, StatusUnproven, "covers 4 steps"},
		{"negative step", g, -1, 1, false, StatusUnproven, "covers 4 steps"},
		{"in the band", drop, 1, 1.7, true, StatusOK, ""},
		{"above the band", drop, 1, 1.9, true, StatusWrong, "outside the dropout band 1.4 to 1.8"},
		{"below the band", drop, 0, 1.9, true, StatusWrong, "outside the dropout band"},
		{"NaN and a band", drop, 1, math.NaN(), true, StatusWrong, "NaN"},
		{"past the band", drop, 2, 1, true, StatusUnproven, "band covers 2 steps"},
		{"dropout off", drop, 1, 1.5, false, StatusOK, ""},
		{"dropout off, loss of a mask", drop, 1, 1.7, false, StatusWrong, "expected 1.5"},
	} {
		j := JudgeLoss(c.golden, c.step, c.loss, F32, c.dropout)
		if j.Status != c.status || !strings.Contains(j.Reason, c.reason) {
			t.Errorf("%s: %+v", c.name, j)
		}
		if _, err := json.Marshal(j); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestJudgeLossOfSkippedSteps(t *testing.T) {
	g := sampleGolden()
	if j := JudgeLoss(g, 1, 2.01, F16Mix, false); j.Status != StatusOK {
		t.Errorf("the loss of a skipped step: %+v", j)
	}
	if j := JudgeLoss(g, 1, 1.5, F16Mix, false); j.Status != StatusWrong {
		t.Errorf("the loss after an update that ought to be skipped: %+v", j)
	}
}

func TestGoldenFiles(t *testing.T) {
	dir := t.TempDir()
	g := sampleGolden()
	g.Dialect = "adam-epsilon=uncorrected"
	path, err := WriteGolden(dir, g)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ReadGolden(path)
	if err != nil || !reflect.DeepEqual(back, g) {
		t.Errorf("%+v: %v", back, err)
	}
	first, _ := os.ReadFile(path)
	if _, err := WriteGolden(dir, g); err != nil {
		t.Fatal(err)
	}
	if second, _ := os.ReadFile(path); string(first) != string(second) {
		t.Error("the same golden gave other bytes")
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("%d files left", len(files))
	}
	if plain := GoldenFile(g.Program, ""); strings.HasSuffix(path, plain) {
		t.Errorf("dialects share the file %s", plain)
	}
	g.Losses[0] = math.NaN()
	if _, err := WriteGolden(dir, g); err == nil {
		t.Error("NaN went into a golden")
	}
	for want, text := range map[string]string{
		"unknown field":     `{"schema":1,"program":"sha256:0","losses":[1],"color":"red"}`,
		"schema 2":          `{"schema":2,"program":"sha256:0","losses":[1]}`,
		"no program hash":   `{"schema":1,"losses":[1]}`,
		"text after":        `{"schema":1,"program":"sha256:0","losses":[1]}{}`,
		"not a golden: EOF": ``,
	} {
		if _, err := DecodeGolden([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// TestCommittedGoldens: every committed file decodes and is found under its
// own name.
func TestCommittedGoldens(t *testing.T) {
	entries, err := goldenFiles.ReadDir("goldens")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		data, err := goldenFiles.ReadFile("goldens/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		g, err := DecodeGolden(data)
		if err != nil {
			t.Errorf("%s: %v", e.Name(), err)
			continue
		}
		if _, ok := GoldenFor(Program{Hash: g.Program}, g.Dialect); !ok || GoldenFile(g.Program, g.Dialect) != e.Name() {
			t.Errorf("%s: not found by its hash %s and dialect %q", e.Name(), g.Program, g.Dialect)
		}
	}
	if _, ok := GoldenFor(Program{}, ""); ok {
		t.Error("a program without a hash has a golden")
	}
}

func FuzzDecodeGolden(f *testing.F) {
	data, err := EncodeGolden(sampleGolden())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := DecodeGolden(data)
		if err != nil {
			return
		}
		if _, err := EncodeGolden(g); err != nil {
			t.Error(err)
		}
		Judge(g, sampleDigest(0, nil), F32)
		JudgeLoss(g, 1, 1, F32, true)
	})
}
