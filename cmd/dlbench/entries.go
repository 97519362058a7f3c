package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/backends/catalog"
	"github.com/dlbench/dlbench/backends/eager"
	"github.com/dlbench/dlbench/backends/fake"
	"github.com/dlbench/dlbench/backends/python"
	"github.com/dlbench/dlbench/workloads"
)

// entries is the catalog, ready to be started: with this machine's paths in
// place, and the fakes where a test asks for them.
func entries() []backends.Entry {
	all := catalog.Entries()
	if os.Getenv(fakesVariable) != "" {
		all = append(all, fake.Entries(eager.Info())...)
	}
	paths := places()
	for i, e := range all {
		all[i] = e.Expand(paths)
		if e.Environment != "" {
			all[i].Need = func() error { return needEnvironment(e.Environment) }
		}
	}
	return all
}

// places are the paths that a catalog entry may name. Without a cache folder
// those in it are left out: whoever needs one says why there is none.
func places() map[string]string {
	paths := map[string]string{"path": os.Getenv("PATH")}
	if self, err := os.Executable(); err == nil {
		paths["self"] = self
	}
	cache, err := workloads.DefaultCache()
	if err != nil {
		return paths
	}
	paths["cache"] = cache.Dir
	paths["python"] = python.Folder(cache.Dir)
	for _, e := range catalog.Entries() {
		if e.Environment != "" {
			paths["env:"+e.Environment] = filepath.Join(cache.Dir, "environments", e.Environment)
		}
	}
	return paths
}

// shortened puts the names of places back for their paths: what a run records
// is the same on every machine.
func shortened(text string, paths map[string]string) string {
	names := slices.DeleteFunc(sortedKeys(paths), func(name string) bool { return paths[name] == "" })
	slices.SortStableFunc(names, func(a, b string) int { return len(paths[b]) - len(paths[a]) })
	for _, name := range names {
		text = strings.ReplaceAll(text, paths[name], "{"+name+"}")
	}
	return text
}

// needEnvironment says why the environment cannot be used, with the remedy.
func needEnvironment(name string) error {
	cache, err := workloads.DefaultCache()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(cache.Dir, "environments", name, "bin", "python")); err != nil {
		return fmt.Errorf("not set up (run `dlbench setup %s`)", name)
	}
	return nil
}

// ready makes sure that the workers of these entries can be started: it names
// all that cannot, and writes the files of those that are written in Python.
func ready(chosen []backends.Entry) error {
	var lacking []string
	foreign := false
	for _, e := range chosen {
		if e.Need != nil {
			if err := e.Need(); err != nil {
				lacking = append(lacking, e.Info.Name+": "+err.Error())
			}
		}
		foreign = foreign || e.Environment != ""
	}
	if len(lacking) > 0 {
		return fmt.Errorf("not all backends can run here: %s", strings.Join(slices.Compact(lacking), "; "))
	}
	if !foreign {
		return nil
	}
	cache, err := workloads.DefaultCache()
	if err != nil {
		return err
	}
	_, err = python.Write(cache.Dir)
	return err
}
