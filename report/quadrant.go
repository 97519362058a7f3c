package report

import (
	"math"
	"slices"
	"strconv"

	"github.com/dlbench/dlbench/results/compare/frameworks"
)

// quadrant is the articles' chart of deployment tools [F3] with measured axes: to
// the right the time from a trained model to its first answer, shorter is
// further; upwards the share of the workloads and modes planned for it that ran and were
// proven right. The articles' own points stand behind, on axes of opinion.
type quadrant struct {
	Height, Mid int // pixels
	Names       []quadrantName
	XTicks      []tick
	YTicks      []quadrantTick
	Ghosts      []quadrantPoint
	Points      []quadrantPoint
	Left        []identity // entries without an answer to time
	Exported    text       // what is not in the time of an entry that runs another's graphs
}

type quadrantName struct {
	Text   text
	X      string
	Y      int
	Anchor string
}

type quadrantTick struct {
	Y     int
	Label text
}

type quadrantPoint struct {
	X          string
	Y          int
	Label      string
	Mark, Hue  string
	Hollow     bool
	LabelX     string
	DX, Anchor string
	LabelY     int
	Leader     bool // the label lies away from its point, so a line leads there
	LeaderY    int
	// What the table beside the chart says of it.
	Backend identity
	Answer  string
	Share   text
	Size    text
	Raw     string
}

// The articles' points, on axes from 0 to 1: ease of use and features.
var ghosts = []struct {
	name string
	x, y float64
}{
	{"TensorFlow Serving", 0.8, 0.9}, {"TensorFlow Lite", 0.7, 0.8}, {"ONNX Runtime", 0.6, 0.7}, {"TorchServe", 0.5, 0.6}, {"Core ML", 0.4, 0.5},
}

const (
	quadrantHeight = 360
	quadrantTop    = 36 // above 100 % and below 0 %: the corners have names
	quadrantLabel  = 15 // height of a line of text
)

// quadrant is nil where no entry has answered.
func (v *view) quadrant() *quadrant {
	q := &quadrant{Height: quadrantHeight, Mid: quadrantHeight / 2, Exported: v.exported()}
	var placed []frameworks.Effort
	lo, hi := math.Inf(1), 0.0
	for _, e := range v.judged().efforts {
		if e.Answer == nil || !(*e.Answer > 0) {
			q.Left = append(q.Left, v.entry(e.Backend))
			continue
		}
		placed = append(placed, e)
		lo, hi = min(lo, *e.Answer), max(hi, *e.Answer)
	}
	if len(placed) == 0 {
		return nil
	}
	// A decade at least, so that a small difference looks small.
	for hi/lo < 10 {
		hi, lo = hi*1.25, lo/1.25
	}
	x := func(s float64) float64 { return 0.1 + 0.8*(math.Log(hi)-math.Log(s))/(math.Log(hi)-math.Log(lo)) }
	y := func(share float64) int {
		return quadrantTop + int(math.Round((quadrantHeight-2*quadrantTop)*(1-share)))
	}
	q.Names = []quadrantName{
		{text{"choose first", "优先选择"}, "99%", 15, "end"},
		{text{"invest strategically", "战略投资"}, "1%", 15, "start"},
		{text{"use with care", "谨慎使用"}, "1%", quadrantHeight - 7, "start"},
		{text{"improve", "优化改进"}, "99%", quadrantHeight - 7, "end"},
	}
	for _, s := range []float64{0, 0.25, 0.5, 0.75, 1} {
		q.YTicks = append(q.YTicks, quadrantTick{y(s), percent(s)})
	}
	q.XTicks = quadrantTicks(lo, hi, x)
	for _, g := range ghosts {
		q.Ghosts = append(q.Ghosts, quadrantPoint{X: pct(g.x), Y: y(g.y), Label: g.name, LabelX: pct(g.x), LabelY: y(g.y) + 4, DX: "8", Anchor: "start"})
	}
	for _, e := range placed {
		b := v.entry(e.Backend)
		q.Points = append(q.Points, quadrantPoint{
			X: pct(x(*e.Answer)), Y: y(supported(e)), Label: b.Label, Mark: b.Mark(), Hue: b.Hue, Hollow: b.Hollow,
			Backend: b, Answer: duration(*e.Answer * 1e9), Share: ranWord(e), Size: diskWord(e), Raw: v.firstAnswer(e.Backend),
		})
	}
	q.label(placed, x)
	return q
}

