package backends

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dlbench/dlbench/workloads"
)

// These tests keep PROTOCOL.md true.

func protocolText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// examples returns the JSON lines of the fenced blocks "json request" or "json reply".
func examples(t *testing.T, text, kind string) []string {
	t.Helper()
	var out []string
	in := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "```json "+kind:
			in = true
		case line == "```":
			in = false
		case in:
			out = append(out, line)
		}
	}
	return out
}

var wireTypes = map[string]map[string]func() any{
	"request": {
		"hello": func() any { return new(Hello) },
		"build": func() any { return new(BuildRequest) },
		"check": func() any { return new(CheckRequest) },
		"run":   func() any { return new(RunRequest) },
		"reset": func() any { return new(struct{ T string }) },
		"bye":   func() any { return new(struct{ T string }) },
		"fork":  func() any { return new(Fork) },
	},
	"reply": {
		"hello":   func() any { return new(HelloReply) },
		"built":   func() any { return new(BuildReply) },
		"checked": func() any { return new(CheckReply) },
		"ran":     func() any { return new(Ran) },
		"reset":   func() any { return new(ResetReply) },
		"bye":     func() any { return new(struct{ T string }) },
		"forked":  func() any { return new(Forked) },
		"error":   func() any { return new(WorkerError) },
	},
}

func TestDocumentedMessages(t *testing.T) {
	text := protocolText(t)
	for kind, types := range wireTypes {
		seen := map[string]bool{}
		for _, line := range examples(t, text, kind) {
			members, err := fields([]byte(line))
			if err != nil {
				t.Errorf("%s %s: %v", kind, line, err)
				continue
			}
			name := kindOf(members)
			make, ok := types[name]
			if !ok {
				t.Errorf("%s %q is no message of the wire", kind, name)
				continue
			}
			seen[name] = true
			// The first message carries a key on purpose that nobody knows.
			line = strings.Replace(line, `,"grease-9f":0`, "", 1)
			d := json.NewDecoder(strings.NewReader(line))
			d.DisallowUnknownFields()
			message := make()
			if err := d.Decode(message); err != nil {
				t.Errorf("%s %q: %v", kind, name, err)
			}
			// An example is full: no key of the message is left out.
			for key := range jsonKeys(reflect.TypeOf(message).Elem(), false) {
				if _, ok := members[key]; !ok && key != "T" {
					t.Errorf("the example of %s %q lacks %q", kind, name, key)
				}
			}
		}
		for name := range types {
			if !seen[name] {
				t.Errorf("there is no example of %s %q", kind, name)
			}
		}
	}
}

// The words of the page by which the end of a forked worker is known.
func TestDocumentedForkedEnds(t *testing.T) {
	text := protocolText(t)
	seen := 0
	for _, line := range examples(t, text, "reply") {
		var e WorkerError
		if json.Unmarshal([]byte(line), &e) != nil || e.T != "error" || e.At != "fork" {
			continue
		}
		seen++
		if status, signal, ok := e.ForkedEnd(); !ok || status != -1 || signal != "SIGSEGV" {
			t.Errorf("%s: status %d, signal %q, %v", line, status, signal, ok)
		}
	}
	if other := ForkedEndOf(1, "").Message; seen != 1 || !strings.Contains(text, "`"+other+"`") {
		t.Errorf("%d examples of a signal, and want %q beside it", seen, other)
	}
}

// jsonKeys lists the JSON keys of a struct, with deep of all structs in it too.
func jsonKeys(typ reflect.Type, deep bool) map[string]bool {
	out := map[string]bool{}
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct {
		return out
	}
	for _, f := range reflect.VisibleFields(typ) {
		if f.Anonymous {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue // not on the wire
		}
		if name == "" {
			name = f.Name
		}
		out[name] = true
		if deep {
			for key := range jsonKeys(f.Type, true) {
				out[key] = true
			}
		}
	}
	return out
}

