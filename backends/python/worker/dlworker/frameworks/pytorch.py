"""PyTorch, eager: modules of torch.nn, fused optimizers, autograd. In mixed
precision torch.autocast around forward pass and loss, torch.amp.GradScaler
around backward pass and update; for inference in 16 bit a network whose
parameters have 16 bit.

Sources: docs.pytorch.org, torch.nn, torch.optim, torch.utils.checkpoint, and
"Automatic Mixed Precision examples".
"""

import contextlib

import torch
import torch._dynamo  # the first optimizer of a process imports it (seconds): that is import, not build
import torch.optim
from torch.nn import functional

from .. import loss_scale
from ..errors import Unsupported
from ..model import Model
from . import pytorch_loader, pytorch_network, torch_tf32

LOSSES_AND_OPTIMIZERS = "softmax-cross-entropy sigmoid-cross-entropy sgd adam".split()
NAMES = {torch.float64: "f64", torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}
HELD = {"f64": torch.float64, "bf16": torch.bfloat16, "f16": torch.float16}  # of parameters; in all other precisions float32
MIXED = {"bf16-mixed": torch.bfloat16, "f16-mixed": torch.float16}
# Modules that multiply matrices: in mixed precision what they put out has 16 bit.
PRODUCTS = torch.nn.Linear, torch.nn.Conv2d, torch.nn.LSTM, pytorch_network.Attention
EXAMPLES = 8  # that a build computes to see dtypes: memory for a whole batch would stay with the allocator


def softmax_cross_entropy(z, y):
    return functional.cross_entropy(z, y)


def sigmoid_cross_entropy(z, y):
    return functional.binary_cross_entropy_with_logits(z.squeeze(-1), y)


def autocast(job, **how):
    """torch.autocast for a job in mixed precision, else a context without effect."""
    return torch.autocast(job.device, MIXED[job.precision], **how) if job.precision in MIXED else contextlib.nullcontext()


