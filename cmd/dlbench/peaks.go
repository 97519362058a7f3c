package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/dlbench/dlbench/harness/peak"
	"github.com/dlbench/dlbench/results"
)

// peaksPrefix begins the name of the worker that measures peaks.
const peaksPrefix = "peaks:"

// peaksRequest is what it is asked for, as JSON in its name.
type peaksRequest struct {
	CPUs    []int `json:"cpus"`
	Threads []int `json:"threads"`
}

// peaksOf measures the peaks in a process of its own: its arrays take more memory
// than a run may hold while it measures.
func peaksOf(ctx context.Context, cpus, threads []int) ([]results.Peak, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	request, err := json.Marshal(peaksRequest{cpus, threads})
	if err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, self, "worker", peaksPrefix+string(request)).Output()
	if err != nil {
		return nil, err
	}
	var peaks []results.Peak
	if err := json.Unmarshal(out, &peaks); err != nil {
		return nil, fmt.Errorf("what measures them printed %.40q: %w", out, err)
	}
	return peaks, nil
}

// servePeaks is that process.
func servePeaks(w io.Writer, text string) error {
	var request peaksRequest
	if err := json.Unmarshal([]byte(text), &request); err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(peak.Measure(request.CPUs, request.Threads))
}
