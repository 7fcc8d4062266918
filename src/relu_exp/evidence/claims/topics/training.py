"""Claims about bouncing, small and large networks, the last layer and document 003's network."""

from __future__ import annotations

import numpy as np
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
    ratios,
    scored,
)
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError, claim
from relu_exp.evidence.claims.verdicts import Effects, Rule
from relu_exp.evidence.data.frames import Frames

__all__: list[str] = []

BOUNCE = Rule(
    measure="share of late updates at which the loss rises, ReLU less a smooth activation",
    says=(
        "with full batches and each at the learning rate of lowest final training loss, ReLU's "
        "loss rises in at least 5 percentage points more of the updates in the second half of "
        "training than ELU's and GELU's does"
    ),
    threshold=0.05,
    grid=("smooth",),
)
ROUNDING = 1e-9
"""Squared errors below this are float32 rounding, not descent."""


@claim(
    "relu-bounces-near-optimum",
    group="C",
    statement="Because of the kink at 0, gradient descent on ReLU networks bounces near the "
    "optimum.",
    statement_ko="ReLU는 0에서 꺾이므로 경사하강법이 최적점 근처에서 진동한다.",
    sources={"D1": "ReLU 의 단점"},
    experiments="bounce",
    rule=BOUNCE,
    figure="loss_curves",
)
def relu_bounces_near_optimum(evidence: Evidence) -> Effects:
    """Measure it."""
    frames = evidence["bounce"]
    runs = choose(frames.runs, activation=["relu", "elu", "gelu"])
    runs = runs.merge(_rises(frames, runs), on="run_id")

    def effects(chosen: pd.DataFrame) -> pd.DataFrame:
        found = [
            differences(chosen, "activation", "relu", smooth, "rises").assign(smooth=smooth)
            for smooth in ("elu", "gelu")
        ]
        return pd.concat(found, ignore_index=True)

    # labels say nothing, so validation cannot choose: the claim is about descent, and so is this
    lowest = scored(runs, "train").assign(_log=lambda frame: np.log(frame["loss"] + ROUNDING))
    means = lowest.groupby(["activation", "learning_rate"])["_log"].mean().reset_index()
    best = means.sort_values(["_log", "learning_rate"]).drop_duplicates("activation")
    keys = ["activation", "learning_rate"]
    tuned = lowest.merge(best[keys], on=keys)
    loss = tuned.groupby("activation")["loss"].median()
    share = runs.groupby(["activation", "learning_rate"])["rises"].mean().unstack("activation")
    notes = [
        "Final loss: " + ", ".join(f"{one} {value:.2g}" for one, value in loss.items()) + ".",
        rates_in_words(tuned, ["activation"]),
        "Share of late updates that raise the loss, at shared rates: "
        + "; ".join(
            f"{rate:g}: " + ", ".join(f"{one} {value:.0%}" for one, value in row.items())
            for rate, row in share.iterrows()
        )
        + ".",
    ]
    return measured(
        effects(tuned),
        runs,
        scope=f"{described(runs)}; full batches, squared error, an exact fit exists (loss 0)",
        notes=notes,
    )


def _rises(frames: Frames, runs: pd.DataFrame) -> pd.DataFrame:
    """Return per run the share of updates in the second half at which the batch loss rises.

    A diverged run has no second half near an optimum: its share is that of all its updates.
    """
    curves = frames.read("curves", run_ids=runs["run_id"].tolist(), split=["batch"])
    curves = curves.astype({"run_id": "str"}).sort_values(["run_id", "step"])
    half = runs.set_index("run_id")["num_steps"] / 2
    late = curves["step"] >= curves["run_id"].map(half)
    whole = curves["run_id"].isin(runs.loc[runs["status"] == "diverged", "run_id"])
    before = curves.groupby("run_id")["loss"].shift()
    kept = curves[(late | whole) & before.notna()]
    rises = kept["loss"] > before[kept.index] + ROUNDING
    return rises.groupby(kept["run_id"]).mean().rename("rises").reset_index()


SIMPLE = Rule(
    measure="test accuracy of sigmoid or tanh less that of ReLU in one small hidden layer",
    says=(
        "at their best validated learning rates ReLU is at least 1 percentage point less accurate "
        "than sigmoid or tanh at some width; refuted if at none"
    ),
    threshold=0.01,
    grid=("rival", "width"),
    need="some",
)


