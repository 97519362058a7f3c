"""Batches from torch.utils.data.DataLoader, in the program's order.

Source: pytorch.org/docs/stable/data.html."""

import torch


class Examples(torch.utils.data.Dataset):
    """The examples of all batches, one by one, as a map-style dataset has them."""

    def __init__(self, x, y):
        """x is [batches, batch, ...] and y [batches, batch], tensors in host memory."""
        self.x, self.y = x.flatten(0, 1), y.flatten(0, 1)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class Loader:
    """One pass of a DataLoader after the other. It works in the process itself
    (num_workers=0, the default): another process would take a CPU that was not granted."""

    def __init__(self, x, y, pinned):
        self.examples, self.size, self.pinned = Examples(x, y), x.shape[1], pinned
        self.batches, self.following, self.batch_of = len(x), None, None

    def __call__(self, i):
        """Batch i as a pair of tensors in host memory. The loader goes on where
        it was unless another batch is asked for."""
        if i != self.following:
            self._begin(i)
        batch = next(self.batch_of)
        self.following = i + 1
        if self.following == self.batches:
            self._begin(0)
        return batch

    def _begin(self, i):
        rest = range(i * self.size, len(self.examples))
        self.batch_of = iter(torch.utils.data.DataLoader(self.examples, batch_size=self.size, sampler=rest, pin_memory=self.pinned))
        self.following = i
