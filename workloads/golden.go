package workloads

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// GoldenSchema is the version of the golden files.
const GoldenSchema = 1

//go:embed goldens
var goldenFiles embed.FS

// GoldenFor returns the committed golden of a program, as the dialect has it
// ("" is the program as written). A program whose batches come from a user's
// folder has a hash of its own, and so no committed golden.
func GoldenFor(p Program, dialect string) (Golden, bool) {
	data, err := goldenFiles.ReadFile("goldens/" + GoldenFile(p.Hash, dialect))
	if err != nil {
		return Golden{}, false
	}
	g, err := DecodeGolden(data)
	if err != nil || g.Program != p.Hash || g.Dialect != dialect {
		return Golden{}, false
	}
	return g, true
}

var notInFileName = regexp.MustCompile(`[^A-Za-z0-9.-]+`)

// GoldenFile is the name of the file that holds a program's golden.
func GoldenFile(hash, dialect string) string {
	name := strings.TrimPrefix(hash, "sha256:")
	name = notInFileName.ReplaceAllString(name[:min(32, len(name))], "_")
	if dialect != "" {
		name += "." + notInFileName.ReplaceAllString(dialect, "_")
	}
	return name + ".json"
}

// EncodeGolden writes g as JSON: the same golden gives the same bytes.
func EncodeGolden(g Golden) ([]byte, error) {
	g.Schema = GoldenSchema
	b, err := json.MarshalIndent(g, "", " ")
	if err != nil {
		return nil, fmt.Errorf("golden %s: %w", g.Name, err)
	}
	return append(b, '\n'), nil
}

// DecodeGolden reads what EncodeGolden wrote, and nothing else.
func DecodeGolden(data []byte) (Golden, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var g Golden
	if err := dec.Decode(&g); err != nil {
		return Golden{}, fmt.Errorf("not a golden: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Golden{}, fmt.Errorf("not a golden: text after the JSON object")
	}
	if g.Schema != GoldenSchema {
		return Golden{}, fmt.Errorf("golden of schema %d: expected %d", g.Schema, GoldenSchema)
	}
	if !strings.HasPrefix(g.Program, "sha256:") || len(g.Losses) == 0 {
		return Golden{}, fmt.Errorf("not a golden: no program hash or no losses")
	}
	return g, nil
}

// WriteGolden writes g into the folder under its own name, atomically.
func WriteGolden(dir string, g Golden) (path string, err error) {
	data, err := EncodeGolden(g)
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, GoldenFile(g.Program, g.Dialect))
	f, err := os.CreateTemp(dir, ".golden-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name()) // gone after the rename
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644)
	}
	if err != nil {
		return "", err
	}
	return path, os.Rename(f.Name(), path)
}

// ReadGolden reads one golden file.
func ReadGolden(path string) (Golden, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Golden{}, err
	}
	g, err := DecodeGolden(data)
	if err != nil {
		return Golden{}, fmt.Errorf("%s: %w", path, err)
	}
	return g, nil
}
