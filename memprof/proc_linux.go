package memprof

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// ErrGone is wrapped by every reading of a process that has ended.
var ErrGone = errors.New("process has ended")

var pageSize = int64(os.Getpagesize())

// ReadPeak returns the largest resident size of pid, in bytes, since it
// started or since the last ResetPeak.
func ReadPeak(pid int) (int64, error) {
	return field(pid, "status", "VmHWM:")
}

// ResetPeak makes the current resident size of pid its peak.
func ResetPeak(pid int) error {
	err := os.WriteFile(procPath(pid, "clear_refs"), []byte("5"), 0)
	return explain(pid, "reset of VmHWM", err)
}

// RSS returns the resident bytes of pid, pages shared with other processes
// included. It costs some microseconds.
func RSS(pid int) (int64, error) {
	var buf [128]byte
	n, err := readInto(procPath(pid, "statm"), buf[:])
	if err != nil {
		return 0, explain(pid, "RSS", err)
	}
	// "size resident shared text lib data dt", in pages.
	fields := bytes.Fields(buf[:n])
	if len(fields) < 2 {
		return 0, explain(pid, "RSS", errors.New("statm has no second field"))
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0, explain(pid, "RSS", err)
	}
	return pages * pageSize, nil
}

// PSS returns the resident bytes of pid with each shared page divided by the
// number of processes that map it. The kernel walks every mapping, 0.5 to
// 20 ms with the process's memory map locked: keep it out of timed regions.
func PSS(pid int) (int64, error) {
	return field(pid, "smaps_rollup", "Pss:")
}

// shared returns what RSS counts of pid above PSS. Both come from one walk over
// the mappings, so a process that grows or shrinks meanwhile does not blur their
// difference.
func shared(pid int) (int64, error) {
	var buf [8192]byte
	n, err := readInto(procPath(pid, "smaps_rollup"), buf[:])
	if err != nil {
		return 0, explain(pid, "PSS", err)
	}
	rss, ok1 := parseKB(buf[:n], "Rss:")
	pss, ok2 := parseKB(buf[:n], "Pss:")
	if !ok1 || !ok2 {
		return 0, explain(pid, "PSS", syscall.ESRCH)
	}
	return rss - pss, nil
}

func procPath(pid int, name string) string {
	return "/proc/" + strconv.Itoa(pid) + "/" + name
}

// readInto reads a small proc file without allocating for its content.
func readInto(path string, buf []byte) (int, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer syscall.Close(fd)
	for {
		n, err := syscall.Read(fd, buf)
		if err == syscall.EINTR {
			continue
		}
		return max(n, 0), err
	}
}

// field returns "name   123 kB" of a proc file in bytes.
func field(pid int, file, name string) (int64, error) {
	var buf [8192]byte
	n, err := readInto(procPath(pid, file), buf[:])
	if err != nil {
		return 0, explain(pid, name[:len(name)-1], err)
	}
	b, ok := parseKB(buf[:n], name)
	if !ok {
		// A zombie keeps its status file but has no memory any more.
		return 0, explain(pid, name[:len(name)-1], syscall.ESRCH)
	}
	return b, nil
}

// parseKB finds the line that starts with name and returns its kB value in
// bytes.
func parseKB(text []byte, name string) (int64, bool) {
	for line := range bytes.Lines(text) {
		rest, ok := bytes.CutPrefix(line, []byte(name))
		if !ok {
			continue
		}
		rest, ok = bytes.CutSuffix(bytes.TrimSpace(rest), []byte(" kB"))
		if !ok {
			return 0, false
		}
		kb, err := strconv.ParseInt(string(bytes.TrimSpace(rest)), 10, 64)
		if err != nil || kb < 0 || kb > 1<<52 {
			return 0, false
		}
		return kb << 10, true
	}
	return 0, false
}

// explain turns an error of a proc file into ErrGone or an AbsentError.
func explain(pid int, figure string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ESRCH), errors.Is(err, fs.ErrNotExist):
		if _, e := os.Stat("/proc/self"); e != nil {
			return &AbsentError{figure, "/proc is not mounted"}
		}
		return fmt.Errorf("%s of pid %d: %w", figure, pid, ErrGone)
	case errors.Is(err, fs.ErrPermission):
		return &AbsentError{figure, fmt.Sprintf("permission denied on /proc/%d", pid)}
	}
	return &AbsentError{figure, err.Error()}
}
