"""The classifier of workloads/specs/text-lstm.yaml as PyTorch's documentation
writes it: a module with nn.LSTM and its loop (docs.pytorch.org, Training with
PyTorch), a fused optimizer (torch.optim), module.compile (Where to apply
torch.compile?), torch.jit.trace.

    python pytorch_text_lstm.py --variant pytorch --threads 1 --warmup 20 --steps 60

The last line of standard output is {"variant": NAME, "step_ns": [one per step]}.
"""

import argparse
import json
import time

import torch
from torch import nn
from torch.nn import functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--variant", required=True, choices=["pytorch", "pytorch-compile", "pytorch-jit"])
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--warmup", type=int, default=20)
parser.add_argument("--steps", type=int, default=60)
args = parser.parse_args()

torch.set_num_threads(args.threads)
torch.manual_seed(1)

BATCH, BATCHES, WORDS, VOCABULARY = 32, 8, 100, 10000
texts = [torch.randint(0, VOCABULARY, (BATCH, WORDS)) for _ in range(BATCHES)]
labels = [torch.randint(0, 2, (BATCH, 1)).float() for _ in range(BATCHES)]


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
        x = F.relu(self.fc1(x[:, -1]))
        return self.fc2(x)


model = Classifier()
loss_fn = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001, eps=1e-7, fused=True)
if args.variant == "pytorch-compile":
    model.compile()
elif args.variant == "pytorch-jit":
    model = torch.jit.trace(model, texts[0])

step_ns = []
for s in range(args.warmup + args.steps):
    start = time.perf_counter_ns()
    x, y = texts[s % BATCHES], labels[s % BATCHES]
    optimizer.zero_grad()
    loss = loss_fn(model(x), y)
    loss.backward()
    optimizer.step()
    step_ns.append(time.perf_counter_ns() - start)
print(json.dumps({"variant": args.variant, "step_ns": step_ns[args.warmup:]}))
