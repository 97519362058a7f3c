package backends_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// canned is a client whose worker has said everything already.
func canned(replies string) *backends.Client {
	return backends.NewClient(strings.NewReader(replies), io.Discard)
}

func TestRepliesThatBreakTheProtocol(t *testing.T) {
	run := func(c *backends.Client) error { _, err := c.Run("measure", 2, 1); return err }
	build := func(c *backends.Client) error { _, err := c.Build(toyJob()); return err }
	hello := func(c *backends.Client) error { _, err := c.Hello(backends.Hello{Threads: 1}); return err }
	check := func(c *backends.Client) error { _, err := c.Check(2, false); return err }
	learn := func(c *backends.Client) error { _, _, err := c.Learn(2, 5); return err }
	// One nanosecond each keeps the numbers below the time that passes here.
	ran := `{"t":"ran","phase":"measure","block_ns":[1,1],"wall_ns":2,"cpu_ns":2,"loss":0.5}`
	for _, tt := range []struct {
		name  string
		call  func(*backends.Client) error
		reply string
		says  string
	}{
		{"NUL bytes", run, "\x00\x00\x00\n", `\x00\x00\x00`},
		{"NUL before JSON", run, "\x00" + ran + "\n", `\x00{`},
		{"half JSON", run, ran[:30] + "\n", "not a JSON object"},
		{"text", run, "Loading model...\n", "Loading model..."},
		{"empty line", run, "\n", "not a JSON object"},
		{"array", run, "[1]\n", "not a JSON object"},
		{"null", run, "null\n", `t ""`},
		{"no t", run, "{}\n", `t ""`},
		{"unknown t", run, `{"t":"dance"}` + "\n", `t "dance"`},
		{"other reply", run, `{"t":"bye"}` + "\n", `want "ran"`},
		{"two replies", run, ran + "\n" + ran + "\n", "more output"},
		{"other phase", run, strings.Replace(ran, "measure", "first", 1) + "\n", "phase"},
		{"few samples", run, strings.Replace(ran, "[1,1]", "[1]", 1) + "\n", "1 samples, want 2"},
		{"many samples", run, strings.Replace(ran, "[1,1]", "[1,1,1]", 1) + "\n", "3 samples, want 2"},
		{"no samples", run, strings.Replace(ran, "[1,1]", "null", 1) + "\n", "block_ns is missing"},
		{"no loss", run, strings.Replace(ran, `,"loss":0.5`, "", 1) + "\n", "loss is missing"},
		{"null loss", run, strings.Replace(ran, `0.5`, "null", 1) + "\n", "loss is missing"},
		{"NaN", run, strings.Replace(ran, `0.5`, "NaN", 1) + "\n", "not a JSON object"},
		{"infinite", run, strings.Replace(ran, `0.5`, "1e999", 1) + "\n", "loss"},
		{"zero sample", run, strings.Replace(ran, "[1,1]", "[0,2]", 1) + "\n", "block_ns[0] is 0"},
		{"negative sample", run, strings.Replace(ran, "[1,1]", "[-1,2]", 1) + "\n", "block_ns[0] is -1"},
		{"fraction", run, strings.Replace(ran, "[1,1]", "[1.5,1]", 1) + "\n", "block_ns"},
		{"overflow", run, strings.Replace(ran, "[1,1]", "[99999999999999999999,1]", 1) + "\n", "block_ns"},
		{"sum overflows", run, strings.Replace(strings.Replace(ran, "[1,1]", "[9223372036854775807,9223372036854775807]", 1), `"wall_ns":2`, `"wall_ns":9223372036854775807`, 1) + "\n", "adds up to more"},
		{"sum above wall", run, strings.Replace(ran, "[1,1]", "[1,2]", 1) + "\n", "adds up to more than wall_ns"},
		{"no wall", run, strings.Replace(ran, `"wall_ns":2`, `"wall_ns":0`, 1) + "\n", "wall_ns is 0"},
		{"negative cpu", run, strings.Replace(ran, `"cpu_ns":2`, `"cpu_ns":-2`, 1) + "\n", "cpu_ns is -2"},
		{"system above cpu", run, strings.Replace(ran, `"cpu_ns":2`, `"cpu_ns":2,"sys_ns":3`, 1) + "\n", "sys_ns 3"},
		{"compile cache", run, strings.Replace(ran, `"cpu_ns":2`, `"cpu_ns":2,"compile_cache":"tepid"`, 1) + "\n", "tepid"},
		{"negative peak", run, strings.Replace(ran, `"cpu_ns":2`, `"cpu_ns":2,"device_reserved":-1`, 1) + "\n", "device_reserved is -1"},
		{"string", run, strings.Replace(ran, `"wall_ns":2`, `"wall_ns":"2"`, 1) + "\n", "wall_ns"},
		{"torn", run, ran, "ended within"},
		{"error class", run, `{"t":"error","class":"bored","message":"no"}` + "\n", "bored"},
		{"error shape", run, `{"t":"error","class":["oom"]}` + "\n", "class"},
		{"protocol 2", hello, `{"t":"hello","protocol":2,"name":"x","ops":[],"precisions":[],"effective_threads":1}` + "\n", "protocol is 2"},
		{"no name", hello, `{"t":"hello","protocol":1,"name":"","ops":[],"precisions":[],"effective_threads":1}` + "\n", "name is empty"},
		{"no threads", hello, `{"t":"hello","protocol":1,"name":"x","ops":[],"precisions":[],"effective_threads":0}` + "\n", "effective_threads"},
		{"no dtypes", build, `{"t":"built","ns":1,"params":2}` + "\n", "dtypes is missing"},
		{"build in no time", build, `{"t":"built","ns":0,"params":2,"dtypes":{}}` + "\n", "ns is 0"},
		{"negative params", build, `{"t":"built","ns":1,"params":-2,"dtypes":{}}` + "\n", "negative"},
		{"one loss", check, `{"t":"checked","losses":[1],"tensors":{}}` + "\n", "1 losses, want 2"},
		{"one count", learn, `{"t":"checked","losses":[1,1],"tensors":{},"correct":[1]}` + "\n", "correct has 1 counts, want 2"},
		{"more right than there are", learn, `{"t":"checked","losses":[1,1],"tensors":{},"correct":[5,6]}` + "\n", "correct[1] is 6, want 0 to 5"},
		{"fewer right than none", learn, `{"t":"checked","losses":[1,1],"tensors":{},"correct":[-1,0]}` + "\n", "correct[0] is -1"},
		{"half right", learn, `{"t":"checked","losses":[1,1],"tensors":{},"correct":[0.5,0]}` + "\n", "correct"},
		{"one loss of two", learn, `{"t":"checked","losses":[1],"tensors":{},"correct":[1]}` + "\n", "1 losses, want 2"},
		{"negative norm", check, `{"t":"checked","losses":[1,1],"tensors":{"logits":{"norm":-1,"proj":0}}}` + "\n", "norm"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := canned(tt.reply)
			err := tt.call(c)
			var broken *backends.ProtocolError
			if !errors.As(err, &broken) {
				t.Fatalf("err = %v, want a *ProtocolError", err)
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v\nwant it to say %q", err, tt.says)
			}
			if broken.Quote == "" || strings.ContainsFunc(broken.Quote, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("quote %q is empty or not printable", broken.Quote)
			}
			if again := c.Bye(); again != err {
				t.Errorf("a call after it: %v, want the same error", again)
			}
		})
	}
}

