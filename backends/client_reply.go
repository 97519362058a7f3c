package backends

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// decode reads one reply line. Unknown keys are tolerated; a required key that
// is absent or null is not, because zero would be taken for a measurement.
func (c *Client) decode(line []byte, want string, reply any, required []string) error {
	members, err := fields(line)
	if err != nil {
		return c.fail(fmt.Sprintf("reply to be %q is not a JSON object: %v", want, err), line)
	}
	switch t := kindOf(members); t {
	case want:
	case "error":
		return c.workerError(line)
	default:
		return c.fail(fmt.Sprintf("reply has t %.40q, want %q", t, want), line)
	}
	for _, key := range required {
		if _, ok := members[key]; !ok {
			return c.fail(fmt.Sprintf("%s: %s is missing", want, key), line)
		}
	}
	if err := json.Unmarshal(line, reply); err != nil {
		return c.fail(fmt.Sprintf("%s: %v", want, err), line)
	}
	return nil
}

// workerError reads an error reply; a class that PROTOCOL.md does not name is
// a breach of its own.
func (c *Client) workerError(line []byte) error {
	e := new(WorkerError)
	if err := json.Unmarshal(line, e); err != nil {
		return c.fail(fmt.Sprintf("error: %v", err), line)
	}
	if !slices.Contains([]string{"unsupported", "oom", "failed"}, e.Class) {
		return c.fail(fmt.Sprintf("error: class is %.40q, want unsupported, oom or failed", e.Class), line)
	}
	return e
}

// checkRan holds a run's numbers against each other and against own, the time
// that the client itself saw pass.
func (c *Client) checkRan(ran Ran, own time.Duration, phase string, blocks int) error {
	if ran.Phase != phase {
		return c.broken("ran: phase is %.40q, want %q", ran.Phase, phase)
	}
	if len(ran.BlockNS) != blocks {
		return c.broken("ran: block_ns has %d samples, want %d (at most %d)", len(ran.BlockNS), blocks, MaxBlocks)
	}
	if ran.WallNS < 1 {
		return c.broken("ran: wall_ns is %d, want at least 1", ran.WallNS)
	}
	var sum int64
	for i, ns := range ran.BlockNS {
		if ns < 1 {
			return c.broken("ran: block_ns[%d] is %d, want at least 1", i, ns)
		}
		// Both sides stay below 2^63: sum never exceeds wall_ns.
		if ns > ran.WallNS-sum {
			return c.broken("ran: block_ns adds up to more than wall_ns %v", time.Duration(ran.WallNS))
		}
		sum += ns
	}
	for _, counter := range []struct {
		name  string
		value *int64
	}{
		{"cpu_ns", &ran.CPUNS}, {"sys_ns", ran.SysNS}, {"minor_faults", ran.MinorFaults},
		{"voluntary_switches", ran.Voluntary}, {"involuntary_switches", ran.Involuntary}, {"gc_ns", ran.GCNS},
		{"device_allocated", ran.DeviceAllocated}, {"device_reserved", ran.DeviceReserved},
	} {
		if counter.value != nil && *counter.value < 0 {
			return c.broken("ran: %s is %d, want at least 0", counter.name, *counter.value)
		}
	}
	if ran.SysNS != nil && *ran.SysNS > ran.CPUNS {
		return c.broken("ran: sys_ns %d is above cpu_ns %d, which includes it", *ran.SysNS, ran.CPUNS)
	}
	if !slices.Contains([]string{"", "cold", "warm"}, ran.CompileCache) {
		return c.broken("ran: compile_cache is %.40q, want cold or warm", ran.CompileCache)
	}
	if ran.WallNS > int64(own) {
		return c.broken("ran: worker's clock says wall_ns %v, but only %v passed on the harness's clock",
			time.Duration(ran.WallNS), own)
	}
	return nil
}

// maxWaiting bounds what a busy host excuses.
const maxWaiting = 250 * time.Millisecond

// CPU time that a worker may spend outside of its blocks during a run: to parse
// the request, read the loss and write the reply, and per further CPU for
// threads of a runtime that spin before they sleep.
const (
	outsideCPU  = 2 * time.Millisecond
	spinningCPU = 5 * time.Millisecond
)

// checkClocks holds the sum of a measured run's samples against the client's
// own clock, and against the CPU time that the system counted meanwhile.
func (c *Client) checkClocks(ran Ran, own time.Duration, grown Account) error {
	var sum time.Duration
	for _, ns := range ran.BlockNS {
		sum += time.Duration(ns)
	}
	gap, allowed := own-sum, max(c.MaxGap, time.Duration(c.MaxGapShare*float64(own)))+min(grown.Waiting, maxWaiting)
	if gap > allowed {
		return c.broken("ran: worker's clock says %v in blocks (wall_ns %v), but %v passed on the harness's clock: %v unaccounted for, at most %v allowed",
			sum, time.Duration(ran.WallNS), own, gap, allowed)
	}
	if c.CPUs < 1 {
		return nil
	}
	room := time.Duration((1+c.MaxGapShare)*float64(sum))*time.Duration(c.CPUs) + outsideCPU + spinningCPU*time.Duration(c.CPUs-1)
	if grown.CPU > room {
		return c.broken("ran: worker's clock says %v in blocks, but its process spent %v on %d CPU(s) meanwhile, where at most %v fits",
			sum, grown.CPU, c.CPUs, room)
	}
	return nil
}
