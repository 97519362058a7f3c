"""TensorFlow 2: raw variables and tf.nn, tf.GradientTape, the optimizers, the
loss scale and the LSTM of tf.keras. Eager, under tf.function, and compiled by XLA.

Sources: tensorflow.org/guide (core, function, autodiff, mixed_precision),
openxla.org/xla.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever a file in the user's home says
# Compiled, activations have the rounding of their type: XLA otherwise leaves it
# out between ops that it fuses.
os.environ["XLA_FLAGS"] = (os.environ.get("XLA_FLAGS", "") + " --xla_allow_excess_precision=false").strip()

import keras
import numpy
import tensorflow as tf

from .. import loss_scale
from ..model import Model
from . import tensorflow_layout, tensorflow_loader, tensorflow_ops, tensorflow_runtime
from .tensorflow_ops import Network, scalar
from .tensorflow_precision import NAMES, Types

# Longest sequence whose LSTM is unrolled. Keras: "Unrolling can speed-up a RNN,
# although it tends to be more memory-intensive. Unrolling is only suitable for
# short sequences." XLA would compile each step of it, for minutes; on a GPU
# only the rolled form calls cuDNN.
UNROLLED = 128


class Built(Model):
    """A network, its loss and its optimizer. wrap is what the entry does with a
    function of tensors: nothing, or tf.function."""

    def __init__(self, job, weights, x, y, wrap, unroll):
        self.job, self.weights, self.types = job, weights, Types(job.precision)
        self.device = "/GPU:0" if job.device == "cuda" else "/CPU:0"
        self.layouts = tensorflow_layout.layouts(job)
        with tf.device(self.device):
            self.variables, self.layers = self._variables(unroll)
        self.trained = [self.variables[p.name] for p in job.params if not p.buffer]
        self.network = Network(job, self.variables, lambda op, x: self.layers[op.name](x))
        self.loss_fn = tensorflow_ops.loss_of(job)
        self.batches = tensorflow_layout.data(job, self.types, x, y)
        if job.placement == "resident":
            self.batches = [[self._placed(*pair) for pair in batch] for batch in self.batches]
        if job.placement == "loader":
            micro = [pair for batch in self.batches for pair in batch]
            x, y = (numpy.concatenate(parts) for parts in zip(*micro))
            self.loader = tensorflow_loader.Loader(x, y, len(micro[0][0]), len(self.batches[0]), job.threads)
            self.micro = self.loaded
        self.params = sum(int(tf.size(v)) for v in self.trained)
        self.segments, self.accumulated = len(self.network.segments), len(self.batches[0])
        self.optimizer, self.sums, self.scale = None, [], None
        if job.training:
            self.optimizer = self._optimizer()
            if self.accumulated > 1:
                self.sums = [tf.Variable(tf.zeros_like(v), trainable=False) for v in self.trained]
        self.reset()
        if self.scale is not None:
            self.loss_scale = float(self.scale.numpy())
        self.dtypes = self._dtypes()
        if job.device == "cuda":
            self.tf32 = tf.config.experimental.tensor_float_32_execution_enabled()
            tf.config.experimental.reset_memory_stats("GPU:0")
        self.last = []
        self.logits, self.gradients = wrap(self._logits), wrap(self._gradients)
        self.update, self.accumulate, self.apply = wrap(self._update), wrap(self._accumulate), wrap(self._apply)
        # What differs per step is decided once.
        if not job.training:
            self.step = self.infer
        else:
            self.step = self.train_accumulated if self.accumulated > 1 else self.train

    def _variables(self, unroll):
        """Variables by the program's names, and the recurrent layers."""
        job, types, layers, last = self.job, self.types, {}, tensorflow_layout.last_only(self.job)
        variables = {p.name: None for p in job.params}
        for op in job.ops:
            if op.kind == "lstm":
                length, width = job.in_shape(op)
                layer = keras.layers.LSTM(op.units, return_sequences=op.number not in last, dtype=types.policy, unroll=unroll and length <= UNROLLED,
                                          recurrent_initializer="zeros")  # the default needs a decomposition that bfloat16 lacks
                layer.build((None, length, width))
                cell, layers[op.name] = layer.cell, layer
                for part, held in (("weight_ih", cell.kernel), ("weight_hh", cell.recurrent_kernel), ("bias", cell.bias)):
                    variables["%s.%s" % (op.name, part)] = held.value
        for p in job.params:
            if variables[p.name] is None:
                variables[p.name] = tf.Variable(tf.zeros(self.layouts[p.name].held_shape, types.variable(p)), trainable=not p.buffer, name=p.name)
        return variables, layers

    def _optimizer(self):
        o = self.job.optimizer
        keras.config.set_floatx(self.types.params.name)  # of the variable that holds the rate
        rate = scalar(self.job, o.rate)
        if o.kind == "sgd":
            optimizer = keras.optimizers.SGD(rate, scalar(self.job, o.momentum))
        else:
            optimizer = keras.optimizers.Adam(rate, scalar(self.job, o.beta1), scalar(self.job, o.beta2), o.epsilon)
        if self.job.precision == "f16-mixed":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, loss_scale.INITIAL, loss_scale.INTERVAL)
        optimizer.build(self.trained)
        if self.job.precision == "f16-mixed":
            self.scale = optimizer.dynamic_scale.value
        return optimizer

    def _dtypes(self):
        x, _ = self.micro(0)[0]
        logits, _ = self.network(x[:2])
        return {"params": NAMES[self.trained[0].read_value().dtype], "activations": NAMES[logits.dtype]}

    def _placed(self, x, y):
        """A pair of arrays as tensors on the device. numpy's are copied."""
        with tf.device(self.device):
            return tf.constant(x), tf.constant(y)

    def micro(self, i):
        """The micro-batches of batch i on the device."""
        if self.job.placement == "resident":
            return self.batches[i]
        return [self._placed(*pair) for pair in self.batches[i]]

    def loaded(self, i):
        """The micro-batches of batch i from tf.data, on the device."""
        with tf.device(self.device):
            return [(tf.identity(x), tf.identity(y)) for x, y in self.loader(i)]

    # Functions of tensors: what an entry wraps.

    def _logits(self, x):
        return self.network(x)[0]

    def _differentiated(self, x, y):
        """The mean loss, the gradients of the scaled one, moved statistics."""
        with tf.GradientTape() as tape:
            logits, moved = self.network(x)
            loss = self.loss_fn(logits, y)
            scaled = loss if self.scale is None else self.optimizer.scale_loss(loss)
        # Rows of an embedding that do not occur move as well: their moments decay.
        return loss, [tf.convert_to_tensor(g) for g in tape.gradient(scaled, self.trained)], moved

    def _gradients(self, x, y):
        return self._differentiated(x, y)[1]

    def _update(self, x, y):
        loss, gradients, moved = self._differentiated(x, y)
        for variable, value in moved:
            variable.assign(value)
        with tensorflow_ops.differentiated(self.network, gradients):
            self.optimizer.apply(gradients, self.trained)
        return loss

    def _accumulate(self, x, y):
        loss, gradients, moved = self._differentiated(x, y)
        for variable, value in moved:
            variable.assign(value)
        for total, g in zip(self.sums, gradients):
            total.assign_add(g / self.accumulated)
        return loss

    def _apply(self):
        self.optimizer.apply([total.read_value() for total in self.sums], self.trained)
        for total in self.sums:
            total.assign(tf.zeros_like(total))

    # Steps.

    def train(self, i):
        (x, y), = self.micro(i)
        self.last = [self.update(x, y)]

    def train_accumulated(self, i):
        self.last = [self.accumulate(x, y) for x, y in self.micro(i)]
        self.apply()

    def infer(self, i):
        (x, y), = self.micro(i)
        self.last = self.logits(x), y

    def sync(self):
        if self.job.device == "cuda":
            tf.test.experimental.sync_devices()

    def loss(self):
        if self.job.training:
            return sum(map(float, self.last)) / len(self.last)
        return float(self.loss_fn(*self.last))

    def read_logits(self, i):
        return numpy.concatenate([self.types.wide(self.logits(x)).numpy() for x, _ in self.micro(i)])

    def read_grads(self, i):
        if self.scale is None:
            return self._mean(i)
        held = self.scale.numpy()

        def gradients(scale):
            self.scale.assign(scale)
            return self._mean(i)

        found = loss_scale.unscaled(gradients, float(held))
        self.scale.assign(held)
        return found

    def _mean(self, i):
        """Gradients of the scaled loss of batch i."""
        sums = [sum(g.numpy() for g in gs) for gs in zip(*(self.gradients(x, y) for x, y in self.micro(i)))]
        names = [p.name for p in self.job.params if not p.buffer]
        return {name: self.layouts[name].canonical(g / self.accumulated) for name, g in zip(names, sums)}

    def read_params(self):
        return {name: self.layouts[name].canonical(v.numpy()) for name, v in self.variables.items()}

    def reset(self):
        for name, variable in self.variables.items():
            variable.assign(self.layouts[name].held(self.weights[name]).astype(variable.dtype.as_numpy_dtype))
        state = self.optimizer.variables if self.optimizer else []
        for variable in [*(v for v in state if v is not self.optimizer.learning_rate), *self.sums]:
            variable.assign(tf.zeros(variable.shape, variable.dtype))
        if self.scale is not None:
            self.scale.assign(loss_scale.INITIAL)

    def device_peaks(self):
        if self.job.device != "cuda":
            return None
        return tf.config.experimental.get_memory_info("GPU:0")["peak"], None


class TensorFlow:
    """The framework after its import, as one of its entries."""

    kinds = {"tensorflow": "eager", "tensorflow-function": "static-graph", "tensorflow-xla": "compiled"}

    def __init__(self, name):
        self.name, self.kind = name, self.kinds[name]

    def hello(self, threads, device):
        claims = tensorflow_runtime.configure(threads, device)
        claims["features"].append("loader")
        claims["versions"]["keras"] = keras.__version__
        return {"kind": self.kind, **claims}

    def build(self, job, weights, x, y):
        tf.config.experimental.enable_tensor_float_32_execution(job.precision == "tf32")
        # There is no control flow on tensors that AutoGraph would have to find.
        wrap = {"eager": lambda f: f, "static-graph": tf.function(autograph=False),
                "compiled": tf.function(autograph=False, jit_compile=True)}[self.kind]
        return Built(job, weights, x, y, wrap, unroll=self.kind != "compiled" and job.device == "cpu")

    out_of_memory = staticmethod(tensorflow_runtime.out_of_memory)


def load(name):
    return TensorFlow(name)
