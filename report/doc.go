// Package report turns the files of a run, and what compare made of them, into
// text, Markdown, CSV, JSON and one self-contained HTML page. Every function
// is pure: the same run gives the same bytes on any machine, in any time zone
// and locale. It measures nothing and judges nothing.
package report
