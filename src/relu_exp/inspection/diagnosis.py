"""Why a network does not learn: at most three findings, the gravest first."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from relu_exp.inspection.finding import THE_LOSS, Finding
from relu_exp.inspection.measuring import Measured
from relu_exp.inspection.passing import Pass
from relu_exp.inspection.sentences import Sentence, say

__all__ = ["MOST", "diagnose", "every_finding", "factor", "in_order"]

MOST = 3
"""Findings that are told."""
_LARGE_SHARE = 0.5
"""Of dead units, of saturated values, of lost gradients: above it is a finding."""
_NEARLY_ALL = 0.9
_SIGNAL = 100.0
_GRADIENT = 1000.0
"""Factor between two ends of a network beyond which signal or gradient vanish or explode."""
_FEW = 32
"""Values of a unit below which nothing says that it is dead: by chance it is zero for all."""
_RANKS = {
    "not_finite": 0,
    "no_gradient": 1,
    "gradient_underflows": 1,
    "updates_lost": 1,
    "update_too_large": 2,
    "identical": 3,
    "loss_broadcasts": 4,
    "softmax_twice": 4,
    "sigmoid_twice": 4,
    "inputs_unscaled": 5,
    "target_out_of_reach": 5,
    "loss_starts_high": 6,
}
_LAST = 7
"""Gravity of kinds; of equal ones, and of all others, the order of the checks says it."""
_AGREES = 1.25
"""Factor within which theory explains what is measured."""


def diagnose(found: Pass) -> list[Finding]:
    """Return the gravest findings of a pass, without remedies that would have to be tried."""
    return in_order(every_finding(found))[:MOST]


def every_finding(found: Pass) -> list[Finding]:
    """Return all findings of a pass; one alone if numbers are not finite."""
    checks: tuple[Callable[[Pass], Finding | None], ...] = (
        _not_finite,
        _no_gradient,
        _identical,
        _dead,
        _exploding,
        _saturated,
        _vanishing,
        _gradient,
        _half_dead,
        _linear,
        _frozen,
    )
    all_found = [finding for check in checks if (finding := check(found)) is not None]
    explodes = any(each.kind == "signal_explodes" for each in all_found)
    objective = [
        each for each in found.objective if each.kind != "loss_starts_high" or not explodes
    ]
    if all_found and all_found[0].kind == "not_finite":
        return all_found[:1]  # no other number means anything
    # that nothing arrives at the first layer is what the graver finding does
    graver = all_found[:1]
    others = [each for each in all_found[1:] if each.kind != "gradient_vanishes" or each.number > 0]
    return [*graver, *others, *objective]


def in_order(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings by gravity: first that nothing learns, then what the task itself spoils."""
    kinds = {each.kind for each in findings}
    spoils_itself = not kinds & {"signal_explodes", "gradient_explodes", "loss_starts_high"}

    def rank(each: Finding) -> int:
        if each.kind == "dead" and each.number >= _NEARLY_ALL:
            return _RANKS["identical"]
        if each.kind == "update_too_large" and not spoils_itself:
            return _LAST  # a gradient that explodes makes it so
        return _RANKS.get(each.kind, _LAST)

    return sorted(findings, key=rank)


def factor(first: float, last: float, steps: int) -> float:
    """Return the geometric mean of the factor a step, nan where there is none."""
    if steps < 1 or not (first > 0 and last > 0):
        return math.nan
    return math.exp(math.log(last / first) / steps)


def _not_finite(found: Pass) -> Finding | None:
    measured = [
        layer.label
        for layer in found.layers
        if not all(
            math.isfinite(layer.values[quantity])
            for quantity in ("preactivation_mean", "activation_mean", "activation_std")
        )
    ]
    weights = [each.name for each in found.weights if not each.is_finite]
    gradients = [each.name for each in found.weights if not each.has_finite_gradient]
    is_loss_finite = found.loss is None or math.isfinite(found.loss)
    if not (measured or weights or gradients) and is_loss_finite:
        return None
    # a gradient inherits what is not finite above it, and is named only if nothing else is
    names = [*measured, *weights] or (gradients if is_loss_finite else [THE_LOSS])
    spoilt = {*weights, *gradients}
    num_spoilt = len(measured) + sum(each.name in spoilt for each in found.weights)
    share = num_spoilt / max(len(found.layers) + len(found.weights), 1)
    claim = "gradients-can-explode"
    finding = Finding("not_finite", share, tuple(dict.fromkeys(names)), claim)
    return replace(finding, helps=say("not_finite_remedy"))


def _no_gradient(found: Pass) -> Finding | None:
    missing = [each.name for each in found.weights if each.is_trained and not each.is_reached]
    if not missing:
        return None
    reached = [each.name for each in found.weights if each.is_reached]
    remedy = (
        say("no_gradient_remedy", reached=reached[0]) if reached else say("no_gradient_nowhere")
    )
    names = tuple(dict.fromkeys(missing))
    finding = Finding("no_gradient", len(names), names, "step-does-not-train")
    return replace(finding, helps=remedy)


def _identical(found: Pass) -> Finding | None:
    names = tuple(dict.fromkeys(each.name for each in found.weights if each.are_identical))
    if not names:
        return None
    return Finding("identical", len(names), names, "identical-weights-stay-identical")


