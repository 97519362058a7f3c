package environment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// job is one command of a tool.
type job struct {
	argv []string
	dir  string   // working directory: not the user's, where a project may have settings
	lock *os.File // held by the command too, so that nobody clears up under it
	// terminal is where the tool may draw; nil: each of its lines is told instead.
	terminal *os.File
	tell     func(line string)
}

// run starts the command and waits for its end. When ctx ends, the command and
// all that it started are ended. The error is one line with what it said last.
func (j job) run(ctx context.Context) error {
	// A command that dies with its parent is tied to the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, j.argv[0], j.argv[1:]...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = j.dir, environ(), tied()
	cmd.Cancel = func() error { return endGroup(cmd.Process) }
	cmd.WaitDelay = 5 * time.Second
	if j.lock != nil {
		cmd.ExtraFiles = []*os.File{j.lock}
	}
	said := &said{tell: j.tell}
	cmd.Stdout, cmd.Stderr = said, said
	if j.terminal != nil {
		cmd.Stdout, cmd.Stderr = j.terminal, j.terminal
	}
	err := cmd.Run()
	said.end()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s cannot be started: %w", j.argv[0], err)
	}
	why := lastWords(said.lines)
	if why == "" {
		why = "it gave no reason here"
		if j.terminal != nil {
			why = "its message is above"
		}
	}
	return fmt.Errorf("%w: %s", err, why)
}

// said collects what a command writes, line by line, and tells what is of
// interest while it comes.
type said struct {
	tell  func(string)
	part  []byte
	lines []string
}

// keepLines is how many of a command's last lines are kept for its error.
const keepLines = 60

func (s *said) Write(p []byte) (int, error) {
	s.part = append(s.part, p...)
	for {
		i := bytes.IndexAny(s.part, "\n\r")
		if i < 0 {
			return len(p), nil
		}
		s.line(string(s.part[:i]))
		s.part = s.part[i+1:]
	}
}

func (s *said) end() {
	s.line(string(s.part))
	s.part = nil
}

func (s *said) line(text string) {
	text = credentials.ReplaceAllString(strings.TrimRight(text, " \t"), "://")
	if strings.TrimSpace(text) == "" {
		return
	}
	if s.lines = append(s.lines, text); len(s.lines) > keepLines {
		s.lines = s.lines[1:]
	}
	if s.tell != nil && ofInterest(text) {
		text, _, _ = strings.Cut(strings.TrimSpace(text), " (from ") // pip's path of the requirements
		s.tell(text)
	}
}

// credentials of an index in an address.
var credentials = regexp.MustCompile(`://[^/@\s]+@`)

// ofInterest are the lines that show progress: uv's and pip's lists of what was
// already there or was installed in the end are not.
func ofInterest(line string) bool {
	line = strings.TrimSpace(line)
	for _, begin := range []string{"Downloading ", "Downloaded ", "Collecting ", "Using cached ", "Resolved ", "Prepared ", "Installing ", "Installed ", "Bytecode compiled ", "warning:", "WARNING:"} {
		if strings.HasPrefix(line, begin) {
			return true
		}
	}
	return false
}

// maxWords bounds the reason in an error, in bytes.
const maxWords = 600

// lastWords makes one line of the end of a tool's output: from its first line
// that says error, or else its last three lines.
func lastWords(lines []string) string {
	from := max(0, len(lines)-3)
	for i, l := range lines {
		if l := strings.TrimSpace(l); strings.HasPrefix(l, "error:") || strings.HasPrefix(l, "ERROR:") || strings.HasPrefix(l, "×") || strings.HasPrefix(l, "Error:") {
			from = i
			break
		}
	}
	var words []string
	for _, l := range lines[from:] {
		words = append(words, strings.Fields(strings.Map(func(r rune) rune {
			if strings.ContainsRune("×╰─▶│├", r) {
				return ' '
			}
			return r
		}, l))...)
	}
	text := strings.Join(words, " ")
	if len(text) > maxWords {
		text = strings.ToValidUTF8(text[:maxWords], "") + "…"
	}
	return text
}
