"""Claims about the start: initialization with depth, and pre-activations away from zero."""

from __future__ import annotations

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
    figure="accuracy_by_depth",
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
    figure="loss_curves",
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


GAIN = "initializer.gain"
SATURATION = Rule(
    measure="updates with pre-activations spread wider over updates with the usual spread",
    says=(
        "with each at its best validated learning rate, a network started with pre-activations 4 "
        "or 16 times further from 0 (Xavier's gain) needs at least 10% more updates to training "
        "losses of 0.5 and 0.2"
    ),
    threshold=1.1,
    ratio=True,
    unit="×",
    grid=("activation", "gain", "threshold"),
    censored="bound",
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
    figure="loss_curves",
)
def saturation_slows_training(evidence: Evidence) -> Effects:
    """Measure it."""
    frames = evidence["saturation"]
    runs = choose(frames.runs, activation=["sigmoid", "tanh"], **{GAIN: [1.0, 4.0, 16.0]})

    def effects(chosen: pd.DataFrame) -> pd.DataFrame:
        found = [
            ratios(frames, chosen, GAIN, gain, 1.0, (0.5, 0.2), grid=["activation"]).assign(
                gain=gain
            )
            for gain in (4.0, 16.0)
        ]
        return pd.concat(found, ignore_index=True)

    tuned = at_best_rate(runs, ["activation", GAIN])
    notes = [rates_in_words(tuned, ["activation", GAIN]), *_saturation(frames, tuned)]
    shared = at_matched_rate(runs, GAIN, ["activation"])
    if not shared.empty:
        notes.append(f"At one shared learning rate: {in_words(effects(shared), ratio=True)}.")
    return measured(
        effects(tuned),
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
        arms = means_in_words(tuned.assign(share=share), ["activation", GAIN], "share")
        phrases.append(f"Saturated at the {when} probe: {arms}.")
    return phrases