func TestEveryKeyIsDocumented(t *testing.T) {
	text := protocolText(t)
	for _, types := range wireTypes {
		for name, make := range types {
			for key := range jsonKeys(reflect.TypeOf(make()).Elem(), true) {
				if key != "T" && !strings.Contains(text, "`"+key+"`") && !strings.Contains(text, `"`+key+`"`) {
					t.Errorf("key %q of %q is not in PROTOCOL.md", key, name)
				}
			}
		}
	}
}

// Every op, loss, optimizer, precision, mode and purpose is in the text; the
// constants are read from the source, so that a new one cannot be forgotten.
func TestEveryConstantIsDocumented(t *testing.T) {
	text := protocolText(t)
	found := 0
	for _, path := range []string{"../workloads/program.go", "../workloads/check.go", "../workloads/settings.go", "backend.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			group, ok := decl.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			for _, spec := range group.Specs {
				for _, value := range spec.(*ast.ValueSpec).Values {
					literal, ok := value.(*ast.BasicLit)
					if !ok || literal.Kind != token.STRING {
						continue
					}
					word, _ := strconv.Unquote(literal.Value)
					found++
					if !strings.Contains(text, "`"+word+"`") {
						t.Errorf("%s: %q is not in PROTOCOL.md", path, word)
					}
				}
			}
		}
	}
	if found < 30 {
		t.Errorf("only %d constants were found: has the source moved?", found)
	}
}

func TestDocumentedLimits(t *testing.T) {
	text := protocolText(t)
	for _, want := range []string{
		"1,048,576 bytes", fmt.Sprintf("`blocks` | integer, 1 to %d", MaxBlocks), fmt.Sprintf("`per_block` | integer, 1 to %d", MaxPerBlock),
		fmt.Sprintf("`steps` | integer, 1 to %d", MaxSteps), fmt.Sprintf("protocol, version %d", ProtocolVersion), "max(2 % of own clock, 5 ms)",
		fmt.Sprintf("up to %d ms", maxWaiting.Milliseconds()), fmt.Sprintf("and %d ms, and %d ms for each CPU beyond", outsideCPU.Milliseconds(), spinningCPU.Milliseconds()),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("PROTOCOL.md does not say %q", want)
		}
	}
	c := NewClient(nil, nil)
	if MaxLine != 1_048_576 || c.MaxGap.Milliseconds() != 5 || c.MaxGapShare != 0.02 {
		t.Error("a limit changed: PROTOCOL.md has the old one")
	}
}

