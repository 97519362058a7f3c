"""Small programs for the checks of workers, as jobs of the harness, with
parameters and data drawn at random."""

import copy

import numpy
from dlworker.job import Job


def op(kind, name, shape, **attr):
    return {"op": kind, "name": name, "shape": shape, "attr": attr}


class Program:
    """A chain of ops in float64, 3 batches, 3 classes, trained by Adam."""

    def __init__(self, kind, shape, ops, params, segments=(), batch=6):
        rng = numpy.random.default_rng(1)
        for i, o in enumerate(ops):
            o["in"] = [i - 1]
        self.raw = {
            "program": {"schema": 1, "mode": "train", "batch": batch, "accumulate": 1, "input": {"kind": kind, "shape": shape, "vocab": 9},
                        "data": {"batches": 3, "classes": 3}, "ops": ops,
                        "params": [{"name": n, "shape": s, "buffer": ".running_" in n} for n, s in params.items()],
                        "segments": [{"first": a, "last": b} for a, b in segments],
                        "loss": op("softmax-cross-entropy", "", None, reduction="mean"),
                        "optimizer": op("adam", "", None, rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-7)},
            "settings": {"mode": "train", "precision": "f64", "device": "cpu", "data": "resident", "batch": batch, "accumulate": 1, "threads": 1,
                         "checkpoint": len(segments)},
            "weights": "w", "batches": "b", "for": "check"}
        self.weights = {name: rng.uniform(-0.5, 0.5, shape).astype("float32") for name, shape in params.items()}
        for name in self.weights:
            if name.endswith("running_var"):
                self.weights[name] = numpy.ones_like(self.weights[name])
        whole = (3, batch, *shape)
        self.x = rng.integers(0, 9, whole).astype("int32") if kind == "tokens" else rng.normal(size=whole).astype("float32")
        self.y = rng.integers(0, 3, (3, batch)).astype("int32")

    def changed(self, precision="f64", mode="train", accumulate=1, data="resident", segments=()):
        """The same program, parameters and data in other settings."""
        other = copy.copy(self)
        other.raw = copy.deepcopy(self.raw)
        other.raw["program"].update(mode=mode, accumulate=accumulate, segments=[{"first": a, "last": b} for a, b in segments])
        other.raw["settings"].update(precision=precision, mode=mode, accumulate=accumulate, data=data, checkpoint=len(segments))
        return other

    def build(self, framework, claims):
        """The program built by a framework whose hello was claims."""
        return framework.build(Job(self.raw, claims), self.weights, self.x, self.y)


def recurrent():
    """Two LSTMs, of the first of which all outputs are read and of the second the last."""
    ops = [op("embedding", "emb", [5, 4], vocab=9, units=4), op("lstm", "a", [5, 3], units=3), op("lstm", "b", [5, 2], units=2),
           op("last-step", "", [2]), op("dense", "fc", [3], units=3)]
    shapes = {"emb.weight": [9, 4], "fc.weight": [3, 2]}
    for name, width, units in (("a", 4, 3), ("b", 3, 2)):
        shapes.update({name + ".weight_ih": [4 * units, width], name + ".weight_hh": [4 * units, units], name + ".bias": [4 * units]})
    return Program("tokens", [5], ops, shapes)


def deep(segments=(), layers=4, width=3, batch=6):
    """Dense layers with sigmoids between them, the last of which puts out the logits."""
    ops, shapes = [], {}
    for i in range(layers):
        units = width if i < layers - 1 else 3
        ops += [op("dense", "fc%d" % i, [units], units=units), op("sigmoid", "", [units])]
        shapes["fc%d.weight" % i] = [units, width]
    return Program("vector", [width], ops[:-1], shapes, segments, batch)


def convolutional():
    """Convolution, batch normalisation, both kinds of pooling, a dense layer."""
    ops = [op("conv2d", "conv", [4, 6, 6], filters=4, kernel=3, stride=1, pad=1, bias=True),
           op("batchnorm", "bn", [4, 6, 6], epsilon=1e-5, momentum=0.1), op("relu", "", [4, 6, 6]),
           op("maxpool2d", "", [4, 3, 3], size=2, stride=2),
           op("conv2d", "wide", [4, 2, 2], filters=4, kernel=3, stride=2, pad=1), op("avgpool", "", [4]),
           op("dense", "fc", [3], units=3, bias=True)]
    return Program("image", [2, 6, 6], ops, {
        "conv.weight": [4, 2, 3, 3], "conv.bias": [4], "bn.weight": [4], "bn.bias": [4], "bn.running_mean": [4], "bn.running_var": [4],
        "wide.weight": [4, 4, 3, 3], "fc.weight": [3, 4], "fc.bias": [3]})


def attentive():
    """Attention between layer normalisation and GELU."""
    ops = [op("layernorm", "ln", [5, 8], epsilon=1e-5), op("attention", "mix", [5, 8], heads=2, causal=True), op("gelu", "", [5, 8]),
           op("avgpool", "", [8]), op("dense", "fc", [3], units=3, bias=True)]
    return Program("sequence", [5, 8], ops, {
        "ln.weight": [8], "ln.bias": [8], "mix.qkv.weight": [24, 8], "mix.qkv.bias": [24], "mix.out.weight": [8, 8], "mix.out.bias": [8],
        "fc.weight": [3, 8], "fc.bias": [3]})


def steep():
    """One dense layer whose gradients times a loss scale of 1024 are beyond
    float16: 6 examples of about 2000 times 1024/6 times an error of about 1/2."""
    program = Program("vector", [4], [op("dense", "fc", [3], units=3)], {"fc.weight": [3, 4]})
    program.weights["fc.weight"] *= 1e-4
    program.x = numpy.sign(program.x) * 2000
    program.raw["program"]["optimizer"]["attr"]["rate"] = 1e-5
    return program


def losses(model, steps=4):
    found = []
    for i in range(steps):
        model.step(i % 3)
        found.append(model.loss())
    return found
