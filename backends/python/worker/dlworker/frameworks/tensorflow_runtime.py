"""TensorFlow's settings of a whole process, and what it says of itself."""

import platform

import tensorflow as tf

from ..errors import Unsupported
from .tensorflow_ops import OPS


def configure(threads, device):
    """Set threads and devices, which must come before the first op. Returns
    the part of hello that all entries share."""
    precisions, versions = ["f32", "f64", "bf16-mixed", "f16-mixed", "bf16", "f16"], {"tensorflow": tf.__version__, "python": platform.python_version()}
    gpus = tf.config.list_physical_devices("GPU")
    if device == "cuda":
        if not gpus:
            raise Unsupported("device cuda: tensorflow %s sees no GPU" % tf.__version__)
        precisions.append("tf32")
        info = tf.sysconfig.get_build_info()
        versions.update({part: info[part + "_version"] for part in ("cuda", "cudnn") if part + "_version" in info})
        for gpu in gpus:  # else it takes all memory of the device at once
            tf.config.experimental.set_memory_growth(gpu, True)
    else:
        tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    return {"versions": versions, "ops": OPS, "precisions": precisions, "features": ["accumulate", "checkpoint"],
            "dialect": {"adam-epsilon": "uncorrected"},
            "threads": "tf.config.threading: intra-op threads as granted, 1 inter-op thread",
            "effective_threads": tf.config.threading.get_intra_op_parallelism_threads(),
            "flush_denormals": float(tf.constant(1e-39) * tf.constant(0.5)) == 0.0}


def out_of_memory(e):
    return isinstance(e, tf.errors.ResourceExhaustedError)
