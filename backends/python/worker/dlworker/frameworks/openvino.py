"""OpenVINO: inference on graphs that PyTorch exported as ONNX, for a fixed batch.

The model is compiled for the plug-in CPU with its hint for latency: one stream,
which has the grant of threads. Inputs and outputs lie in memory that is shared
with numpy, and a step is one call in this thread. Where the processor has
bfloat16, the plug-in would compute in it: the hint of the precision keeps it to
float32. Source: docs.openvino.ai, high-level performance hints and precision control.
"""

import os
import sys

import numpy

# Without this package OpenVINO takes its own stand-in, which sends nothing.
sys.modules["openvino_telemetry"] = None

import openvino
from openvino import properties
from openvino.properties import hint

from ..errors import Failed
from . import onnx_inference


class Inference(onnx_inference.Inference):
    """One compiled model with one request."""

    def __init__(self, job, folder, graph, x, y, threads):
        core = openvino.Core()
        self.compiled = core.compile_model(core.read_model(os.path.join(folder, "model.onnx")), "CPU", {
            hint.performance_mode(): hint.PerformanceMode.LATENCY,
            hint.inference_precision(): openvino.Type.f32,
            hint.enable_cpu_pinning(): False,  # the process has its CPUs already
            properties.num_streams(): 1,
            properties.inference_num_threads(): threads,
        })
        self._confirm(threads)
        output = self.compiled.output(0)
        self.logits = numpy.empty(list(output.shape), {"f32": numpy.float32, "f64": numpy.float64}[output.element_type.get_type_name()])
        self.request = self.compiled.create_infer_request()
        self.request.set_output_tensor(openvino.Tensor(self.logits, shared_memory=True))
        self.begin(job, graph, x, y)

    def _confirm(self, threads):
        """Hints are wishes: what was granted is asked for."""
        said = self.compiled.get_property(hint.inference_precision()), self.compiled.get_property(properties.inference_num_threads())
        if said != (openvino.Type.f32, threads):
            raise Failed("asked for f32 on %d threads, compiled for %s on %s" % (threads, said[0], said[1]))

    def bind(self, x):
        return openvino.Tensor(x, shared_memory=True)

    def run(self, bound):
        self.request.set_input_tensor(bound)
        self.request.infer(share_outputs=True)


class OpenVINO(onnx_inference.Engine):
    """OpenVINO after its import."""

    name, version, kind = "openvino", openvino.__version__.split("-")[0], "static-graph"
    threads_set_by = "INFERENCE_NUM_THREADS, 1 stream"

    def open(self, job, folder, graph, x, y):
        return Inference(job, folder, graph, x, y, self.threads)

    @staticmethod
    def out_of_memory(e):
        return "bad_alloc" in str(e) or "Failed to allocate" in str(e) or "Can't allocate" in str(e)


def load(_name):
    return OpenVINO()
