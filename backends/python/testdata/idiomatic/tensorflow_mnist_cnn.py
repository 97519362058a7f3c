"""The CNN of workloads/specs/mnist-cnn.yaml as TensorFlow's guides write it:
tf.Module, tf.nn and tf.GradientTape (tensorflow.org/guide/core), tf.function
(tensorflow.org/guide/function), and a TensorFlow 1 graph in a Session.

    python tensorflow_mnist_cnn.py --variant tensorflow-function --threads 1 --warmup 20 --steps 60

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

BATCH, BATCHES, CLASSES = 32, 8, 10
rng = np.random.default_rng(1)
images = rng.normal(size=(BATCHES, BATCH, 28, 28, 1)).astype("float32")
labels = rng.integers(0, CLASSES, (BATCHES, BATCH)).astype("int32")

SHAPES = {"conv1": (3, 3, 1, 32), "conv2": (3, 3, 32, 64), "fc1": (1600, 128), "fc2": (128, CLASSES)}


def initial(shape):
    """He's uniform initialisation."""
    bound = np.sqrt(6 / np.prod(shape[:-1]))
    return rng.uniform(-bound, bound, shape).astype("float32")


def convolution(x, kernel, bias):
    x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "VALID"), bias))
    return tf.nn.max_pool2d(x, 2, 2, "VALID")


def logits_of(x, v):
    x = convolution(x, v["conv1"], v["conv1_bias"])
    x = convolution(x, v["conv2"], v["conv2_bias"])
    x = tf.reshape(x, (-1, 1600))
    x = tf.nn.relu(tf.nn.bias_add(tf.matmul(x, v["fc1"]), v["fc1_bias"]))
    return tf.nn.bias_add(tf.matmul(x, v["fc2"]), v["fc2_bias"])


def loss_of(z, y):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=z))


def tensorflow2():
    """The step as a function of the batch's number."""
    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    class Network(tf.Module):
        def __init__(self):
            super().__init__()
            self.v = {name: tf.Variable(initial(shape), name=name) for name, shape in SHAPES.items()}
            self.v.update({name + "_bias": tf.Variable(tf.zeros(shape[-1:]), name=name + "_bias") for name, shape in SHAPES.items()})

        def __call__(self, x):
            return logits_of(x, self.v)

    network = Network()
    optimizer = keras.optimizers.Adam(0.001)
    trained = network.trainable_variables
    optimizer.build(trained)

    def train_step(x, y):
        with tf.GradientTape() as tape:
            loss = loss_of(network(x), y)
        gradients = tape.gradient(loss, trained)
        optimizer.apply_gradients(zip(gradients, trained))
        return loss

    if args.variant == "tensorflow-function":
        train_step = tf.function(train_step)
    elif args.variant == "tensorflow-xla":
        train_step = tf.function(train_step, jit_compile=True)
    xs, ys = [tf.constant(x) for x in images], [tf.constant(y) for y in labels]
    return lambda i: train_step(xs[i], ys[i])


def session():
    """The step as a function of the batch's number."""
    v1 = tf.compat.v1
    v1.disable_eager_execution()
    v1.enable_resource_variables()
    x, y = v1.placeholder(tf.float32, (BATCH, 28, 28, 1)), v1.placeholder(tf.int32, (BATCH,))
    v = {name: v1.get_variable(name, initializer=initial(shape)) for name, shape in SHAPES.items()}
    v.update({name + "_bias": v1.get_variable(name + "_bias", shape[-1:], initializer=v1.zeros_initializer()) for name, shape in SHAPES.items()})
    loss = loss_of(logits_of(x, v), y)
    train = v1.train.AdamOptimizer(0.001).minimize(loss)
    run = v1.Session(config=v1.ConfigProto(intra_op_parallelism_threads=args.threads, inter_op_parallelism_threads=1)).run
    run(v1.global_variables_initializer())
    return lambda i: run([loss, train], {x: images[i], y: labels[i]})


step = session() if args.variant == "tensorflow-session" else tensorflow2()
step_ns = []
for s in range(args.warmup + args.steps):
    start = time.perf_counter_ns()
    step(s % BATCHES)
    step_ns.append(time.perf_counter_ns() - start)
print(json.dumps({"variant": args.variant, "step_ns": step_ns[args.warmup:]}))
