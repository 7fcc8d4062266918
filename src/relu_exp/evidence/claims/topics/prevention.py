"""Claims about what keeps units from dying: leaky ReLU and ELU."""

from __future__ import annotations

from dataclasses import replace

from relu_exp.evidence.claims.arms import scope_of
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError, claim
from relu_exp.evidence.claims.topics.dying import dying_runs, percent
from relu_exp.evidence.claims.verdicts import Effects, Rule

__all__: list[str] = []

PREVENTS = Rule(
    measure="units with zero derivative on every training sample, at any probe",
    says="not one unit is dead at any probe, at every depth and learning rate at which ReLU, on "
    "the same seeds, ends with at least 1% dead; one is a counter-example to its setting. Runs "
    "that finish and runs that diverge are settings of their own",
    grid=("depth", "learning_rate", "runs"),
    kind="counts",
    need="every",
)
LOST = 0.01


@claim(
    "leaky-relu-prevents-dying",
    group="D",
    statement="A small slope for negative inputs (leaky ReLU) keeps units from dying.",
    statement_ko="음수 구간에 작은 기울기를 주면(Leaky ReLU) 유닛이 죽지 않는다.",
    sources={"D0": "리키렐루", "D1": "ReLU 의 단점", "D2": "3.1"},
    experiments="dying-relu",
    rule=PREVENTS,
    figure="dead_fraction",
)
def leaky_relu_prevents_dying(evidence: Evidence) -> Effects:
    """Look for a dead unit where ReLU loses some."""
    return _prevents(evidence, "leaky_relu")


@claim(
    "elu-prevents-dying",
    group="D",
    statement="ELU, whose derivative is not zero for negative inputs, makes no dead units.",
    statement_ko="음수 입력에서도 기울기가 0이 아닌 ELU를 쓰면 죽은 유닛이 생기지 않는다.",
    sources={"D2": "3.2"},
    experiments="dying-relu",
    rule=PREVENTS,
    figure="dead_fraction",
)
def elu_prevents_dying(evidence: Evidence) -> Effects:
    """Look for a dead unit where ReLU loses some: exp(x) is 0 in float32 below about −104."""
    effects = _prevents(evidence, "elu")
    note = (
        "On paper the derivative exp(x) is never 0. In float32 it is, below about −104: a unit "
        "that a large step has thrown so far is as dead as one of ReLU."
    )
    return replace(effects, notes=[*effects.notes, note])


def _prevents(evidence: Evidence, activation: str) -> Effects:
    frames, relu = dying_runs(evidence)
    _, runs = dying_runs(evidence, activation)
    keys = ["depth", "learning_rate"]
    paired = relu.merge(runs[["seed", *keys]].drop_duplicates(), on=["seed", *keys])
    lost = paired.groupby(keys)["dead"].mean().rename("lost").reset_index()
    runs = runs.merge(lost[lost["lost"] >= LOST], on=keys)
    if runs.empty:
        raise MissingRunsError(
            f"no depth and rate at which ReLU lost {LOST:.0%} of its units has runs of "
            f"{activation}: there is nothing to prevent"
        )
    every = frames.read(
        "layers",
        run_ids=runs["run_id"].tolist(),
        quantity=["dead_fraction"],
        columns=["run_id", "step", "value"],
    ).astype({"run_id": "str"})
    # the worst probe of each run
    worst = every.groupby(["run_id", "step"])["value"].mean().groupby("run_id").max()
    runs = runs.assign(
        worst=runs["run_id"].map(worst),
        runs=runs["status"].map({"done": "finished", "diverged": "diverged"}),
    )
    against = relu[["seed", *keys, "accuracy", "run_id"]]
    both = runs.merge(against, on=["seed", *keys], suffixes=("", "_relu"))
    phrases = [
        f"depth {depth} at {rate:g}: ReLU lost {percent(part['lost'].mean())}, test accuracy "
        f"{(part['accuracy'] - part['accuracy_relu']).mean() * 100:+.1f} points against ReLU, "
        f"{percent((part['runs'] == 'diverged').mean())} of the runs diverged"
        for (depth, rate), part in both.groupby(keys)
    ]
    ended = runs["runs"] == "finished"
    hit = runs["worst"] > 0
    return Effects(
        # a share of units, so that what is found is that share of one
        runs.assign(found=runs["worst"], of=1.0),
        text=f"A unit was dead at some probe in {int((hit & ended).sum())} of {int(ended.sum())} "
        f"runs that finished and {int((hit & ~ended).sum())} of {int((~ended).sum())} that "
        f"diverged, where ReLU ended with {percent(float(runs['lost'].mean()))} of its units dead.",
        scope=scope_of(runs),
        notes=(
            f"That no unit is dead does not say that the network learns. {'; '.join(phrases)}.",
        ),
        run_ids=(*runs["run_id"], *both["run_id_relu"]),
    )
