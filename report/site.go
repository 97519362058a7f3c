package report

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

// Site is a collection of runs as it is published: its index.json.
type Site struct {
	Schema int         `json:"schema"`
	ID     string      `json:"id"` // of the feed, from the first run that was published
	Runs   []Published `json:"runs"`
}

// Published is what a site tells of one run.
type Published struct {
	ID       string             `json:"id"`     // urn:uuid, the same for the same run wherever it is published
	Folder   string             `json:"folder"` // of its pages and files
	Suite    string             `json:"suite"`
	Label    string             `json:"label,omitempty"`
	Started  string             `json:"started"` // RFC 3339, UTC
	Ended    string             `json:"ended"`   // when its last trial began
	Version  string             `json:"version"`
	Host     Words              `json:"host"`
	Answer   Words              `json:"answer"`
	Backends []PublishedBackend `json:"backends"`
	Cells    int                `json:"cells"`
	Trials   int                `json:"trials"`
}

// PublishedBackend is a backend's name and what kind its workers said to be.
type PublishedBackend struct {
	Name string `json:"name"`
	Kind string `json:"kind,omitempty"`
}

// Words are a text in both languages.
type Words struct {
	EN string `json:"en"`
	ZH string `json:"zh"`
}

// The files of each run on a site; a run's folder there is one that dlbench reads.
var SiteFiles = []string{"report.html", "report.md", "report.csv", "report.json", "run.json", "trials.jsonl"}

const siteSchema = 1

// Describe is what a site tells of a run.
func Describe(run results.Run, a compare.Analysis) Published {
	v, m := newView(run, a), run.Meta
	p := Published{
		ID: runID(m), Suite: line(m.Suite), Label: line(m.Label), Started: rfc3339(m.Started), Ended: rfc3339(m.Started), Version: line(m.Version),
		Host: v.hosts().words(), Answer: v.answer().words(), Backends: []PublishedBackend{}, Cells: len(v.cells()), Trials: len(run.Records),
	}
	for i := range run.Records {
		p.Ended = max(p.Ended, rfc3339(run.Records[i].Start))
	}
	for _, b := range v.backends {
		kind := ""
		if b.Hollow {
			kind = "eager"
		}
		p.Backends = append(p.Backends, PublishedBackend{line(b.Name), kind})
	}
	p.Folder = results.NewDirName(strings.TrimSuffix(clean(strings.ReplaceAll(m.Suite, "..", "-"), 60), "…"), moment(m.Started))
	return p
}

func (t text) words() Words { return Words{plain(t.EN), plain(t.ZH)} }

// runID names a run by what is decided when it begins, so that it keeps its name
// when it is resumed.
func runID(m results.Meta) string {
	return uuid("run", m.Suite, m.Started, fmt.Sprint(m.Seed), m.Plan, m.Binary, hostOf(m.Host))
}

// uuid is a version 8 UUID (RFC 9562) from a hash.
func uuid(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d %s\n", len(p), p)
	}
	s := h.Sum(nil)
	s[6], s[8] = s[6]&0x0f|0x80, s[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", s[:4], s[4:6], s[6:8], s[8:10], s[10:16])
}

func moment(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Unix(0, 0)
	}
	return t
}

func rfc3339(s string) string { return moment(s).UTC().Format(time.RFC3339) }

// Add puts a run on the site, in place of an earlier state of it, and returns it as
// it is published: a folder that another run has is not taken from it.
func (s *Site) Add(p Published) Published {
	s.Runs = slices.DeleteFunc(s.Runs, func(r Published) bool { return r.ID == p.ID })
	if slices.ContainsFunc(s.Runs, func(r Published) bool { return r.Folder == p.Folder }) {
		p.Folder += "-" + p.ID[len(p.ID)-12:]
	}
	s.Schema = siteSchema
	if s.ID == "" {
		s.ID = uuid("site", p.ID)
	}
	s.Runs = append(s.Runs, p)
	slices.SortFunc(s.Runs, func(a, b Published) int {
		return cmp.Or(cmp.Compare(b.Started, a.Started), cmp.Compare(a.Folder, b.Folder))
	})
	return p
}

