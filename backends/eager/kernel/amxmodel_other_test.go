//go:build !amd64 || purego

package kernel

import "testing"

// modelTile: without the assembly there is nothing to model.
func modelTile(*testing.T) []*tile16 { return nil }
