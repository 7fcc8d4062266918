"""The meanings of a network's output layer: each with its loss, and of classes the accuracy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from relu_exp.core.schema import REGRESSION
from relu_exp.engine.ops.kernels import gives_same_bits

__all__ = ["OUTPUTS", "Output", "residuals"]


@dataclass(frozen=True)
class Output:
    """A meaning of the last layer's numbers: the loss and which outputs count as correct.

    `loss` and `correct` take outputs (runs, units, samples) and labels (runs, samples) and return
    (runs, samples). A binary output has one unit, its label is 0 or 1. A regression has a unit for
    each target (runs, samples, targets) in place of a label, and nothing is correct or wrong.
    """

    is_binary: bool
    loss: Callable[[Tensor, Tensor], Tensor]
    correct: Callable[[Tensor, Tensor], Tensor] | None

    @property
    def is_regression(self) -> bool:
        """Whether the outputs are numbers, and not the choice of a class."""
        return self.correct is None

    def accuracy(self, z: Tensor, y: Tensor) -> Tensor:
        """Return the share of correct outputs (runs,); of a regression nothing, which is NaN."""
        if self.correct is None:
            return z.new_full((len(z),), torch.nan)
        return self.correct(z, y).float().mean(1)


def _binary(z: Tensor) -> Tensor:
    return z[:, 0]


def _cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    """Return the binary cross-entropy of logits z and labels y (runs, samples)."""
    size, y = len(z) if gives_same_bits(z) else 1, y.to(z.dtype)
    parts = [slice(begin, begin + size) for begin in range(0, len(z), size)]
    return torch.cat(
        [F.binary_cross_entropy_with_logits(z[p], y[p], reduction="none") for p in parts]
    )


def residuals(z: Tensor, y: Tensor) -> list[Tensor]:
    """Return outputs (runs, units, samples) less targets (runs, samples, units), unit by unit.

    Each is (runs, samples): sums over them are those of a lone run.
    """
    return [z[:, unit] - y[:, :, unit].to(z.dtype) for unit in range(z.shape[1])]


def _mean_squared(z: Tensor, y: Tensor) -> Tensor:
    first, *others = (each.square() for each in residuals(z, y))
    return sum(others, first) / (1 + len(others)) if others else first


OUTPUTS: Mapping[str, Output] = {
    "logits": Output(
        is_binary=False,
        loss=lambda z, y: F.cross_entropy(z, y, reduction="none"),
        correct=lambda z, y: z.max(1).indices == y,  # argmax takes ten times as long
    ),
    "sigmoid": Output(
        is_binary=True,
        loss=lambda z, y: _cross_entropy(_binary(z), y),
        correct=lambda z, y: (_binary(z) > 0) == (y > 0),
    ),
    # the probability is (1 + tanh z) / 2 = σ(2z), so this is the stable form of its cross-entropy
    "tanh": Output(
        is_binary=True,
        loss=lambda z, y: _cross_entropy(2 * _binary(z), y),
        correct=lambda z, y: (_binary(z) > 0) == (y > 0),
    ),
    "linear": Output(
        is_binary=True,
        loss=lambda z, y: (_binary(z) - y.to(z.dtype)).square(),
        correct=lambda z, y: (_binary(z) > 0.5) == (y > 0),
    ),
    REGRESSION: Output(is_binary=False, loss=_mean_squared, correct=None),
}
"""`logits`: softmax cross-entropy; `sigmoid`, `tanh`: binary cross-entropy; `linear`: squared error
against 0 and 1, decided at 0.5; `regression`: squared error, the mean over targets."""
