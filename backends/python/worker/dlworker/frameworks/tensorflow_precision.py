"""What the precisions of PROTOCOL.md, section 8, are in TensorFlow: the types
of variables and of activations.

In mixed precision variables have 32 bits and are cast where an op reads them, so
that their gradients have 32 bits again; normalisations, softmax, means and losses
compute in float32. Sources: tensorflow.org/guide/mixed_precision; keras.layers,
whose layers do the same by a policy.
"""

import tensorflow as tf

NAMES = {tf.float64: "f64", tf.float32: "f32", tf.bfloat16: "bf16", tf.float16: "f16"}
# Precision -> type of variables, type of activations, policy of a Keras layer.
_TYPES = {"f64": (tf.float64, tf.float64, "float64"), "f32": (tf.float32, tf.float32, "float32"),
          "tf32": (tf.float32, tf.float32, "float32"),
          "bf16-mixed": (tf.float32, tf.bfloat16, "mixed_bfloat16"), "f16-mixed": (tf.float32, tf.float16, "mixed_float16"),
          "bf16": (tf.bfloat16, tf.bfloat16, "bfloat16"), "f16": (tf.float16, tf.float16, "float16")}


def _same(x):
    return x


class Types:
    """The types of a precision. params and activations hold values of those;
    statistics is the type of running statistics, losses and input files.

    wide and narrow convert an activation to statistics and back; they do nothing
    where the types are the same."""

    def __init__(self, precision):
        self.params, self.activations, self.policy = _TYPES[precision]
        self.half = self.activations.size == 2
        self.statistics = tf.float32 if self.half else self.activations
        self.wide = (lambda x: tf.cast(x, tf.float32)) if self.half else _same
        self.narrow = (lambda x: tf.cast(x, self.activations)) if self.half else _same

    def variable(self, param):
        """The type of the variable that holds a parameter or buffer of a job."""
        return self.statistics if param.buffer else self.params

    def given(self, job):
        """The numpy type of real inputs as a step takes them."""
        return (self.params if job.placement == "resident" else self.statistics).as_numpy_dtype


def reader(variable, kind):
    """A function that reads a variable as an op of that type takes it."""
    if variable.dtype == kind:
        return lambda: variable
    return lambda: tf.cast(variable, kind)
