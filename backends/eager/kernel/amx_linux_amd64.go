//go:build linux && amd64 && !purego

package kernel

import "golang.org/x/sys/unix"

// grantAMX asks Linux for the tile data of AMX (arch_prctl ARCH_REQ_XCOMP_PERM of
// component 18, Documentation/arch/x86/xstate.rst). What one thread is granted holds
// for the whole process; without it the first tile instruction ends the process.
func grantAMX() bool {
	const requestPermission, tileData = 0x1023, 18
	_, _, errno := unix.RawSyscall(unix.SYS_ARCH_PRCTL, requestPermission, tileData, 0)
	return errno == 0
}
