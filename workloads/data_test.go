package workloads

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// examples generates n examples of a program as float64 features: token counts
// for tokens, the values otherwise.
func examples(src batchSource, in Input, n int) (features [][]float64, labels []int32) {
	size, _ := elements(in.Shape)
	for i := range n {
		var f []float64
		if src.tokens != nil {
			f = make([]float64, in.Vocab)
			x := make([]int32, size)
			src.tokens(i, x)
			for _, tok := range x {
				f[tok]++
			}
		} else {
			x := make([]float32, size)
			src.float(i, x)
			f = widen(x)
		}
		features, labels = append(features, f), append(labels, src.label(i))
	}
	return features, labels
}

// nearestMean is the share of the second half of the examples that lie nearest
// to their own class's mean of the first half.
func nearestMean(features [][]float64, labels []int32, classes int) float64 {
	half := len(labels) / 2
	means := make([][]float64, classes)
	counts := make([]float64, classes)
	for c := range means {
		means[c] = make([]float64, len(features[0]))
	}
	for i := range half {
		counts[labels[i]]++
		for j, v := range features[i] {
			means[labels[i]][j] += v
		}
	}
	hits := 0
	for i := half; i < len(labels); i++ {
		best, bestDist := -1, 0.0
		for c := range means {
			dist := 0.0
			for j, v := range features[i] {
				d := v - means[c][j]/max(1, counts[c])
				dist += d * d
			}
			if best < 0 || dist < bestDist {
				best, bestDist = c, dist
			}
		}
		if best == int(labels[i]) {
			hits++
		}
	}
	return float64(hits) / float64(len(labels)-half)
}

// TestGeneratorsAreLearnable: even the simplest classifier beats chance by far
// on every shipped workload's data.
func TestGeneratorsAreLearnable(t *testing.T) {
	for _, s := range Shipped() {
		if n, _ := elements(s.Input.Shape); n > 20_000 {
			continue // the same generator as its smaller variants
		}
		p := resolved(t, s.Workload, nil)
		features, labels := examples(synthetic(p), p.Input, 400)
		share, chance := nearestMean(features, labels, p.Data.Classes), 1/float64(p.Data.Classes)
		if share < chance+0.5*(1-chance)*0.6 {
			t.Errorf("%s (%s): nearest mean is right on %.2f of the examples, chance is %.2f", s.Workload, p.Data.Generator, share, chance)
		}
	}
}

// TestGeneratedBytes pins what the generators make: these digests must be the
// same on every platform and in every release, or goldens and results of
// different hosts are not about the same work.
func TestGeneratedBytes(t *testing.T) {
	for name, want := range map[string][2]string{
		"TinyMlp":      {"396865330b308bb2", "54f6748c3ce3319e"},
		"TinyLstm":     {"febf9b95129904f2", "44e60d60cd4eb1f6"},
		"TinySequence": {"126f6b62fc460b9a", "051d3d045084dbe2"},
	} {
		p := resolved(t, name, func(s *Settings) { s.Batch = 2 })
		c := Cache{Dir: t.TempDir()}
		w, err := c.Weights(p)
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.Batches(p, "")
		if err != nil {
			t.Fatal(err)
		}
		for i, path := range []string{w, b} {
			raw, _ := os.ReadFile(path)
			if got := digestOf(raw)[:16]; got != want[i] {
				t.Errorf("%s %s: %s, expected %s", name, filepath.Base(path)[:7], got, want[i])
			}
		}
	}
}

// TestBatchesDoNotDependOnBatchSize: example i is the same in batches of 2 and 4.
func TestBatchesDoNotDependOnBatchSize(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	flat := func(batch int) []float32 {
		path, err := c.Batches(resolved(t, "TinyMlp", func(s *Settings) { s.Batch = batch }), "")
		if err != nil {
			t.Fatal(err)
		}
		return read(t, path)["x"].F32
	}
	two, four := flat(2), flat(4)
	for i := range two {
		if two[i] != four[i] {
			t.Fatalf("element %d: %v and %v", i, two[i], four[i])
		}
	}
}

func idxFile(t testing.TB, dims []int, data []byte) []byte {
	t.Helper()
	b := []byte{0, 0, 8, byte(len(dims))}
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
	}
	return append(b, data...)
}

