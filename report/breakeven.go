package report

import (
	"math"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/frameworks"
)

// breakEvenTable says after how many steps compiling has paid for itself.
type breakEvenTable struct {
	Lead text
	Why  text // when there is nothing to show
	Rows []breakEvenRow
}

// breakEvenRow is one compiled entry beside the eager entry of its framework, on
// one workload and settings.
type breakEvenRow struct {
	Compiled, Eager identity
	Raw             string
	Title, Detail   text   // of its group, on the first row of one
	Extra           string // start of the compiled entry less that of the eager one
	Ratio           string // of speeds
	RatioIv         text
	Badge           badge
	Steps           text
	StepsIv         text
	After           text // from the start of the process
	Cache           text
}

// pairing is an eager and a compiled cell of one framework in one group.
type pairing struct{ eager, compiled *cell }

// pairings are all of a run, in the order of the plan. Entries of Keras are not
// paired: each runs on another engine.
func (v *view) pairings() []pairing {
	var all []pairing
	for _, g := range v.groups {
		for _, c := range g.cells {
			if c.Backend.Hollow {
				continue
			}
			f := frameworks.Of(c.Cell.Backend)
			if !f.Known || f.ID == frameworks.Keras {
				continue
			}
			k := slices.IndexFunc(g.cells, func(e *cell) bool {
				return e.Backend.Hollow && frameworks.Of(e.Cell.Backend).ID == f.ID && version(e.Cell.Backend) == version(c.Cell.Backend)
			})
			if k >= 0 {
				all = append(all, pairing{g.cells[k], c})
			}
		}
	}
	return all
}

// version is what stands behind the @ of a backend's name.
func version(backend string) string {
	_, v, _ := strings.Cut(backend, "@")
	return v
}

