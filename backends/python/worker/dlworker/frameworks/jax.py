"""JAX: functions of pytrees, gradients by value_and_grad, optimizers of optax.
"jax" compiles the whole step and donates what it replaces; "jax-eager" runs the
same functions without jit, op by op. What 16 bit are is in jax_precision.py.

Sources: docs.jax.dev, "Stateful computations", "Ahead-of-time lowering and
compilation", "Buffer donation"; optax.readthedocs.io, "Getting started".
"""

import jax
import jax.numpy as jnp
import jax.random
import numpy
import optax
from jax import lax

from .. import affinity, loss_scale
from ..errors import Unsupported
from ..model import Model
from .channels_last import Layout
from .jax_ops import OPS, layer, unrolled
from .jax_precision import ROUNDED, TYPES, Rule, ScaledRule, Types

LOSSES_AND_OPTIMIZERS = "softmax-cross-entropy sigmoid-cross-entropy sgd adam".split()
NAMES = {"float64": "f64", "float32": "f32", "bfloat16": "bf16", "float16": "f16"}

# Without jit one time step of an LSTM takes 5 ms of training (some 50 calls of
# 0.1 ms). Programs whose step would take more than a minute are refused.
MAX_EAGER_TIME_STEPS = 12_000

# What a step with jax.checkpoint is compiled with for a CPU. XLA has a barrier
# before what is computed again, but its CPU compiler takes the barriers out
# before the last search for common subexpressions, which then merges all of it
# with the forward pass: the memory that was to be saved stays in use.
RECOMPUTED = {"xla_disable_hlo_passes": "cse_barrier_expander"}


class Network:
    """The program's ops as one pure function."""

    def __init__(self, job, layout, scan, types):
        self.layers = [layer(job, op, layout, scan, types) for op in job.ops]
        # An input of real numbers is an activation like all others.
        self.enter = types.narrow if job.input.kind != "tokens" else lambda x: x
        self.inputs = [op.inputs for op in job.ops]
        self.segments = dict(job.segments)
        readers = {}  # the last op that reads a value
        for op in job.ops:
            readers.update(dict.fromkeys(op.inputs, op.number))
        self.spent = [[j for j in {*op.inputs} if readers[j] == op.number] for op in job.ops]

    def __call__(self, params, buffers, key, x):
        """The logits of x, and the buffers after it."""
        moved, values, i = dict(buffers), {-1: self.enter(x)}, 0
        while i < len(self.layers):
            last = self.segments.get(i)
            if last is None:
                values[i] = self.layers[i](params, moved, key, *(values[j] for j in self.inputs[i]))
                for j in self.spent[i]:
                    del values[j]
            else:
                values[last], moved = self._recomputed(i, last, params, moved, key, values)
                i = last
            i += 1
        return values[len(self.layers) - 1], moved

    def _recomputed(self, first, last, params, moved, key, values):
        @jax.checkpoint
        def segment(params, moved, key, given):
            moved, local = dict(moved), dict(given)
            for i in range(first, last + 1):
                local[i] = self.layers[i](params, moved, key, *(local[j] for j in self.inputs[i]))
            return local[last], moved

        outside = {j for i in range(first, last + 1) for j in self.inputs[i] if j < first}
        return segment(params, moved, key, {j: values[j] for j in outside})


