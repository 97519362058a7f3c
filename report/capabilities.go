package report

import (
	"maps"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results"
)

// capabilityTable is what the compliance suite saw each backend of the run do.
type capabilityTable struct {
	Columns []text
	Rows    []capabilityRow
	Tested  bool // some backend was
}

type capabilityRow struct {
	Backend  identity
	Cells    []text // one per column; nil: not tested
	Date     string
	Versions string
}

// precisionOrder and featureWords are the columns, in their order. What a compliance
// run names besides stands behind them.
var (
	precisionOrder = []string{"f64", "f32", "tf32", "bf16-mixed", "f16-mixed", "bf16", "f16", "int8"}
	featureOrder   = []string{"accumulate", "checkpoint", "host", "loader"}
	featureWords   = map[string]text{
		"accumulate": {"accumulation", "梯度累积"}, "checkpoint": {"checkpoints", "梯度检查点"}, "host": {"copying data", "复制数据"}, "loader": {"loader", "加载器"},
	}
)

var (
	seenToDo   = same("✓")
	seenToFail = text{"refuted", "已证伪"}
)

func (v *view) capabilities() capabilityTable {
	var t capabilityTable
	named := map[string]bool{}
	for _, b := range v.backends {
		if p := v.run.Meta.Backends[b.Name].Proven; p != nil {
			t.Tested = true
			for _, name := range slices.Concat(p.Precisions, p.Features, p.Failed) {
				named[name] = true
			}
		}
	}
	if !t.Tested {
		return t
	}
	var columns []string
	for _, name := range precisionOrder {
		if named[name] {
			columns = append(columns, name)
		}
	}
	columns = append(columns, featureOrder...)
	for _, name := range slices.Sorted(maps.Keys(named)) {
		if !slices.Contains(columns, name) {
			columns = append(columns, name)
		}
	}
	for _, name := range columns {
		word, ok := featureWords[name]
		if !ok {
			word = same(clean(line(name), 24))
		}
		t.Columns = append(t.Columns, word)
	}
	for _, b := range v.backends {
		t.Rows = append(t.Rows, capabilityRowOf(b, v.run.Meta.Backends[b.Name].Proven, columns))
	}
	return t
}

func capabilityRowOf(b identity, p *results.Capabilities, columns []string) capabilityRow {
	row := capabilityRow{Backend: b}
	if p == nil {
		return row
	}
	row.Date = clean(line(p.Date), 24)
	var versions []string
	for _, name := range slices.Sorted(maps.Keys(p.Versions)) {
		versions = append(versions, name+" "+p.Versions[name])
	}
	row.Versions = line(strings.Join(versions, ", "))
	for _, name := range columns {
		switch {
		case slices.Contains(p.Failed, name):
			row.Cells = append(row.Cells, seenToFail)
		case slices.Contains(p.Precisions, name) || slices.Contains(p.Features, name):
			row.Cells = append(row.Cells, seenToDo)
		default:
			row.Cells = append(row.Cells, same(none))
		}
	}
	return row
}

// Wide is how many columns a row that was not tested spans.
func (t capabilityTable) Wide() int { return len(t.Columns) + 2 }
