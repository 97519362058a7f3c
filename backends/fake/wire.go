package fake

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/dlbench/dlbench/backends"
)

// session knows which request is being answered, which a backend is not told.
type session struct {
	trial string // of the hello
	kind  string // "run", "build", ...
	phase string // of a run
	learn bool   // a check is asked to count correct answers, or follows one that was
	cuda  bool   // the hello or the build asked for a GPU, of on-gpu
}

// measuring reports whether the request at hand is a measured run.
func (s *session) measuring() bool { return s.kind == "run" && s.phase == "measure" }

// watch passes requests on, line by line, and notes what they are. Lock step
// makes the notes safe: no line is read before the last one is answered.
func (s *session) watch(in io.Reader) *watcher {
	return &watcher{session: s, lines: bufio.NewReader(in)}
}

type watcher struct {
	session *session
	lines   *bufio.Reader
	rewrite func(line []byte) []byte // nil: requests go on as they are
	rest    []byte
}

func (r *watcher) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		line, err := r.lines.ReadBytes('\n')
		if len(line) == 0 {
			return 0, err
		}
		var request struct {
			T, Phase, Trial string
			Correct         bool
		}
		if json.Unmarshal(line, &request) == nil {
			r.session.kind, r.session.phase = request.T, request.Phase
			r.session.learn = request.T == "check" && (request.Correct || r.session.learn)
			if request.T == "hello" {
				r.session.trial = request.Trial
			}
		}
		if r.rewrite != nil {
			line = r.rewrite(line)
		}
		r.rest = line
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// rewriter hands every reply to a fault before it leaves.
type rewriter struct {
	w     *worker
	reply func(*worker, []byte) ([]byte, bool)
}

func (r *rewriter) Write(line []byte) (int, error) {
	if out, send := r.reply(r.w, line); send {
		if _, err := r.w.out.Write(out); err != nil {
			return 0, err
		}
	}
	return len(line), nil
}

// inMeasure rewrites the reply to a measured run and leaves the others.
func inMeasure(rewrite func(*worker, []byte) []byte) func(*worker, []byte) ([]byte, bool) {
	return func(w *worker, line []byte) ([]byte, bool) {
		if w.session.measuring() {
			line = rewrite(w, line)
		}
		return line, true
	}
}

// inLearn rewrites the replies to the checks of a learning curve.
func inLearn(rewrite func(line []byte) []byte) func(*worker, []byte) ([]byte, bool) {
	return func(w *worker, line []byte) ([]byte, bool) {
		if w.session.learn {
			line = rewrite(line)
		}
		return line, true
	}
}

// otherLosses doubles the first loss of a check.
func otherLosses(line []byte) []byte {
	var reply backends.CheckReply
	if json.Unmarshal(line, &reply) != nil || len(reply.Losses) == 0 {
		return line
	}
	reply.Losses[0] *= 2
	out, _ := json.Marshal(reply) // it was JSON a moment ago
	return append(out, '\n')
}

// scaleTime reports num/den of the time that passed, in every run.
func scaleTime(num, den int64) func(*worker, []byte) ([]byte, bool) {
	return func(w *worker, line []byte) ([]byte, bool) {
		var ran backends.Ran
		if w.session.kind != "run" || json.Unmarshal(line, &ran) != nil || ran.T != "ran" {
			return line, true
		}
		ran.WallNS = ran.WallNS * num / den
		ran.CPUNS = ran.CPUNS * num / den
		if ran.SysNS != nil {
			ran.SysNS = new(*ran.SysNS * num / den)
		}
		for i := range ran.BlockNS {
			ran.BlockNS[i] = ran.BlockNS[i] * num / den
		}
		out, _ := json.Marshal(ran) // it was JSON a moment ago
		return append(out, '\n'), true
	}
}

// manySamples keeps the reply and its last sample, and puts 10^7 before it.
func manySamples(_ *worker, line []byte) []byte {
	head, tail, found := strings.Cut(string(line), `"block_ns":[`)
	if !found {
		return line
	}
	return []byte(head + `"block_ns":[` + strings.Repeat("100,", 10_000_000) + tail)
}

// onCPU notes which device a build is for, and asks for the CPU.
func onCPU(w *worker, line []byte) []byte {
	w.session.cuda = w.session.cuda || bytes.Contains(line, []byte(`"device":"cuda"`))
	return bytes.ReplaceAll(line, []byte(`"device":"cuda"`), []byte(`"device":"cpu"`))
}

// What on-gpu says of a device's allocator: 96 MiB handed out, 128 held.
const (
	GPUAllocated = 96 << 20
	GPUReserved  = 128 << 20
)

// deviceMemory adds the peaks of a device's allocator to the replies of runs.
func deviceMemory(w *worker, line []byte) ([]byte, bool) {
	if w.session.kind == "run" && w.session.cuda {
		line = bytes.Replace(line, []byte("{"), fmt.Appendf(nil, `{"device_allocated":%d,"device_reserved":%d,`, GPUAllocated, GPUReserved), 1)
	}
	return line, true
}
