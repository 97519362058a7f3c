"""Checks of 16-bit precisions and of batches on the host that several
frameworks share. A test case that inherits Checks has

    frameworks   name of the entry -> framework
    claims       name of the entry -> its hello
    scale(model) the loss scale that the next step has
"""

from unittest import mock

import numpy
from dlworker import loss_scale
from programs import attentive, convolutional, deep, losses, recurrent, steep

UNIT = {"bf16": 2.0 ** -8, "f16": 2.0 ** -11}


class Checks:
    def build(self, entry, program):
        return program.build(self.frameworks[entry], self.claims[entry])

    def claimed(self, entry, *precisions):
        """Those precisions that an entry claims."""
        return [p for p in precisions if p in self.claims[entry]["precisions"]]

    def pairs(self, *precisions):
        """Pairs of an entry and a precision that it claims."""
        return [(entry, p) for entry in self.frameworks for p in self.claimed(entry, *precisions)]

    def test_mixed_precision_is_near_float32_and_is_not_float32(self):
        for make in (recurrent, deep, convolutional, attentive):
            program = make()
            for entry in self.frameworks:
                exact = self.build(entry, program.changed("f32"))
                want, slopes, trained = exact.read_logits(0), exact.read_grads(0), losses(exact, 3)
                for precision in self.claimed(entry, "bf16-mixed", "f16-mixed"):
                    with self.subTest("%s %s %s" % (entry, precision, make.__name__)):
                        unit = UNIT[precision.removesuffix("-mixed")]
                        half = self.build(entry, program.changed(precision))
                        self.assertEqual(half.dtypes, {"params": "f32", "activations": precision.removesuffix("-mixed")})
                        self.near(half.read_logits(0), want, unit)
                        for name, g in half.read_grads(0).items():
                            self.assertEqual(g.dtype, numpy.float32)
                            # The bias before a batch normalisation has a gradient of nothing but rounding.
                            if (size := abs(slopes[name]).max()) > 1e-6:
                                self.assertLess(abs(g - slopes[name]).max(), 16 * unit * size, name)
                        numpy.testing.assert_allclose(losses(half, 3), trained, rtol=32 * unit)

    def test_parameters_of_inference_have_16_bit(self):
        for make in (recurrent, deep, convolutional, attentive):
            program = make()
            for entry in self.frameworks:
                want = self.build(entry, program.changed("f32", mode="infer")).read_logits(0)
                for precision in self.claimed(entry, "bf16", "f16"):
                    with self.subTest("%s %s %s" % (entry, precision, make.__name__)):
                        half = self.build(entry, program.changed(precision, mode="infer"))
                        self.assertEqual(half.dtypes, {"params": precision, "activations": precision})
                        self.near(half.read_logits(0), want, UNIT[precision])

    def near(self, got, want, unit):
        """Logits differ by about the unit of roundoff, and do differ."""
        error = abs(got - want).max() / abs(want).max()
        self.assertLess(error, 8 * unit)
        self.assertGreater(error, unit / 64)

    def test_accumulation_and_recomputation_in_16_bit(self):
        program = deep()
        for entry, precision in self.pairs("bf16-mixed", "f16-mixed"):
            with self.subTest("%s %s" % (entry, precision)):
                unit = UNIT[precision.removesuffix("-mixed")]
                segments = [(2, 5)] if "checkpoint" in self.claims[entry]["features"] else []
                one = self.build(entry, program.changed(precision))
                parts = self.build(entry, program.changed(precision, accumulate=3, segments=segments))
                numpy.testing.assert_allclose(losses(parts), losses(one), rtol=8 * unit)

    def test_a_step_that_overflows_only_halves_the_scale(self):
        for accumulate in (1, 2):
            program = steep().changed("f16-mixed", accumulate=accumulate)
            for entry, _ in self.pairs("f16-mixed"):
                with self.subTest(entry):
                    model = self.build(entry, program)
                    self.assertEqual(model.loss_scale, 1024)
                    begin, first = model.read_params(), None
                    scales = [self.scale(model)]
                    while len(scales) < 10 and (len(scales) < 2 or scales[-1] < scales[-2]):
                        before = model.read_params()
                        model.step(0)
                        first = first or model.loss()
                        self.assertEqual(model.loss(), first)
                        for name, value in before.items():
                            numpy.testing.assert_array_equal(value, begin[name], name)
                        scales.append(self.scale(model))
                    skipped = len(scales) - 2
                    self.assertGreaterEqual(skipped, 2)
                    self.assertEqual(scales, [1024 / 2 ** i for i in range(skipped + 1)] + [1024 / 2 ** skipped])
                    after = losses(model, 3)
                    # As if the scale had begun where it is now.
                    with mock.patch.object(loss_scale, "INITIAL", scales[-1]):
                        fresh = self.build(entry, program)
                    fresh.step(0)
                    self.assertNotEqual(after[0], first)
                    self.assertEqual(losses(fresh, 3), after)
                    for name, value in model.read_params().items():
                        numpy.testing.assert_array_equal(fresh.read_params()[name], value, name)
                    model.reset()
                    self.assertEqual(self.scale(model), 1024)
                    model.step(0)
                    self.assertEqual(self.scale(model), 512)

    def test_gradients_that_overflow_are_read_at_a_smaller_scale(self):
        program = steep()
        for entry, precision in self.pairs("f16-mixed"):
            with self.subTest("%s %s" % (entry, precision)):
                model, exact = self.build(entry, program.changed(precision)), self.build(entry, program.changed("f32"))
                for name, want in exact.read_grads(0).items():
                    numpy.testing.assert_allclose(model.read_grads(0)[name], want, atol=2.0 ** -8 * abs(want).max())
                self.assertEqual(self.scale(model), 1024)
                for name, value in model.read_params().items():
                    numpy.testing.assert_array_equal(value, exact.read_params()[name])

    def test_the_scale_doubles_after_updates_in_a_row(self):
        program = deep().changed("f16-mixed")
        for entry, _ in self.pairs("f16-mixed"):
            with self.subTest(entry):
                with mock.patch.object(loss_scale, "INTERVAL", 3):
                    model = self.build(entry, program)
                    found = []
                    for i in range(7):
                        model.step(i % 3)
                        found.append(self.scale(model))
                self.assertEqual(found, [1024, 1024, 2048, 2048, 2048, 4096, 4096])
                model.reset()
                model.step(0)
                self.assertEqual(self.scale(model), 1024)

    def test_batches_on_the_host_are_taken_in_the_step(self):
        program = deep()
        for entry, precision in self.pairs("f32", "bf16-mixed"):
            with self.subTest("%s %s" % (entry, precision)):
                model = self.build(entry, program.changed(precision, data="host"))
                numpy.testing.assert_array_equal(losses(model), losses(self.build(entry, program.changed(precision))))
                model.reset()
                model.step(0)
                want = model.loss()
                model.reset()
                for array in arrays(model.batches[0]):
                    self.assertIsInstance(array, numpy.ndarray)
                    array[...] = 1
                model.step(0)
                self.assertNotEqual(model.loss(), want)


def arrays(batch):
    """The arrays of a batch, which may be cut into micro-batches."""
    if isinstance(batch, (list, tuple)):
        return [a for part in batch for a in arrays(part)]
    return [batch]
