"""Inference with the CNN of workloads/specs/mnist-cnn.yaml as the documentation of
ONNX Runtime writes it (onnxruntime.ai, Get started with Python): a PyTorch module
exported to a file, a session, session.run.

    python onnxruntime_mnist_cnn.py --variant onnxruntime --threads 1 --warmup 20 --steps 60

$DLBENCH_EXPORT_PYTHON is an interpreter with PyTorch and onnx, for the export.
The last line of standard output is {"variant": NAME, "step_ns": [one per step]}.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time

BATCH, BATCHES, CLASSES = 32, 8, 10


def export(path):
    import torch
    from torch import nn
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1600, 128), nn.ReLU(), nn.Linear(128, CLASSES))
    torch.onnx.export(model.eval(), (torch.randn(BATCH, 1, 28, 28),), path, dynamo=True, input_names=["x"], output_names=["logits"])


def infer(args, path):
    import numpy as np
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    images = np.random.default_rng(1).normal(size=(BATCHES, BATCH, 1, 28, 28)).astype(np.float32)
    step_ns = []
    for s in range(args.warmup + args.steps):
        start = time.perf_counter_ns()
        session.run(["logits"], {"x": images[s % BATCHES]})
        step_ns.append(time.perf_counter_ns() - start)
    print(json.dumps({"variant": args.variant, "step_ns": step_ns[args.warmup:]}))


parser = argparse.ArgumentParser()
parser.add_argument("--variant", choices=["onnxruntime"], default="onnxruntime")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--warmup", type=int, default=20)
parser.add_argument("--steps", type=int, default=60)
parser.add_argument("--export", metavar="FILE", help="only write the graph")
args = parser.parse_args()
if args.export:
    export(args.export)
else:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        subprocess.run([os.environ["DLBENCH_EXPORT_PYTHON"], "-s", __file__, "--export", path], check=True, stdout=subprocess.DEVNULL)
        infer(args, path)
