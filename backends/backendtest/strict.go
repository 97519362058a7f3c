package backendtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/workloads"
)

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
	key := func(where, name string) string {
		return fmt.Sprintf("%s has the key %q, which PROTOCOL.md does not define", where, name)
	}
	value := func(what string) string { return "PROTOCOL.md defines no " + what }
	for _, tt := range []struct {
		name   string
		why    string
		change func(job map[string]any)
	}{
		{"key-in-job", key("job", "sparsity"), func(j map[string]any) { j["sparsity"] = 0.5 }},
		{"key-in-program", key("program", "weight_decay"), func(j map[string]any) { object(j, "program")["weight_decay"] = 0.1 }},
		{"key-in-settings", key("settings", "fuse"), func(j map[string]any) { object(j, "settings")["fuse"] = false }},
		{"key-in-input", key("input", "normalize"), func(j map[string]any) { object(j, "program", "input")["normalize"] = true }},
		{"key-in-data", key("data", "shuffle"), func(j map[string]any) { object(j, "program", "data")["shuffle"] = true }},
		{"key-in-work", key("work", "seconds"), func(j map[string]any) { object(j, "program", "work")["seconds"] = 0 }},
		{"key-in-op", key("an op", "tied") + " even as null", func(j map[string]any) { object(j, "program", "ops", 0)["tied"] = nil }},
		{"key-in-attr", key("attr of an op", "groups"), func(j map[string]any) { object(j, "program", "ops", 0, "attr")["groups"] = 2 }},
		{"key-in-loss", key("loss", "weight"), func(j map[string]any) { object(j, "program", "loss")["weight"] = 2 }},
		{"key-in-loss-attr", key("attr of the loss", "smoothing"), func(j map[string]any) { object(j, "program", "loss", "attr")["smoothing"] = 0.1 }},
		{"key-in-optimizer", key("optimizer", "schedule"), func(j map[string]any) { object(j, "program", "optimizer")["schedule"] = "cosine" }},
		{"key-in-optimizer-attr", key("attr of the optimizer", "nesterov"), func(j map[string]any) { object(j, "program", "optimizer", "attr")["nesterov"] = true }},
		{"key-in-param", key("a parameter", "frozen"), func(j map[string]any) { object(j, "program", "params", 0)["frozen"] = true }},
		{"key-in-segment", key("a segment", "offload"), func(j map[string]any) {
			object(j, "program")["segments"] = []any{map[string]any{"first": 0, "last": 0, "offload": true}}
			object(j, "settings")["checkpoint"] = 1
		}},
		{"op", value("op fourier"), func(j map[string]any) { object(j, "program", "ops", 0)["op"] = "fourier" }},
		{"loss", value("loss hinge"), func(j map[string]any) { object(j, "program", "loss")["op"] = "hinge" }},
		{"reduction", value("reduction but mean"), func(j map[string]any) { object(j, "program", "loss", "attr")["reduction"] = "sum" }},
		{"optimizer", value("optimizer lion, and no mode dream"), func(j map[string]any) {
			p := object(j, "program")
			if p["mode"] == "infer" {
				p["mode"] = "dream" // an inference program has no optimizer
				return
			}
			object(p, "optimizer")["op"] = "lion"
		}},
		{"mode", value("mode dream"), func(j map[string]any) {
			object(j, "program")["mode"] = "dream"
			object(j, "settings")["mode"] = "dream"
		}},
		{"schema", value("schema but 1"), func(j map[string]any) { object(j, "program")["schema"] = 2 }},
		{"input", value("kind of input graph"), func(j map[string]any) { object(j, "program", "input")["kind"] = "graph" }},
		{"purpose", value(`purpose "fun"`), func(j map[string]any) { j["for"] = "fun" }},
		{"precision", value("precision f8"), func(j map[string]any) { object(j, "settings")["precision"] = "f8" }},
		{"device", value("device abacus"), func(j map[string]any) { object(j, "settings")["device"] = "abacus" }},
		{"allocator", value("allocator slab"), func(j map[string]any) { object(j, "settings")["allocator"] = "slab" }},
		{"data", value("placement of data tape"), func(j map[string]any) { object(j, "settings")["data"] = "tape" }},
	} {
		s.try("protocol/unknown-"+tt.name, func() error {
			return s.session(s.connect, func(c *session) error {
				return errors.Join(c.want(helloLine, "hello"), c.refuse(buildLine(job, tt.change), "unsupported", tt.why), c.want(buildLine(job, nil), "built"))
			})
		})
	}
}

// refusals asks for what hello does not list.
func (s *suite) refusals(job backends.Job) {
	refuse := func(job backends.Job, what string) error {
		return s.session(s.connect, func(c *session) error {
			return errors.Join(c.want(helloLine, "hello"), c.refuse(buildLine(job, nil), "unsupported", "hello does not list "+what))
		})
	}
	for _, prec := range workloads.Precisions {
		if slices.Contains(s.info.Precisions, prec) {
			continue
		}
		s.try("protocol/refuse-"+string(prec), func() error {
			other := job
			other.Settings.Precision = prec
			return refuse(other, "precision "+string(prec))
		})
	}
	for _, r := range s.programs {
		_, features := needs(r.Program, r.settings)
		missing := s.missing(r)
		if missing == "" || len(features) > 1 {
			continue
		}
		s.try("protocol/refuse-program-"+r.name, func() error {
			other, err := s.job(r, s.precision(), backends.ForCheck)
			if err != nil {
				return err
			}
			return refuse(other, missing)
		})
	}
}
