package report

import (
	"math"
	"slices"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare/claims"
)

// rooflineSection holds achieved FLOP/s against what the machine can do, by the
// model of Williams, Waterman and Patterson, "Roofline: an insightful visual
// performance model for multicore architectures", Communications of the ACM 52(4),
// 2009.
type rooflineSection struct {
	section
	Missing text // why there is no roof
	Command text
	Plots   []roofPlot
	Panels  []roofPanel
	Above   bool // some cell exceeds the model
}

// roofPanel is all backends on one workload and settings.
type roofPanel struct {
	ID            string
	Title, Detail text
	Intensity     text
	Counted       text // what the operations hold, where they are not counted as elsewhere
	Axis          axis
	Limit         string // position of 100 %
	Rows          []roofRow
}

type roofRow struct {
	Backend identity
	Raw     string
	Rate    string // FLOP/s
	Range   string
	Share   text // of the peak
	ShareIv text
	OfRoof  text // of what the intensity allows
	Bar     *bar
	Lo, Hi  string
	Above   bool // more than the model allows
	Why     text
}

// achieved is a cell's FLOP/s with the interval of its throughput.
func (c *cell) achieved() interval {
	flops, _ := c.operations()
	if flops <= 0 {
		return interval{}
	}
	i, n := c.throughput(), flops/c.examples()
	scale := func(p *float64) *float64 {
		if p == nil || !(*p > 0) || math.IsInf(*p*n, 0) {
			return nil
		}
		x := *p * n
		return &x
	}
	return interval{scale(i.Mid), scale(i.Lo), scale(i.Hi)}
}

// leastBytes are the bytes that a step reads and writes if every tensor moves
// once per pass and nothing else does: in training the inputs are read, the
// activations are written and read again by the backward pass, the parameters
// are read by both passes and written by the update, the gradients are written
// and read, the optimizer's state is read and written; with accumulation the
// parameters and gradients of each micro-batch. In inference the inputs and the
// parameters are read and the activations are written. Temporaries add to that;
// fused operations and caches take from it. False where the record does not
// count all of these, as older ones do not.
func leastBytes(c results.Cell, w results.Work) (float64, bool) {
	in, act := float64(w.InputBytes), float64(w.ActivationBytes)
	params, grads, state := float64(w.ParamBytes), float64(w.GradientBytes), float64(w.OptimizerBytes)
	if in <= 0 {
		return 0, false
	}
	if c.Mode != "train" {
		return in + params + act, true
	}
	if grads <= 0 {
		return 0, false
	}
	k := float64(max(1, c.Accumulate))
	return in + 2*act + (2*k+1)*params + 2*k*grads + 2*state, true
}

// intensity is FLOP per byte of a cell's step, in the sense of leastBytes.
func (c *cell) intensity() (float64, bool) {
	w := c.work()
	bytes, ok := leastBytes(c.Cell, w)
	flops, _ := c.operations()
	return flops / bytes, ok && flops > 0
}

// peak is the roof for a group's cells: measured by their run with their number
// of threads and precision; nil where it did not.
func (v *view) peak(g *group) *results.Peak {
	if g.Key.Device != "" && g.Key.Device != "cpu" {
		return nil // the peaks are those of the CPUs
	}
	peaks := v.parts()[g.part].Meta.Peaks
	for i := range peaks {
		p := &peaks[i]
		if p.Threads == g.Key.Threads && p.Precision == g.Key.Precision && p.FLOPPerSecond > 0 && !math.IsInf(p.FLOPPerSecond, 0) {
			return p
		}
	}
	return nil
}

// roof is the FLOP/s that the model allows at an intensity.
func roof(p *results.Peak, intensity float64) float64 {
	if b := p.BytesPerSecond * intensity; b > 0 && b < p.FLOPPerSecond {
		return b
	}
	return p.FLOPPerSecond
}

