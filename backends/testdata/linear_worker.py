#!/usr/bin/env python3
"""A dlbench worker for linear models, written from PROTOCOL.md alone.

Standard library only. It claims dense, softmax-cross-entropy, sgd and f32: one
dense layer on vectors, trained or only run forward. Every value that f32
arithmetic would store is rounded to f32; sums are taken in float64.
"""

import gc
import json
import math
import os
import signal
import struct
import sys
import time
import traceback
from array import array

# Standard output carries replies and nothing else (section 1). A worker for a
# real framework does this before it imports the framework.
REPLIES = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

try:
    import resource
except ImportError:  # not on Windows
    resource = None

MAX_LINE = 1 << 20  # bytes of a message without its line feed

HELLO = {
    "t": "hello", "protocol": 1, "name": "linear", "kind": "eager",
    "versions": {"python": "%d.%d.%d" % sys.version_info[:3]},
    "ops": ["dense", "softmax-cross-entropy", "sgd"], "precisions": ["f32"],
    "features": [], "dialect": {}, "threads": "one thread",
    "effective_threads": 1, "flush_denormals": False,
}


class Unsupported(Exception):
    """What this worker cannot do as defined."""


class Failed(Exception):
    """What went wrong."""


# Section 3: every key of the job that this worker knows, and the form below it.
LOOSE = object()
ATTR = dict.fromkeys((
    "units filters kernel stride pad size bias vocab heads causal epsilon momentum rate beta1 beta2 reduction").split(), LOOSE)
OP = {"op": LOOSE, "name": LOOSE, "in": LOOSE, "shape": LOOSE, "attr": ATTR}
JOB = {
    "program": {
        "schema": LOOSE, "name": LOOSE, "hash": LOOSE, "mode": LOOSE, "batch": LOOSE, "accumulate": LOOSE,
        "input": {"kind": LOOSE, "shape": LOOSE, "vocab": LOOSE},
        "data": {"generator": LOOSE, "classes": LOOSE, "batches": LOOSE, "seed": LOOSE},
        "ops": OP, "params": {"name": LOOSE, "shape": LOOSE, "buffer": LOOSE, "center": LOOSE, "bound": LOOSE},
        "loss": OP, "optimizer": OP, "segments": {"first": LOOSE, "last": LOOSE},
        "work": {"examples": LOOSE, "model_flops": LOOSE, "param_bytes": LOOSE, "activation_bytes": LOOSE},
    },
    "settings": dict.fromkeys("mode precision device data batch accumulate threads checkpoint allocator".split(), LOOSE),
    "weights": LOOSE, "batches": LOOSE, "for": LOOSE,
}


def strict(value, form, path):
    """Refuse keys that JOB does not list."""
    if isinstance(value, list):
        for item in value:
            strict(item, form, path)
    elif isinstance(value, dict) and form is not LOOSE:
        for key, item in value.items():
            if key not in form:
                raise Unsupported("unknown key %s.%s" % (path, key))
            strict(item, form[key], path + "." + key)


def safetensors(path):
    """Read a safetensors file: name -> (shape, array)."""
    with open(path, "rb") as f:
        data = f.read()
    (size,) = struct.unpack_from("<Q", data)
    out = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        values = array({"F32": "f", "I32": "i"}[entry["dtype"]])
        values.frombytes(data[8 + size + begin:8 + size + end])
        if sys.byteorder == "big":
            values.byteswap()
        out[name] = (entry["shape"], values)
    return out


def signs(n):
    """Section 10: the first n signs of the fingerprint."""
    mask = (1 << 64) - 1
    for i in range(n):
        z = (i + 1) * 0x9E3779B97F4A7C15 & mask
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
        z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
        z ^= z >> 31
        yield -1.0 if z >> 63 else 1.0


def fingerprint(values):
    norm = math.sqrt(math.fsum(v * v for v in values))
    return {"norm": norm, "proj": math.fsum(s * v for s, v in zip(signs(len(values)), values))}


