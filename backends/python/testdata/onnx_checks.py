"""What the compliance suite cannot see of ONNX Runtime's worker: when its
exporter is alive, what its failures are, and which exports are told apart.

    DLBENCH_EXPORT_PYTHON=... python -s onnx_checks.py

in ONNX Runtime's environment, which has no PyTorch.
"""

import os
import sys
import tempfile
import unittest
from types import SimpleNamespace
from unittest import mock

WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "worker")
sys.path.insert(0, WORKER)

from dlworker.errors import Failed, Unsupported
from dlworker.frameworks import onnx_exporter, onnx_graphs, onnxruntime

# An exporter whose exports fail in the way that the job names.
FAILS = """
import sys
sys.path.insert(0, %r)
from dlworker.errors import Failed, Unsupported
from dlworker.frameworks import onnx_export
def export(raw, folder):
    if raw == "ends":
        sys.exit(3)
    if raw:
        raise {"unsupported": Unsupported("op roll"), "failed": Failed("no such file"), "disk": OSError(28, "No space left on device"),
               "broken": ModuleNotFoundError("No module named 'torch._C'"), "bug": TypeError("a bug")}[raw]
onnx_export.export, onnx_export.versions = export, lambda: {"pytorch": "1"}
sys.exit(onnx_export.main(sys.argv[1:]))
""" % WORKER


def children():
    """Whether a child of this process is there, alive or not waited for."""
    try:
        os.waitpid(-1, os.WNOHANG)
        return True
    except ChildProcessError:
        return False


