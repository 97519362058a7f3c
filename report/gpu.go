package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/dlbench/dlbench/results"
)

// deviceMemory is the device's part of a workload's memory, for cells on a GPU.
type deviceMemory struct {
	Title, Detail text
	Rows          []deviceMemoryRow
}

type deviceMemoryRow struct {
	Backend   identity
	Raw       string
	Driver    string // peak above the level before the build, as the driver counts
	Allocated string // peak of what the framework handed out
	Reserved  string // and of what it held
	Why       text   // why figures are absent
}

// deviceMemories has a panel per group of cells on a GPU.
func (v *view) deviceMemories() []deviceMemory {
	var panels []deviceMemory
	for _, g := range v.groups {
		if !onGPU(g.Key) {
			continue
		}
		p := deviceMemory{Title: g.Title, Detail: g.Detail}
		for _, c := range g.cells {
			p.Rows = append(p.Rows, c.deviceMemory())
		}
		panels = append(panels, p)
	}
	return panels
}

func onGPU(c results.Cell) bool { return c.Device != "" && c.Device != "cpu" }

func (c *cell) deviceMemory() deviceMemoryRow {
	figure := func(f func(*results.Memory) *int64) string {
		x, ok := c.level(f)
		if !ok {
			return none
		}
		return mebibytes(x)
	}
	row := deviceMemoryRow{
		Backend: c.Backend, Raw: c.ID,
		Driver:    figure(func(m *results.Memory) *int64 { return m.Device }),
		Allocated: figure(func(m *results.Memory) *int64 { return m.DeviceAllocated }),
		Reserved:  figure(func(m *results.Memory) *int64 { return m.DeviceReserved }),
	}
	if slices.Contains([]string{row.Driver, row.Allocated, row.Reserved}, none) {
		row.Why = c.memoryWhy("device", "device_allocated", "device_reserved")
	}
	return row
}

// gpuRow is how the GPU ran in the measured segments of a cell's timed trials.
type gpuRow struct {
	Backend       identity
	Title, Detail text
	Raw           string
	Device        string
	Clock         text // lowest to highest, of the highest that the device has
	Heat          string
	Power         string
	Held          text // what held the clocks back, each with its number of trials
	Why           text
}

// gpuRows has a row per cell on a GPU.
func (v *view) gpuRows() []gpuRow {
	var rows []gpuRow
	for _, c := range v.cells() {
		if onGPU(c.Cell) {
			rows = append(rows, c.gpu())
		}
	}
	return rows
}

func (c *cell) gpu() gpuRow {
	row := gpuRow{Backend: c.Backend, Title: c.group.Title, Detail: c.group.Detail, Raw: c.ID, Device: none, Clock: same(none), Heat: none, Power: none}
	var names, held []string
	var low, high, top, heat, power *int64
	trials, read := 0, 0
	for _, r := range c.timed() {
		g := gpuOf(r)
		if g == nil {
			continue
		}
		trials++
		if name := line(g.Name); !slices.Contains(names, name) {
			names = append(names, name)
		}
		low, high, top = smaller(low, g.SMMinMHz), larger(high, g.SMMaxMHz), larger(top, g.SMTopMHz)
		heat, power = larger(heat, g.TemperatureC), larger(power, g.PowerMW)
		if g.Absent["reasons"] == "" {
			read++
		}
		held = append(append(held, g.Slowdowns...), g.Limits...)
	}
	if trials == 0 {
		row.Why = c.why()
		if len(c.timed()) > 0 {
			row.Why = text{"not recorded", "没有记录"}
		}
		return row
	}
	row.Device = strings.Join(names, ", ")
	if low != nil && high != nil {
		row.Clock = same(fmt.Sprintf("%d–%d%sMHz", *low, *high, nbsp))
		if top != nil {
			row.Clock = textf("%s of %d", "%s（最高 %d）", row.Clock, *top)
		}
	}
	if heat != nil {
		row.Heat = fmt.Sprintf("%d%s°C", *heat, nbsp)
	}
	if power != nil {
		row.Power = fmt.Sprintf("%.0f%sW", float64(*power)/1000, nbsp)
	}
	row.Held = heldBack(held, trials, read)
	return row
}

