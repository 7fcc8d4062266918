"""The claim that skip connections restore depth, by the share of lost accuracy they bring back."""

from __future__ import annotations

import pandas as pd

from relu_exp.evidence.claims.arms import (
    at_best_rate,
    choose,
    described,
    in_words,
    measured,
    rates_in_words,
    scored,
)
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError, claim
from relu_exp.evidence.claims.shown import Shown
from relu_exp.evidence.claims.topics.depth import AMENDED, DEEP, SHALLOW, able, depth_limit
from relu_exp.evidence.claims.verdicts import Effects, Rule

__all__: list[str] = []

WORTH_RESTORING = 0.05
"""Training accuracy that 41 plain layers must lose for there to be something to restore."""
SKIPS = Rule(
    measure="share of the training accuracy lost from 5 to 41 layers that skips bring back",
    says=(
        "after at least 1,500 updates at the best validated learning rates, 41 layers with skip "
        "connections have at least nine tenths of the training accuracy that 41 plain layers lose "
        "against 5, for every activation whose plain networks learn with 5 layers (50%) and lose "
        "at least 5 percentage points, both where what a block adds is scaled with their number "
        "and where what enters it is normalized"
    ),
    threshold=0.9,
    grid=("activation", "connections"),
    need="every",
    version=2,
    since=AMENDED,
    reason=(
        "Skips that add unscaled and unnormalized blocks were judged too, which the networks that "
        "made skips known do not have, and a fixed 2 points asked the same of small and of large "
        "losses."
    ),
)


@claim(
    "skip-connections-restore-depth",
    group="C",
    statement="Skip connections completely solve the training problems of networks with tens of "
    "layers.",
    statement_ko="스킵 연결을 쓰면 층이 수십 개인 신경망의 학습 문제가 완전히 해결된다.",
    sources={"D0": "각주 3"},
    experiments="depth-limit",
    rule=SKIPS,
    figure=Shown(
        "train_accuracy",
        x="learning_rate",
        series=("activation_label", "initializer_label"),
        columns="depth",
        rows="network_label",
        share=True,
    ),
)
def skip_connections_restore_depth(evidence: Evidence) -> Effects:
    """Measure it."""
    runs = depth_limit(evidence, initializer=["xavier_normal", "he_normal"])
    runs = choose(runs[runs["activation"] != "sigmoid"], network=["mlp", "residual_mlp"])
    tuned = scored(at_best_rate(runs, ["connections", "activation", "depth"]), "train")
    tuned = able(tuned, "activation")
    plain = tuned[tuned["network"] == "mlp"]
    deep = _tamed(choose(tuned[tuned["network"] == "residual_mlp"], depth=DEEP))
    means = plain.groupby(["activation", "depth"], observed=True)["accuracy"].mean().unstack()
    lost = means[SHALLOW] - means[DEEP]
    restorable = lost[lost >= WORTH_RESTORING]
    if restorable.empty:
        raise MissingRunsError(f"{DEEP} plain layers lost nothing that skips could bring back")
    deep = deep[deep["activation"].isin(restorable.index)]

    def against(depth: int) -> pd.DataFrame:
        base = choose(plain, depth=depth).set_index(["seed", "activation"])["accuracy"]
        found = deep.join(base.rename("_plain"), on=["seed", "activation"])
        return found.assign(effect=found["accuracy"] - found["_plain"])

    found = against(SHALLOW)
    share = 1 + found["effect"] / found["activation"].map(lost).astype(float)
    losses = ", ".join(f"{name} {value:.1%}" for name, value in lost.items())
    notes = [
        f"Training accuracy lost from {SHALLOW} to {DEEP} plain layers: {losses}; judged where it "
        f"is at least {WORTH_RESTORING:.0%}.",
        f"Against {DEEP} plain layers: {in_words(against(DEEP))} in training accuracy.",
        rates_in_words(deep, ["connections", "activation"]),
    ]
    effects = found.assign(effect=share)[["seed", *SKIPS.grid, "effect"]]
    return measured(effects, runs, scope=described(deep), notes=notes)


def _tamed(deep: pd.DataFrame) -> pd.DataFrame:
    """Return the runs whose blocks are scaled with their number or normalized.

    Raises:
        MissingRunsError: there are none.
    """
    normalized = deep.get("network.normalization", pd.Series("none", deep.index)) == "layer"
    kept = deep[(deep["network.branch_scale"].astype(str) == "depth") | normalized]
    if kept.empty:
        raise MissingRunsError("no finished run with scaled or normalized skip connections")
    return kept
