package workloads

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// generatorFiles marks a recipe whose examples come from a user's folder: the
// generator is then "files:" and a digest of what was read.
const generatorFiles = "files:"

// dataset is a data set in memory, in the order of its files.
type dataset struct {
	kind    string // for messages: "MNIST (IDX)"
	digest  string // of everything that was read
	count   int
	classes int
	float   func(i int, x []float32)
	tokens  func(i int, x []int32)
	label   func(i int) int32
}

// WithDataset returns the program that reads its examples from the data set in
// dir in place of its generator. Its hash covers the data set's content.
//
// A folder holds one of: train-images-idx3-ubyte and train-labels-idx1-ubyte
// (MNIST, also with .gz), data_batch_*.bin (CIFAR-10, binary version), or one
// folder of text files per class, such as pos and neg. The error says what does
// not fit the program's input.
func (p Program) WithDataset(dir string) (Program, error) {
	d, err := openDataset(p.Input, dir)
	if err != nil {
		return Program{}, err
	}
	if d.classes != p.Data.Classes {
		return Program{}, fmt.Errorf("%s: %s has %d classes: %s expects %d", dir, d.kind, d.classes, p.Name, p.Data.Classes)
	}
	p.Data.Generator = generatorFiles + d.digest
	p.Hash = p.hash()
	return p, nil
}

// openBatches returns the source of p's examples. A data set is read in an
// order shuffled by the recipe's seed, from the front again at its end.
func openBatches(p Program, dir string) (batchSource, error) {
	want, fromFiles := strings.CutPrefix(p.Data.Generator, generatorFiles)
	switch {
	case dir == "" && fromFiles:
		return batchSource{}, fmt.Errorf("%s: its examples come from a data set: name the folder", p.Name)
	case dir == "":
		return synthetic(p), nil
	case !fromFiles:
		return batchSource{}, fmt.Errorf("%s: resolved for generator %s: expected the program that WithDataset returns for %s", p.Name, p.Data.Generator, dir)
	}
	d, err := openDataset(p.Input, dir)
	if err != nil {
		return batchSource{}, err
	}
	if d.digest != want {
		return batchSource{}, fmt.Errorf("%s: the data set has changed since %s was resolved", dir, p.Name)
	}
	order := shuffled(d.count, p.Data.Seed)
	at := func(i int) int { return order[i%len(order)] }
	src := batchSource{label: func(i int) int32 { return d.label(at(i)) }}
	if d.tokens != nil {
		src.tokens = func(i int, x []int32) { d.tokens(at(i), x) }
	} else {
		src.float = func(i int, x []float32) { d.float(at(i), x) }
	}
	return src, nil
}

// shuffled is a permutation of 0..n-1 (Fisher and Yates).
func shuffled(n int, seed uint64) []int {
	order := make([]int, n)
	s := newStream("shuffle", seed)
	for i := range order {
		j := s.below(i + 1)
		order[i], order[j] = order[j], i
	}
	return order
}

func openDataset(in Input, dir string) (dataset, error) {
	st, err := os.Stat(dir)
	if err != nil {
		return dataset{}, fmt.Errorf("data set: %w", err)
	}
	if !st.IsDir() {
		return dataset{}, fmt.Errorf("data set: %s is not a folder", dir)
	}
	fsys := os.DirFS(dir)
	cifar, err := fs.Glob(fsys, "data_batch_*.bin")
	if err != nil {
		return dataset{}, err
	}
	var d dataset
	images, isIDX := firstOf(fsys, "train-images-idx3-ubyte", "train-images-idx3-ubyte.gz")
	switch {
	case isIDX:
		d, err = openMNIST(fsys, images, in)
	case len(cifar) > 0:
		d, err = openCIFAR(fsys, cifar, in)
	default:
		classes, cerr := classFolders(fsys)
		if cerr != nil {
			return dataset{}, fmt.Errorf("%s: %w", dir, cerr)
		}
		if len(classes) == 0 {
			return dataset{}, fmt.Errorf("%s: no data set recognised: expected train-images-idx3-ubyte, data_batch_*.bin or one folder of text files per class", dir)
		}
		d, err = openText(fsys, classes, in, maxText)
	}
	if err != nil {
		return dataset{}, fmt.Errorf("%s: %w", dir, err)
	}
	if d.count == 0 {
		return dataset{}, fmt.Errorf("%s: %s without an example", dir, d.kind)
	}
	return d, nil
}

func firstOf(fsys fs.FS, names ...string) (string, bool) {
	for _, n := range names {
		if _, err := fs.Stat(fsys, n); err == nil {
			return n, true
		}
	}
	return "", false
}

