"""PyTorch, eager: modules of torch.nn, fused optimizers, autograd.

Sources: pytorch.org/docs, torch.nn, torch.optim, torch.utils.checkpoint.
"""

import contextlib

import torch
import torch._dynamo  # the first optimizer of a process imports it (seconds): that is import, not build
import torch.optim
from torch.nn import functional

from ..errors import Unsupported
from ..model import Model
from . import pytorch_network, torch_tf32

LOSSES_AND_OPTIMIZERS = "softmax-cross-entropy sigmoid-cross-entropy sgd adam".split()
DTYPES = {"f64": torch.float64, "f32": torch.float32, "tf32": torch.float32}
NAMES = {torch.float64: "f64", torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}


def softmax_cross_entropy(z, y):
    return functional.cross_entropy(z, y)


def sigmoid_cross_entropy(z, y):
    return functional.binary_cross_entropy_with_logits(z.squeeze(-1), y)


class Eager(Model):
    """A network, its loss and its optimizer."""

    def __init__(self, job, weights, x, y):
        self.job = job
        self.device = torch.device(job.device)
        kind = {"device": self.device, "dtype": DTYPES[job.precision]}
        self.network = pytorch_network.network(job, kind)
        self.network.train(job.training)
        # The documented layout for convolutions on a CPU: several times as fast in
        # inference, and faster in training.
        self.layout = torch.channels_last if job.input.kind == "image" and job.device == "cpu" else torch.contiguous_format
        self.network.to(memory_format=self.layout)
        self.held = pytorch_network.held(job, self.network)
        self.weights = weights
        pytorch_network.restore(self.network, self.held, weights)
        self.params = sum(p.numel() for p in self.network.parameters() if p.requires_grad)
        self.accumulated = job.accumulate
        self.segments = len(job.segments)
        self._data(x, y, kind)
        self.loss_fn = softmax_cross_entropy if job.loss.kind == "softmax-cross-entropy" else sigmoid_cross_entropy
        self.optimizer = self._optimizer() if job.training else None
        self.dtypes = self._dtypes()
        self.tf32 = job.precision == "tf32"
        if self.device.type == "cuda":
            self.tf32 = torch_tf32.allowed()
            torch.cuda.reset_peak_memory_stats()
        self.last = None
        self.forward = self.network
        # What differs per step is decided once.
        if not job.training:
            self.step = self.infer
        elif job.accumulate > 1:
            self.step = self.train_accumulated
        else:
            self.step = self.train

    def _data(self, x, y, kind):
        tokens = self.job.input.kind == "tokens"
        labels = torch.int64 if self.job.loss.kind == "softmax-cross-entropy" else kind["dtype"]
        where = self.device if self.job.placement == "resident" else "cpu"
        values = torch.int64 if tokens else kind["dtype"]
        self.xs = [torch.from_numpy(b.copy()).to(where, values, memory_format=self.layout) for b in x]
        self.ys = [torch.from_numpy(b.copy()).to(where, labels) for b in y]
        self.host = self.job.placement == "host"
        if self.host:
            if self.device.type == "cuda":  # the documented way to fast copies
                self.xs, self.ys = [b.pin_memory() for b in self.xs], [b.pin_memory() for b in self.ys]
            self.x, self.y = torch.empty_like(self.xs[0], device=self.device), torch.empty_like(self.ys[0], device=self.device)

    def batch(self, i):
        """Batch i on the device."""
        if not self.host:
            return self.xs[i], self.ys[i]
        return self.x.copy_(self.xs[i], non_blocking=True), self.y.copy_(self.ys[i], non_blocking=True)

    def _optimizer(self):
        o, trained = self.job.optimizer, [p for p in self.network.parameters() if p.requires_grad]
        if o.kind == "sgd":
            return torch.optim.SGD(trained, lr=o.rate, momentum=o.momentum, fused=True)
        return torch.optim.Adam(trained, lr=o.rate, betas=(o.beta1, o.beta2), eps=o.epsilon, fused=True)

    @torch.no_grad()
    def _dtypes(self):
        with self._frozen():
            out = self.network(self.batch(0)[0][:self.job.batch // self.job.accumulate])
        return {"params": NAMES[next(self.network.parameters()).dtype], "activations": NAMES[out.dtype]}

    def train(self, i):
        x, y = self.batch(i)
        self.optimizer.zero_grad()
        loss = self.loss_fn(self.forward(x), y)
        loss.backward()
        self.optimizer.step()
        self.last = loss

    def train_accumulated(self, i):
        self.optimizer.zero_grad()
        self.last = self._backward(*self.batch(i))
        self.optimizer.step()

    def _backward(self, x, y):
        """Gradients of the mean loss, micro-batch by micro-batch."""
        total, n = 0.0, self.job.accumulate
        for xm, ym in zip(x.chunk(n), y.chunk(n)):
            loss = self.loss_fn(self.forward(xm), ym) / n
            loss.backward()
            total = total + loss.detach()
        return total

    def stepping(self):
        return torch.inference_mode(not self.job.training)

    def infer(self, i):
        x, y = self.batch(i)
        self.last = self.forward(x), y

    def sync(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    @torch.no_grad()
    def loss(self):
        if self.job.training:
            return float(self.last)
        return float(self.loss_fn(*self.last))

    @contextlib.contextmanager
    def _frozen(self):
        """Running statistics are afterwards what they were."""
        buffers = [(b, b.clone()) for b in self.network.buffers()]
        yield
        with torch.no_grad():
            for b, before in buffers:
                b.copy_(before)

    @torch.no_grad()
    def read_logits(self, i):
        with self._frozen():
            return torch.cat([self.forward(xm) for xm in self.batch(i)[0].chunk(self.job.accumulate)]).cpu().numpy()

    def read_grads(self, i):
        with self._frozen():
            self.network.zero_grad()
            self._backward(*self.batch(i))
        grads = {name: t.grad.cpu().numpy().copy() for name, t in self.held.items() if t.requires_grad}
        self.network.zero_grad()
        return grads

    def read_params(self):
        return {name: t.detach().cpu().numpy() for name, t in self.held.items()}

    def reset(self):
        pytorch_network.restore(self.network, self.held, self.weights)
        self.network.zero_grad()
        if self.optimizer is not None:
            # A step from state that is 0 is a first step. Without state it would
            # allocate it too, which is no work of a step.
            for state in self.optimizer.state.values():
                for value in state.values():
                    value.zero_()

    def device_peaks(self):
        if self.device.type != "cuda":
            return None
        return torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()


class PyTorch:
    """The framework after its import."""

    kind = "eager"
    features = ["accumulate", "checkpoint"]
    model = Eager

    def hello(self, threads, device):
        precisions = ["f32", "f64"]
        versions = {"pytorch": torch.__version__, "python": _python()}
        if device == "cuda":
            if not torch.cuda.is_available():
                raise Unsupported("device cuda: torch %s sees no CUDA device" % torch.__version__)
            precisions.append("tf32")
            versions["cuda"], versions["cudnn"] = torch.version.cuda, str(torch.backends.cudnn.version())
        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        return {"kind": self.kind, "versions": versions, "ops": pytorch_network.OPS + LOSSES_AND_OPTIMIZERS, "precisions": precisions, "features": self.features,
                "threads": "torch.set_num_threads, 1 inter-op thread", "effective_threads": torch.get_num_threads(),
                "flush_denormals": _flushes()}

    def build(self, job, weights, x, y):
        torch_tf32.allow(job.precision == "tf32")
        return self.model(job, weights, x, y)

    @staticmethod
    def out_of_memory(e):
        return isinstance(e, torch.OutOfMemoryError) or "can't allocate memory" in str(e)


def _python():
    import platform
    return platform.python_version()


def _flushes():
    """Whether arithmetic on denormals gives 0 in this thread."""
    return float(torch.tensor(1e-39) * torch.tensor(0.5)) == 0.0


def load(_name):
    return PyTorch()
