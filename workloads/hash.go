package workloads

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// hash covers the fields that Resolve's documentation names.
func (p Program) hash() string {
	return "sha256:" + digestJSON(struct {
		Schema     int     `json:"schema"`
		Mode       Mode    `json:"mode"`
		Batch      int     `json:"batch"`
		Accumulate int     `json:"accumulate"`
		Input      Input   `json:"input"`
		Data       Data    `json:"data"`
		Ops        []Op    `json:"ops"`
		Params     []Param `json:"params"`
		Loss       Op      `json:"loss"`
		Optimizer  Op      `json:"optimizer"`
	}{p.Schema, p.Mode, p.Batch, p.Accumulate, p.Input, p.Data, p.Ops, p.Params, p.Loss, p.Optimizer})
}

// digestJSON is the hex SHA-256 of v's JSON, which is canonical for structs
// without maps: fixed field order and shortest round-trip numbers.
func digestJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil { // only NaN or infinity can do this, and Resolve admits neither
		panic(fmt.Sprintf("workloads: %v", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
