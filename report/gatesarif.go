package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/url"
	"path/filepath"

	"github.com/dlbench/dlbench/results/compare"
	"github.com/dlbench/dlbench/results/compare/gate"
)

// sarifRules are the verdicts that a SARIF file may report.
var sarifRules = []struct {
	id   compare.Verdict
	text string
}{
	{compare.Regressed, "The head is worse than the base by at least the minimum effect."},
	{gate.Vanished, "The base has a cell or a figure that the head has no more."},
	{compare.Missing, "One side has nothing to hold against the other."},
	{compare.Wrong, "One side did other work than the oracle says."},
	{compare.Flaky, "One side has failed trials beside valid ones."},
	{compare.Inconclusive, "The trials neither show nor exclude an effect."},
	{gate.New, "The head has it and the base does not."},
	{sarifNothing, "The gate as a whole saw nothing: nothing was compared, or no verdict was possible."},
}

// sarifNothing is the rule of a gate that saw nothing.
const sarifNothing = "undecided"

type (
	sarifText struct {
		Text string `json:"text"`
	}
	sarifRule struct {
		ID    string    `json:"id"`
		Short sarifText `json:"shortDescription"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Kind         string            `json:"kind"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
	}
	sarifLocation struct {
		Physical struct {
			Artifact struct {
				URI string `json:"uri"`
			} `json:"artifactLocation"`
			Region struct {
				StartLine int `json:"startLine"`
			} `json:"region"`
		} `json:"physicalLocation"`
		Logical []sarifLogical `json:"logicalLocations"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifRun struct {
		Tool    sarifTool     `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
)

// GateSARIF writes what a gate found as SARIF 2.1.0: a result per check that
// fails (level error) or is undecided (kind open). Sites show each result as an
// alert, so checks that pass are left out, and a gate that saw nothing is an error
// as a whole: an empty list would be a clean one. All point to o.Location: a
// benchmark has no line of code at fault.
func GateSARIF(w io.Writer, r gate.Result, o GateOptions) error {
	driver := sarifDriver{Name: "dlbench", Version: o.Version}
	index := map[compare.Verdict]int{}
	for i, rule := range sarifRules {
		index[rule.id] = i
		driver.Rules = append(driver.Rules, sarifRule{string(rule.id), sarifText{rule.text}})
	}
	found := []sarifResult{}
	add := func(rule compare.Verdict, id, message string, fails bool) {
		sum := sha256.Sum256([]byte(o.title() + "\x00" + id))
		res := sarifResult{
			RuleID: string(rule), RuleIndex: index[rule], Kind: "fail", Level: "error",
			Message:      sarifText{string(rule) + ": " + message},
			Fingerprints: map[string]string{"dlbenchCheck/v1": hex.EncodeToString(sum[:16])},
		}
		if !fails {
			res.Kind, res.Level = "open", "none" // the standard allows no other level (3.27.10)
		}
		var at sarifLocation
		at.Physical.Artifact.URI = (&url.URL{Path: filepath.ToSlash(o.Location)}).String()
		at.Physical.Region.StartLine = 1
		at.Logical = []sarifLogical{{clean(id, 4000)}}
		res.Locations = []sarifLocation{at}
		found = append(found, res)
	}
	for _, l := range gateLines(r) {
		if l.Fails || l.Outcome == gate.Undecided {
			add(l.Verdict, l.ID(), l.Label+": "+l.Detail, l.Fails)
		}
	}
	if why := r.Nothing(); why != "" {
		add(sarifNothing, "the gate as a whole", plain(line(why)), true)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{
		Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0",
		Runs: []sarifRun{{Tool: sarifTool{driver}, Results: found}},
	})
}
