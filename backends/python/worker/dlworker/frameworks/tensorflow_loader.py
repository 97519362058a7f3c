"""Batches from tf.data, in the program's order.

Source: tensorflow.org/guide/data, tf.data.Options."""

import numpy
import tensorflow as tf


class Loader:
    """A pipeline over single examples that is batched and fetched ahead, one pass
    after the other."""

    def __init__(self, x, y, size, per_step, threads):
        """x and y are all examples in order, in host memory; a step takes per_step
        micro-batches of size examples."""
        options = tf.data.Options()
        options.deterministic = True
        options.threading.private_threadpool_size = threads
        options.threading.max_intra_op_parallelism = 1
        examples = tf.data.Dataset.from_tensor_slices((numpy.ascontiguousarray(x), numpy.ascontiguousarray(y)))
        self.micro_batches = examples.batch(size, drop_remainder=True).prefetch(tf.data.AUTOTUNE).with_options(options)
        self.per_step, self.steps = per_step, len(x) // (size * per_step)
        self.following, self.ahead = None, None

    def __call__(self, i):
        """The micro-batches of step i, pairs of tensors. The pipeline goes on where
        it was unless another step is asked for."""
        if i != self.following:
            self._begin(i)
        pairs = [next(self.ahead) for _ in range(self.per_step)]
        self.following = i + 1
        if self.following == self.steps:
            self._begin(0)
        return pairs

    def _begin(self, i):
        self.ahead = iter(self.micro_batches.skip(i * self.per_step) if i else self.micro_batches)
        self.following = i
