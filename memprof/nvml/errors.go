package nvml

import "fmt"

// Return is what every function of NVML returns (nvmlReturn_t). As an error
// target it selects by code: errors.Is(err, nvml.NotSupported).
type Return uint32

// The codes that callers tell apart.
const (
	Success          Return = 0
	NotSupported     Return = 3
	NoPermission     Return = 4
	NotFound         Return = 6
	InsufficientSize Return = 7
	FunctionNotFound Return = 13
)

// meanings are the codes that a reading can return, in the words of the API
// reference.
var meanings = map[Return]string{
	1:                "NVML was not initialised",
	2:                "invalid argument",
	NotSupported:     "not supported by this GPU",
	NoPermission:     "no permission",
	NotFound:         "not found",
	InsufficientSize: "the buffer is too small",
	8:                "a power cable of the GPU is not attached",
	9:                "the NVIDIA driver is not loaded",
	10:               "timeout",
	11:               "the kernel found an interrupt problem with the GPU",
	12:               "the library's other half was not found",
	FunctionNotFound: "this driver does not have the function",
	14:               "the GPU's infoROM is corrupted",
	15:               "the GPU has fallen off the bus",
	16:               "the GPU requires a reset",
	17:               "the operating system or a control group blocks the GPU",
	18:               "the library's version is not the one of the loaded driver; reboot, or reload the driver",
	19:               "the GPU is in use",
	20:               "out of memory",
	21:               "no data",
	23:               "out of resources",
	25:               "the structure's version is not supported",
	27:               "not ready",
	28:               "no GPU was found",
	999:              "an internal error of the driver",
}

// Error says what the code means.
func (r Return) Error() string {
	if m, ok := meanings[r]; ok {
		return m
	}
	return fmt.Sprintf("NVML code %d", uint32(r))
}

// Error is a failed call.
type Error struct {
	Function string
	Code     Return
}

// Error says which function failed, and why.
func (e *Error) Error() string { return e.Function + ": " + e.Code.Error() }

// Unwrap returns the code.
func (e *Error) Unwrap() error { return e.Code }

func check(function string, code Return) error {
	if code == Success {
		return nil
	}
	return &Error{function, code}
}

// lacks is the error of a function that the loaded library does not have.
func lacks(function string) error { return &Error{function, FunctionNotFound} }
