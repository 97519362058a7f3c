"""PyTorch's flags of TF32 in products of float32, for its own entries and for
Keras on PyTorch. They have one form from PyTorch 2.9 on and another before it.

Source: docs.pytorch.org, "TensorFloat-32 (TF32) on Ampere (and later) devices".
"""

import torch

from ..errors import Failed


def _flags():
    """Where the flags are, their name and their two values."""
    cuda, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    if hasattr(cuda, "fp32_precision"):
        return (cuda, cudnn.conv, cudnn.rnn), "fp32_precision", ("ieee", "tf32")
    return (cuda, cudnn), "allow_tf32", (False, True)


def allow(tf32):
    """Set whether products use TF32."""
    places, flag, values = _flags()
    for place in places:
        setattr(place, flag, values[bool(tf32)])


def allowed():
    """Whether products use TF32, as the flags say."""
    places, flag, values = _flags()
    found = {getattr(place, flag) for place in places}
    if len(found) > 1:
        raise Failed("TF32 is on for some products only: %s is %s" % (flag, ", ".join(sorted(map(str, found)))))
    return found == {values[True]}
