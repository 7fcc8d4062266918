"""Claims about units that die: how many, whether they come back, and what prevents it.

A unit is dead when its derivative is zero on every training sample.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from relu_exp.evidence.claims.arms import at_best_rate, choose, in_words, rates_in_words, scored
from relu_exp.evidence.claims.parts import noted, scope_of
from relu_exp.evidence.claims.registry import Evidence, Literature, MissingRunsError, claim
from relu_exp.evidence.claims.verdicts import Cell, Rule, Verdict, VerdictName, judge
from relu_exp.evidence.frames import Frames, revivals
from relu_exp.evidence.labels import NAMES

__all__ = ["layer_means"]

CS231N = Literature(
    "Karpathy, CS231n course notes, Neural Networks part 1",
    "as much as 40% of a network can be dead if the learning rate is set too high, dead on the "
    "entire training set; with a proper rate it is less frequent. No experiment is given",
    "second-hand",
)


def layer_means(
    frames: Frames, runs: pd.DataFrame, quantity: str, step: str = "last"
) -> pd.Series[float]:
    """Return a quantity of each run at its first or last probe, the mean over hidden layers.

    Layers are equally wide, so a share's mean over layers is the share of all hidden units. A run
    that diverged has its last probe before that.

    Raises:
        MissingRunsError: the runs were not probed.
    """
    rows = frames.read(
        "layers",
        run_ids=runs["run_id"].tolist(),
        steps="first" if step == "first" else "last",
        quantity=[quantity],
        columns=["run_id", "layer", "value"],
    )
    if rows.empty:
        raise MissingRunsError(f"layers were not probed for {quantity} in {frames.root.name}")
    found = runs["run_id"].map(rows.astype({"run_id": "str"}).groupby("run_id")["value"].mean())
    return found.astype(float)


def _dying(evidence: Evidence, activation: str = "relu") -> tuple[Frames, pd.DataFrame]:
    """Return the runs of an activation with `dead`, the share of dead units at the end."""
    frames = evidence["dying-relu"]
    runs = scored(choose(frames.runs, activation=activation))
    return frames, runs.assign(dead=layer_means(frames, runs, "dead_fraction"))


def _survived(runs: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return the runs at those rates that at least half of the runs of a part end at."""
    done = runs.assign(_done=runs["status"] == "done")
    share = done.groupby([*by, "learning_rate"])["_done"].transform("mean")
    return runs[share >= 0.5]


def _percent(value: float) -> str:
    return f"{value:.1%}"


def _by_rate(runs: pd.DataFrame, column: str = "dead") -> str:
    """Return the whole curve in words: the mean per rate, with test accuracy beside it."""
    means = runs.groupby("learning_rate")[[column, "accuracy"]].mean()
    return "; ".join(
        f"{rate:g}: {_percent(row[column])} (test accuracy {_percent(row['accuracy'])})"
        for rate, row in means.iterrows()
    )


KILLS_HALF = Rule(
    measure="share of dead hidden units at the end, at the largest rate that most runs survive",
    says="at least 40% of all hidden units, the number of the lecture notes behind the document, "
    "are dead at the largest swept learning rate at which at least half of the runs of that depth "
    "do not diverge",
    threshold=0.4,
    grid=("depth",),
)


@claim(
    "high-learning-rate-kills-half",
    group="D",
    statement="Trained at a large learning rate, about half of a ReLU network's units are dead.",
    statement_ko="학습률을 크게 잡고 학습하면 ReLU 신경망 유닛의 약 절반이 죽는다.",
    sources={"D2": "3"},
    experiments="dying-relu",
    rule=KILLS_HALF,
    figure="dead_fraction",
    literature=(CS231N,),
)
def high_learning_rate_kills_half(evidence: Evidence) -> Verdict:
    """Look at the largest rate that most runs survive, depth by depth."""
    frames, runs = _dying(evidence)
    if runs["learning_rate"].nunique() < 2:
        raise MissingRunsError("one learning rate only: none of them is large")
    survived = _survived(runs, ["depth"])
    if survived.empty:
        raise MissingRunsError("most runs diverged at every learning rate")
    largest = survived.groupby("depth")["learning_rate"].transform("max")
    large = survived[survived["learning_rate"] == largest]
    notes = []
    for depth, part in runs.groupby("depth"):
        chosen = large.loc[large["depth"] == depth, "learning_rate"]
        if not chosen.empty:
            notes.append(f"Depth {depth}, judged at {chosen.iloc[0]:g}. By rate: {_by_rate(part)}.")
    beside = {
        "dead on one probe batch": "dead_on_probe_fraction",
        "zero activations": "zero_fraction",
    }
    told = [
        f"{name} {_percent(layer_means(frames, large, quantity).mean())}"
        for name, quantity in beside.items()
    ]
    dead = _percent(large["dead"].mean())
    notes.append(f"At those rates, by definition: dead on all data {dead}, {', '.join(told)}.")
    best = at_best_rate(runs, ["depth"])
    notes.append(f"At each depth's best validated rate {_percent(best['dead'].mean())} are dead.")
    verdict = judge(
        large.assign(effect=large["dead"])[["seed", "depth", "effect"]],
        KILLS_HALF,
        scope=scope_of(large),
        run_ids=large["run_id"].tolist(),
    )
    return noted(verdict, *notes)


