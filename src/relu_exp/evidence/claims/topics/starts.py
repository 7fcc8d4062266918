"""Claims about the start: initialization with depth, and pre-activations away from zero."""

from __future__ import annotations

from datetime import date

import pandas as pd

from relu_exp.evidence.claims.arms import (
    at_best_rate,
    at_matched_rate,
    choose,
    described,
    differences,
    in_words,
    means_in_words,
    measured,
    rates_in_words,
    ratios,
    scored,
)
from relu_exp.evidence.claims.registry import Evidence, Literature, claim
from relu_exp.evidence.claims.shown import Shown
from relu_exp.evidence.claims.speeds import fastest, gains_in_words, speed_ratios
from relu_exp.evidence.claims.topics.convergence import compare_speed
from relu_exp.evidence.claims.verdicts import Effects, Rule
from relu_exp.evidence.data.frames import Frames

__all__: list[str] = []

SMALL_INIT = Rule(
    measure="accuracy lost from 1 to 10 hidden layers, N(0, 0.01²) less Xavier",
    says=(
        "at the best validated learning rates, going from one hidden layer to ten costs weights "
        "from N(0, 0.01²) at least 30 percentage points of test accuracy more than Xavier's"
    ),
    threshold=0.3,
    grid=("activation",),
)


@claim(
    "small-init-fails-deep",
    group="C",
    statement="Weights from N(0, 0.01²) work in a shallow network and fail in a deep one.",
    statement_ko=(
        "N(0, 0.01²)에서 뽑은 가중치로 얕은 신경망은 학습되지만 깊은 신경망은 학습되지 않는다."
    ),
    sources={"D2": "4.2"},
    experiments="small-init-depth",
    rule=SMALL_INIT,
    figure=Shown(
        "test_accuracy",
        x="learning_rate",
        series=("initializer_label",),
        columns="depth",
        rows="activation_label",
        share=True,
    ),
)
def small_init_fails_deep(evidence: Evidence) -> Effects:
    """Measure it."""
    runs = choose(
        evidence["small-init-depth"].runs, initializer=["normal", "xavier_normal"], depth=[1, 10]
    )
    tuned = scored(at_best_rate(runs, ["activation", "initializer", "depth"]))
    lost = differences(tuned, "depth", 1, 10, "accuracy", ["activation", "initializer"])
    lost = lost.rename(columns={"effect": "lost"})
    effects = differences(lost, "initializer", "normal", "xavier_normal", "lost", ["activation"])
    small = tuned[tuned["initializer"] == "normal"]
    notes = (
        f"Accuracy with N(0, 0.01²), by layers: {means_in_words(small, ['activation', 'depth'])}.",
        rates_in_words(tuned, ["activation", "initializer", "depth"]),
    )
    return measured(effects, runs, notes=notes)


HE_XAVIER = Rule(
    measure="updates of Xavier over updates of He to the same training loss, ReLU",
    says=(
        "with each at its best validated learning rate, Xavier needs at least 10% more updates "
        "than He to training losses of 1, 0.5 and 0.2"
    ),
    threshold=1.1,
    ratio=True,
    unit="×",
    grid=("depth", "threshold"),
    censored="bound",
)


@claim(
    "he-beats-xavier-for-relu",
    group="C",
    statement="ReLU networks train faster from He's initialization than from Xavier's.",
    statement_ko="ReLU 신경망은 Xavier 초기화보다 He 초기화를 쓸 때 더 빨리 학습된다.",
    sources={"D2": "4.3.2"},
    experiments="small-init-depth",
    rule=HE_XAVIER,
    figure=Shown(
        "updates",
        x="learning_rate",
        series=("initializer_label",),
        columns="threshold",
        rows="depth",
        thresholds=(1.0, 0.5, 0.2),
        words="updates_loss",
        log=True,
    ),
    literature=(
        Literature(
            "He, Zhang, Ren, Sun 2015, arXiv:1502.01852, figures 2 and 3",
            "on ImageNet both converge with 22 layers, He's sooner; with 30 layers Xavier's stalls",
            "second-hand",
        ),
    ),
)
def he_beats_xavier_for_relu(evidence: Evidence) -> Effects:
    """Measure it."""
    frames = evidence["small-init-depth"]
    runs = choose(frames.runs, activation="relu", initializer=["xavier_normal", "he_normal"])
    return compare_speed(frames, runs, column="initializer", slow="xavier_normal", fast="he_normal")


