// Package environment makes and finds the environments in which frameworks
// run: one folder per framework and version, in the user's cache.
package environment

import (
	"fmt"
	"regexp"
	"strings"
)

// Ref names an environment: a framework, and a version or label where it is not
// the one that this dlbench pins. It is written NAME or NAME@VERSION.
type Ref struct{ Name, Version string }

func (r Ref) String() string {
	if r.Version == "" {
		return r.Name
	}
	return r.Name + "@" + r.Version
}

// Pinned is the environment of the same framework with the pinned versions.
func (r Ref) Pinned() Ref { return Ref{Name: r.Name} }

var (
	refName    = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$`)
	refVersion = regexp.MustCompile(`^[0-9A-Za-z]([0-9A-Za-z._+-]*[0-9A-Za-z])?$`)
	// Readers of Go's benchmark format would cut off such an end of a backend's name.
	gomaxprocs = regexp.MustCompile(`-[0-9]+$`)
)

const maxVersion = 40 // bytes

// ParseRef reads NAME or NAME@VERSION. It says nothing about whether there is
// such a framework or such a version.
func ParseRef(text string) (Ref, error) {
	name, version, versioned := strings.Cut(text, "@")
	switch {
	case !refName.MatchString(name):
		return Ref{}, fmt.Errorf("%q: expected NAME or NAME@VERSION, such as pytorch or pytorch@2.14.0", text)
	case versioned && (!refVersion.MatchString(version) || len(version) > maxVersion):
		return Ref{}, fmt.Errorf("%q: expected at most %d letters, digits and any of . _ + - after the @, such as pytorch@2.14.0", text, maxVersion)
	case gomaxprocs.MatchString(version):
		return Ref{}, fmt.Errorf("%q ends in a hyphen and digits, which readers of Go's benchmark format cut off; write it without the hyphen", text)
	}
	return Ref{Name: name, Version: version}, nil
}
