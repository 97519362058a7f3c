package main

import (
	"strings"
	"testing"
	"time"

	"github.com/dlbench/dlbench/results"
)

// What goes wrong in the learning curve alone, which proves nothing, costs the
// curve: the cell is proven, timed and has its memory figures.
func TestFaultsInTheCurveCostTheCurve(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault string
		why   string // part of the reason; empty: there is a curve, a short one
	}{
		{"hang-in-learn", "timeout in learn: no answer to 3 steps within "},
		{"sigkill-in-learn", "crashed in learn: killed by SIGKILL"},
		{"alloc-in-learn", "oom in learn: "},
		{"half-json-in-learn", "protocol in learn: "},
		{"other-losses-in-learn", "the curve does not begin like the judged steps"},
		{"slow-in-learn", ""},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			for _, share := range []bool{false, true} {
				began := time.Now()
				out, records, want := outcome{}, []results.Record(nil), 4
				if limits := "limits: {trial: 8s, memory: 1GiB}"; share {
					out, records, _ = shared(t, tt.fault, limits)
					want *= 2 // cells
				} else {
					out, records, _ = planted(t, tt.fault, limits)
				}
				if out.code != exitOK || len(records) != want {
					t.Errorf("shared %v: exit %d, %d records of %d; ends: %s\n%s", share, out.code, len(records), want, ends(records), out.stderr)
				}
				for _, r := range records {
					if r.End != results.EndOK || r.Reason != "" || r.Phase != "" {
						t.Errorf("%s trial ended %s in %q: %s", r.Kind, r.End, r.Phase, r.Reason)
					}
					if r.Kind != results.KindCheck {
						continue
					}
					c := r.Check
					if c == nil || c.Status != "ok" || !strings.HasPrefix(c.CurveWhy, tt.why) || (c.CurveWhy == "") != (tt.why == "") || (c.Curve == nil) != (tt.why != "") {
						t.Errorf("shared %v: check %+v", share, c)
					}
				}
				t.Log(share, time.Since(began))
			}
		})
	}
}
