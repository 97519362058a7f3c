package results

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// maxMeta bounds run.json.
const maxMeta = 16 << 20

// Read reads a run's folder; it never writes, so the folder may be read-only
// or still being written. A last line without its newline was torn by a crash:
// it is dropped, with a warning. Any other line that is not a valid record is
// an error that names it: "DIR/trials.jsonl:3: …".
//
// Records of trials that report the same versions or types share these maps.
func Read(dir string) (Run, error) {
	run, _, err := read(dir, owning)
	return run, err
}

// ReadFor reads a run as Read does, but keeps of each trial's block times only
// what the metrics and the step time take: the records have no BlockNS, other
// percentiles have no value, and a run takes a tenth of the memory.
func ReadFor(dir string, metrics ...Metric) (Run, error) {
	return ReadNamed(dir, func(Meta) []Metric { return metrics })
}

// ReadNamed is ReadFor of metrics that the run itself decides.
func ReadNamed(dir string, metrics func(Meta) []Metric) (Run, error) {
	run, _, err := read(dir, func(m Meta) func(*Record) {
		named := metrics(m)
		return func(r *Record) { r.summarize(named) }
	})
	return run, err
}

// owning keeps a record's blocks.
func owning(Meta) func(*Record) { return (*Record).ownBlocks }

// read also returns the size of the whole lines of trials.jsonl. keep makes what
// takes from a record what it shares with the reader: its blocks.
func read(dir string, keep func(Meta) func(*Record)) (Run, int64, error) {
	if err := checkFolder(dir); err != nil {
		return Run{}, 0, err
	}
	meta, err := readMeta(filepath.Join(dir, metaFile))
	if err != nil {
		return Run{}, 0, err
	}
	run := Run{Dir: dir, Meta: meta}
	path := filepath.Join(dir, trialsFile)
	f, err := OpenFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		run.Warnings = append(run.Warnings, path+": not there: the run ended before its first trial")
		return run, 0, nil
	}
	if err != nil {
		return Run{}, 0, err
	}
	defer f.Close()
	records, whole, torn, err := readTrials(f, path, cellSet(meta.Cells), keep(meta))
	if err != nil {
		return Run{}, 0, err
	}
	run.Records = records
	if torn > 0 {
		run.Warnings = append(run.Warnings, fmt.Sprintf("%s:%d: dropped a torn last line of %d bytes", path, len(records)+1, torn))
	}
	return run, whole, nil
}

func readMeta(path string) (Meta, error) {
	f, err := OpenFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Meta{}, fmt.Errorf("%s: no run here (no %s)", filepath.Dir(path), metaFile)
	}
	if err != nil {
		return Meta{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxMeta+1))
	if err != nil {
		return Meta{}, fmt.Errorf("%s: %w", path, err)
	}
	return parseMeta(data, path)
}

// maxRounds bounds a policy: what judges it plans a look at each round.
const maxRounds = 100_000

func parseMeta(data []byte, path string) (Meta, error) {
	if len(data) > maxMeta {
		return Meta{}, fmt.Errorf("%s: larger than %d bytes", path, maxMeta)
	}
	var m Meta
	if at, err := strict(data, &m, &m.Schema); err != nil {
		return Meta{}, fmt.Errorf("%s:%s: %w", path, position(data, at), err)
	}
	for _, rounds := range []struct {
		field string
		n     int
	}{{"min_rounds", m.Policy.MinRounds}, {"max_rounds", m.Policy.MaxRounds}} {
		if rounds.n < 0 || rounds.n > maxRounds {
			return Meta{}, fmt.Errorf("%s: policy.%s is %d: expected 0 to %d", path, rounds.field, rounds.n, maxRounds)
		}
	}
	seen := map[Cell]bool{}
	for _, c := range m.Cells {
		if err := c.Validate(); err != nil {
			return Meta{}, fmt.Errorf("%s: %w", path, err)
		}
		if seen[c] {
			return Meta{}, fmt.Errorf("%s: cell %s is listed twice", path, c.Name())
		}
		seen[c] = true
	}
	return m, nil
}

var (
	kinds = []string{KindTime, KindCheck, KindMemory}
	ends  = []string{EndOK, EndUnsupported, EndWrong, EndProtocol, EndTimeout, EndOOM, EndCrashed, EndInterrupted}
)

// valid reports what makes r no record of a run with these cells.
func (r Record) valid(planned map[Cell]bool) error {
	switch {
	case !slices.Contains(kinds, r.Kind):
		return fmt.Errorf("kind %q: expected %s", r.Kind, strings.Join(kinds, ", "))
	case !slices.Contains(ends, r.End):
		return fmt.Errorf("end %q: expected %s", r.End, strings.Join(ends, ", "))
	case r.Attempt < 1:
		return fmt.Errorf("attempt %d: expected at least 1", r.Attempt)
	case r.Kind == KindTime && r.Round < 1:
		return fmt.Errorf("round %d of a timed trial: expected at least 1", r.Round)
	case !planned[r.Cell]:
		return fmt.Errorf("cell %s (program %q) is not planned in %s; hint: the two files are of different runs, or one was changed", r.Cell.Name(), r.Cell.Hash, metaFile)
	}
	return nil
}
