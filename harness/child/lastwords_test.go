package child

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestLastWords(t *testing.T) {
	for name, test := range map[string]struct{ stderr, want string }{
		"nothing": {"", ""},
		"blank":   {"\n \n\r\n", ""},
		"a line":  {"loading\nit broke\n\n", "it broke"},
		"import": {`Traceback (most recent call last):
  File "/w/worker.py", line 14, in <module>
    import torch
ModuleNotFoundError: No module named 'torch'
`, "ModuleNotFoundError: No module named 'torch'"},
		"a message of several lines, after a cause": {`Traceback (most recent call last):
  File "x.py", line 2, in <module>
ModuleNotFoundError: No module named 'a'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "x.py", line 5, in <module>
RuntimeError: line one
line two
  indented
`, "RuntimeError: line one"},
		"segmentation fault": {`2026-11-21 05:00:00.1: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.
Fatal Python error: Segmentation fault

Thread 0x00007f18403c7a00 (most recent call first):
  File "/p/threading.py", line 9 in wait

Current thread 0x00007f18403c7b80 (most recent call first):
  File "/p/lib/torch/nn/modules/conv.py", line 519 in _conv_forward
  File "/tmp/a.py", line 2 in inner

Extension modules: numpy._core._multiarray_umath, numpy.linalg._umath_linalg (total: 2)
`, "Fatal Python error: Segmentation fault in _conv_forward, conv.py:519"},
		"in no Python code": {"Fatal Python error: Bus error\n\nCurrent thread 0x1 (most recent call first):\n  <no Python frame>\n", "Fatal Python error: Bus error"},
		"abort of the C library": {`free(): invalid pointer
Fatal Python error: Aborted

Current thread 0x00007fd3d1a1cb80 (most recent call first):
  File "<string>", line 5 in <module>
`, "free(): invalid pointer"},
		"abort after a traceback that was survived": {"Traceback (most recent call last):\n  File \"a\", line 1\nOSError: no plugin\nmalloc(): corrupted top size\nFatal Python error: Aborted\n", "malloc(): corrupted top size"},
		"abort without a word": {"Fatal Python error: Aborted\n\nCurrent thread 0x1 (most recent call first):\n  File \"<string>\", line 1 in run\n",
			"Fatal Python error: Aborted in run, <string>:1"},
		"C++": {`terminate called after throwing an instance of 'c10::Error'
  what():  [enforce fail at thread.cpp:12] . bad thread
frame #0: c10::ThrowEnforceNotMet + 0x5b (0x7f1 in /p/libc10.so)
frame #1: <unknown function> + 0x1 (0x7f1 in /p/libc10.so)
Fatal Python error: Aborted

Current thread 0x1 (most recent call first):
  File "a.py", line 1 in f
`, "what(): [enforce fail at thread.cpp:12] . bad thread"},
		"Go": {`panic: runtime error: index out of range [3] with length 3

goroutine 1 [running]:
main.main()
	/w/main.go:9 +0x1d
exit status 2
`, "panic: runtime error: index out of range [3] with length 3"},
		"a crash after a traceback that was survived": {"Traceback (most recent call last):\n  File \"a\", line 1\nOSError: no plugin\nFatal Python error: Segmentation fault\n", "Fatal Python error: Segmentation fault"},
		"colours and control characters":              {"\x1b[31mred\x1b[0m\x00 and\tred\a\n", "red and red"},
		"nothing to print in the last line":           {"gone\n\x00", "gone"},
		"no text":                                     {"\xff\xfe\n", "\uFFFD"},
		"a stack alone":                               {"  at f\n  at g\n", "at g"},
		"carriage returns":                            {"Traceback (most recent call last):\r\n  File \"a\", line 1\r\nOSError: gone\r\n", "OSError: gone"},
	} {
		if got := lastWords(test.stderr); got != test.want {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func FuzzLastWords(f *testing.F) {
	f.Add("Traceback (most recent call last):\n")
	f.Add("Fatal Python error: x\nCurrent thread \n")
	f.Add(strings.Repeat("界", 200))
	f.Fuzz(func(t *testing.T, stderr string) {
		got := lastWords(stderr)
		if len(got) > wordsCap || !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q gives %q of %d bytes", stderr, got, len(got))
		}
		if got == "" && strings.ContainsFunc(stderr, func(r rune) bool { return r < 0x7f && r > ' ' && r != '[' }) && !strings.Contains(stderr, "\x1b") {
			t.Errorf("%q gives nothing", stderr)
		}
	})
}
