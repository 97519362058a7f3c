package environment

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
)

// Spec is what dlbench knows of a framework's environment before it is made.
type Spec struct {
	Name string
	// Package is the distribution whose version NAME@VERSION means, as the
	// short requirement file names it.
	Package string
	// Modules must be there for the environment to be of any use.
	Modules []string
	// Show are the distributions whose versions stand for the environment.
	Show []string
	// Newest minor version of Python 3 for which all packages have wheels.
	NewestPython int
	Platforms    []string // GOOS/GOARCH
	// Download and Disk are bytes that were measured once; see specs.
	Download, Disk int64
	// Repeats are environments whose packages it holds too: where the tool lets
	// environments share files, it takes little beside them.
	Repeats []string
	Note    string // what a user should know before the download; may be empty
}

// oldestPython is the oldest minor version of Python 3 that the locked
// requirements and the workers are written for.
const oldestPython = 11

var (
	everywhere = []string{"linux/amd64", "linux/arm64", "darwin/arm64"}
	linux      = []string{"linux/amd64", "linux/arm64"}
)

const (
	mb = 1_000_000

	cudaTorch = "on linux/amd64 the package index has PyTorch's CUDA build only, which also runs without a GPU"
)

// specs is the table of all environments.
//
// Figures: linux/amd64, Python 3.11.7, uv 0.13.8 with an empty cache, two cores
// of an AMD EPYC, 2026-11-21, `dlbench setup --all` and `dlbench setup
// tensorflow-cuda jax-cuda`, and `dlbench setup openvino`. Download is the wheels whose size uv told, rounded
// up; Disk is the blocks of all files, compiled Python files included. The five
// others of --all together took 8.5 GB, uv's cache included, since uv links files.
var specs = []Spec{
	{
		Name: "pytorch", Package: "torch", Modules: []string{"torch", "onnx", "onnxscript"}, Show: []string{"torch"},
		NewestPython: 14, Platforms: everywhere, Download: 3280 * mb, Disk: 5790 * mb, Note: cudaTorch,
	},
	{
		Name: "tensorflow", Package: "tensorflow-cpu", Modules: []string{"tensorflow", "keras"}, Show: []string{"tensorflow-cpu", "tensorflow"},
		NewestPython: 13, Platforms: everywhere, Download: 350 * mb, Disk: 1610 * mb,
	},
	{
		Name: "jax", Package: "jax", Modules: []string{"jax", "jaxlib", "optax"}, Show: []string{"jax"},
		NewestPython: 14, Platforms: everywhere, Download: 150 * mb, Disk: 640 * mb,
	},
	{
		Name: "onnxruntime", Package: "onnxruntime", Modules: []string{"onnxruntime"}, Show: []string{"onnxruntime"},
		NewestPython: 14, Platforms: everywhere, Download: 45 * mb, Disk: 155 * mb,
	},
	{
		Name: "openvino", Package: "openvino", Modules: []string{"openvino"}, Show: []string{"openvino"},
		NewestPython: 14, Platforms: everywhere, Download: 80 * mb, Disk: 270 * mb,
	},
	{
		Name: "keras", Package: "keras", Modules: []string{"keras", "tensorflow", "torch", "jax"}, Show: []string{"keras", "tensorflow-cpu", "tensorflow", "torch", "jax"},
		NewestPython: 13, Platforms: everywhere, Download: 3720 * mb, Disk: 7800 * mb, Note: cudaTorch,
		Repeats: []string{"pytorch", "tensorflow", "jax"},
	},
	{
		Name: "tensorflow-cuda", Package: "tensorflow[and-cuda]", Modules: []string{"tensorflow", "keras", "nvidia/cudnn"}, Show: []string{"tensorflow"},
		NewestPython: 13, Platforms: linux, Download: 3460 * mb, Disk: 6660 * mb,
	},
	{
		Name: "jax-cuda", Package: "jax[cuda13]", Modules: []string{"jax", "jaxlib", "optax", "keras", "jax_plugins/xla_cuda13"}, Show: []string{"jax"},
		NewestPython: 14, Platforms: linux, Download: 2650 * mb, Disk: 4770 * mb,
	},
}

// Specs returns the table.
func Specs() []Spec { return slices.Clone(specs) }

// Names lists the environments of the table.
func Names() []string {
	var names []string
	for _, s := range specs {
		names = append(names, s.Name)
	}
	return names
}

// Find returns the spec of the named environment.
func Find(name string) (Spec, error) {
	for _, s := range specs {
		if s.Name == name {
			return s, nil
		}
	}
	return Spec{}, fmt.Errorf("environment %q: there are %s", name, strings.Join(Names(), ", "))
}

// Impossible says why the environment cannot exist on this machine; "" if it can.
func (s Spec) Impossible() string { return s.impossible(runtime.GOOS + "/" + runtime.GOARCH) }

func (s Spec) impossible(platform string) string {
	if slices.Contains(s.Platforms, platform) {
		return ""
	}
	return fmt.Sprintf("%s is packaged for %s, not for %s", s.Package, strings.Join(s.Platforms, ", "), platform)
}

//go:embed requirements
var embedded embed.FS

// Locked holds the requirement files of this binary: NAME.in, what was asked
// for, and NAME.txt, what it was resolved to, with hashes.
func Locked() fs.FS {
	sub, err := fs.Sub(embedded, "requirements")
	if err != nil { // of a folder inside this binary
		panic(err)
	}
	return sub
}

// requirements are the resolved lines for the pinned environment.
func requirements(files fs.FS, name string) ([]byte, error) { return fs.ReadFile(files, name+".txt") }

// requirementsHash names a requirement file's content.
func requirementsHash(text []byte) string {
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// versioned are the requirements of an environment in which the framework has
// another version and everything that dlbench names beside it has its own.
func versioned(files fs.FS, s Spec, version string) ([]string, error) {
	text, err := fs.ReadFile(files, s.Name+".in")
	if err != nil {
		return nil, err
	}
	var lines []string
	replaced := false
	for scan := bufio.NewScanner(bytes.NewReader(text)); scan.Scan(); {
		line := strings.TrimSpace(scan.Text())
		what, marker, marked := strings.Cut(line, " ; ")
		name, _, ok := strings.Cut(what, "==")
		if !ok {
			continue
		}
		if name == s.Package || name == "tensorflow" && s.Package == "tensorflow-cpu" { // where there is no CPU form
			what, replaced = name+"=="+version, true
		}
		if marked {
			what += " ; " + marker
		}
		lines = append(lines, what)
	}
	if !replaced {
		return nil, fmt.Errorf("%s.in does not name %s", s.Name, s.Package)
	}
	return lines, nil
}
