"""The claim that ReLU bounces near an optimum, at equal fractions of the largest rate."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from relu_exp.evidence.claims.arms import (
    choose,
    described,
    differences,
    measured,
    own_values,
    scored,
)
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError, claim
from relu_exp.evidence.claims.shown import OWN, Shown
from relu_exp.evidence.claims.verdicts import Effects, Rule
from relu_exp.evidence.data.frames import Frames

__all__: list[str] = []

FRACTIONS = (0.25, 0.5, 0.7)
BOUNCE = Rule(
    measure="share of late updates at which the loss rises, ReLU less a smooth activation",
    says=(
        "with full batches and each at the same fraction (a quarter, a half and seven tenths) of "
        "the largest learning rate at which it still trains from that seed, ReLU's loss rises in "
        "at least 5 percentage points more of the updates in the second half of training than "
        "ELU's and GELU's does: at every fraction, for a kink is there at any rate; conditional "
        "where it does at one fraction or against one of them and surely does not at another"
    ),
    threshold=0.05,
    grid=("smooth", "fraction"),
    need="every",
    version=2,
    since=date(2026, 11, 26),
    reason=(
        "The rate of lowest final loss is one at which nothing bounces: rates are compared that "
        "are equally far from where each activation stops training."
    ),
)
ROUNDING = 1e-9
"""Squared errors below this are float32 rounding, not descent."""


@claim(
    "relu-bounces-near-optimum",
    group="C",
    statement="Because of the kink at 0, gradient descent on ReLU networks bounces near the "
    "optimum.",
    statement_ko="ReLU는 0에서 꺾이므로 경사하강법이 최적점 근처에서 진동한다.",
    sources={"D1": "ReLU 의 단점"},
    experiments="bounce",
    rule=BOUNCE,
    figure=Shown(OWN, x="learning_rate", words="rises", share=True),
)
def relu_bounces_near_optimum(evidence: Evidence) -> Effects:
    """Measure it."""
    frames = evidence["bounce"]
    runs = choose(frames.runs, activation=["relu", "elu", "gelu"])
    runs = scored(runs.merge(_rises(frames, runs), on="run_id"), "train")
    largest = _largest_rates(runs)
    found = []
    for fraction in FRACTIONS:
        at = _at_fraction(runs, largest, fraction)
        for smooth in ("elu", "gelu"):
            effects = differences(at, "activation", "relu", smooth, "rises")
            found.append(effects.assign(smooth=smooth, fraction=fraction))
    share = runs.groupby(["activation", "learning_rate"])["rises"].mean().unstack("activation")
    half = _at_fraction(runs, largest, 0.5).groupby("activation")["loss"].median()
    notes = [
        "Largest rates at which training does not fail, medians over seeds: "
        + ", ".join(
            f"{one} {rate:g}" for one, rate in largest.groupby("activation").median().items()
        )
        + ".",
        "Final loss at half of it: "
        + ", ".join(f"{one} {value:.2g}" for one, value in half.items())
        + ".",
        "Share of late updates that raise the loss, at shared rates: "
        + "; ".join(
            f"{rate:g}: " + ", ".join(f"{one} {value:.0%}" for one, value in row.items())
            for rate, row in share.iterrows()
        )
        + ".",
    ]
    return measured(
        pd.concat(found, ignore_index=True),
        runs,
        scope=f"{described(runs)}; full batches, squared error, an exact fit exists (loss 0)",
        notes=notes,
        values=own_values(runs, "rises"),
    )


def _largest_rates(runs: pd.DataFrame) -> pd.Series[float]:
    """Return the largest rate below the first at which training fails, by activation and seed.

    It fails where it diverges or ends with a higher loss than it began with. Seeds in which it
    fails at no rate tried, or at the smallest, are left out.

    Raises:
        MissingRunsError: for half of an activation's seeds that rate is not among those tried.
    """
    failed = (runs["status"] == "diverged") | (runs["loss"] > runs["first_loss"])
    ordered = runs.assign(_failed=failed).sort_values("learning_rate")
    largest: dict[tuple[Any, Any], float] = {}
    for (activation, seed), arm in ordered.groupby(["activation", "seed"]):
        first = int(np.argmax(arm["_failed"].to_numpy()))
        if first > 0:
            largest[activation, seed] = float(arm["learning_rate"].iloc[first - 1])
    for name, arm in runs.groupby("activation"):
        known = sum(1 for activation, _ in largest if activation == name)
        if 2 * known <= arm["seed"].nunique():
            raise MissingRunsError(
                f"the learning rates of bounce end before training with {name!s} fails, or "
                "begin after"
            )
    return pd.Series(largest).rename_axis(["activation", "seed"])


def _at_fraction(runs: pd.DataFrame, largest: pd.Series[float], fraction: float) -> pd.DataFrame:
    """Return the run of each activation and seed nearest to a fraction of its largest rate."""
    wanted = largest.rename("_wanted").reset_index()
    kept = runs.merge(
        wanted.assign(_wanted=fraction * wanted["_wanted"]), on=["activation", "seed"]
    )
    apart = np.abs(np.log(kept["learning_rate"] / kept["_wanted"]))
    nearest = kept.assign(_apart=apart).sort_values(["_apart", "learning_rate"])
    return nearest.drop_duplicates(["activation", "seed"]).drop(columns=["_wanted", "_apart"])


def _rises(frames: Frames, runs: pd.DataFrame) -> pd.DataFrame:
    """Return per run the share of updates in the second half at which the batch loss `rises`.

    And `first_loss`, that of the first batch. A diverged run has no second half near an optimum:
    its share is that of all its updates.
    """
    curves = frames.read("curves", run_ids=runs["run_id"].tolist(), split=["batch"])
    curves = curves.astype({"run_id": "str"}).sort_values(["run_id", "step"])
    half = runs.set_index("run_id")["num_steps"] / 2
    late = curves["step"] >= curves["run_id"].map(half)
    whole = curves["run_id"].isin(runs.loc[runs["status"] == "diverged", "run_id"])
    before = curves.groupby("run_id")["loss"].shift()
    kept = curves[(late | whole) & before.notna()]
    rises = kept["loss"] > before[kept.index] + ROUNDING
    first = curves.groupby("run_id")["loss"].first().rename("first_loss")
    shares = rises.groupby(kept["run_id"]).mean().rename("rises")
    return pd.concat([shares, first], axis=1).reset_index()
