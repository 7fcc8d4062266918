"""Claims about a fixed leak: leaky ReLU against ReLU, and how large a leak should be."""

from __future__ import annotations

import pandas as pd

from relu_exp.evidence.claims.arms import (
    at_best_rate,
    at_matched_rate,
    best_rates,
    choose,
    differences,
    measured,
    scope_of,
)
from relu_exp.evidence.claims.registry import Evidence, Literature, MissingRunsError, claim
from relu_exp.evidence.claims.variants import MARGIN, XU, described, points_in_words
from relu_exp.evidence.claims.verdicts import Effects, Rule

__all__: list[str] = []

LITTLE = 0.02
"""The largest that still counts as little: two points."""
ALMOST_ALWAYS = 0.9

GRID = ("leak", "initializer", "depth", "data")


def _leaks(evidence: Evidence) -> pd.DataFrame:
    """Return the runs of ReLU and of every leak in the experiment on leaks."""
    frames = evidence["leaks"]
    return described(choose(frames.runs, activation=["relu", "leaky_relu"]))


KEYS = ["initializer", "depth", "data"]


def _leaky_against_relu(evidence: Evidence) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return effects per seed and setting, effects at one shared rate, and the runs judged.

    Small leaks only, as the documents mean them: 0.01, and about 0.2 (0.25 where that is what
    PReLU starts from).
    """
    small = evidence["small-data"]
    every = [_leaks(evidence), described(choose(small.runs, activation=["relu", "leaky_relu"]))]
    effects: list[pd.DataFrame] = []
    matched: list[pd.DataFrame] = []
    judged: list[pd.DataFrame] = []
    for runs in every:
        runs = runs[runs["leak"].isin([0.0, 0.01, 0.2, 0.25])]
        tuned = at_best_rate(runs, ["leak", *KEYS])
        judged.append(tuned)
        for found, arms in ((effects, tuned), (matched, at_matched_rate(runs, "leak", KEYS))):
            found += [
                differences(arms, "leak", leak, 0.0, "accuracy", KEYS).assign(leak=leak)
                for leak in sorted(set(runs["leak"]) - {0.0})
            ]
    if not effects:
        raise MissingRunsError("no run has a leak of 0.01, 0.2 or 0.25")
    return tuple(  # type: ignore[return-value]
        pd.concat(found, ignore_index=True) for found in (effects, matched, judged)
    )


NEARLY_ALWAYS = Rule(
    measure="share of the settings in which the leak is better by half a point",
    says="in at least 90% of the settings (leak × initializer × depth × training set) "
    "leaky ReLU's test accuracy is at least 0.5 percentage points higher, each at its own best "
    "validated rate. Settings whose corrected interval covers that margin may count for either "
    "side",
    threshold=ALMOST_ALWAYS,
    grid=GRID,
    part_measure="test accuracy of leaky ReLU less that of ReLU",
    part_threshold=MARGIN,
    kind="share",
    need=None,
)


@claim(
    "leaky-beats-relu-almost-always",
    group="E",
    statement="Leaky ReLU performs better than ReLU in almost every case.",
    statement_ko="Leaky ReLU는 거의 모든 경우에 ReLU보다 성능이 좋다.",
    sources={"D1": "The variants of ReLU, Leaky ReLU"},
    experiments=("leaks", "small-data"),
    rule=NEARLY_ALWAYS,
    figure="accuracy_map",
    literature=(
        Literature(
            XU,
            "the paper the document cites: convolutional networks on standard image tasks; a "
            "nonzero slope could consistently improve the results; from the abstract",
            "second-hand",
        ),
    ),
    disagrees_with="leaky-or-relu-depends",
)
def leaky_beats_relu_almost_always(evidence: Evidence) -> Effects:
    """Count the settings in which the leak surely wins, and those in which it may."""
    return _either_way(evidence)


DEPENDS = Rule(
    measure="largest difference in test accuracy between leaky ReLU and ReLU in any setting",
    says="leaky ReLU is surely better in one setting and surely worse in another, and no "
    "difference is surely larger than 2 percentage points. Refuted where the same one is better "
    "by half a point in 90% of the settings, or every difference is larger than 2 points; "
    "conditional where otherwise one is surely larger and another surely smaller than that",
    threshold=LITTLE,
    claimed_side="below",
    grid=GRID,
    part_threshold=MARGIN,
    part_share=ALMOST_ALWAYS,
    kind="either",
    need=None,
)


@claim(
    "leaky-or-relu-depends",
    group="E",
    statement="Whether leaky ReLU or ReLU is better depends on problem, data and architecture; the "
    "difference is small.",
    statement_ko=(
        "ReLU와 Leaky ReLU 중 어느 쪽이 나은지는 문제, 데이터, 구조마다 다르며 차이는 작다."
    ),
    sources={"D0": "렐루, 리키렐루"},
    experiments=("leaks", "small-data"),
    rule=DEPENDS,
    figure="accuracy_map",
    disagrees_with="leaky-beats-relu-almost-always",
)
def leaky_or_relu_depends(evidence: Evidence) -> Effects:
    """Look for a part that each of the two wins, and for a difference that is not little."""
    return _either_way(evidence)


def _either_way(evidence: Evidence) -> Effects:
    """Return leaky ReLU's lead over ReLU, on which both documents are judged."""
    effects, matched, runs = _leaky_against_relu(evidence)
    notes = (
        f"Leaky ReLU minus ReLU over all settings: {points_in_words(effects)}.",
        f"At one shared rate per setting: {points_in_words(matched)}.",
        best_rates(runs, ["leak", *KEYS]),
        "The document that says almost always and the one that says it depends are judged on the "
        "same runs and the same intervals, corrected for the number of settings.",
    )
    return measured(effects, runs, scope=scope_of(runs), notes=notes)


