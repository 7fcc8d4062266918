"""The claim about the order of the activations by accuracy. Group C."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pandas as pd

from relu_exp.evidence.claims.arms import (
    at_best_rate,
    at_matched_rate,
    choose,
    differences,
    measured,
    own_values,
    rates_in_words,
    scored,
)
from relu_exp.evidence.claims.registry import Evidence, claim
from relu_exp.evidence.claims.shown import OWN, Shown
from relu_exp.evidence.claims.verdicts import Effects, Rule

__all__: list[str] = []

EXPERIMENT = "five-activations"

ORDER = ("elu", "leaky_relu", "relu", "tanh", "sigmoid")
RANKING = Rule(
    measure="test accuracy of one activation less that of the next in the ranking",
    says=(
        "trained at their best validated learning rates, each activation's test accuracy is at "
        "least half a percentage point higher than the next one's: all four steps must hold at "
        "every depth; it is conditional where some hold and others surely do not"
    ),
    threshold=0.005,
    resolution=0.002,  # one of 500 test images
    grid=("step", "depth"),
    need="every",
    margin=0.005,
    version=2,
    since=date(2026, 11, 26),
    reason=(
        "an order of any size, however small, cannot be shown by 8 seeds after 400 updates: a step "
        "is now half a point, of networks that are trained four times as long"
    ),
)


@claim(
    "activation-ranking",
    group="C",
    statement="From best to worst, activations rank ELU, leaky ReLU, ReLU, tanh, sigmoid.",
    statement_ko="활성화 함수의 성능은 ELU, Leaky ReLU, ReLU, tanh, 시그모이드 순으로 높다.",
    sources={"D2": "TLDR"},
    experiments=EXPERIMENT,
    rule=RANKING,
    figure=Shown(OWN, x="depth", words="best_test_accuracy", share=True),
)
def activation_ranking(evidence: Evidence) -> Effects:
    """Measure it."""
    runs = choose(evidence[EXPERIMENT].runs, activation=list(ORDER))

    def steps(chosen: pd.DataFrame) -> pd.DataFrame:
        found = [
            differences(chosen, "activation", better, worse, "accuracy", ["depth"]).assign(
                step=f"{better} over {worse}"
            )
            for better, worse in pairwise(ORDER)
        ]
        return pd.concat(found, ignore_index=True)

    tuned = scored(at_best_rate(runs, ["activation", "depth"]))
    accuracy = tuned.groupby("activation")["accuracy"].mean().sort_values(ascending=False)
    shared = scored(at_matched_rate(runs, "activation", ["depth"]))
    notes = [
        "Measured order: " + ", ".join(f"{one} {mean:.1%}" for one, mean in accuracy.items()) + ".",
        rates_in_words(tuned, ["activation", "depth"]),
    ]
    if not shared.empty:
        order = shared.groupby("activation")["accuracy"].mean().sort_values(ascending=False)
        notes.append(
            "At one shared learning rate: "
            + ", ".join(f"{one} {mean:.1%}" for one, mean in order.items())
            + "."
        )
    return measured(steps(tuned), runs, notes=notes, values=own_values(tuned, "accuracy"))
