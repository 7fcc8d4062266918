"""Normalization of pre-activations: γ (z − mean) / √(variance + ε) + β, for every run of a fleet.

Of a batch (Ioffe, Szegedy 2015, arXiv:1502.03167) mean and variance are a unit's over the samples;
outside training they are the running ones. Of a layer (Ba, Kiros, Hinton 2016, arXiv:1607.06450)
they are a sample's over the units. As `torch.nn.BatchNorm1d` and `LayerNorm`, with their defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from relu_exp.engine.ops.layout import kept, stacked

__all__ = ["EPSILON", "MOMENTUM", "Kind", "Normalization", "Statistics", "normalize", "started"]

Kind = Literal["batch", "layer"]
Statistics = Literal["batch", "training", "running"]
"""Which a batch normalization takes: the batch's, the same and remembers them, the running ones."""

EPSILON = 1e-5
MOMENTUM = 0.1
"""Weight of a batch in the running mean and variance."""


@dataclass(frozen=True)
class Normalization:
    """The normalization of every hidden layer; each list has one tensor (runs, units, 1) a layer.

    `gains` γ and `shifts` β are trained. `means` and `variances` are the running ones of a batch
    normalization, and empty for one of layers.
    """

    kind: Kind
    gains: list[Tensor]
    shifts: list[Tensor]
    means: list[Tensor]
    variances: list[Tensor]
    seen: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False)
    """Layer → mean and unbiased variance of the last batch in training."""

    def __call__(self, layer: int, z: Tensor, statistics: Statistics) -> Tensor:
        """Return the normalized pre-activations of a hidden layer, (runs, units, samples)."""
        if self.kind == "layer":
            return self._scaled(layer, normalize(z, 1))
        if statistics == "running":
            scale = (self.variances[layer] + EPSILON).sqrt()
            return self._scaled(layer, (z - self.means[layer]) / scale)
        if statistics == "training":
            batch = z.detach()
            self.seen[layer] = (batch.mean(-1, keepdim=True), batch.var(-1, keepdim=True))
        return self._scaled(layer, normalize(z, -1))

    def _scaled(self, layer: int, z: Tensor) -> Tensor:
        return self.gains[layer] * z + self.shifts[layer]

    @torch.no_grad()
    def follow(self) -> None:
        """Move the running means and variances towards those of the last batch, in place.

        It belongs to an update: losses may be computed more than once before one.
        """
        for layer, found in self.seen.items():
            running = (self.means[layer], self.variances[layer])
            for value, of_batch in zip(running, found, strict=True):
                value.mul_(1 - MOMENTUM).add_(of_batch * MOMENTUM)

    def keep(self, index: Tensor) -> Normalization:
        """Return the normalization of some of the runs, given their positions (runs,)."""
        gains, shifts, means, variances = (
            [kept(each, index) for each in tensors]
            for tensors in (self.gains, self.shifts, self.means, self.variances)
        )
        return Normalization(self.kind, gains, shifts, means, variances)


def normalize(z: Tensor, axis: int) -> Tensor:
    """Return z with mean 0 and variance 1 along an axis.

    Quotients and roots are rounded once, so a run gets the same bits in every fleet.
    """
    centred = z - z.mean(axis, keepdim=True)
    return centred / (centred.square().mean(axis, keepdim=True) + EPSILON).sqrt()


def started(kind: Kind, widths: Sequence[int], num_runs: int, device: str) -> Normalization:
    """Return the normalization of hidden layers at the start: γ and variance 1, β and mean 0."""

    def filled(value: float) -> list[Tensor]:
        return [stacked(torch.full((num_runs, width, 1), value).to(device)) for width in widths]

    running = (filled(0.0), filled(1.0)) if kind == "batch" else ([], [])
    return Normalization(kind, filled(1.0), filled(0.0), *running)
