"""Inputs that are far from a mean of 0 and a spread of 1 where they meet the first weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from relu_exp.inspection.batches import Batch
from relu_exp.inspection.finding import Finding
from relu_exp.inspection.measuring import Measured
from relu_exp.inspection.nodes import Use
from relu_exp.inspection.sentences import Sentence, say

__all__ = ["CONSEQUENCES", "Arriving", "arriving_at", "check_inputs", "found_unscaled", "scaled"]

_LARGE = 30.0
"""Root of the mean square of inputs above which they are unscaled: images of 0 to 255 have 80 to
140. Usual first weights keep this size, so that the first layer's signal is as much too large."""
_PASSES_ON = 10.0
"""Factor by which scaling must change the preactivations of some layer; a normalization right
after the first weights keeps them as they are."""
CONSEQUENCES = frozenset(
    [
        "dead",
        "saturated",
        "signal_explodes",
        "signal_vanishes",
        "gradient_explodes",
        "gradient_vanishes",
        "loss_starts_high",
    ]
)
"""Kinds of findings that unscaled inputs may bring about."""


@dataclass(frozen=True)
class Arriving:
    """The data that a use of weights receives: its name, and their mean and spread."""

    name: str
    mean: float
    spread: float

    @property
    def is_unscaled(self) -> bool:
        """Whether they are far too large."""
        return math.isfinite(self.mean) and math.hypot(self.mean, self.spread) > _LARGE


def arriving_at(uses: Sequence[Use]) -> list[Arriving]:
    """Return the data at each dense or convolutional use of weights that no other came before."""
    return [
        Arriving(use.name or f"weights {use.order}", *_mean_and_spread(use.data))
        for use in uses
        if use.data is not None
    ]


def scaled(batch: Batch) -> Batch:
    """Return a batch whose large inputs have a mean of 0 and a spread of 1; the target stays."""
    args = tuple(_scaled(each) for each in batch.args)
    return replace(batch, args=args, kwargs=_scaled(batch.kwargs))


def check_inputs(
    inputs: Sequence[Arriving],
    before: Sequence[Measured],
    after: Sequence[Measured],
    losses: tuple[float, float],
) -> Finding | None:
    """Return a finding if inputs are unscaled and their size goes on into the network.

    Args:
        inputs: what arrives at the first weights.
        before: layers with the inputs as they are.
        after: the same layers with scaled inputs.
        losses: with the inputs as they are, and with scaled ones.
    """
    large = [each for each in inputs if each.is_unscaled]
    if not large or len(before) != len(after):
        return None
    spreads = [
        (one.name, one.values["preactivation_std"], other.values["preactivation_std"])
        for one, other in zip(before, after, strict=True)
    ]
    changed = [each for each in spreads if each[1] > _PASSES_ON * each[2]]
    if spreads and not changed:
        return None
    if changed:
        name, old, new = changed[0]
        helps = say("inputs_unscaled_remedy", name=name, before=old, after=new)
    else:
        helps = say("inputs_unscaled_loss", before=losses[0], after=losses[1])
    return _finding(large, helps)


def found_unscaled(inputs: Sequence[Arriving], layers: Sequence[Measured]) -> Finding | None:
    """Return a finding if inputs are unscaled and some layer shows it, without trying scaled ones.

    What a pass with scaled inputs would show is taken to be 1, the spread that usual weights keep.
    """
    large = [each for each in inputs if each.is_unscaled]
    is_passed_on = any(each.values["preactivation_std"] > _PASSES_ON for each in layers)
    return _finding(large, say("inputs_unscaled_helps")) if large and is_passed_on else None


def _finding(large: Sequence[Arriving], helps: Sentence) -> Finding:
    worst = max(large, key=lambda each: math.hypot(each.mean, each.spread))
    names = tuple(dict.fromkeys(each.name for each in large))
    values = {"mean": worst.mean, "spread": worst.spread}
    number = math.hypot(worst.mean, worst.spread)
    return Finding("inputs_unscaled", number, names, values=values, helps=helps)


def _scaled(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _scaled(each) for key, each in value.items()}
    if not isinstance(value, Tensor) or value.numel() == 0:
        return value
    if not value.is_floating_point() and value.dtype != torch.uint8:
        return value  # numbers of classes or of words
    mean, spread = _mean_and_spread(value)
    if not math.hypot(mean, spread) > _LARGE:
        return value
    dtype = value.dtype if value.is_floating_point() else torch.get_default_dtype()
    return ((value.double() - mean) / (spread or 1.0)).to(dtype)


def _mean_and_spread(x: Tensor) -> tuple[float, float]:
    x = x.detach().double()
    return float(x.mean()), float(x.std(correction=0))
