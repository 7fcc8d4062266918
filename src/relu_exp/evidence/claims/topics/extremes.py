"""Claims about starts that cannot work: weights that are too large, or all the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import pandas as pd

from relu_exp.evidence.claims.arms import at_best_rate, choose, measured, rates_in_words, scored
from relu_exp.evidence.claims.cases import cases_of, computed
from relu_exp.evidence.claims.probes import HE, UNIT, layer_factor, probed, with_start
from relu_exp.evidence.claims.registry import Evidence, Literature, MissingRunsError, claim
from relu_exp.evidence.claims.shown import Shown
from relu_exp.evidence.claims.verdicts import Effects, Rule
from relu_exp.evidence.data.frames import Frames

__all__: list[str] = []

CHANCE = 0.1
"""Accuracy of guessing among the ten classes of the digits."""
LARGER = {2: "twice He", 4: "4 × He"}
"""What He's start is called with weights so many times as large."""
STARTS = (HE, *LARGER.values(), UNIT)

KILL = Rule(
    measure="times the limit: loss of living units over 10%, growth of gradients over twofold",
    says=(
        "weights of twice and of four times He's size, and from N(0, 1), in ReLU networks of 5 and "
        "of 10 layers: after training at least 10% fewer units are alive than with He's start, "
        "with each start at its own best rate, and with both at the largest rate of the grid at "
        "which neither diverges from any seed (effect: 0.9 over the ratio of living units; a start "
        "that diverges at every rate has no such parts); and before training gradients grow at "
        "least twofold from the last hidden layer to the first (effect: growth over 2); each "
        "above 1"
    ),
    threshold=1.0,
    ratio=True,
    unit="×",
    grid=("part", "start", "depth"),
    need="every",
    version=2,
    since=date(2026, 11, 26),
    reason=(
        "it judged N(0, 1) alone, and counted units over rates most of which diverge before "
        "anything is trained"
    ),
)
BEST, SHARED, GROWTH = "units at best rates", "units at one rate", "gradients"


def _large(evidence: Evidence) -> tuple[Frames, pd.DataFrame]:
    """Return the runs, `start` being He's, twice or four times that, or N(0, 1)."""
    frames = evidence["large-weights"]
    runs = with_start(choose(frames.runs, activation="relu"))
    for times, name in LARGER.items():
        is_it = np.isclose(runs["initializer.gain"].astype(float), times * 2**0.5)
        runs["start"] = runs["start"].mask((runs["start"] == HE) & is_it, name)
    for start in STARTS:
        if not (runs["start"] == start).any():
            raise MissingRunsError(f"large-weights has no finished run started with {start}")
    return frames, runs


@claim(
    "large-weights-kill-or-explode-relu",
    group="B",
    statement=(
        "Large initial weights make ReLU units die on the negative side and gradients explode on "
        "the positive one."
    ),
    statement_ko=(
        "초기 가중치가 크면 ReLU의 음수 구간에서는 유닛이 죽고 양수 구간에서는 기울기가 폭주한다."
    ),
    sources={"D2": "4.2"},
    experiments="large-weights",
    rule=KILL,
    figure=Shown(
        "dead_fraction",
        x="learning_rate",
        series=("initializer_label",),
        columns="depth",
        share=True,
    ),
)
def large_weights_kill_or_explode_relu(evidence: Evidence) -> Effects:
    """Compare living units at the end at two kinds of rates, and gradients at the start."""
    frames, runs = _large(evidence)
    end = probed(frames, runs, "dead_fraction", steps="last")
    dead = end.groupby("run_id")["dead_fraction"].mean().rename("dead").reset_index()
    counted = runs.merge(dead, on="run_id")
    # a run that diverged was last probed before it trained
    counted["dead"] = counted["dead"].where(counted["status"] == "done")
    tuned = at_best_rate(counted, ["start", "depth"])
    shared = list(_at_shared_rates(counted))
    parts = [_killed(tuned, BEST), *(_killed(pair, SHARED) for pair in shared)]
    growth = _growth(frames, runs[runs["start"] != HE])
    grown = growth[growth["learning_rate"] == growth["learning_rate"].min()]
    parts.append(grown.assign(effect=grown["effect"] / 2, part=GROWTH))
    columns = ["seed", "part", "start", "depth", "effect"]
    effects = pd.concat([part[columns] for part in parts], ignore_index=True)
    before = probed(frames, runs, "dead_fraction")
    notes = (
        _by_start("Dead units before training", before, "dead_fraction")
        + " Without biases the scale of the weights decides nothing about which units are on.",
        _by_start("Dead units after training at each start's best rates", tuned, "dead"),
        rates_in_words(tuned, ["start", "depth"]),
        "Shared rates: " + "; ".join(_shared_in_words(pair) for pair in shared) + ".",
    )
    return measured(effects, runs, notes=notes)


