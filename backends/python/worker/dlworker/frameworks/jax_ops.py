"""The ops of PROTOCOL.md, section 4, as functions of JAX, on images [N, H, W, C].

A layer is a function (params, moved, key, *inputs) -> output. params and moved
are flat dictionaries by the program's names; batch normalisation writes its new
running statistics into moved, which the caller made for this step."""

import jax
import jax.numpy as jnp
import jax.random
from jax import lax

from ..errors import Unsupported

OPS = ("dense conv2d maxpool2d avgpool batchnorm layernorm relu gelu sigmoid flatten embedding lstm attention dropout add "
       "last-step").split()


def unrolled(f, carry, xs):
    """lax.scan as a Python loop. Outside of jit lax.scan compiles its body at
    every call, which takes longer than the loop."""
    ys = []
    for i in range(len(jax.tree.leaves(xs)[0])):
        carry, y = f(carry, jax.tree.map(lambda a: a[i], xs))
        ys.append(y)
    return carry, jax.tree.map(lambda *parts: jnp.stack(parts), *ys)


def layer(job, op, layout, scan, types):
    """The function of an op; scan is lax.scan or unrolled, types a
    jax_precision.Types."""
    name = op.name + "."
    read, plus, wide, narrow = types.read, types.plus, types.wide, types.narrow
    match op.kind:
        case "dense":
            if op.bias:
                return lambda p, m, k, x: plus(x @ read(p[name + "weight"]), p[name + "bias"])
            return lambda p, m, k, x: x @ read(p[name + "weight"])
        case "conv2d":
            return _conv2d(op, name, types)
        case "maxpool2d":
            pool = _max_of_views if job.training else _max_of_windows
            return lambda p, m, k, x: pool(x, op.size, op.stride)
        case "avgpool":
            return lambda p, m, k, x: x.mean((1, 2) if x.ndim == 4 else 1)
        case "batchnorm":
            return _batchnorm(job, op, name, types)
        case "layernorm":
            def layernorm(p, m, k, x):
                x = wide(x)
                return narrow(_normalized(x, x.mean(-1, keepdims=True), x.var(-1, keepdims=True), op.epsilon, p, name))
            return layernorm
        case "relu":
            return lambda p, m, k, x: jax.nn.relu(x)
        case "gelu":
            return lambda p, m, k, x: jax.nn.gelu(x, approximate=False)
        case "sigmoid":
            return lambda p, m, k, x: jax.nn.sigmoid(x)
        case "flatten":
            if op.number in layout.transposed:
                return lambda p, m, k, x: x.transpose(0, 3, 1, 2).reshape(len(x), -1)
            return lambda p, m, k, x: x.reshape(len(x), -1)
        case "embedding":
            # The rows are cast, not the table: what a row that occurs often gets of
            # gradients is a sum.
            return lambda p, m, k, x: narrow(p[name + "weight"][x])
        case "lstm":
            return _lstm(job, op, name, layout.ended(op), scan, types)
        case "attention":
            return _attention(op, name, types)
        case "dropout":
            return _dropout(job.rate(op), op.number)
        case "add":
            return lambda p, m, k, a, b: a + b
        case "last-step":
            return lambda p, m, k, x: x if x.ndim == 2 else x[:, -1]  # an LSTM may have returned that step alone
    raise Unsupported("op %s" % op)


def _conv2d(op, name, types):
    def conv2d(p, m, k, x):
        y = lax.conv_general_dilated(x, types.read(p[name + "weight"]), (op.stride, op.stride), [(op.pad, op.pad)] * 2,
                                     dimension_numbers=("NHWC", "HWIO", "NHWC"))
        return types.plus(y, p[name + "bias"]) if op.bias else y
    return conv2d


def _max_of_windows(x, size, stride):
    """For inference. On CPUs its gradient takes twice as long as all the rest
    of a small CNN (XLA's select-and-scatter)."""
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, stride, stride, 1), "VALID")


