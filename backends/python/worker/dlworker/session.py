"""The protocol's worker end and the one timing loop of all Python frameworks
(PROTOCOL.md, sections 1, 2, 7, 10, 11, 12)."""

import gc
import json
import math
import os
import signal
import sys
import time
import traceback

from . import frameworks
from .errors import Failed, Unsupported

MAX_LINE = 1 << 20  # bytes of a message without its line feed
PROTOCOL = 1


def _integer(request, key, low, high):
    value = request.get(key)
    if type(value) is not int or not low <= value <= high:
        raise Failed("%s is %r, want %d to %d" % (key, value, low, high))
    return value


def _flag(request, key):
    value = request.get(key, False)
    if value not in (False, True):
        raise Failed("%s is %r, want true or false" % (key, value))
    return value


class TooLong(Failed):
    """A request of more than MAX_LINE bytes: its rest is still in the pipe."""


class Session:
    """One method per request. The framework is imported by load."""

    def __init__(self, name, entry):
        self.name, self.entry = name, entry
        self.framework = None
        self.claims, self.model, self.job, self.count = None, None, None, 0

    def load(self):
        """Import the framework, with all that its first step would import."""
        if self.framework is None:
            self.framework = self.entry.load(self.name)

    def share(self):
        """Load, and let the framework start what its forks will share."""
        if self.framework is None:
            self.load()
            getattr(self.framework, "share", lambda: None)()

    def hello(self, request):
        if self.claims is not None:
            raise Failed("this session has begun already")
        if request.get("protocol") != PROTOCOL:
            raise Unsupported("protocol %r, this worker speaks %d" % (request.get("protocol"), PROTOCOL))
        threads, device = _integer(request, "threads", 1, 1 << 20), request.get("device")
        if device not in ("cpu", "cuda"):
            raise Unsupported("device %r, known are cpu and cuda" % (device,))
        self.load()
        from .usage import Collections
        self.collections = Collections()
        self.device = device
        claims = self.framework.hello(threads, device)
        self.claims = {"t": "hello", "protocol": PROTOCOL, "name": self.name, "features": [], "dialect": {}, **claims}
        return self.claims

    def build(self, request):
        from .job import Job
        from .tensors import load
        if self.model is not None:
            raise Failed("this session has built a program already")
        start = time.perf_counter_ns()
        job = Job(request.get("job"), self.claims)
        if job.device != self.device:
            raise Failed("the session was opened for device %s, the job asks for %s" % (self.device, job.device))
        weights, x, y = load(job)
        self.model, self.job, self.count = self.framework.build(job, weights, x, y), job, 0
        del weights, x, y
        # What import and build left behind is not walked by every later
        # collection: they would be pauses of this worker, not of the framework.
        gc.collect()
        gc.freeze()
        built = {"t": "built", "params": self.model.params, "dtypes": self.model.dtypes,
                 "segments": self.model.segments, "accumulated": self.model.accumulated}
        if self.model.tf32 is not None:
            built["tf32"] = self.model.tf32
        if self.model.loss_scale:
            built["loss_scale"] = self.model.loss_scale
        return {**built, "ns": time.perf_counter_ns() - start}

    def check(self, request):
        from .tensors import count_correct, fingerprint, labels_of
        model, steps = self.model, _integer(request, "steps", 1, 16384)
        grads, correct = _flag(request, "grads"), _flag(request, "correct")
        if grads and not (self.job.training and self.job.purpose == "check"):
            raise Failed('gradients need a training program built for "check"')
        if self.count:
            model.reset()
            self.count = 0
        tensors = {"logits": fingerprint(model.read_logits(0))}
        if grads:
            for name, values in model.read_grads(0).items():
                tensors["grad/" + name] = fingerprint(values)
        losses, counts = [], []
        labels = labels_of(self.job) if correct else None
        for s in range(steps):
            if correct:
                counts.append(count_correct(model.read_logits(s % self.job.batches), labels[s % self.job.batches]))
            with model.stepping():
                model.step(s % self.job.batches)
                model.sync()
            self.count = s + 1
            losses.append(_finite(model.loss(), s))
        if self.job.training:
            for name, values in model.read_params().items():
                tensors["param/" + name] = fingerprint(values)
        for name, print_ in tensors.items():
            if not all(map(math.isfinite, print_.values())):
                raise Failed("%s is not finite" % name)
        return {"t": "checked", "losses": losses, "tensors": tensors, **({"correct": counts} if correct else {})}

    def run(self, request):
        from . import usage
        blocks, per_block = _integer(request, "blocks", 1, 16384), _integer(request, "per_block", 1, 131072)
        model, batches, s = self.model, self.job.batches, self.count
        clock, step, sync = time.perf_counter_ns, model.step, model.sync
        edges = [0] * (blocks + 1)
        steps = range(per_block)
        sync()
        model.compile_cache()  # what a check compiled is not of these steps
        collected = self.collections.ns
        with model.stepping():
            before = usage.read()
            edges[0] = clock()
            for block in range(1, blocks + 1):
                for _ in steps:
                    step(s % batches)
                    s += 1
                sync()
                edges[block] = clock()
            after = usage.read()
        collected = self.collections.ns - collected
        self.count = s
        cpu, system, faults, voluntary, involuntary = (b - a for a, b in zip(before, after))
        reply = {"t": "ran", "phase": request.get("phase"), "wall_ns": edges[blocks] - edges[0],
                 "block_ns": [max(1, edges[i + 1] - edges[i]) for i in range(blocks)],
                 "cpu_ns": cpu, "sys_ns": system, "minor_faults": faults, "voluntary_switches": voluntary,
                 "involuntary_switches": involuntary, "gc_ns": collected, "loss": _finite(model.loss(), s - 1)}
        cache = model.compile_cache()
        if cache:
            reply["compile_cache"] = cache
        peaks = model.device_peaks() if self.job.purpose == "memory" else None
        for key, peak in zip(("device_allocated", "device_reserved"), peaks or ()):
            if peak is not None:
                reply[key] = peak
        return reply

    def reset(self, _request):
        start = time.perf_counter_ns()
        self.model.reset()
        self.model.sync()
        self.count = 0
        return {"t": "reset", "ns": max(1, time.perf_counter_ns() - start)}

    def answer(self, request):
        kind = request.get("t") if isinstance(request, dict) else None
        if kind not in ("hello", "build", "check", "run", "reset"):
            raise Failed("unknown request %r" % (kind,))
        if kind != "hello" and self.claims is None:
            raise Failed("hello must come first")
        if kind not in ("hello", "build") and self.model is None:
            raise Failed("nothing was built yet")
        return getattr(self, kind)(request)


