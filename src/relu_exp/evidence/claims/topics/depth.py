"""Claims about depth: which networks of many layers still learn, and what restores them."""

from __future__ import annotations

from datetime import date

import pandas as pd

from relu_exp.evidence.claims.arms import (
    at_best_rate,
    at_matched_rate,
    choose,
    differences,
    in_words,
    means_in_words,
    measured,
    pairs,
    rates_in_words,
    scored,
)
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError, claim
from relu_exp.evidence.claims.shown import Shown
from relu_exp.evidence.claims.verdicts import Effects, Rule

__all__ = ["AMENDED", "DEEP", "SHALLOW", "able", "depth_limit"]

SHALLOW, DEEP = 5, 41
"""Hidden layers of the network that is known to learn and of the one in doubt."""
LEARNS = 0.5
"""Accuracy on ten classes from which a network is said to have learned something."""
WAIT_FOR_SIGMOID, WAIT = 4000, 1500
"""Updates that must be waited before a network is said not to learn."""
AMENDED = date(2026, 11, 26)


def waited(runs: pd.DataFrame, updates: int) -> pd.DataFrame:
    """Return the runs that were given so many updates.

    Raises:
        MissingRunsError: none was.
    """
    kept = runs[runs["num_steps"] >= updates]
    if kept.empty:
        raise MissingRunsError(f"no run was given {updates:,} updates, and fewer decide nothing")
    return kept


SIGMOID_FAILS = Rule(
    measure="test accuracy with nine or ten hidden sigmoid layers (chance is 10%)",
    says=(
        "after at least 4,000 updates at the best validated learning rate, accuracy is below 50%, "
        "under an initialization and optimizer with which two hidden layers get above it; "
        "conditional where it is below with some initializations and optimizers and above with "
        "others"
    ),
    threshold=LEARNS,
    within=(0.0, 1.0),
    claimed_side="below",
    grid=("initializer", "optimizer", "depth"),
    version=2,
    since=AMENDED,
    reason="400 updates were too few to tell a network that is slow from one that does not learn.",
)


@claim(
    "sigmoid-fails-beyond-nine-layers",
    group="C",
    statement="With nine or ten hidden sigmoid layers a network no longer works well.",
    statement_ko="시그모이드 은닉층이 9~10개가 되면 신경망이 더 이상 제대로 작동하지 않는다.",
    sources={"D4": "1"},
    experiments="deep-sigmoid",
    rule=SIGMOID_FAILS,
    figure=Shown(
        "test_accuracy",
        x="learning_rate",
        series=("initializer_label",),
        columns="depth",
        rows="optimizer_label",
        line=LEARNS,
        share=True,
    ),
)
def sigmoid_fails_beyond_nine_layers(evidence: Evidence) -> Effects:
    """Measure it."""
    runs = evidence["deep-sigmoid"].runs
    choose(runs, activation="sigmoid", depth=2)
    runs = waited(choose(runs, activation="sigmoid"), WAIT_FOR_SIGMOID)
    runs = runs.assign(
        initializer=runs["initializer_label"].astype(str),
        optimizer=runs["optimizer_label"].astype(str),
    )
    arms = ["initializer", "optimizer", "depth"]
    tuned = scored(at_best_rate(runs, arms))
    control = tuned[tuned["depth"] == 2].groupby(arms[:2])["accuracy"].mean()
    able = control[control >= LEARNS].index
    deep = tuned[tuned["depth"] >= 9].set_index(arms[:2])
    deep = deep[deep.index.isin(able)].reset_index()
    if deep.empty:
        raise MissingRunsError("no setting with which two sigmoid layers learn was run deeper")
    effects = deep.assign(effect=deep["accuracy"])[["seed", *arms, "effect"]]
    unable = [" with ".join(setting) for setting in control[control < LEARNS].index]
    notes = [rates_in_words(tuned[tuned["depth"] >= 9], arms)]
    if unable:
        notes.append(f"Left out, as two layers fail too: {'; '.join(unable)}.")
    notes.append(_tried(runs))
    near_chance = float((effects.groupby(arms)["effect"].mean() < 0.2).mean())
    notes.append(f"Below 20%, twice chance, in {near_chance:.0%} of the settings.")
    return measured(effects, runs, notes=notes)


def _tried(runs: pd.DataFrame) -> str:
    """Return the learning rates that each optimizer was given, and with what momentum."""
    phrases = []
    for optimizer, part in runs.groupby("optimizer"):
        rates = ", ".join(f"{rate:g}" for rate in sorted(part["learning_rate"].unique()))
        momenta = part.get("optimizer.momentum", pd.Series(dtype=float)).dropna().unique()
        with_momentum = sorted({float(momentum) for momentum in momenta} - {0.0})
        more = f" with momentum {', '.join(f'{each:g}' for each in with_momentum)}"
        phrases.append(f"{optimizer}{more if with_momentum else ''}: {rates}")
    return f"Tried were {'; '.join(phrases)}."


def depth_limit(evidence: Evidence, **wanted: object) -> pd.DataFrame:
    """Return the runs of depth-limit with `arm` (activation and start) and `connections`."""
    runs = waited(choose(evidence["depth-limit"].runs, **wanted), WAIT)
    activation, start = runs["activation_label"].astype(str), runs["initializer_label"].astype(str)
    return runs.assign(arm=activation + ", " + start, connections=runs["network_label"].astype(str))


