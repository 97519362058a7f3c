"""PyTorch, eager: modules of torch.nn, fused optimizers, autograd.

Sources: pytorch.org/docs, torch.nn, torch.optim, torch.utils.checkpoint.
"""

import contextlib

import torch
import torch._dynamo  # the first optimizer of a process imports it (seconds): that is import, not build
import torch.optim
import torch.utils.checkpoint
from torch import nn
from torch.nn import functional

from ..errors import Unsupported
from ..model import Model

OPS = ("dense conv2d maxpool2d avgpool batchnorm layernorm relu gelu sigmoid flatten embedding lstm attention dropout add "
       "last-step softmax-cross-entropy sigmoid-cross-entropy sgd adam").split()
DTYPES = {"f64": torch.float64, "f32": torch.float32, "tf32": torch.float32}
NAMES = {torch.float64: "f64", torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}


class MeanPool(nn.Module):
    """The mean over all positions: [N, C, H, W] -> [N, C], [N, T, D] -> [N, D]."""

    def forward(self, x):
        return x.mean((2, 3)) if x.dim() == 4 else x.mean(1)


class LSTM(nn.LSTM):
    """nn.LSTM with the output sequence alone, and its second bias held at 0."""

    def __init__(self, inputs, units, **kind):
        super().__init__(inputs, units, batch_first=True, **kind)
        self.bias_hh_l0.requires_grad_(False)

    def forward(self, x):
        return super().forward(x)[0]


class LastStep(nn.Module):
    """x[:, T-1]: [N, T, D] -> [N, D]."""

    def forward(self, x):
        return x[:, -1]


class Add(nn.Module):
    """The sum of two tensors of one shape."""

    def forward(self, a, b):
        return a + b


class Attention(nn.Module):
    """Multi-head self-attention with one projection for q, k and v, in this order."""

    def __init__(self, width, heads, causal, **kind):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv, self.out = nn.Linear(width, 3 * width, **kind), nn.Linear(width, width, **kind)

    def forward(self, x):
        q, k, v = (p.unflatten(-1, (self.heads, -1)).transpose(1, 2) for p in self.qkv(x).chunk(3, -1))
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.out(y.transpose(1, 2).flatten(2))


def module(job, op, kind):
    """The module of an op; kind is its device and dtype."""
    shape = job.in_shape(op)
    match op.kind:
        case "dense":
            return nn.Linear(shape[-1], op.units, bias=op.bias, **kind)
        case "conv2d":
            return nn.Conv2d(shape[0], op.filters, op.kernel, op.stride, op.pad, bias=op.bias, **kind)
        case "maxpool2d":
            return nn.MaxPool2d(op.size, op.stride)
        case "avgpool":
            return MeanPool()
        case "batchnorm":
            norm = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
            return norm(shape[0], op.epsilon, op.momentum, **kind)
        case "layernorm":
            return nn.LayerNorm(shape[-1], op.epsilon, **kind)
        case "relu":
            return nn.ReLU()
        case "gelu":
            return nn.GELU()
        case "sigmoid":
            return nn.Sigmoid()
        case "flatten":
            return nn.Flatten()
        case "embedding":
            return nn.Embedding(op.vocab, op.units, **kind)
        case "lstm":
            return LSTM(shape[-1], op.units, **kind)
        case "attention":
            return Attention(shape[-1], op.heads, op.causal, **kind)
        case "dropout":
            return nn.Dropout(job.rate(op))
        case "add":
            return Add()
        case "last-step":
            return LastStep()
    raise Unsupported("op %s" % op)


# Names of parameters inside a module, where they are not the program's own.
_INSIDE = {"lstm": {"weight_ih": "weight_ih_l0", "weight_hh": "weight_hh_l0", "bias": "bias_ih_l0"}}


@contextlib.contextmanager
def _still(norms):
    """Running statistics do not move."""
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True


