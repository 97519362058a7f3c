package backendtest

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// base is the program that the protocol and state cases use: the first one
// that the worker proved.
func (s *suite) base() (resolved, error) {
	training := func(r resolved) bool { return r.Mode == workloads.Train }
	s.proveSilently(func() bool { return slices.ContainsFunc(s.passed, training) })
	if len(s.passed) == 0 {
		return resolved{}, errors.New("the worker proved no program of the suite: there is nothing to test the protocol with")
	}
	i := slices.IndexFunc(s.passed, training)
	return s.passed[max(i, 0)], nil
}

// precision is what the protocol and state cases use.
func (s *suite) precision() workloads.Precision {
	if slices.Contains(s.info.Precisions, workloads.F32) {
		return workloads.F32
	}
	return s.info.Precisions[0]
}

// protocolCases sends what a Client never would.
func (s *suite) protocolCases(base resolved) {
	job, err := s.job(base, s.precision(), backends.ForCheck)
	if err != nil {
		s.add("protocol/job", err)
		return
	}
	build := buildLine(job, nil)
	const (
		early  = "nothing was built yet"
		limits = "PROTOCOL.md section 2 bounds the value"
	)
	cases := []struct {
		name string
		f    func(c *session) error
	}{
		{"version", func(c *session) error {
			return c.refuse(`{"t":"hello","protocol":99,"trial":"check","threads":1,"device":"cpu"}`, "unsupported", "there is no protocol 99")
		}},
		{"order", func(c *session) error {
			return errors.Join(c.refuse(build, "failed", "hello must come first"),
				c.want(helloLine, "hello"), c.refuse(helloLine, "failed", "it is the second hello"),
				c.refuse(`{"t":"run","phase":"first","blocks":1,"per_block":1}`, "failed", early),
				c.refuse(`{"t":"check","steps":1}`, "failed", early), c.refuse(`{"t":"reset"}`, "failed", early),
				c.want(build, "built"), c.refuse(build, "failed", "a session builds one program"))
		}},
		{"unknown-request", func(c *session) error {
			return errors.Join(c.want(helloLine, "hello"), c.refuse(`{"t":"dance"}`, "failed", "there is no such request"),
				c.refuse(`{}`, "failed", "it has no t"), c.want(build, "built"))
		}},
		{"garbage", func(c *session) error {
			const why = "the line is no JSON object"
			return errors.Join(c.want(helloLine, "hello"), c.refuse(`{"t":"bui`, "failed", why), c.refuse("\x00\x00", "failed", why),
				c.refuse(`[1]`, "failed", why), c.want(build, "built"))
		}},
		{"long-request", func(c *session) error {
			return errors.Join(c.want(helloLine, "hello"), c.want(padded(build, backends.MaxLine), "built"))
		}},
		{"too-long-request", func(c *session) error { return tooLong(c, build) }},
		{"unknown-envelope-key", func(c *session) error {
			return errors.Join(c.want(helloLine, "hello"), c.want(strings.Replace(build, `{`, `{"grease":{"a":[1]},`, 1), "built"),
				c.want(`{"t":"check","steps":1,"grease":true}`, "checked"), c.want(`{"t":"run","phase":"grease","blocks":1,"per_block":1,"grease":1e9}`, "ran"),
				c.want(`{"t":"reset","grease":""}`, "reset"))
		}},
		{"counts", func(c *session) error {
			return errors.Join(c.want(helloLine, "hello"), c.want(build, "built"),
				c.refuse(`{"t":"check","steps":0}`, "failed", limits), c.refuse(`{"t":"check","steps":16385}`, "failed", limits),
				c.refuse(`{"t":"run","phase":"first","blocks":0,"per_block":1}`, "failed", limits), c.refuse(`{"t":"run","phase":"first","blocks":1,"per_block":0}`, "failed", limits),
				c.refuse(`{"t":"run","phase":"first","blocks":16385,"per_block":1}`, "failed", limits), c.refuse(`{"t":"run","phase":"first","blocks":1,"per_block":-1}`, "failed", limits))
		}},
		{"gradients-only-in-check", func(c *session) error {
			timed := job
			timed.For = backends.ForTime
			return errors.Join(c.want(helloLine, "hello"), c.want(buildLine(timed, nil), "built"),
				c.refuse(`{"t":"check","steps":1,"grads":true}`, "failed", `gradients can be read only in a build for "check"`))
		}},
		{"missing-file", func(c *session) error {
			gone := job
			gone.Weights = job.Weights + ".gone"
			return errors.Join(c.want(helloLine, "hello"), c.refuse(buildLine(gone, nil), "failed", "there is no file of weights"), c.want(build, "built"))
		}},
		{"settings-differ", func(c *session) error {
			return errors.Join(c.want(helloLine, "hello"), c.refuse(buildLine(job, func(j map[string]any) {
				j["settings"].(map[string]any)["batch"] = 1 + job.Settings.Batch
			}), "failed", "the batch of the settings is not that of the program"), c.want(build, "built"))
		}},
		{"accumulate-in-inference", func(c *session) error { return s.inferAccumulated(c) }},
		{"loss-not-finite", func(c *session) error { return notFinite(c, job) }},
		{"bye", func(c *session) error { return errors.Join(c.want(helloLine, "hello"), farewell(c)) }},
		{"bye-first", farewell},
		{"end-of-input", func(c *session) error {
			if err := c.want(helloLine, "hello"); err != nil {
				return err
			}
			c.In.Close()
			begin := time.Now()
			io.Copy(io.Discard, c.Out)
			if err := c.Wait(); err == nil {
				return errors.New("want a status other than 0 when the harness goes away without bye, got 0")
			}
			if took := time.Since(begin); took > 5*time.Second {
				return fmt.Errorf("want the worker to end at once when the harness goes away, it stayed for %v", took)
			}
			return nil
		}},
	}
	// Exit status and end of input are those of a process.
	ends := []string{"too-long-request", "bye", "bye-first", "end-of-input"}
	for _, tt := range cases {
		connect := s.connect
		if slices.Contains(ends, tt.name) {
			connect = s.fresh
		}
		s.try("protocol/"+tt.name, func() error { return s.session(connect, tt.f) })
	}
	s.strictness(job)
	s.refusals(job)
}

