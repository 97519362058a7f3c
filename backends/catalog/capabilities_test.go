package catalog

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dlbench/dlbench/results"
)

// Each file is about an entry of the catalog and lists nothing that the entry does
// not claim, but data on the host, which no hello has a word for; and every entry
// that this binary can serve has one. That these are up to date the compliance
// suite says, where it runs them.
func TestCapabilities(t *testing.T) {
	files, err := capabilityFiles.ReadDir("capabilities")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".json")
		e, err := Find(Entries(), name)
		if err != nil {
			t.Errorf("%s: %v", f.Name(), err)
			continue
		}
		text, err := capabilityFiles.ReadFile("capabilities/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		strict := json.NewDecoder(bytes.NewReader(text))
		strict.DisallowUnknownFields()
		if err := strict.Decode(new(results.Capabilities)); err != nil {
			t.Errorf("%s: %v", f.Name(), err)
		}
		c, ok := Capabilities(name)
		if !ok || f.Name() != CapabilitiesFile(name) {
			t.Errorf("%s is not found", f.Name())
		}
		if _, err := time.Parse(time.DateOnly, c.Date); err != nil || len(c.Versions) == 0 {
			t.Errorf("%s: tested on %q in versions %v", name, c.Date, c.Versions)
		}
		var claimed []string
		for _, p := range e.Info.Precisions {
			claimed = append(claimed, string(p))
		}
		within(t, name+": precisions", c.Precisions, claimed)
		within(t, name+": features", c.Features, append([]string{"host"}, e.Info.Features...))
		within(t, name+": ops", c.Ops, e.Info.Ops)
	}
	for _, e := range Entries() {
		if _, ok := Capabilities(e.Info.Name); e.New != nil && !ok {
			t.Errorf("%s was never tested: scripts/capabilities does it", e.Info.Name)
		}
	}
	if _, ok := Capabilities("nobody"); ok {
		t.Error("nobody can do something")
	}
}

func within(t *testing.T, what string, listed, claimed []string) {
	t.Helper()
	for _, l := range listed {
		if !slices.Contains(claimed, l) {
			t.Errorf("%s: %s is listed, the entry does not claim it", what, l)
		}
	}
	if len(listed) == 0 {
		t.Errorf("%s: none", what)
	}
}