def _max_of_views(x, size, stride):
    """For training: the maximum of the size * size views that hold one element
    of every window, in row-major order. Among equal elements the first keeps the
    gradient, where jnp.max would split it; NaN is handed on."""
    n, h, w, c = x.shape
    rows, columns = (h - size) // stride + 1, (w - size) // stride + 1
    if size == stride:
        x = x[:, :rows * size, :columns * size].reshape(n, rows, size, columns, size, c)
        views = [x[:, :, i, :, j] for i in range(size) for j in range(size)]
    else:
        views = [x[:, i:i + stride * (rows - 1) + 1:stride, j:j + stride * (columns - 1) + 1:stride]
                 for i in range(size) for j in range(size)]
    best = views[0]
    for view in views[1:]:
        best = jnp.where((best >= view) | (best != best), best, view)
    return best


def _normalized(x, mean, var, epsilon, p, name):
    return (x - mean) * (lax.rsqrt(var + epsilon) * p[name + "weight"]) + p[name + "bias"]


def _batchnorm(job, op, name, types):
    def training(p, m, k, x):
        x = types.wide(x)
        axes = tuple(range(x.ndim - 1))
        n = x.size // x.shape[-1]
        mean, var = x.mean(axes), x.var(axes)
        for part, value in (("running_mean", mean), ("running_var", var * (n / (n - 1)))):
            m[name + part] = (1 - op.momentum) * m[name + part] + op.momentum * lax.stop_gradient(value)
        return types.narrow(_normalized(x, mean, var, op.epsilon, p, name))

    def inference(p, m, k, x):
        return types.narrow(_normalized(types.wide(x), m[name + "running_mean"], m[name + "running_var"], op.epsilon, p, name))
    return training if job.training else inference


# Examples per step from which on an LSTM multiplies its inputs step by step, as
# cells in JAX's libraries do. With fewer, each step would read all weights for
# little: one product for all steps is faster (SpeechRnn, 8 examples and 256
# units: 35 against 49 ms). With more both are equally fast, but the products of
# all steps are memory that a training step holds (TextLstm, 32 examples: 32.4
# against 24.0 MiB, and beyond 32 MiB malloc asks the system for it every time).
STEPWISE = 16


def _lstm(job, op, name, ended, scan, types):
    stepwise = job.batch // job.accumulate >= STEPWISE

    def lstm(p, m, k, x):
        def gates(x):
            # Read in every step: the gradients of all steps are then added up in
            # the type of the parameters.
            return x @ types.read(p[name + "weight_ih"]) + types.read(p[name + "bias"])

        def cell(state, x):
            h, c = state
            z = (gates(x) if stepwise else x) + h @ types.read(p[name + "weight_hh"])
            i, f, g, o = jnp.split(z, 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), None if ended else h

        zeros = jnp.zeros((len(x), op.units), x.dtype)
        inputs = x if stepwise else gates(x)
        (h, _), hs = scan(cell, (zeros, zeros), inputs.swapaxes(0, 1))
        return h if ended else hs.swapaxes(0, 1)
    return lstm


def _attention(op, name, types):
    # jax.nn.dot_product_attention does the same on CPUs, but its scores have
    # at most float32.
    def attention(p, m, k, x):
        n, t, d = x.shape
        qkv = types.plus(x @ types.read(p[name + "qkv.weight"]), p[name + "qkv.bias"])
        q, k, v = (part.reshape(n, t, op.heads, -1) for part in jnp.split(qkv, 3, -1))
        scores = types.wide(jnp.einsum("nqhd,nkhd->nhqk", q, k)) / (d // op.heads) ** 0.5
        if op.causal:
            scores = jnp.where(jnp.tri(t, dtype=bool), scores, -jnp.inf)
        y = jnp.einsum("nhqk,nkhd->nqhd", types.narrow(jax.nn.softmax(scores)), v)
        return types.plus(y.reshape(n, t, d) @ types.read(p[name + "out.weight"]), p[name + "out.bias"])
    return attention


def _dropout(rate, number):
    def dropout(p, m, key, x):
        keep = jax.random.bernoulli(jax.random.fold_in(key, number), 1 - rate, x.shape)
        return jnp.where(keep, x / (1 - rate), 0)
    return dropout if rate else lambda p, m, key, x: x
