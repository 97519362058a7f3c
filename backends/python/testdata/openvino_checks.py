"""What the compliance suite cannot see of OpenVINO's worker: what it computes in,
and that nothing of its package reports on its users.

    DLBENCH_EXPORT_PYTHON=... python -s openvino_checks.py
"""

import os
import sys
import unittest
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "worker"))

from dlworker.errors import Failed
from dlworker.frameworks import openvino as worker


class Checks(unittest.TestCase):
    def test_what_sends_is_not_loaded(self):
        self.assertIsNone(sys.modules["openvino_telemetry"])
        loaded = [name for name in sys.modules if name.startswith("openvino_telemetry.")]
        self.assertEqual(loaded, [])

    def confirmed(self, **said):
        """_confirm for two threads, of a model that says what is given of itself."""
        names = {worker.hint.inference_precision(): "precision", worker.properties.inference_num_threads(): "threads"}
        model = mock.Mock()
        model.compiled.get_property.side_effect = lambda name: said[names[name]]
        worker.Inference._confirm(model, 2)

    def test_a_hint_that_was_not_followed_is_a_failure(self):
        self.confirmed(precision=worker.openvino.Type.f32, threads=2)
        with self.assertRaisesRegex(Failed, "asked for f32 on 2 threads, compiled for .*bfloat16.* on 2"):
            self.confirmed(precision=worker.openvino.Type.bf16, threads=2)
        with self.assertRaisesRegex(Failed, "on 1"):
            self.confirmed(precision=worker.openvino.Type.f32, threads=1)


if __name__ == "__main__":
    unittest.main()
