package environment

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var pin = regexp.MustCompile(`^([a-z0-9.-]+)(\[[a-z0-9,-]+\])?==([0-9][0-9A-Za-z.]*)( ; .+)?( \\)?$`)

// The locked files are complete (every package with a version and hashes), name
// no host, and hold what was asked for.
func TestLockedRequirements(t *testing.T) {
	files, err := fs.Glob(Locked(), "*")
	if err != nil {
		t.Fatal(err)
	}
	if want := 2 * len(specs); len(files) != want {
		t.Errorf("%d files for %d environments: %v", len(files), len(specs), files)
	}
	for _, s := range specs {
		asked, err := fs.ReadFile(Locked(), s.Name+".in")
		if err != nil {
			t.Fatal(err)
		}
		text, err := requirements(Locked(), s.Name)
		if err != nil {
			t.Fatal(err)
		}
		versions := map[string][]string{}
		hashes := 0
		last := ""
		for line := range strings.Lines(string(text)) {
			line = strings.TrimRight(line, "\n")
			switch trimmed := strings.TrimSpace(line); {
			case strings.HasPrefix(trimmed, "#"):
			case strings.HasPrefix(trimmed, "--hash=sha256:"):
				hashes++
			case pin.MatchString(line):
				if last != "" && hashes == 0 {
					t.Errorf("%s: %s has no hash", s.Name, last)
				}
				m := pin.FindStringSubmatch(line)
				last, hashes = m[1], 0
				versions[m[1]] = append(versions[m[1]], m[3])
			default:
				t.Errorf("%s.txt: %q is neither a pinned package nor a hash nor a comment", s.Name, line)
			}
		}
		if strings.Contains(string(text), "://") {
			t.Errorf("%s.txt names a host", s.Name)
		}
		for line := range strings.Lines(string(asked)) {
			m := pin.FindStringSubmatch(strings.TrimSpace(line))
			if m == nil {
				t.Errorf("%s.in: %q is not pinned", s.Name, line)
			} else if !slices.Contains(versions[m[1]], m[3]) {
				t.Errorf("%s.in asks for %s %s, %s.txt has %v; run scripts/lock-requirements %s", s.Name, m[1], m[3], s.Name, versions[m[1]], s.Name)
			}
		}
		if name, _, _ := strings.Cut(s.Package, "["); len(versions[name]) == 0 || !strings.Contains(string(asked), s.Package+"==") {
			t.Errorf("%s does not hold its package %s", s.Name, s.Package)
		}
		for _, shown := range s.Show {
			if len(versions[shown]) == 0 {
				t.Errorf("%s is shown by %s, which it does not hold", s.Name, shown)
			}
		}
		if s.Disk < s.Download || s.Download <= 0 || len(s.Modules) == 0 || s.NewestPython < oldestPython {
			t.Errorf("incomplete: %+v", s)
		}
	}
}

func TestImpossible(t *testing.T) {
	for _, tc := range []struct {
		name, platform string
		possible       bool
	}{
		{"pytorch", "linux/amd64", true}, {"pytorch", "darwin/arm64", true}, {"pytorch", "darwin/amd64", false},
		{"jax-cuda", "linux/arm64", true}, {"jax-cuda", "darwin/arm64", false}, {"keras", "windows/amd64", false},
	} {
		spec, err := Find(tc.name)
		if err != nil {
			t.Fatal(err)
		}
		why := spec.impossible(tc.platform)
		if (why == "") != tc.possible || why != "" && !strings.Contains(why, tc.platform) {
			t.Errorf("%s on %s: %q", tc.name, tc.platform, why)
		}
	}
	if _, err := Find("caffe"); err == nil || !strings.Contains(err.Error(), "pytorch") {
		t.Errorf("an unknown environment: %v", err)
	}
}
