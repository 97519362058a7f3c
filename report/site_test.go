package report

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/url"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/resultstest"
)

func onSite(t testing.TB, edit func(*results.Run)) Published {
	t.Helper()
	run := resultstest.Golden()
	edit(&run)
	return Describe(run, compare.Analyze(run))
}

func TestSiteKeepsARunsNameAndPlace(t *testing.T) {
	var s Site
	first := s.Add(onSite(t, func(*results.Run) {}))
	if first.Folder != "golden-20261120T080000Z" && !strings.HasSuffix(first.Folder, "-20261120T080000Z") {
		t.Errorf("folder %q", first.Folder)
	}
	resumed := s.Add(onSite(t, func(r *results.Run) { r.Records = r.Records[:20]; r.Meta.Resumes = []results.Resumption{{At: "x"}} }))
	if len(s.Runs) != 1 || resumed.Folder != first.Folder || resumed.ID != first.ID || s.Runs[0].Trials != 20 {
		t.Errorf("the same run in another state: %+v", s.Runs)
	}
	other := s.Add(onSite(t, func(r *results.Run) { r.Meta.Seed++ }))
	if len(s.Runs) != 2 || other.Folder == first.Folder || other.ID == first.ID {
		t.Errorf("another run of the same second: %q, %q", other.Folder, first.Folder)
	}
	newer := s.Add(onSite(t, func(r *results.Run) { r.Meta.Started = "2026-12-01T08:00:00Z" }))
	if s.Runs[0].ID != newer.ID {
		t.Error("the newest run is not the first")
	}
}

func siteForms(t testing.TB, s Site, base string) (page, feed, list string) {
	t.Helper()
	var b [3]bytes.Buffer
	for i, err := range []error{s.HTML(&b[0]), s.Feed(&b[1], base), s.JSON(&b[2])} {
		if err != nil {
			t.Fatal(i, err)
		}
	}
	return b[0].String(), b[1].String(), b[2].String()
}

// What a run is called cannot leave its place on the site or in its feed.
func TestHostileSite(t *testing.T) {
	for _, name := range []string{payload, "../../etc", "", strings.Repeat("长<b>", 1<<18), ".", "CON", "a/b\\c"} {
		var s Site
		p := s.Add(onSite(t, func(r *results.Run) {
			r.Meta.Suite, r.Meta.Label, r.Meta.Version, r.Meta.Host.CPU, r.Meta.Started = name, name, name, name, name
			r.Records[0].Start = name
		}))
		if !folderName.MatchString(p.Folder) || strings.Contains(p.Folder, "..") || len(p.Folder) > 200 {
			t.Errorf("%.20q: folder %.80q", name, p.Folder)
		}
		page, feed, list := siteForms(t, s, "https://example.org/<x>")
		for _, c := range []struct {
			what string
			n    int
		}{{"<script", 2}, {"<style", 1}, {"<img", 0}, {"<title", 1}, {"<textarea", 0}, {"\x1b", 0}, {"\u202e", 0}} {
			if n := strings.Count(page, c.what); n != c.n {
				t.Errorf("%.20q: %d times %q in the page, expected %d", name, n, c.what, c.n)
			}
		}
		d := xml.NewDecoder(strings.NewReader(feed))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%.20q: the feed: %v", name, err)
			}
		}
		if again, err := ReadSite([]byte(list)); err != nil || len(again.Runs) != 1 {
			t.Errorf("%.20q: its index is read as %+v, %v", name, again, err)
		}
	}
}

// The feed has what RFC 4287 asks for, with an address and without.
func TestFeed(t *testing.T) {
	var s Site
	s.Add(onSite(t, func(*results.Run) {}))
	s.Add(onSite(t, func(r *results.Run) { r.Meta.Seed++ }))
	for _, base := range []string{"", "https://example.org/d"} {
		_, text, _ := siteForms(t, s, base)
		var f atomFeed
		if err := xml.Unmarshal([]byte(text), &f); err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{f.ID: true}
		for _, e := range f.Entries {
			if ids[e.ID] || !uuidName.MatchString(e.ID) || moment(e.Updated).Year() != 2026 || e.Title == "" || e.Summary == "" || len(e.Links) == 0 {
				t.Errorf("entry %+v", e)
			}
			ids[e.ID] = true
			u, err := url.Parse(e.Links[0].Href)
			if err != nil || u.IsAbs() != (base != "") || strings.HasPrefix(u.Path, "//") {
				t.Errorf("link %q with the base %q", e.Links[0].Href, base)
			}
		}
		if len(f.Entries) != 2 || f.Updated < f.Entries[0].Updated || f.Author == "" || f.Title == "" {
			t.Errorf("feed %+v", f)
		}
	}
}

func TestReadSiteRefuses(t *testing.T) {
	var s Site
	s.Add(onSite(t, func(*results.Run) {}))
	_, _, good := siteForms(t, s, "")
	for _, test := range []struct{ name, data, want string }{
		{"nothing", "", "EOF"},
		{"another schema", strings.Replace(good, `"schema": 1`, `"schema": 2`, 1), "schema version 2"},
		{"unknown key", strings.Replace(good, `"schema"`, `"x": 1, "schema"`, 1), "unknown field"},
		{"a path as folder", strings.Replace(good, `"folder": "`, `"folder": "../`, 1), "the folder"},
		{"no id", strings.Replace(good, "urn:uuid:", "urn:", 1), "is no urn:uuid"},
		{"a rest", good + "{}", "something follows"},
	} {
		if _, err := ReadSite([]byte(test.data)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
	s.Runs = append(s.Runs, s.Runs[0])
	_, _, twice := siteForms(t, s, "")
	if _, err := ReadSite([]byte(twice)); err == nil || !strings.Contains(err.Error(), "listed twice") {
		t.Errorf("error %v", err)
	}
}

func FuzzReadSite(f *testing.F) {
	var s Site
	s.Add(onSite(f, func(*results.Run) {}))
	_, _, good := siteForms(f, s, "")
	f.Add([]byte(good))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := ReadSite(data); err == nil {
			siteForms(t, s, "")
		}
	})
}
