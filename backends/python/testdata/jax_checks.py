"""What the compliance suite cannot see of the JAX workers: the loss scale, and
what XLA makes of a step.

    python -s jax_checks.py
"""

import os
import sys
import unittest
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "worker"))

import numpy
import precision_checks
from dlworker.frameworks import jax as worker
from programs import attentive, deep, losses

FRAMEWORKS = {name: worker.load(name) for name in ("jax", "jax-eager")}
CLAIMS = {name: {"name": name, **framework.hello(1, "cpu")} for name, framework in FRAMEWORKS.items()}


def build(program, entry):
    return program.build(FRAMEWORKS[entry], CLAIMS[entry])


class Precisions(precision_checks.Checks, unittest.TestCase):
    frameworks, claims = FRAMEWORKS, CLAIMS

    def scale(self, model):
        return float(model.rule.scale(model.state[2]))

    def test_rounding_survives_the_compiler(self):
        for program in (attentive(), deep(layers=8, width=64)):
            program = program.changed("bf16-mixed")
            want, got = build(program, "jax-eager"), build(program, "jax")
            self.assertGreater((want.read_logits(0) == got.read_logits(0)).mean(), 0.9)
            found = got.read_grads(0)
            equal = [(g == found[name]).mean() for name, g in want.read_grads(0).items() if g.ndim == 2]
            self.assertGreater(min(equal), 0.9)


class Checkpoints(unittest.TestCase):
    def test_a_compiled_step_computes_segments_again(self):
        layers = 64
        for precision in ("f32", "bf16-mixed"):
            with self.subTest(precision):
                program = deep(layers=layers, width=64, batch=384).changed(precision)
                plain = build(program, "jax")
                ops = len(program.raw["program"]["ops"])
                cuts = [(first, min(first + 16, ops) - 1) for first in range(0, ops, 16)]
                recomputed = build(program.changed(precision, segments=cuts), "jax")
                self.assertEqual((plain.segments, recomputed.segments), (0, 8))
                before, after = (m.update.memory_analysis().temp_size_in_bytes for m in (plain, recomputed))
                self.assertLess(after, 0.3 * before)
                once, twice = (m.update.as_text().count(" dot(") for m in (plain, recomputed))
                # All products but the last, which no gradient needs.
                self.assertEqual(twice - once, layers - 1)
                numpy.testing.assert_allclose(losses(recomputed), losses(plain), rtol=1e-6 if precision == "f32" else 2 ** -8)

    def test_a_segment_that_is_merged_is_not_reported(self):
        with mock.patch.dict(worker.RECOMPUTED, clear=True):
            self.assertEqual(build(deep().changed("f32", segments=[(0, 2), (4, 6)]), "jax").segments, 0)


if __name__ == "__main__":
    unittest.main()
