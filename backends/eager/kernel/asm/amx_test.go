package main

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// The encodings are what GNU as 2.40 writes for these lines (AT&T operand order).
func TestEncodings(t *testing.T) {
	for _, tc := range []struct {
		as   string
		want string
		got  []byte
	}{
		{"ldtilecfg (%rax)", "c4 e2 78 49 00", tileConfig("AX")},
		{"tilerelease", "c4 e2 78 49 c0", tileRelease()},
		{"tilezero %tmm0", "c4 e2 7b 49 c0", tileZero(0)},
		{"tilezero %tmm3", "c4 e2 7b 49 d8", tileZero(3)},
		{"tileloadd 0x40(%r13,%r10,1), %tmm3", "c4 82 7b 4b 5c 15 40", tileLoad(3, "R13", "R10", 64)},
		{"tileloadd 0x40(%rdx,%r11,1), %tmm7", "c4 a2 7b 4b 7c 1a 40", tileLoad(7, "DX", "R11", 64)},
		{"tilestored %tmm1, 0x40(%r8,%r10,1)", "c4 82 7a 4b 4c 10 40", tileStore(1, "R8", "R10", 64)},
		{"tdpbf16ps %tmm6, %tmm4, %tmm0", "c4 e2 4a 5c c4", tileDot(0, 4, 6)},
		{"tdpbf16ps %tmm7, %tmm5, %tmm3", "c4 e2 42 5c dd", tileDot(3, 5, 7)},
		{"vdpbf16ps %zmm30, %zmm28, %zmm31", "62 02 1e 40 52 fe", dotBF16(31, 28, 30)},
		{"vdpbf16ps %zmm2, %zmm1, %zmm3", "62 f2 76 48 52 da", dotBF16(3, 1, 2)},
		{"vdpbf16ps %zmm29, %zmm31, %zmm27", "62 02 06 40 52 dd", dotBF16(27, 31, 29)},
	} {
		want, err := hex.DecodeString(strings.ReplaceAll(tc.want, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(tc.got, want) {
			t.Errorf("%s: % x, want % x", tc.as, tc.got, want)
		}
	}
}