var (
	folderName = regexp.MustCompile(`^[\pL\pN][\pL\pN.-]*$`)
	uuidName   = regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// ReadSite reads index.json.
func ReadSite(data []byte) (Site, error) {
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.DisallowUnknownFields()
	var s Site
	if err := d.Decode(&s); err != nil {
		return Site{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Site{}, errors.New("something follows the JSON value")
	}
	if s.Schema != siteSchema {
		return Site{}, fmt.Errorf("schema version %d; this dlbench reads version %d", s.Schema, siteSchema)
	}
	if !uuidName.MatchString(s.ID) {
		return Site{}, fmt.Errorf("the id %q is no urn:uuid", s.ID)
	}
	seen := map[string]bool{}
	for _, r := range s.Runs {
		switch {
		case !folderName.MatchString(r.Folder):
			return Site{}, fmt.Errorf("the folder %q: expected letters, digits, dots and hyphens", r.Folder)
		case !uuidName.MatchString(r.ID):
			return Site{}, fmt.Errorf("the id %q of %s is no urn:uuid", r.ID, r.Folder)
		case seen[r.Folder] || seen[r.ID]:
			return Site{}, fmt.Errorf("%s is listed twice", r.Folder)
		}
		seen[r.Folder], seen[r.ID] = true, true
	}
	return s, nil
}

// JSON writes index.json.
func (s Site) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(s)
}

// sitePage is what the template of the index shows.
type sitePage struct {
	pageParts
	Answer text
	Runs   []siteRun
	Files  []string
}

type siteRun struct {
	Published
	Link       string // folder, as part of an address
	Day        string
	HostLine   text
	AnswerLine text
	Counts     text
	Shown      []identity
}

// HTML writes the index of the site.
func (s Site) HTML(w io.Writer) error {
	title := text{"dlbench results", "dlbench 结果"}
	options, err := chartData(map[string][2]string{}, map[string]chart{})
	if err != nil {
		return err
	}
	p := sitePage{Answer: textf("%s, newest first. Each page holds its records and can be verified.", "%s，最新的在前。每个页面都内含原始记录，可以核验。", counts(len(s.Runs), "run", "次运行")), Files: SiteFiles[1:]}
	if p.pageParts, err = newPageParts(title, options); err != nil {
		return err
	}
	p.ECharts = "" // nothing is drawn
	for _, r := range s.Runs {
		row := siteRun{
			Published: r, Link: url.PathEscape(r.Folder), Day: utc(r.Started), HostLine: text{line(r.Host.EN), line(r.Host.ZH)}, AnswerLine: text{clean(r.Answer.EN, 4000), clean(r.Answer.ZH, 4000)},
			Counts: textf("%s, %s", "%s，%s", counts(r.Cells, "cell", "个单元"), counts(r.Trials, "trial", "次试验")),
		}
		for _, b := range r.Backends {
			row.Shown = append(row.Shown, identify(b.Name, b.Kind))
		}
		p.Runs = append(p.Runs, row)
	}
	return writePage(w, "site.html", p)
}

// The elements of an Atom feed (RFC 4287).
type (
	atomFeed struct {
		XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
		Lang    string      `xml:"xml:lang,attr"`
		ID      string      `xml:"id"`
		Title   string      `xml:"title"`
		Updated string      `xml:"updated"`
		Author  string      `xml:"author>name"`
		Links   []atomLink  `xml:"link"`
		Entries []atomEntry `xml:"entry"`
	}
	atomLink struct {
		Rel  string `xml:"rel,attr"`
		Type string `xml:"type,attr,omitempty"`
		Href string `xml:"href,attr"`
	}
	atomEntry struct {
		ID        string     `xml:"id"`
		Title     string     `xml:"title"`
		Published string     `xml:"published"`
		Updated   string     `xml:"updated"`
		Links     []atomLink `xml:"link"`
		Summary   string     `xml:"summary"`
	}
)

// Feed writes the site as an Atom feed. Without a base address its links are
// relative to the feed.
func (s Site) Feed(w io.Writer, base string) error {
	if base != "" && !strings.HasSuffix(base, "/") {
		base += "/"
	}
	f := atomFeed{
		Lang: "en", ID: s.ID, Title: "dlbench results", Updated: rfc3339(""), Author: "dlbench",
		Links: []atomLink{{"self", "application/atom+xml", base + "feed.xml"}, {"alternate", "text/html", base + "index.html"}},
	}
	for _, r := range s.Runs {
		f.Updated = max(f.Updated, r.Ended)
		title := line(r.Suite)
		if r.Label != "" {
			title += " · " + line(r.Label)
		}
		folder := base + url.PathEscape(r.Folder) + "/"
		f.Entries = append(f.Entries, atomEntry{
			ID: r.ID, Title: cmp.Or(title, "run"), Published: rfc3339(r.Started), Updated: rfc3339(r.Ended),
			Links:   []atomLink{{"alternate", "text/html", folder + "report.html"}, {"enclosure", "application/json", folder + "report.json"}},
			Summary: clean(r.Answer.EN, 4000) + " " + line(r.Host.EN) + ".",
		})
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(f); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func hostOf(h results.Host) string {
	b, err := json.Marshal(h)
	if err != nil {
		return h.CPU
	}
	return string(b)
}
