package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results"
)

// learningSection shows how the models learned, and what a step consists of.
type learningSection struct {
	section
	Missing text // why there is no curve
	Command text
	Left    text // curves that are not drawn
	Panels  []learningPanel
	Shares  []sharePanel
}

// learningPanel is one training workload with settings.
type learningPanel struct {
	Title, Detail text
	Loss          curvePlot
	Accuracy      curvePlot
	Rows          []learningRow
}

// curvePlot is the curves of all backends over one another, from zero.
type curvePlot struct {
	Unit    text
	X       axis
	Levels  []gridLine
	Borders string // ends of epochs, the path of their lines in the units of curveLine; empty: none
	Lines   []curveLine
	Oracle  string // points; empty: none
	Beyond  text   // that curves leave the axis
}

// curveLine is a polyline, x in 0 to 1000, y in 0 to curveHeight, downwards.
type curveLine struct {
	Points string
	Hue    string
	Hollow bool
}

type learningRow struct {
	Backend     identity
	Raw         string
	First, Last string
	Accuracy    text
	Steps       text
	Distance    string // largest relative distance from the oracle's losses
	Over        text
	Budget      text // of the proof: the worst error as a share of its ceiling
	Short       text // why the curve is no longer
	Why         text // there is none
}

const (
	curveHeight = 150 // pixels
	// curvePoints bounds what is drawn of one curve; the records hold all.
	curvePoints = 100
	// drawnCurves bounds the curves of a page.
	drawnCurves = 240
	// epochBorders bounds the vertical lines of a plot.
	epochBorders = 20
)

// learned is the newest check trial of a cell that ended ok and has a curve.
func (c *cell) learned() (*results.Check, *results.Curve) {
	for i := len(c.trials) - 1; i >= 0; i-- {
		r := c.trials[i].Record
		if r.Kind == results.KindCheck && r.End == results.EndOK && r.Check != nil && r.Check.Curve != nil && len(r.Check.Curve.Losses) > 0 {
			return r.Check, r.Check.Curve
		}
	}
	return nil, nil
}

// learningGroups are the training groups of which some cell has a curve.
func (v *view) learningGroups() []*group {
	var gs []*group
	for _, g := range v.groups {
		for _, c := range g.cells {
			if _, l := c.learned(); l != nil && g.Key.Mode == "train" {
				gs = append(gs, g)
				break
			}
		}
	}
	return gs
}

func (v *view) learning() learningSection {
	s := learningSection{section: section{
		ID: "learning", Nav: text{"Learning curves", "学习曲线"},
		Title: text{"Learning curves, and what a step consists of", "学习曲线与一步的构成"},
		Lead: text{
			"Loss and accuracy of the newest check trial of each cell, from the same initial parameters over the same batches, with every dropout rate 0. The curves lie over one another, so the one drawn last hides the others: equal curves prove little to the eye. The table gives the largest relative distance from the oracle's losses. It is not judged; the proof judges the first steps and the last timed one.",
			"各单元最新一次核对试验的损失与准确率：初始参数相同，批次相同，dropout 率均为 0。曲线彼此重叠，后画的会盖住先画的，肉眼看去相同说明不了什么。表中给出与参考答案损失的最大相对偏差，它不作评判；“计算相同的证明”评判的是最初几步与最后一个计时步。",
		},
		Chart: chartPart{"ec-learning", text{"Interactive chart: loss by step", "交互图表：逐步的损失"}},
	}}
	groups := v.learningGroups()
	if len(groups) == 0 {
		s.Missing = text{
			"Not measured: no check trial of this run holds a learning curve. dlbench records one for each training workload of a new run:",
			"未测量：本次运行的核对试验没有学习曲线。dlbench 在新的运行中会为每个训练负载记录：",
		}
		s.Command = v.again()
	}
	left, all := drawnCurves, 0
	for _, g := range groups {
		p := learningPanel{Title: g.Title, Detail: g.Detail}
		var drawn []*cell
		for _, c := range g.cells {
			p.Rows = append(p.Rows, c.learningRow())
			if _, l := c.learned(); l != nil {
				if all++; left > 0 {
					drawn = append(drawn, c)
					left--
				}
			}
		}
		p.Loss, p.Accuracy = lossPlot(drawn), accuracyPlot(drawn)
		s.Panels = append(s.Panels, p)
	}
	if drawn := drawnCurves - left; drawn < all {
		s.Left = textf("Curves of %d of %d cells are drawn; the records hold all of them.", "共 %[2]d 个单元有曲线，此处画出 %[1]d 个；其余见原始记录。", drawn, all)
	}
	s.Shares = v.stepShares()
	return s
}