def _at_shared_rates(runs: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield each larger start's runs with He's, at the largest rate at which none diverges."""
    diverged = (
        runs.assign(diverged=runs["status"] == "diverged")
        .groupby(["depth", "learning_rate", "start"])["diverged"]
        .any()
        .unstack("start")
    )
    for depth, table in diverged.groupby("depth"):
        for start in STARTS[1:]:
            stable = table.index[~table[[HE, start]].astype(bool).any(axis=1)]
            if len(stable):
                rate = max(rate for _, rate in stable)
                at = (runs["depth"] == depth) & (runs["learning_rate"] == rate)
                yield runs[at & runs["start"].isin([HE, start])]


def _killed(runs: pd.DataFrame, part: str) -> pd.DataFrame:
    """Return 0.9 over the ratio of units alive, of each larger start to He's: `effect`."""
    # where none is left, less than one unit in a hundred is
    alive = (1 - runs["dead"]).clip(lower=0.01)
    table = runs.assign(alive=alive).pivot(index=["depth", "seed"], columns="start", values="alive")
    effect = 0.9 / table.drop(columns=HE).div(table[HE], axis=0)
    long = effect.reset_index().melt(["depth", "seed"], value_name="effect")
    return long.dropna(subset=["effect"]).assign(part=part)


def _shared_in_words(pair: pd.DataFrame) -> str:
    """Return a start, its depth, the rate it shares with He's and the dead units of both."""
    dead = pair.groupby("start")["dead"].mean()
    (start,) = set(dead.index) - {HE}
    first = pair.iloc[0]
    return (
        f"{start}, depth {first['depth']}: {first['learning_rate']:g} "
        f"({dead[start]:.0%} dead, He {dead[HE]:.0%})"
    )


def _growth(frames: Frames, runs: pd.DataFrame) -> pd.DataFrame:
    """Return by which factor gradients grow from the last hidden layer to the first: `effect`."""
    layers = probed(frames, runs, "activation_grad_norm")
    return layer_factor(layers, "activation_grad_norm", backward=True, whole=True)


def _by_start(what: str, frame: pd.DataFrame, column: str) -> str:
    """Return the mean share of each start in words."""
    means = frame.groupby("start")[column].mean().sort_values()
    return f"{what}: " + ", ".join(f"{start} {mean:.1%}" for start, mean in means.items()) + "."


EXPLODE = Rule(
    measure="times the limit: orders of magnitude gradients grow by, runs lost over one half",
    says=(
        "in ten ReLU layers with weights from N(0, 1), gradients grow at least tenfold from the "
        "last hidden layer to the first (effect: log10 of the growth), and more than half of the "
        "learning rates that He's start learns with are lost (effect: twice that share): the loss "
        "is no longer finite, or training accuracy stays below twice that of guessing; each above 1"
    ),
    threshold=1.0,
    unit="×",
    grid=("part",),
    need="every",
)


@claim(
    "gradients-can-explode",
    group="B",
    statement="Gradients can also grow towards the first layer, and training then diverges.",
    statement_ko="기울기는 첫 층으로 갈수록 커질 수도 있으며, 그러면 학습이 발산한다.",
    sources={"D2": "1"},
    experiments="large-weights",
    rule=EXPLODE,
    figure=Shown("activation_grad_norm", x="layer", series=("initializer_label",), log=True),
    literature=(
        Literature(
            "Pascanu, Mikolov, Bengio 2013, arXiv:1211.5063",
            "exploding gradients in recurrent networks, and clipping them as a remedy",
            "second-hand",
        ),
    ),
)
def gradients_can_explode(evidence: Evidence) -> Effects:
    """Measure the gradients' growth and the runs that are lost to it."""
    frames, every = _large(evidence)
    runs = scored(every[every["depth"] == 10], "train")
    if set(runs["start"]) < {HE, UNIT}:
        raise MissingRunsError("large-weights has no finished runs of ten layers")
    runs["lost"] = (runs["status"] == "diverged") | (runs["accuracy"] < 2 * CHANCE)
    growth = _growth(frames, runs[runs["start"] == UNIT])
    logs = np.log10(growth.groupby("seed")["effect"].first())
    lost = runs.set_index(["seed", "learning_rate", "start"])["lost"].unstack("start")
    taught = lost[~lost[HE].astype(bool)]
    if taught.empty:
        raise MissingRunsError("large-weights has no rate at which He's start learns")
    share = taught[UNIT].astype(float).groupby("seed").mean() * 2
    effects = pd.concat(
        [
            logs.rename("effect").reset_index().assign(part="gradients grow"),
            share.rename("effect").reset_index().assign(part="runs are lost"),
        ],
        ignore_index=True,
    )
    used = runs[runs["start"].isin([HE, UNIT])]
    return measured(effects, used, notes=_losses_in_words(runs))


def _losses_in_words(runs: pd.DataFrame) -> tuple[str, ...]:
    """Return how runs ended, by start, and what the best learning rate makes of it."""
    diverged = runs.assign(diverged=runs["status"] == "diverged")
    tuned = at_best_rate(runs, ["start"])
    return (
        _by_start("Runs with a loss that is not finite", diverged, "diverged"),
        _by_start("Runs that learn nothing or diverge", runs, "lost"),
        _by_start("Training accuracy at each start's best rate", tuned, "accuracy"),
        rates_in_words(tuned, ["start"]),
    )


EQUAL = Rule(
    measure="distance of units that start equal; gap of their outputs to those of one unit a layer",
    says=(
        "in float64, with sigmoid, tanh and ReLU, from zeros and from a constant, no update by "
        "gradient descent, momentum or Adam parts units that are equal, and by the first two the "
        "outputs stay those of one unit a layer with rescaled weights and rates, to 10⁻⁹"
    ),
    kind="cases",
    need="every",
    version=2,
    since=date(2026, 11, 26),
    reason=(
        "it judged by test accuracy within a tenth, which step sizes decide; what the claim says "
        "is exact"
    ),
)


@claim(
    "identical-weights-stay-identical",
    group="B",
    statement=(
        "With zero or constant weights all units of a layer stay equal, and a network learns as if "
        "it had one unit a layer."
    ),
    statement_ko=(
        "가중치를 모두 0이나 같은 값으로 초기화하면 한 층의 유닛이 끝까지 서로 같아서, 신경망이 "
        "층마다 유닛이 하나뿐인 것처럼 학습된다."
    ),
    sources={"D2": "4.1"},
    experiments="formulas",
    rule=EQUAL,
)
def identical_weights_stay_identical(evidence: Evidence) -> Effects:
    """Train equal units, and one unit a layer with rescaled weights and rates, in float64."""
    learned = cases_of(evidence, "equal-units-learn")
    return computed(
        evidence,
        "identical-weights-stay-identical",
        "digits of 14 × 14 pixels, two hidden layers of 20 units, 100 updates, float64",
        [
            f"Training accuracy from equal units: {learned['found'].min():.0%} to "
            f"{learned['found'].max():.0%}; from a random start "
            f"{learned['expected'].min():.0%} to {learned['expected'].max():.0%}.",
            "n equal units with weights w to the next layer are one unit with weights n·w, whose "
            "first layer learns at the rate over n and whose outputs at the rate times n.",
            "A library may round each unit differently, and training can let that grow: units are "
            "set equal again after each comparison.",
        ],
    )
