package nvml

import (
	"errors"
	"fmt"
)

// Device is a GPU, or a part of one in MIG mode. What a part does not have of
// its own (clocks, temperature, power) is read of the whole board.
type Device struct {
	api    *api
	handle handle
	board  handle
	bus    [3]uint32 // domain, bus, device; set by Devices
}

// MIG reports whether this is a part of a GPU.
func (d *Device) MIG() bool { return d.handle != d.board }

// Name is the product's name, for example "NVIDIA H100 80GB HBM3".
func (d *Device) Name() (string, error) {
	return text("nvmlDeviceGetName", func(buf *byte, size uint32) Return { return d.api.name(d.handle, buf, size) })
}

// UUID is the name by which CUDA_VISIBLE_DEVICES selects the device.
func (d *Device) UUID() (string, error) {
	return text("nvmlDeviceGetUUID", func(buf *byte, size uint32) Return { return d.api.uuid(d.handle, buf, size) })
}

// busID is the board's place on the PCI bus: domain, bus, device.
func (d *Device) busID() ([3]uint32, error) {
	var p pciInfo
	err := check("nvmlDeviceGetPciInfo_v3", d.api.pciInfo(d.board, &p))
	return [3]uint32{p.domain, p.bus, p.device}, err
}

// Memory is a device's memory, in bytes. Used includes what processes of others
// hold; what the driver keeps for itself is Reserved where it is told apart and
// part of Used where not (Reserved is then 0).
type Memory struct{ Total, Used, Reserved int64 }

// Memory reads how much of the device's memory is in use.
func (d *Device) Memory() (Memory, error) {
	const v2, v1 = "nvmlDeviceGetMemoryInfo_v2", "nvmlDeviceGetMemoryInfo"
	if d.api.memoryV2 != nil {
		m := memoryV2{version: memoryV2Version}
		err := check(v2, d.api.memoryV2(d.handle, &m))
		if err == nil {
			return Memory{Total: int64(m.total), Used: int64(m.used), Reserved: int64(m.reserved)}, nil
		}
		if !older(err) && !errors.Is(err, NotSupported) {
			return Memory{}, err
		}
	}
	var m memoryV1
	err := check(v1, d.api.memoryV1(d.handle, &m))
	return Memory{Total: int64(m.total), Used: int64(m.used)}, err
}

// older reports whether an error is that of a driver that knows only an earlier
// version of the function.
func older(err error) bool {
	return errors.Is(err, FunctionNotFound) || errors.Is(err, Return(25))
}

// The clock domains (nvmlClockType_t).
const (
	clockSM     = 1
	clockMemory = 2
)

// Clocks are frequencies in MHz.
type Clocks struct{ SM, Memory int }

// Clocks are the current frequencies.
func (d *Device) Clocks() (Clocks, error) { return d.clocks("nvmlDeviceGetClockInfo", d.api.clock) }

// MaxClocks are the highest frequencies that the device has.
func (d *Device) MaxClocks() (Clocks, error) {
	return d.clocks("nvmlDeviceGetMaxClockInfo", d.api.maxClock)
}

func (d *Device) clocks(function string, read func(handle, uint32, *uint32) Return) (Clocks, error) {
	var sm, memory uint32
	err := check(function, read(d.board, clockSM, &sm))
	if err == nil {
		err = check(function, read(d.board, clockMemory, &memory))
	}
	return Clocks{SM: int(sm), Memory: int(memory)}, err
}

// Reasons are what holds the clocks below their highest, now.
func (d *Device) Reasons() (Reasons, error) {
	function, read := "nvmlDeviceGetCurrentClocksEventReasons", d.api.eventReasons
	if read == nil { // named so until driver 535
		function, read = "nvmlDeviceGetCurrentClocksThrottleReasons", d.api.throttleReasons
	}
	if read == nil {
		return 0, lacks(function)
	}
	var bits uint64
	err := check(function, read(d.board, &bits))
	return Reasons(bits), err
}

// Temperature is that of the GPU's die, in degrees Celsius.
func (d *Device) Temperature() (int, error) {
	const newer, before = "nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature"
	if d.api.temperatureV != nil {
		t := temperature{version: temperatureVersion} // sensor 0: NVML_TEMPERATURE_GPU
		err := check(newer, d.api.temperatureV(d.board, &t))
		if err == nil || d.api.temperature == nil || !older(err) {
			return int(t.celsius), err
		}
	}
	if d.api.temperature == nil {
		return 0, lacks(before)
	}
	var celsius uint32
	err := check(before, d.api.temperature(d.board, 0, &celsius))
	return int(celsius), err
}

// Power is what the board draws, in milliwatts.
func (d *Device) Power() (int, error) {
	var mw uint32
	err := check("nvmlDeviceGetPowerUsage", d.api.power(d.board, &mw))
	return int(mw), err
}

// Utilization is the share of the driver's last sampling period, in percent, in
// which a kernel ran and in which device memory was read or written.
type Utilization struct{ GPU, Memory int }

// Utilization reads how busy the board was.
func (d *Device) Utilization() (Utilization, error) {
	var u utilization
	err := check("nvmlDeviceGetUtilizationRates", d.api.utilization(d.board, &u))
	return Utilization{GPU: int(u.gpu), Memory: int(u.memory)}, err
}

// ComputeMode says who may use the device: "default", "exclusive-process",
// "prohibited".
func (d *Device) ComputeMode() (string, error) {
	var mode uint32
	if err := check("nvmlDeviceGetComputeMode", d.api.computeMode(d.board, &mode)); err != nil {
		return "", err
	}
	if names := []string{"default", "exclusive-thread", "prohibited", "exclusive-process"}; int(mode) < len(names) {
		return names[mode], nil
	}
	return fmt.Sprintf("compute mode %d", mode), nil
}

// Persistence reports whether the driver keeps the GPU awake while no program
// uses it.
func (d *Device) Persistence() (bool, error) {
	var on uint32
	err := check("nvmlDeviceGetPersistenceMode", d.api.persistence(d.board, &on))
	return on == 1, err
}

// MIGMode reports whether the board is divided into parts. A board that cannot
// be says false.
func (d *Device) MIGMode() (bool, error) {
	if d.api.migMode == nil {
		return false, nil
	}
	var current, pending uint32
	err := check("nvmlDeviceGetMigMode", d.api.migMode(d.board, &current, &pending))
	if errors.Is(err, NotSupported) {
		return false, nil
	}
	return current == 1, err
}

// firstMIG returns the first part of a board in MIG mode.
func (d *Device) firstMIG() (*Device, error) {
	if d.api.maxMIG == nil || d.api.migHandleByIndex == nil {
		return nil, lacks("nvmlDeviceGetMigDeviceHandleByIndex")
	}
	var n uint32
	if err := check("nvmlDeviceGetMaxMigDeviceCount", d.api.maxMIG(d.board, &n)); err != nil {
		return nil, err
	}
	for i := range n { // places may be empty
		part := *d
		err := check("nvmlDeviceGetMigDeviceHandleByIndex", d.api.migHandleByIndex(d.board, i, &part.handle))
		if err == nil {
			return &part, nil
		}
		if !errors.Is(err, NotFound) {
			return nil, err
		}
	}
	return nil, errors.New("MIG mode is on and the GPU has no part to run on; nvidia-smi mig -cgi makes one")
}
