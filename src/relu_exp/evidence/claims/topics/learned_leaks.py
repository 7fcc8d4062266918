"""Claims about leaks that are learned (PReLU) or drawn at random (RReLU)."""

from __future__ import annotations

import math
from collections.abc import Sequence

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

FEW_IMAGES = 500


def _small_data(evidence: Evidence, arms: Sequence[str]) -> pd.DataFrame:
    """Return the runs of arms by name: ReLU, PReLU, RReLU, and leaky as PReLU starts."""
    runs = described(evidence["small-data"].runs)
    start = pd.Series(runs.get("activation.init", math.nan), runs.index).dropna()
    is_start = (runs["activation"] == "leaky_relu") & runs["leak"].isin(start)
    runs["arm"] = runs["activation"].mask(is_start, "leaky as PReLU starts")
    return choose(runs, arm=list(arms))


def _few(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs on few images.

    Raises:
        MissingRunsError: there is none.
    """
    few = runs[runs["images"] <= FEW_IMAGES]
    if few.empty:
        raise MissingRunsError(f"no run trained on {FEW_IMAGES} images or fewer")
    return few


def _compared(
    runs: pd.DataFrame, first: str, second: str, value: str
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return effects by training set at best rates, at a shared rate, and the runs judged."""
    tuned = at_best_rate(runs, ["arm", "data"])
    matched = at_matched_rate(runs, "arm", ["data"])
    sides = [differences(arms, "arm", first, second, value, ["data"]) for arms in (tuned, matched)]
    return *sides, tuned  # type: ignore[return-value]


def _by_size(runs: pd.DataFrame, first: str, second: str, value: str) -> str:
    """Return the effect on every training set in words, the largest last."""
    effects, _, tuned = _compared(runs, first, second, value)
    order = tuned.drop_duplicates("data").sort_values(["dataset", "images"])["data"]
    phrases = [f"{data}: {points_in_words(effects[effects['data'] == data])}" for data in order]
    return "; ".join(phrases)


OVERFITS = Rule(
    measure="gap between training and test accuracy of PReLU minus that of the same leak, fixed",
    says=f"on at most {FEW_IMAGES} images PReLU's gap is at least 0.5 percentage points larger "
    "than that of a leaky ReLU fixed at the slope it starts from, each at its own best rate",
    threshold=MARGIN,
    grid=("data",),
)


@claim(
    "prelu-overfits-small-data",
    group="E",
    statement="On a small training set the learned leak of PReLU overfits.",
    statement_ko="학습 데이터가 적으면 누출 계수를 학습하는 PReLU는 과적합한다.",
    sources={"D1": "PReLU and RReLU", "D2": "3.1"},
    experiments="small-data",
    rule=OVERFITS,
    figure="learning_rate_sensitivity",
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
    control = "leaky as PReLU starts"
    runs = _small_data(evidence, ["prelu", control])
    effects, matched, tuned = _compared(_few(runs), "prelu", control, "gap")
    return measured(
        effects,
        tuned,
        scope=_scope(tuned),
        notes=[
            f"At one shared rate: {points_in_words(matched)}.",
            f"By training set, difference in gap: {_by_size(runs, 'prelu', control, 'gap')}.",
            f"Difference in test accuracy: {_by_size(runs, 'prelu', control, 'accuracy')}.",
            best_rates(tuned, ["arm", "data"]),
        ],
    )


WINS_ON_MANY = Rule(
    measure="test accuracy of PReLU minus that of ReLU on the largest training set",
    says="on the largest training set of the sweep PReLU's test accuracy is at least 0.5 "
    "percentage points higher than ReLU's, each at its own best validated rate",
    threshold=MARGIN,
)


@claim(
    "prelu-beats-relu-on-large-data",
    group="E",
    statement="On a large training set PReLU beats ReLU.",
    statement_ko="학습 데이터가 많으면 PReLU가 ReLU보다 성능이 좋다.",
    sources={"D2": "3.1"},
    experiments="small-data",
    rule=WINS_ON_MANY,
    figure="learning_rate_sensitivity",
    literature=(
        Literature(
            "He, Zhang, Ren, Sun 2015, arXiv:1502.01852",
            "PReLU against ReLU on ImageNet's 1.2 million images, convolutional networks",
            "second-hand",
        ),
    ),
)
def prelu_beats_relu_on_large_data(evidence: Evidence) -> Effects:
    """Compare on the largest training set that the budget carried, and say how large it was."""
    runs = _small_data(evidence, ["prelu", "relu"])
    most = runs["images"].max()
    if not most > FEW_IMAGES:
        raise MissingRunsError(f"no run trained on more than {FEW_IMAGES} images")
    effects, matched, tuned = _compared(runs[runs["images"] == most], "prelu", "relu", "accuracy")
    return measured(
        effects,
        tuned,
        scope=_scope(tuned),
        notes=[
            f"Large means {most:,.0f} images here; the document speaks of large image data sets, "
            "which --budget full comes nearer to with 50,000 images of clothing.",
            f"At one shared rate: {points_in_words(matched)}.",
            f"By training set: {_by_size(runs, 'prelu', 'relu', 'accuracy')}.",
            best_rates(tuned, ["arm", "data"]),
        ],
    )


RANDOM_WINS = Rule(
    measure="test accuracy of RReLU minus that of PReLU on few images",
    says=f"on at most {FEW_IMAGES} images RReLU's test accuracy is at least 0.5 percentage points "
    "higher than PReLU's, each at its own best validated rate",
    threshold=MARGIN,
    grid=("data",),
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
    figure="learning_rate_sensitivity",
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
    """Compare the random leak with the learned one on few images."""
    runs = _small_data(evidence, ["rrelu", "prelu"])
    effects, matched, tuned = _compared(_few(runs), "rrelu", "prelu", "accuracy")
    return measured(
        effects,
        tuned,
        scope=_scope(tuned),
        notes=[
            f"At one shared rate: {points_in_words(matched)}.",
            f"By training set: {_by_size(runs, 'rrelu', 'prelu', 'accuracy')}.",
            f"Difference in the gap between training and test accuracy: "
            f"{_by_size(runs, 'rrelu', 'prelu', 'gap')}.",
            best_rates(tuned, ["arm", "data"]),
        ],
    )


def _scope(runs: pd.DataFrame) -> str:
    learned = pd.Series(runs.get("activation.per", None), runs.index, dtype=object).dropna()
    per = f" PReLU learns one slope per {', '.join(learned.unique())}." if len(learned) else ""
    return scope_of(runs) + per
