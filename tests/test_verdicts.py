"""Verdicts: what a rule says of planted effects, and how often the machinery errs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relu_exp.evidence.claims.verdicts import Rule, Verdict, corrected, judge, judge_exact

RULE = Rule(measure="a share", says="above one half", threshold=0.5)
RATIO = Rule(measure="a ratio", says="above 1.1", threshold=1.1, ratio=True, unit="×")


def planted(mean: float, spread: float, n: int = 8, seed: int = 0) -> pd.DataFrame:
    noise = np.random.default_rng(seed).standard_normal(n)
    return pd.DataFrame({"seed": range(n), "effect": mean + spread * (noise - noise.mean())})


@pytest.mark.parametrize(
    ("mean", "side", "expected"),
    [
        (0.9, "above", "supported"),
        (0.1, "above", "refuted"),
        (0.5, "above", "inconclusive"),
        (0.9, "below", "refuted"),
        (0.1, "below", "supported"),
    ],
)
def test_a_planted_effect_gets_its_verdict(mean: float, side: str, expected: str) -> None:
    rule = replace(RULE, claimed_side=side)  # type: ignore[arg-type]
    verdict = judge(planted(mean, 0.1), rule, scope="planted")
    assert verdict.name == expected
    assert verdict.low < verdict.effect < verdict.high
    assert verdict.num_seeds == 8


def test_the_interval_is_students() -> None:
    verdict = judge(planted(0.7, 0.2, n=5), RULE, scope="")
    values = planted(0.7, 0.2, n=5)["effect"]
    half = 2.776445 * values.std(ddof=1) / math.sqrt(5)
    assert (verdict.low, verdict.high) == pytest.approx((0.7 - half, 0.7 + half), rel=1e-5)


def test_ratios_are_averaged_as_ratios() -> None:
    effects = pd.DataFrame({"seed": [0, 1], "effect": [0.5, 8.0]})
    assert judge(effects, RATIO, scope="").effect == pytest.approx(2.0)


def test_one_seed_decides_nothing() -> None:
    verdict = judge(planted(0.99, 0.0, n=1), RULE, scope="")
    assert verdict.name == "inconclusive"
    assert "no interval" in verdict.says


def test_no_measurement_is_not_a_verdict() -> None:
    effects = pd.DataFrame({"seed": [0, 1], "effect": [math.nan, math.nan]})
    assert judge(effects, RULE, scope="").name == "not decided"


def test_seeds_that_agree_exactly_are_credited_with_a_spread() -> None:
    verdict = judge(planted(1.0, 0.0), RULE, scope="")
    assert verdict.name == "supported"
    assert verdict.low < verdict.effect < verdict.high
    assert 0 < verdict.p_value < 1e-6
    near = judge(planted(0.501, 0.0, n=2), RULE, scope="")
    assert near.name == "inconclusive"


def test_a_claim_that_holds_in_one_part_only_is_conditional() -> None:
    rule = replace(RULE, grid=("depth",))
    effects = pd.concat(
        [planted(0.9, 0.05).assign(depth=2), planted(0.2, 0.05, seed=1).assign(depth=20)]
    )
    verdict = judge(effects, rule, scope="")
    assert verdict.name == "conditional"
    assert [(cell.where["depth"], cell.verdict) for cell in verdict.cells] == [
        ("2", "supported"),
        ("20", "refuted"),
    ]
    assert "Holds at depth 2" in verdict.says


def test_a_claim_that_holds_everywhere_is_not_conditional() -> None:
    rule = replace(RULE, grid=("depth",))
    effects = pd.concat(
        [planted(0.9, 0.05).assign(depth=2), planted(0.8, 0.05, seed=1).assign(depth=20)]
    )
    assert judge(effects, rule, scope="").name == "supported"


def test_the_seeds_asked_for_would_decide() -> None:
    verdict = judge(planted(0.55, 0.2), RULE, scope="")
    assert verdict.name == "inconclusive"
    assert verdict.seeds_needed is not None
    n = verdict.seeds_needed
    spread = planted(0.55, 0.2)["effect"].std(ddof=1)
    assert 1.9 * spread / math.sqrt(n) < 0.05 * 1.1


@given(st.permutations(range(8)), st.floats(0.05, 0.95))
def test_the_order_of_seeds_does_not_matter(order: list[int], mean: float) -> None:
    effects = planted(mean, 0.1)
    ours, theirs = judge(effects, RULE, scope=""), judge(effects.iloc[order], RULE, scope="")
    assert (ours.name, ours.num_seeds) == (theirs.name, theirs.num_seeds)
    assert ours.low == pytest.approx(theirs.low)


@given(st.floats(0.05, 0.95), st.floats(0.01, 0.3), st.integers(2, 12))
@settings(max_examples=50)
def test_claim_and_counterclaim_never_both_hold(mean: float, spread: float, n: int) -> None:
    effects = planted(mean, spread, n)
    sides = [
        judge(effects, replace(RULE, claimed_side=side), scope="").name  # type: ignore[arg-type]
        for side in ("above", "below")
    ]
    assert sides in (
        ["supported", "refuted"],
        ["refuted", "supported"],
        ["inconclusive", "inconclusive"],
    )


def test_holm_takes_back_what_chance_would_give() -> None:
    def with_p(p: float) -> Verdict:
        return Verdict("supported", "", effect=1, num_seeds=8, p_value=p)

    family = {"strong": with_p(1e-6), "middling": with_p(0.012), "weak": with_p(0.04)}
    family["open"] = Verdict("inconclusive", "", num_seeds=8, p_value=0.5)
    after = corrected(family)
    names = {claim: verdict.name for claim, verdict in after.items()}
    assert names == {
        "strong": "supported",
        "middling": "supported",  # 0.012 × 3
        "weak": "inconclusive",  # 0.04 × 2
        "open": "inconclusive",
    }
    assert "Holm" in after["weak"].notes[-1]


def test_exact_claims_are_not_corrected() -> None:
    verdict = judge_exact(False, "x = 2 is a counter-example")
    assert corrected({"exact": verdict})["exact"] == verdict
    assert verdict.name == "refuted"


def test_null_effects_are_called_decided_as_rarely_as_promised() -> None:
    generator = np.random.default_rng(0)
    trials, wrong = 1000, 0
    for _ in range(trials):
        effects = pd.DataFrame({"seed": range(8), "effect": 0.5 + generator.standard_normal(8)})
        wrong += judge(effects, RULE, scope="").name != "inconclusive"
    assert wrong / trials == pytest.approx(0.05, abs=0.02)
