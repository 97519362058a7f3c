package results

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/perf/benchfmt"
)

// ExportBench writes the run in Go's benchmark format
// (https://golang.org/design/14313-benchmark-format): one line per timed or
// memory trial that counts, with every metric that it has. So
//
//	benchstat -col /backend -filter .unit:sec/step FILE
//
// compares backends. Cells with failed trials are left out, because such tools
// would rank them on the trials that survived; a comment line names them.
// Versions and times are no configuration lines: tools compare only lines of
// the same configuration, and backends differ in their versions by nature.
func ExportBench(w io.Writer, run Run) error {
	bad := map[Cell]string{}
	for _, r := range run.Records {
		if r.End != EndOK && r.End != EndInterrupted && bad[r.Cell] == "" {
			bad[r.Cell] = cmp.Or(r.Reason, r.End)
		}
	}
	if _, err := fmt.Fprintf(w, "# dlbench %s, started %s, seed %d\n", oneLine(run.Meta.Version), oneLine(run.Meta.Started), run.Meta.Seed); err != nil {
		return err
	}
	for _, c := range run.Meta.Cells {
		if why, ok := bad[c]; ok {
			if _, err := fmt.Fprintf(w, "# left out: %s: %s\n", c.Name(), oneLine(why)); err != nil {
				return err
			}
		}
	}
	bw := benchfmt.NewWriter(w)
	if err := writeUnits(bw); err != nil {
		return err
	}
	config := benchConfig(run.Meta)
	trials := run.Trials()
	for _, r := range run.usedMemory() {
		trials = append(trials, *r)
	}
	for _, r := range trials {
		if bad[r.Cell] != "" {
			continue
		}
		res := &benchfmt.Result{Config: config, Name: benchName(r.Cell), Iters: max(1, r.Steps())}
		for _, m := range Metrics {
			if v, ok := m.Of(r); ok {
				res.Values = append(res.Values, benchfmt.Value{Value: v, Unit: benchUnit(m)})
			}
		}
		if len(res.Values) == 0 {
			continue
		}
		if err := bw.Write(res); err != nil {
			return err
		}
	}
	return nil
}

// benchUnit is the unit of a metric in the format, where the unit alone says
// what was measured: so plain seconds and bytes get the metric's name.
func benchUnit(m Metric) string {
	if m.Unit == "sec" || m.Unit == "B" {
		return m.Name + "-" + m.Unit
	}
	return m.Unit
}

func writeUnits(bw *benchfmt.Writer) error {
	for _, m := range Metrics {
		var key, value string
		switch {
		case m.Exact:
			key, value = "assume", "exact"
		case m.Better < 0:
			key, value = "better", "lower"
		case m.Better > 0:
			key, value = "better", "higher"
		default:
			continue
		}
		u := &benchfmt.UnitMetadata{UnitMetadataKey: benchfmt.UnitMetadataKey{Unit: benchUnit(m), Key: key}, OrigUnit: benchUnit(m), Value: value}
		if err := bw.Write(u); err != nil {
			return err
		}
	}
	return nil
}

// benchConfig is what must agree for two files to be compared.
func benchConfig(m Meta) []benchfmt.Config {
	var config []benchfmt.Config
	for _, kv := range [][2]string{
		{"goos", m.Host.OS}, {"goarch", m.Host.Arch}, {"cpu", m.Host.CPU}, {"suite", m.Suite},
	} {
		if v := oneLine(kv[1]); v != "" {
			// The writer drops configuration that is not marked as the file's.
			config = append(config, benchfmt.Config{Key: kv[0], Value: []byte(v), File: true})
		}
	}
	return config
}

// benchName is the cell's name; the format wants an upper-case first letter.
func benchName(c Cell) benchfmt.Name {
	name := c.Name()
	first, n := utf8.DecodeRuneInString(name)
	return benchfmt.Name(string(unicode.ToUpper(first)) + name[n:])
}

// oneLine is s without control characters.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	return strings.Join(slices.DeleteFunc(strings.Split(s, " "), func(f string) bool { return f == "" }), " ")
}
