"""Claims of every verdict, planted: what pages about them must show is known beforehand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from relu_exp.core.schema import Choice
from relu_exp.evidence.claims.judging import judge
from relu_exp.evidence.claims.registry import Claim, Evidence, Literature, Source, find_claim
from relu_exp.evidence.claims.verdicts import Effects, Rule, Verdict
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
    return judge(claim.effects(evidence), claim.rule)


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
    picture = root / "planted" / "figures" / "loss_curves-best_rate.png"
    picture.parent.mkdir()
    picture.write_bytes(b"")
    picture.with_suffix(".svg").write_text('<svg viewBox="0 0 300 200"></svg>')
    return build(root, CLAIMS)
