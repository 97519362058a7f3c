"""The ops of PROTOCOL.md, section 4, as layers of Keras 3, and their parameters
in Keras' layout.

Images are channels last, Keras' default; on PyTorch channels first, where its
kernels would transpose every image otherwise."""

import keras
import numpy

from ..errors import Unsupported
from .channels_last import Layout

OPS = ("dense conv2d maxpool2d avgpool batchnorm layernorm relu gelu sigmoid flatten embedding lstm attention dropout add "
       "last-step").split()


class Embedding(keras.layers.Embedding):
    """keras.layers.Embedding with a dense gradient. On TensorFlow take's own is
    sparse, and Keras' optimizers then leave the moments of rows that do not
    occur as they are; on PyTorch and JAX they decay, as in the optimizers' papers."""

    def call(self, inputs):
        return keras.ops.cast(keras.ops.take(keras.ops.reshape(self.embeddings, self.embeddings.shape), inputs, axis=0), self.compute_dtype)


class Recomputed(keras.layers.Layer):
    """A segment, as a keras.Model of its own under keras.remat: the backward pass
    makes again what is inside."""

    def __init__(self, segment):
        super().__init__()
        self.segment = segment

    def call(self, *given, training=None):
        return keras.remat(lambda *given: self.segment(list(given), training=training))(*given)

    def compute_output_spec(self, *_given, training=None):
        return keras.KerasTensor(self.segment.output_shape, self.segment.outputs[0].dtype)


