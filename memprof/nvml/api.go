package nvml

import (
	"bytes"
	"errors"
)

// handle is nvmlDevice_t: a pointer that only the library follows.
type handle uintptr

// api are the functions of the library. Those that not every driver has may be
// nil.
type api struct {
	init     func() Return
	shutdown func() Return
	unload   func()

	driverVersion     func(buf *byte, size uint32) Return
	cudaDriverVersion func(version *int32) Return
	count             func(n *uint32) Return
	handleByIndex     func(index uint32, d *handle) Return
	handleByUUID      func(uuid string, d *handle) Return

	name             func(d handle, buf *byte, size uint32) Return
	uuid             func(d handle, buf *byte, size uint32) Return
	pciInfo          func(d handle, info *pciInfo) Return
	memoryV2         func(d handle, m *memoryV2) Return
	memoryV1         func(d handle, m *memoryV1) Return
	processesV3      func(d handle, n *uint32, infos *byte) Return
	processesV2      func(d handle, n *uint32, infos *byte) Return
	processesV1      func(d handle, n *uint32, infos *byte) Return
	clock            func(d handle, domain uint32, mhz *uint32) Return
	maxClock         func(d handle, domain uint32, mhz *uint32) Return
	eventReasons     func(d handle, bits *uint64) Return
	throttleReasons  func(d handle, bits *uint64) Return
	temperatureV     func(d handle, t *temperature) Return
	temperature      func(d handle, sensor uint32, celsius *uint32) Return
	power            func(d handle, milliwatts *uint32) Return
	utilization      func(d handle, u *utilization) Return
	computeMode      func(d handle, mode *uint32) Return
	persistence      func(d handle, on *uint32) Return
	migMode          func(d handle, current, pending *uint32) Return
	maxMIG           func(d handle, n *uint32) Return
	migHandleByIndex func(d handle, index uint32, mig *handle) Return
	boardOfMIG       func(mig handle, board *handle) Return
}

// errNotThere marks a path at which there is no library.
var errNotThere = errors.New("not found")

// symbol binds a name of the library to a field of api.
type symbol struct {
	name  string
	fn    any // pointer to the field
	every bool
}

// symbols lists what is bound; every: each driver has it, so a library without
// it is none.
func (a *api) symbols() []symbol {
	return []symbol{
		{"nvmlInit_v2", &a.init, true},
		{"nvmlShutdown", &a.shutdown, true},
		{"nvmlSystemGetDriverVersion", &a.driverVersion, true},
		{"nvmlSystemGetCudaDriverVersion_v2", &a.cudaDriverVersion, false},
		{"nvmlDeviceGetCount_v2", &a.count, true},
		{"nvmlDeviceGetHandleByIndex_v2", &a.handleByIndex, true},
		{"nvmlDeviceGetHandleByUUID", &a.handleByUUID, true},
		{"nvmlDeviceGetName", &a.name, true},
		{"nvmlDeviceGetUUID", &a.uuid, true},
		{"nvmlDeviceGetPciInfo_v3", &a.pciInfo, true},
		{"nvmlDeviceGetMemoryInfo_v2", &a.memoryV2, false},
		{"nvmlDeviceGetMemoryInfo", &a.memoryV1, true},
		{"nvmlDeviceGetComputeRunningProcesses_v3", &a.processesV3, false},
		{"nvmlDeviceGetComputeRunningProcesses_v2", &a.processesV2, false},
		{"nvmlDeviceGetComputeRunningProcesses", &a.processesV1, false},
		{"nvmlDeviceGetClockInfo", &a.clock, true},
		{"nvmlDeviceGetMaxClockInfo", &a.maxClock, true},
		{"nvmlDeviceGetCurrentClocksEventReasons", &a.eventReasons, false},
		{"nvmlDeviceGetCurrentClocksThrottleReasons", &a.throttleReasons, false},
		{"nvmlDeviceGetTemperatureV", &a.temperatureV, false},
		{"nvmlDeviceGetTemperature", &a.temperature, false},
		{"nvmlDeviceGetPowerUsage", &a.power, true},
		{"nvmlDeviceGetUtilizationRates", &a.utilization, true},
		{"nvmlDeviceGetComputeMode", &a.computeMode, true},
		{"nvmlDeviceGetPersistenceMode", &a.persistence, true},
		{"nvmlDeviceGetMigMode", &a.migMode, false},
		{"nvmlDeviceGetMaxMigDeviceCount", &a.maxMIG, false},
		{"nvmlDeviceGetMigDeviceHandleByIndex", &a.migHandleByIndex, false},
		{"nvmlDeviceGetDeviceHandleFromMigDeviceHandle", &a.boardOfMIG, false},
	}
}

// The structures of nvml.h as a C compiler lays them out on the 64-bit systems
// that load knows: what C pads is a field here.

// memoryV1 is nvmlMemory_t.
type memoryV1 struct{ total, free, used uint64 }

// memoryV2 is nvmlMemory_v2_t.
type memoryV2 struct {
	version                     uint32
	_                           uint32
	total, reserved, free, used uint64
}

// memoryV2Version is NVML_STRUCT_VERSION(Memory, 2): size and version.
const memoryV2Version = 40 | 2<<24

// pciInfo is nvmlPciInfo_t.
type pciInfo struct {
	busIDLegacy                            [16]byte
	domain, bus, device, vendor, subsystem uint32
	busID                                  [32]byte
}

// temperature is nvmlTemperature_v1_t.
type temperature struct {
	version, sensor uint32
	celsius         int32
}

// temperatureVersion is NVML_STRUCT_VERSION(Temperature, 1).
const temperatureVersion = 12 | 1<<24

// utilization is nvmlUtilization_t.
type utilization struct{ gpu, memory uint32 }

// textSize is the largest of NVML's buffers for names (NVML_DEVICE_NAME_V2_BUFFER_SIZE,
// NVML_DEVICE_UUID_V2_BUFFER_SIZE).
const textSize = 96

// text reads a C string.
func text(function string, read func(buf *byte, size uint32) Return) (string, error) {
	var buf [textSize]byte
	if err := check(function, read(&buf[0], textSize)); err != nil {
		return "", err
	}
	s, _, _ := bytes.Cut(buf[:], []byte{0})
	return string(s), nil
}
