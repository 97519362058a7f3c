"""Inference with the classifier of workloads/specs/text-lstm.yaml as the
documentation of ONNX Runtime writes it (onnxruntime.ai, Get started with
Python): a PyTorch module exported to a file, a session, session.run.

    python onnxruntime_text_lstm.py --variant onnxruntime --threads 1 --warmup 20 --steps 60

$DLBENCH_EXPORT_PYTHON is an interpreter with PyTorch and onnx, for the export.
The last line of standard output is {"variant": NAME, "step_ns": [one per step]}.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time

BATCH, BATCHES, WORDS, VOCABULARY = 32, 8, 100, 10000


def export(path):
    import torch
    from torch import nn

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(VOCABULARY, 128)
            self.lstm1 = nn.LSTM(128, 64, batch_first=True)
            self.lstm2 = nn.LSTM(64, 32, batch_first=True)
            self.fc1 = nn.Linear(32, 64)
            self.fc2 = nn.Linear(64, 1)

        def forward(self, x):
            x = self.embedding(x)
            x, _ = self.lstm1(x)
            x, _ = self.lstm2(x)
            x = torch.relu(self.fc1(x[:, -1]))
            return self.fc2(x)

    example = torch.randint(0, VOCABULARY, (BATCH, WORDS))
    torch.onnx.export(Classifier().eval(), (example,), path, dynamo=True, input_names=["x"], output_names=["logits"])


def infer(args, path):
    import numpy as np
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    texts = np.random.default_rng(1).integers(0, VOCABULARY, (BATCHES, BATCH, WORDS))
    step_ns = []
    for s in range(args.warmup + args.steps):
        start = time.perf_counter_ns()
        session.run(["logits"], {"x": texts[s % BATCHES]})
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
