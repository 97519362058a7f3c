package report

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
)

//go:embed templates/*.html templates/*.css templates/page.js assets/echarts.common.min.js.gz
var files embed.FS

// pageParts are what every page consists of besides its text.
type pageParts struct {
	Policy  string // content security policy
	Form    string // see form; empty: the page is not verified
	Title   text
	Style   template.CSS
	ECharts template.HTML // packed; the page's script unpacks it for the first chart
	Script  template.JS
	Charts  template.HTML // packed data of the charts
	// Records of a run are packed, those of a history are JSON.
	Records template.JS
	Packed  template.HTML
}

// newPageParts embeds the style, both scripts and the packed data of the charts.
func newPageParts(title text, charts template.HTML) (pageParts, error) {
	style, err := stylesheet(files)
	if err != nil {
		return pageParts{}, err
	}
	script, err := files.ReadFile("templates/page.js")
	if err != nil {
		return pageParts{}, err
	}
	lib, err := echarts()
	if err != nil {
		return pageParts{}, err
	}
	return pageParts{
		Policy: "default-src 'none'; script-src " + lib.digest + " " + digest(script) +
			"; style-src " + digest(style) + "; img-src data:; base-uri 'none'; form-action 'none'",
		Title: title, Style: template.CSS(style), ECharts: lib.packed, Script: template.JS(script),
		Charts: charts,
	}, nil
}

// library is a script of others. It travels as base64 of gzip: half of a page was
// its code, which a reader without an interest in the charts never runs.
type library struct {
	packed template.HTML
	digest string // of the code
}

var echarts = sync.OnceValues(func() (library, error) {
	packed, err := files.ReadFile("assets/echarts.common.min.js.gz")
	if err != nil {
		return library{}, err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return library{}, fmt.Errorf("report: echarts: %w", err)
	}
	code, err := io.ReadAll(z)
	if err != nil {
		return library{}, fmt.Errorf("report: echarts: %w", err)
	}
	return library{template.HTML(base64.StdEncoding.EncodeToString(packed)), digest(code)}, nil
})

// stylesheet is style.css, then the sheets of single sections in the order of
// their names.
func stylesheet(fsys fs.FS) ([]byte, error) {
	const first = "templates/style.css"
	names, err := fs.Glob(fsys, "templates/*.css")
	if err != nil {
		return nil, err
	}
	all, err := fs.ReadFile(fsys, first)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if name == first {
			continue
		}
		sheet, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		all = append(all, sheet...)
	}
	return all, nil
}

// digest is a source expression of a content security policy.
func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// templates are those of all pages; parsing them takes longer than writing a
// small page.
var templates = sync.OnceValues(func() (*template.Template, error) {
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	all := template.New("")
	for _, name := range names {
		source, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		if _, err := all.New(path.Base(name)).Parse(unquoted(string(source))); err != nil {
			return nil, err
		}
	}
	return all, nil
})

// bareTags are what a page repeats hundreds to thousands of times, with the quotes that
// HTML does not need around a word.
var bareTags = []string{
	`<span lang="en">`, `<span lang="zh-Hans">`, `<span class="bn">`, `<span class="vh">`, `<span class="clabel">`,
	`<svg class="key" width="12" height="12" aria-hidden="true">`, `<svg width="12" height="12" aria-hidden="true">`, `<svg class="bar" aria-hidden="true">`,
	`<th scope="row">`, `<th scope="col">`, `<th scope="col" class="r">`, `<td class="r">`, `<tr role="row">`, `<th role="rowheader" scope="row">`,
	`<th role="columnheader" scope="col">`, `<th role="columnheader" scope="col" class="r">`, `<td role="cell">`, `<td role="cell" class="r">`, `<td role="cell" class="pl">`,
}

// unquoted is a template that gives the same page in fewer bytes.
func unquoted(source string) string {
	for _, tag := range bareTags {
		source = strings.ReplaceAll(source, tag, strings.ReplaceAll(tag, `"`, ""))
	}
	return source
}

// writePage writes a page by the template of that name, or nothing at all.
func writePage(w io.Writer, name string, data any) error {
	t, err := templates()
	if err != nil {
		return fmt.Errorf("report: templates: %w", err)
	}
	return writeTemplate(w, t, name, data)
}

func writeTemplate(w io.Writer, t *template.Template, name string, data any) error {
	var b bytes.Buffer // a page that fails half-way is not written
	if err := t.ExecuteTemplate(&b, name, data); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}