OFFSET = "initializer.offset"
OFFSETS = (2.0, 4.0)
SLOWER = 1.1
SATURATION = Rule(
    measure="updates with pre-activations around ± 2 or ± 4 over updates with them around 0",
    says=(
        "with each at the learning rate that gets it there soonest (of those tried, and "
        "read off a parabola between them; a ratio is a bound where that is the last one tried), a "
        "network whose hidden biases start at plus or minus 2 or 4 needs at least "
        "10% more updates to training losses of 0.5 and 0.2 than with biases "
        "of 0; weights are the same, so that the distance from 0 is all that differs"
    ),
    threshold=SLOWER,
    ratio=True,
    unit="×",
    grid=("activation", "offset", "threshold"),
    censored="bound",
    failures="apart",
    margin=SLOWER,
    version=2,
    since=date(2026, 11, 26),
    reason=(
        "Pre-activations were moved from 0 by larger weights, and these also cure the vanishing "
        "gradients of sigmoid: an offset of the biases moves them and changes nothing else."
    ),
)


@claim(
    "saturation-slows-training",
    group="C",
    statement="The further their pre-activations are from 0, the more slowly sigmoid and tanh "
    "networks learn.",
    statement_ko="시그모이드와 tanh 신경망은 활성화 전 값이 0에서 멀수록 느리게 학습된다.",
    sources={"D0": "본문 2"},
    experiments="saturation",
    rule=SATURATION,
    figure=Shown(
        "updates",
        x="learning_rate",
        series=("initializer_label",),
        columns="threshold",
        rows="activation_label",
        thresholds=(0.5, 0.2),
        words="updates_loss",
        log=True,
    ),
)
def saturation_slows_training(evidence: Evidence) -> Effects:
    """Measure it."""
    frames = evidence["saturation"]
    runs = choose(frames.runs, activation=["sigmoid", "tanh"], **{OFFSET: [0.0, *OFFSETS]})
    thresholds = (0.5, 0.2)

    def effects(offset: float) -> pd.DataFrame:
        found = speed_ratios(
            frames, runs, OFFSET, offset, 0.0, thresholds, decisive=SLOWER, grid=["activation"]
        )
        return found.assign(offset=offset)

    arms = ["activation", OFFSET]
    chosen = fastest(frames, runs, arms, thresholds[0])
    notes = [
        f"To a loss of {thresholds[0]:g}: {gains_in_words(chosen, arms)}",
        *_saturation(frames, chosen),
    ]
    shared = at_matched_rate(runs, OFFSET, ["activation"])
    if not shared.empty:
        found = [
            ratios(frames, shared, OFFSET, offset, 0.0, thresholds, grid=["activation"])
            for offset in OFFSETS
        ]
        notes.append(f"At one shared learning rate: {in_words(pd.concat(found), ratio=True)}.")
    return measured(
        pd.concat(map(effects, OFFSETS), ignore_index=True),
        runs,
        scope=f"{described(runs)}; the distance from 0 is set at the start, where nothing else "
        "differs, while the document speaks of what training itself brings about",
        notes=notes,
    )


def _saturation(frames: Frames, tuned: pd.DataFrame) -> list[str]:
    """Return how much of the layers is saturated before and after training, by arm."""
    quantity = ["saturated_fraction"]
    phrases: list[str] = []
    for when in ("first", "last"):
        layers = frames.read(
            "layers", run_ids=tuned["run_id"].tolist(), steps=when, quantity=quantity
        )
        if layers.empty:
            return []
        per_run = layers.groupby("run_id", observed=True)["value"].mean()
        per_run.index = per_run.index.astype(str)
        share = tuned["run_id"].astype(str).map(per_run)
        arms = means_in_words(tuned.assign(share=share), ["activation", OFFSET], "share")
        phrases.append(f"Saturated at the {when} probe: {arms}.")
    return phrases
