package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestHugeFilesAreRefusedAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huge.yaml")
	if err := os.WriteFile(path, []byte(strings.Repeat("# comment\n", 10<<20)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"workload", "check", path}, {"plan", "--suite", path}} {
		out := dlbench(t, args...)
		if out.code != exitBadInput || strings.Count(strings.TrimSpace(out.stderr), "\n") != 0 || !strings.Contains(out.stderr, "huge.yaml") {
			t.Errorf("%v: exit %d, want 2 with one line\n%s", args, out.code, out.stderr)
		}
		if out.took > 5*time.Second {
			t.Errorf("%v took %v", args, out.took)
		}
	}
}

// A title may hold markup: it reaches the report as text.
func TestMarkupInATitleIsText(t *testing.T) {
	dir := t.TempDir()
	spec := `workload: Markup
title: {en: "<script>alert(1)</script>", zh: "<img src=x onerror=alert(2)>"}
input: {kind: vector, shape: [8]}
data: {generator: class-blobs, classes: 2, batches: 2, seed: 1}
layers:
  - {op: dense, name: fc1, units: 2}
loss: {op: softmax-cross-entropy, reduction: mean}
optimizer: {op: sgd, rate: 0.01, momentum: 0.9}
steps: {check: 3, warmup: {max: 10}, blocks: 4, per-block: 1}
`
	path := filepath.Join(dir, "markup.yaml")
	if err := os.WriteFile(path, []byte(spec), 0o644); err != nil {
		t.Fatal(err)
	}
	suite := suiteFile(t, "eager, fake-ok", "cells: [{workload: Markup, mode: train, batch: 4, precision: f32}]")
	run := filepath.Join(dir, "run")
	if out := dlbench(t, "run", "--suite", suite, "--spec", path, "--out", run); out.code != exitOK {
		t.Fatalf("exit %d\n%s", out.code, out.stderr)
	}
	page, err := os.ReadFile(filepath.Join(run, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{"<script>alert(1)", "<img src=x"} {
		if strings.Contains(string(page), raw) {
			t.Errorf("the page holds %s as markup", raw)
		}
	}
	if !strings.Contains(string(page), "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Error("the escaped title is missing")
	}
}