func (v *view) roofline() rooflineSection {
	s := rooflineSection{section: section{
		ID: "roofline", Nav: text{"Roofline", "屋顶线"},
		Title: text{"How much of the machine is used", "用到了多少机器性能"},
		Lead: text{
			"FLOP/s that a backend reaches: the multiply-adds of the model, 2 FLOP each, divided by the median time per step. Training counts one forward pass and two such for the gradients, less the gradient of the network's input, which nobody needs and no backend computes. The peak was measured on this machine when the run began: multiply-adds on registers with as many threads and in the same precision. Operations that the model does not count, and work that a backend adds of its own, leave the bar short.",
			"各后端达到的 FLOP/s：模型中的乘加（每次计 2 FLOP）除以每步时间的中位数。训练按一次前向加两倍于前向的梯度计算计，但不含首层对网络输入的梯度：没有用处，各后端也都不算。峰值在运行开始时于本机实测：同样的线程数与精度，在寄存器上连续乘加。模型未计入的运算与后端自身的额外开销都会使条形变短。",
		},
	}}
	if !slices.ContainsFunc(v.parts(), func(r results.Run) bool { return len(r.Meta.Peaks) > 0 }) {
		s.Missing = text{
			"Not measured: this run holds no peaks of the machine, so there is no roof and no share. dlbench measures them at the start of each new run:",
			"未测量：本次运行没有机器峰值，因此既无屋顶线，也无占比。dlbench 在每次新运行开始时测量：",
		}
		s.Command = v.again()
	}
	for _, g := range v.groups {
		p := v.roofPanel(g)
		for _, r := range p.Rows {
			s.Above = s.Above || r.Above
		}
		s.Panels = append(s.Panels, p)
	}
	s.Plots = v.roofPlots()
	return s
}

// again is the command that makes a run of the same suite.
func (v *view) again() text { return text(claims.Again(v.run.Meta)) }

func (v *view) roofPanel(g *group) roofPanel {
	p := roofPanel{ID: g.ID, Title: g.Title, Detail: g.Detail}
	if slices.ContainsFunc(g.cells, func(c *cell) bool { _, whole := c.operations(); return whole }) {
		p.Counted = text{
			"counted as three forward passes, the gradient of the network's input with them: this run lists no layers",
			"按三次前向计，含首层对网络输入的梯度：本次运行没有逐层记录",
		}
	}
	top, peak := 0.0, v.peak(g)
	for _, c := range g.cells {
		if peak == nil {
			break
		}
		i := c.achieved()
		for _, x := range []*float64{i.Mid, i.Hi} {
			if x != nil {
				top = max(top, *x/peak.FLOPPerSecond)
			}
		}
		if x, ok := c.intensity(); ok && p.Intensity.Empty() {
			p.Intensity = textf("%s FLOP per byte", "每字节 %s FLOP", sig(x))
		}
	}
	// The whole bar is the peak, unless a cell exceeds it or all stay far below.
	p.Axis = newAxis(100*max(top, min(1, 2*top)), round3, text{"% of the measured peak (vertical line: 100 %), from zero", "占实测峰值的百分比（竖线为 100%），从零起"})
	if p.Axis.max >= 100 {
		p.Limit = p.Axis.at(100)
	}
	for _, c := range g.cells {
		p.Rows = append(p.Rows, v.roofRow(c, p.Axis))
	}
	return p
}

func (v *view) roofRow(c *cell, a axis) roofRow {
	row := roofRow{Backend: c.Backend, Raw: c.ID, Rate: none, Share: same(none), OfRoof: same(none)}
	i := c.achieved()
	if i.Mid == nil {
		row.Why = c.why()
		if c.work().ModelFLOPs == 0 && len(c.timed()) > 0 {
			row.Why = text{"the model's operations were not counted", "没有统计模型的运算量"}
		}
		return row
	}
	row.Rate, row.Range = showCount(i)
	peak := v.peak(c.group)
	if peak == nil {
		row.Why = unspaced(textf("no peak measured for %s and %s", "没有测量 %s、%s 的峰值", same(line(c.Cell.Precision)), counts(c.Cell.Threads, "thread", "线程")))
		if c.Cell.Device != "" && c.Cell.Device != "cpu" {
			row.Why = text{"the measured peaks are those of the CPUs", "实测峰值只针对 CPU"}
		}
		return row
	}
	share := *i.Mid / peak.FLOPPerSecond
	row.Share = percent(share)
	row.Bar = &bar{W: a.at(100 * share), Class: barClass(c.Backend)}
	if i.Lo != nil && i.Hi != nil {
		lo, hi := *i.Lo/peak.FLOPPerSecond, *i.Hi/peak.FLOPPerSecond
		row.Lo, row.Hi = a.at(100*lo), a.at(100*hi)
		row.ShareIv = textf("%s–%s"+nbsp+"%%", "%s–%s%%", sig(100*lo), sig(100*hi))
	}
	row.Above = share > 1
	if x, ok := c.intensity(); ok {
		of := *i.Mid / roof(peak, x)
		row.OfRoof = percent(of)
		row.Above = row.Above || of > 1
	}
	return row
}

// barClass fills a bar in the framework's hue, or outlines it for eager execution.
func barClass(b identity) string {
	if b.Hollow {
		return "open st-" + b.Hue
	}
	return "fill f-" + b.Hue
}
