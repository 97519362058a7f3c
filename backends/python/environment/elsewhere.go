package environment

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"strings"
)

// Place is a folder on another disk than the environments in which a tool needs
// room too.
type Place struct {
	Dir   string
	What  string // for the user: what writes there
	Set   string // the environment variable that leads it elsewhere
	Bytes int64  // at most, for the pinned versions
}

// Elsewhere are the places on other disks than dir, where the environments are
// made, in which the steps need room: pip downloads to the folder for temporary
// files what one environment takes, and uv unpacks all packages in its cache.
func Elsewhere(ctx context.Context, steps []Step, dir string) []Place {
	pip := Place{Dir: os.TempDir(), What: "pip's downloads", Set: "TMPDIR"}
	uv := Place{What: "uv's cache", Set: "UV_CACHE_DIR"}
	var unpacked []Step
	for _, s := range steps {
		switch s.Tool.Name {
		case "pip":
			pip.Bytes = max(pip.Bytes, s.Spec.Download) // removed after each
		case "uv":
			uv.Dir = cmp.Or(uv.Dir, s.Tool.cache(ctx))
			s.Tool.links = true // there every package lies once
			unpacked = append(unpacked, s)
		}
	}
	_, uv.Bytes = Needs(unpacked)
	var places []Place
	for _, p := range []Place{pip, uv} {
		if p.Bytes > 0 && p.Dir != "" && !sameDisk(p.Dir, dir) {
			places = append(places, p)
		}
	}
	return places
}

// cache is the folder of uv's cache, "" if it does not say.
func (t Tool) cache(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, t.path, "cache", "dir", "--color", "never").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
