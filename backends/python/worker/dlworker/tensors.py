"""Files and fingerprints (PROTOCOL.md, sections 9 and 10)."""

import collections.abc
import json
import os
import struct

import numpy

from .errors import Failed

_DTYPES = {"F32": "<f4", "I32": "<i4"}


class Safetensors(collections.abc.Mapping):
    """A safetensors file: name -> array of float32 or int32, read anew each time
    it is asked for. A worker that kept the values would count as memory that its
    framework takes."""

    def __init__(self, path):
        self.path, self.entries = path, {}
        try:
            with open(path, "rb") as f:
                (size,) = struct.unpack("<Q", f.read(8))
                there = os.fstat(f.fileno()).st_size - 8 - size
                header = json.loads(f.read(size)) if there >= 0 else {}[size]
            for name, entry in header.items():
                if name == "__metadata__":
                    continue
                (begin, end), shape = entry["data_offsets"], tuple(entry["shape"])
                if not 0 <= begin <= end <= there or 4 * int(numpy.prod(shape)) != end - begin:
                    raise ValueError("%s lies at %d to %d of %d bytes, shape %s" % (name, begin, end, there, list(shape)))
                self.entries[name] = _DTYPES[entry["dtype"]], shape, 8 + size + begin
        except OSError as e:
            raise Failed("%s cannot be read: %s" % (path, e.strerror)) from e
        except (KeyError, ValueError, TypeError, AttributeError, struct.error) as e:
            raise Failed("%s is no safetensors file of F32 and I32: %s" % (path, e)) from e

    def __getitem__(self, name):
        dtype, shape, offset = self.entries[name]
        return numpy.fromfile(self.path, dtype, int(numpy.prod(shape)), offset=offset).reshape(shape)

    def __iter__(self):
        return iter(self.entries)

    def __len__(self):
        return len(self.entries)

    def shape(self, name):
        """The shape of a tensor as a list; None if there is none of that name."""
        return list(self.entries[name][1]) if name in self.entries else None


def load(job):
    """The job's parameters by name, read when they are asked for, x [batches,
    batch, shape...] and y [batches, batch], held to the shapes that the program
    names."""
    weights, data = Safetensors(job.weights_path), Safetensors(job.batches_path)
    for p in job.params:
        if weights.shape(p.name) != list(p.shape):
            raise Failed("weights: %s has shape %s, the program says %s" % (p.name, weights.shape(p.name) or "none", p.shape))
    for name, shape in (("x", [job.batches, job.batch, *job.input.shape]), ("y", [job.batches, job.batch])):
        if data.shape(name) != shape:
            raise Failed("batches: %s has shape %s, the program says %s" % (name, data.shape(name) or "none", shape))
    weights.entries = {p.name: weights.entries[p.name] for p in job.params}
    return weights, data["x"], data["y"]


def labels_of(job):
    """y [batches, batch], read anew: what a build holds of it is the framework's."""
    return Safetensors(job.batches_path)["y"]


def count_correct(logits, labels):
    """How many examples logits [batch, K] answer right (section 10)."""
    logits = numpy.asarray(logits)
    answers = logits.argmax(axis=1) if logits.shape[1] > 1 else logits[:, 0] > 0
    return int((answers == labels).sum())


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
