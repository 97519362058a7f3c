package workloads

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func sampleTensors() []NamedTensor {
	return []NamedTensor{
		{"b", Tensor{Shape: []int{2, 3}, F32: []float32{0, -1.5, float32(math.Inf(1)), 4, 5, math.SmallestNonzeroFloat32}}},
		{"a.weight", Tensor{Shape: []int{2}, F64: []float64{math.Pi, math.Copysign(0, -1)}}},
		{"scalar \"ü\"", Tensor{I32: []int32{math.MinInt32}}},
	}
}

func TestSafetensorsRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	in := sampleTensors()
	if err := WriteSafetensors(path, in); err != nil {
		t.Fatal(err)
	}
	out, err := ReadSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	in[2].Shape = []int{}
	for _, x := range in {
		if !reflect.DeepEqual(out[x.Name], x.Tensor) {
			t.Errorf("%s: %v, expected %v", x.Name, out[x.Name], x.Tensor)
		}
	}
	if len(out) != 3 || out["b"].DType() != "F32" || out["a.weight"].Float64s()[0] != math.Pi {
		t.Errorf("%v", out)
	}
	raw, _ := os.ReadFile(path)
	if n := binary.LittleEndian.Uint64(raw); (8+n)%8 != 0 {
		t.Errorf("data begins at %d, not on 8 bytes", 8+n)
	}
}

// What has room in the caller's memory is read there, and nothing else.
func TestReadSafetensorsInto(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	if err := WriteSafetensors(path, sampleTensors()); err != nil {
		t.Fatal(err)
	}
	want, err := ReadSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]float32, want["b"].Len())
	for _, into := range []map[string][]float32{{"b": b}, {"b": b[:1], "a.weight": make([]float32, want["a.weight"].Len())}} {
		got, err := ReadSafetensorsInto(path, into)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("into %v: %v, %v", into, got, err)
		}
		if fits, same := len(into["b"]) == len(b), &got["b"].F32[0] == &b[0]; fits != same {
			t.Errorf("%d elements of room for %d were used: %v", len(into["b"]), len(b), same)
		}
	}
}

func TestWriteSafetensorsRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	for name, ts := range map[string][]NamedTensor{
		"holds 4": {{"a", Tensor{Shape: []int{4}, F32: make([]float32, 3)}}},
		"duplicate": {
			{"a", Tensor{Shape: []int{1}, F32: make([]float32, 1)}}, {"a", Tensor{Shape: []int{1}, F32: make([]float32, 1)}},
		},
		"reserved": {{"__metadata__", Tensor{Shape: []int{1}, F32: make([]float32, 1)}}},
	} {
		if err := WriteSafetensors(path, ts); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// file builds a file from a header text and a number of data bytes.
func safetensorsFile(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestReadSafetensorsRefuses(t *testing.T) {
	ok := `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`
	if _, err := readSafetensors(bytes.NewReader(safetensorsFile(ok, 8)), int64(len(ok)+16), nil); err != nil {
		t.Fatal(err)
	}
	for want, raw := range map[string][]byte{
		"no header length":               {1, 2, 3},
		"header of 99":                   append(binary.LittleEndian.AppendUint64(nil, 99), '{', '}'),
		"header of 18446744073709551615": append(binary.LittleEndian.AppendUint64(nil, math.MaxUint64), '{', '}'),
		"not a JSON object":              safetensorsFile(`[1]`, 0),
		`tensor "a"`:                     safetensorsFile(`{"a":`, 0),
		"after the JSON":                 safetensorsFile(`{}x`, 0),
		"appears twice":                  safetensorsFile(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8),
		"dtype":                          safetensorsFile(`{"a":{"dtype":"F8","shape":[8],"data_offsets":[0,8]}}`, 8),
		"positive sides":                 safetensorsFile(`{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}`, 8),
		"unknown field":                  safetensorsFile(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}`, 8),
		"without gap or overlap":         safetensorsFile(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}`, 6),
		"data begins at 4":               safetensorsFile(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8),
		"8 bytes for shape":              safetensorsFile(`{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, 8),
		"bytes: expected 70":             safetensorsFile(ok, 9),
		"overflow":                       safetensorsFile(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0),
	} {
		_, err := readSafetensors(bytes.NewReader(raw), int64(len(raw)), nil)
		if want == "overflow" {
			want = "positive sides"
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("expected %q: %v", want, err)
		}
	}
}

func FuzzSafetensors(f *testing.F) {
	path := filepath.Join(f.TempDir(), "x")
	if err := WriteSafetensors(path, sampleTensors()); err != nil {
		f.Fatal(err)
	}
	raw, _ := os.ReadFile(path)
	f.Add(raw)
	f.Add(raw[:len(raw)-1])
	f.Add(safetensorsFile(`{"__metadata__":{"k":"v"},"a":{"dtype":"I32","shape":[],"data_offsets":[0,4]}}`, 4))
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, err := readSafetensors(bytes.NewReader(raw), int64(len(raw)), nil)
		if err != nil {
			return
		}
		var held int64
		for name, x := range out {
			if n, _ := elements(x.Shape); n != int64(x.Len()) {
				t.Errorf("%q: shape %v with %d elements", name, x.Shape, x.Len())
			}
			held += int64(x.Len()) * widthOf[x.DType()]
		}
		if held > int64(len(raw)) {
			t.Errorf("%d bytes read from %d", held, len(raw))
		}
	})
}
