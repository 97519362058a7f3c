//go:build unix

package backends

import "golang.org/x/sys/unix"

// readUsage fills u without allocating.
func readUsage(u *usage) {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) != nil {
		*u = usage{}
		return
	}
	u.known = true
	u.sysNS = r.Stime.Nano()
	u.cpuNS = r.Utime.Nano() + u.sysNS
	u.minorFaults = int64(r.Minflt)
	u.voluntary = int64(r.Nvcsw)
	u.involuntary = int64(r.Nivcsw)
}
