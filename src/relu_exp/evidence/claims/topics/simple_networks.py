"""The claim that ReLU can do worse than what it replaced where a network is simple."""

from __future__ import annotations

from datetime import date

import pandas as pd

from relu_exp.evidence.claims.arms import (
    at_best_rate,
    at_matched_rate,
    choose,
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

__all__: list[str] = []

SIMPLE = Rule(
    measure="test accuracy of sigmoid or tanh less that of ReLU in one small hidden layer, the "
    "mean of ten seeds",
    says=(
        "at their best validated learning rates ReLU is at least 1 percentage point less accurate "
        "than sigmoid or tanh at some width, on 10,000 test points, on average over ten seeds: "
        "units that die spoil some seeds and leave others as they are; refuted if at none"
    ),
    threshold=0.01,
    grid=("rival", "width"),
    need="some",
    over="set",
    set_of=10,
    version=2,
    since=date(2026, 11, 26),
    reason=(
        "100 test points could not show a point, sigmoid's best rate lay beyond the last one, and "
        "what spoils every second seed counted for nothing"
    ),
)


@claim(
    "relu-worse-on-simple-networks",
    group="C",
    statement="On simple networks ReLU can do worse than the functions it replaced.",
    statement_ko="단순한 신경망에서는 ReLU가 이전의 활성화 함수보다 성능이 떨어질 수 있다.",
    sources={"D4": "2"},
    experiments="simple-networks",
    rule=SIMPLE,
    figure=Shown("test_accuracy", x="learning_rate", columns="width", share=True),
)
def relu_worse_on_simple_networks(evidence: Evidence) -> Effects:
    """Measure it."""
    runs = choose(evidence["simple-networks"].runs, activation=["sigmoid", "tanh", "relu"])

    def effects(chosen: pd.DataFrame) -> pd.DataFrame:
        found = [
            differences(chosen, "activation", rival, "relu", "accuracy", ["width"]).assign(
                rival=rival
            )
            for rival in ("sigmoid", "tanh")
        ]
        return pd.concat(found, ignore_index=True)

    tuned = scored(at_best_rate(runs, ["activation", "width"]))
    means = means_in_words(tuned, ["activation", "width"])
    notes = [rates_in_words(tuned, ["activation", "width"]), f"Test accuracy: {means}."]
    shared = at_matched_rate(runs, "activation", ["width"])
    if not shared.empty:
        notes.append(f"At one shared learning rate: {in_words(effects(scored(shared)))}.")
    return measured(effects(tuned), runs, notes=notes)
