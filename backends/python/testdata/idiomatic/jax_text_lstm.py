"""The LSTM classifier of workloads/specs/text-lstm.yaml as JAX's documentation
writes recurrences: lax.scan over a cell (docs.jax.dev, jax.lax.scan), jit with
donated arguments, and Adam of optax. Without jit the loop is Python's, as
lax.scan compiles its body at every call.

    python jax_text_lstm.py --variant jax --threads 1 --warmup 20 --steps 60

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

BATCH, BATCHES, LENGTH, VOCABULARY, WIDTH = 32, 8, 100, 10000, 128
rng = np.random.default_rng(1)
tokens = jnp.asarray(rng.integers(0, VOCABULARY, (BATCHES, BATCH, LENGTH)), jnp.int32)
labels = jnp.asarray(rng.integers(0, 2, (BATCHES, BATCH)), jnp.float32)
batches = list(zip(tokens, labels))

init, keys = jax.nn.initializers.glorot_uniform(), iter(jax.random.split(jax.random.key(1), 8))


def dense(inputs, units):
    return {"w": init(next(keys), (inputs, units)), "b": jnp.zeros(units)}


def recurrent(inputs, units):
    return {"input": dense(inputs, 4 * units), "hidden": init(next(keys), (units, 4 * units))}


params = {"embedding": init(next(keys), (VOCABULARY, WIDTH)), "lstm1": recurrent(WIDTH, 64), "lstm2": recurrent(64, 32),
          "fc1": dense(32, 64), "fc2": dense(64, 1)}
optimizer = optax.adam(0.001)
state = optimizer.init(params)


def lstm(p, x, sequence):
    """[N, T, inputs] -> [N, T, units], or [N, units] of the last step."""
    def cell(carry, x):
        h, c = carry
        z = x @ p["input"]["w"] + p["input"]["b"] + h @ p["hidden"]
        i, f, g, o = jnp.split(z, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h if sequence else None

    xs, zeros = x.swapaxes(0, 1), jnp.zeros((len(x), len(p["hidden"])))
    if args.variant == "jax":
        (h, _), hs = jax.lax.scan(cell, (zeros, zeros), xs)
        return hs.swapaxes(0, 1) if sequence else h
    carry, hs = (zeros, zeros), []
    for x in xs:
        carry, h = cell(carry, x)
        hs.append(h)
    return jnp.stack(hs, 1) if sequence else carry[0]


def loss_of(params, x, y):
    x = params["embedding"][x]
    x = lstm(params["lstm1"], x, True)
    x = lstm(params["lstm2"], x, False)
    x = jax.nn.relu(x @ params["fc1"]["w"] + params["fc1"]["b"])
    logits = (x @ params["fc2"]["w"] + params["fc2"]["b"]).squeeze(-1)
    return optax.sigmoid_binary_cross_entropy(logits, y).mean()


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
