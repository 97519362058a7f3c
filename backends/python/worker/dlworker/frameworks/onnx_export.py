"""The exporter: reads jobs from standard input and writes ONNX graphs. Each line
that it reads is

    {"job": ..., "folder": ...}

a job of PROTOCOL.md, and where its graph is to be. The folder will hold
model.onnx, the file of its weights, and graph.json, or will not be there. The
answer is {"t": "exported", "at": folder}, or an error of PROTOCOL.md, section 12,
at that folder. It ends with its input.

Asked for "versions", it writes those that decide what an export holds, in one
line, and ends: it loads nothing for that.
"""

import collections
import json
import os
import platform
import shutil
import sys
import tempfile
import traceback

from ..errors import Unsupported
from ..job import Job
from ..session import Replies
from ..tensors import Safetensors

OPSET = 20
PACKAGES = {"torch": "pytorch", "onnx": "onnx", "onnxscript": "onnxscript"}  # what makes the graph, and its name in hello
OPS = ("dense conv2d maxpool2d avgpool batchnorm layernorm relu gelu sigmoid flatten embedding lstm attention add last-step "
       "softmax-cross-entropy sigmoid-cross-entropy").split()
CLAIMS = {"ops": OPS, "precisions": ["f32"], "features": []}


def versions():
    """Of what makes the graph."""
    import importlib.metadata
    found = {}
    for package, name in PACKAGES.items():
        try:
            found[name] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError as e:
            raise Unsupported("%s has no package %s" % (sys.executable, package)) from e
    return {**found, "opset": str(OPSET), "exporter-python": platform.python_version()}


def export(raw, folder):
    """Write the graph of a job into folder, all of it or nothing."""
    import torch
    from . import pytorch_network
    job = Job(raw, CLAIMS)
    weights = Safetensors(job.weights_path)
    net = pytorch_network.network(job, {"device": "cpu", "dtype": torch.float32}).eval()
    pytorch_network.restore(net, pytorch_network.held(job, net), weights)
    shape = (job.batch, *job.input.shape)
    example = torch.zeros(shape, dtype=torch.int64 if job.input.kind == "tokens" else torch.float32)
    parent = os.path.dirname(folder)
    os.makedirs(parent, exist_ok=True)
    temporary = tempfile.mkdtemp(prefix=".export-", dir=parent)
    try:
        path = os.path.join(temporary, "model.onnx")
        program = torch.onnx.export(net, (example,), path, dynamo=True, opset_version=OPSET, input_names=["x"], output_names=["logits"],
                                    external_data=True, verbose=False)
        with open(os.path.join(temporary, "graph.json"), "w") as f:
            json.dump(_description(net, program.model_proto), f)
        os.chmod(temporary, 0o755)
        try:
            os.rename(temporary, folder)
        except OSError:
            if not os.path.exists(os.path.join(folder, "graph.json")):  # else another process was first
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _description(net, proto):
    """What the graph holds. Its own tensors are no count of parameters: a batch
    normalisation was folded into the convolution before it, an LSTM has a second
    bias of zeros. So the elements are those of the module that was exported."""
    import onnx
    elements, types = 0, set()
    for tensor in proto.graph.initializer:
        kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        if kind.kind == "f":
            size = 1
            for n in tensor.dims:
                size *= n
            elements += size
            if size > 1:  # a factor of an attention is no parameter
                types.add(kind.name)
    return {"params": sum(p.numel() for p in net.parameters() if p.requires_grad), "elements": elements, "dtypes": sorted(types),
            "nodes": collections.Counter(node.op_type for node in proto.graph.node)}


def _answer(replies, at, work):
    """Write what work returns, or the class of its failure."""
    try:
        replies.write(work())
    except Unsupported as e:
        replies.error("unsupported", at, e)
    except Exception as e:  # a full disk, a PyTorch that does not load: somebody has to look at it
        traceback.print_exc()
        replies.error("failed", at, e)


def _exported(request):
    export(request["job"], request["folder"])
    return {"t": "exported", "at": request["folder"]}


def main(argv):
    """Tell the versions, or serve until the end of input; the exit status."""
    replies = Replies()  # PyTorch prints while it exports
    if argv == ["versions"]:
        _answer(replies, "versions", versions)
        return 0
    for line in sys.stdin:
        request = json.loads(line)
        _answer(replies, request["folder"], lambda: _exported(request) if "job" in request else {"t": "ready", "at": request["folder"]})
    return 0
