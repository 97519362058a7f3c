package gate

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The document describes every key of a policy and no other, in the order of the
// code, and what it shows as a policy is one.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../../../docs/GATE.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	_, table, _ := strings.Cut(doc, "| key | value | without it |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var got []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(table, -1) {
		got = append(got, m[1])
	}
	want := slices.Clone(policyKeys)
	for _, k := range overrideKeys {
		want = append(want, "cells[]."+k)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the table has %q, the code %q", got, want)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(doc, -1)
	if len(blocks) == 0 {
		t.Error("no example of a policy")
	}
	for _, b := range blocks {
		if _, err := ParsePolicy("GATE.md", []byte(b[1])); err != nil {
			t.Errorf("the example is refused: %v", err)
		}
	}
	for _, name := range slices.Concat(factNames(), memoryMetrics()) {
		if !strings.Contains(doc, "`"+name+"`") {
			t.Errorf("%s is not described", name)
		}
	}
	for _, v := range []string{"regressed", "vanished", "missing", "wrong", "flaky", "inconclusive", "improved", "equivalent", "new"} {
		if !regexp.MustCompile("(?m)^\\| .*`" + v + "`").MatchString(doc) {
			t.Errorf("the verdict %s is not described", v)
		}
	}
	for _, code := range []int{CodePass, CodeFail, CodeUndecided, CodeBroken} {
		if !strings.Contains(doc, fmt.Sprintf("\n| %d | ", code)) {
			t.Errorf("the code %d is not described", code)
		}
	}
}

// The templates' policy is one.
func TestTemplatePolicy(t *testing.T) {
	if _, err := LoadPolicy("../../../ci/templates/gate.yaml"); err != nil {
		t.Error(err)
	}
}
