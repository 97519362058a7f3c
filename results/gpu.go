package results

// GPU is how the GPU ran during the measured segment, as its driver told a
// sampler outside of the worker (NVML): from the border before the segment to
// the border after it, and every tenth of a second between them. It explains a
// slow trial and flags it; it filters none. Of a memory trial only Name and
// Others are there.
type GPU struct {
	Name    string `json:"name"`    // of the device that the worker was given
	Samples int    `json:"samples"` // taken in the segment
	// The lowest and the highest clock of the multiprocessors that was seen, and
	// the highest that the device has.
	SMMinMHz *int64 `json:"sm_min_mhz,omitempty"`
	SMMaxMHz *int64 `json:"sm_max_mhz,omitempty"`
	SMTopMHz *int64 `json:"sm_top_mhz,omitempty"`
	// What held the clocks below their highest, in the driver's words: heat and the
	// power supply; and limits, of power or set by someone.
	Slowdowns []string `json:"slowdowns,omitempty"`
	Limits    []string `json:"limits,omitempty"`

	TemperatureC *int64 `json:"temperature_c,omitempty"` // the highest, degrees Celsius
	PowerMW      *int64 `json:"power_mw,omitempty"`      // the highest, milliwatts
	// Others counts programs that computed on the device before the worker was
	// started.
	Others *int64            `json:"others,omitempty"`
	Absent map[string]string `json:"absent,omitempty"` // figure -> why it could not be read
}
