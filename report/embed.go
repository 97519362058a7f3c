package report

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/results"
)

// The records stand in a page as base64 of gzip of an archive (see
// results.Archive), in an element that nothing else in a page can look like.
// RecordsOpen is how it begins.
const (
	RecordsOpen = `<script type="application/octet-stream" id="records">`
	recordsEnd  = `</script>`
)

// The limits of what is embedded, so that the page still opens; variables for the
// tests.
var (
	embedLimit   = 96 << 20 // of the archive
	packedLimit  = 24 << 20 // of its base64
	maxPageBytes = 256 << 20
)

// embed packs the run. Where that would be too large, it leaves out block times,
// then stderr, then timelines, and says so.
func (v *view) embed() (template.HTML, text, error) {
	a := results.Archive{Runs: v.parts()}
	var left []text
	for _, drop := range leaveOut {
		if drop.of != nil {
			a.Runs = without(a.Runs, drop.of)
			left = append(left, drop.what)
			a.Left = append(a.Left, drop.what.EN)
		}
		packed, err := pack(a)
		if err != nil {
			return "", text{}, err
		}
		if packed != "" {
			return template.HTML(packed), leftOut(left), nil
		}
	}
	a.Runs = slices.Clone(a.Runs)
	for i := range a.Runs {
		a.Runs[i].Records = nil
	}
	a.Left = append(a.Left, "records")
	left = append(left, text{"records", "记录"})
	packed, err := pack(a)
	if err == nil && packed == "" { // names of many megabytes
		a.Runs, a.Left = nil, append(a.Left, "the plan")
		left = append(left, text{"the plan", "计划"})
		packed, err = pack(a)
	}
	return template.HTML(packed), leftOut(left), err
}

// leaveOut is what is left out, in this order, after nothing.
var leaveOut = []struct {
	what text
	of   func(*results.Record)
}{
	{},
	{text{"block times", "各块时间"}, func(r *results.Record) { r.BlockNS = nil }},
	{text{"stderr beyond 1 KiB", "超过 1 KiB 的 stderr"}, func(r *results.Record) {
		if len(r.Stderr) > 1024 {
			r.Stderr = strings.ToValidUTF8(r.Stderr[len(r.Stderr)-1024:], "")
		}
	}},
	{text{"memory timelines", "内存时间线"}, func(r *results.Record) {
		if r.Memory != nil {
			m := *r.Memory
			m.Timeline = nil
			r.Memory = &m
		}
	}},
}

// without copies the runs and drops something from each record.
func without(runs []results.Run, drop func(*results.Record)) []results.Run {
	runs = slices.Clone(runs)
	for i := range runs {
		runs[i].Records = slices.Clone(runs[i].Records)
		for j := range runs[i].Records {
			drop(&runs[i].Records[j])
		}
	}
	return runs
}

func leftOut(what []text) text {
	if len(what) == 0 {
		return text{}
	}
	return textf("Too large for a page, so left to trials.jsonl: %s.", "因页面过大，以下内容只在 trials.jsonl 中：%s。", joined(what, ", ", "、"))
}

var errTooLarge = errors.New("too large")

// limited fails a write beyond a number of bytes.
type limited struct {
	io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, errTooLarge
	}
	return l.Writer.Write(p)
}

// pack is the base64 of an archive; empty where it is too large.
func pack(a results.Archive) (string, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	err := a.Write(&limited{z, embedLimit})
	if err == nil {
		err = z.Close()
	}
	switch {
	case errors.Is(err, errTooLarge), err == nil && base64.StdEncoding.EncodedLen(b.Len()) > packedLimit:
		return "", nil
	case err != nil:
		return "", fmt.Errorf("report: records: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

// Embedded are the runs that a page was made from.
type Embedded struct {
	Form string        // of the page; see Form
	Runs []results.Run // as they were read from their folders, but with no Dir
	Left []string      // what was left out of the records; nothing: they are whole
}

// Run is the run that the page shows: all of them, if they are several.
func (e Embedded) Run() (results.Run, error) { return results.Merge(e.Runs) }

var formMark = regexp.MustCompile(`<meta name="generator" content="dlbench; page form ([0-9a-f]{12})">`)

// ReadEmbedded reads the runs out of a page of dlbench. It believes nothing: the
// records are held to what a run's folder is held to, and neither the page nor
// what is packed in it may be larger than a page of dlbench can be.
func ReadEmbedded(r io.Reader) (Embedded, error) {
	page, err := io.ReadAll(io.LimitReader(r, int64(maxPageBytes)+1))
	if err != nil {
		return Embedded{}, err
	}
	if len(page) > maxPageBytes {
		return Embedded{}, fmt.Errorf("larger than %d bytes, so no report", maxPageBytes)
	}
	mark := formMark.FindSubmatch(page[:min(len(page), 1<<16)])
	if mark == nil {
		return Embedded{}, errors.New("not a report of dlbench, or one of a version before it could be verified")
	}
	_, packed, ok := bytes.Cut(page, []byte(RecordsOpen))
	if !ok {
		return Embedded{}, errors.New("the page holds no records")
	}
	packed, rest, ok := bytes.Cut(packed, []byte(recordsEnd))
	if !ok {
		return Embedded{}, errors.New("the page is torn: its records do not end")
	}
	if bytes.Contains(rest, []byte(RecordsOpen)) {
		return Embedded{}, errors.New("the page holds records twice")
	}
	if !bytes.HasSuffix(bytes.TrimRight(rest, "\r\n"), []byte("</html>")) {
		return Embedded{}, errors.New("the page is torn: it does not end as a page does")
	}
	a, err := unpack(packed)
	if err != nil {
		return Embedded{}, fmt.Errorf("the records of the page: %w", err)
	}
	if len(a.Runs) == 0 && len(a.Left) == 0 {
		return Embedded{}, errors.New("the page holds no run")
	}
	return Embedded{Form: string(mark[1]), Runs: a.Runs, Left: a.Left}, nil
}

func unpack(packed []byte) (results.Archive, error) {
	data, err := unpacked(packed, results.MaxArchive)
	if err != nil {
		return results.Archive{}, err
	}
	return results.ReadArchive(data)
}
