"""A batch of inputs for a fleet, stored once for all runs of a seed, and its products."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
from torch import Tensor

from relu_exp.engine.ops.layout import new_stack, placed
from relu_exp.engine.ops.products import add_product_, product

__all__ = [
    "Samples",
    "groups_of",
    "shared_bias",
    "shared_gradient",
    "shared_product",
    "subtract_shared_gradient_",
]

_REACH = 32
"""Features that a group's reach is a multiple of, so that few shapes of products come up."""


@dataclass(frozen=True)
class Samples:
    """A batch of inputs for a fleet, stored once for all runs of a seed.

    `inputs` is (groups, features, samples), `labels` (groups, samples); `sizes` says how many
    consecutive runs share each group. Beyond its `reach`, all samples of a group are equal to the
    `background` (features,), as at the border of images: what those features add to a product is
    the same for all. Without a background there is nothing of the kind.
    """

    inputs: Tensor
    labels: Tensor
    sizes: tuple[int, ...]
    reach: tuple[int, ...] = ()
    background: Tensor | None = None

    def reaching(self, ends: Sequence[int], background: Tensor) -> Samples:
        """Return the samples, of which each group is background beyond its end."""
        most = self.inputs.shape[1]
        reach = tuple(min(most, -(-end // _REACH) * _REACH) for end in ends)
        return replace(self, reach=reach, background=background)

    def run_labels(self) -> Tensor:
        """Return the labels of every run: (runs, samples)."""
        return self._of_runs(self.labels)

    def run_inputs(self) -> Tensor:
        """Return the inputs of every run: (runs, features, samples)."""
        return self._of_runs(self.inputs)

    def _of_runs(self, groups: Tensor) -> Tensor:
        # no index, which a GPU would have to be sent at every step
        pairs = zip(groups, self.sizes, strict=True)
        return torch.cat([group.expand(size, *group.shape) for group, size in pairs])

    def each(self, change: Callable[[Tensor], Tensor]) -> Samples:
        """Return the samples with changed inputs."""
        background = None if self.background is None else change(self.background)
        return replace(self, inputs=change(self.inputs), background=background)

    @property
    def groups(self) -> Iterator[tuple[slice, Tensor, int]]:
        """The runs that share a group, its inputs (1, features, samples) and their reach."""
        reach = self.reach or (self.inputs.shape[1],) * len(self.sizes)
        inputs = placed(self.inputs)
        each = (inputs[group : group + 1] for group in range(len(inputs)))
        return zip(groups_of(self.sizes), each, reach, strict=True)


def groups_of(sizes: Sequence[int]) -> list[slice]:
    """Return which runs belong to each group of consecutive runs."""
    ends = list(accumulate(sizes))
    return [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]


def shared_product(W: Tensor, x: Samples, out: Tensor | None = None) -> Tensor:
    """Return the products of weights and inputs, less what the background adds.

    Args:
        W: (runs, out, features).
        x: the inputs.
        out: a stack that they are written to.

    Returns:
        (runs, out, samples); with `shared_bias` added, W X + b of every run.
    """
    if out is None:
        out = new_stack(W, W.shape[1], x.inputs.shape[2])
    W = placed(W)
    for runs, inputs, reach in x.groups:
        w = W[runs, :, :reach]
        product(w, inputs[:, :reach].expand(len(w), -1, -1), out=out[runs])
    return out


def shared_bias(W: Tensor, b: Tensor, x: Samples) -> Tensor:
    """Return biases (runs, out, 1) together with what the background adds to the products."""
    if x.background is None:
        return b
    # not a product with a vector, whose last bits depend on how many rows there are
    parts = [
        (W[runs, :, reach:] * x.background[reach:]).sum(-1, keepdim=True)
        for runs, _, reach in x.groups
    ]
    return b + torch.cat(parts)


def shared_gradient(dz: Tensor, x: Samples) -> Tensor:
    """Return the gradient by weights (runs, out, features), given that by their products."""
    dW = new_stack(dz, dz.shape[1], x.inputs.shape[1]).zero_()
    _add_shared_gradient_(dW, dz, x, alpha=1)
    return dW


def subtract_shared_gradient_(W: Tensor, dz: Tensor, x: Samples) -> None:
    """Subtract the gradient by weights: what `W -= shared_gradient(dz, x)` does, in one pass."""
    _add_shared_gradient_(W, dz, x, alpha=-1)


def _add_shared_gradient_(W: Tensor, dz: Tensor, x: Samples, alpha: int) -> None:
    dz = placed(dz)
    for runs, inputs, reach in x.groups:
        w, grad = W[runs, :, :reach], dz[runs]
        add_product_(w, grad, inputs[:, :reach].transpose(1, 2).expand(len(w), -1, -1), alpha)
        if x.background is not None:
            total = grad.sum(-1, keepdim=True)
            W[runs, :, reach:].addcmul_(total, x.background[reach:], value=alpha)