def array(tensor):
    """A tensor as numpy, which has no bfloat16."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


class Eager(Model):
    """A network, its loss and its optimizer."""

    def __init__(self, job, weights, x, y):
        self.job = job
        self.device = torch.device(job.device)
        kind = {"device": self.device, "dtype": HELD.get(job.precision, torch.float32)}
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
        self._data(x, y, kind["dtype"])
        self.loss_fn = self._loss_fn()
        self.autocast = autocast(job)
        self.scaler = torch.amp.GradScaler(job.device, init_scale=loss_scale.INITIAL, growth_interval=loss_scale.INTERVAL,
                                           enabled=job.precision == "f16-mixed")
        self.first_scale = self.scaler.state_dict()
        if self.scaler.is_enabled():
            self.loss_scale = self.scaler.get_scale()
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
        elif job.precision in MIXED:
            self.step = self.train_mixed
        else:
            self.step = self.train

    def _data(self, x, y, held):
        """Batches on the device, or of data "host" in host memory beside the
        tensors that a step makes of them, or of data "loader" a DataLoader; held is
        the dtype of parameters."""
        wide = torch.float64 if held == torch.float64 else torch.float32
        values, given = (torch.int64, torch.int64) if self.job.input.kind == "tokens" else (held, wide)
        labels = torch.int64 if self.job.loss.kind == "softmax-cross-entropy" else wide
        self.host = self.job.placement == "host"
        if self.job.placement == "loader":
            x, y = torch.from_numpy(x.copy()).to(given), torch.from_numpy(y.copy()).to(labels)
            self.loader = pytorch_loader.Loader(x, y, self.device.type == "cuda")
            self.values = values
            self.batch = self.loaded
            return
        where = "cpu" if self.host else self.device
        self.xs = [torch.from_numpy(b.copy()).to(where, given if self.host else values, memory_format=self.layout) for b in x]
        self.ys = [torch.from_numpy(b.copy()).to(where, labels) for b in y]
        if self.host:
            self.x = torch.empty_like(self.xs[0], dtype=values, device=self.device)
            self.y = torch.empty_like(self.ys[0], device=self.device)
            # numpy's arrays; for a GPU pinned memory, the documented way to fast copies.
            kept = torch.Tensor.pin_memory if self.device.type == "cuda" else torch.Tensor.numpy
            self.xs, self.ys = [kept(b) for b in self.xs], [kept(b) for b in self.ys]

    def batch(self, i):
        """Batch i on the device."""
        if not self.host:
            return self.xs[i], self.ys[i]
        x, y = torch.as_tensor(self.xs[i]), torch.as_tensor(self.ys[i])
        return self.x.copy_(x, non_blocking=True), self.y.copy_(y, non_blocking=True)

    def loaded(self, i):
        """Batch i from the DataLoader, on the device."""
        x, y = self.loader(i)
        return (x.to(self.device, self.values, non_blocking=True, memory_format=self.layout),
                y.to(self.device, non_blocking=True))

    def _loss_fn(self):
        """The mean loss of logits and labels, from 16 bit computed in float32."""
        loss = softmax_cross_entropy if self.job.loss.kind == "softmax-cross-entropy" else sigmoid_cross_entropy
        if self.job.precision in MIXED or self.job.precision in ("bf16", "f16"):
            return lambda z, y: loss(z.float(), y)
        return loss

    def _optimizer(self):
        o, trained = self.job.optimizer, [p for p in self.network.parameters() if p.requires_grad]
        if o.kind == "adam":
            return torch.optim.Adam(trained, lr=o.rate, betas=(o.beta1, o.beta2), eps=o.epsilon, fused=True)
        optimizer = torch.optim.SGD(trained, lr=o.rate, momentum=o.momentum, fused=True)
        if self.scaler.is_enabled() and o.momentum:
            # The first step allocates the velocities and leaves them without values
            # if it is skipped. From 0 on it is the same step.
            for p in trained:
                optimizer.state[p]["momentum_buffer"] = torch.zeros_like(p)
        return optimizer

    @torch.no_grad()
    def _dtypes(self):
        """What parameters have, and the widest of what products put out in a real
        forward pass."""
        found = []

        def note(_module, _given, out):
            found.append((out[0] if isinstance(out, tuple) else out).dtype)

        hooks = [layer.register_forward_hook(note) for layer in self.network.layers if isinstance(layer, PRODUCTS)]
        with self._frozen(), self.autocast:
            out = self.network(self.batch(0)[0][:min(EXAMPLES, self.job.batch // self.job.accumulate)])
        for hook in hooks:
            hook.remove()
        return {"params": NAMES[next(self.network.parameters()).dtype],
                "activations": NAMES[max(found or [out.dtype], key=lambda dtype: dtype.itemsize)]}

    def train(self, i):
        x, y = self.batch(i)
        self.optimizer.zero_grad()
        loss = self.loss_fn(self.forward(x), y)
        loss.backward()
        self.optimizer.step()
        self.last = loss

    def train_mixed(self, i):
        x, y = self.batch(i)
        self.optimizer.zero_grad()
        with self.autocast:
            loss = self.loss_fn(self.forward(x), y)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.last = loss

    def train_accumulated(self, i):
        self.optimizer.zero_grad()
        self.last = self._backward(*self.batch(i), self.scaler.scale)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def _backward(self, x, y, scaled):
        """Gradients of the mean loss, which scaled has multiplied, micro-batch by
        micro-batch. Returns the mean loss."""
        total, n = 0.0, self.job.accumulate
        for xm, ym in zip(x.chunk(n), y.chunk(n)):
            with self.autocast:
                loss = self.loss_fn(self.forward(xm), ym) / n
            scaled(loss).backward()
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
        with self._frozen(), self.autocast:
            return array(torch.cat([self.forward(xm) for xm in self.batch(i)[0].chunk(self.job.accumulate)]))

    def read_grads(self, i):
        def scaled(scale):
            self.network.zero_grad()
            self._backward(*self.batch(i), lambda loss: loss * scale)
            return {name: array(t.grad) for name, t in self.held.items() if t.requires_grad}

        with self._frozen():
            grads = loss_scale.unscaled(scaled, self.scaler.get_scale())
        self.network.zero_grad()
        return grads

    def read_params(self):
        return {name: array(t) for name, t in self.held.items()}

    def reset(self):
        pytorch_network.restore(self.network, self.held, self.weights)
        self.network.zero_grad()
        self.scaler.load_state_dict(self.first_scale)
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
    features = ["accumulate", "checkpoint", "loader"]
    precisions = ["f32", "f64", "bf16-mixed", "f16-mixed", "bf16", "f16"]
    model = Eager

    def hello(self, threads, device):
        precisions = list(self.precisions)
        versions = {"pytorch": torch.__version__, "python": _python()}
        if device == "cuda":
            if not torch.cuda.is_available():
                raise Unsupported("device cuda: torch %s sees no CUDA device" % torch.__version__)
            precisions.append("tf32")
            if not torch.cuda.is_bf16_supported(including_emulation=False):
                precisions = [p for p in precisions if not p.startswith("bf16")]
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
