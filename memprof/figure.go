// Package memprof reads how much memory another process, or a tree of
// processes, holds and held at most. It knows nothing of what they compute.
//
// Peaks come from VmHWM in /proc/PID/status, which writing 5 to
// /proc/PID/clear_refs resets (proc(5)). The ru_maxrss of a reaped child is
// never used: the kernel carries the peak of the process that forked it across
// exec, so a small child of a large parent appears large.
//
// Linux has every figure. Elsewhere each one is absent, with the reason.
package memprof

import "fmt"

// AbsentError says that this host, or this process, has no such figure.
type AbsentError struct {
	Figure string // for example "VmHWM"
	Reason string // for example "no /proc on darwin"
}

// Error says which figure is absent and why.
func (e *AbsentError) Error() string { return e.Figure + " is absent: " + e.Reason }

// Figure is a number of bytes, or the reason why there is none. An absent
// figure is never 0 bytes: read it through Ptr.
type Figure struct {
	Bytes  int64  // meaningless when Absent is not empty
	Absent string // why there is no number
}

// Of makes a Figure of a reading: Of(ReadPeak(pid)).
func Of(bytes int64, err error) Figure {
	if err != nil {
		return Figure{Absent: err.Error()}
	}
	return Figure{Bytes: bytes}
}

// Ptr returns the number, or nil when the figure is absent.
func (f Figure) Ptr() *int64 {
	if f.Absent != "" {
		return nil
	}
	return &f.Bytes
}

// String is for messages: bytes in MiB, or the reason.
func (f Figure) String() string {
	if f.Absent != "" {
		return f.Absent
	}
	return fmt.Sprintf("%.1f MiB", float64(f.Bytes)/(1<<20))
}
