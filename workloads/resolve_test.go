package workloads

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func resolved(t testing.TB, name string, change func(*Settings)) Program {
	t.Helper()
	s, ok := Find(name)
	if !ok {
		t.Fatalf("no workload %s", name)
	}
	set := DefaultSettings()
	if change != nil {
		change(&set)
	}
	p, err := s.Resolve(set)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestCounts holds parameters and FLOPs to numbers worked out by hand from the
// models' descriptions: forward multiply-adds of one example.
func TestCounts(t *testing.T) {
	lstm := func(t, in, h int64) int64 { return t * 4 * h * (in + h) }
	resnet := int64(32*32*27*64 + 4*32*32*576*64 + // stem, stage 1
		16*16*(576*128+1152*128+64*128) + 2*16*16*1152*128 + // stage 2
		8*8*(1152*256+2304*256+128*256) + 2*8*8*2304*256 +
		4*4*(2304*512+4608*512+256*512) + 2*4*4*4608*512 + 512*10)
	for _, c := range []struct {
		name         string
		params, macs int64
	}{
		{"MlpInfer", 50_890, 784*64 + 64*10},
		{"MnistMlp", 109_386, 784*128 + 128*64 + 64*10},
		{"KerasMlp", 101_770, 784*128 + 128*10},
		{"MnistCnn", 225_034, 2_631_040},
		{"ImageCnn", 1792 + 128 + 73_856 + 256 + 205_521_408 + 5130, 224*224*27*64 + 112*112*576*128 + 56*56*128*512 + 5120},
		{"ImageCnn64px", 1792 + 128 + 73_856 + 256 + 16*16*128*512 + 512 + 5130, 64*64*27*64 + 32*32*576*128 + 16*16*128*512 + 5120},
		{"ImageCnn32px", 1792 + 128 + 73_856 + 256 + 8*8*128*512 + 512 + 5130, 32*32*27*64 + 16*16*576*128 + 8*8*128*512 + 5120},
		{"TextLstm", 1_344_001, lstm(100, 128, 64) + lstm(100, 64, 32) + 32*64 + 64},
		{"TextLstmShort", 1_344_001 - 9000*128, lstm(16, 128, 64) + lstm(16, 64, 32) + 32*64 + 64},
		{"SpeechRnn", 4*256*(128+256+1) + 4*256*(256+256+1) + 2570, lstm(50, 128, 256) + lstm(50, 256, 256) + 2560},
		{"CheckpointStack", 2*1_001_000 + 10_010, 2*1_000_000 + 10_000},
		{"CheckpointStackDeep", 64*1_001_000 + 10_010, 64*1_000_000 + 10_000},
		{"CheckpointStackDeepNarrow", 64*4160 + 650, 64*4096 + 640},
		{"ResNet18Cifar", 11_173_962, resnet},
		{"AttentionText", 2000*64 + 3*128 + 4*64*65 + 64*256 + 256 + 256*64 + 64 + 260,
			4*64*64*32 + 2*32*32*64 + 2*32*64*256 + 256},
	} {
		train := resolved(t, c.name, nil)
		infer := resolved(t, c.name, func(s *Settings) { s.Mode = Infer })
		if got := train.Work.ParamBytes / 4; got != c.params {
			t.Errorf("%s: %d parameters, expected %d", c.name, got, c.params)
		}
		if got, want := train.Work.ModelFLOPs, c.macs*2*3*32; got != want {
			t.Errorf("%s: training step of %d FLOPs, expected %d", c.name, got, want)
		}
		if got, want := infer.Work.ModelFLOPs, c.macs*2*32; got != want {
			t.Errorf("%s: inference step of %d FLOPs, expected %d", c.name, got, want)
		}
		var rows LayerWork
		for _, r := range train.Layers() {
			rows.Params, rows.FLOPs, rows.Activations = rows.Params+r.Params, rows.FLOPs+r.FLOPs, rows.Activations+r.Activations
		}
		if rows.Params != c.params || rows.FLOPs != 2*c.macs || rows.Activations*32*4 != train.Work.ActivationBytes {
			t.Errorf("%s: the table of layers adds up to %+v", c.name, rows)
		}
	}
	if p := resolved(t, "MnistCnn", nil); p.Work.ModelFLOPs != 505_159_680 {
		t.Errorf("MnistCnn at batch 32: %d FLOPs, expected 505159680", p.Work.ModelFLOPs)
	}
}

// TestShippedInvariants holds for every shipped workload in both modes.
func TestShippedInvariants(t *testing.T) {
	for _, s := range Shipped() {
		if s.Title["en"] == "" || s.Title["zh"] == "" || len(s.Source) == 0 {
			t.Errorf("%s: title in en and zh and source expected", s.Workload)
		}
		for _, mode := range Modes {
			p := resolved(t, s.Workload, func(set *Settings) { set.Mode = mode })
			for i, o := range p.Ops {
				for _, in := range o.In {
					if in < -1 || in >= i {
						t.Errorf("%s: op %d reads %d", p.Name, i, in)
					}
				}
				if mode == Infer && o.Op == OpDropout {
					t.Errorf("%s: dropout in inference", p.Name)
				}
			}
			if (p.Optimizer.Op == "") != (mode == Infer) {
				t.Errorf("%s %s: optimizer %q", p.Name, mode, p.Optimizer.Op)
			}
			var back Program
			b, err := json.Marshal(p)
			if err == nil {
				err = json.Unmarshal(b, &back)
			}
			if err != nil || !reflect.DeepEqual(back, p) || back.hash() != p.Hash {
				t.Errorf("%s: does not survive JSON: %v", p.Name, err)
			}
		}
	}
}

func TestHashCovers(t *testing.T) {
	base := resolved(t, "TinyCnn", nil).Hash
	same := map[string]func(*Settings){
		"precision": func(s *Settings) { s.Precision = BF16Mix },
		"device":    func(s *Settings) { s.Device = DeviceCUDA },
		"data":      func(s *Settings) { s.Data = DataHost },
		"threads":   func(s *Settings) { s.Threads = 4 },
		"segments":  func(s *Settings) { s.Checkpoint = 2 },
	}
	for what, change := range same {
		if h := resolved(t, "TinyCnn", change).Hash; h != base {
			t.Errorf("%s changes the hash", what)
		}
	}
	for what, change := range map[string]func(*Settings){
		"mode":       func(s *Settings) { s.Mode = Infer },
		"batch":      func(s *Settings) { s.Batch = 16 },
		"accumulate": func(s *Settings) { s.Accumulate = 2 },
	} {
		if h := resolved(t, "TinyCnn", change).Hash; h == base {
			t.Errorf("%s does not change the hash", what)
		}
	}
	spec, _ := Find("TinyCnn")
	for what, change := range map[string]func(*Spec){
		"name":  func(s *Spec) { s.Workload = "Other" },
		"title": func(s *Spec) { s.Title = nil },
		"steps": func(s *Spec) { s.Steps.Blocks++ },
	} {
		s := spec
		change(&s)
		if p, err := s.Resolve(DefaultSettings()); err != nil || p.Hash != base {
			t.Errorf("%s changes the hash: %v", what, err)
		}
	}
	for what, change := range map[string]func(*Spec){
		"seed":    func(s *Spec) { s.Data.Seed++ },
		"batches": func(s *Spec) { s.Data.Batches++ },
		"rate":    func(s *Spec) { s.Optimizer.Rate *= 2 },
		"epsilon": func(s *Spec) { s.Optimizer.Epsilon = 1e-3 },
		"layer":   func(s *Spec) { s.Layers = slices.Clone(s.Layers); s.Layers[2].Op = OpGELU },
	} {
		s := spec
		change(&s)
		if p, err := s.Resolve(DefaultSettings()); err != nil || p.Hash == base {
			t.Errorf("%s does not change the hash: %v", what, err)
		}
	}
}

func TestResidualAndGroupLowering(t *testing.T) {
	p := resolved(t, "TinyCnn", nil)
	i := slices.IndexFunc(p.Ops, func(o Op) bool { return o.Op == OpAdd })
	add := p.Ops[i]
	if body, short := p.Ops[add.In[0]], p.Ops[add.In[1]]; body.Name != "conv3" || short.Name != "short" {
		t.Errorf("add of %q and %q", body.Name, short.Name)
	}
	deep := resolved(t, "CheckpointStackDeepNarrow", nil)
	if first, last := deep.Params[0].Name, deep.Params[126].Name; first != "fc_1.weight" || last != "fc_64.weight" {
		t.Errorf("repeated names %s to %s", first, last)
	}
	lstm := resolved(t, "TinyLstm", nil)
	var ops []string
	for _, o := range lstm.Ops {
		ops = append(ops, o.Op)
	}
	if got := strings.Join(ops, " "); got != "embedding lstm lstm last-step dense" {
		t.Error(got)
	}
}

// Of a chain only the first layer with parameters stands at the batch, of two
// branches that begin there one of each.
func TestLayersAtTheInput(t *testing.T) {
	p := resolved(t, "TinyCnn", nil)
	at := func(p Program) string {
		var names []string
		for _, l := range p.Layers() {
			if l.AtInput {
				names = append(names, l.Name)
			}
		}
		return strings.Join(names, " ")
	}
	if got := at(p); got != "conv1" {
		t.Errorf("of a chain: %q", got)
	}
	// As if both sides of its residual block read the batch.
	for i, o := range p.Ops {
		if o.Name == "conv2" || o.Name == "short" {
			p.Ops[i].In = []int{-1}
		}
	}
	if got := at(p); got != "conv1 conv2 short" {
		t.Errorf("of branches: %q", got)
	}
}

func TestWithoutDropout(t *testing.T) {
	p := resolved(t, "TinyDropout", nil)
	q := p.WithoutDropout()
	if !p.HasDropout() || q.HasDropout() || q.Hash != p.Hash || len(q.Ops) != len(p.Ops) {
		t.Errorf("rates %v and %v", p.Ops[2].Attr.Rate, q.Ops[2].Attr.Rate)
	}
}

// TestSegments checks, for every shipped workload and number of segments, that
// only the last output of a segment is read from outside.
func TestSegments(t *testing.T) {
	for _, s := range Shipped() {
		plain := resolved(t, s.Workload, nil)
		for n := 1; n <= min(len(plain.cuts()), 9); n++ {
			p := resolved(t, s.Workload, func(set *Settings) { set.Checkpoint = n })
			if len(p.Segments) != n {
				t.Fatalf("%s: %d segments, expected %d", p.Name, len(p.Segments), n)
			}
			next := 0
			for _, seg := range p.Segments {
				if seg.First != next || seg.Last < seg.First || seg.Last == len(p.Ops)-1 {
					t.Errorf("%s: segments %v", p.Name, p.Segments)
				}
				next = seg.Last + 1
				for i, o := range p.Ops {
					for _, in := range o.In {
						if i > seg.Last && in < seg.Last && in >= seg.First {
							t.Errorf("%s: op %d reads %d inside %v", p.Name, i, in, seg)
						}
						if i > seg.Last && in == -1 {
							t.Errorf("%s: op %d reads the batch past %v", p.Name, i, seg)
						}
					}
				}
			}
		}
	}
	p := resolved(t, "CheckpointStackDeepNarrow", func(s *Settings) { s.Checkpoint = 7 })
	for _, seg := range p.Segments {
		if n := seg.Last - seg.First + 1; n < 14 || n > 18 { // 129 ops in 8 parts
			t.Errorf("segment of %d ops", n)
		}
	}
}

func TestActivationWidths(t *testing.T) {
	f32 := resolved(t, "TinyMlp", nil).Work
	for p, want := range map[Precision][2]int64{F64: {2, 2}, F32: {1, 1}, TF32: {1, 1}} {
		w := resolved(t, "TinyMlp", func(s *Settings) { s.Precision = p }).Work
		if w.ParamBytes != want[0]*f32.ParamBytes || w.ActivationBytes != want[1]*f32.ActivationBytes {
			t.Errorf("%s: %+v", p, w)
		}
	}
	mixed := resolved(t, "TinyMlp", func(s *Settings) { s.Precision = BF16Mix }).Work
	if mixed.ParamBytes != f32.ParamBytes || mixed.ActivationBytes*2 != f32.ActivationBytes {
		t.Errorf("mixed: %+v", mixed)
	}
}

func TestSettingsValidate(t *testing.T) {
	for want, change := range map[string]func(*Settings){
		"mode":                func(s *Settings) { s.Mode = "serve" },
		"is unknown":          func(s *Settings) { s.Precision = "f8" },
		"inference only":      func(s *Settings) { s.Precision = Int8 },
		"training only":       func(s *Settings) { s.Mode, s.Precision = Infer, F16Mix },
		"device":              func(s *Settings) { s.Device = "tpu" },
		"data placement":      func(s *Settings) { s.Data = "disk" },
		"batch 0":             func(s *Settings) { s.Batch = 0 },
		"accumulate 0":        func(s *Settings) { s.Accumulate = 0 },
		"does not divide":     func(s *Settings) { s.Accumulate = 3 },
		"threads":             func(s *Settings) { s.Threads = 0 },
		"checkpoint -1":       func(s *Settings) { s.Checkpoint = -1 },
		"accumulated in":      func(s *Settings) { s.Mode, s.Accumulate = Infer, 2 },
		"activations are rec": func(s *Settings) { s.Mode, s.Checkpoint = Infer, 2 },
	} {
		set := DefaultSettings()
		change(&set)
		if err := set.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := DefaultSettings().Validate(); err != nil {
		t.Error(err)
	}
}

// TestResolveLeavesSpecAlone: a spec may be resolved many times.
func TestResolveLeavesSpecAlone(t *testing.T) {
	s, _ := Find("TinyCnn")
	p := resolved(t, "TinyCnn", nil)
	p.Input.Shape[0] = 99
	for _, q := range p.Params {
		q.Shape[0] = 99
	}
	for _, o := range p.Ops {
		o.Shape[0] = 99
	}
	if again, err := s.Resolve(DefaultSettings()); err != nil || again.Hash == "" || again.Params[0].Shape[0] != 4 || again.Input.Shape[0] != 2 {
		t.Errorf("changed through a program: %v", err)
	}
}
