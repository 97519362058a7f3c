package report

import (
	"testing"
	"testing/fstest"
)

// A section's sheet may change what style.css says, and two sections never
// depend on the order in which a file system lists them.
func TestStylesheetBeginsWithTheCommonOne(t *testing.T) {
	got, err := stylesheet(fstest.MapFS{
		"templates/style.css": {Data: []byte("s\n")}, "templates/roofline.css": {Data: []byte("r\n")}, "templates/claims.css": {Data: []byte("c\n")},
		"templates/page.js": {Data: []byte("j\n")}, "templates/gate/style.css": {Data: []byte("g\n")},
	})
	if want := "s\nc\nr\n"; err != nil || string(got) != want {
		t.Errorf("stylesheet is %q, %v; want %q", got, err, want)
	}
}