func (v *view) breakEven() breakEvenTable {
	t := breakEvenTable{Lead: text{
		"Compiling costs time before the first step and may save some in every step. Start: import, build and first step, each the median over timed trials; compiling is in it unless the compile cache was warm (last column). The entry is compared with the eager entry of the same framework under a family of its own, all rows of this table together; only where the verdict is “faster” is there a step at which it catches up: the extra start divided by the time saved per step, both by medians. The range below follows from the range of the ratio.",
		"编译要在第一步之前付出时间，换来每一步可能的节省。启动指导入、构建与第一步，各取计时试验的中位数；除编译缓存已热的情形（见末列）外，均含编译。每一行与同一框架的动态图形式比较，本表各行共用一个检验族；只有结论为“更快”时才存在追平的步数：多出的启动时间 ÷ 每步节省的时间，均取中位数。下方的范围由速度比的范围推出。",
	}}
	if v.sharedTrials() > 0 {
		t.Lead = textf(
			"%s %s Half the range of those imports, of both entries together, widens the range of steps; an extra start of less than that gives no number of steps. An import that was read once counts as unknown.",
			"%s%s这些导入时间的半极差（两种形式相加）会加宽步数范围；多出的启动时间小于它时不给出步数。只测得一次的导入时间视为未知。",
			t.Lead, importsPooled)
	}
	pairs := v.pairings()
	if len(pairs) == 0 {
		t.Why = text{
			"Not measured: no framework of this run has an eager entry beside a compiled one on the same workload.",
			"未测量：本次运行中没有哪个框架在同一负载上既有动态图形式，又有编译或静态图形式。",
		}
		return t
	}
	var contrasts []compare.Contrast
	for _, p := range pairs {
		m, _ := compare.Primary(v.analysis.Policy, p.compiled.Cell.Mode)
		contrasts = append(contrasts, compare.Contrast{
			Base: compare.Sample{Run: p.eager.group.part, Cell: p.eager.Cell}, Head: compare.Sample{Run: p.compiled.group.part, Cell: p.compiled.Cell},
			Metric: m, MinEffect: v.minEffect(p.compiled.group),
		})
	}
	for i, x := range compare.Judge(v.parts(), contrasts, v.analysis.Policy) {
		row := breakEvenOf(pairs[i], x)
		if g := pairs[i].compiled.group; i == 0 || g != pairs[i-1].compiled.group {
			row.Title, row.Detail = g.Title, g.Detail
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func breakEvenOf(p pairing, x compare.Comparison) breakEvenRow {
	row := breakEvenRow{
		Compiled: p.compiled.Backend, Eager: p.eager.Backend, Raw: p.compiled.ID,
		Extra: none, Badge: verdictBadge(x.Verdict), Cache: p.compiled.cache(),
	}
	speeds := speedup(&x)
	row.Ratio, row.RatioIv = showRatio(speeds)
	s0, k0, ok0 := p.eager.startup()
	s1, k1, ok1 := p.compiled.startup()
	if !ok0 || !ok1 {
		for _, c := range []*cell{p.compiled, p.eager} {
			if _, _, ok := c.startup(); !ok {
				row.Steps = textf("%s: %s", "%s：%s", c.Backend.Label, c.why())
				break
			}
		}
		return row
	}
	extra, spread := s1-s0, p.eager.importSpread()+p.compiled.importSpread()
	row.Extra = duration(extra * 1e9)
	cached := p.compiled.cached()
	even := math.Abs(extra) < spread // so that no number of steps follows
	switch x.Verdict {
	case compare.Improved:
	case compare.Regressed:
		row.Steps = text{"never: its steps are slower", "永不：每步反而更慢"}
		if n := math.Floor(extra / (k0 - k1)); even {
			row.Steps = text{"its steps are slower; the start does not differ measurably", "每步反而更慢；启动时间没有可测出的差别"}
		} else if extra < 0 && n >= 1 && n < 1e15 {
			row.Steps = textf("ahead until step %s: its steps are slower%s", "第 %s 步之前领先：每步反而更慢%s", whole(int64(n)), cached)
		}
		return row
	case compare.Equivalent:
		row.Steps = text{"never: nothing is saved per step", "永不：每步没有节省"}
		if even {
			row.Steps = text{"nothing is saved per step; the start does not differ measurably", "每步没有节省；启动时间没有可测出的差别"}
		} else if extra <= 0 {
			row.Steps = text{"costs nothing, saves nothing", "不增开销，也无节省"}
		}
		return row
	case compare.Inconclusive:
		row.Steps = text{"undecided", "尚无定论"}
		return row
	default:
		row.Steps = row.Badge.Word
		return row
	}
	if even {
		row.Steps = textf("%s%s", "%s%s", text{"the start does not differ measurably", "启动时间没有可测出的差别"}, cached)
		return row
	}
	if extra <= 0 {
		row.Steps = textf("%s%s", "%s%s", text{"from the first step on", "从第一步起"}, cached)
		return row
	}
	n, ok := catchUp(extra, k0-k1)
	if !ok { // the medians contradict the paired ratio
		row.Steps = text{"not by the medians", "按中位数无法追平"}
		return row
	}
	row.Steps = textf("after %s steps", "%s 步之后", whole(n))
	row.After = textf("%s after the start", "启动后 %s", duration((s1+float64(n)*k1)*1e9))
	// The faster, the sooner: the upper end of the ratio is the lower one of steps.
	steps := func(extra float64, ratio *float64) (int64, bool) {
		if ratio == nil {
			return 0, false
		}
		return catchUp(extra, k0*(1 - 1 / *ratio))
	}
	lo, okLo := steps(extra-spread, speeds.Hi)
	hi, okHi := steps(extra+spread, speeds.Lo)
	switch {
	case !cached.Empty(): // compiling adds to all of these
		row.Steps = textf("≥"+nbsp+"%s steps%s", "≥"+nbsp+"%s 步%s", whole(n), cached)
		row.After = textf("≥"+nbsp+"%s after the start", "启动后 ≥"+nbsp+"%s", duration((s1+float64(n)*k1)*1e9))
		if okLo {
			row.StepsIv = same("≥" + nbsp + whole(lo))
		}
	case okLo && okHi && lo == hi:
	case okLo && okHi:
		row.StepsIv = same(whole(lo) + "–" + whole(hi))
	case okLo:
		row.StepsIv = same("≥" + nbsp + whole(lo))
	case okHi:
		row.StepsIv = same("≤" + nbsp + whole(hi))
	}
	return row
}

// catchUp is the number of steps after which an extra start is paid for by what
// each step saves, both in seconds; false where nothing is saved.
func catchUp(extra, saved float64) (int64, bool) {
	n := math.Ceil(extra / saved)
	if !(saved > 0) || !(n < 1e15) {
		return 0, false
	}
	return int64(n), true
}

// cacheStates counts the timed trials of a cell whose compile cache was cold and
// warm; neither where the compiler keeps none.
func (c *cell) cacheStates() (cold, warm int) {
	for _, r := range c.timed() {
		switch r.Worker.CompileCache {
		case results.CompileCold:
			cold++
		case "warm":
			warm++
		}
	}
	return cold, warm
}

// cache says whether the compiler's cache was warm in a cell's timed trials.
func (c *cell) cache() text {
	cold, warm := c.cacheStates()
	switch {
	case cold+warm == 0:
		return text{"keeps none", "不保留"}
	case warm == 0:
		return text{"cold", "冷"}
	case cold == 0:
		return text{"warm", "热"}
	}
	return textf("cold in %d of %d trials", "%[2]d 次试验中 %[1]d 次为冷", cold, cold+warm)
}

// cached says, behind a number of steps, that the start does not hold the whole
// of compiling, for the compile cache was warm; empty where it was not.
func (c *cell) cached() text {
	cold, warm := c.cacheStates()
	switch {
	case warm == 0:
		return text{}
	case cold == 0:
		return text{" (cache warm: compiling not in it)", "（缓存已热，不含编译）"}
	}
	return text{" (cache warm in some trials: compiling only partly in it)", "（部分试验缓存已热，只含部分编译）"}
}
