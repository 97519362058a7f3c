"""What the compliance suite cannot see of the Keras workers: what they keep, and
what they say of a framework's flags and of devices that are not there.

    KERAS_BACKEND=torch python -s keras_checks.py
"""

import collections.abc
import gc
import os
import sys
import tracemalloc
import unittest
from types import SimpleNamespace
from unittest import mock

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
BACKEND = os.environ["KERAS_BACKEND"]
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "worker"))

import numpy
from dlworker.frameworks import keras
from dlworker.job import Job

FRAMEWORK = keras.load("keras-" + BACKEND)
CLAIMS = FRAMEWORK.hello(1, "cpu")
RUNTIME = FRAMEWORK.runtime
WIDTH, BATCHES, BATCH = 1024, 8, 128
WEIGHTS, DATA = 4 * WIDTH * WIDTH, 4 * BATCHES * BATCH * WIDTH  # bytes, the same


class Anew(collections.abc.Mapping):
    """Parameters that are made each time they are asked for, as a file is read."""

    shapes = {"a.weight": (WIDTH, WIDTH), "b.weight": (3, WIDTH)}

    def __getitem__(self, name):
        return numpy.random.default_rng(len(name) + self.shapes[name][0]).uniform(-0.05, 0.05, self.shapes[name]).astype("float32")

    def __iter__(self):
        return iter(self.shapes)

    def __len__(self):
        return len(self.shapes)


OPTIMIZERS = {"adam": {"rate": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7}, "sgd": {"rate": 0.01, "momentum": 0.9}}


def build(kind="adam", placement="resident"):
    optimizer = OPTIMIZERS[kind]
    ops = [{"op": "dense", "name": "a", "in": [-1], "shape": [WIDTH], "attr": {"units": WIDTH}},
           {"op": "sigmoid", "in": [0], "shape": [WIDTH]},
           {"op": "dense", "name": "b", "in": [1], "shape": [3], "attr": {"units": 3}}]
    raw = {"program": {"schema": 1, "mode": "train", "batch": BATCH, "accumulate": 1, "input": {"kind": "vector", "shape": [WIDTH]},
                       "data": {"batches": BATCHES, "classes": 3}, "ops": ops, "params": [{"name": n, "shape": list(s)} for n, s in Anew.shapes.items()],
                       "loss": {"op": "softmax-cross-entropy", "attr": {"reduction": "mean"}}, "optimizer": {"op": kind, "attr": optimizer}},
           "settings": {"mode": "train", "precision": "f32", "device": "cpu", "data": placement, "batch": BATCH, "accumulate": 1, "threads": 1},
           "weights": "w", "batches": "b", "for": "check"}
    rng = numpy.random.default_rng(1)
    x = rng.standard_normal((BATCHES, BATCH, WIDTH), "float32")
    return FRAMEWORK.build(Job(raw, CLAIMS), Anew(), x, rng.integers(0, 3, (BATCHES, BATCH)).astype("int32"))


def small(precision="f32", kind="adam", mode="train", size=1.0, segments=()):
    """A perceptron on inputs of about that size, batches of 4."""
    rng = numpy.random.default_rng(1)
    ops = [{"op": "dense", "name": "a", "in": [-1], "shape": [5], "attr": {"units": 5, "bias": True}}, {"op": "relu", "in": [0], "shape": [5]},
           {"op": "dense", "name": "b", "in": [1], "shape": [3], "attr": {"units": 3, "bias": True}}]
    params = {"a.weight": [5, 4], "a.bias": [5], "b.weight": [3, 5], "b.bias": [3]}
    raw = {"program": {"schema": 1, "mode": mode, "batch": 4, "accumulate": 1, "input": {"kind": "vector", "shape": [4]},
                       "data": {"batches": 2, "classes": 3}, "ops": ops, "params": [{"name": n, "shape": s} for n, s in params.items()],
                       "segments": [{"first": a, "last": b} for a, b in segments],
                       "loss": {"op": "softmax-cross-entropy", "attr": {"reduction": "mean"}}, "optimizer": {"op": kind, "attr": OPTIMIZERS[kind]}},
           "settings": {"mode": mode, "precision": precision, "device": "cpu", "data": "resident", "batch": 4, "accumulate": 1, "threads": 1,
                        "checkpoint": len(segments)},
           "weights": "w", "batches": "b", "for": "check"}
    weights = {n: rng.uniform(-0.5, 0.5, s).astype("float32") for n, s in params.items()}
    x, y = rng.normal(size=(2, 4, 4)).astype("float32"), rng.integers(0, 3, (2, 4)).astype("int32")
    return FRAMEWORK.build(Job(raw, CLAIMS), weights, numpy.float32(size) * x, y)


def state(model):
    """What the optimizer keeps, without what the scaling of the loss keeps."""
    return [model.keras.ops.convert_to_numpy(v.value).copy() for v in model.model.optimizer.inner_optimizer.variables]