@claim(
    "relu-worse-on-simple-networks",
    group="C",
    statement="On simple networks ReLU can do worse than the functions it replaced.",
    statement_ko="단순한 신경망에서는 ReLU가 이전의 활성화 함수보다 성능이 떨어질 수 있다.",
    sources={"D4": "2"},
    experiments="simple-networks",
    rule=SIMPLE,
    figure="learning_rate_sensitivity",
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
    notes = [rates_in_words(tuned, ["activation", "width"])]
    shared = at_matched_rate(runs, "activation", ["width"])
    if not shared.empty:
        notes.append(f"At one shared learning rate: {in_words(effects(scored(shared)))}.")
    return measured(effects(tuned), runs, notes=notes)


LARGER = Rule(
    measure="larger network over smaller: updates, operations and generalization gap",
    says=(
        "at the best validated learning rates the larger network needs at least 10% more updates "
        "and 10% more operations (updates × parameters) to a training loss of 0.5, and its test "
        "loss exceeds its training loss by at least 10% more; the claim needs all three, for more "
        "layers (12 against 1) and for wider ones (128 against 16)"
    ),
    threshold=1.1,
    ratio=True,
    unit="×",
    grid=("larger in", "what grows"),
    need="every",
    censored="bound",
)


@claim(
    "deeper-is-slower-and-overfits",
    group="C",
    statement="The larger a network, the longer it trains and the more it overfits.",
    statement_ko="신경망이 커질수록 학습이 오래 걸리고 과적합도 심해진다.",
    sources={"D2": "서두"},
    experiments="model-size",
    rule=LARGER,
    figure="loss_curves",
)
def deeper_is_slower_and_overfits(evidence: Evidence) -> Effects:
    """Measure it."""
    frames = evidence["model-size"]
    runs = choose(frames.runs, depth=[1, 12], width=[16, 128])
    tuned = scored(at_best_rate(runs, ["depth", "width"]))
    gap = tuned["final_test_loss"] - tuned["final_train_loss"]
    # a network that tests as well as it trains has no gap to divide by
    tuned = tuned.assign(gap=gap.clip(lower=1e-3).replace(np.inf, np.nan))
    found = []
    for larger_in, column, small, large, fixed in (
        ("depth", "depth", 1, 12, tuned["width"] == 128),
        ("width", "width", 16, 128, tuned["depth"] == 1),
    ):
        arms = tuned[fixed]
        updates = ratios(frames, arms, column, large, small, [0.5])
        size = arms.groupby(column)["num_parameters"].first()
        operations = updates.assign(effect=updates["effect"] * size[large] / size[small])
        logs = differences(arms.assign(gap=np.log(arms["gap"])), column, large, small, "gap")
        gaps = logs.assign(effect=np.exp(logs["effect"]))
        for what, effects in (
            ("updates", updates),
            ("operations", operations),
            ("generalization gap", gaps),
        ):
            found.append(effects.assign(**{"larger in": larger_in, "what grows": what}))
    notes = (
        f"Test accuracy by layers and units: {means_in_words(tuned, ['depth', 'width'])}.",
        rates_in_words(tuned, ["depth", "width"]),
    )
    return measured(
        pd.concat(found, ignore_index=True)[["seed", *LARGER.grid, "effect", "bound"]],
        runs,
        scope=f"{described(runs)}; 200 training images",
        notes=notes,
    )


LEAST_UPDATES = 40
CNN = Rule(
    measure="test accuracy of the network as given (chance is 10%)",
    says=(
        "after at least 40 updates by Adam at its default rate, test accuracy is above 20%, twice "
        "chance; fewer updates decide nothing"
    ),
    threshold=0.2,
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
    runs = runs[runs["num_steps"] >= LEAST_UPDATES]
    if runs.empty:
        raise MissingRunsError(f"no run of document-cnn made {LEAST_UPDATES} updates")
    effects = runs.assign(effect=runs["accuracy"])[["seed", "effect"]]
    seen = runs["batch_size"].iloc[0] * runs["num_steps"].iloc[0]
    note = f"Each run saw {seen:,} images; the document names no optimizer and no rate."
    return measured(effects, runs, notes=(note,))
