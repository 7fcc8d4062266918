"""Claims of every verdict, planted: what pages about them must show is known beforehand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd

from relu_exp.core.schema import Choice
from relu_exp.evidence.claims.registry import Claim, Evidence, Literature, Source
from relu_exp.evidence.claims.verdicts import Rule, Verdict, judge, judge_exact
from relu_exp.evidence.report.verdict_pages import Judged, build

import synthetic

HE = Choice("he_normal", (("gain", 2**0.5), ("mode", "fan_in")))
RUNS = synthetic.configs(("relu",), (HE,), (2,), (0.1,), (0, 1), probe_steps=())
RULE = Rule(measure="a ratio", says="above <1.1>", threshold=1.1, ratio=True, unit="×")
GRID = replace(RULE, grid=("depth", "rate"))
FALSE_BY = 'It <b>fails</b> | "here"'


def seeds(**effects: float) -> pd.DataFrame:
    rows = [
        {"seed": seed, "effect": value * (1 + 0.01 * seed), "depth": name[1:], "rate": "0.1"}
        for name, value in effects.items()
        for seed in range(8)
    ]
    return pd.DataFrame(rows)


def missing(evidence: Evidence) -> Verdict:
    evidence["nowhere"]
    raise AssertionError


def made(id: str, decide: object, rule: Rule = RULE, **more: object) -> Claim:
    return Claim(
        id=id,
        group="C",
        statement=f"A <statement> of {id} | & more.",
        statement_ko="렐루가 더 빠르다.",
        sources=(Source("D2", "2.3"), Source("D4", "2")),
        experiments=("planted",),
        rule=rule,
        decide=decide,  # type: ignore[arg-type]
        **more,  # type: ignore[arg-type]
    )


CLAIMS = [
    made(
        "true",
        lambda _: judge(seeds(d2=2.0), RULE, scope="a scope", run_ids=[run.run_id for run in RUNS]),
        literature=(Literature("Somebody 2015", "the same", "second-hand"),),
        figure="loss_curves",
        disagrees_with="exact",
    ),
    made("exact", lambda _: judge_exact(False, FALSE_BY), Rule("m", "a formula")),
    made("divided", lambda _: judge(seeds(d2=2.0, d9=0.5), GRID, scope=""), GRID),
    made("open", lambda _: Verdict("inconclusive", "Who knows.", 1.0, -math.inf, math.inf, 1)),
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