func TestGoodRepliesPass(t *testing.T) {
	c := canned(`{"t":"ran","phase":"p","block_ns":[1,1],"wall_ns":2,"cpu_ns":0,"loss":-1e-3,"new-key":{"a":[]}}` + "\n")
	ran, err := c.Run("p", 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	if ran.Loss != -1e-3 {
		t.Errorf("loss = %v", ran.Loss)
	}
}

func TestWorkerErrorKeepsTheSession(t *testing.T) {
	r, w := io.Pipe()
	go func() {
		io.WriteString(w, `{"t":"error","class":"oom","at":"run","message":"8 GiB wanted"}`+"\n")
		io.WriteString(w, `{"t":"bye"}`+"\n")
	}()
	c := backends.NewClient(r, io.Discard)
	_, err := c.Run("measure", 1, 1)
	var refused *backends.WorkerError
	if !errors.As(err, &refused) || refused.Class != "oom" || refused.Error() != "oom: run: 8 GiB wanted" {
		t.Errorf("err = %v", err)
	}
	if err := c.Bye(); err != nil {
		t.Error(err)
	}
}

func TestWorkerIsGone(t *testing.T) {
	if err := canned("").Bye(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("closed output: %v", err)
	}
	r, w := io.Pipe()
	r.Close()
	if err := backends.NewClient(strings.NewReader(""), w).Bye(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("closed input: %v", err)
	}
	// A line torn by the end is both: whoever waits for the process knows more.
	var broken *backends.ProtocolError
	if err := canned(`{"t":"b`).Bye(); !errors.Is(err, io.ErrUnexpectedEOF) || !errors.As(err, &broken) {
		t.Errorf("torn line: %v", err)
	}
}

// repeat yields a start and then its pattern without end, counting what was read.
type repeat struct {
	start, pattern []byte
	read           int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := copy(p, r.start)
	r.start = r.start[n:]
	for n < len(p) {
		n += copy(p[n:], r.pattern)
	}
	r.read += n
	return n, nil
}

// A reply of 10^7 samples is refused after the first MiB of it was read.
func TestHugeLine(t *testing.T) {
	flood := &repeat{start: []byte(`{"t":"ran","phase":"measure","block_ns":[`), pattern: []byte("100,")}
	c := backends.NewClient(flood, io.Discard)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := c.Run("measure", 10_000_000, 1)
	runtime.ReadMemStats(&after)
	var broken *backends.ProtocolError
	if !errors.As(err, &broken) || !strings.Contains(err.Error(), "longer than 1 MiB") {
		t.Fatalf("err = %v", err)
	}
	if len(broken.Quote) > 300 {
		t.Errorf("quote has %d bytes", len(broken.Quote))
	}
	if flood.read > backends.MaxLine+(128<<10) {
		t.Errorf("%d bytes were read, want little more than %d", flood.read, backends.MaxLine)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
		t.Errorf("%d bytes were allocated for it", got)
	}
}

func TestLineLimitIsExact(t *testing.T) {
	frame := `{"t":"bye","pad":""}`
	pad := strings.Repeat("x", backends.MaxLine-len(frame))
	line := strings.Replace(frame, `""`, `"`+pad+`"`, 1)
	if err := canned(line + "\n").Bye(); err != nil {
		t.Errorf("a line of exactly 1 MiB: %v", err)
	}
	if err := canned(" " + line + "\n").Bye(); err == nil {
		t.Error("a line of 1 MiB and one byte passed")
	}
}

// A worker whose clock runs at another speed than ours is caught, in both
// directions; an honest one passes.
func TestClocks(t *testing.T) {
	const real = 60 * time.Millisecond
	for _, tt := range []struct {
		name   string
		blocks [2]time.Duration
		wall   time.Duration
		says   string // "" passes
	}{
		{"honest", [2]time.Duration{real / 2, real / 2}, real, ""},
		{"half", [2]time.Duration{real / 4, real / 4}, real / 2, "harness's clock"},
		{"half in blocks only", [2]time.Duration{real / 4, real / 4}, real, "unaccounted"},
		{"double", [2]time.Duration{real, real}, 2 * real, "harness's clock"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// A busy machine may add its own milliseconds, which tests nothing: the
			// honest case gets three tries, the others must be caught at once.
			var err error
			for range 3 {
				r, w := io.Pipe()
				go func() {
					time.Sleep(real)
					fmt.Fprintf(w, `{"t":"ran","phase":"measure","block_ns":[%d,%d],"wall_ns":%d,"cpu_ns":1,"loss":1}`+"\n",
						tt.blocks[0].Nanoseconds(), tt.blocks[1].Nanoseconds(), tt.wall.Nanoseconds())
				}()
				_, err = backends.NewClient(r, io.Discard).Run("measure", 2, 1)
				if tt.says != "" || err == nil {
					break
				}
			}
			if tt.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var broken *backends.ProtocolError
			if !errors.As(err, &broken) || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("err = %v, want a *ProtocolError with %q", err, tt.says)
			}
			if !strings.Contains(err.Error(), "worker's clock") {
				t.Errorf("%v does not name both clocks", err)
			}
		})
	}
}

