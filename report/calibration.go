package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	pretty "github.com/jedib0t/go-pretty/v6/text"

	"github.com/dlbench/dlbench/results"
)

// noiseRow is what is known of the noise of one cell of the run.
type noiseRow struct {
	Title, Detail text
	Backend       identity
	Raw           string
	Floor         text // standard deviation between processes, with its interval
	Trial         text
	Within        text
	Correlation   string
	Share         text
	Rounds        string // correlation of a round with the one before
	Dependent     bool   // it is more than chance
	Alarms        text
	Effect        text // smallest visible one in Budget rounds
	Budget        int
	Day           string
}

// noise are the rows of the cells that were calibrated on the CPUs of this run.
func (v *view) noise() []noiseRow {
	var rows []noiseRow
	for _, c := range v.cells() {
		n, of, ok := v.run.Meta.Calibration.Of(c.Cell, v.run.Meta.Host.Mask)
		if !ok {
			continue
		}
		row := noiseRow{
			Title: c.group.Title, Detail: c.group.Detail, Backend: c.Backend, Raw: c.ID, Floor: floor(n), Trial: percent(n.TrialSD), Within: percent(n.Within),
			Correlation: round3(n.Autocorrelation), Share: percent(n.Share), Rounds: betweenRounds(n), Dependent: of.Dependent(n), Alarms: alarms(n.Gates), Effect: same(none), Day: day(of.Started),
		}
		if len(n.Detectable) > 0 {
			most := n.Detectable[len(n.Detectable)-1]
			row.Budget = most.Rounds
			row.Effect = effect(most.Effect)
		}
		rows = append(rows, row)
	}
	return rows
}

func (v *view) noiseFloor() fact { return noiseFloor(v.run.Meta) }

// noiseFloor is what A/A runs had shown of a run's machine when it began; its
// label is empty where there were none.
func noiseFloor(m results.Meta) fact {
	c := m.Calibration
	if c == nil || len(c.Runs) == 0 {
		return fact{}
	}
	return fact{
		textf("Noise floor of this host on %s", "本机在 %s 的噪声下限", day(c.Runs[0].Started)),
		floors(c.Runs[0]),
	}
}

// NoiseFloor is that in one line of text, for reports that are not of one run;
// empty where nothing is known.
func NoiseFloor(m results.Meta) string {
	f := noiseFloor(m)
	if f.Label.Empty() {
		return ""
	}
	return plain(f.Label.EN + ": " + f.Value.EN)
}

// noiseWords are the floors of the run's own cells, for text and Markdown.
func (v *view) noiseWords() []string {
	var words []string
	for _, c := range v.cells() {
		if n, of, ok := v.run.Meta.Calibration.Of(c.Cell, v.run.Meta.Host.Mask); ok {
			words = append(words, plain(fmt.Sprintf("%s %s: %s on %s", settings(c.Cell), c.Backend.Label, floor(n).EN, day(of.Started))))
		}
	}
	return words
}

// floors sums up the cells of an A/A run.
func floors(r results.CalibrationRun) text {
	var all []float64
	for _, n := range r.Cells {
		all = append(all, n.Between)
	}
	mid, ok := median(all)
	if !ok {
		return text{"not known", "未知"}
	}
	t := textf("%s between processes", "进程之间 %s", percent(mid))
	if len(all) > 1 {
		t = textf("%s between processes (median of %d cells, %s to %s)", "进程之间 %s（%d 个单元的中位数，%s 至 %s）", percent(mid), len(all), percent(slices.Min(all)), percent(slices.Max(all)))
	}
	switch g := r.Gates; {
	case g.Count == 0:
	case g.Judged() == 0:
		t = textf("%s; of %d A/A gates none could be judged", "%s；%d 次 A/A 判定均无法得出结论", t, g.Count)
	case g.Withheld > 0:
		t = textf("%s; %d of %d A/A gates that could be judged raised a false alarm", "%s；可判定的 %[3]d 次 A/A 判定中误报 %[2]d 次", t, g.FalseAlarms, g.Judged())
	default:
		t = textf("%s; %d of %d A/A gates raised a false alarm", "%s；%[3]d 次 A/A 判定中误报 %[2]d 次", t, g.FalseAlarms, g.Count)
	}
	if r.Alarming() {
		t = textf("%s, more than five times what alpha %s allows", "%s，超过 alpha %s 所允许的五倍", t, round3(r.Alpha))
	}
	if n := len(dependent(r)); n > 0 {
		t = textf("%s; in %d of %d %s trials depend on those before, so the rule's assumption does not hold", "%s；%[3]d 个单元中有 %[2]d 个的试验依赖于此前的试验，判定规则的前提不成立", t, n, len(r.Cells), noun(len(r.Cells), "cell"))
	}
	if !r.Quiet() {
		t = textf("%s; the host was not quiet, %d of %d trials were disturbed", "%s；主机并非空闲，%[3]d 次试验中有 %[2]d 次受到干扰", t, r.Disturbed, r.Trials)
	}
	return t
}

// floor is a cell's noise floor with its interval at 95 %.
func floor(n results.CellNoise) text {
	return textf("%s (%s to %s)", "%s（%s 至 %s）", percent(n.Between), percent(n.BetweenLow), percent(n.BetweenHigh))
}

// dependent are the cells whose trials depend on those of the round before.
func dependent(r results.CalibrationRun) []results.CellNoise {
	var list []results.CellNoise
	for _, n := range r.Cells {
		if r.Dependent(n) {
			list = append(list, n)
		}
	}
	return list
}

