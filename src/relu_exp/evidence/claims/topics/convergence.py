"""Claims about speed: how many updates a network needs to reach a given training loss."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd

from relu_exp.evidence.claims.arms import (
    at_best_rate,
    at_fastest_rate,
    at_matched_rate,
    choose,
    in_words,
    measured,
    rates_in_words,
    ratios,
)
from relu_exp.evidence.claims.registry import Evidence, Literature, claim
from relu_exp.evidence.claims.shown import Shown
from relu_exp.evidence.claims.speeds import fastest, gains_in_words, speed_ratios
from relu_exp.evidence.claims.verdicts import Effects, Rule
from relu_exp.evidence.data.frames import Frames

__all__ = ["compare_speed"]

FASTER = 1.1
THRESHOLDS = (1.0, 0.5, 0.2)
"""Training losses: early, middle and late in the training of ten classes."""


REASON = (
    "Rates a factor 3 apart and chosen for accuracy decided which was faster, and arms that never "
    "arrived in 400 updates made bounds of the ratios: rates are now chosen for speed, 1.5 apart, "
    "with the error of the grid corrected, and the slow arm is waited for."
)


def _faster(slow: str, fast: str, grid: tuple[str, ...] = ("depth", "threshold")) -> Rule:
    return Rule(
        measure=f"updates of {slow} over updates of {fast} to the same training loss",
        says=(
            f"with each at the learning rate that gets it there soonest (of those tried, "
            f"and read off a parabola between them; a ratio is a bound where that is the last one "
            f"tried), {slow} needs at least 10% more updates "
            f"than {fast} to training losses of 1, 0.5 and 0.2; conditional where it does at one "
            "depth or loss and surely does not at another; seeds in which an arm diverges are "
            "counted apart"
        ),
        threshold=FASTER,
        ratio=True,
        unit="×",
        grid=grid,
        censored="bound",
        failures="apart",
        margin=FASTER,
        version=2,
        since=date(2026, 11, 26),
        reason=REASON,
    )


def compare_speed(
    frames: Frames,
    runs: pd.DataFrame,
    *,
    column: str,
    slow: str,
    fast: str,
    thresholds: Sequence[float] = THRESHOLDS,
) -> Effects:
    """Return updates(slow) / updates(fast) by depth and threshold.

    The notes hold what else a reader asks: the rates, the ratio at a shared rate, and that with
    rates tuned for speed itself.
    """
    arms = [column, "depth"]

    def effects(chosen: pd.DataFrame) -> pd.DataFrame:
        return ratios(frames, chosen, column, slow, fast, thresholds, grid=["depth"])

    tuned = at_best_rate(runs, arms)
    matched = at_matched_rate(runs, column, ["depth"])
    fastest = at_fastest_rate(frames, runs, arms, thresholds[len(thresholds) // 2])
    found = effects(tuned)
    notes = [rates_in_words(tuned, arms)]
    if not matched.empty:
        notes.append(f"At one shared learning rate: {in_words(effects(matched), ratio=True)}.")
    notes.append(f"At the rate fastest for each: {in_words(effects(fastest), ratio=True)}.")
    unknown = int(found["effect"].isna().sum())
    if unknown:
        notes.append(f"In {unknown} of {len(found)} comparisons neither arrived: left out.")
    return measured(found, runs, notes=notes)


def _by_activation(evidence: Evidence, slow: str, fast: str) -> Effects:
    frames = evidence["convergence-speed"]
    runs = choose(frames.runs, activation=[slow, fast])
    found = speed_ratios(
        frames, runs, "activation", slow, fast, THRESHOLDS, decisive=FASTER, grid=["depth"]
    )
    middle = THRESHOLDS[len(THRESHOLDS) // 2]
    arms = ["activation", "depth"]
    accurate = in_words(_at(frames, at_best_rate(runs, arms), slow, fast), ratio=True)
    notes = [
        f"To a loss of {middle:g}: {gains_in_words(fastest(frames, runs, arms, middle), arms)}",
        f"At the rates best for validation accuracy: {accurate}.",
    ]
    matched = at_matched_rate(runs, "activation", ["depth"])
    if not matched.empty:
        words = in_words(_at(frames, matched, slow, fast), ratio=True)
        notes.append(f"At one shared learning rate: {words}.")
    unknown = int(found["effect"].isna().sum())
    if unknown:
        notes.append(
            f"In {unknown} of {len(found)} comparisons nothing is known: neither arm arrived, or "
            "the rates are too far apart."
        )
    return measured(found, runs, notes=notes)


def _at(frames: Frames, runs: pd.DataFrame, slow: str, fast: str) -> pd.DataFrame:
    """Return the ratios of runs at rates that were chosen otherwise."""
    return ratios(frames, runs, "activation", slow, fast, THRESHOLDS, grid=["depth"])


UPDATES = Shown(
    "updates",
    x="learning_rate",
    columns="threshold",
    rows="depth",
    thresholds=THRESHOLDS,
    words="updates_loss",
    log=True,
)
"""Every rate that was tried, the fastest among them."""
RELU_SIGMOID = _faster("sigmoid", "ReLU")


@claim(
    "relu-converges-faster-than-sigmoid",
    group="C",
    statement="A ReLU network needs fewer updates than a sigmoid network to the same loss.",
    statement_ko=(
        "ReLU 신경망은 시그모이드 신경망보다 더 적은 업데이트 횟수로 같은 손실에 도달한다."
    ),
    sources={"D0": "본문 2, 8", "D2": "2.3", "D4": "2"},
    experiments="convergence-speed",
    rule=RELU_SIGMOID,
    figure=UPDATES,
)
def relu_converges_faster_than_sigmoid(evidence: Evidence) -> Effects:
    """Measure it."""
    return _by_activation(evidence, "sigmoid", "relu")


RELU_TANH = _faster("tanh", "ReLU")


@claim(
    "relu-converges-faster-than-tanh",
    group="C",
    statement="A ReLU network needs fewer updates than a tanh network to the same loss.",
    statement_ko="ReLU 신경망은 tanh 신경망보다 더 적은 업데이트 횟수로 같은 손실에 도달한다.",
    sources={"D2": "2.3"},
    experiments="convergence-speed",
    rule=RELU_TANH,
    figure=UPDATES,
)
def relu_converges_faster_than_tanh(evidence: Evidence) -> Effects:
    """Measure it."""
    return _by_activation(evidence, "tanh", "relu")


TANH_SIGMOID = _faster("sigmoid", "tanh")


@claim(
    "tanh-converges-faster-than-sigmoid",
    group="C",
    statement="tanh reaches a low loss in fewer updates than sigmoid.",
    statement_ko="tanh는 시그모이드보다 더 적은 업데이트 횟수로 낮은 손실에 도달한다.",
    sources={"D3": "하이퍼볼릭 탄젠트 함수"},
    experiments="convergence-speed",
    rule=TANH_SIGMOID,
    figure=UPDATES,
)
def tanh_converges_faster_than_sigmoid(evidence: Evidence) -> Effects:
    """Measure it."""
    return _by_activation(evidence, "sigmoid", "tanh")


ELU_RELU = _faster("ReLU", "ELU")


@claim(
    "elu-converges-faster-than-relu",
    group="C",
    statement="Because it is smooth, ELU reaches the same loss in fewer updates than ReLU.",
    statement_ko="ELU는 매끄럽기 때문에 ReLU보다 더 적은 업데이트 횟수로 같은 손실에 도달한다.",
    sources={"D1": "ReLU 의 단점", "D2": "3.2"},
    experiments="convergence-speed",
    rule=ELU_RELU,
    figure=UPDATES,
    literature=(
        Literature(
            "Clevert, Unterthiner, Hochreiter 2016, arXiv:1511.07289",
            "ELU networks learn faster than ReLU networks on MNIST autoencoders, CIFAR and "
            "ImageNet, which the paper puts down to mean activations nearer zero",
            "second-hand",
        ),
    ),
)
def elu_converges_faster_than_relu(evidence: Evidence) -> Effects:
    """Measure it."""
    return _by_activation(evidence, "relu", "elu")
