"""What the compliance suite cannot see of the TensorFlow workers: its programs
are short sequences on a CPU, and it sees no graphs.

    python -s tensorflow_checks.py
"""

import gc
import os
import sys
import unittest
from unittest import mock

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "worker"))

import numpy
from dlworker.frameworks import tensorflow_session, tensorflow_v2
from dlworker.job import Job
from dlworker.model import Model

RNG = numpy.random.default_rng(1)
ENTRIES = ("tensorflow", "tensorflow-function", "tensorflow-xla", "tensorflow-session")
FRAMEWORKS = {name: (tensorflow_session if name == "tensorflow-session" else tensorflow_v2).load(name) for name in ENTRIES}
CLAIMS = {"name": "x", **FRAMEWORKS["tensorflow"].hello(1, "cpu")}


def op(kind, name, shape, **attr):
    return {"op": kind, "name": name, "shape": shape, "attr": attr}


class Program:
    """A chain of ops in float64, batches of 6. Parameters are drawn at random."""

    def __init__(self, kind, shape, ops, params, segments=()):
        for i, o in enumerate(ops):
            o["in"] = [i - 1]
        self.raw = {
            "program": {"schema": 1, "mode": "train", "batch": 6, "accumulate": 1, "input": {"kind": kind, "shape": shape, "vocab": 9},
                        "data": {"batches": 3, "classes": 3}, "ops": ops, "params": [{"name": n, "shape": s} for n, s in params.items()],
                        "segments": [{"first": a, "last": b} for a, b in segments],
                        "loss": op("softmax-cross-entropy", "", None, reduction="mean"),
                        "optimizer": op("adam", "", None, rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-7)},
            "settings": {"mode": "train", "precision": "f64", "device": "cpu", "data": "resident", "batch": 6, "accumulate": 1, "threads": 1,
                         "checkpoint": len(segments)},
            "weights": "w", "batches": "b", "for": "check"}
        self.weights = {name: RNG.uniform(-0.5, 0.5, shape).astype("float32") for name, shape in params.items()}
        whole = (3, 6, *shape)
        self.x = RNG.integers(0, 9, whole).astype("int32") if kind == "tokens" else RNG.normal(size=whole).astype("float32")
        self.y = RNG.integers(0, 3, (3, 6)).astype("int32")

    def build(self, entry) -> Model:
        return FRAMEWORKS[entry].build(Job(self.raw, CLAIMS), self.weights, self.x, self.y)


def recurrent():
    """Two LSTMs, of the first of which all outputs are read and of the second the last."""
    ops = [op("embedding", "emb", [5, 4], vocab=9, units=4), op("lstm", "a", [5, 3], units=3), op("lstm", "b", [5, 2], units=2),
           op("last-step", "", [2]), op("dense", "fc", [3], units=3)]
    shapes = {"emb.weight": [9, 4], "fc.weight": [3, 2]}
    for name, width, units in (("a", 4, 3), ("b", 3, 2)):
        shapes.update({name + ".weight_ih": [4 * units, width], name + ".weight_hh": [4 * units, units], name + ".bias": [4 * units]})
    return Program("tokens", [5], ops, shapes)


def deep(segments=()):
    """Four dense layers with sigmoids between them."""
    ops, shapes = [], {}
    for i in range(4):
        ops += [op("dense", "fc%d" % i, [3], units=3), op("sigmoid", "", [3])]
        shapes["fc%d.weight" % i] = [3, 3]
    return Program("vector", [3], ops[:-1], shapes, segments)


def losses(model, steps=4):
    found = []
    for i in range(steps):
        model.step(i % 3)
        found.append(model.loss())
    return found


