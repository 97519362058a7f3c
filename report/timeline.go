package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results"
)

// timeline is the resident memory of one memory trial over time, with the
// borders of its phases below. It needs no script.
type timeline struct {
	Backend identity
	Raw     string
	X       axis
	Line    string   // points of a polyline, x in 0 to 1000, y in 0 to plotHeight, downwards; from the bottom and back to it
	Phases  []bar    // of the strip below
	Borders []string // positions of the phase borders inside the plot
	Peak    text
	Words   text // the phases and how long they took
}

// timelines are those of a group: memory on one axis, because it is compared,
// time on an axis each, because some trials take a hundred times as long.
type timelines struct {
	Y     axis
	Unit  text
	Plots []timeline
}

const (
	plotHeight = 80 // pixels
	// plottedPoints bounds what the page draws of a timeline without scripts.
	plottedPoints = 80
	// plottedTimelines bounds the small multiples of a page; the interactive chart
	// and the records hold the others.
	plottedTimelines = 120
)

// watched is the record whose timeline is shown of a cell: its first memory
// trial that ended ok and has one; and that timeline, up to the end of the process.
func (c *cell) watched() (*results.Record, []results.Point) {
	for _, r := range c.ended(results.KindMemory) {
		if r.Memory == nil {
			continue
		}
		line := r.Memory.Timeline
		for len(line) > 0 && line[len(line)-1].RSS <= 0 { // the process has gone
			line = line[:len(line)-1]
		}
		if len(line) > 0 {
			return r, line
		}
	}
	return nil, nil
}

// thinned keeps at most n points, and of the points that one stands for the
// largest: a peak must not vanish.
func thinned(line []results.Point, n int) []results.Point {
	stride := (len(line) + n - 1) / n
	if stride <= 1 {
		return line
	}
	var out []results.Point
	for k := 0; k < len(line); k += stride {
		top := line[k]
		for _, p := range line[k:min(k+stride, len(line))] {
			if p.RSS > top.RSS {
				top = p
			}
		}
		out = append(out, top)
	}
	return out
}

// since are a memory trial's phases after its import, where its timeline begins.
func since(r *results.Record) []results.Phase {
	return slices.DeleteFunc(slices.Clone(r.Phases), func(p results.Phase) bool { return p.Name == "import" || p.WallNS < 0 })
}

// timelines draws at most n cells of a group.
func (g *group) timelines(n int) timelines {
	top := 0.0 // MiB
	var cells []*cell
	for _, c := range g.cells {
		r, line := c.watched()
		if r == nil || len(cells) == n {
			continue
		}
		cells = append(cells, c)
		for _, p := range line {
			top = max(top, float64(p.RSS)/(1<<20))
		}
	}
	t := timelines{
		Y:    newAxis(top, round3, text{}),
		Unit: text{"upwards: MiB (RSS), from zero; to the right: seconds since the import", "纵轴：MiB（RSS），从零起；横轴：导入后的秒数"},
	}
	for _, c := range cells {
		t.Plots = append(t.Plots, t.plot(c))
	}
	return t
}

func (t timelines) plot(c *cell) timeline {
	r, line := c.watched()
	phases := since(r)
	end := 0.0 // seconds
	for _, q := range phases {
		end += float64(q.WallNS) / 1e9
	}
	end = max(end, float64(line[len(line)-1].NS)/1e9)
	p := timeline{Backend: c.Backend, Raw: c.ID, X: newAxis(end, round3, text{})}
	var points []string
	x, peak := 0.0, int64(0)
	for _, q := range thinned(line, plottedPoints) {
		x = 1000 * within(float64(q.NS)/1e9/p.X.max)
		points = append(points, fmt.Sprintf("%.0f,%.1f", x, plotHeight*(1-within(float64(q.RSS)/(1<<20)/t.Y.max))))
		peak = max(peak, q.RSS)
	}
	first, _, _ := strings.Cut(points[0], ",")
	p.Line = fmt.Sprintf("%s,%d %s %.0f,%[2]d", first, plotHeight, strings.Join(points, " "), x)
	p.Peak = textf("peak %s", "峰值 %s", mebibytes(float64(peak)))
	at := 0.0
	var words []text
	for _, q := range phases {
		w := float64(q.WallNS) / 1e9
		if at > 0 {
			p.Borders = append(p.Borders, p.X.at(at))
		}
		p.Phases = append(p.Phases, bar{X: p.X.at(at), W: p.X.at(w), Class: phaseClass(q.Name, c.Backend)})
		words = append(words, textf("%s"+nbsp+"%s", "%s"+nbsp+"%s", phaseWord(q.Name), duration(float64(q.WallNS))))
		at += w
	}
	p.Words = joined(words, " · ", " · ")
	return p
}

// within is x on the plot: 0 to 1.
func within(x float64) float64 {
	if x > 0 { // not NaN
		return min(x, 1)
	}
	return 0
}

// phaseClass is the colour of a phase: a grey for waiting, the framework's hue
// for the measured steps.
func phaseClass(name string, b identity) string {
	if name == "measure" {
		return "fill f-" + b.Hue
	}
	if k := slices.Index(waiting, name); k >= 0 {
		return fmt.Sprintf("ph%d", k)
	}
	return "ph3" // check steps
}

// gridLine is a horizontal grid line with its label.
type gridLine struct{ Y, Label string }

// Levels are the grid lines of the plots, from their bottom upwards.
func (t timelines) Levels() []gridLine {
	var ls []gridLine
	for _, k := range t.Y.steps() {
		ls = append(ls, gridLine{fmt.Sprintf("%.1f", plotHeight*(1-k/t.Y.max)), round3(k)})
	}
	return ls
}