func TestBuiltAgainst(t *testing.T) {
	good := func() backends.Built {
		return backends.Built{Params: 2, DTypes: map[string]string{"params": "f32", "activations": "f32"}, Accumulated: 1}
	}
	for _, tt := range []struct {
		name   string
		change func(*backends.Built)
		says   string
	}{
		{"good", func(*backends.Built) {}, ""},
		{"accumulate left out", func(b *backends.Built) { b.Accumulated = 0 }, ""},
		{"second LSTM bias", func(b *backends.Built) { b.Params += 384 }, "386 trainable"},
		{"bf16", func(b *backends.Built) { b.DTypes["activations"] = "bf16" }, "activations"},
		{"no dtype", func(b *backends.Built) { b.DTypes = nil }, "params"},
		{"TF32 off", func(b *backends.Built) { b.TF32 = new(false) }, ""},
		{"TF32 on", func(b *backends.Built) { b.TF32 = new(true) }, "multiplies through TF32"},
		{"segments", func(b *backends.Built) { b.Segments = 1 }, "recomputes 1"},
		{"accumulated", func(b *backends.Built) { b.Accumulated = 2 }, "accumulates 2"},
	} {
		b := good()
		tt.change(&b)
		err := b.Against(toyJob())
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.says)
		}
	}
	job, b := toyJob(), good()
	job.Settings.Precision, b.TF32 = workloads.TF32, new(false)
	if err := b.Against(job); err == nil || !strings.Contains(err.Error(), "does not multiply through TF32") {
		t.Errorf("TF32 asked for and off: %v", err)
	}
}

