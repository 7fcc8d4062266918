"""Claims about sparse activations, and whether they curb overfitting."""

from __future__ import annotations

import pandas as pd

from relu_exp.evidence.claims.arms import (
    at_best_rate,
    at_matched_rate,
    best_rates,
    choose,
    differences,
    in_words,
    measured,
    rates_in_words,
    scope_of,
    scored,
    with_gap,
)
from relu_exp.evidence.claims.registry import Evidence, Literature, MissingRunsError, claim
from relu_exp.evidence.claims.topics.dying import layer_means
from relu_exp.evidence.claims.verdicts import Effects, Rule

SPARSE = Rule(
    measure="share of activations that are exactly 0 after training",
    says="more than half of all hidden activations are exactly 0 at each depth's best validated "
    "rate: more than the half that a symmetric start gives without any learning",
    threshold=0.5,
    grid=("depth",),
)


@claim(
    "relu-activations-are-sparse",
    group="D",
    statement="A trained ReLU network's activations are sparse: most of them are exactly zero.",
    statement_ko="학습된 ReLU 신경망의 활성값은 희소하여, 대부분이 정확히 0이다.",
    sources={"D1": "ReLU 의 장점", "D3": "ReLU"},
    experiments="dying-relu",
    rule=SPARSE,
    figure="dead_fraction",
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
    tuned = at_best_rate(runs, ["depth"])
    effect = layer_means(frames, tuned, "zero_fraction")
    start = layer_means(frames, tuned, "zero_fraction", "first")
    dead = layer_means(frames, tuned, "dead_fraction")
    controls = frames.runs[frames.runs["activation"].isin(["leaky_relu", "elu"])]
    notes = [
        f"{start.mean():.1%} are 0 before training: signs alone give half.",
        f"Dead units, which are 0 always, account for {dead.mean():.1%} of the units.",
        rates_in_words(tuned, ["depth"]),
    ]
    for label, part in controls.groupby("activation_label", observed=True):
        zeros = layer_means(frames, part, "zero_fraction").mean()
        notes.append(f"{label}, all rates: {zeros:.1%} are 0.")
    return measured(
        tuned.assign(effect=effect)[["seed", "depth", "effect"]],
        tuned,
        scope=scope_of(tuned),
        notes=notes,
    )


OVERFITS_LESS = Rule(
    measure="gap between training and test accuracy of the control minus that of ReLU",
    says="ReLU's gap is at least 1 percentage point smaller than that of an activation without "
    "zeros in a network of the same size, each at its own best validated rate",
    threshold=0.01,
    grid=("control", "width", "images"),
)


@claim(
    "sparsity-reduces-overfitting",
    group="D",
    statement="The zeros of ReLU curb overfitting, as an L1 penalty on the weights would.",
    statement_ko="ReLU가 만드는 0은 가중치에 L1 벌칙항을 준 것처럼 과적합을 억제한다.",
    sources={"D1": "ReLU 의 장점"},
    experiments="sparsity",
    rule=OVERFITS_LESS,
    figure="learning_rate_sensitivity",
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
    """Compare gaps with controls of the same capacity: the same layers, the same images."""
    frames = evidence["sparsity"]
    runs = with_gap(choose(frames.runs, activation=["relu", "leaky_relu", "elu"]))
    runs = runs.assign(
        arm=runs["activation_label"].astype(str), images=runs["dataset.num_train"].fillna(0)
    )
    controls = sorted(set(runs["arm"]) - {"ReLU"})
    keys = ["width", "images"]
    tuned = at_best_rate(runs, ["arm", *keys])
    tuned = tuned.assign(zero=layer_means(frames, tuned, "zero_fraction"))

    def against(value: str, arms: pd.DataFrame) -> pd.DataFrame:
        found = [
            differences(arms, "arm", control, "ReLU", value, keys).assign(control=control)
            for control in controls
        ]
        return pd.concat(found)

    effects = against("gap", tuned)
    if effects["effect"].isna().all():
        raise MissingRunsError("every run of ReLU or of its controls diverged")
    matched = against("gap", at_matched_rate(runs, "arm", keys))
    phrases = [
        f"{arm}, width {width}: {part['zero'].mean():.0%} zeros, training accuracy "
        f"{part['accuracy'].add(part['gap']).mean():.1%}, test {part['accuracy'].mean():.1%}"
        for (arm, width), part in tuned.groupby(["arm", "width"])
    ]
    return measured(
        effects,
        tuned,
        scope=scope_of(tuned),
        notes=[
            f"In loss the gap differs by {in_words(against('loss_gap', tuned))}.",
            f"In accuracy at one shared rate by {in_words(matched)}.",
            "; ".join(phrases) + ".",
            best_rates(tuned, ["arm", *keys]),
            "Leaky ReLU with slope 0.01 is nearly the same function without a zero: it is the "
            "control that differs in sparsity and in little else. Across widths capacity changes "
            "too.",
        ],
    )