class Linear:
    """The model: z = W x + b, softmax cross-entropy, sgd with momentum."""

    def __init__(self, job):
        program, settings = job["program"], job["settings"]
        self.training = self.accept(program, settings, job["for"])
        op = program["ops"][0]
        self.batch, self.batches = program["batch"], program["data"]["batches"]
        self.units, self.inputs = op["attr"]["units"], program["input"]["shape"][0]
        weights, batches = safetensors(job["weights"]), safetensors(job["batches"])
        self.names = [op["name"] + ".weight"]
        if op["attr"].get("bias"):
            self.names.append(op["name"] + ".bias")
        self.initial = {name: weights[name][1] for name in self.names}
        if len(self.initial[self.names[0]]) != self.units * self.inputs:
            raise Failed("weight has the shape %s" % weights[self.names[0]][0])
        self.x, self.y = batches["x"][1], batches["y"][1]
        if len(self.x) != self.batches * self.batch * self.inputs:
            raise Failed("x has the shape %s" % batches["x"][0])
        attr = program.get("optimizer", {}).get("attr", {})
        self.rate, self.momentum = attr.get("rate", 0.0), attr.get("momentum", 0.0)
        self.reset()

    @staticmethod
    def accept(program, settings, purpose):
        """Refuse what this worker cannot do; return whether it trains."""
        if program["mode"] not in ("train", "infer"):
            raise Unsupported("mode %s" % program["mode"])
        training = program["mode"] == "train"
        if program["schema"] != 1:
            raise Unsupported("schema %s" % program["schema"])
        if any(program[key] != settings[key] for key in ("mode", "batch", "accumulate")):
            raise Failed("the settings are not those of the program")
        if settings["precision"] != "f32":
            raise Unsupported("precision %s" % settings["precision"])
        if settings["device"] != "cpu":
            raise Unsupported("device %s" % settings["device"])
        if settings["data"] not in ("resident", "host"):
            raise Unsupported("data %s" % settings["data"])
        if settings.get("allocator") not in (None, "", "tuned", "returning"):
            raise Unsupported("allocator %s" % settings["allocator"])
        if not training and program["accumulate"] > 1:
            raise Failed("accumulation without gradients")
        if program["accumulate"] > 1 or settings["checkpoint"] or program.get("segments"):
            raise Unsupported("accumulation and checkpointing")
        if purpose not in ("time", "check", "memory"):
            raise Unsupported("for %s" % purpose)
        ops = program["ops"]
        if len(ops) != 1 or ops[0]["op"] != "dense" or ops[0]["in"] != [-1]:
            raise Unsupported("models other than one dense layer: %s" % ", ".join(op["op"] for op in ops))
        if program["input"]["kind"] != "vector":
            raise Unsupported("input %s" % program["input"]["kind"])
        if program["loss"]["op"] != "softmax-cross-entropy":
            raise Unsupported("loss %s" % program["loss"]["op"])
        if program["loss"]["attr"].get("reduction") != "mean":
            raise Unsupported("reduction %s" % program["loss"]["attr"].get("reduction"))
        if training and program["optimizer"]["op"] != "sgd":
            raise Unsupported("optimizer %s" % program["optimizer"]["op"])
        return training

    def reset(self):
        self.params = {name: array("f", values) for name, values in self.initial.items()}
        self.velocity = {name: array("f", bytes(4 * len(values))) for name, values in self.initial.items()}
        self.loss = 0.0

    def forward(self, number):
        """Logits of a batch, one f32 row per example, and the examples."""
        weight = self.params[self.names[0]]
        bias = self.params[self.names[1]] if len(self.names) > 1 else array("f", bytes(4 * self.units))
        rows = []
        for i in range(number * self.batch, (number + 1) * self.batch):
            x = self.x[i * self.inputs:(i + 1) * self.inputs]
            z = array("f", (
                sum(map(float.__mul__, weight[u * self.inputs:(u + 1) * self.inputs], x)) + bias[u] for u in range(self.units)))
            rows.append((x, z, self.y[i]))
        return rows

    def gradients(self, number, rows):
        """Mean loss of a batch and its gradients."""
        losses = array("f")
        weight = [0.0] * (self.units * self.inputs)
        bias = [0.0] * self.units
        for x, z, label in rows:
            top = max(z)
            powers = array("f", (math.exp(v - top) for v in z))
            total = sum(powers)
            losses.append(math.log(total) + top - z[label])
            for u in range(self.units):
                d = (powers[u] / total - (u == label)) / self.batch
                bias[u] += d
                at = u * self.inputs
                for k, v in enumerate(x):
                    weight[at + k] += d * v
        return sum(losses) / self.batch, dict(zip(self.names, (array("f", weight), array("f", bias))))

    def correct(self, number):
        """Examples of a batch whose largest logit is their label's: the first of equal ones counts."""
        return sum(max(range(self.units), key=z.__getitem__) == label for _, z, label in self.forward(number))

    def step(self, number):
        loss, grads = self.gradients(number, self.forward(number)) if self.training else (None, None)
        if not self.training:
            loss = self.mean_loss(self.forward(number))
        else:
            for name, g in grads.items():
                v = array("f", (self.momentum * a + b for a, b in zip(self.velocity[name], g)))
                self.velocity[name] = v
                self.params[name] = array("f", (p - self.rate * a for p, a in zip(self.params[name], v)))
        self.loss = loss

    def mean_loss(self, rows):
        losses = array("f")
        for _, z, label in rows:
            top = max(z)
            losses.append(math.log(sum(math.exp(v - top) for v in z)) + top - z[label])
        return sum(losses) / self.batch


