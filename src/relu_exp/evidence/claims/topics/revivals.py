"""Claims about units that come back: counted exactly, unit by unit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from relu_exp.evidence.claims.arms import choose, own_values, scope_of
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError, claim
from relu_exp.evidence.claims.shown import OWN, Shown
from relu_exp.evidence.claims.topics.dying import percent
from relu_exp.evidence.claims.verdicts import Effects, Rule
from relu_exp.evidence.data.derived import revivals
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.labels import NAMES

__all__ = ["came_back"]

NEVER_RECOVER = Rule(
    measure="units that were dead at one probe and alive at a later one",
    says="no dead unit is ever alive again, in any setting: first layer or deeper, each "
    "optimizer; one that is, is a counter-example to its setting",
    grid=("layer", "optimizer"),
    kind="counts",
    need="every",
)


@claim(
    "dead-units-never-recover",
    group="D",
    statement="Once a ReLU unit is dead its weights are never updated again: it stays dead.",
    statement_ko="한 번 죽은 ReLU 유닛은 가중치가 다시는 업데이트되지 않으므로 되살아나지 않는다.",
    sources={"D0": "렐루, note 1", "D2": "3", "D4": "ReLU"},
    experiments=("revivals", "dying-relu"),
    rule=NEVER_RECOVER,
    figure=Shown(
        OWN, x="layer", series=("optimizer_label",), rows="experiment", words="revived", share=True
    ),
)
def dead_units_never_recover(evidence: Evidence) -> Effects:
    """Count, unit by unit, which units were dead at one probe and alive at a later one."""
    counted = [came_back(evidence[name], name) for name in ("revivals", "dying-relu")]
    found = pd.concat([part for part in counted if not part.empty] or counted[:1])
    if found.empty:
        raise MissingRunsError("no unit died in any run: there is nothing that could come back")
    shares = found.assign(share=found["revived"] / found["ever"])
    values = own_values(shares, "share", "layer")
    found = found.assign(layer=found["place"], found=found["revived"], of=found["ever"])
    phrases = [
        f"{layer}, {optimizer}: {percent(part['found'].sum() / part['of'].sum())} "
        f"(n = {int(part['of'].sum()):,})"
        for (layer, optimizer), part in found.groupby(["layer", "optimizer"], sort=True)
    ]
    revived, ever = int(found["found"].sum()), int(found["of"].sum())
    return Effects(
        found,
        text=f"Of {ever:,} units that were dead at a probe, {revived:,} were alive at a later one "
        f"({'; '.join(phrases)}). One is enough to refute 'never'.",
        scope=scope_of(found),
        notes=(
            "The first layer's inputs never change: with no gradient nothing can move it back, "
            "unless the optimizer moves it by itself. Deeper, the layers below move the inputs.",
            "Probes are some updates apart: units that died and revived between two are not "
            "seen, so the counts are lower bounds. A unit counts once, however often it returns. "
            "Runs that diverged are left out.",
        ),
        run_ids=tuple(found["run_id"].unique()),
        values=values,
    )


def came_back(frames: Frames, name: str) -> pd.DataFrame:
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
    found = layers.agg(ever=("newly_dead", "sum"), revived=("newly_revived", "sum")).reset_index()
    found["place"] = found["layer"].map(lambda layer: "first" if layer == 1 else "deeper")
    found = found.merge(runs, on="run_id")
    return found.assign(optimizer=[_optimizer(run) for run in found.to_dict("records")])


def _optimizer(run: Mapping[Any, Any]) -> str:
    """Return optimizer and what makes it move a weight without a gradient."""
    phrases = [
        f"{key} {run[f'optimizer.{key}']:g}"
        for key in ("momentum", "weight_decay")
        if isinstance(run.get(f"optimizer.{key}"), float) and run[f"optimizer.{key}"]
        if not math.isnan(run[f"optimizer.{key}"])
    ]
    return ", ".join(
        [
            NAMES.get(str(run["optimizer"]), str(run["optimizer"])),
            *(word.replace("_", " ") for word in phrases),
        ]
    )
