package memprof

import (
	"bytes"
	"errors"
	"os"
	"slices"
	"strconv"
	"sync"
)

// Tree returns pid and all its descendants, parents before children, also
// those that left its process group or session. A descendant whose parent
// ended is found if one of the processes that are left is a child subreaper
// (prctl(2)) above it: then it was re-parented within the tree.
func Tree(pid int) ([]int, error) {
	below, err := Descendants(pid)
	if err != nil {
		return nil, err
	}
	return append([]int{pid}, below...), nil
}

// Descendants is Tree without pid itself.
func Descendants(pid int) ([]int, error) {
	if hasChildrenFile() {
		return descendantsByChildren(pid)
	}
	return descendantsByStat(pid)
}

// hasChildrenFile tells whether the kernel has /proc/PID/task/TID/children
// (CONFIG_PROC_CHILDREN), which spares a scan of every process on the host.
var hasChildrenFile = sync.OnceValue(func() bool {
	self := strconv.Itoa(os.Getpid())
	_, err := os.Stat("/proc/self/task/" + self + "/children")
	return err == nil
})

func descendantsByChildren(pid int) ([]int, error) {
	var tree []int
	kids, err := children(pid)
	if err != nil {
		return nil, explain(pid, "process tree", err)
	}
	for queue := kids; len(queue) > 0; {
		next := queue[0]
		queue = queue[1:]
		// A list of children can change while it is read, and name a process
		// twice when it is re-parented between two reads.
		if slices.Contains(tree, next) {
			continue
		}
		tree = append(tree, next)
		kids, err := children(next)
		if err != nil {
			continue // it has ended
		}
		queue = append(queue, kids...)
	}
	return tree, nil
}

// children returns the children of every thread of pid.
func children(pid int) ([]int, error) {
	dir, err := os.Open(procPath(pid, "task"))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	tids, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var kids []int
	buf := make([]byte, 4096)
	for _, tid := range tids {
		path := procPath(pid, "task/"+tid+"/children")
		n, err := readInto(path, buf)
		if err != nil {
			continue // the thread has ended
		}
		text := buf[:n]
		if n == len(buf) {
			if text, err = os.ReadFile(path); err != nil {
				continue
			}
		}
		for _, f := range bytes.Fields(text) {
			if kid, err := strconv.Atoi(string(f)); err == nil {
				kids = append(kids, kid)
			}
		}
	}
	return kids, nil
}

func descendantsByStat(pid int) ([]int, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, explain(pid, "process tree", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, explain(pid, "process tree", err)
	}
	kids := map[int][]int{}
	found := false
	buf := make([]byte, 1024)
	for _, name := range names {
		p, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		n, err := readInto("/proc/"+name+"/stat", buf)
		if err != nil {
			continue
		}
		found = found || p == pid
		if parent, ok := parentOf(buf[:n]); ok {
			kids[parent] = append(kids[parent], p)
		}
	}
	if !found {
		return nil, explain(pid, "process tree", os.ErrNotExist)
	}
	var tree []int
	for queue := kids[pid]; len(queue) > 0; queue = queue[1:] {
		if slices.Contains(tree, queue[0]) {
			continue
		}
		tree = append(tree, queue[0])
		queue = append(queue, kids[queue[0]]...)
	}
	return tree, nil
}

// parentOf reads the parent from /proc/PID/stat. The name in parentheses may
// hold spaces and parentheses itself, so the last one counts.
func parentOf(stat []byte) (int, bool) {
	i := bytes.LastIndexByte(stat, ')')
	if i < 0 {
		return 0, false
	}
	f := bytes.Fields(stat[i+1:])
	if len(f) < 2 {
		return 0, false
	}
	parent, err := strconv.Atoi(string(f[1]))
	return parent, err == nil
}

// TreeRSS is the sum of RSS over pids. Pages that they share count once per
// process, so it bounds TreePSS from above. Processes that ended count 0; if
// all of them ended the error wraps ErrGone.
func TreeRSS(pids []int) (int64, error) { return sum(pids, RSS) }

// TreePSS is the sum of PSS over pids, under the rules of TreeRSS.
func TreePSS(pids []int) (int64, error) { return sum(pids, PSS) }

// treeShared is the sum of shared over pids, under the rules of TreeRSS.
func treeShared(pids []int) (int64, error) { return sum(pids, shared) }

func sum(pids []int, of func(int) (int64, error)) (int64, error) {
	var total int64
	alive := false
	for _, pid := range pids {
		b, err := of(pid)
		switch {
		case errors.Is(err, ErrGone):
			continue
		case err != nil:
			return 0, err
		}
		total += b
		alive = true
	}
	if !alive {
		return 0, ErrGone
	}
	return total, nil
}
