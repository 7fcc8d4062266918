"""Claims about sparse activations, and whether they curb overfitting."""

from __future__ import annotations

from datetime import date

import pandas as pd

from relu_exp.evidence.claims.arms import (
    at_best_rate,
    at_matched_rate,
    choose,
    in_words,
    measured,
    own_values,
    pairs,
    rates_in_words,
    scope_of,
    scored,
)
from relu_exp.evidence.claims.matched import FITTED, with_matched_gap, without_gap
from relu_exp.evidence.claims.registry import Evidence, Literature, MissingRunsError, claim
from relu_exp.evidence.claims.shown import OWN, Shown
from relu_exp.evidence.claims.topics.dying import KEYS, layer_means
from relu_exp.evidence.claims.verdicts import Effects, Rule

SPARSE = Rule(
    measure="share of activations that are exactly 0 after training",
    says="more than 60% of all hidden activations are exactly 0 at each network's best validated "
    "rate: ten points more than the half that a symmetric start gives without any learning",
    threshold=0.6,
    within=(0.0, 1.0),
    grid=("depth", "width"),
    version=2,
    since=date(2026, 11, 26),
    reason="half of the activations are 0 before training: a little more than half is no sparsity "
    "that came of learning",
)


@claim(
    "relu-activations-are-sparse",
    group="D",
    statement="A trained ReLU network's activations are sparse: most of them are exactly zero.",
    statement_ko="학습된 ReLU 신경망의 활성값은 희소하여, 대부분이 정확히 0이다.",
    sources={"D1": "ReLU 의 장점", "D3": "ReLU"},
    experiments="dying-relu",
    rule=SPARSE,
    figure=Shown("zero_fraction", x="depth", series=("width",), line=SPARSE.threshold, share=True),
    literature=(
        Literature(
            "Glorot, Bordes, Bengio 2011, Deep Sparse Rectifier Neural Networks, AISTATS",
            "about half of the hidden units' outputs are zeros at the start, and training or an L1 "
            "penalty can raise that",
            "second-hand",
        ),
    ),
)
def relu_activations_are_sparse(evidence: Evidence) -> Effects:
    """Count zeros at the end, beside those at the start and those of the controls."""
    frames = evidence["dying-relu"]
    runs = scored(choose(frames.runs, activation="relu"))
    tuned = at_best_rate(runs, KEYS)
    effect = layer_means(frames, tuned, "zero_fraction")
    start = layer_means(frames, tuned, "zero_fraction", "first")
    dead = layer_means(frames, tuned, "dead_fraction")
    controls = frames.runs[frames.runs["activation"].isin(["leaky_relu", "elu"])]
    notes = [
        f"{start.mean():.1%} are 0 before training: signs alone give half.",
        f"Dead units, which are 0 always, account for {dead.mean():.1%} of the units.",
        rates_in_words(tuned, KEYS),
    ]
    for label, part in controls.groupby("activation_label", observed=True):
        zeros = layer_means(frames, part, "zero_fraction").mean()
        notes.append(f"{label}, all rates: {zeros:.1%} are 0.")
    return measured(
        tuned.assign(effect=effect)[["seed", *KEYS, "effect"]],
        tuned,
        scope=scope_of(tuned),
        notes=notes,
    )


CONTROL = "leaky_relu"
OVERFITS_LESS = Rule(
    measure="gap between test and training loss of leaky ReLU over that of ReLU",
    says=f"when the training loss first falls to {FITTED:g}, ReLU's test loss exceeds it by at "
    "least 5% less than that of leaky ReLU with a slope of 0.01 does: nearly the same function, "
    "without a zero, in a network of the same size, each at its own best validated rate",
    threshold=1.05,
    ratio=True,
    unit="×",
    margin=1.05,
    grid=("width", "images"),
    version=2,
    since=date(2026, 11, 26),
    reason="every network fitted its training set in full, so that the gap was the test error; now "
    "gaps are compared at one training loss, with the one control that differs in zeros only",
)


@claim(
    "sparsity-reduces-overfitting",
    group="D",
    statement="The zeros of ReLU curb overfitting, as an L1 penalty on the weights would.",
    statement_ko="ReLU가 만드는 0은 가중치에 L1 벌칙항을 준 것처럼 과적합을 억제한다.",
    sources={"D1": "ReLU 의 장점"},
    experiments="sparsity",
    rule=OVERFITS_LESS,
    figure=Shown(OWN, x="width", columns="images", words="gap"),
    literature=(
        Literature(
            "Xu, Wang, Chen, Li 2015, arXiv:1505.00853",
            "calls its findings negative on the belief that sparsity is the key to ReLU's "
            "performance: a slope for negative inputs helped consistently; from the abstract",
            "second-hand",
        ),
    ),
)
def sparsity_reduces_overfitting(evidence: Evidence) -> Effects:
    """Compare gaps at one training loss with the control: the same layers, the same images."""
    frames = evidence["sparsity"]
    runs = scored(choose(frames.runs, activation=["relu", CONTROL]))
    runs = runs.assign(images=runs["dataset.num_train"].fillna(0).astype(int))
    keys = ["width", "images"]
    tuned = with_matched_gap(frames, at_best_rate(runs, ["activation", *keys]))
    tuned = tuned.assign(zero=layer_means(frames, tuned, "zero_fraction"))
    effects = _gap_ratios(tuned, keys)
    if effects["effect"].isna().all():
        raise MissingRunsError(
            f"no seed has runs of both arms whose training loss falls to {FITTED:g}"
        )
    matched = _gap_ratios(with_matched_gap(frames, at_matched_rate(runs, "activation", keys)), keys)
    phrases = [
        f"{arm}, width {width:g}, {images} images: {part['zero'].mean():.0%} zeros, test loss less "
        f"training loss {part['gap'].mean():.3g}, test accuracy at the end "
        f"{part['accuracy'].mean():.1%}"
        for (arm, width, images), part in tuned.groupby(["activation_label", *keys], observed=True)
    ]
    return measured(
        effects,
        tuned,
        scope=scope_of(tuned),
        notes=[
            f"At one shared rate: {in_words(matched, ratio=True, unit='×')}.",
            "; ".join(phrases) + ".",
            *without_gap(tuned),
            rates_in_words(tuned, ["activation", *keys]),
        ],
        values=own_values(tuned, "gap", "images"),
    )


def _gap_ratios(runs: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return per seed and setting the control's gap over ReLU's."""
    found = pairs(runs, "activation", CONTROL, "relu", "gap", keys)
    ratio = found["first"] / found["second"]
    return found.assign(effect=ratio.where(ratio > 0))