class Network(nn.Module):
    """The program's ops in their order. Without checkpoints and residuals it is
    as flat as nn.Sequential."""

    def __init__(self, job, kind):
        super().__init__()
        self.layers = nn.ModuleList(module(job, op, kind) for op in job.ops)
        self.inputs = [op.inputs for op in job.ops]
        self.chain = all(op.inputs == [op.number - 1] for op in job.ops)
        self.segments = dict(job.segments)

    def forward(self, x):
        if self.chain and not self.segments:
            for layer in self.layers:
                x = layer(x)
            return x
        values, i = {-1: x}, 0
        while i < len(self.layers):
            last = self.segments.get(i)
            if last is None:
                values[i] = self.layers[i](*(values[j] for j in self.inputs[i]))
            else:
                values[last] = self._recomputed(i, last, values)
                i = last
            i += 1
        return values[len(self.layers) - 1]

    def _recomputed(self, first, last, values):
        outside = sorted({j for i in range(first, last + 1) for j in self.inputs[i] if j < first})
        norms = [m for i in range(first, last + 1) for m in self.layers[i].modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]

        def segment(*given):
            local = dict(zip(outside, given))
            for i in range(first, last + 1):
                local[i] = self.layers[i](*(local[j] for j in self.inputs[i]))
            return local[last]

        # The recomputation must not move the running statistics a second time.
        return torch.utils.checkpoint.checkpoint(segment, *(values[j] for j in outside), use_reentrant=False,
                                                 context_fn=lambda: (contextlib.nullcontext(), _still(norms)))


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
        self.network = Network(job, kind)
        self.network.train(job.training)
        self.held = self._held()
        self.initial = {name: torch.from_numpy(w.copy()) for name, w in weights.items()}
        self._restore()
        self.params = sum(p.numel() for p in self.network.parameters() if p.requires_grad)
        self.accumulated = job.accumulate
        self.segments = len(self.network.segments)
        self._data(x, y, kind)
        self.loss_fn = softmax_cross_entropy if job.loss.kind == "softmax-cross-entropy" else sigmoid_cross_entropy
        self.optimizer = self._optimizer() if job.training else None
        self.dtypes = self._dtypes()
        self.tf32 = job.precision == "tf32"
        if self.device.type == "cuda":
            self.tf32 = torch.backends.cuda.matmul.fp32_precision == "tf32"
            torch.cuda.reset_peak_memory_stats()
        self.last = None
        self.forward = self.network
        # What differs per step is decided once.
        if not job.training:
            self.step = torch.inference_mode()(self.infer)
        elif job.accumulate > 1:
            self.step = self.train_accumulated
        else:
            self.step = self.train

    def _held(self):
        """Tensor of the network by the program's parameter name."""
        held = {}
        for op, layer in zip(self.job.ops, self.network.layers):
            inside = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
            for p in self.job.params:
                if op.name and p.name.startswith(op.name + "."):
                    part = p.name[len(op.name) + 1:]
                    held[p.name] = inside[_INSIDE.get(op.kind, {}).get(part, part)]
        return held

    @torch.no_grad()
    def _restore(self):
        for name, tensor in self.held.items():
            tensor.copy_(self.initial[name])
        for layer in self.network.layers:
            if isinstance(layer, LSTM):
                layer.bias_hh_l0.zero_()

    def _data(self, x, y, kind):
        tokens = self.job.input.kind == "tokens"
        labels = torch.int64 if self.job.loss.kind == "softmax-cross-entropy" else kind["dtype"]
        where = self.device if self.job.placement == "resident" else "cpu"
        self.xs = [torch.from_numpy(b.copy()).to(where, torch.int64 if tokens else kind["dtype"]) for b in x]
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
            out = self.network(self.batch(0)[0][:max(2, self.job.batch // self.job.accumulate)])
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
        self._restore()
        self.network.zero_grad()
        if self.optimizer is not None:
            self.optimizer.state.clear()

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
        return {"kind": self.kind, "versions": versions, "ops": OPS, "precisions": precisions, "features": self.features,
                "threads": "torch.set_num_threads, 1 inter-op thread", "effective_threads": torch.get_num_threads(),
                "flush_denormals": _flushes()}

    def build(self, job, weights, x, y):
        precision = "tf32" if job.precision == "tf32" else "ieee"
        torch.backends.cuda.matmul.fp32_precision = precision
        torch.backends.cudnn.conv.fp32_precision = precision
        torch.backends.cudnn.rnn.fp32_precision = precision
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
