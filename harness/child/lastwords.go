package child

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// wordsCap is how many bytes of a worker's last words a reason holds.
const wordsCap = 300

// lastWords is the line of a worker's stderr that says why it ended, without
// control characters and cut to wordsCap: the exception of the last traceback,
// a crash that Python's faulthandler reports with its place, what C++ terminated
// for or Go panicked with, whichever came last; else the last line that is not
// part of a stack. Empty where nothing was written.
func lastWords(stderr string) string {
	lines := strings.Split(strings.ToValidUTF8(stderr, "\uFFFD"), "\n")
	words, terminate := "", false // terminate: words are those of C++'s
	for i, line := range lines {
		line = strings.TrimRight(line, "\r")
		switch {
		case traceback.MatchString(line):
			if e := exception(lines[i+1:]); e != "" {
				words, terminate = e, false
			}
		case strings.HasSuffix(line, "Fatal Python error: Aborted"):
			// Who aborts says why first.
			if before := lastLine(lines[:i]); terminate {
			} else if before != "" {
				words = before
			} else {
				words = crash(lines[i:])
			}
		case strings.Contains(line, "Fatal Python error: "):
			words, terminate = crash(lines[i:]), false
		case terminated.MatchString(line), panicked.MatchString(line):
			words, terminate = line, true
		}
	}
	if words = oneLine(words, wordsCap); words == "" {
		words = oneLine(lastLine(lines), wordsCap)
	}
	return words
}

var (
	traceback  = regexp.MustCompile(`^\s*Traceback \(most recent call last\):`)
	terminated = regexp.MustCompile(`^\s*what\(\):\s`)
	panicked   = regexp.MustCompile(`^(panic|fatal error): `)
	frame      = regexp.MustCompile(`^  File "(?:[^"]*[/\\])?([^"/\\]+)", line (\d+) in (.+)$`)
	// stack begins lines that say where, not why.
	stack = regexp.MustCompile(`^(\s|frame #|goroutine \d|Extension modules: |Current thread |Thread 0x|exit status )`)
)

// exception is the line of a traceback that names what was raised: the first
// that is not indented.
func exception(lines []string) string {
	for _, line := range lines {
		if line != "" && !unicode.IsSpace(rune(line[0])) {
			return line
		}
	}
	return ""
}

// crash is the report of a faulthandler with the innermost call of the thread
// that crashed.
func crash(lines []string) string {
	_, words, _ := strings.Cut(lines[0], "Fatal Python error: ")
	words = "Fatal Python error: " + words
	for i, line := range lines {
		if !strings.HasPrefix(line, "Current thread ") || i+1 == len(lines) {
			continue
		}
		if m := frame.FindStringSubmatch(strings.TrimRight(lines[i+1], "\r")); m != nil {
			words += " in " + m[3] + ", " + m[1] + ":" + m[2]
		}
		break
	}
	return words
}

// lastLine is the last line that is neither part of a stack nor blank once it is
// printed, or else the last that is not blank.
func lastLine(lines []string) string {
	last := ""
	for i := len(lines) - 1; i >= 0; i-- {
		switch line := lines[i]; {
		case oneLine(line, wordsCap) == "":
		case !stack.MatchString(line):
			return line
		case last == "":
			last = line
		}
	}
	return last
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;?]*[ -/]*[@-~]")

// oneLine is s in one line of at most limit bytes that can be printed.
func oneLine(s string, limit int) string {
	s = escapes.ReplaceAllString(s, "")
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= limit {
		return s
	}
	end := limit - len("…")
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
