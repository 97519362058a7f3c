package workloads

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
)

// File is one file of the cache, there or to be written.
type File struct {
	Path  string
	Bytes int64
	There bool // of this size: whether it is intact is known when it is used
}

// Files returns what Weights and Batches would return, and writes nothing.
func (c Cache) Files(p Program) ([]File, error) {
	var files []File
	for _, of := range []func(Program) (string, []entry){weightsFile, batchesFile} {
		name, entries := of(p)
		path, err := filepath.Abs(filepath.Join(c.Dir, name))
		if err != nil {
			return nil, err
		}
		header, err := encodeHeader(entries, hex.EncodeToString(make([]byte, sha256.Size)))
		if err != nil {
			return nil, err
		}
		f := File{Path: path, Bytes: int64(len(header))}
		for _, e := range entries {
			n, _ := elements(e.Shape)
			f.Bytes += 4 * n
		}
		st, there := stampOf(path)
		f.There = there && st.size == f.Bytes
		files = append(files, f)
	}
	return files, nil
}

// weightsFile is the name and the content of the file with p's parameters.
func weightsFile(p Program) (name string, entries []entry) {
	key := digestJSON(struct {
		Version int
		Seed    uint64
		Params  []Param
	}{dataVersion, p.Data.Seed, p.Params})
	entries = make([]entry, len(p.Params))
	for i, q := range p.Params {
		entries[i] = entry{name: q.Name, DType: "F32", Shape: q.Shape}
	}
	return "weights-" + key[:32] + ".safetensors", entries
}

// batchesFile is the name and the content of the file with p's batches.
func batchesFile(p Program) (name string, entries []entry) {
	key := digestJSON(struct {
		Version, Batch int
		Input          Input
		Data           Data
	}{dataVersion, p.Batch, p.Input, p.Data})
	dtype := "F32"
	if p.Input.Kind == KindTokens {
		dtype = "I32"
	}
	return "batches-" + key[:32] + ".safetensors", []entry{
		{name: "x", DType: dtype, Shape: append([]int{p.Data.Batches, p.Batch}, p.Input.Shape...)},
		{name: "y", DType: "I32", Shape: []int{p.Data.Batches, p.Batch}},
	}
}
