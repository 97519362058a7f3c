"""The table of what this worker can be, by the names of dlbench's catalog.

A framework's file has a function load(name), which imports the framework and
returns an object with

    hello(threads, device) -> what the worker says of itself: kind, versions,
        ops, precisions, features, dialect, threads, effective_threads,
        flush_denormals; raises Unsupported where there is no such device
    build(job, weights, x, y) -> a model; weights by name, x [batches, batch,
        shape...] and y [batches, batch] are numpy arrays
    share() -> may be left out; called once in a process that will be forked
    out_of_memory(e) -> whether an exception means that memory ran out

A model is what dlworker.model.Model describes.
"""

import importlib


class Entry:
    """A framework that is imported when it is asked for."""

    def __init__(self, module):
        self.module = module

    def load(self, name):
        return importlib.import_module("." + self.module, __name__).load(name)


TABLE = {
    "pytorch": Entry("pytorch"),
    "pytorch-compile": Entry("pytorch_graph"),
    "pytorch-jit": Entry("pytorch_graph"),
    "tensorflow": Entry("tensorflow_v2"),
    "tensorflow-function": Entry("tensorflow_v2"),
    "tensorflow-xla": Entry("tensorflow_v2"),
    "tensorflow-session": Entry("tensorflow_session"),
    "keras-tensorflow": Entry("keras"),
    "keras-torch": Entry("keras"),
    "keras-jax": Entry("keras"),
    "jax": Entry("jax"),
    "jax-eager": Entry("jax"),
    "onnxruntime": Entry("onnxruntime"),
    "openvino": Entry("openvino"),
}
