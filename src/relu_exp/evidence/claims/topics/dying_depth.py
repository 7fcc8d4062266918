"""The claim that units die the more the deeper a network is, and what theory says of its start."""

from __future__ import annotations

import math
from datetime import date

import pandas as pd

from relu_exp.evidence.claims.arms import (
    at_best_rate,
    in_words,
    own_values,
    rates_in_words,
    scope_of,
)
from relu_exp.evidence.claims.registry import Evidence, Literature, MissingRunsError, claim
from relu_exp.evidence.claims.shown import OWN, Shown
from relu_exp.evidence.claims.survival import below_limit, limits, with_learning
from relu_exp.evidence.claims.topics.dying import KEYS, by_rate, dying_runs, layer_means, percent
from relu_exp.evidence.claims.verdicts import Effects, Rule

__all__ = ["dead_at_most", "without_signal"]

FRACTIONS = {0: "at the limit", 1: "one rate below it", 2: "two rates below it"}
"""Where networks are compared: at rates that are equal fractions of each one's limit."""

GROWS_WITH_DEPTH = Rule(
    measure="share of dead units in the deepest network minus that in the shallowest",
    says="narrow or wide, at least 5 percentage points more of the units are dead in the deepest "
    "network of the sweep than in the shallowest: before training, and after it at equal fractions "
    "of each network's limit, the largest swept learning rate at which at least half of its runs "
    "still end with half of the validation images right: at the limit, and one and two rates "
    "(1.5 times each) below it. Runs that do not learn do not count",
    threshold=0.05,
    grid=("width", "when"),
    need="every",
    version=2,
    since=date(2026, 11, 26),
    reason="networks were compared at shared rates, of which those that kill were left out, at one "
    "width and only after training",
)


@claim(
    "dying-grows-with-depth",
    group="D",
    statement="The deeper a ReLU network, the larger the share of units that die, beyond half.",
    statement_ko="ReLU 신경망이 깊을수록 죽는 유닛의 비율이 커져 절반을 넘는다.",
    sources={"D1": "ReLU 의 단점"},
    experiments="dying-relu",
    rule=GROWS_WITH_DEPTH,
    figure=Shown(OWN, x="depth", series=("width",), columns="when", words="dead_share", share=True),
    literature=(
        Literature(
            "Lu, Shin, Su, Karniadakis 2020, Commun. Comput. Phys. 28(5), arXiv:1903.06733",
            "a ReLU network of fixed width is dead from the start with a probability that tends to "
            "1 as its depth grows; from the abstract, which says nothing of training",
            "second-hand",
        ),
    ),
)
def dying_grows_with_depth(evidence: Evidence) -> Effects:
    """Subtract the shallowest network's share from the deepest's, width by width."""
    frames, runs = dying_runs(evidence)
    shallow, deep = runs["depth"].min(), runs["depth"].max()
    if shallow == deep:
        raise MissingRunsError(f"one depth only, {deep}: nothing to compare it with")
    ends = with_learning(runs[runs["depth"].isin([shallow, deep])])
    # before training a network is the same at every rate
    start = ends.sort_values("learning_rate").drop_duplicates([*KEYS, "seed"])
    start = start.assign(dead=layer_means(frames, start, "dead_fraction", "first"))
    near = below_limit(ends, KEYS)
    near = near[near["below"].isin(FRACTIONS)]
    near = near.assign(when=near["below"].map(FRACTIONS), dead=near["dead"].where(near["learns"]))
    sides = pd.concat([start.assign(when="before training"), near])
    table = sides.pivot_table(index=["width", "when", "seed"], columns="depth", values="dead")
    effects = (table[deep] - table[shallow]).dropna().rename("effect").reset_index()
    found = limits(ends, KEYS).itertuples(index=False)
    over = runs.assign(over=runs["dead"] > 0.5).groupby("depth")["over"].mean()
    phrases = ", ".join(f"depth {depth}: {percent(share)}" for depth, share in over.items())
    tuned = at_best_rate(ends, KEYS)
    best = tuned.pivot_table(index=["width", "seed"], columns="depth", values="dead")
    lead = (best[deep] - best[shallow]).dropna().rename("effect").reset_index()
    notes = [
        "Limits: "
        + ", ".join(f"depth {one.depth}, width {one.width:g}: {one.limit:g}" for one in found)
        + ".",
        f"Before training: {_beside_theory(start)}.",
        f"At each network's own best rate the difference is {in_words(lead)}.",
        rates_in_words(tuned, KEYS),
        f"Share of runs, all rates, in which more than half of the units are dead: {phrases}.",
        *(
            f"Depth {depth}, width {width:g}, by rate: {by_rate(part)}."
            for (depth, width), part in runs.groupby(KEYS)
        ),
    ]
    return Effects(
        effects,
        scope=scope_of(ends),
        run_ids=sides["run_id"].unique().tolist(),
        notes=notes,
        values=own_values(sides, "dead", "when"),
    )


def dead_at_most(depth: int) -> float:
    """Return the most units that theory has dead before training, as a share of all of them.

    A unit that is dead is off for any two samples. For two unrelated ones, in wide layers with He's
    variance and no bias, that is (π − θ) / 2π at an angle θ between them, which each layer shrinks:
    cos θ′ = (sin θ + (π − θ) cos θ) / π. It tends to a half. Cho and Saul 2009.
    """
    angle, shares = math.pi / 2, []
    for _ in range(depth):
        shares.append((math.pi - angle) / (2 * math.pi))
        cosine = (math.sin(angle) + (math.pi - angle) * math.cos(angle)) / math.pi
        angle = math.acos(min(cosine, 1.0))
    return sum(shares) / len(shares)


def without_signal(depth: int, width: int) -> float:
    """Return how often theory has some layer wholly off for a sample before training.

    With symmetric weights each unit is off with probability ½: 1 − (1 − 2⁻ⁿ)ᵈ for n units and d
    layers. Lu, Shin, Su, Karniadakis 2020.
    """
    # 1 − x rounds to 1 for small x
    return -math.expm1(depth * math.log1p(-(2.0**-width)))


def _beside_theory(start: pd.DataFrame) -> str:
    phrases = []
    for _, part in start.groupby(KEYS):
        depth, width = (int(part[key].iloc[0]) for key in KEYS)
        phrases.append(
            f"depth {depth}, width {width}: {percent(part['dead'].mean())} dead (in theory at most "
            f"{percent(dead_at_most(depth))} where layers are wide, and some layer is wholly off "
            f"for a sample with probability {without_signal(depth, width):.1g})"
        )
    return "; ".join(phrases)
