"""The program's ops in TensorFlow, for its eager and for its graph form: raw
variables, tf.nn, and the layouts that TensorFlow's kernels want.

Sources: tensorflow.org/api_docs/python/tf/nn, tf.recompute_grad; for the
padding of strided convolutions the ResNet of github.com/tensorflow/models.
"""

import math

import numpy
import tensorflow as tf

from .tensorflow_layout import channels_last, last_only

OPS = ("dense conv2d maxpool2d avgpool batchnorm layernorm relu gelu sigmoid flatten embedding lstm attention dropout add "
       "last-step softmax-cross-entropy sigmoid-cross-entropy sgd adam").split()
DTYPES = {"f64": tf.float64, "f32": tf.float32, "tf32": tf.float32}
NAMES = {tf.float64: "f64", tf.float32: "f32", tf.bfloat16: "bf16", tf.float16: "f16"}


def loss_of(job):
    """The mean loss as a function of logits and labels."""
    if job.loss.kind == "softmax-cross-entropy":
        return lambda z, y: tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=z))
    return lambda z, y: tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=tf.squeeze(z, -1)))


def scalar(job, value):
    """A hyperparameter that TensorFlow will not round to float32 in an f64 job."""
    return numpy.float64(value) if job.precision == "f64" else value


def affine(x, weight, bias):
    """x·weight + bias over the last axis. One matrix product for all positions
    of a sequence: tf.matmul would make one for each example."""
    rows = x if len(x.shape) == 2 else tf.reshape(x, (-1, x.shape[-1]))
    y = tf.matmul(rows, weight)
    if bias is not None:
        y = tf.nn.bias_add(y, bias)
    return y if len(x.shape) == 2 else tf.reshape(y, (-1, *x.shape[1:-1], y.shape[-1]))


def _gelu(x):
    if x.dtype == tf.float64:  # tf.nn.gelu's √2 has the digits of float32
        return 0.5 * x * (1.0 + tf.math.erf(x * tf.constant(0.5 ** 0.5, x.dtype)))
    return tf.nn.gelu(x, approximate=False)


