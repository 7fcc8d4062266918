"""Claims about what keeps units from dying, and the accuracy with them: leaky ReLU and ELU."""

from __future__ import annotations

from datetime import date

import pandas as pd

from relu_exp.evidence.claims.arms import at_best_rate, rates_in_words, scope_of
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError, claim
from relu_exp.evidence.claims.shown import Shown
from relu_exp.evidence.claims.survival import limits, with_learning
from relu_exp.evidence.claims.topics.dying import KEYS, dying_runs, percent
from relu_exp.evidence.claims.verdicts import Effects, Rule
from relu_exp.evidence.data.statistics import how_many

__all__: list[str] = []

DYING = (0.1, 0.4)
"""The shares of ReLU's units where accuracy is compared: where some die, and where many do."""
KEPT = Rule(
    measure="test accuracy of leaky ReLU where ReLU's units die, less that of ReLU at its best",
    says="where training kills ReLU's units leaky ReLU keeps the accuracy: at the smallest swept "
    "learning rate at which at least 10% of ReLU's units end up dead on average, and at the "
    "smallest at which 40% do, its test accuracy is at most 2 percentage points below the one that "
    "ReLU has, on the same seeds, at its own best validated rate; at every depth and width",
    threshold=-0.02,
    grid=("depth", "width", "dead of ReLU"),
    need="every",
    version=2,
    since=date(2026, 11, 26),
    reason="a slope that is not 0 cannot be zero on all samples, by definition: what matters is "
    "whether the network still learns where ReLU's units die",
)


@claim(
    "leaky-relu-prevents-dying",
    group="D",
    statement="A small slope for negative inputs (leaky ReLU) solves the problem of dying units: "
    "the network still learns where ReLU's units die.",
    statement_ko=(
        "음수 구간에 작은 기울기를 주면(Leaky ReLU) 죽은 유닛 문제가 해결되어, ReLU의 유닛이 "
        "죽는 학습률에서도 잘 학습된다."
    ),
    sources={"D0": "리키렐루", "D1": "ReLU 의 단점", "D2": "3.1"},
    experiments="dying-relu",
    rule=KEPT,
    figure=Shown(
        "test_accuracy", x="learning_rate", columns="depth", rows="width", share=True, best="ReLU"
    ),
)
def leaky_relu_prevents_dying(evidence: Evidence) -> Effects:
    """Compare with ReLU's best where ReLU loses a tenth of its units, and four tenths."""
    _, relu = dying_runs(evidence)
    _, leaky = dying_runs(evidence, "leaky_relu")
    best = at_best_rate(relu, KEYS)
    dead = relu.groupby([*KEYS, "learning_rate"])["dead"].mean().reset_index()
    found = []
    for least in DYING:
        where = dead[dead["dead"] >= least].groupby(KEYS)["learning_rate"].min().reset_index()
        found.append(where.assign(**{"dead of ReLU": f"{least:.0%} or more"}))
    where = pd.concat(found, ignore_index=True)
    keys = [*KEYS, "seed"]
    sides = leaky.merge(where, on=[*KEYS, "learning_rate"])
    sides = sides.merge(best[[*keys, "accuracy", "run_id"]], on=keys, suffixes=("", "_best"))
    same = relu[[*keys, "learning_rate", "accuracy", "dead", "run_id"]]
    sides = sides.merge(same, on=[*keys, "learning_rate"], suffixes=("", "_relu"))
    if sides.empty:
        raise MissingRunsError(
            f"no rate at which ReLU lost {DYING[0]:.0%} of its units has runs of leaky_relu: "
            "there is nothing to prevent"
        )
    phrases = [
        f"depth {depth}, width {width:g} at {rate:g}, where {percent(part['dead_relu'].mean())} of "
        f"ReLU's units are dead: leaky ReLU {percent(part['accuracy'].mean())}, ReLU "
        f"{percent(part['accuracy_relu'].mean())} and at its best "
        f"{percent(part['accuracy_best'].mean())}"
        for (depth, width, rate), part in sides.groupby([*KEYS, "learning_rate"])
    ]
    share = (sides["status"] == "diverged").mean()
    return Effects(
        sides.assign(effect=sides["accuracy"] - sides["accuracy_best"])[
            ["seed", *KEPT.grid, "effect"]
        ],
        scope=scope_of(sides),
        run_ids=[*dict.fromkeys([*sides["run_id"], *sides["run_id_best"], *sides["run_id_relu"]])],
        notes=(
            f"Test accuracy: {'; '.join(phrases)}.",
            f"{percent(share)} of those runs of leaky ReLU diverged, and count as 0% right. "
            f"{percent(float(sides['dead'].mean()))} of its units are dead: with a slope that is "
            "not 0 none can be.",
            rates_in_words(best, KEYS),
        ),
    )