// firstAnswer is the anchor of the entry's first inference cell.
func (v *view) firstAnswer(backend string) string {
	for _, c := range v.cells() {
		if c.Cell.Backend == backend && c.Cell.Mode == "infer" {
			return c.ID
		}
	}
	return ""
}

// quadrantTicks are round numbers of seconds between the ends.
func quadrantTicks(lo, hi float64, x func(float64) float64) []tick {
	var ticks []tick
	for e := math.Floor(math.Log10(lo)); e <= math.Ceil(math.Log10(hi)); e++ {
		for _, m := range []float64{1, 2, 5} {
			if s := m * math.Pow(10, e); s >= lo && s <= hi {
				ticks = append(ticks, tick{X: pct(x(s)), Label: shortest(duration(s * 1e9)), Anchor: "middle"})
			}
		}
	}
	slices.Reverse(ticks)
	if len(ticks) > 7 { // whole decades only
		ticks = slices.DeleteFunc(ticks, func(t tick) bool { return t.Label == "" || t.Label[0] != '1' })
	}
	return ticks
}

// quadrantWidth is the width in pixels that labels are placed for: narrower, the
// style hides them and the table beside the chart has the names.
const quadrantWidth = 620

// label places the labels one after the other, from the top and left, each at
// the first free place beside its point: right, left, then lines further away.
// The order is that of the points, so the same run gives the same picture.
func (q *quadrant) label(placed []frameworks.Effort, x func(float64) float64) {
	type box struct{ x0, x1, y0, y1 float64 }
	var taken []box
	at := make([]float64, len(q.Points))
	for i, e := range placed {
		at[i] = x(*e.Answer) * quadrantWidth
		py := float64(q.Points[i].Y)
		taken = append(taken, box{at[i] - 6, at[i] + 6, py - 6, py + 6})
	}
	for _, n := range q.Names { // the corners have names
		w := float64(7 * len(n.Text.EN))
		b := box{0, w, float64(n.Y - 12), float64(n.Y + 4)}
		if n.Anchor == "end" {
			b.x0, b.x1 = quadrantWidth-w, quadrantWidth
		}
		taken = append(taken, b)
	}
	order := labelled(placed)
	slices.SortStableFunc(order, func(a, b int) int { return q.Points[a].Y - q.Points[b].Y })
	for _, i := range order {
		p := &q.Points[i]
		w := 6.6 * float64(len([]rune(p.Label)))
		free := func(b box) bool {
			if b.x0 < 0 || b.x1 > quadrantWidth || b.y0 < 0 || b.y1 > quadrantHeight {
				return false
			}
			return !slices.ContainsFunc(taken, func(t box) bool { return b.x0 < t.x1 && t.x0 < b.x1 && b.y0 < t.y1 && t.y0 < b.y1 })
		}
		p.LabelX, p.LabelY, p.DX, p.Anchor = p.X, p.Y+4, "9", "start"
		for step := range 40 {
			dy := quadrantLabel * ((step/2 + 1) / 2)
			if step/2%2 == 1 {
				dy = -dy
			}
			y0 := float64(p.Y + dy - 7)
			b := box{at[i] + 9, at[i] + 9 + w, y0, y0 + 14}
			p.DX, p.Anchor = "9", "start"
			if step%2 == 1 {
				b.x0, b.x1 = at[i]-9-w, at[i]-9
				p.DX, p.Anchor = "-9", "end"
			}
			if free(b) {
				p.LabelY, p.Leader, p.LeaderY = p.Y+dy+4, dy != 0, p.Y+dy
				taken = append(taken, b)
				break
			}
		}
	}
	for i := range q.Points {
		if !slices.Contains(order, i) {
			q.Points[i].Label = ""
		}
	}
}

// quadrantNames is how many points have a name at most: of more entries, only the
// soonest of each framework has. The table beside the chart names all.
const quadrantNames = 8

func labelled(placed []frameworks.Effort) []int {
	var list []int
	for i, e := range placed {
		soonest := !slices.ContainsFunc(placed, func(o frameworks.Effort) bool { return o.Framework.ID == e.Framework.ID && *o.Answer < *e.Answer })
		if len(placed) <= quadrantNames || soonest {
			list = append(list, i)
		}
	}
	return list[:min(len(list), 2*quadrantNames)]
}

// Bottom is the height of the drawing with its axis.
func (q *quadrant) Bottom() string { return strconv.Itoa(q.Height + 34) }

// Axis and Words are the baselines of the labels below.
func (q *quadrant) Axis() int  { return q.Height + 14 }
func (q *quadrant) Words() int { return q.Height + 31 }
