"""What the compliance suite cannot see of the PyTorch workers: where memory is
allocated, and what a step does besides the work.

    python -s pytorch_checks.py
"""

import os
import sys
import unittest
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "worker"))

import numpy
import torch
from dlworker.frameworks import pytorch, pytorch_network
from dlworker.job import Job

FRAMEWORK = pytorch.load("pytorch")
CLAIMS = {"name": "x", **FRAMEWORK.hello(1, "cpu")}


def op(kind, name, shape, **attr):
    return {"op": kind, "name": name, "shape": shape, "attr": attr}


def build(optimizer, mode="train", precision="f32", size=1.0, accumulate=1, segments=(), data="resident"):
    """A perceptron on images of 2x2 of about that size, batches of 4."""
    rng = numpy.random.default_rng(1)
    ops = [op("flatten", "", [4]), op("dense", "a", [5], units=5, bias=True), op("relu", "", [5]), op("dense", "b", [3], units=3, bias=True)]
    for i, o in enumerate(ops):
        o["in"] = [i - 1]
    params = {"a.weight": [5, 4], "a.bias": [5], "b.weight": [3, 5], "b.bias": [3]}
    raw = {"program": {"schema": 1, "mode": mode, "batch": 4, "accumulate": accumulate, "input": {"kind": "image", "shape": [1, 2, 2]},
                       "data": {"batches": 2, "classes": 3}, "ops": ops, "params": [{"name": n, "shape": s} for n, s in params.items()],
                       "segments": [{"first": a, "last": b} for a, b in segments],
                       "loss": op("softmax-cross-entropy", "", None, reduction="mean"), "optimizer": optimizer},
           "settings": {"mode": mode, "precision": precision, "device": "cpu", "data": data, "batch": 4, "accumulate": accumulate, "threads": 1,
                        "checkpoint": len(segments)},
           "weights": "w", "batches": "b", "for": "check"}
    weights = {n: rng.uniform(-0.5, 0.5, s).astype("float32") for n, s in params.items()}
    x, y = rng.normal(size=(2, 4, 1, 2, 2)).astype("float32"), rng.integers(0, 3, (2, 4)).astype("int32")
    return FRAMEWORK.build(Job(raw, CLAIMS), weights, numpy.float32(size) * x, y)


ADAM = op("adam", "", None, rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-7)
MOMENTUM = op("sgd", "", None, rate=0.01, momentum=0.9)


class Reset(unittest.TestCase):
    def test_keeps_the_memory_of_optimizer_state(self):
        """The first step after a reset is timed: it must not allocate what the
        steps before it had."""
        for optimizer in ADAM, MOMENTUM:
            model = build(optimizer)
            model.step(0)
            before = {id(p): {k: v.data_ptr() for k, v in s.items()} for p, s in model.optimizer.state.items()}
            self.assertTrue(before)
            model.reset()
            after = {id(p): {k: v.data_ptr() for k, v in s.items()} for p, s in model.optimizer.state.items()}
            self.assertEqual(before, after)
            for state in model.optimizer.state.values():
                self.assertTrue(all(not v.any() for v in state.values()))

    def test_makes_the_first_step_the_first_again(self):
        for optimizer in ADAM, MOMENTUM:
            model = build(optimizer)
            made = []
            for _ in range(2):
                for i in (0, 1, 0):
                    model.step(i)
                made.append({n: v.copy() for n, v in model.read_params().items()})
                model.reset()
            for name, values in made[0].items():
                numpy.testing.assert_array_equal(values, made[1][name])


class Inference(unittest.TestCase):
    def test_enters_inference_mode_once_for_many_steps(self):
        model = build(None, "infer")
        with model.stepping():
            self.assertTrue(torch.is_inference_mode_enabled())
            model.step(0)
            model.step(1)
        self.assertTrue(model.last[0].is_inference())
        self.assertGreater(model.loss(), 0)

    def test_loss_of_16_bit_logits_is_made_in_32(self):
        for precision in "bf16", "f16":
            model = build(None, "infer", precision, size=3.0)
            with model.stepping():
                model.step(0)
            z, y = model.last[0].double(), model.last[1]
            self.assertAlmostEqual(model.loss(), float(torch.nn.functional.cross_entropy(z, y)), 6)

    def test_calls_functions_where_a_module_would_only_call_one(self):
        text = pytorch_network.source(build(None, "infer").job)
        self.assertIn("functional.relu(", text)
        self.assertIn("torch.flatten(", text)


def error(got, want):
    """The largest distance relative to the norm of what is wanted, over arrays by name."""
    return max(numpy.linalg.norm(got[n] - want[n]) / numpy.linalg.norm(want[n]) for n in want)


MIXED = {"bf16-mixed": 2.0 ** -8, "f16-mixed": 2.0 ** -11}  # and its unit of roundoff


