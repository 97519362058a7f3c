package environment

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// markerFile stands in the folder of every environment that was completed.
const markerFile = "dlbench-environment.json"

const markerSchema = 1

// Marker says how an environment was made. It is written last, so an
// environment without one is not complete.
type Marker struct {
	Schema       int               `json:"schema"`
	Name         string            `json:"name"`                   // NAME or NAME@VERSION
	Requirements string            `json:"requirements,omitempty"` // "sha256:" + hex of the locked file; "" for NAME@VERSION
	Asked        []string          `json:"asked,omitempty"`        // what NAME@VERSION was resolved from, without hashes
	Python       string            `json:"python"`                 // 3.11.7
	Site         string            `json:"site"`                   // where the packages are, below the folder
	Tool         string            `json:"tool"`                   // uv 0.13.8, pip 26.1
	Made         string            `json:"made"`                   // RFC 3339, UTC
	Seconds      float64           `json:"seconds"`                // that it took, with what had to be downloaded; of a repair, what the first time took
	Bytes        int64             `json:"bytes"`                  // on disk
	Packages     map[string]string `json:"packages"`               // every distribution and its version
	Overwritten  []string          `json:"overwritten,omitempty"`  // files that differed from their wheel from the beginning
}

// Identity names what is in the environment: two with the same one hold the
// same packages under the same Python.
func (m Marker) Identity() string {
	sum := sha256.New()
	fmt.Fprintln(sum, "python", m.Python)
	for _, name := range sortedKeys(m.Packages) {
		fmt.Fprintln(sum, name, m.Packages[name])
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

func readMarker(dir string) (Marker, error) {
	text, err := os.ReadFile(filepath.Join(dir, markerFile))
	if err != nil {
		return Marker{}, err
	}
	var m Marker
	if err := json.Unmarshal(text, &m); err != nil {
		return Marker{}, fmt.Errorf("%s: %w", markerFile, err)
	}
	if m.Schema != markerSchema {
		return Marker{}, fmt.Errorf("%s has schema %d, this dlbench reads %d", markerFile, m.Schema, markerSchema)
	}
	if !filepath.IsLocal(m.Site) {
		return Marker{}, fmt.Errorf("%s: site %q is not below the folder", markerFile, m.Site)
	}
	return m, nil
}

func writeMarker(dir string, m Marker) error {
	m.Schema = markerSchema
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, markerFile))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(append(text, '\n')); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// Versions are the versions that stand for the environment, as lists show them.
func (m Marker) Versions(s Spec) map[string]string {
	out := map[string]string{}
	for _, name := range s.Show {
		if v := m.Packages[name]; v != "" {
			out[name] = v
		}
	}
	return out
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, strings.Compare)
	return keys
}
