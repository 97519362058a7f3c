package results

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
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
func Read(dir string) (Run, error) {
	run, _, err := read(dir)
	return run, err
}

// read also returns the size of the whole lines of trials.jsonl.
func read(dir string) (Run, int64, error) {
	meta, err := readMeta(filepath.Join(dir, metaFile))
	if err != nil {
		return Run{}, 0, err
	}
	run := Run{Dir: dir, Meta: meta}
	path := filepath.Join(dir, trialsFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		run.Warnings = append(run.Warnings, path+": not there: the run ended before its first trial")
		return run, 0, nil
	}
	if err != nil {
		return Run{}, 0, err
	}
	defer f.Close()
	records, whole, torn, err := readTrials(f, path, cellSet(meta.Cells))
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
	f, err := os.Open(path)
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

func parseMeta(data []byte, path string) (Meta, error) {
	if len(data) > maxMeta {
		return Meta{}, fmt.Errorf("%s: larger than %d bytes", path, maxMeta)
	}
	var m Meta
	if at, err := strict(data, &m, &m.Schema); err != nil {
		return Meta{}, fmt.Errorf("%s:%s: %w", path, position(data, at), err)
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

// readTrials parses the lines of trials.jsonl. It returns the size of the
// whole lines and that of a torn last one.
func readTrials(in io.Reader, path string, planned map[Cell]bool) (records []Record, whole, torn int64, err error) {
	type trial struct {
		cell           Cell
		round, attempt int
	}
	first := map[trial]int{}
	r := bufio.NewReaderSize(in, 1<<16)
	for n := 1; ; n++ {
		line, err := readLine(r)
		if err == io.EOF {
			return records, whole, int64(len(line)), nil
		}
		if err != nil {
			return nil, 0, 0, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		whole += int64(len(line))
		var rec Record
		if at, err := strict(line, &rec, &rec.Schema); err != nil {
			return nil, 0, 0, fmt.Errorf("%s:%d: column %d: %w", path, n, at+1, err)
		}
		if err := rec.valid(planned); err != nil {
			return nil, 0, 0, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if rec.Kind == KindTime {
			t := trial{rec.Cell, rec.Round, rec.Attempt}
			if before := first[t]; before != 0 {
				return nil, 0, 0, fmt.Errorf("%s:%d: %s has round %d, attempt %d in line %d already", path, n, rec.Cell.Name(), rec.Round, rec.Attempt, before)
			}
			first[t] = n
		}
		records = append(records, rec)
	}
}

// readLine returns a line with its newline. At the end of the file it returns
// what stands behind the last newline, and io.EOF.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if line == nil && err == nil {
			return part, nil
		}
		line = append(line, part...)
		if len(line) > maxLine {
			return nil, fmt.Errorf("longer than %d bytes", maxLine)
		}
		if err != bufio.ErrBufferFull {
			return line, err
		}
	}
}

// strict decodes one JSON value that must fill data, without unknown keys and
// of our schema, which is v's field. It returns the offset of an error.
func strict(data []byte, v any, schema *int) (int, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		rest := bytes.TrimLeft(data[d.InputOffset():], " \t\r\n")
		if len(rest) > 0 {
			return len(data) - len(rest), errors.New("something follows the JSON value")
		}
		if *schema == Schema {
			return 0, nil
		}
	}
	// Another schema may have other keys: say that, rather than the key.
	var other struct {
		Schema *int `json:"schema"`
	}
	if json.Unmarshal(data, &other) == nil {
		if other.Schema == nil {
			return 0, fmt.Errorf("no schema version; expected \"schema\": %d", Schema)
		}
		if *other.Schema != Schema {
			return 0, fmt.Errorf("schema version %d; this dlbench reads version %d", *other.Schema, Schema)
		}
	}
	at := int(d.InputOffset())
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at = max(0, int(syntax.Offset)-1)
	case errors.As(err, &kind):
		at = max(0, int(kind.Offset)-1)
		return at, fmt.Errorf("%s: expected %s, got a JSON %s", kind.Field, kind.Type, kind.Value)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return len(data), errors.New("the JSON value ends too early")
	}
	return at, errors.New("not valid: " + strings.TrimPrefix(err.Error(), "json: "))
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
		return fmt.Errorf("cell %s (program %q) is not planned in %s", r.Cell.Name(), r.Cell.Hash, metaFile)
	}
	return nil
}