// fits checks that images of the given shape are what the program reads.
func fits(kind string, shape []int, in Input) error {
	n, _ := elements(shape)
	m, _ := elements(in.Shape)
	image := in.Kind == KindImage && fmt.Sprint(in.Shape) == fmt.Sprint(shape)
	vector := in.Kind == KindVector && n == m
	if !image && !vector {
		return fmt.Errorf("%s holds images %v: the workload reads %s %v", kind, shape, in.Kind, in.Shape)
	}
	return nil
}

// readRegular reads a regular file of at most limit bytes.
func readRegular(fsys fs.FS, name string, limit int64) ([]byte, error) {
	st, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return data, nil
}

// digestOf hashes parts with their lengths, so that moving a byte from one
// part to the next changes it.
func digestOf(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(p))))
		h.Write(p)
	}
	return hexSum(h)[:32]
}

// pixels scales bytes to [0, 1], as the source articles do.
func pixels(raw []byte, x []float32) {
	for i := range x {
		x[i] = float32(raw[i]) / 255
	}
}

const cifarRecord = 1 + 3*32*32 // label, then red, green and blue planes, row-major

// openCIFAR reads the binary version of CIFAR-10 (Krizhevsky, 2009).
func openCIFAR(fsys fs.FS, names []string, in Input) (dataset, error) {
	const kind = "CIFAR-10"
	if err := fits(kind, []int{3, 32, 32}, in); err != nil {
		return dataset{}, err
	}
	var all []byte
	for _, name := range names {
		raw, err := readRegular(fsys, name, 1<<30)
		if err != nil {
			return dataset{}, err
		}
		if err := checkCIFAR(raw); err != nil {
			return dataset{}, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, raw...)
	}
	record := func(i int) []byte { return all[i*cifarRecord:][:cifarRecord] }
	return dataset{
		kind: kind, digest: digestOf(all), count: len(all) / cifarRecord, classes: 10,
		float: func(i int, x []float32) { pixels(record(i)[1:], x) },
		label: func(i int) int32 { return int32(record(i)[0]) },
	}, nil
}

// checkCIFAR checks lengths and labels of one file.
func checkCIFAR(raw []byte) error {
	if len(raw) == 0 || len(raw)%cifarRecord != 0 {
		return fmt.Errorf("%d bytes: expected a multiple of %d (label and 3x32x32 pixels)", len(raw), cifarRecord)
	}
	for i := 0; i < len(raw); i += cifarRecord {
		if raw[i] > 9 {
			return fmt.Errorf("record %d: label %d: expected 0 to 9", i/cifarRecord, raw[i])
		}
	}
	return nil
}

// openMNIST reads IDX files of images and labels (LeCun, Cortes, Burges).
func openMNIST(fsys fs.FS, images string, in Input) (dataset, error) {
	const kind = "MNIST (IDX)"
	labels, ok := firstOf(fsys, "train-labels-idx1-ubyte", "train-labels-idx1-ubyte.gz")
	if !ok {
		return dataset{}, errors.New("train-images-idx3-ubyte has no train-labels-idx1-ubyte beside it")
	}
	dims, px, err := readIDXFile(fsys, images, 3)
	if err != nil {
		return dataset{}, err
	}
	ldims, ls, err := readIDXFile(fsys, labels, 1)
	if err != nil {
		return dataset{}, err
	}
	if dims[0] != ldims[0] {
		return dataset{}, fmt.Errorf("%s holds %d images and %s %d labels", images, dims[0], labels, ldims[0])
	}
	if err := fits(kind, []int{1, dims[1], dims[2]}, in); err != nil {
		return dataset{}, err
	}
	for i, l := range ls {
		if l > 9 {
			return dataset{}, fmt.Errorf("%s: label %d of example %d: expected 0 to 9", labels, l, i)
		}
	}
	size := dims[1] * dims[2]
	return dataset{
		kind: kind, digest: digestOf(px, ls, fmt.Append(nil, dims)), count: dims[0], classes: 10,
		float: func(i int, x []float32) { pixels(px[i*size:][:size], x) },
		label: func(i int) int32 { return int32(ls[i]) },
	}, nil
}

func readIDXFile(fsys fs.FS, name string, rank int) ([]int, []byte, error) {
	f, err := fsys.Open(filepath.ToSlash(name))
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is not a regular file", name)
	}
	dims, data, err := readIDX(f, strings.HasSuffix(name, ".gz"), rank)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return dims, data, nil
}
