//go:build amd64 && !purego

package kernel

// vectorFamily is the family of the float32 vector loops.
func vectorFamily() string {
	if hasAVX2 {
		return familyWord["avx2"]
	}
	return familyWord["go"]
}
