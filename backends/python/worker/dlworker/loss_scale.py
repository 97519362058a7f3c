"""The loss scale of f16-mixed (PROTOCOL.md, section 8): one rule for all
frameworks, so that all skip the same steps.

A step whose parameter gradients are not all finite makes no update and halves
the scale; after INTERVAL updates in a row it doubles.
"""

import numpy

INITIAL = 1024.0
INTERVAL = 2000

# No gradient of a finite loss needs less: at 2^-24 a gradient of 1 is the
# smallest number of 16 bits.
_SMALLEST = 2.0 ** -24


def unscaled(gradients, scale):
    """What gradients(scale) says of a loss that is multiplied by scale, as
    gradients of the loss itself, {name: array}. The scale is halved as long as
    they are not all finite: reading them must not depend on how often a step
    would have been skipped."""
    found = gradients(scale)
    while scale > _SMALLEST and not all(numpy.isfinite(g).all() for g in found.values()):
        scale /= 2
        found = gradients(scale)
    return {name: g / scale for name, g in found.items()}
