"""The claim about the last layer of a network for yes or no. Group C."""

from __future__ import annotations

import pandas as pd

from relu_exp.evidence.claims.arms import (
    at_best_rate,
    at_matched_rate,
    choose,
    described,
    differences,
    in_words,
    measured,
    rates_in_words,
    scored,
)
from relu_exp.evidence.claims.registry import Evidence, claim
from relu_exp.evidence.claims.verdicts import Effects, Rule

__all__: list[str] = []

BINARY = Rule(
    measure="test accuracy with a sigmoid in the last layer less that with a linear one",
    says=(
        "at their best validated learning rates, and for every hidden activation, a sigmoid last "
        "layer is at least 1 percentage point more accurate than a linear one with squared error"
    ),
    threshold=0.01,
    grid=("activation",),
    need="every",
)


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
    figure="learning_rate_sensitivity",
)
def sigmoid_output_for_binary(evidence: Evidence) -> Effects:
    """Measure it."""
    output = "network.output"
    runs = choose(
        evidence["binary-output"].runs, **{output: ["sigmoid", "tanh", "linear", "logits"]}
    )
    tuned = scored(at_best_rate(runs, [output, "activation"]))

    def effects(chosen: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
        return differences(chosen, output, first, second, "accuracy", ["activation"])

    notes = [
        f"tanh less linear: {in_words(effects(tuned, 'tanh', 'linear'))}.",
        f"sigmoid less softmax over two units: {in_words(effects(tuned, 'sigmoid', 'logits'))}.",
        rates_in_words(tuned, [output, "activation"]),
    ]
    shared = scored(at_matched_rate(runs, output, ["activation"]))
    if not shared.empty:
        phrases = in_words(effects(shared, "sigmoid", "linear"))
        notes.append(f"At one shared learning rate: {phrases}.")
    return measured(
        effects(tuned, "sigmoid", "linear"),
        runs,
        scope=f"{described(runs)}; even against odd digits, every output with the loss that fits",
        notes=notes,
    )