class Checks(unittest.TestCase):
    def test_long_sequences_are_loops_that_compute_the_same(self):
        program = recurrent()
        want = losses(program.build("tensorflow-function"))
        with mock.patch.object(tensorflow_session, "STATIC", 4), mock.patch.object(tensorflow_v2, "UNROLLED", 4):
            for entry in ENTRIES:
                model = program.build(entry)
                numpy.testing.assert_allclose(losses(model), want, rtol=1e-12, err_msg=entry)
            loops = [o for o in model.session.graph.get_operations() if o.type == "While"]
            self.assertGreaterEqual(len(loops), 2)

    def test_steps_neither_trace_again_nor_grow(self):
        for entry in ENTRIES:
            with self.subTest(entry):
                model = recurrent().build(entry)
                first = losses(model)
                model.reset()
                gc.collect()
                objects = len(gc.get_objects())
                operations = entry == "tensorflow-session" and len(model.session.graph.get_operations())
                self.assertEqual(losses(model), first)
                losses(model, 50)
                model.reset()
                model.read_params()
                gc.collect()
                self.assertLess(len(gc.get_objects()) - objects, 50)
                if entry == "tensorflow-session":
                    self.assertEqual(len(model.session.graph.get_operations()), operations)
                elif entry != "tensorflow":
                    self.assertEqual(model.update.experimental_get_tracing_count(), 1)

    def test_preloaded_batches_are_the_fed_ones(self):
        program = recurrent()
        for accumulate in (1, 2):
            program.raw["program"]["accumulate"] = program.raw["settings"]["accumulate"] = accumulate
            job = Job(program.raw, CLAIMS)
            fed, loaded = (tensorflow_session.Graph(job, program.weights, program.x, program.y, preload) for preload in (False, True))
            self.assertEqual(losses(fed), losses(loaded))

    def test_segments_are_computed_twice(self):
        plain, recomputed = deep(), deep([(2, 5)])
        recomputed.weights, recomputed.x, recomputed.y = plain.weights, plain.x, plain.y

        def products(model, entry):
            if entry == "tensorflow-session":
                graph = model.session.graph
            else:
                graph = model.update.get_concrete_function(*model.batches[0][0]).graph
            return sum(o.type == "MatMul" for o in graph.get_operations())

        for entry in ENTRIES[1:]:
            once, twice = plain.build(entry), recomputed.build(entry)
            self.assertEqual((once.segments, twice.segments), (0, 1))
            self.assertEqual(products(twice, entry) - products(once, entry), 2, entry)
            numpy.testing.assert_allclose(losses(twice), losses(once), rtol=1e-12)
        eager = recomputed.build("tensorflow")
        eager.network.functions = [mock.Mock(side_effect=f) for f in eager.network.functions]
        eager.step(0)
        self.assertEqual(sum(f.call_count for f in eager.network.functions), 7 + 4)

    def test_a_session_infers_no_loss(self):
        program = recurrent()
        program.raw["program"]["mode"] = program.raw["settings"]["mode"] = "infer"
        model = program.build("tensorflow-session")
        with mock.patch.object(model.session, "run", wraps=model.session.run) as run:
            model.step(1)
        (fetched, _), = (call.args for call in run.call_args_list)
        self.assertIs(fetched, model.logits)
        self.assertAlmostEqual(model.loss(), float(model.session.run(model.cost, model._feed(1, 0))), places=12)

    def test_flattened_images_that_no_dense_layer_reads_are_channels_first(self):
        shape, n = [2, 3, 4], 24
        ops = [op("flatten", "", [n]), op("layernorm", "ln", [n], epsilon=1e-5), op("dense", "fc", [3], units=3)]
        self._normalised(Program("image", shape, ops, {"ln.weight": [n], "ln.bias": [n], "fc.weight": [3, n]}), (6, n))

    def test_layers_of_images_are_normalised_over_their_width(self):
        shape, n = [2, 3, 4], 24
        ops = [op("layernorm", "ln", shape, epsilon=1e-5), op("flatten", "", [n]), op("dense", "fc", [3], units=3)]
        self._normalised(Program("image", shape, ops, {"ln.weight": [4], "ln.bias": [4], "fc.weight": [3, n]}), (6, *shape))

    def _normalised(self, program, shape):
        x, w = program.x[0].astype("float64").reshape(shape), {k: v.astype("float64") for k, v in program.weights.items()}
        y = (x - x.mean(-1, keepdims=True)) / numpy.sqrt(x.var(-1, keepdims=True) + 1e-5) * w["ln.weight"] + w["ln.bias"]
        for entry in ENTRIES:
            model = program.build(entry)
            numpy.testing.assert_allclose(model.read_logits(0), y.reshape(6, -1) @ w["fc.weight"].T, rtol=1e-12, err_msg=entry)
            for name, value in model.read_params().items():
                numpy.testing.assert_array_equal(value, w[name], name)


if __name__ == "__main__":
    unittest.main()
