"""What the engines that infer on ONNX graphs have in common: they only infer, on
graphs that PyTorch exported, for a fixed batch; see onnx_graphs.py.
"""

import platform

import numpy

from ..errors import Failed, Unsupported
from ..model import Model
from . import onnx_export, onnx_exporter, onnx_graphs

DTYPES = {"float32": "f32", "float64": "f64"}


class Inference(Model):
    """One compiled graph. A subclass makes it from a path and sets

        logits      where a step leaves its answer, a numpy array
        bind(x)     whatever run needs to read x; it reads that memory, which has to stay
        run(bound)  infers, and returns when the logits are there
    """

    def begin(self, job, graph, x, y):
        """Take the batches; the subclass can bind by now."""
        self.sigmoid = job.loss.kind == "sigmoid-cross-entropy"
        values = numpy.int64 if job.input.kind == "tokens" else numpy.float32
        self.ys, self.at = [b.astype(numpy.int64) for b in y], 0
        self.xs = [b.astype(values) for b in x]
        self.step = self._resident() if job.placement == "resident" else self._host()
        self.params = graph["params"]
        self.dtypes = {"params": "+".join(DTYPES.get(d, d) for d in graph["dtypes"]), "activations": DTYPES[self.logits.dtype.name]}

    def _resident(self):
        run, bound = self.run, [self.bind(x) for x in self.xs]

        def step(i):
            run(bound[i])
            self.at = i
        return step

    def _host(self):
        run, x = self.run, numpy.empty_like(self.xs[0])
        bound = self.bind(x)

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


class Engine:
    """The framework after its import. A subclass has a name, a version, a kind,
    how it says its setting of threads, and open(job, folder, graph, x, y)."""

    name = version = kind = threads_set_by = ""

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
            raise Unsupported("device %s: this entry runs %s %s on the CPU" % (device, self.name, self.version))
        if self.exporter is None:
            self.exporter = onnx_exporter.Exporter()
        self.threads = threads
        versions = {self.name: self.version, "python": platform.python_version(), **self.exporter.versions}
        return {"kind": self.kind, "versions": versions, **onnx_export.CLAIMS,
                "threads": self.threads_set_by, "effective_threads": threads, "flush_denormals": _flushes()}

    def build(self, job, weights, x, y):
        try:
            folder, graph = onnx_graphs.folder(job, weights, self.exporter)
        finally:
            if not self.shared:
                self.exporter.close()
        return self.open(job, folder, graph, x, y)


def _flushes():
    """Whether arithmetic on denormals gives 0 in this thread, which is the one
    that computes."""
    return float(numpy.float32(1e-39) * numpy.float32(0.5)) == 0.0
