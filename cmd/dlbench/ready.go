package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/python"
	"github.com/dlbench/dlbench/backends/python/environment"
)

// lacking says why an entry cannot run here and now: the environments that it
// needs and that are not ready.
type lacking []environment.State

func (l lacking) Error() string {
	var setup []string
	what := string(environment.Absent)
	for _, s := range l {
		if s.Condition == environment.Impossible {
			return "impossible here: " + s.Why
		}
		if s.Why != "" {
			what = string(s.Condition) + ": " + s.Why
		}
		setup = append(setup, s.Ref.String())
	}
	return fmt.Sprintf("%s (run `dlbench setup %s`)", what, strings.Join(setup, " "))
}

// need says what is lacking of the environments; nil if nothing is.
func (s site) need(refs []environment.Ref) error {
	if s.noCache != nil {
		return s.noCache
	}
	var l lacking
	for _, r := range refs {
		if s.brought(r) != "" {
			continue
		}
		if state := s.store.Look(r); state.Condition != environment.Ready {
			l = append(l, state)
		}
	}
	if len(l) > 0 {
		return l
	}
	return nil
}

// ready makes sure that the workers of these entries can be started: it names
// all that cannot with the one command that helps, and writes the files of
// those that are written in Python.
func (s site) ready(chosen []backends.Entry) error {
	var unready, impossible, setup []string
	foreign := false
	for _, e := range chosen {
		foreign = foreign || e.Environment != ""
		if e.Need == nil {
			continue
		}
		err := e.Need()
		var l lacking
		switch {
		case err == nil:
		case !errors.As(err, &l):
			return fmt.Errorf("%s: %w", e.Info.Name, err)
		case slices.ContainsFunc(l, func(s environment.State) bool { return s.Condition == environment.Impossible }):
			impossible = append(impossible, e.Info.Name+" is "+err.Error())
		default:
			unready = append(unready, e.Info.Name)
			for _, state := range l {
				if name := state.Ref.String(); !slices.Contains(setup, name) {
					setup = append(setup, name)
				}
			}
		}
	}
	var problems []string
	if len(unready) > 0 {
		slices.Sort(setup)
		problems = append(problems, fmt.Sprintf("not set up: %s; run `dlbench setup %s`, or choose other backends with --backend", strings.Join(slices.Compact(unready), ", "), strings.Join(setup, " ")))
	}
	if len(impossible) > 0 {
		problems = append(problems, strings.Join(slices.Compact(impossible), "; ")+"; choose other backends with --backend")
	}
	if len(problems) > 0 {
		return errors.New(strings.Join(problems, "; "))
	}
	if !foreign {
		return nil
	}
	_, err := python.Write(s.cache)
	return err
}
