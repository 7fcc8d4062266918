"""Claims about units that die: how many, and when.

A unit is dead when its derivative is zero on every training sample.
"""

from __future__ import annotations

from datetime import date

import pandas as pd

from relu_exp.evidence.claims.arms import (
    at_best_rate,
    choose,
    measured,
    own_values,
    rates_in_words,
    scope_of,
    scored,
)
from relu_exp.evidence.claims.registry import Evidence, Literature, MissingRunsError, claim
from relu_exp.evidence.claims.shown import OWN, Shown
from relu_exp.evidence.claims.survival import SAID_TO_DIE, below_limit, with_learning
from relu_exp.evidence.claims.verdicts import Effects, Rule
from relu_exp.evidence.data.frames import Frames

__all__ = ["KEYS", "by_rate", "dying_runs", "layer_means", "percent"]

CS231N = Literature(
    "Karpathy, CS231n course notes, Neural Networks part 1",
    "as much as 40% of a network can be dead if the learning rate is set too high, dead on the "
    "entire training set; with a proper rate it is less frequent. No experiment is given",
    "second-hand",
)


def layer_means(
    frames: Frames, runs: pd.DataFrame, quantity: str, step: str = "last"
) -> pd.Series[float]:
    """Return a quantity of each run at its first or last probe, the mean over hidden layers.

    Layers are equally wide, so a share's mean over layers is the share of all hidden units. A run
    that diverged has its last probe before that.

    Raises:
        MissingRunsError: the runs were not probed.
    """
    rows = frames.read(
        "layers",
        run_ids=runs["run_id"].tolist(),
        steps="first" if step == "first" else "last",
        quantity=[quantity],
        columns=["run_id", "layer", "value"],
    )
    if rows.empty:
        raise MissingRunsError(f"layers were not probed for {quantity} in {frames.root.name}")
    found = runs["run_id"].map(rows.astype({"run_id": "str"}).groupby("run_id")["value"].mean())
    return found.astype(float)


def dying_runs(evidence: Evidence, activation: str = "relu") -> tuple[Frames, pd.DataFrame]:
    """Return the runs of an activation with `dead`, the share of dead units at the end."""
    frames = evidence["dying-relu"]
    runs = scored(choose(frames.runs, activation=activation))
    return frames, runs.assign(dead=layer_means(frames, runs, "dead_fraction"))


def percent(value: float) -> str:
    """Return a share as a percentage with one decimal."""
    return f"{value:.1%}"


def by_rate(runs: pd.DataFrame, column: str = "dead") -> str:
    """Return the whole curve in words: the mean per rate, with test accuracy beside it."""
    means = runs.groupby("learning_rate")[[column, "accuracy"]].mean()
    return "; ".join(
        f"{rate:g}: {percent(row[column])} (test accuracy {percent(row['accuracy'])})"
        for rate, row in means.iterrows()
    )


KEYS = ["depth", "width"]
"""What networks differ in."""

KILLS_HALF = Rule(
    measure="share of dead hidden units at the end, at the largest rate that still learns",
    says="at least 40% of all hidden units, the number of the lecture notes behind the document, "
    "are dead at the largest swept learning rate at which at least half of the runs of that depth "
    "and width still learn: they end with half of the validation images right, five times chance. "
    "Runs that do not learn do not count",
    threshold=SAID_TO_DIE,
    within=(0.0, 1.0),
    grid=("depth", "width"),
    version=2,
    since=date(2026, 11, 26),
    reason="a finite loss was taken for survival: networks at chance accuracy count no longer",
)