def _dead(found: Pass) -> Finding | None:
    finding = _any_dead(found.layers)
    return finding if finding and finding.number >= _NEARLY_ALL else None


def _half_dead(found: Pass) -> Finding | None:
    # less grave than a gradient that shrinks in every layer: the other half of the units learns
    finding = _any_dead([layer for layer in found.layers if layer.num_values >= _FEW])
    return finding if finding and finding.number < _NEARLY_ALL else None


def _any_dead(layers: Sequence[Measured]) -> Finding | None:
    return _of_share("dead", "dead_on_probe_fraction", layers, "high-learning-rate-kills-half")


def _saturated(found: Pass) -> Finding | None:
    saturating = [layer for layer in found.layers if layer.is_saturating]
    worst = [layer for layer in saturating if layer.values["saturated_fraction"] > _LARGE_SHARE]
    is_tanh = all(layer.function == "tanh" for layer in worst)
    claim = "unit-normal-saturates-tanh" if is_tanh else "saturation-slows-training"
    return _of_share("saturated", "saturated_fraction", saturating, claim)


def _of_share(kind: str, quantity: str, layers: Sequence[Measured], claim: str) -> Finding | None:
    """Return a finding on the layers with a large share, None if there are none."""
    worst = [layer for layer in layers if layer.values[quantity] > _LARGE_SHARE]
    if not worst:
        return None
    shares = [layer.values[quantity] for layer in worst]
    values = {"most": say("up_to") if min(shares) < max(shares) else Sentence()}
    return Finding(kind, max(shares), _labels(worst), claim, values)


def _labels(layers: Sequence[Measured]) -> tuple[str, ...]:
    return tuple(layer.label for layer in layers)


def _exploding(found: Pass) -> Finding | None:
    first, last, _ = _ends(found, "preactivation_std")
    if not last > _SIGNAL * first:
        return None
    return _signal(found, "signal_explodes", "large-weights-kill-or-explode-relu")


def _vanishing(found: Pass) -> Finding | None:
    first, last, _ = _ends(found, "preactivation_std")
    # what saturates is as large as it can be, however large the signal below it
    if not (first > 0 and last < first / _SIGNAL) or _saturated(found) is not None:
        return None
    return _signal(found, "signal_vanishes", "small-init-fails-deep")


def _signal(found: Pass, kind: str, claim: str) -> Finding:
    first, last, step = _ends(found, "preactivation_std")
    predicted = found.predictions.get("preactivation_std", [])
    steps = len(predicted) - 1
    expected = factor(predicted[0], predicted[-1], steps) if steps > 0 else math.nan
    values = {"first": first, "last": last, "theory": _theory(step, expected)}
    return Finding(kind, step, _labels(found.layers), claim, values)


def _gradient(found: Pass) -> Finding | None:
    first, last, _ = _ends(found, "activation_grad_norm")
    if not (first > 0 or last > 0) or 1 / _GRADIENT < first / max(last, 1e-300) < _GRADIENT:
        return None
    steps = sum(not math.isnan(each.values["activation_grad_norm"]) for each in found.layers) - 1
    step = factor(last, first, steps) if first > 0 else 0.0
    vanishes = first < last
    is_sigmoid = all(layer.function == "sigmoid" for layer in found.layers)
    claim = "sigmoid-fails-beyond-nine-layers" if is_sigmoid else "gradients-vanish-with-depth"
    predicted = found.predictions.get("gradient_factor", [])[:-1]
    expected = math.nan
    if predicted and all(each > 0 for each in predicted):
        expected = math.exp(sum(map(math.log, predicted)) / len(predicted))
    values = {"first": first, "last": last, "theory": _theory(step, expected)}
    kind = "gradient_vanishes" if vanishes else "gradient_explodes"
    claim = claim if vanishes else "gradients-can-explode"
    return Finding(kind, step, _labels(found.layers), claim, values)


def _ends(found: Pass, quantity: str) -> tuple[float, float, float]:
    """Return the value at the first and at the last layer that has one, and the factor a layer."""
    values = [layer.values[quantity] for layer in found.layers]
    values = [value for value in values if not math.isnan(value)]
    if len(values) < 2:
        return math.nan, math.nan, math.nan
    return values[0], values[-1], factor(values[0], values[-1], len(values) - 1)


def _theory(measured: float, expected: float) -> Sentence:
    if not (expected > 0 and measured > 0):
        return Sentence()
    agrees = abs(math.log(measured / expected)) < math.log(_AGREES)
    return say("theory_agrees" if agrees else "theory_differs", number=expected)


def _linear(found: Pass) -> Finding | None:
    pairs = [(each.linear_below, each.name) for each in found.weights if each.linear_below]
    if not pairs:
        return None
    names = tuple(dict.fromkeys(name for pair in pairs for name in pair))
    finding = Finding("linear", len(pairs), names, "linear-layers-collapse")
    return replace(finding, helps=say("linear_remedy"))


def _frozen(found: Pass) -> Finding | None:
    names = tuple(dict.fromkeys(each.name for each in found.weights if not each.is_trained))
    return Finding("frozen", len(names), names) if names else None
