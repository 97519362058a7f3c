"""A program as a module of PyTorch, written as its users write one.

forward is straight-line code that is generated from the program's ops:

    def forward(self, x):
        x = self.op0(x)
        x, _ = self.op1(x)
        x = x[:, -1]
        x = self.op3(x)
        return x

A loop over layers would do for eager execution, but torch.compile gives a whole
frame back to eager where a graph breaks inside a loop, and a graph breaks at
every LSTM. Names are used again once their tensor is no longer read, as by hand:
activations of inference live no longer than they must.
"""

import contextlib
import linecache

import torch
import torch.utils.checkpoint
from torch import nn
from torch.nn import functional

from ..errors import Unsupported

OPS = ("dense conv2d maxpool2d avgpool batchnorm layernorm relu gelu sigmoid flatten embedding lstm attention dropout add "
       "last-step").split()


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


def _lstm(inputs, units, **kind):
    """nn.LSTM with its second bias held at 0."""
    layer = nn.LSTM(inputs, units, batch_first=True, **kind)
    layer.bias_hh_l0.requires_grad_(False)
    return layer


def module(job, op, kind):
    """The module of an op, None for one that is an expression; kind is its
    device and dtype."""
    shape = job.in_shape(op)
    match op.kind:
        case "dense":
            return nn.Linear(shape[-1], op.units, bias=op.bias, **kind)
        case "conv2d":
            return nn.Conv2d(shape[0], op.filters, op.kernel, op.stride, op.pad, bias=op.bias, **kind)
        case "maxpool2d":
            return nn.MaxPool2d(op.size, op.stride)
        case "batchnorm":
            norm = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
            return norm(shape[0], op.epsilon, op.momentum, **kind)
        case "layernorm":
            return nn.LayerNorm(shape[-1], op.epsilon, **kind)
        case "gelu":
            return nn.GELU()
        case "sigmoid":
            return nn.Sigmoid()
        case "embedding":
            return nn.Embedding(op.vocab, op.units, **kind)
        case "lstm":
            return _lstm(shape[-1], op.units, **kind)
        case "attention":
            return Attention(shape[-1], op.heads, op.causal, **kind)
        case "dropout":
            return nn.Dropout(job.rate(op))
        case "relu" | "flatten" | "avgpool" | "add" | "last-step":
            return None
    raise Unsupported("op %s" % op)


def _statement(job, op):
    """The line of an op; {0}, {1} are its inputs, {y} its output."""
    match op.kind:
        case "avgpool":
            return "{y} = {0}.mean((2, 3))" if len(job.in_shape(op)) == 3 else "{y} = {0}.mean(1)"
        case "relu":
            return "{y} = functional.relu({0})"
        case "flatten":
            return "{y} = torch.flatten({0}, 1)"
        case "add":
            return "{y} = {0} + {1}"
        case "last-step":
            return "{y} = {0}[:, -1]"
        case "lstm":
            # Of float32 oneDNN would make 16 bit itself, also of kinds that it has no LSTM
            # for on this CPU; given 16 bit, PyTorch takes an LSTM of its own then.
            cast = {"bf16-mixed": ".bfloat16()", "f16-mixed": ".half()"}.get(job.precision, "")
            return "{y}, _ = self.op%d({0}%s)" % (op.number, cast)
    return "{y} = self.op%d({0})" % op.number


def _function(name, given, lines, result):
    """The source of a method. given are the numbers of the values that it gets,
    lines are triples (statement, numbers that it reads, number that it makes)."""
    last = {read: i for i, (_, reads, _) in enumerate(lines) for read in reads}
    last[result] = len(lines)
    names = {number: "x%d" % i if i else "x" for i, number in enumerate(given)}
    head = "def %s(%s):" % (name, ", ".join(["self", *names.values()]))
    body, free, made = [], [], len(given)
    for i, (statement, reads, makes) in enumerate(lines):
        read = [names[number] for number in reads]
        free += [names.pop(number) for number in dict.fromkeys(reads) if last[number] == i]
        if not free:
            free, made = ["x%d" % made], made + 1
        names[makes] = free.pop()
        body.append(statement.format(*read, y=names[makes]))
    return "\n    ".join([head, *body, "return %s\n" % names[result]])


def source(job):
    """The Python code of the program's forward pass, with a method for every
    checkpointed segment."""
    segments, functions, lines, i = dict(job.segments), [], [], 0
    while i < len(job.ops):
        last = segments.get(i, i)
        ops = job.ops[i:last + 1]
        if i in segments:
            given = sorted({j for op in ops for j in op.inputs if j < i})
            functions.append(_function("segment%d" % i, given, [(_statement(job, op), op.inputs, op.number) for op in ops], last))
            arguments = ", ".join("{%d}" % k for k in range(len(given)))
            lines.append(("{y} = self.recomputed(self.segment%d, %d, %d, %s)" % (i, i, last, arguments), given, last))
        else:
            lines.append((_statement(job, ops[0]), ops[0].inputs, i))
        i = last + 1
    return "\n".join([*functions, _function("forward", [-1], lines, len(job.ops) - 1)])


@contextlib.contextmanager
def _still(norms):
    """Running statistics do not move: they take nothing of what is new. (Without
    them, the recomputation would save other tensors than the forward pass.)"""
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, before):
            norm.momentum = momentum


class Program(nn.Module):
    """The modules of a program. layers[i] is that of op i, or None."""

    def __init__(self, job, kind):
        super().__init__()
        self.layers = [module(job, op, kind) for op in job.ops]
        for i, layer in enumerate(self.layers):
            if layer is not None:
                self.add_module("op%d" % i, layer)

    def recomputed(self, segment, first, last, *given):
        """segment(*given), of which the backward pass makes the inside again."""
        if torch.compiler.is_compiling():  # the compiler moves running statistics once
            return torch.utils.checkpoint.checkpoint(segment, *given, use_reentrant=False)
        norms = [layer for layer in self.layers[first:last + 1] if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
        # The recomputation must not move the running statistics a second time.
        return torch.utils.checkpoint.checkpoint(segment, *given, use_reentrant=False,
                                                 context_fn=lambda: (contextlib.nullcontext(), _still(norms)))


def network(job, kind):
    """A Program with the forward pass of the job; kind is its device and dtype."""
    code, name, methods = source(job), "<the program's forward pass>", {}
    linecache.cache[name] = (len(code), None, code.splitlines(True), name)  # stack traces show it
    exec(compile(code, name, "exec"), {"__name__": __name__, "torch": torch, "functional": functional}, methods)
    return type("Network", (Program,), methods)(job, kind)


# Names of parameters inside a module, where they are not the program's own.
_INSIDE = {"lstm": {"weight_ih": "weight_ih_l0", "weight_hh": "weight_hh_l0", "bias": "bias_ih_l0"}}


def held(job, net):
    """The tensors of net by the program's names of parameters and buffers."""
    tensors = {}
    for op, layer in zip(job.ops, net.layers):
        if layer is None or not op.name:
            continue
        inside = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
        for p in job.params:
            if p.name.startswith(op.name + "."):
                part = p.name[len(op.name) + 1:]
                tensors[p.name] = inside[_INSIDE.get(op.kind, {}).get(part, part)]
    return tensors


@torch.no_grad()
def restore(net, tensors, values):
    """Give the tensors of held their values, arrays by name."""
    for name, tensor in tensors.items():
        tensor.copy_(torch.from_numpy(values[name]))
    for layer in net.layers:
        if isinstance(layer, nn.LSTM):
            layer.bias_hh_l0.zero_()