class Precision(unittest.TestCase):
    def test_is_seen_in_dtypes(self):
        for precision, held, made in (("f32", "f32", "f32"), ("f64", "f64", "f64"), ("bf16-mixed", "f32", "bf16"), ("f16-mixed", "f32", "f16")):
            self.assertEqual(build(ADAM, precision=precision).dtypes, {"params": held, "activations": made})
        for precision in "bf16", "f16":
            self.assertEqual(build(None, "infer", precision).dtypes, {"params": precision, "activations": precision})

    def test_activations_are_what_products_put_out(self):
        """Logits of 16 bit are no evidence for what lies before them."""
        model = build(ADAM, precision="bf16-mixed")
        first = model.network.layers[1]
        with mock.patch.object(first, "forward", lambda x: torch.nn.functional.linear(x, first.weight, first.bias).float()):
            self.assertEqual(model._dtypes()["activations"], "f32")

    def test_rounds_to_its_unit_and_no_more(self):
        for precision, unit in MIXED.items():
            exact, mixed = build(ADAM), build(ADAM, precision=precision)
            for read in "read_logits", "read_grads":
                want, got = getattr(exact, read)(0), getattr(mixed, read)(0)
                if read == "read_logits":
                    want, got = {"z": want}, {"z": got}
                self.assertGreater(error(got, want), unit / 64, precision)
                self.assertLess(error(got, want), unit * 8, precision)

    def test_keeps_master_parameters_and_state_in_32_bits(self):
        for precision in MIXED:
            for optimizer in ADAM, MOMENTUM:
                model = build(optimizer, precision=precision)
                model.step(0)
                kept = [p for p in model.network.parameters()] + [v for s in model.optimizer.state.values() for v in s.values()]
                self.assertEqual({v.dtype for v in kept} | {p.grad.dtype for p in model.network.parameters()} | {model.last.dtype}, {torch.float32})

    def test_segments_are_recomputed_in_the_same_precision(self):
        for precision in MIXED:
            plain, recomputed = build(ADAM, precision=precision), build(ADAM, precision=precision, segments=[(1, 2)])
            self.assertEqual(recomputed.segments, 1)
            self.assertEqual(error(recomputed.read_grads(0), plain.read_grads(0)), 0)

    def test_micro_batches_are_averaged(self):
        for precision, unit in MIXED.items():
            self.assertLess(error(build(ADAM, precision=precision, accumulate=2).read_grads(0), build(ADAM).read_grads(0)), unit * 8)


class LossScale(unittest.TestCase):
    """Inputs of a size that the first steps overflow in float16."""

    SIZE = 1000.0

    def test_is_told_by_the_scaler(self):
        for precision, scale in (("f32", 0), ("bf16-mixed", 0), ("f16-mixed", 1024)):
            self.assertEqual(build(ADAM, precision=precision).loss_scale, scale)

    def skipped(self, model):
        """Steps before the first update, each held to changing nothing but the scale."""
        before = {n: v.copy() for n, v in model.read_params().items()}
        for skipped in range(10):
            scale = model.scaler.get_scale()
            model.step(0)
            self.assertTrue(numpy.isfinite(model.loss()))
            if model.scaler.get_scale() == scale:
                self.assertGreater(error(model.read_params(), before), 0)
                return skipped
            self.assertEqual(model.scaler.get_scale(), scale / 2)
            self.assertEqual(error(model.read_params(), before), 0)
            self.assertFalse(any(v.any() for s in model.optimizer.state.values() for v in s.values()))
        self.fail("no step made an update")

    def test_steps_that_overflow_change_nothing(self):
        for optimizer in ADAM, MOMENTUM:
            for accumulate in 1, 2:
                model = build(optimizer, precision="f16-mixed", size=self.SIZE, accumulate=accumulate)
                self.assertGreater(self.skipped(model), 0)

    def test_a_reset_restores_it(self):
        for optimizer in ADAM, MOMENTUM:
            model = build(optimizer, precision="f16-mixed", size=self.SIZE)
            made = []
            for _ in range(2):
                self.assertEqual(model.scaler.get_scale(), 1024)
                for i in range(8):
                    model.step(0)
                self.assertLess(model.scaler.get_scale(), 1024)
                self.assertGreater(model.scaler._get_growth_tracker(), 0)
                made.append({n: v.copy() for n, v in model.read_params().items()})
                model.reset()
            self.assertEqual(model.scaler._get_growth_tracker(), 0)
            self.assertEqual(error(made[1], made[0]), 0)

    def test_is_taken_out_of_gradients(self):
        for size in 1.0, self.SIZE:
            model = build(ADAM, precision="f16-mixed", size=size)
            before = model.scaler.get_scale()
            self.assertLess(error(model.read_grads(0), build(ADAM, size=size).read_grads(0)), 2.0 ** -8)
            self.assertEqual(model.scaler.get_scale(), before)


class Host(unittest.TestCase):
    def test_a_step_makes_tensors_of_arrays(self):
        for precision in "f32", "f64", "bf16-mixed":
            resident, host = build(ADAM, precision=precision), build(ADAM, precision=precision, data="host")
            self.assertTrue(all(isinstance(b, numpy.ndarray) for b in host.xs + host.ys))
            for i in 0, 1:
                resident.step(i), host.step(i)
            self.assertEqual(error(host.read_params(), resident.read_params()), 0)


if __name__ == "__main__":
    unittest.main()
