"""Whether a way trained what it was asked to: its losses beside those of a plain loop."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache

import torch

from benchmarks.peers.plain import train
from benchmarks.work import NUM_STEPS, Run, Work, runs_of

__all__ = ["NUM_CHECKED", "TOLERANCE", "deviation"]

NUM_CHECKED = 8
"""Runs at the head of the sample that are looked at: every way trains these."""

TOLERANCE = 1e-3

_AGREEMENT, _FEW = TOLERANCE / 10, 3


def deviation(work: Work, losses: Mapping[str, Sequence[float]]) -> float:
    """Return the largest relative difference to the losses of a plain loop; infinity if none."""
    found = []
    for run in runs_of(work)[:NUM_CHECKED]:
        if run.name in losses:
            num_steps = min(_num_comparable(work, run), len(losses[run.name]))
            found += _differences(_reference(work, run, num_steps), losses[run.name])
    return max(found, default=math.inf)


def _differences(expected: Sequence[float], found: Sequence[float]) -> list[float]:
    if not found:
        return [math.inf]
    pairs = zip(expected, found, strict=False)
    return [abs(a - b) / abs(a) if math.isfinite(b) else math.inf for a, b in pairs]


@cache
def _reference(work: Work, run: Run, num_steps: int) -> list[float]:
    return train(work, run, num_steps)


@cache
def _num_comparable(work: Work, run: Run) -> int:
    """Return for how many updates two correct programs agree on a run: all, some, or none.

    Where training is chaotic as many as the plain loop in float32 and in float64 agree on, at most
    three: deep networks from N(0, 1) differ before the first.
    """
    is_smooth = run.activation in ("sigmoid", "tanh", "elu")
    is_calm = run.initializer in ("small_normal", "xavier_normal") and run.learning_rate <= 0.03
    if is_smooth and is_calm:
        return NUM_STEPS
    exact = train(work, run, _FEW, dtype=torch.float64)
    differences = _differences(exact, _reference(work, run, _FEW))
    agree = [difference <= _AGREEMENT for difference in differences]
    return [*agree, False].index(False)