// farewell says bye, after which nothing may come.
func farewell(c *session) error {
	if err := c.want(`{"t":"bye"}`, "bye"); err != nil {
		return err
	}
	if c.lines.Scan() {
		return fmt.Errorf("want no output after bye, got %.100q", c.lines.Bytes())
	}
	if err := c.Wait(); err != nil {
		return fmt.Errorf("want status 0 after bye, the worker ended with %w", err)
	}
	return nil
}

// padded lengthens a request to size bytes by a key of the envelope, which
// every worker ignores.
func padded(line string, size int) string {
	const key = `{"grease":"",`
	fill := max(0, size-len(line)-len(key)+1)
	return strings.Replace(line, `{`, `{"grease":"`+strings.Repeat("x", fill)+`",`, 1)
}

// tooLong sends a request above the limit: the worker answers with an error,
// or ends, since the harness never sends one.
func tooLong(c *session, build string) error {
	if err := c.want(helloLine, "hello"); err != nil {
		return err
	}
	err := c.refuse(padded(build, backends.MaxLine+1), "failed", "the line has more than 1 MiB")
	if errors.Is(err, io.ErrUnexpectedEOF) {
		if c.Wait() == nil {
			return errors.New("want an error reply, or a status other than 0, because the line has more than 1 MiB; the worker ended with status 0")
		}
		return nil
	}
	return err
}

// notFinite loads parameters that are NaN: JSON cannot say what comes out.
func notFinite(c *session, job backends.Job) error {
	dir, err := os.MkdirTemp("", "dlbench-nan-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	poison := jobMutant{change: func(m *mutation) bool {
		for _, p := range job.Program.Params {
			w := m.weights[p.Name].F32
			for i := range w {
				w[i] = float32(math.NaN())
			}
		}
		return true
	}}
	if _, err := poison.apply(&job, dir); err != nil {
		return err
	}
	const why = "the parameters are NaN, and so is the loss"
	if err := c.want(helloLine, "hello"); err != nil {
		return err
	}
	reply, err := c.raw(buildLine(job, nil))
	if err != nil {
		return err
	}
	if reply["t"] == "error" && reply["class"] == "failed" {
		return nil // it looks at what it loads
	}
	return errors.Join(c.refuse(`{"t":"check","steps":1}`, "failed", why), c.refuse(`{"t":"run","phase":"first","blocks":1,"per_block":1}`, "failed", why),
		c.want(`{"t":"bye"}`, "bye"))
}

// inferAccumulated asks for micro-batches where there are no gradients to accumulate.
func (s *suite) inferAccumulated(c *session) error {
	i := slices.IndexFunc(s.programs, func(r resolved) bool { return r.Mode == workloads.Infer && s.unclaimed(r) == nil })
	if i < 0 {
		return skip{"the worker claims the ops of no inference program"}
	}
	job, err := s.job(s.programs[i], s.precision(), backends.ForCheck)
	if err != nil {
		return err
	}
	job.Program.Accumulate, job.Settings.Accumulate = 2, 2
	return errors.Join(c.want(helloLine, "hello"), c.refuse(buildLine(job, nil), "", "inference has no gradients to accumulate"))
}
