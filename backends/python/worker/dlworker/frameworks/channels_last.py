"""Weights and images for frameworks whose form is channels-last: conversion
from and to the canonical layout of PROTOCOL.md, section 4, outside of steps."""

import numpy

# Between a flatten and a dense these leave every element in its place.
_ELEMENTWISE = ("relu", "gelu", "sigmoid", "dropout")


class Layout:
    """What follows for a job from images being [N, H, W, C].

    A flattened image has another order than the canonical one. Where only dense
    ops see it, the rows of their weights are permuted instead and the step does
    nothing (folded: op name -> [C, H, W]); elsewhere the step has to transpose
    (transposed: numbers of flatten ops)."""

    def __init__(self, job):
        self.job, self.folded, self.transposed = job, {}, set()
        self.readers = {op.number: [] for op in job.ops}
        for op in job.ops:
            for i in op.inputs:
                self.readers.get(i, []).append(op)
        for op in job.ops:
            shape = job.in_shape(op)
            if op.kind == "flatten" and len(shape) == 3:
                found = self._dense_readers(op.number)
                if found is None:
                    self.transposed.add(op.number)
                else:
                    self.folded.update(dict.fromkeys(found, shape))
        self.kinds = {op.name: op.kind for op in job.ops if op.name}

    def _dense_readers(self, number):
        """Names of the dense ops that read value `number`, directly or through
        elementwise ops; None if anything else reads it."""
        if not self.readers[number]:
            return None  # the logits
        names = []
        for op in self.readers[number]:
            found = [op.name] if op.kind == "dense" else self._dense_readers(op.number) if op.kind in _ELEMENTWISE else None
            if found is None:
                return None
            names += found
        return names

    def ended(self, op):
        """Whether all that is read of a sequence is its last step, by one op."""
        return [reader.kind for reader in self.readers[op.number]] == ["last-step"]

    def image(self, x):
        """[..., C, H, W] as [..., H, W, C]; other inputs as they are."""
        return numpy.moveaxis(x, -3, -1) if self.job.input.kind == "image" else x

    def _order(self, op_name):
        """Where each row of a folded dense op's [in, units] comes from."""
        shape = self.folded[op_name]
        return numpy.arange(numpy.prod(shape)).reshape(shape).transpose(1, 2, 0).reshape(-1)

    def native(self, name, values):
        """A parameter as channels-last frameworks hold it: dense and projections
        [in, out], convolutions [kernel, kernel, C, filters]."""
        op_name, _, part = name.partition(".")
        if values.ndim == 4:
            return values.transpose(2, 3, 1, 0)
        if values.ndim != 2 or self.kinds[op_name] == "embedding":
            return values
        values = values.T
        return values[self._order(op_name)] if op_name in self.folded and part == "weight" else values

    def canonical(self, name, values):
        """The inverse of native."""
        op_name, _, part = name.partition(".")
        if values.ndim == 4:
            return values.transpose(3, 2, 0, 1)
        if values.ndim != 2 or self.kinds[op_name] == "embedding":
            return values
        if op_name in self.folded and part == "weight":
            unfolded = numpy.empty_like(values)
            unfolded[self._order(op_name)] = values
            values = unfolded
        return values.T
