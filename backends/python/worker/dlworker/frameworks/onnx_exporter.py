"""The exporter as ONNX Runtime's worker sees it: which packages it has, and the
process in PyTorch's environment, which lives no longer than it is needed.

    DLBENCH_EXPORT_PYTHON   its interpreter
"""

import glob
import json
import os
import re
import subprocess

from ..errors import Failed, Unsupported
from .onnx_export import OPSET, PACKAGES

_SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "export.py")


def _read(line):
    if not line:
        raise Failed("the exporter ended without an answer; what it said is above")
    return json.loads(line)


def _checked(answer):
    """An answer that is no error."""
    if answer.get("t") == "error":
        raise (Unsupported if answer["class"] == "unsupported" else Failed)("no export: %s" % answer["message"])
    return answer


class Exporter:
    """versions: of what makes the graph, by name. identity: what tells two
    exporters of the same versions apart. Neither needs a process that is alive:
    the harness counts what runs when hello answers to the import."""

    def __init__(self):
        python = os.environ.get("DLBENCH_EXPORT_PYTHON", "")
        if not os.access(python, os.X_OK):
            raise Unsupported("the graph is exported by PyTorch, and DLBENCH_EXPORT_PYTHON names no interpreter%s; run `dlbench setup pytorch`" % (
                ": there is no " + python if python else ""))
        # What is set for this worker's environment is not meant for the other.
        self._env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
        # Not the file that links lead to: it is the same in many environments.
        self._command = [os.path.abspath(python), "-s", _SCRIPT]
        self._process = None
        self.versions, self.records = installed(self._command[0]) or (self._ask(), [])

    def _ask(self):
        """The versions, of a process that has ended."""
        ended = subprocess.run([*self._command, "versions"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=self._env)
        return _checked(_read(ended.stdout))

    def identity(self):
        """The interpreter's path and what pip noted of every file: forks of
        PyTorch may have its version."""
        notes = []
        for record in self.records:
            with open(record) as f:
                notes.append(f.read())
        return [self._command[0], *notes]

    def start(self):
        """Start the process. It loads PyTorch when it is first asked to export."""
        if self._process is None:
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._env)

    def ready(self):
        """Start the process and wait until it does nothing but wait: what it does
        at its start would take time from the steps of a worker on the same CPU."""
        self._request({"folder": "ready"})

    def export(self, raw, folder):
        """Have the graph of a job written to folder."""
        self._request({"job": raw, "folder": folder})

    def _request(self, request):
        self.start()
        folder = request["folder"]
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as e:
            raise Failed("the exporter has ended; what it said is above") from e
        while (answer := _read(self._process.stdout.readline()))["at"] != folder:
            pass  # the answer to a fork that did not live to read it
        _checked(answer)

    def close(self):
        """Let the process end, and wait for that."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.stdout.close()
            self._process.wait()
            self._process = None


def installed(python):
    """The versions in a virtual environment, read from its folder, and the files
    in which the installer noted what it installed; None where that folder does
    not say it all."""
    root = os.path.dirname(os.path.dirname(python))
    try:
        with open(os.path.join(root, "pyvenv.cfg")) as f:
            version = re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+\.\d+)", f.read(), re.MULTILINE)
        (site,) = glob.glob(os.path.join(glob.escape(root), "lib", "python*", "site-packages"))
    except (OSError, ValueError):
        return None
    found = {}
    for entry in sorted(os.listdir(site)):
        package, _, rest = entry.partition("-")
        if package in PACKAGES and rest.endswith(".dist-info"):
            if package in found:  # the rest of an installation that failed
                return None
            found[package] = rest.removesuffix(".dist-info"), os.path.join(site, entry, "RECORD")
    if version is None or len(found) < len(PACKAGES) or not all(os.path.exists(record) for _, record in found.values()):
        return None
    versions = {PACKAGES[package]: of for package, (of, _) in found.items()}
    return {**versions, "opset": str(OPSET), "exporter-python": version[1]}, [record for _, record in found.values()]
