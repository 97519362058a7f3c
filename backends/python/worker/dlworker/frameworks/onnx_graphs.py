"""Where ONNX Runtime's worker gets its graphs: from the cache of exports, or
from the exporter, a process in PyTorch's environment.

    DLBENCH_EXPORT_PYTHON   its interpreter
    DLBENCH_EXPORTS         the folder of the cache; a graph has a folder there
                            named by all that decides what it holds
"""

import hashlib
import json
import os
import subprocess

from ..errors import Failed, Unsupported

_HERE = os.path.dirname(os.path.abspath(__file__))
_SCRIPT = os.path.join(_HERE, "..", "..", "export.py")


class Exporter:
    """The exporter's process. It loads PyTorch when it is first asked to export."""

    def __init__(self):
        python = os.environ.get("DLBENCH_EXPORT_PYTHON", "")
        if not os.access(python, os.X_OK):
            raise Unsupported("the graph is exported by PyTorch, and DLBENCH_EXPORT_PYTHON names no interpreter%s; run `dlbench setup pytorch`" % (
                ": there is no " + python if python else ""))
        # What is set for this worker's environment is not meant for the other.
        env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
        self._process = subprocess.Popen([python, "-s", _SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        self.versions = self._read()

    def _read(self):
        line = self._process.stdout.readline()
        if not line:
            raise Failed("the exporter ended without an answer; what it said is above")
        answer = json.loads(line)
        if "error" in answer:
            raise Unsupported("no export: %s" % answer["error"])
        return answer

    def export(self, raw, folder):
        """Have the graph of a job written to folder."""
        try:
            self._process.stdin.write(json.dumps({"job": raw, "folder": folder}).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as e:
            raise Failed("the exporter has ended; what it said is above") from e
        self._read()

    def close(self):
        """Let the process end, and wait for that."""
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def _digest(job, weights, versions):
    """Names all that decides what the graph of a job holds."""
    program = job.raw["program"]
    parts = {key: program.get(key) for key in ("ops", "input", "batch", "params")}
    sum_ = hashlib.blake2b(json.dumps([parts, job.precision, versions], sort_keys=True).encode(), digest_size=16)
    for module in ("onnx_export.py", "pytorch_network.py"):
        with open(os.path.join(_HERE, module), "rb") as f:
            sum_.update(f.read())
    for p in job.params:
        sum_.update(weights[p.name])
    return sum_.hexdigest()


def folder(job, weights, exporter):
    """The folder of the job's graph, exported unless it is there, and what
    graph.json says of it."""
    exports = os.environ.get("DLBENCH_EXPORTS", "")
    if not exports:
        raise Unsupported("DLBENCH_EXPORTS names no folder for exported graphs")
    where = os.path.join(os.path.abspath(exports), _digest(job, weights, exporter.versions))
    description = os.path.join(where, "graph.json")
    if not os.path.exists(description):
        exporter.export(job.raw, where)
    with open(description) as f:
        return where, json.load(f)
