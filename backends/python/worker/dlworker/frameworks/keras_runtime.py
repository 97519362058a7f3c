"""What differs between the backends under Keras 3: threads, device, TF32,
gradients outside of a training step, and peaks of device memory."""

import importlib
import platform

import keras

from .. import affinity
from ..errors import Unsupported

FRAMEWORK = keras.backend.backend()
framework = importlib.import_module(FRAMEWORK)


def versions():
    """Known when the device is: jit_compile="auto", Keras' default, depends on it.
    What is told is what it leads to where all layers can be compiled."""
    jit = "on" if keras.Sequential().jit_compile else "off"
    return {"keras": keras.__version__, FRAMEWORK: framework.__version__, "python": platform.python_version(), "jit_compile": "auto (%s)" % jit}


def configure(threads, device):
    """Set threads and device before the first op: (phrase, effective threads)."""
    if FRAMEWORK == "tensorflow":
        gpus = framework.config.list_physical_devices("GPU")
        _demand(device == "cpu" or gpus, device)
        if device == "cpu":
            framework.config.set_visible_devices([], "GPU")
        for gpu in gpus if device == "cuda" else ():  # else it takes all memory of the device at once
            framework.config.experimental.set_memory_growth(gpu, True)
        framework.config.threading.set_intra_op_parallelism_threads(threads)
        framework.config.threading.set_inter_op_parallelism_threads(1)
        return "tf.config.threading, 1 inter-op thread", framework.config.threading.get_intra_op_parallelism_threads()
    if FRAMEWORK == "torch":
        _demand(device == "cpu" or framework.cuda.is_available(), device)
        framework.set_num_threads(threads)
        framework.set_num_interop_threads(1)
        return "torch.set_num_threads, 1 inter-op thread", framework.get_num_threads()
    granted = affinity.restrict(threads)  # before XLA makes its pool
    framework.config.update("jax_platforms", device)
    try:
        framework.devices()
    except RuntimeError as e:
        raise Unsupported("device %s: jax %s sees no such device: %s" % (device, framework.__version__, e)) from e
    return affinity.phrase(granted), granted or threads


def _demand(there, device):
    if not there:
        raise Unsupported("device %s: %s %s sees no such device" % (device, FRAMEWORK, framework.__version__))


def _torch_tf32():
    from . import torch_tf32  # imports PyTorch, which only its own entry should
    return torch_tf32


def precise(tf32):
    """Set whether products of float32 use TF32."""
    if FRAMEWORK == "jax":
        framework.config.update("jax_default_matmul_precision", "tensorfloat32" if tf32 else "highest")
    elif FRAMEWORK == "torch":
        _torch_tf32().allow(tf32)
    else:
        framework.config.experimental.enable_tensor_float_32_execution(tf32)


def tf32():
    """Whether products of float32 use TF32, as the framework's own flags say."""
    if FRAMEWORK == "jax":
        return framework.config.jax_default_matmul_precision == "tensorfloat32"
    if FRAMEWORK == "tensorflow":
        return framework.config.experimental.tensor_float_32_execution_enabled()
    return _torch_tf32().allowed()


def gradients(model, x, y, scale):
    """Gradients of scale times the mean loss by the trainable variables, dense, as numpy."""
    if FRAMEWORK == "tensorflow":
        with framework.GradientTape() as tape:
            loss = model.compute_loss(x, y, model(x, training=True)) * scale
        found = tape.gradient(loss, [v.value for v in model.trainable_variables])
        return [framework.convert_to_tensor(g).numpy() for g in found]
    if FRAMEWORK == "torch":
        model.zero_grad()
        (model.compute_loss(x, y, model(x, training=True)) * scale).backward()
        found = [v.value.grad.detach().cpu().numpy().copy() for v in model.trainable_variables]
        model.zero_grad()
        return found

    def loss(trainable, other):
        z, _ = model.stateless_call(trainable, other, x, training=True)
        return model.loss(y, z) * scale

    values = [v.value for v in model.trainable_variables], [v.value for v in model.non_trainable_variables]
    return [framework.device_get(g) for g in framework.grad(loss)(*values)]


def device_peaks():
    """(allocated, reserved) bytes at their peak on a GPU; the second is None where
    only the first is told."""
    if FRAMEWORK == "torch":
        return framework.cuda.max_memory_allocated(), framework.cuda.max_memory_reserved()
    if FRAMEWORK == "tensorflow":
        return framework.config.experimental.get_memory_info("GPU:0")["peak"], None
    stats = framework.devices()[0].memory_stats()
    return stats["peak_bytes_in_use"], stats.get("peak_pool_bytes")


def flushes():
    """Whether arithmetic on denormals gives 0."""
    tiny = keras.ops.convert_to_tensor(1e-39, "float32")
    return float(keras.ops.multiply(tiny, 0.5)) == 0.0


def out_of_memory(e):
    if FRAMEWORK == "torch":
        return isinstance(e, framework.OutOfMemoryError) or "can't allocate memory" in str(e)
    return "RESOURCE_EXHAUSTED" in str(e) or type(e).__name__ == "ResourceExhaustedError"
