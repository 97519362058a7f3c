package results

import (
	"strings"
	"testing"
)

func plain() Cell {
	return Cell{
		Workload: "MnistCnn", Hash: "sha256:00", Mode: "train", Precision: "f32", Device: "cpu", Data: "resident",
		Batch: 32, Accumulate: 1, Threads: 1, Backend: "gorgonia",
	}
}

func TestCellName(t *testing.T) {
	for _, test := range []struct {
		change func(*Cell)
		want   string
	}{
		{func(*Cell) {}, "MnistCnn/mode=train/precision=f32/batch=32/backend=gorgonia"},
		{func(c *Cell) { c.Backend = "" }, "MnistCnn/mode=train/precision=f32/batch=32"},
		{func(c *Cell) { c.Threads = 4 }, "MnistCnn/mode=train/precision=f32/batch=32/threads=4/backend=gorgonia"},
		{func(c *Cell) {
			c.Device, c.Data, c.Accumulate, c.Threads, c.Checkpoint = "cuda", "host", 2, 8, 3
		}, "MnistCnn/mode=train/precision=f32/device=cuda/data=host/batch=32/accumulate=2/threads=8/checkpoint=3/backend=gorgonia"},
		{func(c *Cell) { c.Threads, c.Allocator = 2, "tuned" }, "MnistCnn/mode=train/precision=f32/batch=32/threads=2/allocator=tuned/backend=gorgonia"},
	} {
		c := plain()
		test.change(&c)
		if got := c.Name(); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestCellGroup(t *testing.T) {
	a, b := plain(), plain()
	b.Backend = "eager"
	if a.Group() != b.Group() {
		t.Errorf("%v and %v are of different groups", a, b)
	}
	b.Batch = 64
	if a.Group() == b.Group() {
		t.Error("cells of different batch are of one group")
	}
	b.Batch, b.Allocator = a.Batch, "tuned"
	if a.Group() == b.Group() {
		t.Error("cells of different allocators are of one group")
	}
}

func TestCellValidate(t *testing.T) {
	for _, test := range []struct {
		change func(*Cell)
		want   string // "" is valid
	}{
		{func(*Cell) {}, ""},
		{func(c *Cell) { c.Backend = "onnxruntime-nospin" }, ""},
		{func(c *Cell) { c.Backend = "tf2.21" }, ""},
		{func(c *Cell) { c.Workload = "Ångström" }, ""},
		{func(c *Cell) { c.Backend = "name-8" }, `backend "name-8" ends in "-8"`},
		{func(c *Cell) { c.Workload = "Mlp-64" }, `workload "Mlp-64" ends in "-64"`},
		{func(c *Cell) { c.Backend = "a/b" }, `backend "a/b"`},
		{func(c *Cell) { c.Backend = "a b" }, `backend "a b"`},
		{func(c *Cell) { c.Backend = "a=b" }, `backend "a=b"`},
		{func(c *Cell) { c.Backend = "" }, `backend ""`},
		{func(c *Cell) { c.Device = "" }, `device ""`},
		{func(c *Cell) { c.Allocator = "tuned" }, ""},
		{func(c *Cell) { c.Allocator = "a/b" }, `allocator "a/b"`},
		{func(c *Cell) { c.Batch = 0 }, "batch 0"},
	} {
		c := plain()
		test.change(&c)
		err := c.Validate()
		if test.want == "" && err != nil {
			t.Errorf("%s: %v", c.Name(), err)
		}
		if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: got %v, want %q", c.Name(), err, test.want)
		}
	}
}
