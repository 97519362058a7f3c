package nvml

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Visible returns the device that a CUDA program numbers 0 when
// CUDA_VISIBLE_DEVICES is list: the first of the list. set is whether the
// variable is set; without it, and for numbers, devices count in the order of
// their places on the PCI bus, as under CUDA_DEVICE_ORDER=PCI_BUS_ID. CUDA's own
// default order, fastest first, is no driver's to tell: who must be sure gives
// the program the UUID of what Visible returned.
//
// Of a GPU in MIG mode it is the first part, which is the one that CUDA takes.
// Formats: CUDA C++ Programming Guide, "CUDA Environment Variables".
func (l *Library) Visible(list string, set bool) (*Device, error) {
	first, _, _ := strings.Cut(list, ",")
	first = strings.TrimSpace(first)
	if strings.HasPrefix(first, "MIG-") {
		return l.DeviceByUUID(first)
	}
	all, err := l.Devices()
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, errors.New("the driver has no GPU")
	}
	d := all[0]
	switch {
	case !set:
	case strings.HasPrefix(first, "GPU-"):
		if d, err = byPrefix(all, first); err != nil {
			return nil, err
		}
	default:
		n, err := strconv.Atoi(first)
		if err != nil || n < 0 || n >= len(all) {
			return nil, fmt.Errorf("CUDA_VISIBLE_DEVICES=%s hides all %d GPUs: expected a number below %d, or a UUID", list, len(all), len(all))
		}
		d = all[n]
	}
	divided, err := d.MIGMode()
	if err != nil || !divided {
		return d, err
	}
	return d.firstMIG()
}

// byPrefix finds a device by the beginning of its UUID.
func byPrefix(all []*Device, prefix string) (*Device, error) {
	var found *Device
	for _, d := range all {
		uuid, err := d.UUID()
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(uuid, prefix) {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("CUDA_VISIBLE_DEVICES=%s is the beginning of more than one GPU's UUID", prefix)
		}
		found = d
	}
	if found == nil {
		return nil, fmt.Errorf("CUDA_VISIBLE_DEVICES=%s: no GPU has a UUID that begins so", prefix)
	}
	return found, nil
}
