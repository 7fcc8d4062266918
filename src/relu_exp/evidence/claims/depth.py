"""Claims about depth: which networks of many layers still learn, and what restores them."""

from __future__ import annotations

from dataclasses import replace

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
    rates_in_words,
    ratios,
    scored,
)
from relu_exp.evidence.claims.grids import judge_cells
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError, claim
from relu_exp.evidence.claims.verdicts import Rule, Verdict, judge

__all__: list[str] = []

SHALLOW, DEEP = 5, 41
"""Hidden layers of the network that is known to learn and of the one in doubt."""

SIGMOID_FAILS = Rule(
    measure="test accuracy with nine or ten hidden sigmoid layers (chance is 10%)",
    says=(
        "at the best validated learning rate, accuracy is below 50%, under an initialization and "
        "optimizer with which two hidden layers get above it; conditional where it is below with "
        "some initializations and optimizers and above with others"
    ),
    threshold=0.5,
    claimed_side="below",
    grid=("initializer", "optimizer", "depth"),
)


@claim(
    "sigmoid-fails-beyond-nine-layers",
    group="C",
    statement="With nine or ten hidden sigmoid layers a network no longer works well.",
    statement_ko="시그모이드 은닉층이 아홉, 열 개가 되면 신경망은 더 이상 잘 작동하지 않는다.",
    sources={"D4": "1"},
    experiments="deep-sigmoid",
    rule=SIGMOID_FAILS,
    figure="accuracy_map",
)
def sigmoid_fails_beyond_nine_layers(evidence: Evidence) -> Verdict:
    """Decide it."""
    runs = choose(evidence["deep-sigmoid"].runs, activation="sigmoid", depth=2)
    runs = choose(evidence["deep-sigmoid"].runs, activation="sigmoid")
    runs = runs.assign(
        initializer=runs["initializer_label"].astype(str),
        optimizer=runs["optimizer_label"].astype(str),
    )
    arms = ["initializer", "optimizer", "depth"]
    tuned = scored(at_best_rate(runs, arms))
    control = tuned[tuned["depth"] == 2].groupby(arms[:2])["accuracy"].mean()
    able = control[control >= 0.5].index
    deep = tuned[tuned["depth"] >= 9].set_index(arms[:2])
    deep = deep[deep.index.isin(able)].reset_index()
    if deep.empty:
        raise MissingRunsError("no setting with which two sigmoid layers learn was run deeper")
    effects = deep.assign(effect=deep["accuracy"])[["seed", *arms, "effect"]]
    verdict = judge(effects, SIGMOID_FAILS, scope=described(runs), run_ids=list(runs["run_id"]))
    unable = [" with ".join(setting) for setting in control[control < 0.5].index]
    notes = [rates_in_words(tuned[tuned["depth"] >= 9], arms)]
    if unable:
        notes.append(f"Left out, as two layers fail too: {'; '.join(unable)}.")
    near_chance = float((effects.groupby(arms)["effect"].mean() < 0.2).mean())
    notes.append(f"Below 20%, twice chance, in {near_chance:.0%} of the settings.")
    return replace(verdict, notes=tuple(notes))


def _depth_limit(evidence: Evidence, **wanted: object) -> pd.DataFrame:
    """Return the runs of depth-limit with `arm` (activation and start) and `connections`."""
    runs = choose(evidence["depth-limit"].runs, **wanted)
    activation, start = runs["activation_label"].astype(str), runs["initializer_label"].astype(str)
    return runs.assign(arm=activation + ", " + start, connections=runs["network_label"].astype(str))


TRAINS_DEEPER = Rule(
    measure="test accuracy of ReLU less that of sigmoid or tanh at 21 and 41 hidden layers",
    says=(
        "with each as recommended (He, Xavier) and at its best validated learning rate, ReLU is "
        "at least 20 percentage points more accurate at a depth beyond twenty layers"
    ),
    threshold=0.2,
    grid=("rival", "depth"),
)


@claim(
    "relu-trains-deeper",
    group="C",
    statement="ReLU trains networks of a depth that sigmoid and tanh cannot train.",
    statement_ko="ReLU는 시그모이드와 tanh로는 학습되지 않는 깊이의 신경망을 학습시킨다.",
    sources={"D0": "본문 8", "D1": "ReLU 의 장점", "D3": "ReLU"},
    experiments="depth-limit",
    rule=TRAINS_DEEPER,
    figure="accuracy_by_depth",
)
def relu_trains_deeper(evidence: Evidence) -> Verdict:
    """Decide it."""
    runs = _depth_limit(evidence, network="mlp", depth=DEEP)
    runs = _depth_limit(evidence, network="mlp")
    kept = runs["activation"].isin(["sigmoid", "tanh"]) | (
        (runs["activation"] == "relu") & (runs["initializer"] == "he_normal")
    )
    runs = choose(runs[kept], activation=["relu", "sigmoid", "tanh"])
    tuned = scored(at_best_rate(runs, ["activation", "depth"]))
    deep = tuned[tuned["depth"] > 20]

    def effects(chosen: pd.DataFrame) -> pd.DataFrame:
        found = [
            differences(chosen, "activation", "relu", rival, "accuracy", ["depth"]).assign(
                rival=rival
            )
            for rival in ("sigmoid", "tanh")
        ]
        return pd.concat(found, ignore_index=True)

    verdict = judge(
        effects(deep), TRAINS_DEEPER, scope=described(runs), run_ids=list(runs["run_id"])
    )
    notes = [f"Accuracy by depth: {means_in_words(tuned, ['activation', 'depth'])}."]
    shared = at_matched_rate(runs[runs["depth"] > 20], "activation", ["depth"])
    if not shared.empty:
        notes.append(f"At one shared learning rate: {in_words(effects(scored(shared)))}.")
    return replace(verdict, notes=(*notes, rates_in_words(deep, ["activation", "depth"])))


