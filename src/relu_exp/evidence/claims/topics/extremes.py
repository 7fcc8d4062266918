"""Claims about starts that cannot work: weights that are too large, or all the same."""

from __future__ import annotations

import numpy as np
import pandas as pd

from relu_exp.evidence.claims.arms import at_best_rate, choose, measured, rates_in_words, scored
from relu_exp.evidence.claims.probes import HE, UNIT, layer_factor, probed, with_start
from relu_exp.evidence.claims.registry import Evidence, Literature, MissingRunsError, claim
from relu_exp.evidence.claims.verdicts import Effects, Rule
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.statistics import score

__all__: list[str] = []

CHANCE = 0.1
"""Accuracy of guessing among the ten classes of the digits."""

LARGE = Rule(
    measure="times the limit: loss of living units over 10%, growth of gradients over twofold",
    says=(
        "against He's start at the same learning rates, ReLU networks with weights from N(0, 1) "
        "have at least 10% fewer living units after training (effect: 0.9 over the ratio of living "
        "units), and before it their gradients grow at least twofold from the last hidden layer to "
        "the first (effect: growth over 2); each above 1"
    ),
    threshold=1.0,
    ratio=True,
    unit="×",
    grid=("part", "depth"),
    need="every",
)


def _large(evidence: Evidence) -> tuple[Frames, pd.DataFrame]:
    """Return the runs of He's start, of N(0, 1) and of twice He's."""
    frames = evidence["large-weights"]
    runs = with_start(choose(frames.runs, activation="relu"))
    runs["start"] = runs["start"].mask(
        (runs["start"] == HE) & ~np.isclose(runs["initializer.gain"].astype(float), 2**0.5),
        "twice He",
    )
    for start in (HE, UNIT):
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
    rule=LARGE,
    figure="dead_fraction_by_learning_rate",
)
def large_weights_kill_or_explode_relu(evidence: Evidence) -> Effects:
    """Measure living units at the end and the gradients' growth at the start."""
    frames, runs = _large(evidence)
    end = probed(frames, runs, "dead_fraction", steps="last")
    alive = end.assign(alive=1 - end["dead_fraction"])
    living = alive.groupby(["depth", "seed", "start"])["alive"].mean().unstack("start")
    # where none is left, less than one of the layer's units is
    ratio = living[UNIT].clip(lower=0.01) / living[HE]
    killed = (0.9 / ratio).rename("effect").reset_index().assign(part="dying")
    growth = _growth(frames, runs)
    grown = growth[growth["start"] == UNIT].groupby(["depth", "seed"])["effect"].first() / 2
    exploded = grown.reset_index().assign(part="exploding")
    effects = pd.concat([killed, exploded], ignore_index=True)
    used = runs[runs["start"].isin([HE, UNIT])]
    start = probed(frames, runs, "dead_fraction")
    notes = (
        _by_start("Dead units before training", start, "dead_fraction")
        + " Without biases the scale of the weights decides nothing about which units are on.",
        _by_start("Dead units at the last probe, mean over rates", end, "dead_fraction")
        + " Runs that diverge are taken at their last probe before.",
    )
    return measured(effects, used, notes=notes)


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
    figure="activation_gradient_by_layer",
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
    measure="times the limit: effective rank over 1.5, accuracy over 1.1 times that of one unit",
    says=(
        "started with zero or equal weights, no hidden layer ever has an effective rank of 1.5 "
        "(effect: the largest over layers, probes and rates, over 1.5), and test accuracy at the "
        "best learning rate is at most a tenth better than that of a network of one unit a layer "
        "at its own best rate and start, equal or random (effect: accuracy over 1.1 times that "
        "one's); each below 1"
    ),
    threshold=1.0,
    claimed_side="below",
    unit="×",
    grid=("part", "activation", "initializer"),
    need="every",
)
ONE_UNIT = 1


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
    experiments="symmetric-start",
    rule=EQUAL,
    figure="loss_curves",
)
def identical_weights_stay_identical(evidence: Evidence) -> Effects:
    """Measure the rank of the hidden layers, and accuracy against networks of one unit."""
    frames = evidence["symmetric-start"]
    runs = choose(frames.runs, initializer=["zeros", "constant", "he_normal"])
    wide, single = runs[runs["width"] > ONE_UNIT], runs[runs["width"] == ONE_UNIT]
    if single.empty or wide["initializer"].nunique() < 3:
        raise MissingRunsError("symmetric-start lacks zeros, constant, he_normal or one-unit runs")
    layers = probed(frames, wide, "effective_rank", "weight_grad_spread", steps=None)
    equal = layers[layers["initializer"] != "he_normal"]
    arms, by = ["activation", "initializer"], ["activation", "initializer", "depth"]
    rank = (equal.groupby([*arms, "seed"])["effective_rank"].max() / 1.5).rename("effect")
    tuned = at_best_rate(scored(wide), by)
    alone = _best_single(scored(single))
    keys = ["activation", "depth", "seed"]
    one = alone[[*keys, "accuracy"]].rename(columns={"accuracy": "one"})
    both = tuned[tuned["initializer"] != "he_normal"].merge(one, on=keys, validate="many_to_one")
    accuracy = both.assign(effect=both["accuracy"] / (1.1 * both["one"]), part="accuracy")
    effects = pd.concat([rank.reset_index().assign(part="rank"), accuracy], ignore_index=True)
    random = layers[layers["initializer"] == "he_normal"]
    ends = random[random["step"] == random["num_steps"]]
    accuracies = tuned.groupby("initializer")["accuracy"].mean()
    notes = (
        f"Largest distance of the units' gradients from their mean: "
        f"{equal['weight_grad_spread'].max():.2g} of their size; from a random start "
        f"{random['weight_grad_spread'].mean():.2g}.",
        f"Effective rank of a layer after training from a random start: "
        f"{ends['effective_rank'].mean():.1f} of {ends['width'].max()} units.",
        f"Test accuracy: zeros {accuracies['zeros']:.1%}, constant {accuracies['constant']:.1%}, "
        f"one unit {one['one'].mean():.1%}, random start {accuracies['he_normal']:.1%}.",
        "Equal units compute what one unit with larger outgoing weights computes: where they do "
        "better than one, it is by larger steps, not by more that they could express.",
        rates_in_words(tuned, by),
    )
    return measured(effects, runs, notes=notes)


def _best_single(runs: pd.DataFrame) -> pd.DataFrame:
    """Return each activation's and depth's one-unit runs at the best rate and start, validated."""
    by = ["activation", "depth"]
    tuned = at_best_rate(runs, [*by, "initializer"])
    tuned = tuned.assign(validation=score(tuned, "final_validation_accuracy"))
    mean = tuned.groupby([*by, "initializer"])["validation"].mean().reset_index()
    best = mean.sort_values("validation", ascending=False).drop_duplicates(by)
    return tuned.merge(best[[*by, "initializer"]], on=[*by, "initializer"])
