"""The CNN of workloads/specs/mnist-cnn.yaml as JAX's documentation writes it:
a pure function of a dictionary of parameters (docs.jax.dev, Stateful
computations), jit with donated arguments (docs.jax.dev, Buffer donation), and
Adam of optax (optax.readthedocs.io, Getting started).

    python jax_mnist_cnn.py --variant jax --threads 1 --warmup 20 --steps 60

The last line of standard output is {"variant": NAME, "step_ns": [one per step]}.
"""

import argparse
import json
import os
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

parser = argparse.ArgumentParser()
parser.add_argument("--variant", required=True, choices=["jax", "jax-eager"])
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--warmup", type=int, default=20)
parser.add_argument("--steps", type=int, default=60)
args = parser.parse_args()

# XLA's thread pool on CPUs follows the process's affinity; it has no option.
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-args.threads:])

BATCH, BATCHES, CLASSES = 32, 8, 10
rng = np.random.default_rng(1)
images = jnp.asarray(rng.normal(size=(BATCHES, BATCH, 28, 28, 1)), jnp.float32)
labels = jnp.asarray(rng.integers(0, CLASSES, (BATCHES, BATCH)), jnp.int32)
batches = list(zip(images, labels))

SHAPES = {"conv1": (3, 3, 1, 32), "conv2": (3, 3, 32, 64), "fc1": (1600, 128), "fc2": (128, CLASSES)}

init, keys = jax.nn.initializers.he_uniform(), jax.random.split(jax.random.key(1), len(SHAPES))
params = {name: {"w": init(key, shape, jnp.float32), "b": jnp.zeros(shape[-1])} for key, (name, shape) in zip(keys, SHAPES.items())}
optimizer = optax.adam(0.001)
state = optimizer.init(params)


def convolution(p, x):
    x = jax.lax.conv_general_dilated(x, p["w"], (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return max_pool(jax.nn.relu(x + p["b"]))


def max_pool(x):
    """By reshape and max: the gradient of lax.reduce_window is far slower on CPUs."""
    n, h, w, c = x.shape
    return x[:, :h // 2 * 2, :w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))


def loss_of(params, x, y):
    x = convolution(params["conv1"], x)
    x = convolution(params["conv2"], x)
    x = x.reshape(BATCH, -1)
    x = jax.nn.relu(x @ params["fc1"]["w"] + params["fc1"]["b"])
    logits = x @ params["fc2"]["w"] + params["fc2"]["b"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


def train_step(params, state, x, y):
    loss, grads = jax.value_and_grad(loss_of)(params, x, y)
    updates, state = optimizer.update(grads, state, params)
    return optax.apply_updates(params, updates), state, loss


if args.variant == "jax":
    train_step = jax.jit(train_step, donate_argnums=(0, 1))

step_ns = []
for s in range(args.warmup + args.steps):
    start = time.perf_counter_ns()
    params, state, loss = train_step(params, state, *batches[s % BATCHES])
    jax.block_until_ready((params, state, loss))
    step_ns.append(time.perf_counter_ns() - start)
print(json.dumps({"variant": args.variant, "step_ns": step_ns[args.warmup:]}))
