"""Updates that are larger than the weights they change."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from statistics import median

import torch
from torch import Tensor, nn

from relu_exp.inspection.batches import Batch, Loss
from relu_exp.inspection.comparing import Losses
from relu_exp.inspection.copies import copied, step
from relu_exp.inspection.finding import Finding
from relu_exp.inspection.passing import Pass
from relu_exp.inspection.sentences import say
from relu_exp.inspection.untouched import eager, random_state_kept

__all__ = ["change_of", "found_in", "may_be_too_large", "too_large"]

_ABSURD = 1.0
"""Size of an update relative to the weights above which nothing of what they were is left.
Usual ones are 1e-4 to 1e-1."""
_USUAL = 1e-2
_DIVISORS = tuple(10.0**power for power in range(1, 9))


def may_be_too_large(model: nn.Module, ratios: Mapping[str, float]) -> bool:
    """Return whether updates need a closer look, given their relative size by parameter."""
    found = [ratios[n] for n, each in model.named_parameters() if n in ratios and each.dim() > 1]
    found = [each for each in found if 0 < each < math.inf]
    return bool(found) and median(found) > _ABSURD


def too_large(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Loss,
    found: Pass,
    batch: Batch,
) -> Finding | None:
    """Return a finding if an update is larger than the weights in half of their tensors.

    Small weights are compared with usual ones, of variance 1/fan-in, and biases not at all: that
    these become many times as large is no illness. All is tried on copies.

    Args:
        model: the network.
        optimizer: whose next update is tried.
        loss: of outputs and target.
        found: the pass whose gradients are used.
        batch: on which it was taken.
    """
    gradients = found.gradients
    sizes, worse = _tried(model, optimizer, gradients, 1.0, batch, loss)
    finding = found_in(sizes, optimizer)
    if finding is None:
        return None
    rate = float(str(finding.values["rate"]))
    for divisor in _DIVISORS:
        sizes, after = _tried(model, optimizer, gradients, divisor, batch, loss)
        if _typical(sizes) <= _USUAL:
            break
    helps = say(
        "update_too_large_remedy",
        before=found.loss,
        worse=worse(),
        rate=rate / divisor,
        after=after(),
    )
    return replace(finding, helps=helps)


def found_in(
    sizes: Mapping[str, tuple[float, float]], optimizer: torch.optim.Optimizer
) -> Finding | None:
    """Return a finding without a remedy, given `change_of` by matrix of weights."""
    rates = [float(group["lr"]) for group in optimizer.param_groups if "lr" in group]
    if not rates or not _typical(sizes) > _ABSURD:
        return None
    large = {name: each for name, each in sizes.items() if each[1] > _ABSURD}
    names = tuple(name.removesuffix(".weight") for name in large)
    number = median(each for each, _ in large.values())
    return Finding("update_too_large", number, names, values={"rate": max(rates)})


def change_of(old: Tensor, new: Tensor) -> tuple[float, float] | None:
    """Return the size of an update of a matrix, relative to its own and to a usual one at least.

    None if it is no matrix, is zero, or stays as it is.
    """
    if old.dim() < 2:
        return None
    old, new = old.detach().float(), new.detach().float()
    own, moved = float(old.norm()), float((new - old).norm())
    usual = math.sqrt(old.shape[0])  # of numel weights with variance 1/fan-in
    return (moved / own, moved / max(own, usual)) if own > 0 and moved > 0 else None


def _typical(sizes: Mapping[str, tuple[float, float]]) -> float:
    return median(each for _, each in sizes.values()) if sizes else 0.0


def _tried(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    gradients: Mapping[str, Tensor],
    divisor: float,
    batch: Batch,
    loss: Loss,
) -> tuple[dict[str, tuple[float, float]], Callable[[], float]]:
    """Update a copy at a fraction of the rate.

    Returns:
        Matrix of weights → the size of its update relative to its own, and to the larger of its own
        and a usual one; and what computes the copy's loss.
    """
    again, its_optimizer = copied((model, optimizer))
    for group in its_optimizer.param_groups:
        if "lr" in group:
            group["lr"] = group["lr"] / divisor
    before = step(again, its_optimizer, gradients)
    sizes = {}
    for name, parameter in again.named_parameters():
        if name in gradients and (change := change_of(before[name], parameter)) is not None:
            sizes[name] = change

    @torch.no_grad()
    def loss_after() -> float:
        with random_state_kept(), eager(), Losses():
            return float(loss(again(*batch.args, **batch.kwargs), batch.target))

    return sizes, loss_after
