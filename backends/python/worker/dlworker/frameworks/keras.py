"""Keras 3 on TensorFlow, PyTorch and JAX: a functional model, compile,
train_on_batch and predict_on_batch. In 16 bit by the global dtype policy, in
f16-mixed with Keras' own LossScaleOptimizer.

Sources: keras.io/api/models/model_training_apis, keras.io/api/mixed_precision.
"""

import contextlib
import os

import numpy

from .. import loss_scale
from ..model import Model

WORDS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}  # the widest first
POLICIES = {"bf16-mixed": "mixed_bfloat16", "f16-mixed": "mixed_float16", "bf16": "bfloat16", "f16": "float16"}  # others: float32
EXAMPLES = 8  # that a build computes to see dtypes: memory for a whole batch would stay with the allocator


class Trained(Model):
    """A compiled keras.Model. train_on_batch returns the loss of its batch: its
    metrics are reset by every call."""

    def __init__(self, job, weights, x, y):
        import keras
        from . import keras_layers, keras_runtime
        self.keras, self.runtime, self.job = keras, keras_runtime, job
        keras_runtime.precise(job.precision == "tf32")
        keras.config.set_dtype_policy(POLICIES.get(job.precision, "float32"))
        keras.config.set_image_data_format("channels_first" if keras_runtime.FRAMEWORK == "torch" else "channels_last")
        self.network = keras_layers.Network(job)
        self.model = self.network.model
        self.weights = weights
        self._restore()
        softmax = job.loss.kind == "softmax-cross-entropy"
        self.model.compile(optimizer=self._optimizer() if job.training else "sgd",
                           loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True) if softmax
                           else keras.losses.BinaryCrossentropy(from_logits=True))
        if job.training:
            self.model.optimizer.build(self.model.trainable_variables)
            if job.precision == "f16-mixed":
                self.loss_scale = self._scale()
        x = self.network.images(x) if job.input.kind == "image" else x
        x = x.astype("int32" if job.input.kind == "tokens" else keras.config.floatx(), copy=False)
        y = y if softmax else y[..., None].astype(keras.config.floatx())
        self.host = job.placement == "host"
        # Copies of single batches, because on PyTorch a tensor is the array that
        # it was made from: no batch keeps the whole file.
        if job.placement == "loader":
            self.batch = self._loader(x, y)
        self.xs, self.ys = (b if self.host or job.placement == "loader" else [keras.ops.convert_to_tensor(a.copy()) for a in b] for b in (x, y))
        self.params = sum(int(numpy.prod(v.shape)) for v in self.model.trainable_variables)
        self.segments = len(self.network.segments)
        self.dtypes = self._dtypes()
        self.tf32 = keras_runtime.tf32()
        self.last = None
        self.step = self.train if job.training else self.infer

    def _optimizer(self):
        o, optimizers = self.job.optimizer, self.keras.optimizers
        if o.kind == "sgd":
            optimizer = optimizers.SGD(o.rate, float(o.momentum))
        else:
            optimizer = optimizers.Adam(o.rate, o.beta1, o.beta2, o.epsilon)
        if self.job.precision != "f16-mixed":
            return optimizer
        return optimizers.LossScaleOptimizer(optimizer, loss_scale.INITIAL, loss_scale.INTERVAL)

    def _scale(self):
        """What a step multiplies its loss with."""
        return float(self.keras.ops.convert_to_numpy(self.model.optimizer.scale_loss(1.0)))

    def _loader(self, x, y):
        """A function that takes batch i from the input pipeline of the framework
        below, which Keras feeds from."""
        if self.runtime.FRAMEWORK == "tensorflow":
            from . import tensorflow_loader
            loader = tensorflow_loader.Loader(x.reshape(-1, *x.shape[2:]), y.reshape(-1, *y.shape[2:]), x.shape[1], 1, self.job.threads)
            return lambda i: loader(i)[0]
        import torch
        from . import pytorch_loader
        return pytorch_loader.Loader(torch.from_numpy(x.copy()), torch.from_numpy(y.copy()), self.job.device == "cuda")

    def batch(self, i):
        """Batch i: tensors of the backend, or of data "host" a copy in host memory."""
        if self.host:
            return self.xs[i].copy(), self.ys[i].copy()
        return self.xs[i], self.ys[i]

    def train(self, i):
        self.last = self.model.train_on_batch(*self.batch(i))

    def infer(self, i):
        x, y = self.batch(i)
        self.last = self.model.predict_on_batch(x), y

    def loss(self):
        if self.job.training:
            return float(self.last)
        z, y = (numpy.asarray(self.keras.ops.convert_to_numpy(t), numpy.float64) for t in self.last)
        if self.job.loss.kind == "softmax-cross-entropy":
            top = z.max(-1)
            return float(numpy.mean(top + numpy.log(numpy.exp(z - top[:, None]).sum(-1)) - z[numpy.arange(len(z)), y.astype(int)]))
        return float(numpy.mean(numpy.maximum(z, 0) - z * y + numpy.log1p(numpy.exp(-abs(z)))))

    @contextlib.contextmanager
    def _frozen(self):
        """Running statistics and seeds are afterwards what they were."""
        before = [(v, self.keras.ops.convert_to_numpy(v.value).copy()) for v in self.model.non_trainable_variables]
        yield
        for v, array in before:
            v.assign(array)

    def _forward(self, x):
        with self._frozen():
            z = self.model(x, training=self.job.training)
        return self.keras.ops.convert_to_numpy(z).astype("float32", copy=False)

    def _dtypes(self):
        """What parameters have, and the widest of what layers that multiply
        matrices put out in a real forward pass."""
        keras, dtype = self.keras, self.keras.backend.standardize_dtype
        outputs = [layer.output for layer in self.network.products()] or self.model.outputs
        with self._frozen():
            found = keras.tree.flatten(keras.Model(self.model.inputs[0], outputs)(self.batch(0)[0][:EXAMPLES], training=self.job.training))
        return {"params": WORDS[dtype(self.model.trainable_variables[0].dtype)],
                "activations": WORDS[min((dtype(t.dtype) for t in found), key=[*WORDS].index)]}

    def read_logits(self, i):
        return self._forward(self.batch(i)[0])

    def read_grads(self, i):
        def scaled(scale):
            found = self.runtime.gradients(self.model, *self.batch(i), scale)
            by_variable = {id(v): g for v, g in zip(self.model.trainable_variables, found)}
            return {p.name: self.network.canonical(p.name, [by_variable[id(v)] for v in self.network.variables(p.name)])
                    for p in self.job.params if not p.buffer}

        with self._frozen():
            return loss_scale.unscaled(scaled, self._scale())

    def read_params(self):
        return {p.name: self.network.canonical(p.name, [self.keras.ops.convert_to_numpy(v.value) for v in self.network.variables(p.name)])
                for p in self.job.params}

    def _restore(self):
        for name, values in self.weights.items():  # read anew: a copy would count as the framework's memory
            for v, array in zip(self.network.variables(name), self.network.native(name, values)):
                v.assign(array)

    def reset(self):
        self._restore()
        if self.job.training:
            optimizer = self.model.optimizer
            for v in optimizer.variables:
                if v is not optimizer.learning_rate:  # all other state of SGD and Adam begins at 0
                    v.assign(self.keras.ops.zeros_like(v.value))
            if self.loss_scale:
                optimizer.dynamic_scale.assign(self.loss_scale)

    def device_peaks(self):
        return self.runtime.device_peaks() if self.job.device == "cuda" else None


