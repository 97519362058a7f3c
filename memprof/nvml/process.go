package nvml

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Process is a program with a compute context on a device.
type Process struct {
	PID int // in the driver's process namespace: inside a container it may be another than the program's own
	// Used is the device memory that it holds, in bytes; -1 where the driver does
	// not say (in WSL 2).
	Used int64
}

// The sizes that nvmlProcessInfo_t had: until driver 460, since then, and in the
// first drivers of 535, where version 3 of the function wrote a field more under
// the same name (https://github.com/NVIDIA/go-nvml/issues/75).
const (
	processV1  = 16
	processV2  = 24
	process535 = 32
)

// unwritten fills the buffer before a call. Which size of structure the driver
// wrote is then seen from where the writing ended.
const unwritten = 0xA5

// Processes lists the programs that compute on the device.
func (d *Device) Processes() ([]Process, error) {
	for _, f := range []struct {
		name string
		read func(handle, *uint32, *byte) Return
	}{
		{"nvmlDeviceGetComputeRunningProcesses_v3", d.api.processesV3},
		{"nvmlDeviceGetComputeRunningProcesses_v2", d.api.processesV2},
		{"nvmlDeviceGetComputeRunningProcesses", d.api.processesV1},
	} {
		if f.read == nil {
			continue
		}
		list, err := d.processes(f.name, f.read)
		if err == nil || !older(err) {
			return list, err
		}
	}
	return nil, lacks("nvmlDeviceGetComputeRunningProcesses")
}

func (d *Device) processes(function string, read func(handle, *uint32, *byte) Return) ([]Process, error) {
	// Processes may start between two calls, so some more than were counted.
	for room := uint32(16); room <= 1<<14; room *= 4 {
		buf := make([]byte, room*process535)
		for i := range buf {
			buf[i] = unwritten
		}
		n := room
		err := check(function, read(d.handle, &n, &buf[0]))
		if errors.Is(err, InsufficientSize) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n > room {
			return nil, fmt.Errorf("%s: the driver wrote %d processes where %d fit", function, n, room)
		}
		list, err := parseProcesses(buf, int(n))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", function, err)
		}
		return list, nil
	}
	return nil, check(function, InsufficientSize)
}

// parseProcesses reads n structures of the size that the driver wrote. All of
// them begin with the process and, 8 bytes later, its memory.
func parseProcesses(buf []byte, n int) ([]Process, error) {
	if n == 0 {
		return nil, nil
	}
	end := len(buf)
	for end > 0 && buf[end-1] == unwritten {
		end--
	}
	size := (end + n - 1) / n
	if size != processV1 && size != processV2 && size != process535 {
		return nil, fmt.Errorf("%d processes in %d bytes: a structure that is not known", n, end)
	}
	var list []Process
	for s := buf; len(list) < n; s = s[size:] {
		p := Process{PID: int(binary.NativeEndian.Uint32(s)), Used: -1}
		if used := binary.NativeEndian.Uint64(s[8:]); used <= math.MaxInt64 {
			p.Used = int64(used)
		}
		list = append(list, p)
	}
	return list, nil
}
