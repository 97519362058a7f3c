"""TensorFlow 1: a static graph that is built once and run by a Session, with
resource variables, the optimizers of tf.compat.v1.train and the loss scale of
tf.compat.v1.mixed_precision.

Sources: tensorflow.org/api_docs/python/tf/compat/v1, tensorflow.org/guide/migrate.
"""

import numpy
import tensorflow as tf

from .. import loss_scale
from ..model import Model
from . import tensorflow_layout, tensorflow_ops, tensorflow_runtime
from .tensorflow_ops import Network, affine, scalar
from .tensorflow_precision import NAMES, Types, reader

v1 = tf.compat.v1

# Longest sequence whose LSTM is written out step by step, as
# tf.compat.v1.nn.static_rnn does it; a longer one becomes a tf.while_loop, as
# dynamic_rnn does it, whose graph does not grow with the sequence.
STATIC = 128


def _cell(z, c):
    """(h, c) of one step of an LSTM."""
    i, f, g, o = tf.split(z, 4, 1)
    c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
    return tf.sigmoid(o) * tf.tanh(c), c


def lstm(x, weight_ih, weight_hh, bias, last):
    """[N, T, D] -> [N, T, units], or -> [N, units] if only the last step is
    wanted. The inputs are projected for all steps at once. Parameters are given by
    readers."""
    n, length, _ = x.shape
    weight_hh = weight_hh()
    units = weight_hh.shape[0]
    inputs = tf.transpose(affine(x, weight_ih, bias), (1, 0, 2))
    h = c = tf.zeros((n, units), x.dtype)
    if length <= STATIC:
        outputs = []
        for z in tf.unstack(inputs):
            h, c = _cell(z + tf.matmul(h, weight_hh), c)
            outputs.append(h)
        return h if last else tf.stack(outputs, 1)
    steps = tf.TensorArray(x.dtype, length, element_shape=inputs.shape[1:]).unstack(inputs)
    outputs = tf.TensorArray(x.dtype, length, element_shape=h.shape)

    def step(t, h, c, outputs):
        h, c = _cell(steps.read(t) + tf.matmul(h, weight_hh), c)
        return t + 1, h, c, outputs.write(t, h)

    _, h, _, outputs = tf.while_loop(lambda t, *_: t < length, step, (0, h, c, outputs), maximum_iterations=length)
    return h if last else tf.transpose(outputs.stack(), (1, 0, 2))


def _aligned(values):
    """A copy that starts at a multiple of 64 bytes, which a session takes as it
    is: arrays at other addresses are copied in every run."""
    memory = numpy.empty(values.nbytes + 64, numpy.uint8)
    start = -memory.ctypes.data % 64
    copy = memory[start:start + values.nbytes].view(values.dtype).reshape(values.shape)
    copy[...] = values
    return copy


