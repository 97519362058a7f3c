package ci

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// saysNothing are names that do not tell what is inside.
var saysNothing = regexp.MustCompile(`^(util|utils|common|helper|helpers|misc|types|manager)(_test)?(\.go|\.py)?$`)

// machinePath matches a path that only exists on the machine of whoever wrote it.
var machinePath = regexp.MustCompile(`(^|[\s"'=(])/(work|root|farm|home/[a-z]+)/`)

// promise matches words that stand for work not done.
var promise = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b|[Nn]ot (yet )?implemented|\bfor now\b`)

const maxLines = 450

// tidyViolations returns one line per file or folder of fsys that breaks a
// rule about names, size or content.
func tidyViolations(fsys fs.FS) ([]string, error) {
	var found []string
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && p != "." && (name == ".git" || p == "results/runs" || name == "fuzz") {
			return fs.SkipDir
		}
		if p == "." {
			return nil
		}
		say := func(format string, args ...any) { found = append(found, p+": "+fmt.Sprintf(format, args...)) }
		if strings.ContainsAny(name, `: \*?"<>|`) {
			say("the name has a character that a checkout on another system refuses")
		}
		if saysNothing.MatchString(name) {
			say("the name says nothing")
		}
		ext := path.Ext(name)
		if d.IsDir() || (ext != ".go" && ext != ".py" && ext != ".sh" && ext != ".md" && ext != ".yaml") {
			return nil
		}
		text, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		lines := strings.Split(string(text), "\n")
		if (ext == ".go" || ext == ".py") && len(lines) > maxLines {
			say("%d lines; one concept each, %d at most", len(lines), maxLines)
		}
		for i, line := range lines {
			if strings.HasPrefix(p, "ci/tidy_test.go") {
				break // holds the patterns themselves
			}
			if machinePath.MatchString(line) {
				say("line %d names a path of a machine", i+1)
			}
			if ext != ".md" && promise.MatchString(line) {
				say("line %d promises instead of doing", i+1)
			}
		}
		return nil
	})
	return found, err
}

func TestTidy(t *testing.T) {
	found, err := tidyViolations(os.DirFS(".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

func TestTidySeesPlantedViolations(t *testing.T) {
	long := strings.Repeat("// line\n", maxLines+1)
	for name, text := range map[string]string{
		"harness/util.go":        "package harness",
		"harness/helpers/x.go":   "package helpers",
		"results/a:b.md":         "text",
		"report/long.go":         long,
		"report/path.go":         "package report // " + "/" + "root/x",
		"report/promise.go":      "package report // " + "TO" + "DO later",
		"workloads/spec/it.yaml": "# " + "FIX" + "ME",
	} {
		found, err := tidyViolations(fstest.MapFS{name: {Data: []byte(text)}})
		if err != nil {
			t.Fatal(err)
		}
		if len(found) == 0 {
			t.Errorf("%s passed", name)
		}
	}
	found, err := tidyViolations(fstest.MapFS{"harness/rounds.go": {Data: []byte("package harness\n")}})
	if err != nil || len(found) > 0 {
		t.Errorf("a tidy file: %v, %v", found, err)
	}
}
