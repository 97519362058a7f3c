package backends

// usage counts what the operating system charged to this process, all threads
// together, since its start.
type usage struct {
	known                  bool
	cpuNS, sysNS           int64 // user + system, and system alone
	minorFaults            int64
	voluntary, involuntary int64 // context switches
}
