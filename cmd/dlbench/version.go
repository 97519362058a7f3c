package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"runtime/debug"
)

// release is the version that CHANGELOG.md describes.
const release = "0.1.0"

// version is the release with the commit that the binary was built from, where
// the build recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	return builtFrom(info.Settings)
}

// builtFrom says so where files differed from that commit: nobody can build
// such a binary again.
func builtFrom(settings []debug.BuildSetting) string {
	v, modified := release, false
	for _, s := range settings {
		switch s.Key {
		case "vcs.revision":
			v = release + "+" + s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			modified = s.Value == "true"
		}
	}
	if modified {
		v += ".modified"
	}
	return v
}

// binaryHash identifies the executable, so that a run is resumed only by the
// binary that began it.
func binaryHash() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	return fileHash(path)
}

// fileHash is "sha256:" and the hash of a file's content.
func fileHash(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("reading %s: %w", path, err)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), nil
}