def _finite(loss, step):
    if not math.isfinite(loss):
        raise Failed("the loss of step %d is %r" % (step, loss))
    return loss


def _first_line(e):
    """An exception in one line, with the class where the message alone says little."""
    text = " ".join(str(e).split())
    if not isinstance(e, (Failed, Unsupported)):
        text = "%s: %s" % (type(e).__name__, text)
    return text[:400]


class Replies:
    """The private copy of standard output. Descriptor 1 now leads to standard
    error, because frameworks print."""

    def __init__(self):
        self._out = os.fdopen(os.dup(1), "wb", buffering=0)  # not inheritable
        os.dup2(2, 1)

    def write(self, message):
        try:
            line = json.dumps(message, allow_nan=False)
        except ValueError as e:
            line = json.dumps({"t": "error", "class": "failed", "at": str(message.get("t")), "message": "the reply holds a number that is not finite: %s" % e})
        data = memoryview(line.encode() + b"\n")
        while data:
            data = data[self._out.write(data):]

    def error(self, kind, at, e):
        self.write({"t": "error", "class": kind, "at": at, "message": _first_line(e)})


def _reject(constant):
    raise ValueError("%s is no JSON number" % constant)


def _read(stdin):
    """The next request, None at the end of input."""
    line = stdin.readline(MAX_LINE + 2)
    if not line:
        return None
    if len(line.rstrip(b"\n")) > MAX_LINE:
        raise TooLong("a request of more than %d bytes" % MAX_LINE)
    try:
        return json.loads(line.decode("utf-8"), parse_constant=_reject)
    except (ValueError, RecursionError) as e:
        raise Failed("the request cannot be read: %s" % e) from e


def _serve(session, stdin, replies, forkable):
    """Answer requests until bye or the end of input; return the exit status."""
    while True:
        at, request = "request", None
        try:
            request = _read(stdin)
            if request is None:
                return 0 if forkable == "forked" else 1
            if isinstance(request, dict) and isinstance(request.get("t"), str):
                at = request["t"]
            if at == "bye":
                replies.write({"t": "bye"})
                return 0
            if at == "fork":
                if not forkable:
                    raise Failed("fork must come before hello")
                session.share()
                if _fork(replies) == 0:
                    return _serve(session, stdin, replies, "")
                forkable = "forked"
                continue
            replies.write(session.answer(request))
            forkable = ""
        except Unsupported as e:
            replies.error("unsupported", at, e)
        except Failed as e:
            replies.error("failed", at, e)
            if isinstance(e, TooLong):
                return 1
        except Exception as e:  # section 12: nothing of it may end the process
            traceback.print_exc()
            sys.stderr.flush()
            out_of_memory = isinstance(e, MemoryError) or (session.framework is not None and session.framework.out_of_memory(e))
            replies.error("oom" if out_of_memory else "failed", at, e)


def _fork(replies):
    """Fork a worker that goes on in this process's place. Returns 0 in the
    child, and in the parent when the child has ended."""
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        replies.write({"t": "forked", "pid": os.getpid()})
        return 0
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code:
        how = "signal %s" % signal.Signals(-code).name if code < 0 else "status %d" % code
        replies.error("failed", "fork", Failed("the forked worker ended with %s" % how))
    return pid


def main(argv):
    """Serve the framework named by argv; the exit status."""
    replies = Replies()  # before anything of a framework is loaded
    if len(argv) != 1 or argv[0] not in frameworks.TABLE:
        print("usage: worker.py NAME, one of %s" % ", ".join(frameworks.TABLE), file=sys.stderr)
        return 2
    session = Session(argv[0], frameworks.TABLE[argv[0]])
    try:
        code = _serve(session, sys.stdin.buffer, replies, "yes")
    except BrokenPipeError:
        code = 1  # the harness is gone
    sys.stderr.flush()
    # Frameworks have exit handlers that wait for threads which a fork left
    # behind; nothing of theirs is needed any more.
    os._exit(code)