class Graph(Model):
    """A graph with its session. A micro-batch is a run of its own, which adds
    to sums that one more run applies. Batches are fed, or, with preload, lie in
    variables of the graph."""

    def __init__(self, job, weights, x, y, preload):
        self.job, self.weights, self.types = job, weights, Types(job.precision)
        self.layouts = tensorflow_layout.layouts(job)
        self.batches = [[(_aligned(xm), _aligned(ym)) for xm, ym in batch] for batch in tensorflow_layout.data(job, self.types, x, y)]
        self.accumulated = len(self.batches[0])
        self.host = job.placement == "host"
        self.preload = preload
        graph = tf.Graph()
        with graph.as_default(), graph.device("/GPU:0" if job.device == "cuda" else "/CPU:0"):
            self._inputs()
            self._forward()
            self.update = self.add = self.apply = ()
            self.scale = None
            if job.training:
                self._backward()
            # Values come in through placeholders: a graph holds 2 GB at most.
            self.assign = {name: self._assignment(v) for name, v in self.variables.items()}
            initialize = v1.global_variables_initializer()
        self.session = v1.Session(graph=graph, config=self._config())
        self.session.run(initialize)
        if self.preload:
            self._preload()
        self.reset()
        self.params = sum(v.shape.num_elements() for v in self.trained)
        self.segments = len(self.network.segments)
        held, logits = self.session.run([self.trained[0], self.logits], self._feed(0, 0))
        self.dtypes = {"params": NAMES[tf.as_dtype(held.dtype)], "activations": NAMES[tf.as_dtype(logits.dtype)]}
        if self.scale is not None:
            self.loss_scale = float(self.session.run(self.scale))
        if job.device == "cuda":
            self.tf32 = tf.config.experimental.tensor_float_32_execution_enabled()
        self.last = []

    def _config(self):
        config = v1.ConfigProto(intra_op_parallelism_threads=self.job.threads, inter_op_parallelism_threads=1, allow_soft_placement=True)
        config.gpu_options.allow_growth = True
        if self.job.device == "cpu":
            config.device_count["GPU"] = 0
        return config

    def _inputs(self):
        """The tensors x and y of a micro-batch, and what a run is fed with."""
        x, y = self.batches[0][0]
        if self.preload:
            self.at = v1.placeholder(tf.int32, ())
            whole = [len(self.batches) * self.accumulated]
            self.data = [v1.get_variable("data/%s" % name, whole + list(values.shape), tf.as_dtype(values.dtype), v1.zeros_initializer(),
                                         trainable=False, use_resource=True) for name, values in (("x", x), ("y", y))]
            self.load = [self._assignment(v) for v in self.data]
            self.x, self.y = (tf.gather(v, self.at) for v in self.data)
            return
        self.x, self.y = v1.placeholder(x.dtype, x.shape), v1.placeholder(y.dtype, y.shape)
        if self.host:  # the buffer that a step copies its batch into
            self.buffer = _aligned(x), _aligned(y)

    def _preload(self):
        for (holder, assign), values in zip(self.load, zip(*(pair for batch in self.batches for pair in batch))):
            self.session.run(assign, {holder: numpy.stack(values)})

    def _feed(self, i, m):
        """The feed of micro-batch m of batch i."""
        if self.preload:
            return {self.at: i * self.accumulated + m}
        x, y = self.batches[i][m]
        if self.host:
            for buffer, values in zip(self.buffer, (x, y)):
                numpy.copyto(buffer, values)
            x, y = self.buffer
        return {self.x: x, self.y: y}

    def _forward(self):
        self.variables = {p.name: v1.get_variable(p.name, self.layouts[p.name].held_shape, self.types.variable(p), v1.zeros_initializer(),
                                                  trainable=not p.buffer, use_resource=True) for p in self.job.params}
        self.trained = [self.variables[p.name] for p in self.job.params if not p.buffer]
        self.network = Network(self.job, self.variables, self._lstm)
        self.logits, moved = self.network(self.x)
        self.moves = [variable.assign(value) for variable, value in moved]
        self.cost = tensorflow_ops.loss_of(self.job)(self.logits, self.y)

    def _lstm(self, op, x):
        held = (reader(self.variables["%s.%s" % (op.name, part)], x.dtype) for part in ("weight_ih", "weight_hh", "bias"))
        return lstm(x, *held, last=op.number in self.network.last_only)

    def _backward(self):
        optimizer, cost = self._optimizer(), self.cost
        if self.job.precision == "f16-mixed":
            scale = v1.mixed_precision.DynamicLossScale(loss_scale.INITIAL, loss_scale.INTERVAL, 2.0)
            self.scale = scale()
            cost *= self.scale
        # Rows of an embedding that do not occur move as well: their moments decay.
        self.gradients = [tf.convert_to_tensor(g) for g, _ in optimizer.compute_gradients(cost, self.trained)]
        gradients = self.gradients
        if self.scale is not None:
            gradients = [g / self.scale for g in gradients]
            optimizer = v1.mixed_precision.MixedPrecisionLossScaleOptimizer(optimizer, scale)
        if self.accumulated == 1:
            with tensorflow_ops.differentiated(self.network, gradients):
                self.update = tf.group(optimizer.apply_gradients(zip(gradients, self.trained)), *self.moves)
            sums = []
        else:
            sums = [v1.get_variable("sum/" + v.op.name, v.shape, v.dtype, v1.zeros_initializer(), trainable=False, use_resource=True) for v in self.trained]
            self.add = tf.group(*(total.assign_add(g / self.accumulated) for total, g in zip(sums, gradients)), *self.moves)
            apply = optimizer.apply_gradients([(total.read_value(), v) for total, v in zip(sums, self.trained)])
            with tf.control_dependencies([apply]):
                self.apply = tf.group(*(total.assign(tf.zeros_like(total)) for total in sums))
        self.forget = v1.variables_initializer(optimizer.variables() + sums)

    def _optimizer(self):
        o = self.job.optimizer
        rate = scalar(self.job, o.rate)
        if o.kind == "adam":
            return v1.train.AdamOptimizer(rate, scalar(self.job, o.beta1), scalar(self.job, o.beta2), scalar(self.job, o.epsilon))
        if o.momentum:
            return v1.train.MomentumOptimizer(rate, scalar(self.job, o.momentum))
        return v1.train.GradientDescentOptimizer(rate)

    @staticmethod
    def _assignment(variable):
        """A placeholder, and the op that assigns its value."""
        holder = v1.placeholder(variable.dtype, variable.shape)
        return holder, variable.assign(holder).op

    def step(self, i):
        if not self.job.training:
            self.last = self.session.run(self.logits, self._feed(i, 0)), i
        elif self.accumulated == 1:
            self.last = self.session.run([self.cost, self.update], self._feed(i, 0))[:1]
        else:
            self.last = [self.session.run([self.cost, self.add], self._feed(i, m))[0] for m in range(self.accumulated)]
            self.session.run(self.apply)

    def loss(self):
        if not self.job.training:
            logits, i = self.last
            return float(self.session.run(self.cost, {**self._feed(i, 0), self.logits: logits}))
        return sum(map(float, self.last)) / len(self.last)

    def _each(self, fetch, i, feed=()):
        """What a fetch gives for the micro-batches of batch i."""
        return [self.session.run(fetch, {**self._feed(i, m), **dict(feed)}) for m in range(self.accumulated)]

    def read_logits(self, i):
        return numpy.concatenate(self._each(self.logits, i)).astype(self.types.statistics.as_numpy_dtype)

    def read_grads(self, i):
        names = [p.name for p in self.job.params if not p.buffer]

        def gradients(scale):
            each = self._each(self.gradients, i, [(self.scale, scale)] if scale else [])
            return {name: self.layouts[name].canonical(sum(g) / self.accumulated) for name, g in zip(names, zip(*each))}

        return gradients(None) if self.scale is None else loss_scale.unscaled(gradients, float(self.session.run(self.scale)))

    def read_params(self):
        return {name: self.layouts[name].canonical(v) for name, v in self.session.run(self.variables).items()}

    def reset(self):
        for name, (holder, assign) in self.assign.items():
            self.session.run(assign, {holder: self.layouts[name].held(self.weights[name])})
        if self.job.training:
            self.session.run(self.forget)

    def device_peaks(self):
        if self.job.device != "cuda":
            return None
        return tf.config.experimental.get_memory_info("GPU:0")["peak"], None


class TensorFlow:
    """The framework after its import."""

    def hello(self, threads, device):
        return {"kind": "static-graph", **tensorflow_runtime.configure(threads, device)}

    def build(self, job, weights, x, y):
        tf.config.experimental.enable_tensor_float_32_execution(job.precision == "tf32")
        # Feeding is a copy where the device has memory of its own.
        return Graph(job, weights, x, y, preload=job.device == "cuda" and job.placement == "resident")

    out_of_memory = staticmethod(tensorflow_runtime.out_of_memory)


def load(_name):
    return TensorFlow()
