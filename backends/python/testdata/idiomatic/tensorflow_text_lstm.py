"""The LSTM classifier of workloads/specs/text-lstm.yaml as TensorFlow's guides
write it: tf.nn, tf.keras.layers.LSTM and tf.GradientTape (tensorflow.org/guide,
keras/working_with_rnns, core, function), and a TensorFlow 1 graph in a Session,
unrolled as tf.compat.v1.nn.static_rnn does it.

    python tensorflow_text_lstm.py --variant tensorflow-function --threads 1 --warmup 20 --steps 60

The last line of standard output is {"variant": NAME, "step_ns": [one per step]}.
"""

import argparse
import json
import os
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf

parser = argparse.ArgumentParser()
parser.add_argument("--variant", required=True, choices=["tensorflow", "tensorflow-function", "tensorflow-xla", "tensorflow-session"])
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--warmup", type=int, default=20)
parser.add_argument("--steps", type=int, default=60)
args = parser.parse_args()

BATCH, BATCHES, LENGTH, VOCABULARY, WIDTH = 32, 8, 100, 10000, 128
rng = np.random.default_rng(1)
tokens = rng.integers(0, VOCABULARY, (BATCHES, BATCH, LENGTH)).astype("int32")
labels = rng.integers(0, 2, (BATCHES, BATCH)).astype("float32")

SHAPES = {"embedding": (VOCABULARY, WIDTH), "fc1": (32, 64), "fc2": (64, 1)}


def initial(shape):
    """Glorot's uniform initialisation."""
    bound = np.sqrt(6 / sum(shape))
    return rng.uniform(-bound, bound, shape).astype("float32")


def head(h, v):
    h = tf.nn.relu(tf.nn.bias_add(tf.matmul(h, v["fc1"]), v["fc1_bias"]))
    return tf.nn.bias_add(tf.matmul(h, v["fc2"]), v["fc2_bias"])


def loss_of(z, y):
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=tf.squeeze(z, -1)))


def tensorflow2():
    """The step as a function of the batch's number."""
    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    # XLA compiles each step of an unrolled layer.
    unroll = args.variant != "tensorflow-xla"
    lstm1 = keras.layers.LSTM(64, return_sequences=True, unroll=unroll)
    lstm2 = keras.layers.LSTM(32, unroll=unroll)
    lstm1.build((BATCH, LENGTH, WIDTH))
    lstm2.build((BATCH, LENGTH, 64))
    v = {name: tf.Variable(initial(shape), name=name) for name, shape in SHAPES.items()}
    v.update({name + "_bias": tf.Variable(tf.zeros(shape[-1:]), name=name + "_bias") for name, shape in SHAPES.items() if name != "embedding"})
    trained = [*v.values(), *(w.value for w in lstm1.trainable_variables + lstm2.trainable_variables)]
    optimizer = keras.optimizers.Adam(0.001)
    optimizer.build(trained)

    def train_step(x, y):
        with tf.GradientTape() as tape:
            h = lstm2(lstm1(tf.nn.embedding_lookup(v["embedding"], x)))
            loss = loss_of(head(h, v), y)
        # Keras makes the sparse gradient of the embedding dense anyway: once is faster.
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(loss, trained)]
        optimizer.apply_gradients(zip(gradients, trained))
        return loss

    if args.variant == "tensorflow-function":
        train_step = tf.function(train_step)
    elif args.variant == "tensorflow-xla":
        train_step = tf.function(train_step, jit_compile=True)
    xs, ys = [tf.constant(x) for x in tokens], [tf.constant(y) for y in labels]
    return lambda i: train_step(xs[i], ys[i])


def static_lstm(x, name, units):
    """All outputs of a recurrent layer, as a list."""
    v1, width = tf.compat.v1, x.shape[-1]
    with v1.variable_scope(name):
        kernel = v1.get_variable("kernel", initializer=initial((width, 4 * units)))
        recurrent = v1.get_variable("recurrent", initializer=initial((units, 4 * units)))
        bias = v1.get_variable("bias", (4 * units,), initializer=v1.zeros_initializer())
    projected = tf.nn.bias_add(tf.matmul(tf.reshape(x, (-1, width)), kernel), bias)
    steps = tf.unstack(tf.transpose(tf.reshape(projected, (BATCH, LENGTH, 4 * units)), (1, 0, 2)))
    h = c = tf.zeros((BATCH, units))
    outputs = []
    for step in steps:
        i, f, g, o = tf.split(step + tf.matmul(h, recurrent), 4, 1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        outputs.append(h)
    return outputs


def session():
    """The step as a function of the batch's number."""
    v1 = tf.compat.v1
    v1.disable_eager_execution()
    v1.enable_resource_variables()
    x, y = v1.placeholder(tf.int32, (BATCH, LENGTH)), v1.placeholder(tf.float32, (BATCH,))
    v = {name: v1.get_variable(name, initializer=initial(shape)) for name, shape in SHAPES.items()}
    v.update({name + "_bias": v1.get_variable(name + "_bias", shape[-1:], initializer=v1.zeros_initializer()) for name, shape in SHAPES.items() if name != "embedding"})
    h = tf.stack(static_lstm(tf.nn.embedding_lookup(v["embedding"], x), "lstm1", 64), 1)
    loss = loss_of(head(static_lstm(h, "lstm2", 32)[-1], v), y)
    optimizer = v1.train.AdamOptimizer(0.001)
    # The optimizer's dense kernel is faster than its sparse one, and does the same.
    train = optimizer.apply_gradients([(tf.convert_to_tensor(g), w) for g, w in optimizer.compute_gradients(loss)])
    run = v1.Session(config=v1.ConfigProto(intra_op_parallelism_threads=args.threads, inter_op_parallelism_threads=1)).run
    run(v1.global_variables_initializer())
    return lambda i: run([loss, train], {x: tokens[i], y: labels[i]})


step = session() if args.variant == "tensorflow-session" else tensorflow2()
step_ns = []
for s in range(args.warmup + args.steps):
    start = time.perf_counter_ns()
    step(s % BATCHES)
    step_ns.append(time.perf_counter_ns() - start)
print(json.dumps({"variant": args.variant, "step_ns": step_ns[args.warmup:]}))
