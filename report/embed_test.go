package report

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

// The page holds the whole run, so that every number can be made again.
func TestEmbeddedIsTheRun(t *testing.T) {
	run, a := golden(t)
	run.Warnings = []string{"a torn line"}
	e, err := ReadEmbedded(strings.NewReader(renderHTML(t, run, a)))
	if err != nil {
		t.Fatal(err)
	}
	run.Dir = ""
	if e.Left != nil || e.Form != Form() || len(e.Runs) != 1 || !reflect.DeepEqual(e.Runs[0], run) {
		t.Errorf("left out %v, form %s, %d runs; the run differs", e.Left, e.Form, len(e.Runs))
	}
}

// Records that would make the page too large are left out, and it says so.
func TestEmbeddedTooLarge(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 7, Memory: true})
	for i := range run.Records {
		run.Records[i].BlockNS = slices.Repeat([]int64{123_456_789}, 16384)
	}
	defer func(n int) { embedLimit = n }(embedLimit)
	for _, test := range []struct {
		limit int
		left  []string
		zh    string
	}{
		{5 << 20, []string{"block times"}, "只在 trials.jsonl 中：各块时间。"},
		{100 << 10, []string{"block times", "stderr beyond 1 KiB", "memory timelines", "records"}, "只在 trials.jsonl 中：各块时间、超过 1 KiB 的 stderr、内存时间线、记录。"},
	} {
		embedLimit = test.limit
		page := renderHTML(t, run, compare.Analyze(run))
		e, err := ReadEmbedded(strings.NewReader(page))
		if err != nil || !slices.Equal(e.Left, test.left) {
			t.Errorf("limit %d: left out %q, %v", test.limit, e.Left, err)
		}
		for _, want := range []string{"left to trials.jsonl: " + strings.Join(test.left, ", ") + ".", test.zh} {
			if !strings.Contains(page, want) {
				t.Errorf("limit %d: the page lacks %q", test.limit, want)
			}
		}
		if run.Records[0].BlockNS == nil {
			t.Fatal("the report changed the run")
		}
	}
}

// packedAs is a page that holds these bytes as its records.
func packedAs(page, packed string) string {
	before, rest, _ := strings.Cut(page, RecordsOpen)
	_, after, _ := strings.Cut(rest, recordsEnd)
	return before + RecordsOpen + packed + recordsEnd + after
}

func zipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadEmbeddedRefuses(t *testing.T) {
	run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 1, Cells: resultstest.Cells()[:2]})
	page := renderHTML(t, run, compare.Analyze(run))
	packed := between(t, page, RecordsOpen, recordsEnd)
	raw, err := base64.StdEncoding.DecodeString(packed)
	if err != nil {
		t.Fatal(err)
	}
	base := base64.StdEncoding.EncodeToString
	for _, test := range []struct{ name, page, want string }{
		{"nothing", "", "not a report of dlbench"},
		{"another page", "<!doctype html><p>hello", "not a report of dlbench"},
		{"no records", strings.Replace(page, RecordsOpen, "<script>", 1), "holds no records"},
		{"records twice", strings.Replace(page, "</body>", RecordsOpen+packed+recordsEnd+"</body>", 1), "records twice"},
		{"torn in the records", page[:strings.Index(page, RecordsOpen)+200], "torn: its records"},
		{"torn after the records", page[:len(page)-20], "torn: it does not end"},
		{"no base64", packedAs(page, "%"), "illegal base64"},
		{"base64 with a rest", packedAs(page, packed+"!"), "illegal base64"},
		{"no gzip", packedAs(page, "AAAA"), "the records of the page"},
		{"gzip torn", packedAs(page, base(raw[:len(raw)-9])), "unexpected EOF"},
		{"gzip damaged", packedAs(page, base(append(raw[:len(raw)-5:len(raw)-5], 1, 2, 3, 4, 5))), "gzip: invalid checksum"},
		{"something behind the gzip", packedAs(page, base(append(slices.Clone(raw), raw...))), "bytes follow the gzip stream"},
		{"no runs", packedAs(page, base(zipped(t, []byte("{\"schema\":1,\"runs\":0}\n")))), "holds no run"},
		{"a bomb", packedAs(page, base(zipped(t, make([]byte, 3*results.MaxArchive)))), "larger than"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := ReadEmbedded(strings.NewReader(test.page)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
	t.Run("too large", func(t *testing.T) {
		defer func(n int) { maxPageBytes = n }(maxPageBytes)
		maxPageBytes = len(page) - 1
		if _, err := ReadEmbedded(strings.NewReader(page)); err == nil || !strings.Contains(err.Error(), "larger than") {
			t.Errorf("error %v", err)
		}
	})
}

func FuzzReadEmbedded(f *testing.F) {
	run := resultstest.Run(resultstest.Config{Seed: 1, Rounds: 1, Cells: resultstest.Cells()[:2], Samples: 2})
	page := renderHTML(f, run, compare.Analyze(run))
	head, tail := page[:strings.Index(page, "<title>")], "</html>\n"
	packed := between(f, page, RecordsOpen, recordsEnd)
	f.Add(head + RecordsOpen + packed + recordsEnd + tail)
	f.Add(head + RecordsOpen + recordsEnd + tail)
	f.Fuzz(func(t *testing.T, page string) {
		e, err := ReadEmbedded(strings.NewReader(page))
		if err == nil && (len(e.Runs) == 0 || e.Form == "") {
			t.Errorf("%+v", e)
		}
	})
}