NEVER_RECOVER = Rule(
    measure="units that were dead at one probe and alive at a later one",
    says="no dead unit is ever alive again, in any declared part: first layer or deeper, each "
    "optimizer; one that is, is a counter-example to its part",
    grid=("layer", "optimizer"),
)


@claim(
    "dead-units-never-recover",
    group="D",
    statement="Once a ReLU unit is dead its weights are never updated again: it stays dead.",
    statement_ko="한 번 죽은 ReLU 유닛은 가중치가 다시는 갱신되지 않아 계속 죽어 있다.",
    sources={"D0": "렐루, note 1", "D2": "3", "D4": "ReLU"},
    experiments=("revivals", "dying-relu"),
    rule=NEVER_RECOVER,
    figure="dead_fraction",
)
def dead_units_never_recover(evidence: Evidence) -> Verdict:
    """Count exactly, unit by unit, who was dead and lives again."""
    counted = [_revived(evidence[name], name) for name in ("revivals", "dying-relu")]
    found = pd.concat([part for part in counted if not part.empty] or counted[:1])
    if found.empty:
        raise MissingRunsError("no unit died in any run: there is nothing that could come back")
    cells = []
    for (layer, optimizer), part in found.groupby(["place", "optimizer"], sort=True):
        share = float(part["revived"].sum() / part["ever"].sum())
        side: VerdictName = "refuted" if part["revived"].any() else "supported"
        where = {"layer": str(layer), "optimizer": str(optimizer)}
        cells.append(Cell(where, share, share, share, part["seed"].nunique(), side))
    told = [
        f"{cell.where['layer']}, {cell.where['optimizer']}: {_percent(cell.effect)}"
        for cell in cells
    ]
    revived, ever = int(found["revived"].sum()), int(found["ever"].sum())
    return Verdict(
        _of_cells(cells),
        f"Of {ever:,} units that were dead at a probe, {revived:,} were alive at a later one "
        f"({'; '.join(told)}). One is enough to refute 'never'.",
        effect=revived / ever,
        num_seeds=found["seed"].nunique(),
        scope=scope_of(found),
        cells=tuple(cells),
        notes=(
            "The first layer's inputs never change: with no gradient nothing can move it back, "
            "unless the optimizer moves it by itself. Deeper, the layers below move the inputs.",
            "Probes are some updates apart: units that died and revived between two are not "
            "seen, so the counts are lower bounds. A unit counts once, however often it returns. "
            "Runs that diverged are left out.",
        ),
        run_ids=tuple(found["run_id"].unique()),
    )


def _revived(frames: Frames, name: str) -> pd.DataFrame:
    """Return per run and layer the units that were ever dead, and of them those that came back."""
    # in a run that is about to diverge everything comes and goes: it would prove little
    runs = choose(frames.runs, activation="relu", status="done")
    ids = runs["run_id"].tolist()
    probed = frames.read(
        "layers", run_ids=ids, quantity=["dead_fraction"], columns=["run_id", "layer", "step"]
    )
    if probed.groupby(["run_id", "layer"], observed=True)["step"].nunique().max() < 2:
        raise MissingRunsError(f"{name} was probed once: a revival takes two probes to be seen")
    counts = revivals(frames.read("dead_units", run_ids=ids), probed)
    if counts.empty:
        return counts
    layers = counts.astype({"run_id": "str"}).groupby(["run_id", "layer"])
    found = layers.agg(ever=("newly_dead", "sum"), revived=("revived", "max")).reset_index()
    found["place"] = found["layer"].map(lambda layer: "first" if layer == 1 else "deeper")
    found = found.merge(runs, on="run_id")
    return found.assign(optimizer=[_optimizer(run) for run in found.to_dict("records")])


