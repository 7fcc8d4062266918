"""The claim that ReLU is six times faster: against tanh in a convolutional network, as cited."""

from __future__ import annotations

from datetime import date

import pandas as pd

from relu_exp.evidence.claims.arms import (
    at_best_rate,
    at_matched_rate,
    choose,
    described,
    in_words,
    measured,
    ratios,
)
from relu_exp.evidence.claims.registry import Evidence, Literature, MissingRunsError, claim
from relu_exp.evidence.claims.shown import Shown
from relu_exp.evidence.claims.speeds import fastest, gains_in_words, speed_ratios
from relu_exp.evidence.claims.verdicts import Effects, Rule
from relu_exp.evidence.data.frames import Frames

__all__: list[str] = []

TIMES = 6.0
CITED = 0.75
"""Training accuracy up to which the cited paper counted: 25% error."""
ARMS = ["activation", "dataset_label"]
IF_PRESENT = {
    "convergence-fashion": "Not judged on clothes",
    "convergence-cifar": "Not judged on photographs, as in the cited setting",
}
"""Experiment whose data a package or a folder may provide → the words where it was not run."""
SIX = Rule(
    measure="updates of tanh over updates of ReLU to 25% training error, convolutional network",
    says=(
        "with each at the learning rate that gets it there soonest (of those tried, and "
        "read off a parabola between them; a ratio is a bound where that is the last one tried), "
        "tanh needs at least 6 times as many updates as ReLU to a training error of "
        "25%, as in the cited paper; on digits, and on Fashion-MNIST and CIFAR-10 where they "
        "are present; sigmoid and networks without convolutions, which that paper does not speak "
        "of, are notes"
    ),
    threshold=TIMES,
    ratio=True,
    unit="×",
    grid=("data",),
    censored="bound",
    failures="apart",
    version=3,
    since=date(2026, 11, 27),
    reason=(
        "The mean was taken over sigmoid and tanh, networks with and without convolutions, at "
        "rates chosen for accuracy; the source of the number compares tanh in a convolutional "
        "network at rates chosen for speed. It does so on CIFAR-10: where that is present, it "
        "decides with the others."
    ),
)


@claim(
    "relu-six-times-faster",
    group="C",
    statement="Under stochastic gradient descent ReLU converges six times faster than sigmoid and "
    "tanh.",
    statement_ko="확률적 경사하강법에서 ReLU는 시그모이드나 tanh보다 여섯 배 빠르게 수렴한다.",
    sources={"D2": "2.3"},
    experiments=("convergence-cnn", *IF_PRESENT, "convergence-speed"),
    rule=SIX,
    figure=Shown(
        "updates",
        x="learning_rate",
        rows="dataset_label",
        thresholds=(CITED,),
        metric="accuracy",
        words="updates_error",
        log=True,
    ),
    literature=(
        Literature(
            "Krizhevsky, Sutskever, Hinton 2012, NIPS 25, figure 1",
            "a four-layer convolutional network with ReLU reaches 25% training error on CIFAR-10 "
            "six times faster than the same network with tanh, learning rates chosen "
            "independently; sigmoid was not compared, and the paper says that the size of the "
            "effect varies with the architecture",
            "second-hand",
        ),
    ),
)
def relu_six_times_faster(evidence: Evidence) -> Effects:
    """Measure it."""
    digits = evidence["convergence-cnn"]
    found, chosen, notes = [_cited(digits)], [_arms(digits)], _other_rates(digits)
    for experiment, words in IF_PRESENT.items():
        try:
            images = evidence[experiment]
            found.append(_cited(images))
            chosen.append(_arms(images))
            notes += _other_rates(images)
        except MissingRunsError as missing:
            notes.append(f"{words}: {missing}.")
    runs = pd.concat(chosen)
    return measured(
        pd.concat(found, ignore_index=True),
        runs,
        scope=f"{described(runs)}. The cited setting was a four-layer convolutional network on all "
        "of CIFAR-10",
        notes=[*notes, *_without_convolutions(evidence)],
    )


def _arms(frames: Frames) -> pd.DataFrame:
    return choose(frames.runs, activation=["tanh", "relu"], network="small_cnn")


def _cited(frames: Frames) -> pd.DataFrame:
    """Return updates(tanh) / updates(ReLU) to 25% training error, by data set."""
    found = speed_ratios(
        frames,
        _arms(frames),
        "activation",
        "tanh",
        "relu",
        [CITED],
        decisive=TIMES,
        grid=["dataset_label"],
        metric="accuracy",
    )
    return found.assign(data=found["dataset_label"].astype(str))


def _other_rates(frames: Frames) -> list[str]:
    """Return the rates, and the ratio where they are chosen otherwise, in words."""
    runs = _arms(frames)
    data = ", ".join(map(str, runs["dataset_label"].unique()))
    cited = fastest(frames, runs, ARMS, CITED, metric="accuracy")
    best = at_best_rate(runs, ARMS)
    notes = [
        gains_in_words(cited, ARMS),
        f"{data}, at the rates best for validation accuracy: {_tanh_over_relu(frames, best)}.",
    ]
    shared = at_matched_rate(runs, "activation")
    if not shared.empty:
        notes.append(f"{data}, at one shared learning rate: {_tanh_over_relu(frames, shared)}.")
    return notes


def _tanh_over_relu(frames: Frames, runs: pd.DataFrame) -> str:
    found = ratios(frames, runs, "activation", "tanh", "relu", [CITED], metric="accuracy")
    return in_words(found, ratio=True, unit="×")


def _without_convolutions(evidence: Evidence) -> list[str]:
    """Return what the claim says beyond its source: sigmoid too, and dense networks."""
    try:
        frames = evidence["convergence-speed"]
        dense = {one: choose(frames.runs, activation=[one, "relu"]) for one in ("sigmoid", "tanh")}
    except MissingRunsError:
        return []
    notes = []
    for rival, runs in dense.items():
        found = speed_ratios(
            frames,
            runs,
            "activation",
            rival,
            "relu",
            [CITED],
            decisive=TIMES,
            grid=["depth"],
            metric="accuracy",
        )
        notes += [
            f"{rival} over ReLU to 25% error, dense network of depth {depth}: "
            f"{in_words(part, ratio=True, unit='×')}."
            for depth, part in found.groupby("depth")
        ]
    return notes
