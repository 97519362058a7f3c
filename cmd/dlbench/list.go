package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/python/environment"
	"github.com/dlbench/dlbench/workloads"
)

func newList() *cobra.Command {
	var asJSON bool
	var envs []string
	cmd := &cobra.Command{
		Use:   "list backends|workloads|suites",
		Short: "List what can run here, and why an entry cannot",
		Long: `List what can run here, and why an entry cannot.

The precisions and features of a backend are those that the compliance suite
(dlbench backend check) saw it have, not those that its worker claims. An entry that
was tested in other versions than are set up here says so.`,
		Example: "  dlbench list backends\n  dlbench list workloads --json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains([]string{"backends", "workloads", "suites"}, args[0]) {
				return fmt.Errorf("list %s: expected one of backends, workloads, suites", strings.Join(args, " "))
			}
			return nil
		},
		ValidArgs: []string{"backends", "workloads", "suites"},
		RunE: func(cmd *cobra.Command, args []string) error {
			var rows [][]string
			switch args[0] {
			case "backends":
				s, err := here(cmd.Context(), envs)
				if err != nil {
					return err
				}
				rows = backendRows(s)
			case "workloads":
				rows = workloadRows()
			case "suites":
				rows = suiteRows()
			}
			return writeRows(cmd, rows, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON, one object per entry")
	registerEnv(cmd, &envs)
	return cmd
}

// The first row of each table holds the names of its columns.

func backendRows(s site) [][]string {
	rows := [][]string{{"backend", "kind", "state", "versions", "devices", "precisions", "features"}}
	for _, e := range s.entries() {
		state := "ready"
		if e.Need != nil {
			if err := e.Need(); err != nil {
				state = err.Error()
			}
		}
		precisions, features := s.shownCapabilities(e)
		rows = append(rows, []string{e.Info.Name, e.Info.Kind, state, versionsOf(s.versions(e)), strings.Join(devices(e), " "), precisions, features})
	}
	return rows
}

// versions of an entry's library: those of a framework are in its environment.
func (s site) versions(e backends.Entry) map[string]string {
	if e.Environment == "" {
		return e.Info.Versions
	}
	r := parsed(e.Environment)
	if own := s.brought(r); own != "" {
		return map[string]string{"in": own}
	}
	state := s.store.Look(r)
	spec, err := environment.Find(r.Name)
	if err != nil || state.Condition != environment.Ready {
		return nil
	}
	return state.Marker.Versions(spec)
}

func devices(e backends.Entry) []string {
	if e.Devices == nil {
		return []string{workloads.DeviceCPU}
	}
	return e.Devices
}

func workloadRows() [][]string {
	rows := [][]string{{"workload", "title", "input", "parameters", "FLOPs per example, forward"}}
	for _, spec := range workloads.Shipped() {
		set := workloads.DefaultSettings()
		set.Mode = workloads.Infer
		p, err := spec.Resolve(set)
		if err != nil {
			rows = append(rows, []string{spec.Workload, spec.Title["en"], err.Error(), "", ""})
			continue
		}
		var params, flops int64
		for _, l := range p.Layers() {
			params += l.Params
			flops += l.FLOPs
		}
		rows = append(rows, []string{spec.Workload, spec.Title["en"], fmt.Sprint(spec.Input.Kind, " ", spec.Input.Shape), fmt.Sprint(params), fmt.Sprint(flops)})
	}
	return rows
}

func suiteRows() [][]string {
	rows := [][]string{{"suite", "title", "backends", "rounds", "limit"}}
	for _, s := range workloads.ShippedSuites() {
		limit := "none"
		if s.Limits.Suite > 0 {
			limit = s.Limits.Suite.String()
		}
		rows = append(rows, []string{s.Name, s.Title["en"], strings.Join(s.Backends, " "), fmt.Sprintf("%d to %d", s.Rounds.Min, s.Rounds.Max), limit})
	}
	return rows
}

// writeRows writes a table, or its rows as JSON.
func writeRows(cmd *cobra.Command, rows [][]string, asJSON bool) error {
	if asJSON {
		return writeJSON(cmd, rows)
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	for i, row := range rows {
		if i == 0 {
			row = upper(row)
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// writeJSON writes one object per row, keyed by the first row.
func writeJSON(cmd *cobra.Command, rows [][]string) error {
	objects := make([]map[string]string, 0, len(rows))
	for _, row := range rows[1:] {
		object := map[string]string{}
		for i, key := range rows[0] {
			object[strings.ReplaceAll(strings.ReplaceAll(key, ",", ""), " ", "_")] = row[i]
		}
		objects = append(objects, object)
	}
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(objects)
}

func versionsOf(versions map[string]string) string {
	var parts []string
	for _, name := range sortedKeys(versions) {
		parts = append(parts, name+" "+versions[name])
	}
	return strings.Join(parts, ", ")
}

func upper(row []string) []string {
	out := make([]string, len(row))
	for i, s := range row {
		out[i] = strings.ToUpper(s)
	}
	return out
}