def _optimizer(run: Mapping[Any, Any]) -> str:
    """Return optimizer and what makes it move a weight without a gradient."""
    told = [
        f"{key} {run[f'optimizer.{key}']:g}"
        for key in ("momentum", "weight_decay")
        if isinstance(run.get(f"optimizer.{key}"), float) and run[f"optimizer.{key}"]
        if not math.isnan(run[f"optimizer.{key}"])
    ]
    return ", ".join(
        [
            NAMES.get(str(run["optimizer"]), str(run["optimizer"])),
            *(word.replace("_", " ") for word in told),
        ]
    )


def _of_cells(cells: Sequence[Cell]) -> VerdictName:
    """Return what exact cells say together."""
    sides = {cell.verdict for cell in cells}
    return "conditional" if len(sides) > 1 else next(iter(sides))


ONE_NEGATIVE = Rule(
    measure="upper bound on the share of units with a negative sum at the start that end up dead",
    says="at least 90% of the units that output 0 for some sample before training are dead after "
    "it, at each depth's best validated rate. Their number is bounded from below by the share of "
    "zero activations, so the measured share can only be too high",
    threshold=0.9,
    grid=("depth",),
)


@claim(
    "one-negative-input-kills",
    group="D",
    statement="A ReLU unit whose weighted sum is negative once is lost for the rest of training.",
    statement_ko="가중합이 한 번이라도 음수가 된 ReLU 유닛은 그 뒤로 학습에서 완전히 탈락한다.",
    sources={"D2": "3", "D4": "ReLU", "D1": "ReLU 의 단점"},
    experiments="dying-relu",
    rule=ONE_NEGATIVE,
    figure="dead_fraction",
    literature=(CS231N,),
)
def one_negative_input_kills(evidence: Evidence) -> Verdict:
    """Compare the units that were zero somewhere at the start with those dead at the end."""
    frames, runs = _dying(evidence)
    # a unit is zero for at most all samples: at least this share of units is zero for some
    runs = runs.assign(zero=layer_means(frames, runs, "zero_fraction", "first"))
    runs["effect"] = (runs["dead"] / runs["zero"].where(runs["zero"] > 0)).clip(upper=1.0)
    tuned = at_best_rate(runs, ["depth"])
    born, dead = tuned["zero"].mean(), tuned["dead"].mean()
    ended = layer_means(frames, tuned, "zero_fraction").mean()
    notes = [
        f"At the start at least {_percent(born)} of the units output 0 for some sample; after "
        f"training {_percent(dead)} are dead, while {_percent(ended)} of the activations are 0: a "
        "unit off for one sample still learns from the others.",
        rates_in_words(tuned, ["depth"]),
        f"Bound by matched rate, all depths: {_by_rate(runs, 'effect')}.",
    ]
    verdict = judge(
        tuned[["seed", "depth", "effect"]],
        ONE_NEGATIVE,
        scope=scope_of(tuned),
        run_ids=tuned["run_id"].tolist(),
    )
    return noted(verdict, *notes)


GROWS_WITH_DEPTH = Rule(
    measure="share of dead units in the deepest network minus that in the shallowest",
    says="at least 5 percentage points more of the units are dead in the deepest network of the "
    "sweep than in the shallowest: at each one's best validated rate, and at every shared rate "
    "that most runs of both survive",
    threshold=0.05,
    grid=("learning_rate",),
)


@claim(
    "dying-grows-with-depth",
    group="D",
    statement="The deeper a ReLU network, the larger the share of units that die, beyond half.",
    statement_ko="ReLU 신경망이 깊을수록 죽는 유닛의 비율이 커지고, 절반을 넘기도 한다.",
    sources={"D1": "ReLU 의 단점"},
    experiments="dying-relu",
    rule=GROWS_WITH_DEPTH,
    figure="dead_fraction",
    literature=(
        Literature(
            "Lu, Shin, Su, Karniadakis 2020, Commun. Comput. Phys. 28(5), arXiv:1903.06733",
            "a ReLU network of fixed width is dead from the start with a probability that tends to "
            "1 as its depth grows; from the abstract, which says nothing of training",
            "second-hand",
        ),
    ),
)
def dying_grows_with_depth(evidence: Evidence) -> Verdict:
    """Subtract the shallowest network's share from the deepest's, rate by rate and at the best."""
    _, runs = _dying(evidence)
    shallow, deep = runs["depth"].min(), runs["depth"].max()
    if shallow == deep:
        raise MissingRunsError(f"one depth only, {deep}: nothing to compare it with")
    ends = runs[runs["depth"].isin([shallow, deep])]
    tuned = at_best_rate(ends, ["depth"])
    survived = _survived(ends, ["depth"])
    matched = survived.assign(rate=survived["learning_rate"].map("{:g}".format))
    sides = pd.concat([tuned.assign(rate="best of each"), matched])
    table = sides.pivot_table(index=["rate", "seed"], columns="depth", values="dead")
    effects = (table[deep] - table[shallow]).dropna().rename("effect").reset_index()
    over = runs.assign(over=runs["dead"] > 0.5).groupby("depth")["over"].mean()
    told = ", ".join(f"depth {depth}: {_percent(share)}" for depth, share in over.items())
    best = effects[effects["rate"] == "best of each"]
    notes = [
        f"At each depth's own best rate the difference is {in_words(best)}.",
        rates_in_words(tuned, ["depth"]),
        f"Share of runs, all rates, in which more than half of the units are dead: {told}.",
        *(f"Depth {depth}, by rate: {_by_rate(part)}." for depth, part in runs.groupby("depth")),
    ]
    verdict = judge(
        effects.rename(columns={"rate": "learning_rate"}),
        GROWS_WITH_DEPTH,
        scope=scope_of(ends),
        run_ids=sides["run_id"].unique().tolist(),
    )
    return noted(verdict, *notes)


