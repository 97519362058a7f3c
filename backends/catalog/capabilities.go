package catalog

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"

	"github.com/dlbench/dlbench/results"
)

// What the compliance suite saw the entries do, a file each. scripts/capabilities
// makes them.
//
//go:embed capabilities
var capabilityFiles embed.FS

// CapabilitiesFile is the name of the file about an entry.
func CapabilitiesFile(name string) string { return name + ".json" }

// Capabilities is what the compliance suite saw the named entry do, in the
// versions that it names. false: the entry was never tested.
func Capabilities(name string) (results.Capabilities, bool) {
	text, err := capabilityFiles.ReadFile(path.Join("capabilities", CapabilitiesFile(name)))
	if err != nil {
		return results.Capabilities{}, false
	}
	var c results.Capabilities
	if err := json.Unmarshal(text, &c); err != nil { // of a file inside this binary, which a test has read
		panic(fmt.Sprintf("catalog: capabilities of %s: %v", name, err))
	}
	return c, true
}