class Jit(Model):
    """A network, its loss and its optimizer, compiled."""

    scan = staticmethod(lax.scan)

    def __init__(self, job, weights, x, y):
        self.job, self.layout, self.types = job, Layout(job), Types(job.precision)
        self.network = Network(job, self.layout, self.scan, self.types)
        self.weights = weights
        if job.training:
            o = job.optimizer
            rule = optax.sgd(o.rate, o.momentum or None) if o.kind == "sgd" else optax.adam(o.rate, o.beta1, o.beta2, o.epsilon)
            self.rule = ScaledRule(rule) if job.precision == "f16-mixed" else Rule(rule)
        wide, loss = self.types.wide, _softmax if job.loss.kind == "softmax-cross-entropy" else _sigmoid
        self.loss_fn = lambda z, y: loss(wide(z), y)
        self.reset()
        scale = self.rule.scale(self.state[2]) if job.training else None
        self.loss_scale = 0.0 if scale is None else float(scale)
        self._data(x, y)
        self.params = sum(w.size for w in self.state[0].values())
        self.accumulated, self.segments = job.accumulate, len(job.segments)
        self.random = any(op.kind == "dropout" and job.rate(op) for op in job.ops)
        self.checked = {}  # functions that only check, compiled at their first use
        if job.training:
            self.step, self.update = self.train, self._compiled(self._update, (*self.state, *self.batch(0)), (0, 1, 2, 3))
        else:
            self.step, self.forward = self.infer, self._compiled(self._logits, (*self.state[:2], self.batch(0)[0]))
        self.dtypes = self._dtypes()
        if job.device == "cuda":
            self.tf32 = jax.config.jax_default_matmul_precision == "tensorfloat32"

    def _compiled(self, f, arguments, donated=()):
        """f, compiled ahead for these arguments."""
        lowered, options = jax.jit(f, donate_argnums=donated).lower(*arguments), dict(ROUNDED) if self.types.half else {}
        if not self.job.segments or self.job.device != "cpu":
            return lowered.compile(options or None)
        compiled = lowered.compile({**options, **RECOMPUTED})
        # Evidence: a segment whose barrier is gone was merged with the forward pass.
        self.segments = len(self.job.segments) - lowered.as_text().count("optimization_barrier") + compiled.as_text().count(" opt-barrier(")
        return compiled

    def _data(self, x, y):
        self.host = self.job.placement == "host"
        real = self.types.statistics if self.host else self.types.params
        x = numpy.array(self.layout.image(x), numpy.int32 if self.job.input.kind == "tokens" else real, order="C")
        y = y.astype(numpy.int32 if self.job.loss.kind == "softmax-cross-entropy" else self.types.statistics)
        self.batches = list(zip(x, y))
        if not self.host:
            self.batches = jax.device_put(self.batches, may_alias=False)

    def batch(self, i):
        """Batch i on the device."""
        return jax.device_put(self.batches[i], may_alias=False) if self.host else self.batches[i]

    def _initial(self):
        """(parameters, buffers) as the job gives them, in JAX's layout."""
        buffers = {p.name for p in self.job.params if p.buffer}
        native = {name: numpy.array(self.layout.native(name, w), self.types.statistics if name in buffers else self.types.params, order="C")
                  for name, w in self.weights.items()}
        return {n: w for n, w in native.items() if n not in buffers}, {n: native[n] for n in buffers}

    def reset(self):
        # What is donated must not be numpy's memory.
        params, buffers = jax.device_put(self._initial(), may_alias=False)
        self.state = (params, buffers)
        if self.job.training:
            self.state += (self.rule.init(params), jax.random.key(0))
        self.last = None

    def _dtypes(self):
        logits = jax.eval_shape(self._logits, *self.state[:2], self.batch(0)[0])
        return {"params": NAMES[next(iter(self.state[0].values())).dtype.name], "activations": NAMES[logits.dtype.name]}

    # The functions of the program. None of them changes anything.

    def _objective(self, params, buffers, key, x, y, scale):
        """The scaled loss; the loss, and the buffers afterwards."""
        logits, buffers = self.network(params, buffers, key, x)
        loss = self.loss_fn(logits, y)
        return loss if scale is None else loss * scale, (loss, buffers)

    def _gradients(self, params, buffers, key, x, y, scale=None):
        """The mean loss, the gradients of the scaled one and the buffers
        afterwards."""
        slope = jax.value_and_grad(self._objective, has_aux=True)
        n = self.job.accumulate
        if n == 1:
            (_, (loss, buffers)), grads = slope(params, buffers, key, x, y, scale)
            return loss, grads, buffers

        def micro(carry, batch):
            total, grads, buffers = carry
            key, x, y = batch
            (_, (loss, buffers)), more = slope(params, buffers, key, x, y, scale)
            return (total + loss / n, jax.tree.map(lambda g, m: g + m / n, grads, more), buffers), None

        zero = (jnp.zeros((), self.types.statistics), jax.tree.map(jnp.zeros_like, params), buffers)
        (loss, grads, buffers), _ = self.scan(micro, zero, (jax.random.split(key, n), *self._micro(x, y)))
        return loss, grads, buffers

    def _micro(self, *batch):
        return [b.reshape(self.job.accumulate, -1, *b.shape[1:]) for b in batch]

    def _update(self, params, buffers, optimizer, key, x, y):
        key, now = jax.random.split(key) if self.random else (key, key)
        loss, grads, buffers = self._gradients(params, buffers, now, x, y, self.rule.scale(optimizer))
        params, optimizer = self.rule.apply(grads, optimizer, params)
        return params, buffers, optimizer, key, loss

    def _logits(self, params, buffers, x):
        key = jax.random.key(0)
        if self.job.accumulate == 1:
            return self.network(params, buffers, key, x)[0]
        logits = self.scan(lambda none, x: (none, self.network(params, buffers, key, x)[0]), None, self._micro(x)[0])[1]
        return logits.reshape(len(x), -1)

    # What the session calls.

    def train(self, i):
        *self.state, self.last = self.update(*self.state, *self.batch(i))

    def infer(self, i):
        x, y = self.batch(i)
        self.last = self.forward(*self.state, x), y

    def sync(self):
        jax.block_until_ready((self.state, self.last))

    def loss(self):
        return float(self.last if self.job.training else self.loss_fn(*self.last))

    def _check(self, f, *arguments):
        """f by jit: compiled at its first use, which no timed build comes to."""
        if f.__name__ not in self.checked:
            self.checked[f.__name__] = self._compiled(f, arguments)
        return self.checked[f.__name__](*arguments)

    def read_logits(self, i):
        return numpy.asarray(self._check(self._logits, *self.state[:2], self.batch(i)[0]), self.types.statistics)

    def read_grads(self, i):
        params, buffers, optimizer, key = self.state

        def gradients(scale):
            scale = None if scale is None else jnp.float32(scale)
            return self._canonical(self._check(self._gradients, params, buffers, key, *self.batch(i), scale)[1])

        scale = self.rule.scale(optimizer)
        return gradients(None) if scale is None else loss_scale.unscaled(gradients, float(scale))

    def read_params(self):
        return self._canonical({**self.state[0], **self.state[1]})

    def _canonical(self, tensors):
        return {name: self.layout.canonical(name, numpy.asarray(t)) for name, t in tensors.items()}

    def device_peaks(self):
        stats = jax.local_devices()[0].memory_stats() if self.job.device == "cuda" else None
        if not stats:
            return None
        return stats["peak_bytes_in_use"], stats.get("peak_pool_bytes", stats["peak_bytes_in_use"])


