package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dlbench/dlbench/backends"
	"github.com/dlbench/dlbench/harness"
	"github.com/dlbench/dlbench/workloads"
)

// ownWorker is a backend that the user brought with --worker.
type ownWorker struct {
	command string // as it was given
	binary  string // "sha256:" + hex of the executable
}

// registerWorkers adds the flags for backends that the catalog does not have and
// for which of all is the baseline.
func (f *suiteFlags) registerWorkers(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.workers, "worker", nil, "a backend of your own, `NAME=CMD`: a worker, or as X@LABEL=PATH another dlbench binary whose X it is; may be repeated")
	cmd.Flags().StringVar(&f.baseline, "baseline", "", "the `BACKEND` that the others are held against, instead of the suite's")
}

// withWorkers adds the backends that the user brought to the site, and to the
// suite those that it does not name. Each is started once and asked who it is.
func (s site) withWorkers(ctx context.Context, texts []string, suite *workloads.Suite) (site, error) {
	s.rows = slices.Clone(s.rows)
	s.workers = map[string]ownWorker{}
	for _, text := range texts {
		name, command, _ := strings.Cut(text, "=")
		entry, own, err := s.worker(ctx, name, command)
		if err != nil {
			return site{}, fmt.Errorf("--worker %s: %w", text, err)
		}
		s.rows = append(s.rows, entry)
		s.workers[name] = own
		if !slices.Contains(suite.Backends, name) {
			suite.Backends = append(suite.Backends, name)
		}
	}
	return s, nil
}

// worker is the entry of one --worker.
func (s site) worker(ctx context.Context, name, command string) (backends.Entry, ownWorker, error) {
	argv, err := splitWords(command)
	switch {
	case err != nil:
		return backends.Entry{}, ownWorker{}, err
	case len(argv) == 0:
		return backends.Entry{}, ownWorker{}, errors.New("expected NAME=CMD, where CMD starts a worker, or X@LABEL=PATH of another dlbench binary")
	}
	if err := workloads.CheckBackendName(name); err != nil {
		return backends.Entry{}, ownWorker{}, err
	}
	plain, label, labelled := strings.Cut(name, "@")
	if i := slices.IndexFunc(s.rows, func(e backends.Entry) bool { return e.Info.Name == name }); i >= 0 {
		return backends.Entry{}, ownWorker{}, fmt.Errorf("there is a backend %s already; hint: name it %s@own%s", name, plain, label)
	}
	entry := backends.Entry{Devices: workloads.Devices}
	if labelled && len(argv) == 1 {
		i := slices.IndexFunc(s.rows, func(e backends.Entry) bool { return e.Info.Name == plain && e.New != nil })
		if i >= 0 {
			entry = s.rows[i]
			argv = append(argv, "worker", plain)
		}
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return backends.Entry{}, ownWorker{}, fmt.Errorf("cannot be started: %w", err)
	}
	if argv[0], err = filepath.Abs(path); err != nil {
		return backends.Entry{}, ownWorker{}, err
	}
	entry.Argv = argv
	info, err := introduced(ctx, entry)
	if err != nil {
		return backends.Entry{}, ownWorker{}, err
	}
	entry.Info = info
	entry.Info.Name = name
	own := ownWorker{command: command}
	own.binary, err = fileHash(argv[0])
	return entry, own, err
}

// introduced starts a worker and asks it who it is.
func introduced(ctx context.Context, e backends.Entry) (backends.Info, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, e.Argv[0], e.Argv[1:]...)
	cmd.Env = harness.Environment(e, 1)
	cmd.WaitDelay = time.Second
	var said lastLine
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		return backends.Info{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return backends.Info{}, err
	}
	if err := cmd.Start(); err != nil {
		return backends.Info{}, fmt.Errorf("cannot be started: %w", err)
	}
	// A child of the worker may hold its standard output for longer than we wait.
	stop := context.AfterFunc(ctx, func() { _ = out.Close() })
	defer stop()
	client := backends.NewClient(out, in)
	hello, err := client.Hello(backends.Hello{Trial: "r0-a0-o0", Threads: 1, Device: workloads.DeviceCPU})
	if err == nil {
		err = client.Bye()
	}
	_ = in.Close()
	if err != nil {
		cancel()
	}
	_ = cmd.Wait() // how it ends is for its trials to tell
	if err != nil {
		return backends.Info{}, fmt.Errorf("does not answer as a worker: %s%s; hint: `dlbench backend check -- %s`", oneLine(err.Error()), said.after(), strings.Join(e.Argv, " "))
	}
	return hello.Info, nil
}

// lastLine keeps the end of what is written to it.
type lastLine struct{ text []byte }

func (l *lastLine) Write(p []byte) (int, error) {
	l.text = append(l.text, p...)
	if len(l.text) > 4096 {
		l.text = l.text[len(l.text)-4096:]
	}
	return len(p), nil
}

// after is the last line in brackets, to stand behind a message.
func (l *lastLine) after() string {
	lines := strings.Split(strings.TrimSpace(string(l.text)), "\n")
	if last := oneLine(lines[len(lines)-1]); last != "" {
		return " (" + last + ")"
	}
	return ""
}

// splitWords splits a command at spaces; what stands in quotes is one word.
func splitWords(command string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quote := false, rune(0)
	for _, r := range command {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, inWord = r, true
		case quote == 0 && (r == ' ' || r == '\t' || r == '\n'):
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote %c is not closed", quote)
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// chooseBaseline replaces the suite's baseline by the user's.
func (f *suiteFlags) chooseBaseline(plan *harness.Plan) error {
	if f.baseline == "" {
		return nil
	}
	var names []string
	for _, e := range plan.Entries() {
		names = append(names, e.Info.Name)
	}
	if !slices.Contains(names, f.baseline) {
		return fmt.Errorf("--baseline %s: it is not among the backends of this run: %s", f.baseline, strings.Join(slices.Compact(names), ", "))
	}
	plan.Suite.Compare.Baseline = f.baseline
	return nil
}
