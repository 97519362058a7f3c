package workloads

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"unicode/utf8"
)

// Tensor is a named array read from or written to a safetensors file. Exactly
// one of F32, F64 and I32 is set; data is row-major.
type Tensor struct {
	Shape []int
	F32   []float32
	F64   []float64
	I32   []int32
}

// DType is the safetensors name of the element type.
func (t Tensor) DType() string {
	switch {
	case t.F64 != nil:
		return "F64"
	case t.I32 != nil:
		return "I32"
	}
	return "F32"
}

// Len is the number of elements held.
func (t Tensor) Len() int { return len(t.F32) + len(t.F64) + len(t.I32) }

// Float64s returns the elements widened to float64.
func (t Tensor) Float64s() []float64 {
	switch {
	case t.F64 != nil:
		return slices.Clone(t.F64)
	case t.I32 != nil:
		return widen(t.I32)
	}
	return widen(t.F32)
}

func widen[T float32 | int32](in []T) []float64 {
	out := make([]float64, len(in))
	for i, v := range in {
		out[i] = float64(v)
	}
	return out
}

// NamedTensor is one entry of a file, in file order.
type NamedTensor struct {
	Name string
	Tensor
}

const (
	maxHeader = 16 << 20 // bytes of the JSON header that ReadSafetensors accepts
	maxRank   = 16
)

var widthOf = map[string]int64{"F32": 4, "F64": 8, "I32": 4}

// entry is one tensor in the header.
type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int    `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"`
	name    string
}

// WriteSafetensors writes the tensors in order, in the format of
// https://github.com/huggingface/safetensors: the header's length as
// little-endian uint64, a JSON header padded with spaces to 8 bytes, the data.
func WriteSafetensors(path string, tensors []NamedTensor) (err error) {
	entries := make([]entry, len(tensors))
	for i, t := range tensors {
		entries[i] = entry{name: t.Name, DType: t.DType(), Shape: t.Shape}
		if n, ok := elements(t.Shape); !ok || n != int64(t.Len()) {
			return fmt.Errorf("%s: tensor %q: shape %v holds %d elements, not %d", path, t.Name, t.Shape, n, t.Len())
		}
	}
	header, err := encodeHeader(entries, "")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, t := range tensors {
		switch {
		case t.F64 != nil:
			err = writeNumbers(w, t.F64)
		case t.I32 != nil:
			err = writeNumbers(w, t.I32)
		default:
			err = writeNumbers(w, t.F32)
		}
		if err != nil {
			return err
		}
	}
	return w.Flush()
}

// encodeHeader lays the entries out one after another and returns the length
// prefix and the header. digest, if given, is stored as metadata.
func encodeHeader(entries []entry, digest string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("{")
	if digest != "" {
		fmt.Fprintf(&b, `"__metadata__":{"sha256":%q}`, digest)
	}
	var offset int64
	seen := map[string]bool{"__metadata__": true}
	for i, e := range entries {
		if seen[e.name] || !utf8.ValidString(e.name) {
			return nil, fmt.Errorf("tensor name %q is a duplicate, reserved or not UTF-8", e.name)
		}
		seen[e.name] = true
		n, _ := elements(e.Shape)
		e.Offsets = [2]int64{offset, offset + n*widthOf[e.DType]}
		offset = e.Offsets[1]
		if e.Shape == nil {
			e.Shape = []int{}
		}
		name, _ := json.Marshal(e.name)
		value, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		if i > 0 || digest != "" {
			b.WriteString(",")
		}
		b.Write(name)
		b.WriteString(":")
		b.Write(value)
	}
	b.WriteString("}")
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	return append(binary.LittleEndian.AppendUint64(nil, uint64(b.Len())), b.Bytes()...), nil
}