PREVENTS = Rule(
    measure="units with zero derivative on every training sample, at any probe",
    says="not one unit is dead at any probe, at every depth and learning rate at which ReLU, on "
    "the same seeds, ends with at least 1% dead; one is a counter-example to its part. Runs that "
    "finish and runs that diverge are parts of their own",
    grid=("depth", "learning_rate", "runs"),
)
LOST = 0.01


@claim(
    "leaky-relu-prevents-dying",
    group="D",
    statement="A small slope for negative inputs (leaky ReLU) keeps units from dying.",
    statement_ko="음수 구간에 작은 기울기를 주는 Leaky ReLU는 유닛이 죽는 것을 막는다.",
    sources={"D0": "리키렐루", "D1": "ReLU 의 단점", "D2": "3.1"},
    experiments="dying-relu",
    rule=PREVENTS,
    figure="dead_fraction",
)
def leaky_relu_prevents_dying(evidence: Evidence) -> Verdict:
    """Look for a dead unit where ReLU loses some."""
    return _prevents(evidence, "leaky_relu")


@claim(
    "elu-prevents-dying",
    group="D",
    statement="ELU, whose derivative is not zero for negative inputs, makes no dead units.",
    statement_ko="음수 입력에서도 기울기가 0이 아닌 ELU는 죽은 유닛을 만들지 않는다.",
    sources={"D2": "3.2"},
    experiments="dying-relu",
    rule=PREVENTS,
    figure="dead_fraction",
)
def elu_prevents_dying(evidence: Evidence) -> Verdict:
    """Look for a dead unit where ReLU loses some: exp(x) is 0 in float32 below about −104."""
    verdict = _prevents(evidence, "elu")
    return noted(
        verdict,
        "On paper the derivative exp(x) is never 0. In float32 it is, below about −104: a unit "
        "that a large step has thrown so far is as dead as one of ReLU.",
    )


def _prevents(evidence: Evidence, activation: str) -> Verdict:
    frames, relu = _dying(evidence)
    _, runs = _dying(evidence, activation)
    keys = ["depth", "learning_rate"]
    lost = relu.groupby(keys)["dead"].mean().rename("lost").reset_index()
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
    cells = []
    for where, part in runs.groupby([*keys, "runs"]):
        share = float(part["worst"].mean())
        side: VerdictName = "refuted" if (part["worst"] > 0).any() else "supported"
        named = dict(zip(PREVENTS.grid, map("{}".format, where), strict=True))
        cells.append(Cell(named, share, share, share, part["seed"].nunique(), side))
    told = [
        f"depth {depth} at {rate:g}: ReLU lost {_percent(part['lost'].mean())}, test accuracy "
        f"{(part['accuracy'] - part['accuracy_relu']).mean() * 100:+.1f} points against ReLU, "
        f"{_percent((part['runs'] == 'diverged').mean())} of the runs diverged"
        for (depth, rate), part in both.groupby(keys)
    ]
    ended = runs["runs"] == "finished"
    hit = runs["worst"] > 0
    return Verdict(
        _of_cells(cells),
        f"A unit was dead at some probe in {int((hit & ended).sum())} of {int(ended.sum())} runs "
        f"that finished and {int((hit & ~ended).sum())} of {int((~ended).sum())} that diverged, "
        f"where ReLU ended with {_percent(float(runs['lost'].mean()))} of its units dead.",
        effect=float(runs["worst"].mean()),
        num_seeds=runs["seed"].nunique(),
        scope=scope_of(runs),
        cells=tuple(cells),
        notes=(f"That no unit is dead does not say that the network learns. {'; '.join(told)}.",),
        run_ids=(*runs["run_id"], *both["run_id_relu"]),
    )
