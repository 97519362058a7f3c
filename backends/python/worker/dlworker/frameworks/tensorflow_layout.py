"""The layouts that TensorFlow's kernels want, and the way to them from the
canonical ones (PROTOCOL.md, section 4) and back. Nothing of it is in a step."""

import math

import numpy

# Elementwise ops with one input.
ELEMENTWISE = ("relu", "gelu", "sigmoid", "dropout")

# Axes of a canonical parameter in the order in which TensorFlow holds them:
# inputs before outputs, and images channels last.
_AXES = {("dense", "weight"): (1, 0), ("conv2d", "weight"): (2, 3, 1, 0), ("lstm", "weight_ih"): (1, 0),
         ("lstm", "weight_hh"): (1, 0), ("attention", "qkv.weight"): (1, 0), ("attention", "out.weight"): (1, 0)}


class Layout:
    """How a parameter is held. The canonical array is seen in the shape view,
    its axes are reordered, and all but the last are joined where view says
    that one axis stands for several."""

    def __init__(self, shape, axes=None, view=None):
        self.shape, self._view = shape, view or shape
        self._axes = axes or tuple(range(len(shape)))
        self._moved = [self._view[a] for a in self._axes]
        self.held_shape = [math.prod(self._moved[:-1]), self._moved[-1]] if view else self._moved

    def held(self, canonical):
        """A canonical array as TensorFlow holds it."""
        return numpy.ascontiguousarray(canonical.reshape(self._view).transpose(self._axes).reshape(self.held_shape))

    def canonical(self, held):
        """The inverse of held."""
        return held.reshape(self._moved).transpose(numpy.argsort(self._axes)).reshape(self.shape)


def _readers(job):
    """The ops that read each op, by its number."""
    readers = {}
    for op in job.ops:
        for i in op.inputs:
            readers.setdefault(i, []).append(op)
    return readers


def last_only(job):
    """The numbers of the LSTMs of which nothing but the last step is read:
    their outputs are [N, units]."""
    readers = _readers(job)
    return {op.number for op in job.ops if op.kind == "lstm" and op.number in readers
            and all(r.kind == "last-step" for r in readers[op.number])}


def channels_last(job):
    """The outputs that hold a flattened image channels last: number of the op
    -> shape of the image, channels first. They do where all that reads them are
    dense layers, perhaps after elementwise ops: permuting their weights once
    replaces a transposition in every step."""
    readers = _readers(job)

    def absorbed(op):
        after = readers.get(op.number, [])
        return bool(after) and all(r.kind == "dense" or r.kind in ELEMENTWISE and absorbed(r) for r in after)

    found = {}
    for op in job.ops:
        if op.kind == "flatten" and len(job.in_shape(op)) == 3 and absorbed(op):
            found[op.number] = job.in_shape(op)
        elif op.kind in ELEMENTWISE and op.inputs[0] in found:
            found[op.number] = found[op.inputs[0]]
    return found


def owned(job, op):
    """The program's parameters of an op: part -> parameter."""
    return {p.name[len(op.name) + 1:]: p for p in job.params if op.name and p.name.startswith(op.name + ".")}


def layouts(job):
    """The layout of each parameter, by name."""
    images, found = channels_last(job), {}
    for op in job.ops:
        for part, p in owned(job, op).items():
            image = images.get(op.inputs[0]) if (op.kind, part) == ("dense", "weight") else None
            if image:
                found[p.name] = Layout(p.shape, (2, 3, 1, 0), [p.shape[0], *image])
            else:
                found[p.name] = Layout(p.shape, _AXES.get((op.kind, part)))
    return found


def data(job, types, x, y):
    """The batches as TensorFlow takes them, cut into micro-batches: a list of
    lists of pairs of numpy arrays. types is a tensorflow_precision.Types."""
    integer = numpy.int64 if job.device == "cuda" else numpy.int32
    if job.input.kind == "image":
        x = x.transpose(0, 1, 3, 4, 2)
    x = x.astype(integer if job.input.kind == "tokens" else types.given(job))
    y = y.astype(integer if job.loss.kind == "softmax-cross-entropy" else types.statistics.as_numpy_dtype)
    return [list(zip(numpy.split(xb, job.accumulate), numpy.split(yb, job.accumulate))) for xb, yb in zip(x, y)]
