package results

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// disk is a trials file on a disk with room for so many bytes.
type disk struct {
	*os.File
	room     int64
	stuck    bool // Truncate fails too
	syncFull bool // the lack of room shows only in Sync
}

func (d *disk) WriteAt(p []byte, off int64) (int, error) {
	if fit := max(0, d.room-off); int64(len(p)) > fit && !d.syncFull {
		n, _ := d.File.WriteAt(p[:fit], off)
		return n, &os.PathError{Op: "write", Path: d.Name(), Err: syscall.ENOSPC}
	}
	return d.File.WriteAt(p, off)
}

func (d *disk) Sync() error {
	if s, err := d.Stat(); err == nil && d.syncFull && s.Size() > d.room {
		return &os.PathError{Op: "sync", Path: d.Name(), Err: syscall.ENOSPC}
	}
	return d.File.Sync()
}

func (d *disk) Truncate(size int64) error {
	if d.stuck {
		return syscall.EIO
	}
	return d.File.Truncate(size)
}

func TestDiskFull(t *testing.T) {
	cell := plain()
	meta := Meta{Schema: Schema, Cells: []Cell{cell}}
	record := Record{Kind: KindMemory, Attempt: 1, Cell: cell, End: EndOK, Stderr: strings.Repeat("x", 300)}
	for name, d := range map[string]*disk{"write": {room: 3000}, "sync": {room: 3000, syncFull: true}, "stuck": {room: 3000, stuck: true}} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			j, err := Create(dir, meta)
			if err != nil {
				t.Fatal(err)
			}
			d.File = j.file.(*os.File)
			j.file = d
			written := 0
			for err = j.Append(record); err == nil; err = j.Append(record) {
				written++
			}
			if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "disk full") || !strings.Contains(err.Error(), "trials.jsonl") {
				t.Errorf("got %v", err)
			}
			run, err := Read(dir)
			if err != nil || len(run.Records) != written || written == 0 {
				t.Fatalf("%d of %d records, %v", len(run.Records), written, err)
			}
			if d.stuck {
				if len(run.Warnings) != 1 {
					t.Errorf("warnings %q", run.Warnings)
				}
				if err := j.Append(record); err == nil || !strings.Contains(err.Error(), "could not be cut off") {
					t.Errorf("another record behind a torn line: %v", err)
				}
			} else {
				if run.Warnings != nil {
					t.Errorf("warnings %q", run.Warnings)
				}
				d.room = 1 << 20
				if err := j.Append(record); err != nil {
					t.Errorf("with room again: %v", err)
				}
				written++
			}
			j.Close()
			j, run, err = Resume(dir, meta)
			if err != nil || len(run.Records) != written {
				t.Fatalf("resumed with %d of %d, %v", len(run.Records), written, err)
			}
			j.Close()
		})
	}
}

func FuzzReadTrials(f *testing.F) {
	cell := plain()
	planned := map[Cell]bool{cell: true}
	line := `{"schema":1,"kind":"time","round":1,"attempt":1,"order":1,"cell":{"workload":"MnistCnn","hash":"sha256:00","mode":"train","precision":"f32","device":"cpu","data":"resident","batch":32,"accumulate":1,"threads":1,"checkpoint":0,"backend":"gorgonia"},"work":{"examples":0,"model_flops":0,"param_bytes":0,"activation_bytes":0},"start":"","wall_ns":0,"end":"ok","worker":{},"phases":null}` + "\n"
	f.Add([]byte(line))
	f.Add([]byte(line + line))
	f.Add([]byte(line + line[:100]))
	f.Add([]byte("\n\x00"))
	f.Add([]byte(strings.Replace(line, `"wall_ns":0`, `"block_ns":[-1,0,9223372036854775807],"steps_per_block":-3,"wall_ns":-1,"usage":{"wall_ns":0}`, 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		records, whole, torn, err := readTrials(bytes.NewReader(data), "trials.jsonl", planned, (*Record).ownBlocks)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "trials.jsonl:") {
				t.Errorf("%v names no line", err)
			}
			return
		}
		if whole+torn != int64(len(data)) || whole > 0 && data[whole-1] != '\n' || bytes.Count(data, []byte("\n")) != len(records) {
			t.Errorf("%d whole and %d torn of %d bytes, %d records", whole, torn, len(data), len(records))
		}
		again, _, torn, err := readTrials(bytes.NewReader(data[:whole]), "trials.jsonl", planned, (*Record).ownBlocks)
		if err != nil || torn != 0 || len(again) != len(records) {
			t.Errorf("cut to the whole lines: %d records, %d torn, %v", len(again), torn, err)
		}
		Rounds(records)
		for _, m := range Metrics {
			for _, r := range records {
				if v, ok := m.Of(r); !isFinite(v) || !ok && v != 0 {
					t.Errorf("%s is %v, %v", m.Name, v, ok)
				}
			}
		}
	})
}

func FuzzParseMeta(f *testing.F) {
	cell := plain()
	good, err := encodeMeta(Meta{Schema: Schema, Cells: []Cell{cell}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte(`{"schema":1,"policy":{"alpha":"x"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseMeta(data, "run.json")
		if err != nil {
			if !strings.HasPrefix(err.Error(), "run.json:") {
				t.Errorf("%v names no file", err)
			}
			return
		}
		if again, err := encodeMeta(m); err != nil {
			t.Errorf("read, but not to be written: %v", err)
		} else if _, err := parseMeta(again, "run.json"); err != nil {
			t.Errorf("written, but not to be read: %v", err)
		}
	})
}

func TestLongLine(t *testing.T) {
	if _, _, _, err := readTrials(strings.NewReader(strings.Repeat(" ", maxLine+1)), "t", nil, (*Record).ownBlocks); err == nil || !strings.Contains(err.Error(), "t:1: longer than") {
		t.Errorf("got %v", err)
	}
}

// A look is planned at each round of a policy, so their number has a bound.
func TestPolicyRoundsAreBounded(t *testing.T) {
	for text, want := range map[string]string{
		`{"schema":1,"policy":{"max_rounds":9000000000000000000}}`: "run.json: policy.max_rounds is 9000000000000000000: expected 0 to 100000",
		`{"schema":1,"policy":{"min_rounds":-1}}`:                  "run.json: policy.min_rounds is -1: expected 0 to 100000",
		`{"schema":1,"policy":{"min_rounds":7,"max_rounds":20}}`:   "",
	} {
		_, err := parseMeta([]byte(text), "run.json")
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
