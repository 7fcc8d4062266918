"""Claims of every verdict, planted: what pages about them must show is known beforehand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
from matplotlib.text import Text as DrawnText

from relu_exp.core.schema import Choice
from relu_exp.evidence.claims.judging import judge
from relu_exp.evidence.claims.registry import Claim, Evidence, Literature, Source, find_claim
from relu_exp.evidence.claims.shown import Shown
from relu_exp.evidence.claims.verdicts import Effects, Rule, Verdict
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.figures.pictures import LETTERS
from relu_exp.evidence.report.claim_pictures import draw_claim
from relu_exp.evidence.report.verdict_pages import Judged, build

import synthetic

HE = Choice("he_normal", (("gain", 2**0.5), ("mode", "fan_in")))
RUNS = synthetic.configs(("relu",), (HE,), (2,), (0.1,), (0, 1), probe_steps=())
RULE = Rule(measure="a ratio", says="above <1.1>", threshold=1.1, ratio=True, unit="×")
GRID = replace(RULE, grid=("depth", "rate"))
EXACT = Rule("m", "a formula", kind="cases", need="every")
FALSE_BY = 'It <b>fails</b> | "here"'


def seeds(**effects: float) -> pd.DataFrame:
    rows = [
        {"seed": seed, "effect": value * (1 + 0.01 * seed), "depth": name[1:], "rate": "0.1"}
        for name, value in effects.items()
        for seed in range(8)
    ]
    return pd.DataFrame(rows)


def exact(holds: bool, text: str = "") -> Effects:
    """Return one computed case."""
    return Effects(pd.DataFrame({"holds": [holds]}), text=text)


def verdict_of(name: str, evidence: Evidence) -> Verdict:
    """Return the verdict of a claim, before any correction; what is missing is raised."""
    claim = find_claim(name)
    effects = claim.effects(evidence)
    if name not in PICTURED:
        PICTURED.add(name)
        check_picture(claim, evidence, effects)
    return judge(effects, claim.rule)


PICTURED: set[str] = set()
"""The claims whose picture was checked already."""


def check_picture(claim: Claim, evidence: Evidence, effects: Effects) -> None:
    """Check that a claim's picture draws the runs that were judged, all of those it says."""
    drawing = draw_claim(claim, evidence, effects)
    assert (drawing is None) == (claim.figure is None), claim.id
    if drawing is None:
        return
    assert isinstance(claim.figure, Shown)
    judged = pd.concat([frames.runs.assign(experiment=name) for name, frames in opened(evidence)])
    judged = judged[judged["run_id"].isin(effects.run_ids)]
    for column, value in claim.figure.only.items():
        judged = judged[judged[column] == value]
    stated = {*judged["run_id"]}
    if effects.values is not None:
        # a run that never got there has no value to draw
        stated &= {*effects.values.loc[effects.values["own"].notna(), "run_id"]}
    assert {*drawing.run_ids} == stated, claim.id
    assert bool(stated) == bool(effects.run_ids)
    assert ("no others" in drawing.caption) == (stated == {*effects.run_ids} != set())
    for artist in drawing.figure.findobj(DrawnText):
        if artist.get_text() and artist.get_visible():
            assert artist.get_size() == LETTERS, (claim.id, artist.get_text())


def opened(evidence: Evidence) -> list[tuple[str, Frames]]:
    return [(folder.name, frames.only("float32")) for folder, frames in evidence._opened.items()]


def missing(evidence: Evidence) -> Effects:
    evidence["nowhere"]
    raise AssertionError


def made(id: str, effects: object, rule: Rule = RULE, **more: object) -> Claim:
    return Claim(
        id=id,
        group="C",
        statement=f"A <statement> of {id} | & more.",
        statement_ko="렐루가 더 빠르다.",
        sources=(Source("D2", "2.3"), Source("D4", "2")),
        experiments=("planted",),
        rule=rule,
        effects=effects,  # type: ignore[arg-type]
        **more,  # type: ignore[arg-type]
    )


CLAIMS = [
    made(
        "true",
        lambda _: Effects(seeds(d2=2.0), scope="a scope", run_ids=[run.run_id for run in RUNS]),
        literature=(Literature("Somebody 2015", "the same", "second-hand"),),
        figure="loss_curves",
        disagrees_with="exact",
    ),
    made("exact", lambda _: exact(False, FALSE_BY), EXACT),
    made("divided", lambda _: Effects(seeds(d2=2.0, d9=0.5)), GRID),
    made("open", lambda _: Effects(seeds(d2=1.0).head(1)), replace(RULE, ratio=False)),
    made("unrun", missing),
]


def write_planted(root: Path) -> Judged:
    """Write one experiment that the claims speak of below `root`, and hear them all."""
    synthetic.write(root / "planted", RUNS, budget="quick")
    return build(root, CLAIMS)
