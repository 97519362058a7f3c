package results

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Archive is runs in one stream, so that they can travel inside a page: a line
// that heads the archive, then for each run a line with its Meta and its records,
// one per line as in trials.jsonl.
type Archive struct {
	Runs []Run
	// Left names what was left out of the records to keep the archive small; with
	// anything left out it cannot stand for the runs.
	Left []string
}

// The limits of an archive: of its bytes, and of the JSON objects and lists in it,
// because an empty one takes two bytes in a file and a hundred in memory. An empty
// string takes three and sixteen, so lines that may list strings are bounded too.
const (
	MaxArchive        = 128 << 20
	maxArchiveObjects = 16 << 20
	maxArchiveRuns    = 1000
	maxArchiveHead    = 64 << 10         // the line that heads it
	maxArchiveNotes   = 1000             // in it, of what was left out; of a run, its warnings
	maxArchiveRun     = maxMeta + 64<<10 // the line of a run, with its run.json
)

type archiveHead struct {
	Schema int      `json:"schema"`
	Runs   int      `json:"runs"`
	Left   []string `json:"left_out,omitempty"`
}

type archivedRun struct {
	Schema   int      `json:"schema"`
	Records  int      `json:"records"`
	Warnings []string `json:"warnings,omitempty"`
	Meta     Meta     `json:"meta"`
}

// Write writes the archive; the same runs give the same bytes. What JSON cannot
// carry (NaN, infinities) is dropped, as Journal.Append does.
func (a Archive) Write(w io.Writer) error {
	b := bufio.NewWriterSize(w, 1<<16)
	e := json.NewEncoder(b)
	if err := e.Encode(archiveHead{Schema, len(a.Runs), a.Left}); err != nil {
		return err
	}
	for _, run := range a.Runs {
		meta := run.Meta
		meta.Schema = Schema
		if err := e.Encode(archivedRun{Schema, len(run.Records), run.Warnings, meta}); err != nil {
			return err
		}
		for i := range run.Records {
			r := finite(run.Records[i])
			r.Schema = Schema
			if err := e.Encode(&r); err != nil {
				return err
			}
		}
	}
	return b.Flush()
}

// ReadArchive reads what Write wrote, as strictly as Read reads a folder.
func ReadArchive(data []byte) (Archive, error) {
	if len(data) > MaxArchive {
		return Archive{}, fmt.Errorf("the records are larger than %d bytes", MaxArchive)
	}
	if n := bytes.Count(data, []byte("{")) + bytes.Count(data, []byte("[")); n > maxArchiveObjects {
		return Archive{}, fmt.Errorf("the records hold %d JSON objects and lists, the limit is %d", n, maxArchiveObjects)
	}
	var head archiveHead
	line, rest, err := nextLine(data, maxArchiveHead)
	if err == nil {
		_, err = strict(line, &head, &head.Schema)
	}
	if err != nil {
		return Archive{}, fmt.Errorf("the head of the records: %w", err)
	}
	if head.Runs < 0 || head.Runs > maxArchiveRuns {
		return Archive{}, fmt.Errorf("the head of the records: %d runs: expected at most %d", head.Runs, maxArchiveRuns)
	}
	if len(head.Left) > maxArchiveNotes {
		return Archive{}, fmt.Errorf("the head of the records: %d things left out: expected at most %d", len(head.Left), maxArchiveNotes)
	}
	a := Archive{Left: head.Left}
	for n := 1; n <= head.Runs; n++ {
		var run Run
		if run, rest, err = archived(rest, fmt.Sprintf("run %d", n)); err != nil {
			return Archive{}, err
		}
		a.Runs = append(a.Runs, run)
	}
	if len(rest) > 0 {
		return Archive{}, fmt.Errorf("%d bytes follow the last of %d runs", len(rest), head.Runs)
	}
	return a, nil
}

// archived reads the run that data begins with and returns what follows it.
func archived(data []byte, name string) (Run, []byte, error) {
	var about archivedRun
	line, rest, err := nextLine(data, maxArchiveRun)
	if err == nil {
		_, err = strict(line, &about, &about.Schema)
	}
	if err != nil {
		return Run{}, nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(about.Warnings) > maxArchiveNotes {
		return Run{}, nil, fmt.Errorf("%s: %d warnings: expected at most %d", name, len(about.Warnings), maxArchiveNotes)
	}
	// Once more by itself: it is held to what run.json is held to.
	meta, err := json.Marshal(about.Meta)
	if err == nil {
		about.Meta, err = parseMeta(meta, name)
	}
	if err != nil {
		return Run{}, nil, err
	}
	end, left := 0, about.Records
	for ; left > 0; left-- {
		n := bytes.IndexByte(rest[end:], '\n')
		if n < 0 {
			return Run{}, nil, fmt.Errorf("%s: %d of %d records are missing", name, left, about.Records)
		}
		end += n + 1
	}
	if left < 0 {
		return Run{}, nil, fmt.Errorf("%s: %d records", name, left)
	}
	records, _, _, err := readTrials(bytes.NewReader(rest[:end]), name, cellSet(about.Meta.Cells), (*Record).ownBlocks)
	if err != nil {
		return Run{}, nil, err
	}
	return Run{Meta: about.Meta, Records: records, Warnings: about.Warnings}, rest[end:], nil
}

func nextLine(data []byte, most int) (line, rest []byte, err error) {
	line, rest, ok := bytes.Cut(data, []byte("\n"))
	switch {
	case !ok:
		return nil, nil, errors.New("it ends too early")
	case len(line) > most:
		return nil, nil, fmt.Errorf("larger than %d bytes", most)
	}
	return line, rest, nil
}
