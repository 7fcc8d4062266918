"""Claims about the last layer and document 003's network."""

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
    measured,
    rates_in_words,
    scored,
)
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError, claim
from relu_exp.evidence.claims.verdicts import Effects, Rule

__all__: list[str] = []

AMENDED = date(2026, 11, 26)

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


PATIENCE, LEARNED = 450, 0.2
CNN = Rule(
    measure="test accuracy of the network as given (chance is 10%)",
    says=(
        "trained by Adam at its default rate, its test accuracy is above 20%, twice chance; what "
        "is not there is refuted after 450 updates or more, and fewer then decide nothing"
    ),
    threshold=LEARNED,
    version=2,
    since=AMENDED,
    reason=(
        "45 updates of 12 images are too few for a network that learns nothing at first: it is "
        "trained until it has learned, or for ten times as long."
    ),
)


@claim(
    "document-cnn-trains",
    group="C",
    statement="The convolutional network as given learns images of 28 × 28 pixels.",
    statement_ko="문서의 합성곱 신경망은 그대로 써도 28×28 이미지를 학습한다.",
    sources={"D3": "Pytorch 코드 실습"},
    experiments="document-cnn",
    rule=CNN,
    figure="loss_curves",
)
def document_cnn_trains(evidence: Evidence) -> Effects:
    """Measure it."""
    runs = scored(choose(evidence["document-cnn"].runs, network="document_cnn"))
    updates = int(runs["num_steps"].max())
    runs = runs[runs["num_steps"] == updates]
    accuracy = float(runs["accuracy"].mean())
    if updates < PATIENCE and accuracy <= LEARNED:
        raise MissingRunsError(
            f"after {updates} updates of document-cnn its accuracy is {accuracy:.0%}: fewer than "
            f"{PATIENCE} updates decide nothing"
        )
    effects = runs.assign(effect=runs["accuracy"])[["seed", "effect"]]
    seen = runs["batch_size"].iloc[0] * runs["num_steps"].iloc[0]
    note = f"Each run saw {seen:,} images; the document names no optimizer and no rate."
    return measured(effects, runs, notes=(note,))