// lossPlot draws losses by step, and the oracle's where it is known.
func lossPlot(cells []*cell) curvePlot {
	p := curvePlot{Unit: text{"upwards: loss, from zero; to the right: step", "纵轴：损失，从零起；横轴：步"}}
	end, epoch := 0, 0
	for _, c := range cells {
		_, l := c.learned()
		end, epoch = max(end, len(l.Losses)), max(epoch, l.Epoch)
	}
	oracle := longestOracle(cells)
	top, beyond := lossTop(cells, oracle)
	if beyond > 0 {
		p.Beyond = textf("Curves that exceed the axis, drawn along its upper edge there: %d of %d.", "%[2]d 条曲线中有 %[1]d 条超出纵轴范围，超出部分贴上边缘画出。", beyond, len(cells))
	}
	p.frame(end, epoch, newAxis(top, round3, text{}))
	y := newAxis(top, round3, text{})
	for _, c := range cells {
		_, l := c.learned()
		p.add(c, steps1(l.Losses), y)
	}
	p.Oracle = polyline(steps1(oracle), p.X, y)
	return p
}

// longestOracle are the oracle's losses as far as any cell has them.
func longestOracle(cells []*cell) (oracle []float64) {
	for _, c := range cells {
		if _, l := c.learned(); l != nil && len(l.Oracle) > len(oracle) {
			oracle = l.Oracle
		}
	}
	return oracle
}

// wildLoss is how far the axis of losses goes beyond what is usual: one curve
// that explodes must not flatten the others.
const wildLoss = 3

// lossTop is the largest loss that is to be drawn: that of all curves, but at most
// wildLoss times the largest of the oracle or of the curve in the middle,
// whichever is more. beyond is how many curves have larger ones.
func lossTop(cells []*cell, oracle []float64) (top float64, beyond int) {
	var tops []float64
	for _, c := range cells {
		if _, l := c.learned(); l != nil {
			tops = append(tops, largest(l.Losses))
		}
	}
	slices.Sort(tops)
	if len(tops) == 0 {
		return largest(oracle), 0
	}
	top = tops[len(tops)-1]
	if usual := max(largest(oracle), tops[(len(tops)-1)/2]); usual > 0 && top/wildLoss > usual {
		top = wildLoss * usual
	}
	for _, x := range tops {
		if x > top {
			beyond++
		}
	}
	return top, beyond
}

// largest is the largest finite value above 0; 0 without one.
func largest(xs []float64) (top float64) {
	for _, x := range xs {
		if !math.IsInf(x, 0) && x > top { // false of NaN
			top = x
		}
	}
	return top
}

// accuracyPlot draws the share of right answers in each epoch at its end; where
// less than two epochs were trained, in each step.
func accuracyPlot(cells []*cell) curvePlot {
	p := curvePlot{Unit: text{"upwards: right answers in %, from zero; to the right: step", "纵轴：答对的百分比，从零起；横轴：步"}}
	end, epoch := 0, 0
	for _, c := range cells {
		_, l := c.learned()
		end, epoch = max(end, len(l.Losses)), max(epoch, l.Epoch)
	}
	y := newAxis(100, round3, text{})
	p.frame(end, epoch, y)
	for _, c := range cells {
		_, l := c.learned()
		p.add(c, accuracies(l), y)
	}
	return p
}

// point is a place on a plot in the units of its axes.
type point struct{ x, y float64 }

// steps1 puts values at the steps 1, 2, ...
func steps1(ys []float64) []point {
	ps := make([]point, len(ys))
	for i, y := range ys {
		ps[i] = point{float64(i + 1), y}
	}
	return ps
}

