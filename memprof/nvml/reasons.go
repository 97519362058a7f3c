package nvml

import "fmt"

// Reasons are what holds a GPU's clocks below their highest, as a set of bits
// (nvmlClocksEventReasons).
type Reasons uint64

// The bits, as nvml.h names them.
const (
	Idle              Reasons = 0x1 // nothing runs: says nothing of a measurement
	ApplicationClocks Reasons = 0x2 // someone set them lower
	PowerCap          Reasons = 0x4 // the software's power limit
	HardwareSlowdown  Reasons = 0x8 // by half or more: heat, power draw, or the power supply's brake
	SyncBoost         Reasons = 0x10
	SoftwareThermal   Reasons = 0x20
	HardwareThermal   Reasons = 0x40
	PowerBrake        Reasons = 0x80
	DisplayClocks     Reasons = 0x100
)

// Slowdown are the reasons that come from heat and from the power supply. The
// power limit is none: heavy work alone brings a GPU to it, again and again.
const Slowdown = HardwareSlowdown | SoftwareThermal | HardwareThermal | PowerBrake

// words are the reasons in the order of their bits.
var words = []string{
	"idle", "applications clocks setting", "software power cap", "hardware slowdown", "sync boost",
	"software thermal slowdown", "hardware thermal slowdown", "hardware power brake", "display clocks setting",
}

// Words names each reason; one that this version does not know by its bit.
func (r Reasons) Words() []string {
	var list []string
	for bit := range 64 {
		switch {
		case r&(1<<bit) == 0:
		case bit < len(words):
			list = append(list, words[bit])
		default:
			list = append(list, fmt.Sprintf("reason %#x", uint64(1)<<bit))
		}
	}
	return list
}
