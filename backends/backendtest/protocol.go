package backendtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

// base is the program that the protocol and state cases use: the first one
// that the worker proved.
func (s *suite) base() (resolved, error) {
	if len(s.passed) == 0 {
		return resolved{}, errors.New("the worker proved no program of the suite: there is nothing to test the protocol with")
	}
	i := slices.IndexFunc(s.passed, func(r resolved) bool { return r.Mode == workloads.Train })
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
	cases := []struct {
		name string
		f    func(c *session) error
	}{
		{"version", func(c *session) error {
			return c.refuse(`{"t":"hello","protocol":99,"trial":"check","threads":1,"device":"cpu"}`, "")
		}},
		{"order", func(c *session) error {
			return errors.Join(c.want(helloLine, "hello"), c.refuse(`{"t":"run","phase":"first","blocks":1,"per_block":1}`, ""),
				c.refuse(`{"t":"check","steps":1}`, ""), c.refuse(`{"t":"reset"}`, ""), c.want(build, "built"), c.refuse(build, ""))
		}},
		{"unknown-request", func(c *session) error {
			return errors.Join(c.want(helloLine, "hello"), c.refuse(`{"t":"dance"}`, ""), c.refuse(`{}`, ""), c.want(build, "built"))
		}},
		{"garbage", func(c *session) error {
			return errors.Join(c.want(helloLine, "hello"), c.refuse(`{"t":"bui`, ""), c.refuse("\x00\x00", ""), c.refuse(`[1]`, ""), c.want(build, "built"))
		}},
		{"unknown-envelope-key", func(c *session) error {
			return errors.Join(c.want(helloLine, "hello"), c.want(strings.Replace(build, `{`, `{"grease":{"a":[1]},`, 1), "built"),
				c.want(`{"t":"check","steps":1,"grease":true}`, "checked"), c.want(`{"t":"run","phase":"grease","blocks":1,"per_block":1,"grease":1e9}`, "ran"),
				c.want(`{"t":"reset","grease":""}`, "reset"))
		}},
		{"counts", func(c *session) error {
			return errors.Join(c.want(helloLine, "hello"), c.want(build, "built"),
				c.refuse(`{"t":"check","steps":0}`, ""), c.refuse(`{"t":"check","steps":16385}`, ""),
				c.refuse(`{"t":"run","phase":"first","blocks":0,"per_block":1}`, ""), c.refuse(`{"t":"run","phase":"first","blocks":1,"per_block":0}`, ""),
				c.refuse(`{"t":"run","phase":"first","blocks":16385,"per_block":1}`, ""), c.refuse(`{"t":"run","phase":"first","blocks":1,"per_block":-1}`, ""))
		}},
		{"gradients-only-in-check", func(c *session) error {
			timed := job
			timed.For = backends.ForTime
			return errors.Join(c.want(helloLine, "hello"), c.want(buildLine(timed, nil), "built"), c.refuse(`{"t":"check","steps":1,"grads":true}`, ""))
		}},
		{"missing-file", func(c *session) error {
			gone := job
			gone.Weights = job.Weights + ".gone"
			return errors.Join(c.want(helloLine, "hello"), c.refuse(buildLine(gone, nil), "failed"))
		}},
		{"bye", func(c *session) error {
			if err := errors.Join(c.want(helloLine, "hello"), c.want(`{"t":"bye"}`, "bye")); err != nil {
				return err
			}
			if c.lines.Scan() {
				return fmt.Errorf("the worker prints %.100q after bye", c.lines.Bytes())
			}
			if err := c.Wait(); err != nil {
				return fmt.Errorf("after bye the worker ended with %w, want status 0", err)
			}
			return nil
		}},
		{"end-of-input", func(c *session) error {
			if err := c.want(helloLine, "hello"); err != nil {
				return err
			}
			c.In.Close()
			begin := time.Now()
			io.Copy(io.Discard, c.Out)
			if err := c.Wait(); err == nil {
				return errors.New("the harness went away without bye and the worker ended with status 0")
			}
			if took := time.Since(begin); took > 5*time.Second {
				return fmt.Errorf("the harness went away and the worker stayed for %v", took)
			}
			return nil
		}},
	}
	for _, tt := range cases {
		s.try("protocol/"+tt.name, func() error { return s.session(s.connect, tt.f) })
	}
	s.strictness(job)
	s.refusals(base, job)
}