// betweenRounds is the correlation of a round's ratio with that of the one before.
func betweenRounds(n results.CellNoise) string {
	if n.BetweenRounds == nil {
		return none
	}
	return fmt.Sprintf("%s (p %s)", round3(n.BetweenRounds.Correlation), round3(n.BetweenRounds.P))
}

func alarms(g results.Gates) text {
	switch {
	case g.Count == 0:
		return same(none)
	case g.Judged() == 0:
		return text{"none could be judged", "均无法判定"}
	}
	return same(fmt.Sprintf("%d/%d", g.FalseAlarms, g.Judged()))
}

func effect(e float64) text {
	if e <= 0 {
		return text{"none", "无"}
	}
	return percent(e)
}

// day is the date of a moment, in UTC.
func day(moment string) string {
	date, _, _ := strings.Cut(utc(moment), " ")
	return date
}

// CalibrationText writes a calibration as tables, one per A/A run, and what its
// columns mean.
func CalibrationText(w io.Writer, c results.Calibration, o TextOptions) error {
	narrow()
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n", pretty.WrapSoft(plain("Host: "+hostLine(c.Host).EN), wrapAt(o.Width)))
	for _, r := range c.Runs {
		head := fmt.Sprintf("Noise floor on %s: %s", day(r.Started), floors(r).EN)
		fmt.Fprintf(&b, "\n%s\n", pretty.WrapSoft(plain(head), wrapAt(o.Width)))
		fmt.Fprintf(&b, "%s\n", pretty.WrapSoft(plain(fmt.Sprintf("%s, dlbench %s, %s: %s", utc(r.Started), line(r.Version), cpuList(r.Mask), line(strings.Join(r.Command, " ")))), wrapAt(o.Width)))
		fmt.Fprintf(&b, "\n%s\n", noiseTable(r))
		for _, n := range dependent(r) {
			fmt.Fprintf(&b, "%s\n", pretty.WrapSoft(plain(fmt.Sprintf("- warning: %s %s: trials of this host depend on those before (correlation of rounds %s): the rule's assumption does not hold, and false alarms may exceed alpha",
				settings(n.Cell), line(n.Cell.Backend), betweenRounds(n))), wrapAt(o.Width)))
		}
		for _, n := range r.Cells {
			if f := n.Faults; f != nil && f.P <= 0.01 {
				fmt.Fprintf(&b, "%s\n", pretty.WrapSoft(plain(fmt.Sprintf("- %s %s: step time follows page faults (rank correlation %s, p %s); they explain %s of the variance of trials",
					settings(n.Cell), line(n.Cell.Backend), round3(f.Correlation), round3(f.P), percent(f.Explained).EN)), wrapAt(o.Width)))
			}
		}
		fmt.Fprintf(&b, "%s\n", pretty.WrapSoft(plain(fmt.Sprintf("Effects are what a gate of %d %s at a minimum effect of %s and alpha %s sees with 80 %% probability.",
			r.Family, noun(r.Family, "cell"), percent(r.MinEffect).EN, round3(r.Alpha))), wrapAt(o.Width)))
	}
	fmt.Fprintf(&b, "\n%s\n", pretty.WrapSoft("Standard deviations of the step time, relative: floor, between processes with its interval at 95 %; trial, of one trial, and from the median absolute deviation; block, within a process. lag-1: correlation of a block with the next. share: of a trial's variance that lies between processes. order: rank correlation of a round's ratio of B to A with that of the round before, and its p. alarms: false ones of A/A gates.", wrapAt(o.Width)))
	_, err := io.WriteString(w, trailing.ReplaceAllString(b.String(), "\n"))
	return err
}

func noun(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

func cpuList(mask []int) string {
	if len(mask) == 0 {
		return "CPUs not recorded"
	}
	return noun(len(mask), "CPU") + " " + strings.Trim(fmt.Sprint(mask), "[]")
}

// noiseTable has a row per cell.
func noiseTable(r results.CalibrationRun) string {
	t := table.NewWriter()
	t.SetStyle(bare)
	head := table.Row{"cell", "step", "floor", "trial", "MAD", "block", "lag-1", "share", "order", "alarms"}
	var budgets []int
	for _, n := range r.Cells {
		for _, d := range n.Detectable {
			if !slices.Contains(budgets, d.Rounds) {
				budgets = append(budgets, d.Rounds)
			}
		}
	}
	slices.Sort(budgets)
	for _, n := range budgets {
		head = append(head, fmt.Sprintf("%d rounds", n))
	}
	t.AppendHeader(head)
	var configs []table.ColumnConfig
	for i := range head[1:] {
		configs = append(configs, table.ColumnConfig{Number: i + 2, Align: pretty.AlignRight, AlignHeader: pretty.AlignRight})
	}
	t.SetColumnConfigs(configs)
	for _, n := range r.Cells {
		row := []string{settings(n.Cell) + " " + line(n.Cell.Backend), duration(n.StepTime * 1e9), floor(n).EN, percent(n.TrialSD).EN, percent(n.TrialMAD).EN,
			percent(n.Within).EN, round3(n.Autocorrelation), percent(n.Share).EN, betweenRounds(n), alarms(n.Gates).EN}
		for _, rounds := range budgets {
			word := none
			for _, d := range n.Detectable {
				if d.Rounds == rounds {
					word = effect(d.Effect).EN
				}
			}
			row = append(row, word)
		}
		for i := range row {
			row[i] = plain(row[i])
		}
		t.AppendRow(cells(row))
	}
	return t.Render()
}
