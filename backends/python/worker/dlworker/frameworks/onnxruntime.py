"""ONNX Runtime: inference on graphs that PyTorch exported, for a fixed batch.

Inputs and outputs are bound once (I/O binding), which its documentation advises
where buffers are used again: a step is then one call without look-ups. Session
options are the defaults except for the grant of threads; threads that wait spin,
as they do for its users. Source: onnxruntime.ai/docs, performance.
"""

import os

import numpy
import onnxruntime

from . import onnx_inference


class Inference(onnx_inference.Inference):
    """One session, with every batch bound to it."""

    def __init__(self, job, folder, graph, x, y, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(os.path.join(folder, "model.onnx"), options, providers=["CPUExecutionProvider"])
        output = self.session.get_outputs()[0]
        self.logits = numpy.empty(output.shape, {"tensor(float)": numpy.float32, "tensor(double)": numpy.float64}[output.type])
        self.run = self.session.run_with_iobinding
        self.begin(job, graph, x, y)

    def bind(self, x):
        binding = self.session.io_binding()
        binding.bind_ortvalue_input("x", onnxruntime.OrtValue.ortvalue_from_numpy(x))
        binding.bind_ortvalue_output("logits", onnxruntime.OrtValue.ortvalue_from_numpy(self.logits))
        return binding


class ONNXRuntime(onnx_inference.Engine):
    """ONNX Runtime after its import."""

    name, version, kind = "onnxruntime", onnxruntime.__version__, "static-graph"
    threads_set_by = "intra_op_num_threads, 1 inter-op thread"

    def open(self, job, folder, graph, x, y):
        return Inference(job, folder, graph, x, y, self.threads)

    @staticmethod
    def out_of_memory(e):
        return "Failed to allocate memory" in str(e) or "bad_alloc" in str(e)


def load(_name):
    return ONNXRuntime()
