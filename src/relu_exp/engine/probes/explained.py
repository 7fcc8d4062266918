"""R², the share of the targets' variance that a regression explains, from chunks of a split."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from relu_exp.engine.outputs import residuals

__all__ = ["ExplainedVariance"]


@dataclass
class ExplainedVariance:
    """Sums over the samples seen so far, of each target (runs,), in float64."""

    errors: list[Tensor] = field(default_factory=list)
    squares: list[Tensor] = field(default_factory=list)
    sums: list[Tensor] = field(default_factory=list)

    def add(self, z: Tensor, y: Tensor) -> None:
        """Add outputs (runs, targets, samples) and targets (runs, samples, targets)."""
        found = (
            [each.double().square().sum(1) for each in residuals(z, y)],
            [each.double().square().sum(1) for each in _by_target(y)],
            [each.double().sum(1) for each in _by_target(y)],
        )
        if not self.errors:
            self.errors, self.squares, self.sums = found
            return
        for total, part in zip((self.errors, self.squares, self.sums), found, strict=True):
            for place, each in enumerate(part):
                total[place] = total[place] + each

    def share(self, samples: int) -> Tensor:
        """Return 1 − Σ(y − ŷ)² / Σ(y − ȳ)² (runs,), the mean over targets.

        ȳ is the mean of the split itself, as in scikit-learn's `r2_score`. NaN where a target does
        not vary in the split.
        """
        each = []
        for error, square, total in zip(self.errors, self.squares, self.sums, strict=True):
            variation = square - total.square() / samples
            # what is left of a constant is rounding
            varies = variation > 1e-9 * square
            each.append(torch.where(varies, 1 - error / variation, torch.nan))
        return sum(each[1:], each[0]) / len(each)


def _by_target(y: Tensor) -> list[Tensor]:
    return [y[:, :, target].contiguous() for target in range(y.shape[2])]
