"""ONNX Runtime: inference on graphs that PyTorch exported, for a fixed batch.

Inputs and outputs are bound once (I/O binding), which its documentation advises
where buffers are used again: a step is then one call without look-ups. Session
options are the defaults except for the grant of threads; threads that wait spin,
as they do for its users. Source: onnxruntime.ai/docs, performance.
"""

import os
import platform

import numpy
import onnxruntime

from ..errors import Failed, Unsupported
from ..model import Model
from . import onnx_export, onnx_exporter, onnx_graphs

DTYPES = {"float32": "f32", "float64": "f64"}


class Inference(Model):
    """One session, with every batch bound to it."""

    def __init__(self, job, folder, graph, x, y, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(os.path.join(folder, "model.onnx"), options, providers=["CPUExecutionProvider"])
        self.sigmoid = job.loss.kind == "sigmoid-cross-entropy"
        values = numpy.int64 if job.input.kind == "tokens" else numpy.float32
        self.ys, self.at = [b.astype(numpy.int64) for b in y], 0
        output = self.session.get_outputs()[0]
        self.logits = numpy.empty(output.shape, {"tensor(float)": numpy.float32, "tensor(double)": numpy.float64}[output.type])
        self.xs = [b.astype(values) for b in x]
        self.step = self._resident() if job.placement == "resident" else self._host()
        self.params = graph["params"]
        self.dtypes = {"params": "+".join(DTYPES.get(d, d) for d in graph["dtypes"]), "activations": DTYPES[self.logits.dtype.name]}

    def _bind(self, x):
        """A binding from x to the logits; it reads this memory, which has to stay."""
        binding = self.session.io_binding()
        binding.bind_ortvalue_input("x", onnxruntime.OrtValue.ortvalue_from_numpy(x))
        binding.bind_ortvalue_output("logits", onnxruntime.OrtValue.ortvalue_from_numpy(self.logits))
        return binding

    def _resident(self):
        run, bound = self.session.run_with_iobinding, [self._bind(x) for x in self.xs]

        def step(i):
            run(bound[i])
            self.at = i
        return step

    def _host(self):
        run, x = self.session.run_with_iobinding, numpy.empty_like(self.xs[0])
        bound = self._bind(x)

        def step(i):
            numpy.copyto(x, self.xs[i])
            run(bound)
            self.at = i
        return step

    def sync(self):
        """A run on the CPU has ended when it returns."""

    def loss(self):
        z, y = self.logits, self.ys[self.at]
        if self.sigmoid:
            z = z[:, 0]
            return float(numpy.mean(numpy.maximum(z, 0) - z * y + numpy.log1p(numpy.exp(-numpy.abs(z)))))
        z = z - z.max(axis=1, keepdims=True)
        return float(numpy.mean(numpy.log(numpy.exp(z).sum(axis=1)) - z[numpy.arange(len(y)), y]))

    def read_logits(self, batch):
        self.step(batch)
        return self.logits.copy()

    def reset(self):
        """Inference changes nothing."""


class ONNXRuntime:
    """The framework after its import."""

    def __init__(self):
        self.exporter, self.shared = None, False

    def share(self):
        """Start the exporter that all forks of this process will use, one after
        the other: it loads PyTorch once."""
        try:
            self.exporter, self.shared = onnx_exporter.Exporter(), True
            self.exporter.ready()
        except (Failed, Unsupported):
            pass  # each fork will say so

    def hello(self, threads, device):
        if device != "cpu":
            raise Unsupported("device %s: onnxruntime %s is the package for the CPU" % (device, onnxruntime.__version__))
        if self.exporter is None:
            self.exporter = onnx_exporter.Exporter()
        self.threads = threads
        versions = {"onnxruntime": onnxruntime.__version__, "python": platform.python_version(), **self.exporter.versions}
        return {"kind": "static-graph", "versions": versions, **onnx_export.CLAIMS,
                "threads": "intra_op_num_threads, 1 inter-op thread", "effective_threads": threads, "flush_denormals": _flushes()}

    def build(self, job, weights, x, y):
        try:
            folder, graph = onnx_graphs.folder(job, weights, self.exporter)
        finally:
            if not self.shared:
                self.exporter.close()
        return Inference(job, folder, graph, x, y, self.threads)

    @staticmethod
    def out_of_memory(e):
        return "Failed to allocate memory" in str(e) or "bad_alloc" in str(e)


def _flushes():
    """Whether arithmetic on denormals gives 0 in this thread, which is the one
    that the session computes in."""
    return float(numpy.float32(1e-39) * numpy.float32(0.5)) == 0.0


def load(_name):
    return ONNXRuntime()
