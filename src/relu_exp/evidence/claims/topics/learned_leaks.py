"""Claims about leaks that are learned (PReLU) or drawn at random (RReLU)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date

import pandas as pd

from relu_exp.evidence.claims.arms import (
    at_best_rate,
    at_matched_rate,
    best_rates,
    choose,
    differences,
    in_words,
    measured,
    own_values,
    pairs,
    scope_of,
)
from relu_exp.evidence.claims.matched import FITTED, with_matched_gap, without_gap
from relu_exp.evidence.claims.registry import Evidence, Literature, MissingRunsError, claim
from relu_exp.evidence.claims.shown import OWN, Shown
from relu_exp.evidence.claims.variants import MARGIN, XU, described, points_in_words
from relu_exp.evidence.claims.verdicts import Effects, Rule
from relu_exp.evidence.data.frames import Frames

__all__: list[str] = []

FEW = 500
"""The most training samples that are few."""
MANY = 50_000
"""The least that are many: the source of the claim speaks of 1.2 million."""
MOVED = 0.1
"""How far apart a layer's least and largest slope must end for slopes to count as learned."""
CONTROL = "leaky as PReLU starts"


def _arms(frames: Frames, arms: Sequence[str]) -> pd.DataFrame:
    """Return the runs of arms by name: ReLU, PReLU, RReLU, and leaky as PReLU starts."""
    runs = described(frames.runs)
    start = pd.Series(runs.get("activation.init", math.nan), runs.index).dropna()
    is_start = (runs["activation"] == "leaky_relu") & runs["leak"].isin(start)
    runs["arm"] = runs["activation"].mask(is_start, CONTROL)
    return choose(runs, arm=list(arms))


def _moved(frames: Frames, tuned: pd.DataFrame) -> pd.Series[float]:
    """Return per training set how far apart PReLU's slopes end, the mean over layers and seeds.

    Raises:
        MissingRunsError: what PReLU learned was not probed.
    """
    learned = tuned[(tuned["arm"] == "prelu") & (tuned["status"] == "done")]
    rows = frames.read(
        "layers",
        run_ids=learned["run_id"].tolist(),
        steps="last",
        quantity=["learned_slope_minimum", "learned_slope_maximum"],
        columns=["run_id", "layer", "quantity", "value"],
    ).astype({"run_id": "str", "quantity": "str"})
    if rows.empty:
        raise MissingRunsError(f"no slopes of PReLU were probed in {frames.root.name}")
    table = rows.pivot_table(index=["run_id", "layer"], columns="quantity", values="value")
    apart = table["learned_slope_maximum"] - table["learned_slope_minimum"]
    by_run = learned["run_id"].map(apart.groupby(level="run_id").mean())
    return by_run.groupby(learned["data"]).mean()