def error(got, want):
    """The largest distance relative to the norm of what is wanted, over arrays by name."""
    return max(numpy.linalg.norm(got[n] - want[n]) / numpy.linalg.norm(want[n]) for n in want)


def losses(model):
    found = []
    for i in range(3):
        model.step(i)
        found.append(model.loss())
    return found


class Checks(unittest.TestCase):
    def test_no_copy_of_parameters_or_state_is_kept(self):
        """numpy's memory, which the framework's own is not part of, but for data
        that its tensors share: with Adam, copies would be three times the weights."""
        build()  # imports, and what Keras makes once
        for placement in ("resident", "host"):
            with self.subTest(placement):
                gc.collect()
                tracemalloc.start()
                model = build(placement=placement)
                losses(model)
                model.reset()
                losses(model)  # on JAX the first step replaces what shares numpy's memory
                gc.collect()
                kept, _ = tracemalloc.get_traced_memory()
                tracemalloc.stop()
                self.assertLess(kept, DATA + WEIGHTS // 2)

    def test_reset_is_the_state_after_build(self):
        for kind in ("sgd", "adam"):
            with self.subTest(kind):
                model = build(kind)
                convert, optimizer = model.keras.ops.convert_to_numpy, model.model.optimizer
                state = [convert(v.value).copy() for v in optimizer.variables]
                params = model.read_params()
                params = {name: array.copy() for name, array in params.items()}
                first = losses(model)
                self.assertGreater(sum(numpy.any(convert(v.value) != s) for v, s in zip(optimizer.variables, state)), 2)  # momenta and iterations
                model.reset()
                for v, s in zip(optimizer.variables, state, strict=True):
                    numpy.testing.assert_array_equal(convert(v.value), s, v.path)
                for name, array in model.read_params().items():
                    numpy.testing.assert_array_equal(array, params[name], name)
                self.assertEqual(losses(model), first)

    def test_tf32_is_what_the_framework_is_set_to(self):
        self.assertFalse(build().tf32)
        self.addCleanup(RUNTIME.precise, False)
        RUNTIME.precise(True)
        with mock.patch.object(RUNTIME, "precise"):  # something else sets it
            self.assertTrue(build().tf32)

    def test_jit_compile_is_what_auto_leads_to(self):
        want = "on" if BACKEND == "jax" else "off"
        self.assertEqual(RUNTIME.versions()["jit_compile"], "auto (%s)" % want)
        if BACKEND == "tensorflow":
            devices = [SimpleNamespace(device_type="CPU"), SimpleNamespace(device_type="GPU")]
            with mock.patch.object(RUNTIME.framework.config, "list_physical_devices", return_value=devices):
                self.assertEqual(RUNTIME.versions()["jit_compile"], "auto (on)")

    def test_reserved_memory_is_told_where_the_framework_tells_it(self):
        told = {"torch": (7, 9), "tensorflow": (7, None), "jax": (7, None)}[BACKEND]
        device = SimpleNamespace(memory_stats=lambda: {"peak_bytes_in_use": 7})
        fake = SimpleNamespace(cuda=SimpleNamespace(max_memory_allocated=lambda: 7, max_memory_reserved=lambda: 9), devices=lambda: [device],
                               config=SimpleNamespace(experimental=SimpleNamespace(get_memory_info=lambda _: {"current": 3, "peak": 7})))
        with mock.patch.object(RUNTIME, "framework", fake):
            self.assertEqual(RUNTIME.device_peaks(), told)

    @unittest.skipUnless(BACKEND == "torch", "PyTorch's flags")
    def test_flags_before_pytorch_2_9(self):
        from dlworker.frameworks import torch_tf32
        cuda, cudnn = SimpleNamespace(matmul=SimpleNamespace(allow_tf32=False)), SimpleNamespace(allow_tf32=True)
        with mock.patch.object(torch_tf32, "torch", SimpleNamespace(backends=SimpleNamespace(cuda=cuda, cudnn=cudnn))):
            with self.assertRaisesRegex(torch_tf32.Failed, "some products only"):
                RUNTIME.tf32()
            for on in (True, False):
                RUNTIME.precise(on)
                self.assertEqual((cuda.matmul.allow_tf32, cudnn.allow_tf32, RUNTIME.tf32()), (on, on, on))


MIXED = {"bf16-mixed": 2.0 ** -8, "f16-mixed": 2.0 ** -11}  # and its unit of roundoff


class Precision(unittest.TestCase):
    def test_is_seen_in_dtypes(self):
        for precision, held, made in (("f32", "f32", "f32"), ("bf16-mixed", "f32", "bf16"), ("f16-mixed", "f32", "f16")):
            self.assertEqual(small(precision).dtypes, {"params": held, "activations": made})
        for precision in "bf16", "f16":
            self.assertEqual(small(precision, mode="infer").dtypes, {"params": precision, "activations": precision})

    def test_activations_are_what_products_put_out(self):
        """Logits of 16 bit are no evidence for what lies before them."""
        model = small("bf16-mixed")
        first = model.network.layers["a"]
        with mock.patch.object(first, "call", lambda x, **_: model.keras.ops.matmul(model.keras.ops.cast(x, "float32"), first.kernel.value)):
            self.assertEqual(model._dtypes()["activations"], "f32")

    def test_rounds_to_its_unit_and_no_more(self):
        for precision, unit in MIXED.items():
            exact, mixed = small(), small(precision)
            self.assertGreater(error({"z": mixed.read_logits(0)}, {"z": exact.read_logits(0)}), unit / 64, precision)
            self.assertLess(error({"z": mixed.read_logits(0)}, {"z": exact.read_logits(0)}), unit * 8, precision)
            self.assertGreater(error(mixed.read_grads(0), exact.read_grads(0)), unit / 64, precision)
            self.assertLess(error(mixed.read_grads(0), exact.read_grads(0)), unit * 8, precision)

    def test_steps_are_not_more_exact_than_reads(self):
        """train_on_batch is a program of its own, which a compiler may change."""
        for precision, unit in MIXED.items():
            exact, mixed = small(kind="sgd"), small(precision, "sgd")
            for _ in range(5):
                exact.step(0), mixed.step(0)
            self.assertGreater(abs(mixed.loss() - exact.loss()) / exact.loss(), unit / 64, precision)
            self.assertLess(abs(mixed.loss() - exact.loss()) / exact.loss(), unit * 8, precision)

    def test_keeps_master_parameters_and_state_in_32_bits(self):
        for precision in MIXED:
            model = small(precision)
            model.step(0)
            kept = [v for v in [*model.model.trainable_variables, *model.model.optimizer.variables] if "float" in v.dtype]
            self.assertEqual({v.dtype for v in kept}, {"float32"})


class LossScale(unittest.TestCase):
    """Inputs of a size that the first steps overflow in float16."""

    SIZE = 1000.0

    def test_is_told_by_the_optimizer(self):
        for precision, scale in (("f32", 0), ("bf16-mixed", 0), ("f16-mixed", 1024)):
            self.assertEqual(small(precision).loss_scale, scale)

    def test_steps_that_overflow_change_nothing(self):
        for kind in OPTIMIZERS:
            model = small("f16-mixed", kind, size=self.SIZE)
            params, kept = {n: v.copy() for n, v in model.read_params().items()}, state(model)
            for skipped in range(10):
                scale = model._scale()
                model.step(0)
                self.assertTrue(numpy.isfinite(model.loss()))
                if model._scale() == scale:
                    break
                self.assertEqual(model._scale(), scale / 2)
                self.assertEqual(error(model.read_params(), params), 0)
                for a, b in zip(state(model), kept, strict=True):
                    numpy.testing.assert_array_equal(a, b)
            self.assertIn(skipped, range(1, 9))
            self.assertGreater(error(model.read_params(), params), 0)

    def test_a_reset_restores_it(self):
        for kind in OPTIMIZERS:
            model = small("f16-mixed", kind, size=self.SIZE)
            made = []
            for _ in range(2):
                self.assertEqual(model._scale(), 1024)
                for _ in range(8):
                    model.step(0)
                self.assertLess(model._scale(), 1024)
                made.append({n: v.copy() for n, v in model.read_params().items()})
                model.reset()
            self.assertEqual(int(model.keras.ops.convert_to_numpy(model.model.optimizer.step_counter.value)), 0)
            self.assertEqual(error(made[1], made[0]), 0)

    def test_is_taken_out_of_gradients(self):
        for size in 1.0, self.SIZE:
            model = small("f16-mixed", size=size)
            self.assertLess(error(model.read_grads(0), small(size=size).read_grads(0)), 2.0 ** -8)
            self.assertEqual(model._scale(), 1024)


@unittest.skipUnless("checkpoint" in CLAIMS["features"], "not claimed")
class Recomputation(unittest.TestCase):
    def test_calls_the_inside_once_more_and_changes_no_gradient(self):
        for precision in "f32", *MIXED:
            plain, model = small(precision), small(precision, segments=[(0, 1)])
            self.assertEqual(model.segments, 1)
            first = model.network.layers["a"]
            with mock.patch.object(first, "call", mock.Mock(side_effect=first.call)) as called:
                grads = model.read_grads(0)
            self.assertEqual(called.call_count, 2)
            self.assertEqual(error(grads, plain.read_grads(0)), 0)
            for _ in range(3):
                plain.step(0), model.step(0)
            self.assertEqual(error(model.read_params(), plain.read_params()), 0)


if __name__ == "__main__":
    unittest.main()