class Network:
    """The program's ops in their order. variables holds its parameters by name,
    lstm(op, x) runs a recurrent layer: [N, T, D] -> [N, T, units], and
    -> [N, units] for the ops of tensorflow_layout.last_only."""

    def __init__(self, job, variables, lstm):
        self.job, self.variables, self.lstm = job, variables, lstm
        self.images, self.last_only = channels_last(job), last_only(job)
        self.segments = dict(job.segments)
        last = {i: op.number for op in job.ops for i in op.inputs}
        self.unread = {n: [i for i in last if last[i] == n] for n in last.values()}

    def __call__(self, x):
        """(logits, moved) of a forward pass in the program's mode. moved lists
        pairs of a running statistic and its new value; nothing was assigned."""
        values, moved, i = {-1: x}, [], 0
        while i < len(self.job.ops):
            if i in self.segments:
                first, i = i, self.segments[i]
                values[i] = self._recomputed(first, i, values, moved)
            else:
                first, values[i] = i, self._output(self.job.ops[i], values, moved, {})
            for n in range(first, i + 1):
                for j in self.unread.get(n, ()):
                    values.pop(j, None)
            i += 1
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
                local[op.number] = self._output(op, local, moves, seeds)
            statistics[:] = [variable for variable, _ in moves]
            return local[last], *(value for _, value in moves)

        y, *new = tf.recompute_grad(segment)(*(values[j] for j in outside))
        moved += zip(statistics, new)
        return y

    def _output(self, op, values, moved, seeds):
        x, shape = values[op.inputs[0]], self.job.in_shape(op)
        match op.kind:
            case "dense":
                return affine(x, self._of(op, "weight"), self._of(op, "bias"))
            case "conv2d":
                return self._convolution(op, x)
            case "maxpool2d":
                return tf.nn.max_pool2d(x, op.size, op.stride, "VALID")
            case "avgpool":
                return tf.reduce_mean(x, (1, 2) if len(shape) == 3 else 1)
            case "batchnorm":
                return self._batch_normalization(op, x, moved)
            case "layernorm":
                return self._layer_normalization(op, x)
            case "relu":
                return tf.nn.relu(x)
            case "gelu":
                return _gelu(x)
            case "sigmoid":
                return tf.sigmoid(x)
            case "flatten":
                if len(shape) == 3 and op.number not in self.images:
                    x = tf.transpose(x, (0, 3, 1, 2))
                return tf.reshape(x, (-1, math.prod(shape)))
            case "embedding":
                return tf.nn.embedding_lookup(self._of(op, "weight"), x)
            case "lstm":
                return self.lstm(op, x)
            case "attention":
                return self._attention(op, x)
            case "dropout":
                rate = self.job.rate(op) if self.job.training else 0.0
                if op.number in seeds:
                    return tf.nn.experimental.stateless_dropout(x, rate, seeds[op.number])
                return tf.nn.dropout(x, rate)
            case "add":
                return x + values[op.inputs[1]]
            case "last-step":
                return x if op.inputs[0] in self.last_only else x[:, -1]
        raise AssertionError("hello claims op %s" % op)

    def _of(self, op, part):
        return self.variables.get("%s.%s" % (op.name, part))

    def _convolution(self, op, x):
        padding = "VALID"
        if op.pad and op.stride == 1 and op.kernel == 2 * op.pad + 1:
            padding = "SAME"
        elif op.pad:  # a list of paddings as argument of conv2d takes a slower kernel on CPU
            x = tf.pad(x, [[0, 0], [op.pad, op.pad], [op.pad, op.pad], [0, 0]])
        y = tf.nn.conv2d(x, self._of(op, "weight"), op.stride, padding)
        return tf.nn.bias_add(y, self._of(op, "bias")) if op.bias else y

    def _batch_normalization(self, op, x, moved):
        weight, bias = self._of(op, "weight"), self._of(op, "bias")
        mean, variance = self._of(op, "running_mean"), self._of(op, "running_var")
        if len(x.shape) == 4 and x.dtype == tf.float32:
            # Not tf.compat.v1.nn.fused_batch_norm: it raises small epsilons.
            y, new_mean, new_variance, *_ = tf.raw_ops.FusedBatchNormV3(
                x=x, scale=weight, offset=bias, mean=mean, variance=variance, epsilon=op.epsilon,
                exponential_avg_factor=op.momentum, is_training=self.job.training)
            if self.job.training:
                moved += [(mean, new_mean), (variance, new_variance)]
            return y
        if not self.job.training:
            return tf.nn.batch_normalization(x, mean, variance, bias, weight, op.epsilon)
        m, v = tf.nn.moments(x, list(range(len(x.shape) - 1)))
        n = math.prod(x.shape[:-1])
        moved += [(mean, mean + (m - mean) * op.momentum), (variance, variance + (v * (n / (n - 1)) - variance) * op.momentum)]
        return tf.nn.batch_normalization(x, m, v, bias, weight, op.epsilon)

    def _layer_normalization(self, op, x):
        image = len(x.shape) == 4  # then the last axis of the canonical layout is its width
        if image:
            x = tf.transpose(x, (0, 3, 1, 2))
        mean, variance = tf.nn.moments(x, -1, keepdims=True)
        y = tf.nn.batch_normalization(x, mean, variance, self._of(op, "bias"), self._of(op, "weight"), op.epsilon)
        return tf.transpose(y, (0, 2, 3, 1)) if image else y

    def _attention(self, op, x):
        _, t, d = x.shape
        qkv = tf.reshape(affine(x, self._of(op, "qkv.weight"), self._of(op, "qkv.bias")), (-1, t, 3, op.heads, d // op.heads))
        q, k, v = tf.unstack(tf.transpose(qkv, (2, 0, 3, 1, 4)))
        scores = tf.matmul(q * (d // op.heads) ** -0.5, k, transpose_b=True)
        if op.causal:
            scores += tf.constant(numpy.triu(numpy.full((t, t), -1e9), 1), scores.dtype)
        y = tf.transpose(tf.matmul(tf.nn.softmax(scores), v), (0, 2, 1, 3))
        return affine(tf.reshape(y, (-1, t, d)), self._of(op, "out.weight"), self._of(op, "out.bias"))
