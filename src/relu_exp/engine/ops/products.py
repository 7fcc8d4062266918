"""Matrix products of a whole fleet: each run's bits are its own, and what all runs share is one.

A product's last bits depend on where in memory the rows of its operands begin. On a CPU each row
begins where a vector would: alike in every fleet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
from torch import Tensor

__all__ = [
    "VECTOR",
    "Samples",
    "groups_of",
    "in_whole_vectors",
    "new_stack",
    "product",
    "shared_bias",
    "shared_gradient",
    "shared_product",
    "subtract_product_",
    "subtract_shared_gradient_",
]

VECTOR = 4
"""Numbers that a matrix product loads at once, at the least."""


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
        reach = tuple(min(most, -(-end // VECTOR) * VECTOR) for end in ends)
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
        inputs = in_whole_vectors(self.inputs)
        return zip(groups_of(self.sizes), inputs, reach, strict=True)


def in_whole_vectors(stack: Tensor) -> Tensor:
    """Return stacked matrices (runs, m, n) with every row in a whole number of vectors.

    It is a copy, unless they are stored like that as it is, or as the transpose of such ones.
    """
    if stack.is_cuda or _are_in_whole_vectors(stack):
        return stack
    if _is_transposed(stack):
        return in_whole_vectors(stack.transpose(1, 2)).transpose(1, 2)
    return new_stack(stack, *stack.shape[1:]).copy_(stack)


def new_stack(like: Tensor, m: int, n: int) -> Tensor:
    """Return a stack like another, of m-by-n matrices in whole vectors that have no values yet."""
    columns = n if like.is_cuda else -(-n // VECTOR) * VECTOR
    return like.new_empty(like.shape[0], m, columns)[:, :, :n]


def product(A: Tensor, B: Tensor) -> Tensor:
    """Return the matrix products A B of every run: (runs, m, k) by (runs, k, n) to (runs, m, n)."""
    out = new_stack(A, A.shape[1], B.shape[2])
    return torch.bmm(in_whole_vectors(A), in_whole_vectors(B), out=out)


def subtract_product_(W: Tensor, A: Tensor, B: Tensor) -> None:
    """Subtract the matrix products A B from W: what `W -= product(A, B)` does, in one pass."""
    W.baddbmm_(in_whole_vectors(A), in_whole_vectors(B), alpha=-1)


def shared_product(W: Tensor, x: Samples, out: Tensor | None = None) -> Tensor:
    """Return the products of weights and inputs, less what the background adds.

    All runs of a group go in one large product, if the number of rows allows.

    Args:
        W: (runs, out, features).
        x: the inputs.
        out: where they are written.

    Returns:
        (runs, out, samples); with `shared_bias` added, W X + b of every run.
    """
    if out is None:
        out = new_stack(W, W.shape[1], x.inputs.shape[2])
    W = in_whole_vectors(W)
    for part, inputs, reach in x.groups:
        w, z = W[part, :, :reach], out[part]
        if _is_one_matrix(w):
            torch.mm(_rows(w), inputs[:reach], out=_rows(z))
        else:
            torch.bmm(w, inputs[:reach].expand(len(w), *inputs[:reach].shape), out=z)
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
    dW = new_stack(dz, dz.shape[1], x.inputs.shape[1])
    _add_shared_gradient_(dW, dz, x, beta=0, alpha=1)
    return dW


def subtract_shared_gradient_(W: Tensor, dz: Tensor, x: Samples) -> None:
    """Subtract the gradient by weights: what `W -= shared_gradient(dz, x)` does, in one pass."""
    _add_shared_gradient_(W, dz, x, beta=1, alpha=-1)


def _add_shared_gradient_(W: Tensor, dz: Tensor, x: Samples, beta: int, alpha: int) -> None:
    """Make W = beta · W + alpha · the gradient by weights."""
    dz = in_whole_vectors(dz)
    for part, inputs, reach in x.groups:
        w, grad, h = W[part, :, :reach], dz[part], inputs[:reach].T
        if _is_one_matrix(grad):
            _rows(w).addmm_(_rows(grad), h, beta=beta, alpha=alpha)
        else:
            w.baddbmm_(grad, h.expand(len(w), *h.shape), beta=beta, alpha=alpha)
        if x.background is not None:
            rest = _rows(W[part, :, reach:])
            rest.addr_(grad.flatten(0, 1).sum(1), x.background[reach:], beta=beta, alpha=alpha)


def groups_of(sizes: Sequence[int]) -> list[slice]:
    """Return which runs belong to each group of consecutive runs."""
    ends = list(accumulate(sizes))
    return [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]


def _is_one_matrix(stack: Tensor) -> bool:
    """Return whether all rows of a stack can be multiplied at once, and give what each run's do."""
    is_whole = stack.shape[1] % VECTOR == 0 and _are_in_whole_vectors(stack)
    return stack.is_cuda or is_whole


def _rows(stack: Tensor) -> Tensor:
    """Return the rows of all matrices of a stack as one matrix, in the same memory."""
    return stack.view(stack.shape[0] * stack.shape[1], stack.shape[2])


def _are_in_whole_vectors(stack: Tensor) -> bool:
    stored = stack.transpose(1, 2) if _is_transposed(stack) else stack
    *begins, step = stored.stride()
    return step == 1 and not any(place % VECTOR for place in (*begins, stored.storage_offset()))


def _is_transposed(stack: Tensor) -> bool:
    return stack.stride(1) == 1 and stack.stride(2) != 1
