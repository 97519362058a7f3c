"""What the compliance suite cannot see of the PyTorch workers: where memory is
allocated, and what a step does besides the work.

    python -s pytorch_checks.py
"""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "worker"))

import numpy
import torch
from dlworker.frameworks import pytorch, pytorch_network
from dlworker.job import Job

RNG = numpy.random.default_rng(1)
FRAMEWORK = pytorch.load("pytorch")
CLAIMS = {"name": "x", **FRAMEWORK.hello(1, "cpu")}


def op(kind, name, shape, **attr):
    return {"op": kind, "name": name, "shape": shape, "attr": attr}


def build(optimizer, mode="train"):
    """A perceptron on images of 2x2, batches of 4."""
    ops = [op("flatten", "", [4]), op("dense", "a", [5], units=5, bias=True), op("relu", "", [5]), op("dense", "b", [3], units=3, bias=True)]
    for i, o in enumerate(ops):
        o["in"] = [i - 1]
    params = {"a.weight": [5, 4], "a.bias": [5], "b.weight": [3, 5], "b.bias": [3]}
    raw = {"program": {"schema": 1, "mode": mode, "batch": 4, "accumulate": 1, "input": {"kind": "image", "shape": [1, 2, 2]},
                       "data": {"batches": 2, "classes": 3}, "ops": ops, "params": [{"name": n, "shape": s} for n, s in params.items()], "segments": [],
                       "loss": op("softmax-cross-entropy", "", None, reduction="mean"), "optimizer": optimizer},
           "settings": {"mode": mode, "precision": "f32", "device": "cpu", "data": "resident", "batch": 4, "accumulate": 1, "threads": 1, "checkpoint": 0},
           "weights": "w", "batches": "b", "for": "time"}
    weights = {n: RNG.uniform(-0.5, 0.5, s).astype("float32") for n, s in params.items()}
    return FRAMEWORK.build(Job(raw, CLAIMS), weights, RNG.normal(size=(2, 4, 1, 2, 2)).astype("float32"), RNG.integers(0, 3, (2, 4)).astype("int32"))


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

    def test_calls_functions_where_a_module_would_only_call_one(self):
        text = pytorch_network.source(build(None, "infer").job)
        self.assertIn("functional.relu(", text)
        self.assertIn("torch.flatten(", text)


if __name__ == "__main__":
    unittest.main()