def usage():
    if resource is None:
        return (time.process_time_ns(), 0, 0, 0, 0)
    r = resource.getrusage(resource.RUSAGE_SELF)
    system = int(r.ru_stime * 1e9)
    return (int(r.ru_utime * 1e9) + system, system, r.ru_minflt, r.ru_nvcsw, r.ru_nivcsw)


def integer(request, key, low, high):
    value = request.get(key)
    if type(value) is not int or not low <= value <= high:
        raise Failed("%s is %r, want %d to %d" % (key, value, low, high))
    return value


class Session:
    """Sections 2, 7 and 11: one method per request."""

    def __init__(self):
        self.greeted, self.model, self.purpose, self.count = False, None, "", 0

    def hello(self, request):
        if self.greeted:
            raise Failed("this session has begun already")
        if request.get("protocol") != 1:
            raise Unsupported("protocol %s" % request.get("protocol"))
        integer(request, "threads", 1, 1 << 20)
        self.greeted = True
        return HELLO

    def build(self, request):
        if self.model is not None:
            raise Failed("this session has built a program already")
        start = time.perf_counter_ns()
        job = request.get("job")
        if not isinstance(job, dict):
            raise Failed("build has no job")
        strict(job, JOB, "job")
        self.model, self.purpose, self.count = Linear(job), job["for"], 0
        held = sum(len(values) for values in self.model.params.values())
        codes = {values.typecode for values in self.model.params.values()}
        dtype = "f32" if codes == {"f"} else "?"
        return {"t": "built", "ns": time.perf_counter_ns() - start, "params": held,
                "dtypes": {"params": dtype, "activations": dtype}, "segments": 0, "accumulated": 1}

    def check(self, request):
        model, steps = self.model, integer(request, "steps", 1, 16384)
        grads = request.get("grads", False)
        if grads and not (model.training and self.purpose == "check"):
            raise Failed('gradients need a training program built for "check"')
        if self.count:
            model.reset()
        rows = model.forward(0)
        tensors = {"logits": fingerprint([v for _, z, _ in rows for v in z])}
        if grads:
            for name, g in model.gradients(0, rows)[1].items():
                tensors["grad/" + name] = fingerprint(g)
        losses, correct = [], []
        for s in range(steps):
            if request.get("correct"):
                correct.append(model.correct(s % model.batches))
            model.step(s % model.batches)
            losses.append(model.loss)
        self.count = steps
        if model.training:
            for name, p in model.params.items():
                tensors["param/" + name] = fingerprint(p)
        reply = {"t": "checked", "losses": losses, "tensors": tensors}
        return {**reply, "correct": correct} if request.get("correct") else reply

    def run(self, request):
        model = self.model
        blocks, per_block = integer(request, "blocks", 1, 16384), integer(request, "per_block", 1, 131072)
        clock, step, batches, s = time.perf_counter_ns, model.step, model.batches, self.count
        edges = array("q", bytes(8 * (blocks + 1)))
        before = usage()
        edges[0] = clock()
        for i in range(1, blocks + 1):
            for _ in range(per_block):
                step(s % batches)
                s += 1
            edges[i] = clock()
        after = usage()
        self.count = s
        cpu, system, faults, voluntary, involuntary = (b - a for a, b in zip(before, after))
        return {"t": "ran", "phase": request.get("phase"), "block_ns": [edges[i + 1] - edges[i] for i in range(blocks)],
                "wall_ns": edges[blocks] - edges[0], "cpu_ns": cpu, "sys_ns": system, "minor_faults": faults,
                "voluntary_switches": voluntary, "involuntary_switches": involuntary, "gc_ns": 0, "loss": model.loss}

    def reset(self, request):
        start = time.perf_counter_ns()
        self.model.reset()
        self.count = 0
        return {"t": "reset", "ns": time.perf_counter_ns() - start}

    def answer(self, request):
        kind = request.get("t") if isinstance(request, dict) else None
        if kind not in ("hello", "build", "check", "run", "reset"):
            raise Failed("unknown request %r" % (kind,))
        if kind != "hello" and not self.greeted:
            raise Failed("hello must come first")
        if kind not in ("hello", "build") and self.model is None:
            raise Failed("nothing was built yet")
        return getattr(self, kind)(request)


