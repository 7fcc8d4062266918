"""The claim that larger networks train longer and overfit more, at equal training loss."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from relu_exp.evidence.claims.arms import (
    at_best_rate,
    choose,
    described,
    differences,
    in_words,
    means_in_words,
    measured,
    scored,
)
from relu_exp.evidence.claims.registry import Evidence, claim
from relu_exp.evidence.claims.shown import EFFECT, Shown
from relu_exp.evidence.claims.speeds import fastest, gains_in_words, speed_ratios
from relu_exp.evidence.claims.verdicts import Effects, Rule
from relu_exp.evidence.data.frames import Frames

__all__: list[str] = []

MATCHED_LOSS, LARGER_BY = 0.1, 1.1
LARGER = Rule(
    measure="larger network over smaller: operations of training, and overfitting",
    says=(
        "with each at the learning rate that gets it there soonest (of those tried, and "
        "read off a parabola between them; a ratio is a bound where that is the last one tried), "
        "the larger network needs at least 10% more operations "
        "(updates × parameters) to a training loss of 0.1, and where its training loss reaches 0.1 "
        "its test loss exceeds that by at least 10% more; the claim needs both, for more layers "
        "(12 against 1) and for wider ones (128 against 16)"
    ),
    threshold=LARGER_BY,
    ratio=True,
    unit="×",
    grid=("larger in", "what grows"),
    need="every",
    censored="bound",
    failures="apart",
    version=2,
    since=date(2026, 11, 26),
    reason=(
        "Networks were compared at unequal training losses, where a gap says how long they "
        "trained, and a wide network that needs fewer updates was no slower by a rule that asked "
        "for more of them: each is costlier."
    ),
)


@claim(
    "deeper-is-slower-and-overfits",
    group="C",
    statement="The larger a network, the longer it trains and the more it overfits.",
    statement_ko="신경망이 커질수록 학습이 오래 걸리고 과적합도 심해진다.",
    sources={"D2": "서두"},
    experiments="model-size",
    rule=LARGER,
    figure=Shown(
        EFFECT,
        x="larger in",
        series=("what grows",),
        words="larger_over_smaller",
        line=LARGER_BY,
        log=True,
    ),
)
def deeper_is_slower_and_overfits(evidence: Evidence) -> Effects:
    """Measure it."""
    frames = evidence["model-size"]
    runs = choose(frames.runs, depth=[1, 12], width=[16, 128])
    found, notes = [], []
    for larger_in, column, small, large, fixed in (
        ("depth", "depth", 1, 12, runs["width"] == 128),
        ("width", "width", 16, 128, runs["depth"] == 1),
    ):
        arms = runs[fixed]
        updates = speed_ratios(
            frames, arms, column, large, small, [MATCHED_LOSS], decisive=LARGER_BY
        )
        size = arms.groupby(column)["num_parameters"].first()
        operations = updates.assign(effect=updates["effect"] * size[large] / size[small])
        chosen = fastest(frames, arms, [column], MATCHED_LOSS)
        gaps = chosen.assign(gap=np.log(_gaps(frames, chosen)))
        overfits = differences(gaps, column, large, small, "gap")
        overfits = overfits.assign(effect=np.exp(overfits["effect"]), bound="none")
        for what, effects in (("operations", operations), ("overfitting", overfits)):
            found.append(effects.assign(**{"larger in": larger_in, "what grows": what}))
        notes.append(
            f"More {larger_in}: {in_words(updates, ratio=True, unit='×')} updates. "
            f"{gains_in_words(chosen, [column])}"
        )
    tuned = scored(at_best_rate(runs, ["depth", "width"]))
    notes.append(f"Test accuracy by layers and units: {means_in_words(tuned, ['depth', 'width'])}.")
    columns = ["seed", *LARGER.grid, "effect", "bound", "first_failed", "second_failed"]
    return measured(
        pd.concat(found, ignore_index=True)[columns],
        runs,
        scope=f"{described(runs)}; 200 training images",
        notes=notes,
    )


def _gaps(frames: Frames, runs: pd.DataFrame) -> pd.Series[float]:
    """Return by how much each run's test loss exceeds its training loss where that is `steps`.

    NaN of a run that never arrived. A network that tests as well as it trains has no gap to divide
    by: the least is a thousandth.
    """
    ids = runs["run_id"].astype(str).tolist()
    curves = frames.read("curves", run_ids=ids, split=["test"]).astype({"run_id": "str"})
    curves = curves.sort_values("step")
    tests = {run_id: (one["step"], one["loss"]) for run_id, one in curves.groupby("run_id")}
    at = [np.interp(steps, *tests[id]) for id, steps in zip(ids, runs["steps"], strict=True)]
    gaps = pd.Series(at, runs.index) - MATCHED_LOSS
    return gaps.clip(lower=1e-3).mask(runs["censored"].astype(bool))
