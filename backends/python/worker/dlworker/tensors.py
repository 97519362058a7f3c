"""Files and fingerprints (PROTOCOL.md, sections 9 and 10)."""

import json
import struct

import numpy

from .errors import Failed

_DTYPES = {"F32": "<f4", "I32": "<i4"}


def safetensors(path):
    """Read a safetensors file: name -> array of float32 or int32, read-only."""
    try:
        with open(path, "rb") as f:
            data = f.read()
    except OSError as e:
        raise Failed("%s cannot be read: %s" % (path, e.strerror)) from e
    try:
        (size,) = struct.unpack_from("<Q", data)
        header = json.loads(data[8:8 + size])
        out = {}
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            begin, end = entry["data_offsets"]
            values = numpy.frombuffer(data, _DTYPES[entry["dtype"]], offset=8 + size + begin, count=(end - begin) // 4)
            out[name] = values.reshape(entry["shape"])
        return out
    except (KeyError, ValueError, TypeError, struct.error) as e:
        raise Failed("%s is no safetensors file of F32 and I32: %s" % (path, e)) from e


def load(job):
    """The job's parameters by name, x [batches, batch, shape...] and y
    [batches, batch], held to the shapes that the program names."""
    weights, data = safetensors(job.weights_path), safetensors(job.batches_path)
    for p in job.params:
        if p.name not in weights or list(weights[p.name].shape) != list(p.shape):
            raise Failed("weights: %s has shape %s, the program says %s" % (
                p.name, list(weights[p.name].shape) if p.name in weights else "none", p.shape))
    for name, shape in (("x", [job.batches, job.batch, *job.input.shape]), ("y", [job.batches, job.batch])):
        if name not in data or list(data[name].shape) != shape:
            raise Failed("batches: %s has shape %s, the program says %s" % (
                name, list(data[name].shape) if name in data else "none", shape))
    return {p.name: weights[p.name] for p in job.params}, data["x"], data["y"]


def _signs(start, stop):
    """s_i of section 10 for i in [start, stop), as +1.0 and -1.0."""
    with numpy.errstate(over="ignore"):
        z = numpy.arange(start + 1, stop + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z ^= z >> numpy.uint64(31)
    return 1.0 - 2.0 * (z >> numpy.uint64(63)).astype(numpy.float64)


# Elements of a fingerprint that are summed at once: the scratch memory of a
# tensor with 100 million elements must not be gigabytes.
_CHUNK = 1 << 20


def fingerprint(values):
    """Euclidean norm and signed sum, both in float64, row-major."""
    flat = numpy.ascontiguousarray(values).reshape(-1)
    squares = proj = 0.0
    for start in range(0, flat.size, _CHUNK):
        part = flat[start:start + _CHUNK].astype(numpy.float64)
        squares += float(part @ part)
        proj += float(part @ _signs(start, start + part.size))
    return {"norm": squares ** 0.5, "proj": proj}