func writeNumbers[T float32 | float64 | int32](w io.Writer, data []T) error {
	buf := make([]byte, 0, 1<<16)
	for chunk := range slices.Chunk(data, 1<<13) {
		buf = buf[:0]
		for _, v := range chunk {
			switch x := any(v).(type) {
			case float32:
				buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(x))
			case float64:
				buf = binary.LittleEndian.AppendUint64(buf, math.Float64bits(x))
			case int32:
				buf = binary.LittleEndian.AppendUint32(buf, uint32(x))
			}
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}

// ReadSafetensors reads a whole file. It is strict: header length, dtypes (F32,
// F64, I32), shapes, offsets without gap or overlap, and the file's length must
// all agree.
func ReadSafetensors(path string) (map[string]Tensor, error) {
	return ReadSafetensorsInto(path, nil)
}

// ReadSafetensorsInto is ReadSafetensors into memory of the caller's: a tensor of
// float32 that into names, and whose elements are as many, is read there.
func ReadSafetensorsInto(path string, into map[string][]float32) (map[string]Tensor, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	out, err := readSafetensors(f, st.Size(), into)
	if err != nil {
		return nil, fmt.Errorf("%s: not a usable safetensors file: %w", path, err)
	}
	return out, nil
}

func readSafetensors(r io.Reader, size int64, into map[string][]float32) (map[string]Tensor, error) {
	entries, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	br := bufio.NewReaderSize(r, 1<<20)
	out := make(map[string]Tensor, len(entries))
	for _, e := range entries { // in file order
		n, _ := elements(e.Shape)
		t := Tensor{Shape: e.Shape}
		switch e.DType {
		case "F32":
			if t.F32 = into[e.name]; int64(len(t.F32)) != n {
				t.F32 = make([]float32, n)
			}
			err = readNumbers(br, t.F32)
		case "F64":
			t.F64 = make([]float64, n)
			err = readNumbers(br, t.F64)
		case "I32":
			t.I32 = make([]int32, n)
			err = readNumbers(br, t.I32)
		}
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", e.name, err)
		}
		out[e.name] = t
	}
	return out, nil
}

// readHeader returns the entries in the order of their data, after checking
// them against each other and against the size of the file.
func readHeader(r io.Reader, size int64) ([]entry, error) {
	var prefix [8]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return nil, fmt.Errorf("no header length: the file has %d bytes", size)
	}
	n := binary.LittleEndian.Uint64(prefix[:])
	if n > maxHeader || int64(n) > size-8 {
		return nil, fmt.Errorf("header of %d bytes: expected at most %d and no more than the file's %d", n, maxHeader, size)
	}
	raw := make([]byte, n)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, err
	}
	entries, err := decodeHeader(raw)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.Offsets[0], b.Offsets[0]), cmp.Compare(a.Offsets[1], b.Offsets[1]))
	})
	var end int64
	for _, e := range entries {
		count, ok := elements(e.Shape)
		width, known := widthOf[e.DType]
		switch {
		case !known:
			return nil, fmt.Errorf("tensor %q: dtype %q: expected F32, F64 or I32", e.name, e.DType)
		case !ok || len(e.Shape) > maxRank:
			return nil, fmt.Errorf("tensor %q: shape %v: expected at most %d positive sides", e.name, e.Shape, maxRank)
		case e.Offsets[0] != end:
			return nil, fmt.Errorf("tensor %q: data begins at %d: expected %d, without gap or overlap", e.name, e.Offsets[0], end)
		case e.Offsets[1]-e.Offsets[0] != count*width:
			return nil, fmt.Errorf("tensor %q: %d bytes for shape %v of %s: expected %d", e.name, e.Offsets[1]-e.Offsets[0], e.Shape, e.DType, count*width)
		}
		end = e.Offsets[1]
	}
	if want := 8 + int64(n) + end; want != size {
		return nil, fmt.Errorf("file of %d bytes: expected %d", size, want)
	}
	return entries, nil
}

// decodeHeader reads the JSON object token by token, to see duplicate names.
func decodeHeader(raw []byte) ([]entry, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("header is not a JSON object")
	}
	var entries []entry
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, fmt.Errorf("header is not a JSON object: %v", err)
		}
		if seen[name] {
			return nil, fmt.Errorf("tensor %q appears twice in the header", name)
		}
		seen[name] = true
		if name == "__metadata__" {
			var meta map[string]string
			if err := dec.Decode(&meta); err != nil {
				return nil, fmt.Errorf("metadata: %w", err)
			}
			continue
		}
		e := entry{name: name}
		if err := dec.Decode(&e); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		entries = append(entries, e)
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("header is not a JSON object: %w", err)
	}
	if rest := bytes.Trim(raw[dec.InputOffset():], " "); len(rest) > 0 {
		return nil, fmt.Errorf("header: %d bytes after the JSON object", len(rest))
	}
	return entries, nil
}

func readNumbers[T float32 | float64 | int32](r io.Reader, out []T) error {
	buf := make([]byte, 1<<16)
	width := binary.Size(T(0))
	for chunk := range slices.Chunk(out, len(buf)/width) {
		b := buf[:len(chunk)*width]
		if _, err := io.ReadFull(r, b); err != nil {
			return err
		}
		switch x := any(chunk).(type) {
		case []float32:
			for i := range x {
				x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
			}
		case []float64:
			for i := range x {
				x[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
			}
		case []int32:
			for i := range x {
				x[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
			}
		}
	}
	return nil
}