DOZENS = Rule(
    measure="training accuracy at 5 hidden layers less that at 41, without skips",
    says=(
        "at the best validated learning rates a plain network of 41 ReLU or leaky ReLU layers "
        "stays at least 5 percentage points of training accuracy behind the same one of 5; "
        "conditional where it depends on activation and initialization"
    ),
    threshold=0.05,
    grid=("arm",),
)


@claim(
    "relu-fails-at-dozens-of-layers",
    group="C",
    statement="With several tens of layers, plain ReLU and leaky ReLU networks are not optimized "
    "well.",
    statement_ko="층이 수십 개에 이르면 ReLU와 리키 ReLU만으로는 최적화가 잘되지 않는다.",
    sources={"D0": "본문 9"},
    experiments="depth-limit",
    rule=DOZENS,
    figure="accuracy_by_depth",
)
def relu_fails_at_dozens_of_layers(evidence: Evidence) -> Verdict:
    """Decide it."""
    runs = _depth_limit(
        evidence, network="mlp", activation=["relu", "leaky_relu"], depth=[SHALLOW, DEEP]
    )
    tuned = scored(at_best_rate(runs, ["arm", "depth"]), "train")
    effects = differences(tuned, "depth", SHALLOW, DEEP, "accuracy", ["arm"])
    verdict = judge(effects, DOZENS, scope=described(runs), run_ids=list(runs["run_id"]))
    return replace(verdict, notes=(rates_in_words(tuned, ["arm", "depth"]),))


SKIPS = Rule(
    measure="training accuracy of 41 layers with skips less that of 5 without",
    says=(
        "at the best validated learning rates 41 layers with skip connections come within 2 "
        "percentage points of training accuracy of 5 plain ones, for every activation and both "
        "scales of what a block adds"
    ),
    threshold=-0.02,
    grid=("activation", "connections"),
)


@claim(
    "skip-connections-restore-depth",
    group="C",
    statement="Skip connections remove the trouble of networks of tens of layers completely.",
    statement_ko="스킵 연결은 층이 수십 개인 신경망의 어려움을 완전히 없앤다.",
    sources={"D0": "각주 3"},
    experiments="depth-limit",
    rule=SKIPS,
    figure="accuracy_by_depth",
)
def skip_connections_restore_depth(evidence: Evidence) -> Verdict:
    """Decide it."""
    runs = _depth_limit(evidence, initializer=["xavier_normal", "he_normal"])
    runs = choose(runs[runs["activation"] != "sigmoid"], network=["mlp", "residual_mlp"])
    tuned = scored(at_best_rate(runs, ["connections", "activation", "depth"]), "train")
    plain = tuned[tuned["network"] == "mlp"]
    deep = choose(tuned[tuned["network"] == "residual_mlp"], depth=DEEP)

    def against(depth: int) -> pd.DataFrame:
        base = choose(plain, depth=depth).set_index(["seed", "activation"])["accuracy"]
        found = deep.join(base.rename("_plain"), on=["seed", "activation"])
        found = found.assign(effect=found["accuracy"] - found["_plain"])
        return found[["seed", "activation", "connections", "effect"]]

    verdict = judge_cells(
        against(SHALLOW),
        SKIPS,
        need="every",
        scope=described(deep),
        run_ids=list(runs["run_id"]),
    )
    notes = (
        f"Against {DEEP} plain layers: {in_words(against(DEEP))} in training accuracy.",
        rates_in_words(deep, ["connections", "activation"]),
    )
    return replace(verdict, notes=notes)


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
def deeper_is_slower_and_overfits(evidence: Evidence) -> Verdict:
    """Decide it."""
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
    verdict = judge_cells(
        pd.concat(found, ignore_index=True)[["seed", *LARGER.grid, "effect"]],
        LARGER,
        need="every",
        scope=f"{described(runs)}; 200 training images",
        run_ids=list(runs["run_id"]),
    )
    notes = (
        f"Test accuracy by layers and units: {means_in_words(tuned, ['depth', 'width'])}.",
        rates_in_words(tuned, ["depth", "width"]),
    )
    return replace(verdict, notes=notes)
