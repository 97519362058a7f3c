package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The committed files are what this command writes.
func TestGeneratedFilesAreCurrent(t *testing.T) {
	for name, want := range generate() {
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator writes: run go generate in the kernel folder", name)
		}
	}
}
