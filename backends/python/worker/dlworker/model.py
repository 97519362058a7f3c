"""What a built program offers to the session."""

import contextlib


class Model:
    """One built program. params counts trainable elements that are really held;
    dtypes names those of "params" and "activations", read from real tensors;
    segments and accumulated are what was really set up; tf32 says whether matrix
    products go through TF32 (None: not known); loss_scale is what the scaling of
    f16-mixed begins with, read from the framework (0: the loss is not scaled).

    step(batch) makes one step and may return before it is complete, sync()
    returns when all steps are. Only these two are timed. All values read are
    numpy arrays in canonical layout (PROTOCOL.md, section 4)."""

    params = 0
    dtypes = {}
    segments = 0
    accumulated = 1
    tf32 = None
    loss_scale = 0.0

    def stepping(self):
        """A context that the session enters around many steps, outside of their
        time, as a user's loop has it."""
        return contextlib.nullcontext()

    def step(self, batch):
        """One step: forward, backward, update; in inference logits that stay readable."""
        raise NotImplementedError

    def sync(self):
        """Return when every step made so far is complete on the device."""

    def loss(self):
        """The loss of the last step, before its update, as a float."""
        raise NotImplementedError

    def read_logits(self, batch):
        """[batch, K] of a forward pass with the current parameters in the
        program's mode; changes no state."""
        raise NotImplementedError

    def read_grads(self, batch):
        """Gradients of the mean loss on batch at the current parameters, by
        name; changes no state. Only in builds for "check"."""
        raise NotImplementedError

    def read_params(self):
        """Every parameter and buffer, by name."""
        raise NotImplementedError

    def reset(self):
        """Parameters, buffers and optimizer state as after build."""
        raise NotImplementedError

    def compile_cache(self):
        """Of what was compiled since the last call: "cold" if any of it had to be,
        "warm" if all was found on disk, "" if nothing was or none is kept there."""
        return ""

    def device_peaks(self):
        """(allocated, reserved) bytes at their peak since build on a GPU, each None
        where the framework does not tell; else None."""
        return None