// buildLine makes a build request whose job, as JSON, was changed.
func buildLine(job backends.Job, change func(job map[string]any)) string {
	text, _ := json.Marshal(job)
	if change != nil {
		var loose map[string]any
		json.Unmarshal(text, &loose) // it was JSON a moment ago
		change(loose)
		text, _ = json.Marshal(loose)
	}
	return `{"t":"build","job":` + string(text) + `}`
}

// strictness plants keys and values that no worker knows: each must be
// unsupported.
func (s *suite) strictness(job backends.Job) {
	object := func(v any, path ...any) map[string]any {
		for _, step := range path {
			switch at := step.(type) {
			case string:
				v = v.(map[string]any)[at]
			case int:
				v = v.([]any)[at]
			}
		}
		return v.(map[string]any)
	}
	for _, tt := range []struct {
		name   string
		change func(job map[string]any)
	}{
		{"key-in-job", func(j map[string]any) { j["sparsity"] = 0.5 }},
		{"key-in-program", func(j map[string]any) { object(j, "program")["weight_decay"] = 0.1 }},
		{"key-in-settings", func(j map[string]any) { object(j, "settings")["fuse"] = false }},
		{"key-in-op", func(j map[string]any) { object(j, "program", "ops", 0)["tied"] = nil }},
		{"key-in-attr", func(j map[string]any) { object(j, "program", "ops", 0, "attr")["groups"] = 2 }},
		{"key-in-loss", func(j map[string]any) { object(j, "program", "loss", "attr")["smoothing"] = 0.1 }},
		{"key-in-param", func(j map[string]any) { object(j, "program", "params", 0)["frozen"] = true }},
		{"op", func(j map[string]any) { object(j, "program", "ops", 0)["op"] = "fourier" }},
		{"loss", func(j map[string]any) { object(j, "program", "loss")["op"] = "hinge" }},
		{"optimizer", func(j map[string]any) {
			p := object(j, "program")
			if p["mode"] == "infer" {
				p["mode"] = "dream" // an inference program has no optimizer
				return
			}
			object(p, "optimizer")["op"] = "lion"
		}},
		{"mode", func(j map[string]any) {
			object(j, "program")["mode"] = "dream"
			object(j, "settings")["mode"] = "dream"
		}},
		{"purpose", func(j map[string]any) { j["for"] = "fun" }},
		{"precision", func(j map[string]any) { object(j, "settings")["precision"] = "f8" }},
		{"device", func(j map[string]any) { object(j, "settings")["device"] = "abacus" }},
		{"data", func(j map[string]any) { object(j, "settings")["data"] = "tape" }},
	} {
		s.try("protocol/unknown-"+tt.name, func() error {
			return s.session(s.connect, func(c *session) error {
				return errors.Join(c.want(helloLine, "hello"), c.refuse(buildLine(job, tt.change), "unsupported"), c.want(buildLine(job, nil), "built"))
			})
		})
	}
}

// refusals asks for what the worker does not claim.
func (s *suite) refusals(base resolved, job backends.Job) {
	for _, prec := range workloads.Precisions {
		if slices.Contains(s.info.Precisions, prec) {
			continue
		}
		s.try("protocol/refuse-"+string(prec), func() error {
			other := job
			other.Settings.Precision = prec
			return s.session(s.connect, func(c *session) error {
				return errors.Join(c.want(helloLine, "hello"), c.refuse(buildLine(other, nil), "unsupported"))
			})
		})
	}
	for _, r := range s.programs {
		_, features := needs(r.Program, r.settings)
		if s.unclaimed(r) == nil || len(features) > 1 {
			continue
		}
		s.try("protocol/refuse-program-"+r.name, func() error {
			other, err := s.job(r, s.precision(), backends.ForCheck)
			if err != nil {
				return err
			}
			return s.session(s.connect, func(c *session) error {
				return errors.Join(c.want(helloLine, "hello"), c.refuse(buildLine(other, nil), "unsupported"))
			})
		})
	}
}
