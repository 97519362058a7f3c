package forecast

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// schema is the version of costs files; another one is not read.
const schema = 1

// maxFile bounds a costs file.
const maxFile = 64 << 20

// file is the content of a costs file: what is known of each host that wrote to
// it, for the folder may be shared between hosts.
type file struct {
	Schema int     `json:"schema"`
	Hosts  []Known `json:"hosts"`
}

//go:embed reference.json
var referenceFile []byte

// Reference is what is shipped: the costs on one host, named there.
var Reference = sync.OnceValue(func() Known {
	f, err := decode(referenceFile)
	if err != nil || len(f.Hosts) != 1 {
		panic(fmt.Sprintf("forecast: reference.json: %d hosts: %v", len(f.Hosts), err))
	}
	return f.Hosts[0]
})

// Path is the costs file in the user's cache folder.
func Path(cache string) string { return filepath.Join(cache, "costs.json") }

// Read returns what the file knows of a host; nothing where there is no file.
// With an error, which says why a file is of no use, it knows nothing too: what
// is lost is measured again by the next run.
func Read(path, host string) (Known, error) {
	f, err := read(path)
	for _, k := range f.Hosts {
		if k.Host == host {
			return k, err
		}
	}
	return Known{Host: host}, err
}

func read(path string) (file, error) {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return file{}, nil
	}
	if err != nil {
		return file{}, err
	}
	if st.Size() > maxFile {
		return file{}, fmt.Errorf("%s: larger than %d bytes, so not what dlbench wrote", path, maxFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return file{}, err
	}
	f, err := decode(data)
	if err != nil {
		return file{}, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Add merges what was learned into the file, and writes it whole or not at all.
// A file of no use is replaced.
func Add(path string, learned Known) error {
	f, _ := read(path)
	at := -1
	for i, k := range f.Hosts {
		if k.Host == learned.Host {
			at = i
		}
	}
	if at < 0 {
		f.Hosts = append(f.Hosts, Known{Host: learned.Host})
		at = len(f.Hosts) - 1
	}
	f.Hosts[at] = f.Hosts[at].Merge(learned)
	return write(path, f)
}

// WriteReference writes the file that is shipped.
func WriteReference(path string, k Known) error { return write(path, file{Hosts: []Known{k}}) }

func write(path string, f file) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".costs-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // gone after the rename
	_, err = temp.Write(encode(f))
	if cerr := temp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chmod(temp.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	return err
}

// encode writes one line per cell, so that a change of the shipped file can be
// read, and times with four digits.
func encode(f file) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\"schema\":%d,\"hosts\":[", schema)
	for i, k := range f.Hosts {
		costs := k.Costs
		k.Costs = nil
		head, _ := json.Marshal(k) // plain numbers and strings
		b.WriteString(comma(i) + "\n")
		b.Write(bytes.TrimSuffix(head, []byte("null}")))
		b.WriteString("[")
		for j, c := range costs {
			line, _ := json.Marshal(c.rounded())
			b.WriteString(comma(j) + "\n")
			b.Write(line)
		}
		b.WriteString("\n]}")
	}
	b.WriteString("\n]}\n")
	return b.Bytes()
}

func comma(i int) string {
	if i == 0 {
		return ""
	}
	return ","
}

func (c Cost) rounded() Cost {
	trials := map[Form]Trial{}
	for f, t := range c.Trials {
		for _, x := range append(t.durations(), &t.WarmupBlocks, &t.Steady) {
			*x, _ = strconv.ParseFloat(strconv.FormatFloat(*x, 'g', 4, 64), 64)
		}
		trials[f] = t
	}
	c.Trials = trials
	return c
}

// decode reads what encode wrote, and refuses figures that no trial can have.
func decode(data []byte) (file, error) {
	var version struct{ Schema int }
	if err := json.Unmarshal(data, &version); err != nil {
		return file{}, fmt.Errorf("not a costs file: %w", err)
	}
	if version.Schema != schema {
		return file{}, fmt.Errorf("a costs file of schema %d: expected %d", version.Schema, schema)
	}
	var f file
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return file{}, fmt.Errorf("not a costs file: %w", err)
	}
	for _, k := range f.Hosts {
		for _, x := range []float64{k.Canary, k.Between} {
			if !plausible(x) {
				return file{}, fmt.Errorf("host %s: a time of %v s", k.Host, x)
			}
		}
		for _, c := range k.Costs {
			if err := c.valid(); err != nil {
				return file{}, fmt.Errorf("host %s: cell %s: %w", k.Host, c.Cell.Name(), err)
			}
		}
	}
	return f, nil
}

func (c Cost) valid() error {
	if err := c.Cell.Validate(); err != nil {
		return err
	}
	if c.Imported < 0 || c.Peak < 0 || c.Calls < 0 || c.Work.ModelFLOPs < 0 || c.Work.ParamBytes < 0 || c.Work.ActivationBytes < 0 {
		return errors.New("a negative count")
	}
	for f, t := range c.Trials {
		for _, x := range append(t.durations(), &t.WarmupBlocks) {
			if !plausible(*x) {
				return fmt.Errorf("%s: %v", f, *x)
			}
		}
		if t.N < 1 || !(t.Steady >= 0 && t.Steady <= 1) {
			return fmt.Errorf("%s: %d trials, %v of them steady", f, t.N, t.Steady)
		}
	}
	return nil
}

// plausible holds times to a month, which no trial may take.
func plausible(x float64) bool { return x >= 0 && x < 30*24*3600 && !math.IsNaN(x) }
