//go:build !linux && amd64 && !purego

package kernel

// grantAMX: how other systems grant AMX was not tried.
func grantAMX() bool { return false }