class Eager(Jit):
    """The same functions, run op by op."""

    scan = staticmethod(unrolled)

    def __init__(self, job, weights, x, y):
        steps = sum(op.shape[0] for op in job.ops if op.kind == "lstm") * job.accumulate
        if steps > MAX_EAGER_TIME_STEPS:
            raise Unsupported("%d time steps of LSTM layers: without jit more than %d would take over a minute per step" % (
                steps, MAX_EAGER_TIME_STEPS))
        super().__init__(job, weights, x, y)

    def _compiled(self, f, _arguments, _donated=()):
        return f

    def _check(self, f, *arguments):
        return f(*arguments)


def _softmax(z, y):
    return optax.softmax_cross_entropy_with_integer_labels(z, y).mean()


def _sigmoid(z, y):
    return optax.sigmoid_binary_cross_entropy(z.squeeze(-1), y).mean()


class JAX:
    """The framework after its import. Nothing here may touch a device: a
    process that shares its import forks after it."""

    def __init__(self, name):
        self.eager = name == "jax-eager"

    def hello(self, threads, device):
        granted = affinity.restrict(threads)  # before XLA makes its pool
        jax.config.update("jax_platforms", device)
        jax.config.update("jax_enable_compilation_cache", False)  # compiling is cold in every process
        versions = {"jax": jax.__version__, "jaxlib": jax.lib.__version__, "optax": optax.__version__, "python": _python()}
        try:
            jax.devices()
        except RuntimeError as e:
            raise Unsupported("device %s: jax %s sees no such device: %s" % (device, jax.__version__, e)) from e
        return {"kind": "eager" if self.eager else "compiled", "versions": versions, "ops": OPS + LOSSES_AND_OPTIMIZERS,
                "precisions": [p for p in TYPES if p != "tf32" or device == "cuda"], "features": ["accumulate", "checkpoint"],
                "threads": affinity.phrase(granted), "effective_threads": granted or _cpus(), "flush_denormals": _flushes()}

    def build(self, job, weights, x, y):
        jax.config.update("jax_enable_x64", job.precision == "f64")
        jax.config.update("jax_default_matmul_precision", {"tf32": "tensorfloat32", "f32": "highest", "f64": "highest"}.get(job.precision, "default"))
        return (Eager if self.eager else Jit)(job, weights, x, y)

    @staticmethod
    def out_of_memory(e):
        return "RESOURCE_EXHAUSTED" in str(e) or "Out of memory" in str(e)


def _python():
    import platform
    return platform.python_version()


def _cpus():
    import os
    return os.cpu_count() or 1


def _flushes():
    """Whether compiled arithmetic on denormals gives 0."""
    return float(jax.jit(lambda a: a * 0.5)(jnp.float32(1e-39))) == 0.0


def load(name):
    return JAX(name)