def _between_leaks(evidence: Evidence, first: float, second: float) -> tuple[pd.DataFrame, ...]:
    """Return effects of one leak against another, the same at a shared rate, and the runs."""
    runs = _leaks(evidence)
    runs = choose(runs, leak=[first, second])
    tuned = at_best_rate(runs, ["leak", *KEYS])
    sides = (tuned, at_matched_rate(runs, "leak", KEYS))
    found = [differences(arms, "leak", first, second, "accuracy", KEYS) for arms in sides]
    return *found, tuned


LARGER = Rule(
    measure="test accuracy with a leak of 0.2 minus that with 0.01",
    says="a leak of 0.2 has a test accuracy at least 0.5 percentage points higher than one of "
    "0.01, each at its own best validated rate",
    threshold=MARGIN,
    grid=("initializer", "depth"),
)


@claim(
    "leak-0.2-beats-0.01",
    group="E",
    statement="A leak of about 0.2 gives better results than a leak of 0.01.",
    statement_ko="누출 계수는 0.01보다 0.2 정도로 잡을 때 결과가 더 좋다.",
    sources={"D1": "The variants of ReLU, Leaky ReLU"},
    experiments="leaks",
    rule=LARGER,
    figure="accuracy_map",
    literature=(
        Literature(
            XU,
            "the document's source compares divisors of 100 (a leak of 0.01) and 5.5 (0.18) on "
            "image tasks with convolutional networks",
            "second-hand",
        ),
    ),
)
def leak_02_beats_001(evidence: Evidence) -> Effects:
    """Compare the two leaks in each setting."""
    effects, matched, runs = _between_leaks(evidence, 0.2, 0.01)
    return measured(
        effects,
        runs,
        scope=scope_of(runs),
        notes=[
            f"At one shared rate per setting: {points_in_words(matched)}.",
            best_rates(runs, ["leak", *KEYS]),
        ],
    )


NOT_ALWAYS = Rule(
    measure="test accuracy with a leak of 0.2 minus that with the largest leak tried",
    says="in at least one setting the largest leak of the sweep (0.8; 1 is a linear "
    "network) is at least 0.5 percentage points worse than 0.2, surely after correction for the "
    "number of settings. Refuted where that is surely not so in every setting",
    threshold=MARGIN,
    grid=("initializer", "depth"),
    need="some",
)


@claim(
    "larger-leak-not-always-better",
    group="E",
    statement="Beyond some size a larger leak is no better.",
    statement_ko="누출 계수는 어느 정도를 넘으면 더 키워도 결과가 좋아지지 않는다.",
    sources={"D1": "The variants of ReLU, Leaky ReLU"},
    experiments="leaks",
    rule=NOT_ALWAYS,
    figure="accuracy_map",
)
def larger_leak_not_always_better(evidence: Evidence) -> Effects:
    """One part in which the largest leak loses is enough to deny 'always'."""
    largest = float(_leaks(evidence)["leak"].max())
    if largest <= 0.2:
        raise MissingRunsError("no leak larger than 0.2 was trained")
    effects, matched, runs = _between_leaks(evidence, 0.2, largest)
    return measured(
        effects,
        runs,
        scope=scope_of(runs),
        notes=[
            f"The largest leak tried is {largest:g}.",
            f"At one shared rate per setting: {points_in_words(matched)}.",
            best_rates(runs, ["leak", *KEYS]),
        ],
    )
