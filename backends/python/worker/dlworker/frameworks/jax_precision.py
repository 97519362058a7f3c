"""What the precisions of PROTOCOL.md, section 8, are in JAX: the types of
parameters and of activations, and the loss scale of float16.

As JAX's libraries have it: an op casts the parameters that it reads to the type
of its input, so that their gradients come back in the type of the master copy;
normalisations, softmax and losses compute in float32.

Sources: docs.jax.dev, "jax.numpy.promote_types"; flax.readthedocs.io,
flax.linen.dtypes.promote_dtype and flax.training.dynamic_scale.
"""

import jax
import jax.numpy as jnp
import optax

from .. import loss_scale

# Precision -> type of parameters, type of activations.
TYPES = {"f64": (jnp.float64, jnp.float64), "f32": (jnp.float32, jnp.float32), "tf32": (jnp.float32, jnp.float32),
         "bf16-mixed": (jnp.float32, jnp.bfloat16), "f16-mixed": (jnp.float32, jnp.float16),
         "bf16": (jnp.bfloat16, jnp.bfloat16), "f16": (jnp.float16, jnp.float16)}
# What a compiled program of 16 bit is compiled with: XLA otherwise leaves out
# the rounding between ops that it fuses.
ROUNDED = {"xla_allow_excess_precision": False}


def _same(x):
    return x


class Types:
    """The types of a precision. params and activations hold values of those;
    statistics is the type of running statistics, losses and input files.

    wide and narrow convert an activation to statistics and back, read casts a
    parameter to the type of activations; all of them do nothing where the types
    are the same, which in execution op by op costs less than a cast to the same
    type."""

    def __init__(self, precision):
        params, activations = TYPES[precision]
        self.params, self.activations = jnp.dtype(params), jnp.dtype(activations)
        self.half = self.activations.itemsize == 2
        self.statistics = jnp.dtype(jnp.float32) if self.half else self.activations
        self.wide = (lambda x: x.astype(jnp.float32)) if self.half else _same
        self.narrow = (lambda x: x.astype(activations)) if self.half else _same
        self.read = _same if params is activations else self.narrow

    def plus(self, y, bias):
        """y + bias over the last axis. Of 16 bits both are widened: the gradient of
        a bias is a sum over many elements, which would be added up in 16 bit."""
        if self.half:
            return self.narrow(self.wide(y) + self.wide(bias))
        return y + bias


class Rule:
    """An update rule of optax, over a state that the step carries."""

    def __init__(self, rule):
        self.rule = rule

    def init(self, params):
        """The state before the first step."""
        return self.rule.init(params)

    def scale(self, _state):
        """The factor of the loss in the next step, None where there is none."""
        return None

    def apply(self, grads, state, params):
        """Parameters and state after an update with gradients of the scaled loss."""
        updates, state = self.rule.update(grads, state, params)
        return optax.apply_updates(params, updates), state


class ScaledRule(Rule):
    """The same with the dynamic loss scale of dlworker.loss_scale."""

    def init(self, params):
        return {"rule": self.rule.init(params), "scale": jnp.full((), loss_scale.INITIAL, jnp.float32), "updates": jnp.zeros((), jnp.int32)}

    def scale(self, state):
        return state["scale"]

    def apply(self, grads, state, params):
        scale = state["scale"]
        finite = jnp.stack([jnp.isfinite(g).all() for g in jax.tree.leaves(grads)]).all()
        after = super().apply(jax.tree.map(lambda g: g / scale, grads), state["rule"], params)
        params, rule = jax.tree.map(lambda new, old: jnp.where(finite, new, old), after, (params, state["rule"]))
        updates = jnp.where(finite, state["updates"] + 1, 0)  # in a row
        grown = updates == loss_scale.INTERVAL
        scale = jnp.where(finite, jnp.where(grown, 2 * scale, scale), scale / 2)
        return params, {"rule": rule, "scale": scale, "updates": jnp.where(grown, 0, updates)}