def reply(message):
    REPLIES.write(json.dumps(message, allow_nan=False) + "\n")
    REPLIES.flush()


def fork():
    """Section 2: a child for one session. Returns True in the child, and in the
    parent False when the child has ended."""
    pid = os.fork()
    if pid == 0:
        reply({"t": "forked", "pid": os.getpid()})
        return True
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        how = "signal %s" % signal.Signals(-status).name if status < 0 else "status %d" % status
        reply({"t": "error", "class": "failed", "at": "fork", "message": "the forked worker ended with " + how})
    return False


def main():
    gc.disable()  # reference counting frees everything here
    session, may_fork, has_forked = Session(), hasattr(os, "fork"), False
    # A worker for a real framework that forks imports it before it does.
    for line in sys.stdin.buffer:
        at = "request"
        try:
            if len(line) > MAX_LINE + 1:
                raise Failed("a request of %d bytes" % len(line))
            request = json.loads(line)
            at = str(request.get("t")) if isinstance(request, dict) else at
            if at == "bye":
                reply({"t": "bye"})
                return 0
            if at == "fork" and may_fork and not session.greeted:
                has_forked = may_fork = not fork()
                continue
            reply(session.answer(request))
        except Unsupported as e:
            reply({"t": "error", "class": "unsupported", "at": at, "message": str(e)})
        except MemoryError as e:
            reply({"t": "error", "class": "oom", "at": at, "message": str(e)})
        except Exception as e:  # section 12: nothing of it may end the process
            traceback.print_exc()
            reply({"t": "error", "class": "failed", "at": at, "message": "%s: %s" % (type(e).__name__, e)})
    return 0 if has_forked else 1


if __name__ == "__main__":
    sys.exit(main())