def _learned(frames: Frames, runs: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the runs on few samples on which PReLU's slopes moved, and in words how far they did.

    Raises:
        MissingRunsError: there is none.
    """
    few = runs[runs["images"] <= FEW]
    if few.empty:
        raise MissingRunsError(f"no run trained on {FEW} samples or fewer")
    moved = _moved(frames, at_best_rate(few, ["arm", "data"]))
    kept = few[few["data"].map(moved) >= MOVED]
    phrases = ", ".join(f"{data}: {apart:.2g}" for data, apart in moved.items())
    if kept.empty:
        raise MissingRunsError(
            f"PReLU's slopes hardly moved ({phrases} between the least and the largest of a layer "
            f"at the end, {MOVED:g} asked): nothing was learned that could overfit"
        )
    left = sorted(set(few["data"]) - set(kept["data"]))
    note = f"Between PReLU's least and largest slope of a layer at the end: {phrases}."
    return kept, note + (f" Left out, as slopes hardly moved: {', '.join(left)}." if left else "")


def _compared(
    runs: pd.DataFrame, first: str, second: str, value: str
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return effects by training set at best rates, at a shared rate, and the runs judged."""
    tuned = at_best_rate(runs, ["arm", "data"])
    matched = at_matched_rate(runs, "arm", ["data"])
    sides = [differences(arms, "arm", first, second, value, ["data"]) for arms in (tuned, matched)]
    return *sides, tuned  # type: ignore[return-value]


OVERFITS = Rule(
    measure="gap between test and training loss of PReLU over that of the same leak, fixed",
    says=f"on at most {FEW} samples, and where its slopes move (a layer's least and largest end at "
    f"least {MOVED:g} apart), PReLU's test loss exceeds its training loss by at least 5% more than "
    "that of a leaky ReLU fixed at the slope it starts from, when the training loss first falls to "
    f"{FITTED:g}, each at its own best validated rate",
    threshold=1.05,
    ratio=True,
    unit="×",
    margin=1.05,
    grid=("data",),
    version=2,
    since=date(2026, 11, 26),
    reason="slopes moved by 0.01, which is no treatment, and every network fitted its training "
    "set, so that the gap was the test error",
)


@claim(
    "prelu-overfits-small-data",
    group="E",
    statement="On a small training set the learned leak of PReLU overfits.",
    statement_ko="학습 데이터가 적으면 누출 계수를 학습하는 PReLU는 과적합한다.",
    sources={"D1": "PReLU and RReLU", "D2": "3.1"},
    experiments="small-data",
    rule=OVERFITS,
    figure=Shown(OWN, x="dataset_label", words="gap"),
    literature=(
        Literature(
            XU,
            "on a small data set a fixed slope and a learned one are both prone to overfitting, "
            "less effective than a random one; from the abstract",
            "second-hand",
        ),
    ),
)
def prelu_overfits_small_data(evidence: Evidence) -> Effects:
    """Compare with the fixed leak: only the learning of the slope differs."""
    frames = evidence["small-data"]
    few, moved = _learned(frames, _arms(frames, ["prelu", CONTROL]))
    tuned = with_matched_gap(frames, at_best_rate(few, ["arm", "data"]))
    shared = with_matched_gap(frames, at_matched_rate(few, "arm", ["data"]))
    effects = _gap_ratios(tuned)
    if effects["effect"].isna().all():
        raise MissingRunsError(
            f"no seed has runs of both arms whose training loss falls to {FITTED:g}"
        )
    accuracy, *_ = _compared(few, "prelu", CONTROL, "accuracy")
    return measured(
        effects,
        tuned,
        scope=_scope(tuned),
        notes=[
            moved,
            f"At one shared rate: {in_words(_gap_ratios(shared), ratio=True, unit='×')}.",
            f"Difference in test accuracy at the end: {points_in_words(accuracy)}.",
            *without_gap(tuned),
            best_rates(tuned, ["arm", "data"]),
        ],
        values=own_values(tuned, "gap"),
    )


def _gap_ratios(runs: pd.DataFrame) -> pd.DataFrame:
    """Return per seed and training set PReLU's gap over the fixed leak's."""
    found = pairs(runs, "arm", "prelu", CONTROL, "gap", ["data"])
    ratio = found["first"] / found["second"]
    return found.assign(effect=ratio.where(ratio > 0))


WINS_ON_MANY = Rule(
    measure="test accuracy of PReLU minus that of ReLU on a large training set",
    says=f"on at least {MANY:,} training images PReLU's test accuracy is at least 0.5 percentage "
    "points higher than ReLU's, each at its own best validated rate; fewer images decide nothing",
    threshold=MARGIN,
    margin=MARGIN,
    version=2,
    since=date(2026, 11, 26),
    reason="4,000 images were called large: below 50,000 nothing is decided",
)


@claim(
    "prelu-beats-relu-on-large-data",
    group="E",
    statement="On a large training set PReLU beats ReLU.",
    statement_ko="학습 데이터가 많으면 PReLU가 ReLU보다 성능이 좋다.",
    sources={"D2": "3.1"},
    experiments="large-data",
    rule=WINS_ON_MANY,
    figure=Shown("test_accuracy", x="dataset_label", share=True),
    literature=(
        Literature(
            "He, Zhang, Ren, Sun 2015, arXiv:1502.01852",
            "PReLU against ReLU on ImageNet's 1.2 million images, convolutional networks",
            "second-hand",
        ),
    ),
)
def prelu_beats_relu_on_large_data(evidence: Evidence) -> Effects:
    """Compare on many images, and say how many there were."""
    frames = evidence["large-data"]
    runs = _arms(frames, ["prelu", "relu"])
    many = runs[runs["images"] >= MANY]
    if many.empty:
        raise MissingRunsError(f"no run trained on {MANY:,} images or more")
    effects, matched, tuned = _compared(many, "prelu", "relu", "accuracy")
    apart = ", ".join(f"{data}: {one:.2g}" for data, one in _moved(frames, tuned).items())
    return measured(
        effects,
        tuned,
        scope=_scope(tuned),
        notes=[
            f"Large means {many['images'].max():,.0f} images here; the document's source has 1.2 "
            "million.",
            f"Between PReLU's least and largest slope of a layer at the end: {apart}.",
            f"At one shared rate: {points_in_words(matched)}.",
            best_rates(tuned, ["arm", "data"]),
        ],
    )


RANDOM_WINS = Rule(
    measure="test accuracy of RReLU minus that of PReLU on few samples",
    says=f"on at most {FEW} samples, and where PReLU's slopes move (a layer's least and largest "
    f"end at least {MOVED:g} apart), RReLU's test accuracy is at least 0.5 percentage points "
    "higher than PReLU's, each at its own best validated rate",
    threshold=MARGIN,
    margin=MARGIN,
    grid=("data",),
    version=2,
    since=date(2026, 11, 26),
    reason="slopes moved by 0.01, so that PReLU was a fixed leak, and seeds were few",
)


@claim(
    "rrelu-beats-prelu-on-small-data",
    group="E",
    statement="On a small training set a leak drawn at random, and averaged when testing, beats "
    "the learned one.",
    statement_ko=(
        "학습 데이터가 적을 때는 누출 계수를 무작위로 뽑고 테스트할 때 평균을 쓰는 RReLU가 누출 "
        "계수를 학습하는 PReLU보다 낫다."
    ),
    sources={"D1": "PReLU and RReLU"},
    experiments="small-data",
    rule=RANDOM_WINS,
    figure=Shown("test_accuracy", x="dataset_label", share=True),
    literature=(
        Literature(
            XU,
            "on a small data set fixed and learned slopes are not as effective as their randomized "
            "counterpart; from the abstract",
            "second-hand",
        ),
    ),
)
def rrelu_beats_prelu_on_small_data(evidence: Evidence) -> Effects:
    """Compare the random leak with the learned one on few samples."""
    frames = evidence["small-data"]
    few, moved = _learned(frames, _arms(frames, ["rrelu", "prelu"]))
    effects, matched, tuned = _compared(few, "rrelu", "prelu", "accuracy")
    return measured(
        effects,
        tuned,
        scope=_scope(tuned),
        notes=[
            moved,
            f"At one shared rate: {points_in_words(matched)}.",
            best_rates(tuned, ["arm", "data"]),
        ],
    )


def _scope(runs: pd.DataFrame) -> str:
    learned = pd.Series(runs.get("activation.per", None), runs.index, dtype=object).dropna()
    per = f" PReLU learns one slope per {', '.join(learned.unique())}." if len(learned) else ""
    return scope_of(runs) + per