// The ceilings of section 10 have the size of those in the goldens.
func TestDocumentedCeilings(t *testing.T) {
	text := protocolText(t)
	paths, err := filepath.Glob("../workloads/goldens/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	found := map[string][]float64{}
	for _, path := range paths {
		g, err := workloads.ReadGolden(path)
		if err != nil {
			t.Fatal(err)
		}
		for p, b := range g.Budgets {
			found[string(p)+" loss"] = append(found[string(p)+" loss"], b.Losses[:3]...)
			for name, ceiling := range b.Tensors {
				kind, _, _ := strings.Cut(name, "/")
				found[string(p)+" "+kind] = append(found[string(p)+" "+kind], ceiling)
			}
		}
	}
	for kind, title := range map[string]string{"loss": "losses of the first 3 steps", "logits": "logits", "grad": "gradients", "param": "parameters after 3 steps"} {
		for _, p := range []string{"f64", "f32"} {
			row := fmt.Sprintf("| `%s` | %s | ", p, title)
			_, rest, ok := strings.Cut(text, row)
			cells := strings.Split(rest, " | ")
			all := found[p+" "+kind]
			if !ok || len(cells) < 2 || len(all) == 0 {
				t.Errorf("no row %q, or no such ceiling in the goldens", row)
				continue
			}
			slices.Sort(all)
			said, err := strconv.ParseFloat(cells[1], 64)
			if median := all[len(all)/2]; err != nil || said > 3*median || said < median/3 {
				t.Errorf("%s the median is %q, in the goldens it is %.0e", row, cells[1], median)
			}
		}
	}
}

// The job of the example is one that a worker of that hello must accept.
func TestDocumentedJobIsValid(t *testing.T) {
	text := protocolText(t)
	var in bytes.Buffer
	for _, line := range examples(t, text, "request") {
		in.WriteString(line + "\n")
	}
	var info HelloReply
	if err := json.Unmarshal([]byte(examples(t, text, "reply")[0]), &info); err != nil {
		t.Fatal(err)
	}
	for _, line := range examples(t, text, "request") {
		var request struct {
			T   string
			Job json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &request); err != nil || request.T != "build" {
			continue
		}
		job, err := decodeJob(request.Job)
		if err != nil {
			t.Fatal(err)
		}
		if err := claims(info.Info, job); err != nil {
			t.Error(err)
		}
		var built BuildReply
		for _, reply := range examples(t, text, "reply") {
			if json.Unmarshal([]byte(reply), &built) == nil && built.T == "built" {
				if err := built.Against(job); err != nil {
					t.Error(err)
				}
				return
			}
		}
	}
	t.Error("no build, or no built, in the examples")
}

func TestDocumentedFingerprints(t *testing.T) {
	text := protocolText(t)
	var signs []string
	sum := 0.0
	for i := range 1000 {
		sum += workloads.Sign(i)
		if i < 16 {
			signs = append(signs, map[float64]string{1: "+", -1: "-"}[workloads.Sign(i)])
		}
	}
	eighths := make([]float64, 1000)
	for i := range eighths {
		eighths[i] = float64(i) / 8
	}
	four, many := workloads.FingerprintOf([]float64{1, 2, 3, 4}), workloads.FingerprintOf(eighths)
	for _, want := range []string{
		strings.Join(signs, " "), fmt.Sprintf("| %v |", sum),
		fmt.Sprintf("| %v | %v |", four.Norm, four.Proj), fmt.Sprintf("| %v | %v |", many.Norm, many.Proj),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("PROTOCOL.md does not have the test vector %q", want)
		}
	}
}

// The worked example of section 13, computed again.
func TestDocumentedExample(t *testing.T) {
	w, b := [2][2]float64{{1, 0}, {0, 1}}, [2]float64{}
	x, y := [2][2]float64{{1, 2}, {3, 1}}, [2]int{0, 1}
	var vw [2][2]float64
	var vb [2]float64
	var losses []string
	rows := func(m [2][2]float64) string {
		return fmt.Sprintf("[%.6f, %.6f], [%.6f, %.6f]", m[0][0], m[0][1], m[1][0], m[1][1])
	}
	var first string
	for step := range 3 {
		var loss float64
		var gw [2][2]float64
		var gb [2]float64
		for i := range 2 {
			var z [2]float64
			for u := range 2 {
				z[u] = w[u][0]*x[i][0] + w[u][1]*x[i][1] + b[u]
			}
			total := math.Exp(z[0]) + math.Exp(z[1])
			loss += (math.Log(total) - z[y[i]]) / 2
			for u := range 2 {
				d := math.Exp(z[u]) / total / 2
				if u == y[i] {
					d -= 0.5
				}
				gb[u] += d
				for k := range 2 {
					gw[u][k] += d * x[i][k]
				}
			}
		}
		losses = append(losses, fmt.Sprintf("%.6f", loss))
		if step == 0 {
			first = rows(gw)
		}
		for u := range 2 {
			vb[u] = 0.9*vb[u] + gb[u]
			b[u] -= 0.5 * vb[u]
			for k := range 2 {
				vw[u][k] = 0.9*vw[u][k] + gw[u][k]
				w[u][k] -= 0.5 * vw[u][k]
			}
		}
	}
	text := protocolText(t)
	for _, want := range []string{strings.Join(losses, ", "), first, rows(w), fmt.Sprintf("[%.6f, %.6f]", b[0], b[1])} {
		if !strings.Contains(text, want) {
			t.Errorf("PROTOCOL.md does not have %q", want)
		}
	}
}
