"""Where the engines of onnx_inference.py get their graphs: from the cache of exports, or
from the exporter.

    DLBENCH_EXPORTS   the folder of the cache; a graph has a folder there named
                      by all that decides what it holds
"""

import hashlib
import json
import os

from ..errors import Unsupported

_HERE = os.path.dirname(os.path.abspath(__file__))


def _digest(job, weights, exporter):
    """Names all that decides what the graph of a job holds."""
    program = job.raw["program"]
    parts = {key: program.get(key) for key in ("ops", "input", "batch", "params")}
    sum_ = hashlib.blake2b(json.dumps([parts, job.precision, exporter.versions, exporter.identity()], sort_keys=True).encode(), digest_size=16)
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
    where = os.path.join(os.path.abspath(exports), _digest(job, weights, exporter))
    description = os.path.join(where, "graph.json")
    if not os.path.exists(description):
        exporter.export(job.raw, where)
    with open(description) as f:
        return where, json.load(f)
