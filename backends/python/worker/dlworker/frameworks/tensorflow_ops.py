"""The program's ops in TensorFlow, for its eager and for its graph form: raw
variables, tf.nn, and the layouts that TensorFlow's kernels want.

Sources: tensorflow.org/api_docs/python/tf/nn, tf.recompute_grad; for the
padding of strided convolutions the ResNet of github.com/tensorflow/models.
"""

import math

import numpy
import tensorflow as tf

from .tensorflow_layout import channels_last, last_only
from .tensorflow_precision import Types, reader

OPS = ("dense conv2d maxpool2d avgpool batchnorm layernorm relu gelu sigmoid flatten embedding lstm attention dropout add "
       "last-step softmax-cross-entropy sigmoid-cross-entropy sgd adam").split()


def loss_of(job):
    """The mean loss as a function of logits and labels, from 16 bit computed in
    float32."""
    wide = Types(job.precision).wide
    if job.loss.kind == "softmax-cross-entropy":
        return lambda z, y: tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=wide(z)))
    return lambda z, y: tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=tf.squeeze(wide(z), -1)))


def scalar(job, value):
    """A hyperparameter that TensorFlow will not round to float32 in an f64 job."""
    return numpy.float64(value) if job.precision == "f64" else value


def affine(x, weight, bias):
    """x·weight + bias over the last axis, both given by readers, bias perhaps by
    None. One matrix product for all positions of a sequence: tf.matmul would make
    one for each example."""
    rows = x if len(x.shape) == 2 else tf.reshape(x, (-1, x.shape[-1]))
    y = tf.matmul(rows, weight())
    if bias:
        y = tf.nn.bias_add(y, bias())
    return y if len(x.shape) == 2 else tf.reshape(y, (-1, *x.shape[1:-1], y.shape[-1]))


def _gelu(x):
    if x.dtype == tf.float64:  # tf.nn.gelu's √2 has the digits of float32
        return 0.5 * x * (1.0 + tf.math.erf(x * tf.constant(0.5 ** 0.5, x.dtype)))
    return tf.nn.gelu(x, approximate=False)


def differentiated(network, gradients):
    """The context in which gradients are applied: after all of them are there, if
    segments are recomputed. Otherwise a weight's update may overtake the gradient of
    its layer's input, which reads the weight anew, in spite of the control edges of
    tf.function: seen in 3 of some 90 processes on a busy machine (TensorFlow 2.21), in
    the attention classifier with 2 segments, each time with the same wrong result."""
    return tf.control_dependencies(gradients if network.segments else [])


