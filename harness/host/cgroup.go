package host

import (
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// cgroup finds the control group of this process for one controller. The text
// is /proc/self/cgroup; the files are looked up in a tree rooted at "/".
//
// A container often sees its group's path from outside and its files at the
// mount's root, so the root is tried after the path.
type cgroup struct {
	root fs.FS
	dirs []string // v2 first, most specific first
	v1   []string
}

func newCgroup(root fs.FS, controller string) cgroup {
	g := cgroup{root: root}
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return g
	}
	for line := range strings.Lines(string(text)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		names, in := f[1], path.Clean("/"+f[2])
		switch {
		case names == "":
			for _, mount := range []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"} {
				g.dirs = append(g.dirs, mount+in, mount)
			}
		case slices.Contains(strings.Split(names, ","), controller):
			for _, mount := range []string{"sys/fs/cgroup/" + names, "sys/fs/cgroup/" + controller} {
				g.v1 = append(g.v1, mount+in, mount)
			}
		}
	}
	return g
}

// find returns the content of the first file of that name.
func (g cgroup) find(dirs []string, name string) (string, bool) {
	for _, dir := range dirs {
		if text, err := fs.ReadFile(g.root, path.Clean(dir)+"/"+name); err == nil {
			return string(text), true
		}
	}
	return "", false
}

// throttled returns how long the group's CPU quota has held it back, in
// nanoseconds.
func (g cgroup) throttled() (int64, bool) {
	if text, ok := g.find(g.dirs, "cpu.stat"); ok {
		if us, ok := keyed(text, "throttled_usec"); ok {
			return us * 1000, true
		}
	}
	if text, ok := g.find(g.v1, "cpu.stat"); ok {
		return keyed(text, "throttled_time")
	}
	return 0, false
}

// quota returns how many CPUs the group may use; false: no quota.
func (g cgroup) quota() (float64, bool) {
	if text, ok := g.find(g.dirs, "cpu.max"); ok { // "50000 100000" or "max 100000"
		f := strings.Fields(text)
		if len(f) != 2 {
			return 0, false
		}
		return ratio(f[0], f[1])
	}
	quota, _ := g.find(g.v1, "cpu.cfs_quota_us")
	period, _ := g.find(g.v1, "cpu.cfs_period_us")
	return ratio(strings.TrimSpace(quota), strings.TrimSpace(period))
}

func ratio(a, b string) (float64, bool) {
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	q := x / y
	return q, err1 == nil && err2 == nil && q > 0 && !math.IsInf(q, 0)
}

// memoryLimit returns the group's memory limit in bytes; false: none.
func (g cgroup) memoryLimit() (int64, bool) {
	text, ok := g.find(g.dirs, "memory.max")
	if !ok {
		text, ok = g.find(g.v1, "memory.limit_in_bytes")
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return n, ok && err == nil && n > 0 && n < 1<<60 // v1 says "none" by a huge number
}

// keyed returns the number after "key " at the start of a line.
func keyed(text, key string) (int64, bool) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, key+" "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
			return n, err == nil && n >= 0
		}
	}
	return 0, false
}
