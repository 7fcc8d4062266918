"""A batch of inputs for a fleet, stored once for all runs of a seed, and its products."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate

import torch
from torch import Tensor

from relu_exp.engine.ops.layout import new_stack, placed
from relu_exp.engine.ops.products import add_product_, gpu_kernel, product

__all__ = [
    "Samples",
    "groups_of",
    "shared_bias",
    "shared_gradient",
    "shared_product",
    "subtract_shared_gradient_",
]

_FEATURE_STEP = 32
"""Numbers of active features are rounded up to multiples of this, so that few shapes occur."""


@dataclass(frozen=True)
class Samples:
    """A batch of inputs for a fleet, stored once for all runs of a seed.

    Attributes:
        inputs: (groups, features, samples).
        labels: (groups, samples).
        sizes: how many consecutive runs share each group.
        background: None, or a value for each feature (features,), as at the border of images.
        num_active_features: of each group. The features after these are equal to the background in
            all samples, so they add the same to a product for every sample.
    """

    inputs: Tensor
    labels: Tensor
    sizes: tuple[int, ...]
    num_active_features: tuple[int, ...] = ()
    background: Tensor | None = None

    def with_background(self, background: Tensor, num_active_features: Sequence[int]) -> Samples:
        """Return the samples with a background, which all but the first features are equal to.

        Args:
            background: (features,).
            num_active_features: the number of leading features of each group that may differ.
        """
        rounded_up = (-(-number // _FEATURE_STEP) * _FEATURE_STEP for number in num_active_features)
        most = self.inputs.shape[1]
        return replace(
            self,
            background=background,
            num_active_features=tuple(min(most, number) for number in rounded_up),
        )

    def run_labels(self) -> Tensor:
        """Return the labels of every run: (runs, samples)."""
        return self._of_runs(self.labels)

    def run_inputs(self) -> Tensor:
        """Return the inputs of every run: (runs, features, samples)."""
        return self._of_runs(self.inputs)

    def _of_runs(self, groups: Tensor) -> Tensor:
        # expand, because an index would have to be sent to a GPU at every step
        pairs = zip(groups, self.sizes, strict=True)
        return torch.cat([group.expand(size, *group.shape) for group, size in pairs])

    def each(self, change: Callable[[Tensor], Tensor]) -> Samples:
        """Return the samples with a function applied to the inputs and the background."""
        background = None if self.background is None else change(self.background)
        return replace(self, inputs=change(self.inputs), background=background)

    @property
    def placed_inputs(self) -> Tensor:
        """The inputs (groups, features, samples), as `layout.placed` returns them."""
        return placed(self.inputs)

    @property
    def groups(self) -> Iterator[tuple[slice, Tensor, int]]:
        """Each group: its runs, inputs (1, features, samples) and number of active features."""
        active = self.num_active_features or (self.inputs.shape[1],) * len(self.sizes)
        inputs = self.placed_inputs
        each = (inputs[group : group + 1] for group in range(len(inputs)))
        return zip(groups_of(self.sizes), each, active, strict=True)


def groups_of(sizes: Sequence[int]) -> list[slice]:
    """Return the runs of each group, given the sizes of the groups."""
    ends = list(accumulate(sizes))
    return [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]


@cache
def _group_of_each_run(sizes: tuple[int, ...], device: torch.device) -> Tensor:
    """Return the group of every run, int32 (runs,); cached, for a recorded step sends nothing."""
    groups = torch.arange(len(sizes), dtype=torch.int32)
    return groups.repeat_interleave(torch.tensor(sizes)).to(device)


def shared_product(W: Tensor, x: Samples, out: Tensor | None = None) -> Tensor:
    """Return the products of weights and inputs, without the contribution of the background.

    Args:
        W: (runs, out, features).
        x: the inputs.
        out: a stack that the result is written to.

    Returns:
        (runs, out, samples); with `shared_bias` added, W X + b of every run.
    """
    if out is None:
        out = new_stack(W, W.shape[1], x.inputs.shape[2])
    W = placed(W)
    if W.is_cuda and (multiply := gpu_kernel()):
        multiply(out, W, placed(x.inputs), None, _group_of_each_run(x.sizes, W.device))
        return out
    for runs, inputs, active in x.groups:
        w = W[runs, :, :active]
        product(w, inputs[:, :active].expand(len(w), -1, -1), out=out[runs])
    return out


def shared_bias(W: Tensor, b: Tensor, x: Samples) -> Tensor:
    """Return biases (runs, out, 1) plus the contribution of the background to the products."""
    if x.background is None:
        return b
    # a sum, because the last bits of a matrix-vector product depend on the number of rows
    parts = [
        (W[runs, :, active:] * x.background[active:]).sum(-1, keepdim=True)
        for runs, _, active in x.groups
    ]
    return b + torch.cat(parts)


def shared_gradient(dz: Tensor, x: Samples) -> Tensor:
    """Return the gradient by the weights (runs, out, features), given that by the products."""
    dW = new_stack(dz, dz.shape[1], x.inputs.shape[1]).zero_()
    _add_shared_gradient_(dW, dz, x, alpha=1)
    return dW


def subtract_shared_gradient_(W: Tensor, dz: Tensor, x: Samples) -> None:
    """Do `W -= shared_gradient(dz, x)` in one pass over W."""
    _add_shared_gradient_(W, dz, x, alpha=-1)


def _add_shared_gradient_(W: Tensor, dz: Tensor, x: Samples, alpha: int) -> None:
    dz = placed(dz)
    if W.is_cuda and (multiply := gpu_kernel()):
        inputs = placed(x.inputs.transpose(1, 2))
        multiply(W, dz, inputs, alpha, _group_of_each_run(x.sizes, W.device))
        return
    for runs, inputs, active in x.groups:
        w, grad = W[runs, :, :active], dz[runs]
        add_product_(w, grad, inputs[:, :active].transpose(1, 2).expand(len(w), -1, -1), alpha)
        if x.background is not None:
            total = grad.sum(-1, keepdim=True)
            W[runs, :, active:].addcmul_(total, x.background[active:], value=alpha)