class Network:
    """The program's ops in their order. variables holds its parameters by name,
    lstm(op, x) runs a recurrent layer: [N, T, D] -> [N, T, units], and
    -> [N, units] for the ops of tensorflow_layout.last_only.

    What does not depend on values is decided once: in eager execution every step
    would pay for it, which code written by hand does not."""

    def __init__(self, job, variables, lstm):
        self.job, self.variables, self.lstm, self.types = job, variables, lstm, Types(job.precision)
        # An input of real numbers is an activation like all others.
        self.enter = self.types.narrow if job.input.kind != "tokens" else lambda x: x
        self.images, self.last_only = channels_last(job), last_only(job)
        self.segments = dict(job.segments)
        self.functions = [self._function(op) for op in job.ops]
        self.plan = self._plan()

    def _plan(self):
        """Steps (first op, last op, whether recomputed, what is read no more)."""
        last = {i: op.number for op in self.job.ops for i in op.inputs}
        plan, i = [], 0
        while i < len(self.job.ops):
            end = self.segments.get(i, i)
            plan.append((i, end, i in self.segments, [j for j in last if i <= last[j] <= end]))
            i = end + 1
        return plan

    def __call__(self, x):
        """(logits, moved) of a forward pass in the program's mode. moved lists
        pairs of a running statistic and its new value; nothing was assigned."""
        values, moved, functions = {-1: self.enter(x)}, [], self.functions
        for first, last, recomputed, unread in self.plan:
            values[last] = self._recomputed(first, last, values, moved) if recomputed else functions[first](values, moved, None)
            for j in unread:
                values.pop(j, None)
        return values[len(self.job.ops) - 1], moved

    def _recomputed(self, first, last, values, moved):
        """Ops whose activations are computed again in the backward pass."""
        inside = self.job.ops[first:last + 1]
        outside = sorted({j for op in inside for j in op.inputs if j < first})
        # The masks must be the same both times.
        seeds = {op.number: tf.random.uniform([2], maxval=2**31 - 1, dtype=tf.int32) for op in inside if op.kind == "dropout"}
        statistics = []

        def segment(*given):
            local, moves = dict(zip(outside, given)), []
            for op in inside:
                local[op.number] = self.functions[op.number](local, moves, seeds)
            statistics[:] = [variable for variable, _ in moves]
            return local[last], *(value for _, value in moves)

        y, *new = tf.recompute_grad(segment)(*(values[j] for j in outside))
        moved += zip(statistics, new)
        return y

    def _function(self, op):
        """The op as a function of (values by op number, list of moved statistics,
        seeds of dropout by op number or None)."""
        at, shape = op.inputs[0], self.job.in_shape(op)
        wide, narrow = self.types.wide, self.types.narrow
        match op.kind:
            case "dense":
                w, b = self._reader(op, "weight"), self._reader(op, "bias")
                if len(shape) == 1 and b:
                    return lambda values, *_: tf.nn.bias_add(tf.matmul(values[at], w()), b())
                return lambda values, *_: affine(values[at], w, b)
            case "conv2d":
                return self._convolution(op)
            case "maxpool2d":
                return lambda values, *_: tf.nn.max_pool2d(values[at], op.size, op.stride, "VALID")
            case "avgpool":
                axes = (1, 2) if len(shape) == 3 else 1
                return lambda values, *_: narrow(tf.reduce_mean(wide(values[at]), axes))
            case "batchnorm":
                return self._batch_normalization(op)
            case "layernorm":
                return self._layer_normalization(op)
            case "relu":
                return lambda values, *_: tf.nn.relu(values[at])
            case "gelu":
                return lambda values, *_: _gelu(values[at])
            case "sigmoid":
                return lambda values, *_: tf.sigmoid(values[at])
            case "flatten":
                flat = (-1, math.prod(shape))
                if len(shape) == 3 and op.number not in self.images:
                    return lambda values, *_: tf.reshape(tf.transpose(values[at], (0, 3, 1, 2)), flat)
                return lambda values, *_: tf.reshape(values[at], flat)
            case "embedding":
                table = self._of(op, "weight")
                # The rows are cast, not the table: what a row that occurs often gets
                # of gradients is a sum.
                return lambda values, *_: narrow(tf.nn.embedding_lookup(table, values[at]))
            case "lstm":
                return lambda values, *_: self.lstm(op, values[at])
            case "attention":
                return self._attention(op)
            case "dropout":
                rate = self.job.rate(op) if self.job.training else 0.0
                return lambda values, _, seeds: (tf.nn.experimental.stateless_dropout(values[at], rate, seeds[op.number]) if seeds
                                                 else tf.nn.dropout(values[at], rate))
            case "add":
                other = op.inputs[1]
                return lambda values, *_: values[at] + values[other]
            case "last-step":
                if at in self.last_only:
                    return lambda values, *_: values[at]
                return lambda values, *_: values[at][:, -1]
        raise AssertionError("hello claims op %s" % op)

    def _of(self, op, part):
        return self.variables.get("%s.%s" % (op.name, part))

    def _reader(self, op, part, kind=None):
        """A function that reads a parameter as activations of the op, or in the
        given type; None if the op has none."""
        variable = self._of(op, part)
        return None if variable is None else reader(variable, kind or self.types.activations)

    def _convolution(self, op):
        weight, bias = self._reader(op, "weight"), self._reader(op, "bias")
        same = op.stride == 1 and op.kernel == 2 * op.pad + 1
        padding = "SAME" if op.pad and same else "VALID"
        # A list of paddings as argument of conv2d takes a slower kernel on CPU.
        around = [[0, 0], [op.pad, op.pad], [op.pad, op.pad], [0, 0]] if op.pad and not same else None

        def convolution(values, *_):
            x = values[op.inputs[0]]
            y = tf.nn.conv2d(tf.pad(x, around) if around else x, weight(), op.stride, padding)
            return tf.nn.bias_add(y, bias()) if bias else y
        return convolution

    def _batch_normalization(self, op):
        types = self.types
        weight, bias = (self._reader(op, part, types.statistics) for part in ("weight", "bias"))
        mean, variance = self._of(op, "running_mean"), self._of(op, "running_var")

        def fused(values, moved, _):
            # Not tf.compat.v1.nn.fused_batch_norm: it raises small epsilons.
            y, new_mean, new_variance, *_ = tf.raw_ops.FusedBatchNormV3(
                x=values[op.inputs[0]], scale=weight(), offset=bias(), mean=mean, variance=variance, epsilon=op.epsilon,
                exponential_avg_factor=op.momentum, is_training=self.job.training)
            if self.job.training:
                moved += [(mean, new_mean), (variance, new_variance)]
            return y

        def inference(values, *_):
            return types.narrow(tf.nn.batch_normalization(types.wide(values[op.inputs[0]]), mean, variance, bias(), weight(), op.epsilon))

        def training(values, moved, _):
            x = types.wide(values[op.inputs[0]])
            m, v = tf.nn.moments(x, list(range(len(x.shape) - 1)))
            n = math.prod(x.shape[:-1])
            moved += [(mean, mean + (m - mean) * op.momentum), (variance, variance + (v * (n / (n - 1)) - variance) * op.momentum)]
            return types.narrow(tf.nn.batch_normalization(x, m, v, bias(), weight(), op.epsilon))

        if len(self.job.in_shape(op)) == 3 and types.statistics == tf.float32:
            return fused
        return training if self.job.training else inference

    def _layer_normalization(self, op):
        types = self.types
        weight, bias = (self._reader(op, part, types.statistics) for part in ("weight", "bias"))
        image = len(self.job.in_shape(op)) == 3  # then the last axis of the canonical layout is its width

        def normalization(values, *_):
            x = types.wide(values[op.inputs[0]])
            if image:
                x = tf.transpose(x, (0, 3, 1, 2))
            mean, variance = tf.nn.moments(x, -1, keepdims=True)
            y = types.narrow(tf.nn.batch_normalization(x, mean, variance, bias(), weight(), op.epsilon))
            return tf.transpose(y, (0, 2, 3, 1)) if image else y
        return normalization

    def _attention(self, op):
        types = self.types
        parts = [self._reader(op, part) for part in ("qkv.weight", "qkv.bias", "out.weight", "out.bias")]
        t, d = self.job.in_shape(op)
        scale = (d // op.heads) ** -0.5

        def scores_of(q, k):
            if types.half:  # in 16 bit the factor would be a rounded one
                return types.wide(tf.matmul(q, k, transpose_b=True)) * scale
            return tf.matmul(q * scale, k, transpose_b=True)

        def attention(values, *_):
            qkv = tf.reshape(affine(values[op.inputs[0]], *parts[:2]), (-1, t, 3, op.heads, d // op.heads))
            q, k, v = tf.unstack(tf.transpose(qkv, (2, 0, 3, 1, 4)))
            scores = scores_of(q, k)
            if op.causal:
                scores += tf.constant(numpy.triu(numpy.full((t, t), -1e9), 1), scores.dtype)
            y = tf.transpose(tf.matmul(types.narrow(tf.nn.softmax(scores)), v), (0, 2, 1, 3))
            return affine(tf.reshape(y, (-1, t, d)), *parts[2:])
        return attention
