package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/backendtest"
	"github.com/dlbench/dlbench/backends/catalog"
	"github.com/dlbench/dlbench/results"
)

// provenOf is what the compliance suite saw an entry do in the versions that it
// has here; nil: these were not tested.
func (s site) provenOf(e backends.Entry) *results.Capabilities {
	c, ok := catalog.Capabilities(e.Info.Name)
	if !ok || !maps.Equal(c.Versions, s.versions(e)) {
		return nil
	}
	return &c
}

// shownCapabilities are the precisions and features of an entry as lists show
// them: proven ones. Of an entry that is not set up they are those of the version
// that would be.
func (s site) shownCapabilities(e backends.Entry) (precisions, features string) {
	c, ok := catalog.Capabilities(e.Info.Name)
	switch here := s.versions(e); {
	case !ok:
		return "not tested", ""
	case len(here) > 0 && !maps.Equal(c.Versions, here):
		return "not tested in this version", ""
	}
	return strings.Join(c.Precisions, " "), strings.Join(c.Features, " ")
}

// writeCapabilities keeps what a whole run of the suite found of an entry, in a
// file of its own in a folder that exists.
func writeCapabilities(dir, name string, r backendtest.Report, versions map[string]string) error {
	if r.Stopped != "" {
		return fmt.Errorf("what %s can do is not written: %s", name, r.Stopped)
	}
	text, err := json.MarshalIndent(r.Capabilities(time.Now().UTC().Format(time.DateOnly), versions), "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, catalog.CapabilitiesFile(name)), append(text, '\n'), 0o644)
}
