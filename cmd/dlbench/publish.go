package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/report"
	"github.com/dlbench/dlbench/results"
	"github.com/dlbench/dlbench/results/compare"
)

func newPublish() *cobra.Command {
	var to, base string
	cmd := &cobra.Command{
		Use:   "publish RUN… --to DIR",
		Short: "Put runs on a static site",
		Long: `Write a static site that any web server or pages host can serve, and that opens
from disk: index.html lists the runs, newest first; each run has a folder with its
report.html, report.md, report.csv, report.json and its own run.json and
trials.jsonl, so that dlbench reads it as a run; feed.xml is an Atom feed, index.json
the list for programs.

Publishing into the same folder again adds runs and replaces the folders of those
that are already there in their newer state; it keeps all others. A folder that holds
anything else than these files, such as notes of yours, is not replaced: nothing is
published then, and the error names the file. Files are written whole or not at all,
and the same runs give the same bytes.`,
		Example: `  dlbench publish results/runs/articles-small-… --to site
  dlbench publish results/runs/* --to public --base-url https://example.org/dlbench`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("publish: no run: expected the folder of one, or of several")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if to == "" {
				return errors.New("publish: expected --to with the folder of the site")
			}
			if u, err := url.Parse(base); base != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "") {
				return fmt.Errorf("--base-url %q: expected an address such as https://example.org/dlbench", base)
			}
			return publish(cmd, args, to, base)
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "`folder` of the site")
	cmd.Flags().StringVar(&base, "base-url", "", "`address` of the site, for the links of the feed (default: relative links)")
	return cmd
}

func publish(cmd *cobra.Command, args []string, to, base string) error {
	// All runs are read first: what cannot be read must not leave half a site.
	runs := make([]results.Run, len(args))
	for i, arg := range args {
		var err error
		if runs[i], err = readRun(cmd, arg); err != nil {
			return err
		}
		for j, w := range runs[i].Warnings { // a site does not tell where its runs came from
			runs[i].Warnings[j] = strings.ReplaceAll(w, filepath.Clean(runs[i].Dir)+string(filepath.Separator), "")
		}
	}
	if err := os.MkdirAll(to, 0o777); err != nil {
		return err
	}
	release, err := results.Lock(to)
	if err != nil {
		return err
	}
	defer release()
	site, err := readSite(to)
	if err != nil {
		return err
	}
	analyses := make([]compare.Analysis, len(runs))
	after := report.Site{Runs: slices.Clone(site.Runs)} // as the site will be
	for i, run := range runs {
		analyses[i] = compare.Analyze(run)
		folder := filepath.Join(to, after.Add(report.Describe(run, analyses[i])).Folder)
		if err := checkOurs(folder); err != nil {
			return fmt.Errorf("%s: %w", args[i], err)
		}
	}
	// The index is there before the first run and after each, so that publishing
	// that was interrupted leaves a site that the next one goes on with.
	if err := writeIndex(site, to, base); err != nil {
		return err
	}
	for i, run := range runs {
		if err := cmd.Context().Err(); err != nil {
			return exitError{code: exitInterrupted, err: errors.New("interrupted")}
		}
		p := site.Add(report.Describe(run, analyses[i]))
		if err := publishRun(filepath.Join(to, p.Folder), run, analyses[i]); err != nil {
			return fmt.Errorf("%s: %w", args[i], err)
		}
		if err := writeIndex(site, to, base); err != nil {
			return err
		}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s; open %s\n", to, plural(len(site.Runs), "run"), filepath.Join(to, "index.html"))
	return nil
}

// writeIndex writes what lists the runs of a site.
func writeIndex(site report.Site, to, base string) error {
	for _, f := range []struct {
		name  string
		write func(*bytes.Buffer) error
	}{
		{"index.html", func(b *bytes.Buffer) error { return site.HTML(b) }},
		{"feed.xml", func(b *bytes.Buffer) error { return site.Feed(b, base) }},
		{"index.json", func(b *bytes.Buffer) error { return site.JSON(b) }},
	} {
		var b bytes.Buffer
		if err := f.write(&b); err != nil {
			return err
		}
		if err := replaceFile(filepath.Join(to, f.name), b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// readSite reads the site that is there, if there is one. A folder that holds
// something else is left alone; what a version control system or a pages host
// keeps there begins with a dot and is none of it.
func readSite(dir string) (report.Site, error) {
	path := filepath.Join(dir, "index.json")
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return report.Site{}, err
		}
		for _, e := range entries {
			if name := e.Name(); !strings.HasSuffix(name, unfinished) && !strings.HasPrefix(name, ".") && !slices.Contains(indexFiles, name) {
				return report.Site{}, fmt.Errorf("%s is not empty and holds no site of dlbench (no index.json, but %q); hint: choose a new folder", dir, name)
			}
		}
		return report.Site{}, nil
	}
	if err != nil {
		return report.Site{}, err
	}
	site, err := report.ReadSite(data)
	if err != nil {
		return report.Site{}, fmt.Errorf("%s: not the index of a site of dlbench: %w", path, err)
	}
	return site, nil
}

// readFile reads a regular file.
func readFile(path string) ([]byte, error) {
	f, err := results.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// checkOurs refuses to replace a run's folder with files in it that dlbench did not
// write, because they would be gone.
func checkOurs(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); !slices.Contains(report.SiteFiles, name) || !e.Type().IsRegular() {
			return fmt.Errorf("%s holds %q, which is no file of a published run and would be lost; hint: move it elsewhere", dir, name)
		}
	}
	return nil
}

// indexFiles are what a site that was just begun may hold besides its index.json:
// the lock, and what is written before.
var indexFiles = []string{"lock", "index.html", "feed.xml"}

// unfinished ends the names of folders that were not written to their end.
const unfinished = ".partial"

// publishRun writes a run's folder beside where it belongs, and then puts it there.
func publishRun(dir string, run results.Run, a compare.Analysis) error {
	partial := dir + unfinished
	if err := os.RemoveAll(partial); err != nil {
		return err
	}
	if err := os.MkdirAll(partial, 0o777); err != nil {
		return err
	}
	defer os.RemoveAll(partial)
	for _, name := range report.SiteFiles {
		path := filepath.Join(partial, name)
		if strings.HasPrefix(name, "report.") {
			if err := writeReport(path, run, a); err != nil {
				return err
			}
			continue
		}
		content, err := os.ReadFile(filepath.Join(run.Dir, name))
		if errors.Is(err, fs.ErrNotExist) { // it ended before its first trial
			content, err = nil, nil
		}
		if err != nil {
			return err
		}
		if err := replaceFile(path, content); err != nil {
			return err
		}
	}
	old := dir + ".old" + unfinished
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	defer os.RemoveAll(old)
	if err := os.Rename(partial, dir); err != nil {
		return errors.Join(err, os.Rename(old, dir))
	}
	return nil
}