// heldBack counts the trials in which each reason was seen, of read trials in
// which the driver told.
func heldBack(reasons []string, trials, read int) text {
	if read == 0 {
		return text{"not told by the driver", "驱动未提供"}
	}
	if len(reasons) == 0 {
		return text{"nothing", "无"}
	}
	slices.Sort(reasons)
	var parts []text
	for i := 0; i < len(reasons); {
		n := i
		for n < len(reasons) && reasons[n] == reasons[i] {
			n++
		}
		parts = append(parts, textf("%s in %d of %d trials", "%[3]d 次试验中有 %[2]d 次%[1]s", reasonWord(reasons[i]), n-i, trials))
		i = n
	}
	return joined(parts, ", ", "，")
}

// reasonWord is what NVML calls a reason.
func reasonWord(s string) text {
	zh := map[string]string{
		"applications clocks setting": "应用时钟设置", "software power cap": "软件功耗上限", "hardware slowdown": "硬件降频",
		"sync boost": "同步加速", "software thermal slowdown": "软件过热降频", "hardware thermal slowdown": "硬件过热降频",
		"hardware power brake": "硬件电源制动", "display clocks setting": "显示时钟设置",
	}[s]
	if zh == "" {
		return same(line(s))
	}
	return text{s, zh}
}

func gpuOf(r *results.Record) *results.GPU {
	if r.Disturb == nil {
		return nil
	}
	return r.Disturb.GPU
}

func smaller(a, b *int64) *int64 {
	if a == nil || b != nil && *b < *a {
		return b
	}
	return a
}

func larger(a, b *int64) *int64 {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}

// clockFell is the part of the highest clock of a trial by which its lowest one
// may lie below without a flag.
const clockFell = 0.05

// gpuSignals are the signs that a trial on a GPU was not alone or not at full
// speed; none in a run without one.
func (v *view) gpuSignals() []signal {
	if !slices.ContainsFunc(v.records(), func(r *results.Record) bool { return gpuOf(r) != nil }) {
		return nil
	}
	of := func(f func(*results.GPU) (float64, bool)) func(*results.Record) (float64, bool) {
		return func(r *results.Record) (float64, bool) {
			if g := gpuOf(r); g != nil {
				return f(g)
			}
			return 0, false
		}
	}
	number := func(x float64) text { return same(strconv.FormatFloat(x, 'g', 3, 64)) }
	return []signal{
		{text{"GPU: reasons of heat or power supply for which it was held back", "GPU 因过热或供电被降频的原因数"}, text{"any", "有任何一项"}, of(func(g *results.GPU) (float64, bool) {
			return float64(len(g.Slowdowns)), g.Samples > 0 && g.Absent["reasons"] == ""
		}), 0, number},
		{text{"GPU: fall of the SM clock within the trial", "GPU 流处理器时钟在试验内的降幅"}, textf("above %s", "超过 %s", percent(clockFell)), of(func(g *results.GPU) (float64, bool) {
			if g.SMMinMHz == nil || g.SMMaxMHz == nil || *g.SMMaxMHz <= 0 {
				return 0, false
			}
			return 1 - float64(*g.SMMinMHz)/float64(*g.SMMaxMHz), true
		}), clockFell, percent},
		{text{"GPU: other programs that computed on it", "GPU 上其他计算程序数"}, text{"any", "有任何一个"}, of(func(g *results.GPU) (float64, bool) {
			if g.Others == nil {
				return 0, false
			}
			return float64(*g.Others), true
		}), 0, number},
		{text{"GPU: highest temperature", "GPU 最高温度"}, text{"no flag: too much heat shows in the first GPU row", "不作标记：过热见 GPU 的第一行"}, of(func(g *results.GPU) (float64, bool) {
			if g.TemperatureC == nil {
				return 0, false
			}
			return float64(*g.TemperatureC), true
		}), math.Inf(1), func(x float64) text { return same(strconv.FormatFloat(x, 'g', 3, 64) + nbsp + "°C") }},
	}
}
