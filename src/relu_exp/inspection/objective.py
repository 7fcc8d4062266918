"""What is wrong with what a network is asked to do: its loss, its outputs and the target."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from relu_exp.inspection.comparing import REGRESSIONS, Comparison, Losses
from relu_exp.inspection.finding import Finding
from relu_exp.inspection.sentences import say

__all__ = ["KINDS", "check_objective"]

KINDS = frozenset(
    {
        "loss_broadcasts",
        "softmax_twice",
        "sigmoid_twice",
        "target_out_of_reach",
        "loss_starts_high",
    }
)
"""Kinds of findings of the objective, which no other weights mend."""

_FAR_ABOVE = 10.0
"""Factor over log(classes) that no start has by chance: logits with a spread near 15."""
_OUTSIDE = 0.05
"""Share of the targets that may lie outside the range of the outputs, as outliers do."""
_SLACK = 0.05
"""How far outside, in spreads of the target, is still called inside."""
_VIEWS = frozenset(
    [
        "View",
        "UnsafeView",
        "ReshapeAlias",
        "Squeeze",
        "Unsqueeze",
        "Select",
        "Slice",
        "Alias",
        "Transpose",
        "T",
        "Permute",
        "Clone",
        "ToCopy",
    ]
)
"""Names in autograd's graph of what changes no number."""
_RANGES = {
    "Tanh": ("tanh", -1.0, 1.0),
    "Sigmoid": ("sigmoid", 0.0, 1.0),
    "Softmax": ("softmax", 0.0, 1.0),
    "Relu": ("relu", 0.0, math.inf),
    "Softplus": ("softplus", 0.0, math.inf),
    "Exp": ("exp", 0.0, math.inf),
}
"""Name in autograd's graph → function, lowest and highest value."""


def check_objective(seen: Sequence[Comparison], last: str) -> list[Finding]:
    """Return what is wrong with the comparisons of a loss, the gravest first, one of a kind.

    Args:
        seen: what the loss compared in one pass.
        last: the name of the last weights, whose outputs these are.
    """
    checks: tuple[Callable[[Comparison, str], Finding | None], ...] = (
        _broadcast,
        _softmax_twice,
        _sigmoid_twice,
        _out_of_reach,
        _starts_high,
    )
    with torch.enable_grad():
        found = [next(filter(None, (check(each, last) for each in seen)), None) for check in checks]
    return [each for each in found if each is not None]


def _broadcast(seen: Comparison, last: str) -> Finding | None:
    if not seen.is_broadcast:
        return None
    outputs, target = seen.outputs.detach(), seen.target
    shapes = {"outputs": _shape(outputs), "target": _shape(target)}
    after = float(seen.mean(outputs, target.reshape(outputs.shape)))
    before = _mean_of_all(seen, outputs)
    best = _mean_of_all(seen, target.reshape(outputs.shape).to(outputs.dtype))
    helps = say("loss_broadcasts_remedy", **shapes, before=before, after=after, best=best)
    values = {**shapes, "meant": outputs.numel()}
    return Finding("loss_broadcasts", seen.num_compared, (last,), values=values, helps=helps)


def _softmax_twice(seen: Comparison, last: str) -> Finding | None:
    if seen.name != "cross_entropy":
        return None
    p, axis = seen.outputs.detach().float(), _axis_of_classes(seen)
    tolerance = 1e-3 if seen.outputs.dtype in (torch.float32, torch.float64) else 2e-2
    is_whole = (p.sum(axis) - 1).abs() < tolerance
    if p.shape[axis] < 2 or not bool((p >= 0).all()) or not bool(is_whole.all()):
        return None
    logits = p.clamp_min(torch.finfo(torch.float32).tiny).log().requires_grad_()
    floor = math.log1p((p.shape[axis] - 1) / math.e)
    return _twice("softmax_twice", floor, last, seen, logits, logits.softmax(axis))