class Keras:
    """The framework after its import."""

    def __init__(self, name):
        import keras
        import keras.src.trainers.trainer  # what the lazy front door would import at the first step
        keras.layers.Dense, keras.optimizers.Adam, keras.losses.BinaryCrossentropy
        from . import keras_runtime
        self.runtime = keras_runtime
        self.kind = {"tensorflow": "static-graph", "torch": "eager", "jax": "compiled"}[keras_runtime.FRAMEWORK]
        # Elsewhere keras.remat saves no memory on a CPU: XLA merges what is made again
        # with the first making, and of TensorFlow's graph the peak does not fall.
        self.features = {"torch": ["checkpoint", "loader"], "tensorflow": ["loader"], "jax": []}[keras_runtime.FRAMEWORK]

    def hello(self, threads, device):
        from .keras_layers import OPS
        phrase, effective = self.runtime.configure(threads, device)
        return {"kind": self.kind, "versions": self.runtime.versions(), "ops": OPS + ["softmax-cross-entropy", "sigmoid-cross-entropy", "sgd", "adam"],
                "precisions": ["f32", *POLICIES] + (["tf32"] if device == "cuda" else []), "features": self.features,
                "dialect": {"adam-epsilon": "uncorrected"}, "threads": phrase, "effective_threads": effective,
                "flush_denormals": self.runtime.flushes()}

    def build(self, job, weights, x, y):
        return Trained(job, weights, x, y)

    def out_of_memory(self, e):
        return self.runtime.out_of_memory(e)


def load(name):
    os.environ["KERAS_BACKEND"] = name.removeprefix("keras-")
    if name == "keras-jax":
        # XLA would leave out the rounding to 16 bit between ops that it fuses.
        os.environ["XLA_FLAGS"] = (os.environ.get("XLA_FLAGS", "") + " --xla_allow_excess_precision=false").strip()
    return Keras(name)
