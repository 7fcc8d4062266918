"""Matrix products of a whole fleet: each run's bits are its own, and what all runs share is one.

A product's last bits depend on where in memory its operands begin. Rows of whole vectors begin
alike in every fleet; others are copied to where a lone run's would be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
from torch import Tensor

__all__ = [
    "ROWS",
    "Samples",
    "groups_of",
    "product",
    "shared_bias",
    "shared_gradient",
    "shared_product",
    "subtract_product_",
    "subtract_shared_gradient_",
]

ROWS = 4
"""Numbers in the smallest vector that a matrix product loads at once."""


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
        # in whole vectors
        most = self.inputs.shape[1]
        reach = tuple(min(most, -(-end // ROWS) * ROWS) for end in ends)
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
        """The runs that share a group, its inputs (features, samples), and how far they reach."""
        reach = self.reach or (self.inputs.shape[1],) * len(self.sizes)
        return zip(groups_of(self.sizes), self.inputs, reach, strict=True)


def product(A: Tensor, B: Tensor) -> Tensor:
    """Return the matrix products A B of every run: (runs, m, k) by (runs, k, n) to (runs, m, n)."""
    if _has_whole_vectors(A, B):
        return A @ B
    return torch.stack([a.clone() @ b.clone() for a, b in zip(A, B, strict=True)])


def subtract_product_(W: Tensor, A: Tensor, B: Tensor) -> None:
    """Subtract the matrix products A B from W: what `W -= product(A, B)` does, in one pass."""
    if _has_whole_vectors(W, A, B):
        W.baddbmm_(A, B, alpha=-1)
    else:
        W -= product(A, B)


def shared_product(W: Tensor, x: Samples, out: Tensor | None = None) -> Tensor:
    """Return the products of weights and inputs, less what the background adds.

    All runs of a group go in one large product.

    Args:
        W: (runs, out, features).
        x: the inputs.
        out: where they are written.

    Returns:
        (runs, out, samples); with `shared_bias` added, W X + b of every run.
    """
    if out is None:
        out = W.new_empty(*W.shape[:2], x.inputs.shape[2])
    for part, inputs, reach in x.groups:
        if _is_whole(W):
            torch.mm(W[part].flatten(0, 1)[:, :reach], inputs[:reach], out=out[part].flatten(0, 1))
        else:
            for z, w in zip(out[part], W[part], strict=True):
                z.copy_(w[:, :reach].clone() @ inputs[:reach])
    return out


def shared_bias(W: Tensor, b: Tensor, x: Samples) -> Tensor:
    """Return biases (runs, out, 1) together with what the background adds to the products."""
    if x.background is None:
        return b
    # not a product with a vector, whose last bits depend on how many rows there are
    parts = [
        (W[part, :, reach:] * x.background[reach:]).sum(-1, keepdim=True)
        for part, _, reach in x.groups
    ]
    return b + torch.cat(parts)


def shared_gradient(dz: Tensor, x: Samples) -> Tensor:
    """Return the gradient by weights (runs, out, features), given that by their products."""
    dW = dz.new_empty(*dz.shape[:2], x.inputs.shape[1])
    for part, inputs, reach in x.groups:
        if _is_whole(dz):
            rows = dW[part].flatten(0, 1)[:, :reach]
            torch.mm(dz[part].flatten(0, 1), inputs[:reach].T, out=rows)
        else:
            for w, grad in zip(dW[part], dz[part], strict=True):
                w[:, :reach] = grad.clone() @ inputs[:reach].T
        if x.background is not None:
            dW[part, :, reach:] = dz[part].sum(-1, keepdim=True) * x.background[reach:]
    return dW


def subtract_shared_gradient_(W: Tensor, dz: Tensor, x: Samples) -> None:
    """Subtract the gradient by weights: what `W -= shared_gradient(dz, x)` does, in one pass."""
    for part, inputs, reach in x.groups:
        rows, of_rows = W[part].flatten(0, 1), dz[part].flatten(0, 1)
        if _is_whole(dz):
            rows[:, :reach].addmm_(of_rows, inputs[:reach].T, alpha=-1)
        else:
            for w, grad in zip(W[part], dz[part], strict=True):
                w[:, :reach] -= grad.clone() @ inputs[:reach].T
        if x.background is not None:
            rows[:, reach:].addr_(of_rows.sum(1), x.background[reach:], alpha=-1)


def groups_of(sizes: Sequence[int]) -> list[slice]:
    """Return which runs belong to each group of consecutive runs."""
    ends = list(accumulate(sizes))
    return [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]


def _is_whole(matrices: Tensor) -> bool:
    return matrices.is_cuda or all(size % ROWS == 0 for size in matrices.shape[1:])


def _has_whole_vectors(*stacks: Tensor) -> bool:
    """Return whether every row of stacked matrices, as stored, is a whole number of vectors."""
    stored = [each if each.is_contiguous() else each.transpose(1, 2) for each in stacks]
    return all(
        each.is_cuda or (each.is_contiguous() and each.shape[2] % ROWS == 0) for each in stored
    )
