"""The claim that document 003's network learns."""

from __future__ import annotations

from datetime import date

from relu_exp.evidence.claims.arms import (
    choose,
    measured,
    scored,
)
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError, claim
from relu_exp.evidence.claims.shown import Shown
from relu_exp.evidence.claims.verdicts import Effects, Rule

__all__: list[str] = []

AMENDED = date(2026, 11, 26)

PATIENCE, LEARNED = 450, 0.2

CNN = Rule(
    measure="test accuracy of the network as given (chance is 10%)",
    says=(
        "trained by Adam at its default rate, its test accuracy is above 20%, twice chance; what "
        "is not there is refuted after 450 updates or more, and fewer then decide nothing"
    ),
    threshold=LEARNED,
    within=(0.0, 1.0),
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
    figure=Shown("test_accuracy", x="step", series=("network_label",), line=LEARNED, share=True),
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
