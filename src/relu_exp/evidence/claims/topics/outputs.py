"""The claim about the last layer of a network for yes or no. Group C."""

from __future__ import annotations

from datetime import date

import pandas as pd

from relu_exp.evidence.claims.arms import (
    at_best_rate,
    at_matched_rate,
    choose,
    described,
    differences,
    in_words,
    means_in_words,
    measured,
    rates_in_words,
    scored,
)
from relu_exp.evidence.claims.registry import Evidence, claim
from relu_exp.evidence.claims.shown import Shown
from relu_exp.evidence.claims.verdicts import Effects, Rule
from relu_exp.evidence.data.statistics import score

__all__: list[str] = []

BINARY = Rule(
    measure="test accuracy with sigmoid or tanh in the last layer less that with neither",
    says=(
        "trained to the end at their best validated learning rates, and for every hidden "
        "activation, a last layer of sigmoid or tanh, whichever validates better, is at least 1 "
        "percentage point more accurate than two plain outputs, the larger of which decides "
        "(each with the cross-entropy that fits it)"
    ),
    threshold=0.01,
    grid=("activation",),
    need="every",
    margin=0.01,
    version=2,
    since=date(2026, 11, 26),
    reason=(
        "against squared error after 300 updates it measured how slowly that loss trains: the "
        "rival now has the loss that fits it, and all are trained to the end"
    ),
)
OUTPUT = "network.output"
PLAIN = "logits"


@claim(
    "sigmoid-output-for-binary",
    group="C",
    statement="Whatever the hidden activation, a 0/1 classifier needs sigmoid (or tanh) in its "
    "last layer.",
    statement_ko=(
        "은닉층의 활성화 함수가 무엇이든 0/1 분류의 마지막 층에는 시그모이드(또는 tanh)를 써야 "
        "한다."
    ),
    sources={"D4": "4"},
    experiments="binary-output",
    rule=BINARY,
    figure=Shown(
        "test_accuracy",
        x="learning_rate",
        series=("network_label",),
        columns="activation_label",
        share=True,
    ),
)
def sigmoid_output_for_binary(evidence: Evidence) -> Effects:
    """Measure it against the plain outputs; tell what squared error makes of one."""
    runs = choose(evidence["binary-output"].runs, **{OUTPUT: ["sigmoid", "tanh", "linear", PLAIN]})
    tuned = scored(at_best_rate(runs, [OUTPUT, "activation"]))
    effects, chosen = _better_output(tuned)
    ends = scored(tuned, "train").groupby(OUTPUT)["accuracy"].mean()
    notes = [
        f"Validated better: {chosen}.",
        f"Test accuracy: {means_in_words(tuned, [OUTPUT])}. Accuracy on training data: "
        f"{', '.join(f'{output} {mean:.1%}' for output, mean in ends.items())}.",
        f"sigmoid less one plain output with squared error: "
        f"{in_words(_less(tuned, 'sigmoid', 'linear'))}.",
        rates_in_words(tuned, [OUTPUT, "activation"]),
    ]
    shared = scored(at_matched_rate(runs, OUTPUT, ["activation"]))
    if not shared.empty:
        phrases = in_words(_less(shared, "sigmoid", PLAIN))
        notes.append(f"At one shared learning rate, sigmoid less two plain outputs: {phrases}.")
    return measured(
        effects,
        runs,
        scope=f"{described(runs)}; even against odd digits, every output with the loss that fits",
        notes=notes,
    )


def _better_output(tuned: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the better of sigmoid and tanh less the plain outputs, and which it was, in words."""
    validation = tuned.assign(validation=score(tuned, "final_validation_accuracy"))
    means = validation.groupby(["activation", OUTPUT])["validation"].mean().unstack(OUTPUT)
    best = means[["sigmoid", "tanh"]].idxmax(axis=1)
    effects = [
        _less(tuned[tuned["activation"] == activation], str(output), PLAIN)
        for activation, output in best.items()
    ]
    words = ", ".join(f"{output} after {activation}" for activation, output in best.items())
    return pd.concat(effects, ignore_index=True), words


def _less(tuned: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    return differences(tuned, OUTPUT, first, second, "accuracy", ["activation"])
