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
import precision_checks
from dlworker.frameworks import tensorflow_session, tensorflow_v2
from dlworker.job import Job
from programs import Program, attentive, deep, losses, op, recurrent

ENTRIES = ("tensorflow", "tensorflow-function", "tensorflow-xla", "tensorflow-session")
FRAMEWORKS = {name: (tensorflow_session if name == "tensorflow-session" else tensorflow_v2).load(name) for name in ENTRIES}
CLAIMS = {name: {"name": name, **framework.hello(1, "cpu")} for name, framework in FRAMEWORKS.items()}


def build(program, entry):
    return program.build(FRAMEWORKS[entry], CLAIMS[entry])


class Precisions(precision_checks.Checks, unittest.TestCase):
    frameworks, claims = FRAMEWORKS, CLAIMS

    def scale(self, model):
        return float(model.session.run(model.scale) if isinstance(model, tensorflow_session.Graph) else model.scale.numpy())

    def test_products_are_made_of_16_bits(self):
        for entry, precision in self.pairs("bf16-mixed", "f16-mixed"):
            with self.subTest("%s %s" % (entry, precision)):
                model = build(recurrent().changed(precision), entry)
                if entry == "tensorflow":
                    continue  # has no graph
                if entry == "tensorflow-session":
                    graph = model.session.graph
                else:
                    graph = model.update.get_concrete_function(*model.batches[0][0]).graph
                products = [o.get_attr("T") for o in graph.get_operations() if o.type == "MatMul"]
                self.assertTrue(products)
                self.assertEqual({kind.size for kind in products}, {2})

    def test_rounding_survives_the_compiler(self):
        program = attentive().changed("bf16-mixed")
        want, got = build(program, "tensorflow"), build(program, "tensorflow-xla")
        self.assertGreater((want.read_logits(0) == got.read_logits(0)).mean(), 0.9)
        want, got = want.read_grads(0), got.read_grads(0)
        for name in ("mix.qkv.weight", "mix.out.weight", "fc.weight"):
            self.assertGreater((want[name] == got[name]).mean(), 0.9, name)


class Checks(unittest.TestCase):
    def test_long_sequences_are_loops_that_compute_the_same(self):
        program = recurrent()
        want = losses(build(program, "tensorflow-function"))
        with mock.patch.object(tensorflow_session, "STATIC", 4), mock.patch.object(tensorflow_v2, "UNROLLED", 4):
            for entry in ENTRIES:
                model = build(program, entry)
                numpy.testing.assert_allclose(losses(model), want, rtol=1e-12, err_msg=entry)
            loops = [o for o in model.session.graph.get_operations() if o.type == "While"]
            self.assertGreaterEqual(len(loops), 2)

    def test_steps_neither_trace_again_nor_grow(self):
        for entry in ENTRIES:
            with self.subTest(entry):
                model = build(recurrent(), entry)
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
            job = Job(program.raw, CLAIMS["tensorflow"])
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
            once, twice = build(plain, entry), build(recomputed, entry)
            self.assertEqual((once.segments, twice.segments), (0, 1))
            self.assertEqual(products(twice, entry) - products(once, entry), 2, entry)
            numpy.testing.assert_allclose(losses(twice), losses(once), rtol=1e-12)
        eager = build(recomputed, "tensorflow")
        eager.network.functions = [mock.Mock(side_effect=f) for f in eager.network.functions]
        eager.step(0)
        self.assertEqual(sum(f.call_count for f in eager.network.functions), 7 + 4)

    def test_a_session_infers_no_loss(self):
        program = recurrent()
        program.raw["program"]["mode"] = program.raw["settings"]["mode"] = "infer"
        model = build(program, "tensorflow-session")
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
            model = build(program, entry)
            numpy.testing.assert_allclose(model.read_logits(0), y.reshape(6, -1) @ w["fc.weight"].T, rtol=1e-12, err_msg=entry)
            for name, value in model.read_params().items():
                numpy.testing.assert_array_equal(value, w[name], name)


if __name__ == "__main__":
    unittest.main()
