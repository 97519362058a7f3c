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


def build(kind="adam", placement="resident"):
    optimizer = {"adam": {"rate": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7}, "sgd": {"rate": 0.01, "momentum": 0.9}}[kind]
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


if __name__ == "__main__":
    unittest.main()
