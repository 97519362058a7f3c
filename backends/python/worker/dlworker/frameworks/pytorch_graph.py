"""PyTorch's two graphs: torch.compile, and TorchScript by trace.

Both take the network of pytorch.py, and with it its loss, its optimizer and its
parameters, which the graph shares. Sources: docs.pytorch.org, "Where to apply
torch.compile?" (the top-level module, by its method compile), torch.jit.trace,
torch.jit.freeze, torch.jit.optimize_for_inference.
"""

import os
import subprocess
import sys
import sysconfig
import warnings

# Kernels are compiled in this process. Workers for that would go on living
# beside the timed steps, and each imports PyTorch first, which takes longer than
# the kernels of one model.
os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"

import torch
from torch._dynamo.utils import counters

from ..errors import Failed, Unsupported
from . import pytorch


class Compiled(pytorch.Eager):
    """The network under torch.compile, with its defaults. It is compiled when it
    is first called, in the first step or check."""

    def __init__(self, job, weights, x, y):
        super().__init__(job, weights, x, y)
        self.network.compile()
        self.proven = False
        self.told = self._counted()

    def read_logits(self, i):
        # As in a step, or there would be a second graph for "without gradients".
        with self._frozen(), torch.inference_mode(not self.job.training), self.autocast:
            logits = torch.cat([self.forward(xm).detach() for xm in self.batch(i)[0].chunk(self.job.accumulate)])
        self._prove()
        return pytorch.array(logits)

    def loss(self):
        self._prove()
        return super().loss()

    def _prove(self):
        """Hold the compiler to it that it compiled: it gives code that it cannot
        take back to eager execution without a word."""
        if self.proven:
            return
        graphs, calls, breaks = counters["stats"]["unique_graphs"], counters["stats"]["calls_captured"], counters["graph_break"]
        if graphs < 1 or calls < 1:
            raise Unsupported("torch.compile compiled nothing of this network: %s" % ("; ".join(map(_reason, breaks)) or "no reason given"))
        print("torch.compile: %d graphs of %d calls, %d graph breaks%s" % (
            graphs, calls, sum(breaks.values()), "".join("\n  %d x %s" % (n, _reason(b)) for b, n in breaks.items())), file=sys.stderr)
        self.proven = True

    def _counted(self):
        """(graphs found in the cache on disk, graphs compiled) so far."""
        c = counters["inductor"]
        return c["fxgraph_cache_hit"], c["fxgraph_cache_miss"] + c["fxgraph_cache_bypass"]

    def compile_cache(self):
        found, compiled = (after - before for after, before in zip(self._counted(), self.told))
        self.told = self._counted()
        if compiled:
            return "cold"
        return "warm" if found else ""


def _reason(graph_break):
    """The first line of a graph break's text, with its explanation."""
    lines = [line.strip() for line in graph_break.splitlines() if line.strip()]
    return " ".join(lines[:2])[:300]


class Traced(pytorch.Eager):
    """The network as TorchScript. In training it is traced in training mode, so
    that dropout draws and batch statistics count. For inference it is frozen and
    optimised, which keeps convolutions in oneDNN's own layout."""

    def __init__(self, job, weights, x, y):
        super().__init__(job, weights, x, y)
        example = self.batch(0)[0][:job.batch // job.accumulate]
        # A cast that autocast has at hand would be a constant in the graph.
        with self._frozen(), pytorch.autocast(job, cache_enabled=False), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated, and says so
            # A second trace to compare with would draw other dropout masks.
            graph = torch.jit.trace(self.network, example, check_trace=False)
            self.forward = graph if job.training else torch.jit.optimize_for_inference(torch.jit.freeze(graph))
        self.proven = False

    def loss(self):
        if not self.proven and torch.jit.last_executed_optimized_graph() is None:
            raise Failed("TorchScript's executor has run no graph in this process")
        self.proven = True
        return super().loss()


class Graph(pytorch.PyTorch):
    """What both share."""

    def __init__(self, kind, features, model):
        self.kind, self.features, self.model = kind, features, model


class Compiler(Graph):
    """torch.compile, which needs a C++ compiler on this machine."""

    def hello(self, threads, device):
        claims = super().hello(threads, device)
        claims["versions"]["compiler"] = _compiler()
        return claims


def _compiler():
    """The C++ compiler's name and version; refuse a machine without one."""
    from torch._inductor import cpp_builder
    try:
        version = subprocess.run([cpp_builder.get_cpp_compiler(), "--version"], capture_output=True, text=True, check=True).stdout
    except Exception as e:  # InvalidCxxCompiler and those of subprocess
        raise Unsupported("torch.compile needs a C++ compiler, and there is no %s on PATH" % os.environ.get("CXX", "g++ or clang++")) from e
    headers = sysconfig.get_path("include")
    if not os.path.exists(os.path.join(headers, "Python.h")):
        raise Unsupported("torch.compile needs Python's header files, and there is no Python.h in %s" % headers)
    return version.partition("\n")[0].strip()


def load(name):
    if name == "pytorch-jit":
        return Graph("static-graph", ["accumulate", "loader"], Traced)
    # What the first compilation would import.
    import torch._inductor.compile_fx
    import torch.utils.cpp_extension
    return Compiler("compiled", ["accumulate", "checkpoint", "loader"], Compiled)
