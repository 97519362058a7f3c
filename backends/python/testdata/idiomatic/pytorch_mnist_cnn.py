"""The CNN of workloads/specs/mnist-cnn.yaml as PyTorch's documentation writes it:
a module and its loop (docs.pytorch.org, Training with PyTorch), channels-last
tensors for convolutions (Channels Last Memory Format), a fused optimizer
(torch.optim), module.compile (Where to apply torch.compile?), torch.jit.trace.

    python pytorch_mnist_cnn.py --variant pytorch --threads 1 --warmup 20 --steps 60

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

BATCH, BATCHES, CLASSES = 32, 8, 10
images = [torch.randn(BATCH, 1, 28, 28).to(memory_format=torch.channels_last) for _ in range(BATCHES)]
labels = [torch.randint(0, CLASSES, (BATCH,)) for _ in range(BATCHES)]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.fc1 = nn.Linear(1600, 128)
        self.fc2 = nn.Linear(128, CLASSES)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        return self.fc2(x)


model = Net().to(memory_format=torch.channels_last)
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.001, eps=1e-7, fused=True)
if args.variant == "pytorch-compile":
    model.compile()
elif args.variant == "pytorch-jit":
    model = torch.jit.trace(model, images[0])

step_ns = []
for s in range(args.warmup + args.steps):
    start = time.perf_counter_ns()
    x, y = images[s % BATCHES], labels[s % BATCHES]
    optimizer.zero_grad()
    loss = loss_fn(model(x), y)
    loss.backward()
    optimizer.step()
    step_ns.append(time.perf_counter_ns() - start)
print(json.dumps({"variant": args.variant, "step_ns": step_ns[args.warmup:]}))