def _sigmoid_twice(seen: Comparison, last: str) -> Finding | None:
    end = _end(seen.outputs) if seen.name == "binary_cross_entropy_with_logits" else None
    if end is None or end[0] != "sigmoid":
        return None
    p, target, settings = seen.outputs.detach().float(), _float(seen.target), _in_float32(seen)
    logits = p.logit(eps=torch.finfo(torch.float32).eps).requires_grad_()
    given = settings.get("pos_weight")
    positive = target.float() * (1.0 if given is None else given)
    best = (positive / (positive + 1 - target)).logit().clamp(0, 1)  # of outputs from 0 to 1
    floor = float(seen.mean(best, target, **settings))
    return _twice("sigmoid_twice", floor, last, seen, logits, logits.sigmoid())


def _twice(
    kind: str, floor: float, last: str, seen: Comparison, logits: Tensor, squashed: Tensor
) -> Finding:
    """Return a finding of a function that the loss has too, with what leaving it out changes.

    Args:
        kind: of the finding.
        floor: the lowest loss that is possible with it.
        last: the layer that is compared.
        seen: the comparison.
        logits: what enters the function, requiring gradients.
        squashed: what leaves it, computed from `logits`.
    """
    target, settings = _float(seen.target), _in_float32(seen)
    once, twice = (seen.mean(each, target, **settings) for each in (logits, squashed))
    of_once, of_twice = (torch.autograd.grad(each, logits)[0].norm() for each in (once, twice))
    helps = say(
        f"{kind}_remedy",
        before=float(twice.detach()),
        after=float(once.detach()),
        factor=float(of_once / of_twice.clamp_min(1e-30)),
    )
    return Finding(kind, floor, (last,), helps=helps)


def _out_of_reach(seen: Comparison, last: str) -> Finding | None:
    end = _end(seen.outputs) if seen.name in REGRESSIONS else None
    if end is None or not seen.target.is_floating_point():
        return None
    function, lowest, highest = end
    target = seen.target.detach().float()
    slack = _SLACK * float(target.std(correction=0))
    share = float(((target < lowest - slack) | (target > highest + slack)).float().mean())
    if not share > _OUTSIDE:
        return None
    after = float(seen.mean(target.clamp(lowest, highest), target, **_in_float32(seen)))
    span = f"[{lowest:g}, ∞)" if math.isinf(highest) else f"[{lowest:g}, {highest:g}]"
    return Finding(
        "target_out_of_reach",
        share,
        (last,),
        values={"function": function, "span": span},
        helps=say("target_out_of_reach_remedy", function=function, after=after),
    )


def _starts_high(seen: Comparison, last: str) -> Finding | None:
    if seen.name in REGRESSIONS:
        return None
    outputs, target = seen.outputs.detach().float(), _float(seen.target)
    is_binary = seen.name != "cross_entropy"
    classes = 2 if is_binary else outputs.shape[_axis_of_classes(seen)]
    spread = float(outputs.std(correction=0))
    if classes < 2 or not (math.isfinite(spread) and spread > 0):
        return None
    # weights of classes are no part of what guessing costs
    plain: dict[str, Any] = {"weight": None} | ({"pos_weight": None} if is_binary else {})
    loss = float(seen.mean(outputs, target, **plain))
    chance = math.log(classes)
    if not loss > _FAR_ABOVE * chance:
        return None
    after = float(seen.mean(outputs / spread, target, **plain))
    return Finding(
        "loss_starts_high",
        loss,
        (last,),
        values={"classes": classes, "chance": chance, "spread": spread},
        helps=say("loss_starts_high_remedy", spread=spread, after=after),
    )


def _mean_of_all(seen: Comparison, outputs: Tensor) -> float:
    with Losses():  # without PyTorch's warning
        return float(seen.mean(outputs, seen.target))


def _axis_of_classes(seen: Comparison) -> int:
    return 1 if seen.outputs.dim() > 1 else 0


def _end(outputs: Tensor) -> tuple[str, float, float] | None:
    """Return the function with a range that outputs end in, with its lowest and highest value."""
    node: Any = outputs.grad_fn
    while node is not None:
        name = node.name().split("Backward")[0]
        if name in _RANGES:
            return _RANGES[name]
        if name not in _VIEWS:
            return None
        node = node.next_functions[0][0]
    return None


def _float(target: Tensor) -> Tensor:
    return target.float() if target.is_floating_point() else target


def _in_float32(seen: Comparison) -> dict[str, Any]:
    return {
        name: each.float()
        for name, each in seen.settings.items()
        if isinstance(each, Tensor) and each.is_floating_point()
    }


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape))
