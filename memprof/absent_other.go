//go:build !linux

package memprof

import (
	"errors"
	"runtime"
)

// ErrGone is wrapped by every reading of a process that has ended.
var ErrGone = errors.New("process has ended")

func absent(figure string) error {
	return &AbsentError{figure, "it is read from /proc, which " + runtime.GOOS + " does not have"}
}

// ReadPeak is absent here.
func ReadPeak(pid int) (int64, error) { return 0, absent("VmHWM") }

// ResetPeak is absent here.
func ResetPeak(pid int) error { return absent("reset of VmHWM") }

// RSS is absent here.
func RSS(pid int) (int64, error) { return 0, absent("RSS") }

// PSS is absent here.
func PSS(pid int) (int64, error) { return 0, absent("PSS") }

// Tree is absent here.
func Tree(pid int) ([]int, error) { return nil, absent("process tree") }

// Descendants is absent here.
func Descendants(pid int) ([]int, error) { return nil, absent("process tree") }

// TreeRSS is absent here.
func TreeRSS(pids []int) (int64, error) { return 0, absent("RSS") }

// TreePSS is absent here.
func TreePSS(pids []int) (int64, error) { return 0, absent("PSS") }

func treeShared(pids []int) (int64, error) { return 0, absent("PSS") }