@claim(
    "high-learning-rate-kills-half",
    group="D",
    statement="Trained at a large learning rate, about half of a ReLU network's units are dead.",
    statement_ko="학습률이 크면 학습하는 동안 ReLU 신경망의 유닛 가운데 절반쯤이 죽는다.",
    sources={"D2": "3"},
    experiments="dying-relu",
    rule=KILLS_HALF,
    figure=Shown(
        "dead_fraction", x="depth", series=("width",), line=KILLS_HALF.threshold, share=True
    ),
    literature=(CS231N,),
)
def high_learning_rate_kills_half(evidence: Evidence) -> Effects:
    """Look at the largest rate at which a network still learns, by depth and width."""
    frames, runs = dying_runs(evidence)
    found = below_limit(with_learning(runs), KEYS)
    large = found[found["below"] == 0]
    notes = []
    for key, part in runs.groupby(KEYS):
        depth, width = (f"{value:g}" for value in key)
        at = large.loc[(large["depth"] == key[0]) & (large["width"] == key[1]), "limit"]
        judged = f"judged at {at.iloc[0]:g}" if len(at) else "it learns at no rate"
        notes.append(f"Depth {depth}, width {width}: {judged}. By rate: {by_rate(part)}.")
    beside = {
        "dead on one probe batch": "dead_on_probe_fraction",
        "zero activations": "zero_fraction",
    }
    large = large[large["learns"]]
    phrases = [
        f"{name} {percent(layer_means(frames, large, quantity).mean())}"
        for name, quantity in beside.items()
    ]
    dead = percent(large["dead"].mean())
    notes.append(f"At those rates, by definition: dead on all data {dead}, {', '.join(phrases)}.")
    best = at_best_rate(runs, KEYS)
    notes.append(f"At each network's best validated rate {percent(best['dead'].mean())} are dead.")
    return measured(
        large.assign(effect=large["dead"])[["seed", *KEYS, "effect"]],
        large,
        scope=scope_of(large),
        notes=notes,
    )


ONE_NEGATIVE = Rule(
    measure="upper bound on the share of units with a negative sum at the start that end up dead",
    says="at least 90% of the units that output 0 for some sample before training are dead after "
    "it, at each network's best validated rate. Their number is bounded from below by the share of "
    "zero activations, so the measured share can only be too high",
    threshold=0.9,
    within=(0.0, 1.0),
    grid=("depth", "width"),
    version=2,
    since=date(2026, 11, 26),
    reason="networks of two widths are judged, each at its own best rate",
)


@claim(
    "one-negative-input-kills",
    group="D",
    statement="A ReLU unit whose weighted sum is negative once is lost for the rest of training.",
    statement_ko="가중합이 한 번이라도 음수가 된 ReLU 유닛은 그 뒤로 다시는 학습되지 않는다.",
    sources={"D2": "3", "D4": "ReLU", "D1": "ReLU 의 단점"},
    experiments="dying-relu",
    rule=ONE_NEGATIVE,
    figure=Shown(
        OWN,
        x="depth",
        series=("width",),
        words="dead_of_zero",
        line=ONE_NEGATIVE.threshold,
        share=True,
    ),
    literature=(CS231N,),
)
def one_negative_input_kills(evidence: Evidence) -> Effects:
    """Compare the units that were zero somewhere at the start with those dead at the end."""
    frames, runs = dying_runs(evidence)
    # a unit is zero for at most all samples: at least this share of units is zero for some
    runs = runs.assign(zero=layer_means(frames, runs, "zero_fraction", "first"))
    runs["effect"] = (runs["dead"] / runs["zero"].where(runs["zero"] > 0)).clip(upper=1.0)
    tuned = at_best_rate(runs, KEYS)
    born, dead = tuned["zero"].mean(), tuned["dead"].mean()
    ended = layer_means(frames, tuned, "zero_fraction").mean()
    notes = [
        f"At the start at least {percent(born)} of the units output 0 for some sample; after "
        f"training {percent(dead)} are dead, while {percent(ended)} of the activations are 0: a "
        "unit off for one sample still learns from the others.",
        rates_in_words(tuned, KEYS),
        f"Bound by matched rate, all networks: {by_rate(runs, 'effect')}.",
    ]
    return measured(
        tuned[["seed", *KEYS, "effect"]],
        tuned,
        scope=scope_of(tuned),
        notes=notes,
        values=own_values(tuned, "effect"),
    )