func gz(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func writeFiles(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestMNISTFolder(t *testing.T) {
	const n = 20
	images, labels := make([]byte, n*28*28), make([]byte, n)
	for i := range n {
		labels[i] = byte(i % 10)
		for j := range 28 * 28 {
			images[i*784+j] = byte(i)
		}
	}
	plain := resolved(t, "MnistCnn", func(s *Settings) { s.Batch = 5 })
	var hashes []string
	for _, dir := range []string{
		writeFiles(t, map[string][]byte{"train-images-idx3-ubyte": idxFile(t, []int{n, 28, 28}, images), "train-labels-idx1-ubyte": idxFile(t, []int{n}, labels)}),
		writeFiles(t, map[string][]byte{"train-images-idx3-ubyte.gz": gz(t, idxFile(t, []int{n, 28, 28}, images)), "train-labels-idx1-ubyte.gz": gz(t, idxFile(t, []int{n}, labels))}),
	} {
		p, err := plain.WithDataset(dir)
		if err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, p.Hash)
		path, err := Cache{Dir: t.TempDir()}.Batches(p, dir)
		if err != nil {
			t.Fatal(err)
		}
		b := read(t, path)
		seen := map[float32]int{}
		for i, y := range b["y"].I32 { // 40 examples: each of the 20 twice
			px := b["x"].F32[i*784]
			seen[px]++
			if int32(px*255+0.5)%10 != y {
				t.Errorf("example %d: pixel %v with label %d", i, px, y)
			}
		}
		if len(seen) != n {
			t.Errorf("%d of %d images used", len(seen), n)
		}
		if _, ok := GoldenFor(p, ""); ok {
			t.Error("a user's data has a committed golden")
		}
	}
	if hashes[0] != hashes[1] || hashes[0] == plain.Hash {
		t.Errorf("hashes %v, without the folder %s", hashes, plain.Hash)
	}
}

func TestCIFARFolder(t *testing.T) {
	raw := make([]byte, 3*cifarRecord)
	for i := range 3 {
		raw[i*cifarRecord] = byte(i)
		raw[i*cifarRecord+1] = byte(100 + i)
	}
	dir := writeFiles(t, map[string][]byte{"data_batch_1.bin": raw[:cifarRecord], "data_batch_2.bin": raw[cifarRecord:]})
	p, err := resolved(t, "ResNet18Cifar", func(s *Settings) { s.Batch = 3 }).WithDataset(dir)
	if err != nil {
		t.Fatal(err)
	}
	path, err := Cache{Dir: t.TempDir()}.Batches(p, dir)
	if err != nil {
		t.Fatal(err)
	}
	b := read(t, path)
	for i, y := range b["y"].I32 {
		if got, want := b["x"].F32[i*3072], float32(100+y)/255; got != want {
			t.Errorf("example %d of label %d: first pixel %v, expected %v", i, y, got, want)
		}
	}
}

func TestTextFolder(t *testing.T) {
	dir := writeFiles(t, map[string][]byte{
		"pos/1.txt":   []byte("Good, good GOOD film."),
		"pos/2.txt":   []byte("film film"),
		"neg/1.txt":   []byte("bad -- film"),
		"unsup/1.txt": []byte("ignored"),
	})
	in := Input{Kind: KindTokens, Shape: []int{4}, Vocab: 4}
	d, err := openDataset(in, dir)
	if err != nil {
		t.Fatal(err)
	}
	if d.count != 3 || d.classes != 2 || d.label(0) != 0 || d.label(1) != 1 {
		t.Fatalf("%d examples of %d classes", d.count, d.classes)
	}
	// film occurs 4 times (token 2), good 3 times (3); bad is outside.
	for i, want := range [][4]int32{{1, 2, 0, 0}, {3, 3, 3, 2}, {2, 2, 0, 0}} {
		var x [4]int32
		d.tokens(i, x[:])
		if x != want {
			t.Errorf("example %d: %v, expected %v", i, x, want)
		}
	}
}

func TestDatasetErrors(t *testing.T) {
	image := idxFile(t, []int{2, 28, 28}, make([]byte, 2*784))
	labels := idxFile(t, []int{2}, []byte{1, 2})
	for want, c := range map[string]struct {
		workload string
		files    map[string][]byte
	}{
		"no data set recognised":      {"MnistCnn", map[string][]byte{"x.txt": nil}},
		"no train-labels-idx1":        {"MnistCnn", map[string][]byte{"train-images-idx3-ubyte": image}},
		"2 images":                    {"MnistCnn", map[string][]byte{"train-images-idx3-ubyte": image, "train-labels-idx1-ubyte": idxFile(t, []int{3}, []byte{1, 2, 3})}},
		"label 12 of example 1":       {"MnistCnn", map[string][]byte{"train-images-idx3-ubyte": image, "train-labels-idx1-ubyte": idxFile(t, []int{2}, []byte{1, 12})}},
		"holds images [1 28 28]":      {"ResNet18Cifar", map[string][]byte{"train-images-idx3-ubyte": image, "train-labels-idx1-ubyte": labels}},
		"reads tokens [100]":          {"TextLstm", map[string][]byte{"data_batch_1.bin": make([]byte, cifarRecord)}},
		"a multiple of 3073":          {"ResNet18Cifar", map[string][]byte{"data_batch_1.bin": make([]byte, cifarRecord+1)}},
		"record 0: label 10":          {"ResNet18Cifar", map[string][]byte{"data_batch_1.bin": append([]byte{10}, make([]byte, 3072)...)}},
		"hold text":                   {"MnistCnn", map[string][]byte{"pos/a": nil, "neg/a": nil}},
		"has 3 classes":               {"TextLstm", map[string][]byte{"a/1": []byte("x"), "b/1": []byte("y"), "c/1": []byte("z")}},
		"larger than 1048576":         {"TextLstm", map[string][]byte{"pos/a": make([]byte, maxTextFile+1), "neg/a": nil}},
		"text folders without an":     {"TextLstm", map[string][]byte{"pos/.keep": nil, "neg/.keep": nil}},
		"the IDX header is cut short": {"MnistCnn", map[string][]byte{"train-images-idx3-ubyte": {0}, "train-labels-idx1-ubyte": labels}},
		"not gzip":                    {"MnistCnn", map[string][]byte{"train-images-idx3-ubyte.gz": image, "train-labels-idx1-ubyte": labels}},
	} {
		dir := writeFiles(t, c.files)
		_, err := resolved(t, c.workload, nil).WithDataset(dir)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("expected %q: %v", want, err)
		}
	}
	texts := os.DirFS(writeFiles(t, map[string][]byte{"pos/a": []byte("good"), "neg/a": []byte("bad")}))
	if _, err := openText(texts, []string{"neg", "pos"}, resolved(t, "TextLstm", nil).Input, 6); err == nil || !strings.Contains(err.Error(), "more than 6 bytes of text up to pos/a") {
		t.Errorf("7 bytes of text under a limit of 6: %v", err)
	}
	p := resolved(t, "MnistCnn", nil)
	if _, err := p.WithDataset(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a missing folder was accepted")
	}
	dir := writeFiles(t, map[string][]byte{"train-images-idx3-ubyte": image, "train-labels-idx1-ubyte": labels})
	c := Cache{Dir: t.TempDir()}
	if _, err := c.Batches(p, dir); err == nil || !strings.Contains(err.Error(), "WithDataset") {
		t.Errorf("a synthetic program took a folder: %v", err)
	}
	q, err := p.WithDataset(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Batches(q, ""); err == nil || !strings.Contains(err.Error(), "name the folder") {
		t.Errorf("a program of a data set did without: %v", err)
	}
	other := writeFiles(t, map[string][]byte{"train-images-idx3-ubyte": image, "train-labels-idx1-ubyte": idxFile(t, []int{2}, []byte{1, 3})})
	if _, err := c.Batches(q, other); err == nil || !strings.Contains(err.Error(), "has changed") {
		t.Errorf("another data set was accepted: %v", err)
	}
}

func FuzzIDX(f *testing.F) {
	f.Add(idxFile(f, []int{2, 2, 1}, []byte{1, 2, 3, 4}), false)
	f.Add(gz(f, idxFile(f, []int{1, 1, 1}, []byte{1})), true)
	f.Add([]byte{0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}, false)
	f.Fuzz(func(t *testing.T, raw []byte, gzipped bool) {
		dims, data, err := readIDX(bytes.NewReader(raw), gzipped, 3)
		if err != nil {
			return
		}
		if n, ok := elements(dims); !ok || n != int64(len(data)) {
			t.Errorf("sides %v with %d bytes", dims, len(data))
		}
		if !gzipped && len(raw) != 16+len(data) {
			t.Errorf("%d bytes of %d used", 16+len(data), len(raw))
		}
	})
}

func FuzzCIFAR(f *testing.F) {
	f.Add(make([]byte, cifarRecord))
	f.Add(append([]byte{10}, make([]byte, cifarRecord-1)...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := checkCIFAR(raw); err != nil {
			return
		}
		for i := 0; i < len(raw); i += cifarRecord {
			if raw[i] > 9 || len(raw)-i < cifarRecord {
				t.Errorf("record at %d of %d", i, len(raw))
			}
		}
	})
}