class Network:
    """A keras.Model of the program, and the way between its variables and the
    program's parameters."""

    def __init__(self, job):
        self.job = job
        self.first = keras.config.image_data_format() == "channels_first"
        self.layout = Layout(job)
        if self.first:  # nothing is permuted
            self.layout.folded, self.layout.transposed = {}, set()
        self.layers, self.segments = {}, []
        shape = tuple(job.input.shape)
        if job.input.kind == "image" and not self.first:
            shape = shape[1:] + shape[:1]
        inputs = keras.Input(shape, dtype="int32" if job.input.kind == "tokens" else None)
        values = {-1: inputs}
        segments, i = dict(job.segments), 0
        while i < len(job.ops):
            last = segments.get(i, i)
            if i in segments:
                values[last] = self._recomputed(job.ops[i:last + 1], values)
            else:
                values[i] = self._apply(job.ops[i], [values[j] for j in job.ops[i].inputs])
            i = last + 1
        self.model = keras.Model(inputs, values[len(job.ops) - 1])
        self.kinds = {op.name: op for op in job.ops if op.name}

    def images(self, x):
        return x if self.first else numpy.ascontiguousarray(self.layout.image(x))

    def products(self):
        """The layers that multiply matrices; a segment counts as one."""
        kinds = keras.layers.Dense, keras.layers.Conv2D, keras.layers.LSTM, keras.layers.MultiHeadAttention, Recomputed
        return [layer for layer in self.model.layers if isinstance(layer, kinds)]

    def _recomputed(self, ops, values):
        """The output of a segment."""
        for op in ops:
            if op.kind in ("batchnorm", "dropout"):
                # Its statistics would move twice, its mask be another the second time.
                raise Unsupported("checkpointing of %s: keras.remat changes the state of a layer that it calls again" % op)
        given = sorted({i for op in ops for i in op.inputs if i < ops[0].number})
        inputs = {i: keras.Input(batch_shape=values[i].shape, dtype=values[i].dtype) for i in given}
        inside = dict(inputs)
        for op in ops:
            inside[op.number] = self._apply(op, [inside[i] for i in op.inputs])
        segment = keras.Model(list(inputs.values()), inside[ops[-1].number])
        self.segments.append(Recomputed(segment))
        return self.segments[-1](*[values[i] for i in given])

    def _apply(self, op, given):
        x = given[0]
        if op.kind == "last-step":
            return x if len(x.shape) == 2 else x[:, -1]  # an LSTM may have returned that step alone
        if op.kind == "gelu":
            return keras.ops.gelu(x, approximate=False)
        if op.kind == "add":
            return keras.layers.Add()(given)
        if op.kind == "flatten" and op.number in self.layout.transposed:
            x = keras.layers.Permute((3, 1, 2))(x)
        if op.kind == "conv2d" and op.pad and not _same(op):
            x = keras.layers.ZeroPadding2D(op.pad)(x)
        layer = self._layer(op)
        if op.name:
            self.layers[op.name] = layer
        return layer(x, x, use_causal_mask=op.causal) if op.kind == "attention" else layer(x)

    def _layer(self, op):
        layers, image = keras.layers, len(self.job.in_shape(op)) == 3
        match op.kind:
            case "dense":
                return layers.Dense(op.units, use_bias=op.bias)
            case "conv2d":
                return layers.Conv2D(op.filters, op.kernel, op.stride, "same" if _same(op) else "valid", use_bias=op.bias)
            case "maxpool2d":
                return layers.MaxPooling2D(op.size, op.stride)
            case "avgpool":
                # A sequence is [N, T, D] whatever the format of images is.
                return layers.GlobalAveragePooling2D() if image else layers.GlobalAveragePooling1D(data_format="channels_last")
            case "batchnorm":
                # Keras' momentum is the weight of the old value.
                return layers.BatchNormalization(axis=1 if image and self.first else -1, momentum=1 - op.momentum, epsilon=op.epsilon)
            case "layernorm":
                return layers.LayerNormalization(epsilon=op.epsilon)
            case "relu":
                return layers.ReLU()
            case "sigmoid":
                return layers.Activation("sigmoid")
            case "flatten":
                # Of channels-first images this keeps the canonical order, not Keras' own.
                return layers.Flatten(data_format="channels_last")
            case "embedding":
                return (Embedding if keras.backend.backend() == "tensorflow" else layers.Embedding)(op.vocab, op.units)
            case "lstm":
                # All values come from the job. Keras' own first ones are an orthogonal matrix,
                # which PyTorch cannot make in 16 bit.
                return layers.LSTM(op.units, return_sequences=not self.layout.ended(op), recurrent_initializer="zeros")
            case "attention":
                if keras.backend.backend() == "jax" and self.job.device == "cpu" and self.job.precision in ("f16", "f16-mixed"):
                    raise Unsupported("op %s in %s: jax.nn.dot_product_attention needs products of float16 summed in float32, which jaxlib has not on a CPU"
                                      % (op, self.job.precision))
                return layers.MultiHeadAttention(op.heads, self.job.in_shape(op)[-1] // op.heads)
            case "dropout":
                return layers.Dropout(self.job.rate(op))
        raise Unsupported("op %s" % op)

    def variables(self, name):
        """The Keras variables that hold a parameter of the program: one, or of
        "qkv" three."""
        op_name, _, part = name.partition(".")
        layer = self.layers[op_name]
        match self.kinds[op_name].kind, part:
            case "lstm", _:
                return [{"weight_ih": layer.cell.kernel, "weight_hh": layer.cell.recurrent_kernel, "bias": layer.cell.bias}[part]]
            case "batchnorm", _:
                return [{"weight": layer.gamma, "bias": layer.beta, "running_mean": layer.moving_mean,
                         "running_var": layer.moving_variance}[part]]
            case "layernorm", _:
                return [layer.gamma if part == "weight" else layer.beta]
            case "embedding", _:
                return [layer.embeddings]
            case "attention", ("qkv.weight" | "qkv.bias"):
                dense = layer.query_dense, layer.key_dense, layer.value_dense
                return [d.kernel if part == "qkv.weight" else d.bias for d in dense]
            case "attention", _:
                return [layer.output_dense.kernel if part == "out.weight" else layer.output_dense.bias]
        return [layer.kernel if part == "weight" else layer.bias]

    def native(self, name, values):
        """A canonical parameter as the arrays of its variables."""
        held = self.variables(name)
        if name.endswith(".running_var"):
            values = values / self._unbiased(name)
        parts = numpy.split(self.layout.native(name, values), len(held), -1)
        return [numpy.ascontiguousarray(p).reshape(tuple(v.shape)) for p, v in zip(parts, held)]

    def canonical(self, name, arrays):
        """The inverse of native."""
        op_name, _, part = name.partition(".")
        shape = next(p.shape for p in self.job.params if p.name == name)
        if self.kinds[op_name].kind == "attention":
            rows = shape[-1] if part.endswith("weight") else 1
            arrays = [a.reshape(rows, -1) for a in arrays]
            joined = numpy.concatenate(arrays, -1)
            return joined.T.reshape(shape)
        values = self.layout.canonical(name, arrays[0])
        return values * self._unbiased(name) if part == "running_var" else values

    def _unbiased(self, name):
        """Keras moves its running variance by the biased variance of a batch,
        n/(n-1) times smaller than the page's. In training nothing reads it, so
        it is held that much smaller as a whole: the recursion is linear."""
        if not self.job.training:
            return 1.0
        op = self.kinds[name.partition(".")[0]]
        n = self.job.batch * int(numpy.prod(op.shape[1:], dtype=int))
        return n / (n - 1)


def _same(op):
    """Whether pad is what Keras calls "same"."""
    return op.pad > 0 and op.stride == 1 and op.kernel == 2 * op.pad + 1