TRAINS_DEEPER = Rule(
    measure="training accuracy of ReLU less that of sigmoid or tanh at 21 and 41 hidden layers",
    says=(
        "with each as recommended (He, Xavier), after at least 1,500 updates at its best validated "
        "learning rate, ReLU is at least 20 percentage points more accurate on training data at "
        "depths beyond twenty layers; conditional where it is against one rival or at one depth "
        "and surely is not at another; a depth at which neither gets above 50% says nothing"
    ),
    threshold=0.2,
    grid=("rival", "depth"),
    version=2,
    since=AMENDED,
    reason=(
        "300 updates of networks of width 50 cut short what a longer training of a wider network "
        "learns, and test accuracy is not what can be trained."
    ),
)


RIVALS = ("sigmoid", "tanh")


def _neither_learns(runs: pd.DataFrame, rival: str) -> pd.DataFrame:
    """Return ReLU's accuracy less a rival's, NaN at a depth at which neither learns (50%)."""
    found = pairs(runs, "activation", "relu", rival, "accuracy", ["depth"])
    means = found.groupby("depth")[["first", "second"]].transform("mean").max(axis=1)
    return found.assign(effect=(found["first"] - found["second"]).where(means >= LEARNS))


@claim(
    "relu-trains-deeper",
    group="C",
    statement="ReLU trains networks of a depth that sigmoid and tanh cannot train.",
    statement_ko="ReLU를 쓰면 시그모이드나 tanh로는 학습할 수 없는 깊이의 신경망도 학습할 수 있다.",
    sources={"D0": "본문 8", "D1": "ReLU 의 장점", "D3": "ReLU"},
    experiments="depth-limit",
    rule=TRAINS_DEEPER,
    figure=Shown("train_accuracy", x="learning_rate", columns="depth", share=True),
)
def relu_trains_deeper(evidence: Evidence) -> Effects:
    """Measure it."""
    depth_limit(evidence, network="mlp", depth=DEEP)
    runs = depth_limit(evidence, network="mlp")
    kept = runs["activation"].isin(["sigmoid", "tanh"]) | (
        (runs["activation"] == "relu") & (runs["initializer"] == "he_normal")
    )
    runs = choose(runs[kept], activation=["relu", "sigmoid", "tanh"])
    tuned = scored(at_best_rate(runs, ["activation", "depth"]), "train")
    deep = tuned[tuned["depth"] > 20]

    def effects(chosen: pd.DataFrame) -> pd.DataFrame:
        found = [_neither_learns(chosen, rival).assign(rival=rival) for rival in RIVALS]
        return pd.concat(found, ignore_index=True)

    if effects(deep)["effect"].isna().all():
        raise MissingRunsError("no activation learned beyond twenty layers: it takes more updates")
    notes = [f"Training accuracy by depth: {means_in_words(tuned, ['activation', 'depth'])}."]
    shared = at_matched_rate(runs[runs["depth"] > 20], "activation", ["depth"])
    if not shared.empty:
        words = in_words(effects(scored(shared, "train")))
        notes.append(f"At one shared learning rate: {words}.")
    return measured(
        effects(deep), runs, notes=(*notes, rates_in_words(deep, ["activation", "depth"]))
    )


DOZENS = Rule(
    measure="training accuracy at 5 hidden layers less that at 41, without skips",
    says=(
        "after at least 1,500 updates at the best validated learning rates a plain network of 41 "
        "ReLU or leaky ReLU layers is at least 5 percentage points of training accuracy behind the "
        "same one of 5; "
        "conditional where it depends on activation and initialization; a start from which 5 "
        "layers stay below 50% says nothing"
    ),
    threshold=0.05,
    grid=("arm",),
    version=2,
    since=AMENDED,
    reason=(
        "300 updates of networks of width 50 cut short what a longer training of a wider network "
        "learns."
    ),
)


@claim(
    "relu-fails-at-dozens-of-layers",
    group="C",
    statement="With several tens of layers, plain ReLU and leaky ReLU networks are not optimized "
    "well.",
    statement_ko="층이 수십 개에 이르면 ReLU나 Leaky ReLU만으로는 최적화가 잘되지 않는다.",
    sources={"D0": "본문 9"},
    experiments="depth-limit",
    rule=DOZENS,
    figure=Shown(
        "train_accuracy",
        x="learning_rate",
        series=("activation_label", "initializer_label"),
        columns="depth",
        share=True,
    ),
)
def relu_fails_at_dozens_of_layers(evidence: Evidence) -> Effects:
    """Measure it."""
    runs = depth_limit(
        evidence, network="mlp", activation=["relu", "leaky_relu"], depth=[SHALLOW, DEEP]
    )
    tuned = scored(at_best_rate(runs, ["arm", "depth"]), "train")
    learning = able(tuned, "arm")
    effects = differences(learning, "depth", SHALLOW, DEEP, "accuracy", ["arm"])
    notes = [rates_in_words(tuned, ["arm", "depth"])]
    unable = sorted(set(tuned["arm"]) - set(learning["arm"]))
    if unable:
        notes.append(f"Left out, as 5 layers do not learn either: {'; '.join(unable)}.")
    return measured(effects, runs, notes=notes)


def able(tuned: pd.DataFrame, arm: str) -> pd.DataFrame:
    """Return the runs of the arms whose plain shallow networks learn.

    Raises:
        MissingRunsError: none does; more updates may.
    """
    shallow = tuned[(tuned["depth"] == SHALLOW) & (tuned["network"] == "mlp")]
    means = shallow.groupby(arm, observed=True)["accuracy"].mean()
    learning = tuned[tuned[arm].isin(means.index[means >= LEARNS])]
    if learning.empty:
        raise MissingRunsError(f"no network of {SHALLOW} layers learned: it takes more updates")
    return learning