class Checks(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.enterContext(mock.patch.dict(os.environ))
        self.assertFalse(children())

    def exporter(self, python=None, script=None):
        if script is not None:
            path = os.path.join(self.folder, "script.py")
            with open(path, "w") as f:
                f.write(script)
            self.enterContext(mock.patch.object(onnx_exporter, "_SCRIPT", path))
        os.environ["DLBENCH_EXPORT_PYTHON"] = python or sys.executable
        found = onnx_exporter.Exporter()
        self.addCleanup(found.close)
        return found

    def environment(self, name, record="torch/__init__.py,sha256=1,1\n", torch="2.9.0"):
        """The interpreter of a virtual environment that names its packages."""
        root = os.path.join(self.folder, name)
        site = os.path.join(root, "lib", "python3.11", "site-packages")
        for package in ("torch-" + torch, "onnx-1.0", "onnxscript-0.1"):
            os.makedirs(os.path.join(site, package + ".dist-info"), exist_ok=True)
            with open(os.path.join(site, package + ".dist-info", "RECORD"), "w") as f:
                f.write(record)
        with open(os.path.join(root, "pyvenv.cfg"), "w") as f:
            f.write("home = /usr/bin\nversion_info = 3.11.7.final.0\n")
        os.makedirs(os.path.join(root, "bin"), exist_ok=True)
        python = os.path.join(root, "bin", "python")
        if not os.path.lexists(python):
            os.symlink(sys.executable, python)
        return python

    def test_no_exporter_is_alive_when_hello_answers(self):
        with mock.patch("subprocess.Popen", side_effect=AssertionError("an exporter was started")):
            said = onnxruntime.load("onnxruntime").hello(1, "cpu")["versions"]
        for name in ("pytorch", "onnx", "onnxscript", "opset", "exporter-python"):
            self.assertRegex(said[name], r"^\d")
        # An interpreter of no virtual environment is asked, and has ended.
        wrapper = os.path.join(self.folder, "python")
        with open(wrapper, "w") as f:
            f.write("#!/bin/sh\nexec '%s' \"$@\"\n" % os.environ["DLBENCH_EXPORT_PYTHON"])
        os.chmod(wrapper, 0o755)
        os.environ["DLBENCH_EXPORT_PYTHON"] = wrapper
        self.assertEqual(onnxruntime.load("onnxruntime").hello(1, "cpu")["versions"], said)
        self.assertFalse(children())

    def test_the_exporter_is_started_by_an_export_only_and_ends(self):
        exporter = self.exporter(script=FAILS)
        os.environ["DLBENCH_EXPORTS"] = self.folder
        job, cached = SimpleNamespace(raw={"program": {}}, precision="f32", params=[]), {"params": 1}
        where = os.path.join(self.folder, onnx_graphs._digest(job, {}, exporter))
        os.mkdir(where)
        with open(os.path.join(where, "graph.json"), "w") as f:
            f.write('{"params": 1}')
        self.assertEqual(onnx_graphs.folder(job, {}, exporter), (where, cached))
        self.assertFalse(children())
        exporter.export("", "a")
        self.assertTrue(children())
        exporter.close()
        self.assertFalse(children())

    def test_an_exporter_for_forks_is_waiting_when_they_begin(self):
        """Its start would take time from their steps, on the same CPU."""
        marker = os.path.join(self.folder, "started")
        script = os.path.join(self.folder, "late.py")
        with open(script, "w") as f:
            f.write("import time; time.sleep(0.3); open(%r, 'w').close()\n%s" % (marker, FAILS))
        framework = onnxruntime.load("onnxruntime")
        with mock.patch.object(onnx_exporter, "_SCRIPT", script):
            framework.share()
        self.assertTrue(os.path.exists(marker))
        framework.exporter.close()

    def test_only_what_is_not_supported_is_called_so(self):
        exporter = self.exporter(script=FAILS)
        for raw, kind, message in (("unsupported", Unsupported, "op roll"), ("failed", Failed, "no such file"), ("disk", Failed, "No space left"),
                                   ("broken", Failed, "torch._C"), ("bug", Failed, "TypeError: a bug"), ("ends", Failed, "ended without")):
            with self.subTest(raw), self.assertRaisesRegex(kind, message):
                exporter.export(raw, "a")

    def test_a_missing_package_is_not_supported(self):
        with self.assertRaisesRegex(Unsupported, "has no package torch"):
            self.exporter()

    def test_an_exporter_that_cannot_start_failed(self):
        with self.assertRaisesRegex(Failed, "ended without an answer"):
            self.exporter(script="raise SystemExit(1)")

    def test_the_answer_to_a_fork_that_died_is_passed_over(self):
        exporter = self.exporter(script=FAILS)
        exporter.start()
        exporter._process.stdin.write(b'{"job": "bug", "folder": "a"}\n')
        exporter.export("", "b")
        with self.assertRaisesRegex(Unsupported, "op roll"):
            exporter.export("unsupported", "c")

    def test_exports_of_two_builds_with_one_version_are_told_apart(self):
        job = SimpleNamespace(raw={"program": {}}, precision="f32", params=[])
        digests = {}
        for what, args in (("first", {"name": "a"}), ("again", {"name": "a"}), ("another environment", {"name": "b"}),
                           ("replaced in place", {"name": "a", "record": "torch/__init__.py,sha256=2,1\n"})):
            exporter = self.exporter(self.environment(**args))
            self.assertEqual(exporter.versions["pytorch"], "2.9.0")
            digests[what] = onnx_graphs._digest(job, {}, exporter)
        self.assertEqual(digests["again"], digests["first"])
        self.assertEqual(len(set(digests.values())), 3)

    def test_a_folder_that_does_not_say_it_all_is_not_trusted(self):
        python = self.environment("a")
        versions, records = onnx_exporter.installed(python)
        self.assertEqual((versions["pytorch"], versions["exporter-python"], len(records)), ("2.9.0", "3.11.7", 3))
        os.remove(records[0])
        self.assertIsNone(onnx_exporter.installed(python))
        python = self.environment("b")
        self.environment("b", torch="2.10.0")  # two versions of one package
        self.assertIsNone(onnx_exporter.installed(python))


if __name__ == "__main__":
    unittest.main()
