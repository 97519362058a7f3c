"""The LSTM classifier of workloads/specs/text-lstm.yaml as Keras' documentation
writes it: a Sequential model (keras.io/guides/working_with_rnns), compile and
train_on_batch (keras.io/api/models/model_training_apis).

    python keras_text_lstm.py --variant keras-tensorflow --threads 1 --warmup 20 --steps 60

The last line of standard output is {"variant": NAME, "step_ns": [one per step]}.
"""

import argparse
import json
import os
import time

parser = argparse.ArgumentParser()
parser.add_argument("--variant", required=True, choices=["keras-tensorflow", "keras-torch", "keras-jax"])
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--warmup", type=int, default=20)
parser.add_argument("--steps", type=int, default=60)
args = parser.parse_args()

backend = args.variant.removeprefix("keras-")
os.environ["TF_CPP_MIN_LOG_LEVEL"], os.environ["KERAS_BACKEND"] = "3", backend

import keras
import numpy as np
from keras import layers

if backend == "tensorflow":
    import tensorflow as tf
    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
elif backend == "torch":
    import torch
    torch.set_num_threads(args.threads)
else:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-args.threads:])

BATCH, BATCHES, LENGTH, VOCABULARY = 32, 8, 100, 10000
rng = np.random.default_rng(1)
tokens = rng.integers(0, VOCABULARY, (BATCHES, BATCH, LENGTH)).astype("int32")
labels = rng.integers(0, 2, (BATCHES, BATCH)).astype("float32")

model = keras.Sequential([
    keras.Input((LENGTH,), dtype="int32"),
    layers.Embedding(VOCABULARY, 128),
    layers.LSTM(64, return_sequences=True),
    layers.LSTM(32),
    layers.Dense(64, activation="relu"),
    layers.Dense(1),
])
model.compile(optimizer=keras.optimizers.Adam(0.001), loss=keras.losses.BinaryCrossentropy(from_logits=True))

step_ns = []
for s in range(args.warmup + args.steps):
    x, y = tokens[s % BATCHES], labels[s % BATCHES]
    start = time.perf_counter_ns()
    model.train_on_batch(x, y)
    step_ns.append(time.perf_counter_ns() - start)
print(json.dumps({"variant": args.variant, "step_ns": step_ns[args.warmup:]}))