NO_DEAD_ELU = Rule(
    measure="units of ELU with zero derivative on every training sample, at any probe",
    says="not one unit of ELU is dead at any probe of a run that learns, at every depth, width and "
    "learning rate at which at least half of ELU's runs end with half of the validation images "
    "right and ReLU, on the same seeds, ends with at least 1% of its units dead; one is a "
    "counter-example to its setting",
    grid=("depth", "width", "learning_rate"),
    kind="counts",
    need="every",
    version=2,
    since=date(2026, 11, 26),
    reason="most of the runs that were counted had diverged: ELU is judged at rates it survives",
)
LOST = 0.01


@claim(
    "elu-prevents-dying",
    group="D",
    statement="ELU, whose derivative is not zero for negative inputs, makes no dead units.",
    statement_ko="음수 입력에서도 기울기가 0이 아닌 ELU를 쓰면 죽은 유닛이 생기지 않는다.",
    sources={"D2": "3.2"},
    experiments="dying-relu",
    rule=NO_DEAD_ELU,
    figure=Shown("dead_fraction", x="learning_rate", columns="depth", rows="width", share=True),
)
def elu_prevents_dying(evidence: Evidence) -> Effects:
    """Look for a dead unit where ReLU loses some and ELU learns."""
    frames, relu = dying_runs(evidence)
    _, elu = dying_runs(evidence, "elu")
    elu, keys = with_learning(elu), [*KEYS, "learning_rate"]
    beyond = _where_it_fails(elu, keys)
    elu = elu.merge(limits(elu, KEYS), on=KEYS)
    paired = relu.merge(elu[["seed", *keys]].drop_duplicates(), on=["seed", *keys])
    lost = paired.groupby(keys)["dead"].mean().rename("lost").reset_index()
    runs = elu[elu["learning_rate"] <= elu["limit"]].merge(lost[lost["lost"] >= LOST], on=keys)
    left_out = int((~runs["learns"]).sum())
    others = (
        (f"At those rates {left_out} more runs of ELU did not learn, and count for nothing.",)
        if left_out
        else ()
    )
    runs = runs[runs["learns"]]
    if runs.empty:
        raise MissingRunsError(
            f"no depth, width and rate at which ReLU lost {LOST:.0%} of its units has runs of ELU "
            "that learn: there is nothing to prevent"
        )
    every = frames.read(
        "layers",
        run_ids=runs["run_id"].tolist(),
        quantity=["dead_fraction"],
        columns=["run_id", "step", "value"],
    ).astype({"run_id": "str"})
    # the worst probe of each run
    worst = every.groupby(["run_id", "step"])["value"].mean().groupby("run_id").max()
    runs = runs.assign(worst=runs["run_id"].map(worst))
    against = relu[["seed", *keys, "run_id"]]
    both = runs.merge(against, on=["seed", *keys], suffixes=("", "_relu"))
    return Effects(
        # a share of units, so that what is found is that share of one
        runs.assign(found=runs["worst"], of=1.0),
        text=f"A unit was dead at some probe in {how_many((runs['worst'] > 0).sum())} of "
        f"{len(runs)} runs, where ReLU ended with {percent(float(runs['lost'].mean()))} of its "
        "units dead.",
        scope=scope_of(runs),
        notes=(
            *others,
            *beyond,
            "On paper the derivative exp(x) is never 0. In float32 it is, below about −104: a unit "
            "that a large step has thrown so far is as dead as one of ReLU.",
        ),
        run_ids=(*runs["run_id"], *both["run_id_relu"]),
    )


def _where_it_fails(elu: pd.DataFrame, keys: list[str]) -> list[str]:
    """Return the largest share of dead units in runs of ELU that ended without having learned."""
    ended = elu[(elu["status"] != "diverged") & ~elu["learns"]]
    dead = ended.groupby(keys)["dead"].agg(["mean", "size"]).reset_index()
    if not dead["mean"].gt(0).any():
        return []
    worst = dead.sort_values("mean").iloc[-1]
    return [
        f"In runs that end without having learned, up to {percent(worst['mean'])} of ELU's units "
        f"are dead, too: depth {worst['depth']:g}, width {worst['width']:g}, learning rate "
        f"{worst['learning_rate']:g} (n = {worst['size']:g})."
    ]