// accuracies are the percentages of right answers per epoch, or per step; none of
// counts that cannot be.
func accuracies(l *results.Curve) []point {
	impossible := func(n int) bool { return n < 0 || n > l.Examples }
	if l.Examples <= 0 || len(l.Correct) != len(l.Losses) || slices.ContainsFunc(l.Correct, impossible) {
		return nil
	}
	per := l.Epoch
	if per <= 0 || len(l.Correct)/per < 2 {
		per = 1
	}
	var ps []point
	for i := per; i <= len(l.Correct); i += per {
		right := 0
		for _, n := range l.Correct[i-per : i] {
			right += n
		}
		ps = append(ps, point{float64(i), 100 * float64(right) / float64(per*l.Examples)})
	}
	return ps
}

// frame places the axes and the ends of epochs.
func (p *curvePlot) frame(steps, epoch int, y axis) {
	p.X = newAxis(float64(steps), round3, text{})
	for _, k := range y.steps() {
		p.Levels = append(p.Levels, gridLine{fmt.Sprintf("%.1f", curveHeight*(1-k/y.max)), round3(k)})
	}
	if epoch <= 0 {
		return
	}
	stride := epoch * max(1, (steps/epoch+epochBorders-1)/epochBorders)
	for at := stride; at <= steps; at += stride {
		p.Borders += fmt.Sprintf("M%.0f 0v%d", 1000*within(float64(at)/p.X.max), curveHeight)
	}
}

func (p *curvePlot) add(c *cell, ps []point, y axis) {
	if s := polyline(ps, p.X, y); s != "" {
		p.Lines = append(p.Lines, curveLine{Points: s, Hue: c.Backend.Hue, Hollow: c.Backend.Hollow})
	}
}

// polyline are at most curvePoints of the points, evenly chosen, the last one
// among them; what is not finite is left out.
func polyline(ps []point, x, y axis) string {
	var out []string
	stride := max(1, (len(ps)+curvePoints-1)/curvePoints)
	for i := range ps {
		if q := ps[i]; (i%stride == 0 || i == len(ps)-1) && !math.IsNaN(q.y) && !math.IsInf(q.y, 0) {
			out = append(out, fmt.Sprintf("%.0f,%.1f", 1000*within(q.x/x.max), curveHeight*(1-within(q.y/y.max))))
		}
	}
	return strings.Join(out, " ")
}

func (c *cell) learningRow() learningRow {
	row := learningRow{Backend: c.Backend, Raw: c.ID, First: none, Last: none, Accuracy: same(none), Distance: none}
	check, l := c.learned()
	if l == nil {
		row.Why = text{"no learning curve", "没有学习曲线"}
		for _, t := range c.trials {
			switch r := t.Record; {
			case r.Kind != results.KindCheck:
			case r.End != results.EndOK && r.Reason != "":
				row.Why = remark(r.Reason)
			case r.End == results.EndOK && r.Check != nil && r.Check.CurveWhy != "":
				row.Why = remark(r.Check.CurveWhy)
			}
		}
		return row
	}
	n := len(l.Losses)
	row.First, row.Last = sig(l.Losses[0]), sig(l.Losses[n-1])
	row.Steps = textf("%d, of %d examples", "%d，每步 %d 个样本", n, l.Examples)
	if check.CurveWhy != "" {
		row.Short = remark(check.CurveWhy)
	}
	if ps := accuracies(l); len(ps) > 0 {
		row.Accuracy = percent(ps[len(ps)-1].y / 100)
	}
	if d, over, ok := distance(l); ok {
		row.Distance = scientific(d)
		row.Over = textf("over %d steps", "%d 步内", over)
	}
	if check.Ceiling > 0 {
		row.Budget = percent(check.Error / check.Ceiling)
	}
	return row
}

// distance is the largest relative distance of the losses from the oracle's, and
// over how many steps it was taken.
func distance(l *results.Curve) (d float64, steps int, ok bool) {
	for i := range min(len(l.Losses), len(l.Oracle)) {
		x := math.Abs(l.Losses[i]-l.Oracle[i]) / math.Abs(l.Oracle[i])
		if math.IsNaN(x) || math.IsInf(x, 0) {
			continue
		}
		d, steps = max(d, x), steps+1
	}
	return d, steps, steps > 0
}
