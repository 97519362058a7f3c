//go:build !amd64 || purego

package kernel

// vectorFamily is the family of the float32 vector loops.
func vectorFamily() string { return familyWord["go"] }