func FuzzClient(f *testing.F) {
	f.Add([]byte(`{"t":"ran","phase":"measure","block_ns":[1,1],"wall_ns":2,"cpu_ns":2,"loss":0.5}` + "\n"))
	f.Add([]byte(`{"t":"error","class":"oom","message":"x"}` + "\n"))
	f.Add([]byte(`{"t":"checked","losses":[1,2],"tensors":{"logits":{"norm":1,"proj":1}}}` + "\n"))
	f.Add([]byte(`{"t":"checked","losses":[1,2],"tensors":{},"correct":[0,3]}` + "\n"))
	f.Add([]byte(`{"t":"hello","protocol":1,"name":"x","ops":[],"precisions":[],"effective_threads":1}` + "\n"))
	f.Add([]byte("\x00\xff{\"t\":\n"))
	f.Fuzz(func(t *testing.T, reply []byte) {
		for _, call := range []func(*backends.Client) error{
			func(c *backends.Client) error { _, err := c.Hello(backends.Hello{Threads: 1}); return err },
			func(c *backends.Client) error { _, err := c.Build(toyJob()); return err },
			func(c *backends.Client) error { _, err := c.Check(2, false); return err },
			func(c *backends.Client) error {
				digest, correct, err := c.Learn(2, 3)
				if err == nil && (len(digest.Losses) != 2 || correct != nil && (len(correct) != 2 || min(correct[0], correct[1]) < 0 || max(correct[0], correct[1]) > 3)) {
					t.Errorf("accepted %v, %v", digest.Losses, correct)
				}
				return err
			},
			func(c *backends.Client) error {
				ran, err := c.Run("measure", 2, 1)
				if err == nil && (len(ran.BlockNS) != 2 || min(ran.BlockNS[0], ran.BlockNS[1], ran.WallNS) < 1) {
					t.Errorf("accepted %+v", ran)
				}
				return err
			},
			func(c *backends.Client) error { _, err := c.Reset(); return err },
			func(c *backends.Client) error { _, err := c.Fork(); return err },
			(*backends.Client).Last,
			(*backends.Client).Bye,
		} {
			err := call(backends.NewClient(bytes.NewReader(reply), io.Discard))
			var broken *backends.ProtocolError
			var refused *backends.WorkerError
			if err != nil && !errors.As(err, &broken) && !errors.As(err, &refused) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("error of no class: %v", err)
			}
		}
	})
}
