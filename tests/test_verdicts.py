"""Verdicts: what a rule says of planted effects, and how often the machinery errs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from relu_exp.evidence.claims.by_count import parts_of
from relu_exp.evidence.claims.correction import corrected
from relu_exp.evidence.claims.judging import judge
from relu_exp.evidence.claims.topics.leaks import DEPENDS, NEARLY_ALWAYS
from relu_exp.evidence.claims.topics.ranking import RANKING
from relu_exp.evidence.claims.verdicts import Effects, Need, Rule, Verdict
from relu_exp.evidence.data.statistics import seeds_to_decide, typical_interval, typical_p

from planted_claims import exact

RULE = Rule(measure="a share", says="above one half", threshold=0.5)
EXACT = Rule(measure="a formula", says="holds", kind="cases", need="every")
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
    verdict = judge(Effects(planted(mean, 0.1)), rule)
    assert verdict.name == expected
    assert verdict.low < verdict.effect < verdict.high
    assert verdict.num_seeds == 8


def test_the_interval_is_students_and_never_narrower_than_that_of_the_median() -> None:
    verdict = judge(Effects(planted(0.7, 0.2, n=5)), RULE)
    values = planted(0.7, 0.2, n=5)["effect"]
    half = 2.776445 * values.std(ddof=1) / math.sqrt(5)
    # five values prove nothing of the median within their extremes
    ends = min(0.7 - half, values.min()), max(0.7 + half, values.max())
    assert (verdict.low, verdict.high) == pytest.approx(ends, rel=1e-5)


def test_the_interval_of_a_share_ends_at_its_ends() -> None:
    whole = judge(Effects(planted(0.98, 0.05)), RULE)
    assert whole.high > 1
    share = judge(Effects(planted(0.98, 0.05)), replace(RULE, within=(0.0, 1.0)))
    assert (share.low, share.high, share.name) == (whole.low, 1.0, whole.name)
    zero = judge(Effects(planted(0.01, 0.05)), replace(RULE, within=(0.0, 1.0)))
    assert zero.low == 0.0 < zero.high


def test_ratios_are_averaged_as_ratios() -> None:
    effects = pd.DataFrame({"seed": [0, 1], "effect": [0.5, 8.0]})
    assert judge(Effects(effects), RATIO).effect == pytest.approx(2.0)


def test_one_seed_decides_nothing() -> None:
    verdict = judge(Effects(planted(0.99, 0.0, n=1)), RULE)
    assert verdict.name == "inconclusive"
    assert "no interval" in verdict.text


def test_no_measurement_is_not_a_verdict() -> None:
    effects = pd.DataFrame({"seed": [0, 1], "effect": [math.nan, math.nan]})
    assert judge(Effects(effects), RULE).name == "not decided"


def test_seeds_that_agree_exactly_are_credited_with_a_spread() -> None:
    verdict = judge(Effects(planted(1.0, 0.0)), RULE)
    assert verdict.name == "supported"
    assert verdict.low < verdict.effect < verdict.high
    assert 0 < verdict.p_value < 1e-6
    near = judge(Effects(planted(0.501, 0.0, n=2)), RULE)
    assert near.name == "inconclusive"


def test_a_claim_that_holds_in_one_part_only_is_conditional() -> None:
    rule = replace(RULE, grid=("depth",))
    effects = pd.concat(
        [planted(0.9, 0.05).assign(depth=2), planted(0.2, 0.05, seed=1).assign(depth=20)]
    )
    verdict = judge(Effects(effects), rule)
    assert verdict.name == "conditional"
    assert [(cell.where["depth"], cell.verdict) for cell in verdict.settings] == [
        ("2", "supported"),
        ("20", "refuted"),
    ]
    assert "Holds at depth 2" in verdict.text


def test_a_claim_that_holds_everywhere_is_not_conditional() -> None:
    rule = replace(RULE, grid=("depth",))
    effects = pd.concat(
        [planted(0.9, 0.05).assign(depth=2), planted(0.8, 0.05, seed=1).assign(depth=20)]
    )
    assert judge(Effects(effects), rule).name == "supported"


def test_the_seeds_asked_for_would_decide() -> None:
    verdict = judge(Effects(planted(0.55, 0.2)), RULE)
    assert verdict.name == "inconclusive"
    assert verdict.seeds_needed is not None
    n = verdict.seeds_needed
    spread = planted(0.55, 0.2)["effect"].std(ddof=1)
    assert 1.9 * spread / math.sqrt(n) < 0.05 * 1.1


@given(st.permutations(range(8)), st.floats(0.05, 0.95))
def test_the_order_of_seeds_does_not_matter(order: list[int], mean: float) -> None:
    effects = planted(mean, 0.1)
    ours, theirs = judge(Effects(effects), RULE), judge(Effects(effects.iloc[order]), RULE)
    assert (ours.name, ours.num_seeds) == (theirs.name, theirs.num_seeds)
    assert ours.low == pytest.approx(theirs.low)


@given(st.floats(0.05, 0.95), st.floats(0.01, 0.3), st.integers(2, 12))
@settings(max_examples=50)
def test_claim_and_counterclaim_never_both_hold(mean: float, spread: float, n: int) -> None:
    effects = planted(mean, spread, n)
    sides = [
        judge(Effects(effects), replace(RULE, claimed_side=side)).name  # type: ignore[arg-type]
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
    verdict = judge(exact(False, "x = 2 is a counter-example"), EXACT)
    assert corrected({"exact": verdict})["exact"] == verdict
    assert verdict.name == "refuted"


def test_null_effects_are_called_decided_as_rarely_as_promised() -> None:
    generator = np.random.default_rng(0)
    trials, wrong = 1000, 0
    for _ in range(trials):
        effects = pd.DataFrame({"seed": range(8), "effect": 0.5 + generator.standard_normal(8)})
        wrong += judge(Effects(effects), RULE).name != "inconclusive"
    assert wrong / trials == pytest.approx(0.05, abs=0.02)


STEPS = Rule(measure="a difference", says="above 0", threshold=0.0, resolution=0.01, grid=("part",))

EVERY, SOME = replace(STEPS, need="every"), replace(STEPS, need="some")


def grid(**means: float) -> pd.DataFrame:
    """Return eight seeds of every part, spread by 0.1 around its mean."""
    parts = [planted(mean, 0.1, seed=7).assign(part=part) for part, mean in means.items()]
    return pd.concat(parts, ignore_index=True)


def test_a_seed_counts_once_in_every_part() -> None:
    once = judge(Effects(grid(a=0.05, b=0.2)), STEPS)
    wider = pd.concat([grid(a=0.05, b=0.2).assign(width=width) for width in (10, 50, 100)])
    thrice = judge(Effects(wider), STEPS)
    assert [cell.num_seeds for cell in thrice.settings] == [8, 8]
    for ours, theirs in zip(thrice.settings, once.settings, strict=True):
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))
        assert ours.verdict == theirs.verdict
    of_parts = parts_of(wider, ["part"])
    assert of_parts["n"].tolist() == [8, 8]
    assert of_parts["low"].tolist() == pytest.approx(parts_of(grid(a=0.05, b=0.2), ["part"])["low"])


def test_seeds_that_agree_on_a_step_are_no_certainty_where_the_threshold_is_0() -> None:
    equal = pd.DataFrame({"seed": [0, 1], "effect": [0.002, 0.002]})
    rule = replace(RANKING, grid=())
    assert judge(Effects(equal), rule).name == "inconclusive"


def test_the_p_value_is_that_of_the_parts_that_decide() -> None:
    some = judge(Effects(grid(a=0.14, b=-5.0)), SOME)
    assert some.name == "supported"
    held, broken = some.settings
    assert broken.p_value < 1e-6 < held.p_value
    assert some.p_value == pytest.approx(2 * held.p_value)
    every = judge(Effects(grid(a=-0.14, b=0.001)), EVERY)
    assert every.name == "refuted"
    assert every.p_value == pytest.approx(2 * every.settings[0].p_value)
    assert judge(Effects(grid(a=5.0, b=0.2)), EVERY).p_value == pytest.approx(
        judge(Effects(grid(a=5.0, b=0.2)), EVERY).settings[1].p_value
    )


@pytest.mark.parametrize(
    ("need", "means", "decisive"),
    [
        # one part that leans to hold is enough; that others are nearer to be broken is no help
        ("some", {"a": 0.02, "b": -0.08, "c": 0.06}, "c"),
        ("some", {"a": -0.02, "b": -0.08}, "a"),
        # one that leans to break it is enough, or all must hold
        ("every", {"a": -0.04, "b": 0.08, "c": 0.01}, "a"),
        ("every", {"a": 0.04, "b": 0.08}, "a"),
    ],
)
def test_the_seeds_asked_for_are_those_of_the_parts_that_decide(
    need: Need, means: dict[str, float], decisive: str
) -> None:
    verdict = judge(Effects(grid(**means)), replace(STEPS, need=need))
    assert verdict.name == "inconclusive"
    (cell,) = (cell for cell in verdict.settings if cell.where["part"] == decisive)
    needed = seeds_to_decide(cell.distance, 0.05 / len(means), cell.across)
    assert verdict.seeds_needed == needed


def test_no_number_of_seeds_is_promised_where_mean_and_median_disagree() -> None:
    # one seed of 24 collapses: the mean lies below the limit and most seeds above
    values = np.r_[0.512 + 0.01 * np.sin(np.arange(23)), -0.4]
    one = pd.DataFrame({"seed": range(24), "effect": values})
    verdict = judge(Effects(one), RULE)
    assert verdict.name == "inconclusive"
    assert verdict.effect < 0.5 < np.median(values)
    assert verdict.seeds_needed is None
    # the same of a rule that counts settings: its difference is little in the median, not the mean
    many = grid(a=0.0).assign(leak="0.01", initializer="He", depth="2", data="d")
    fallen = many.assign(effect=[*many["effect"][:-1] / 100, -0.94])
    counted = judge(Effects(fallen), DEPENDS)
    assert counted.name == "inconclusive"
    assert counted.seeds_needed is None


def test_every_setting_counts_alike_in_the_mean_also_where_it_lacks_seeds() -> None:
    full = grid(a=0.1, b=0.3)
    rule = replace(STEPS, need="mean", grid=("part",))
    lacking = full[(full["part"] == "a") | (full["seed"] < 2)]
    assert judge(Effects(lacking), rule).effect == pytest.approx(
        lacking.groupby("part")["effect"].mean().mean()
    )
    assert judge(Effects(full), rule).effect == pytest.approx(full["effect"].mean())


def test_a_conditional_verdict_pays_for_looks_and_for_the_other_claims() -> None:
    verdict = judge(Effects(grid(a=0.13, b=-0.14)), STEPS)
    assert verdict.name == "conditional"
    held, broken = verdict.settings
    assert verdict.p_value == pytest.approx(2 * max(held.p_value, broken.p_value))
    few, many = math.floor(0.05 / verdict.p_value), math.floor(0.05 / verdict.p_value) + 1
    assert few >= 1
    assert corrected({"c": verdict}, {"c": few})["c"].name == "conditional"
    found = corrected({"c": verdict}, {"c": many})["c"]
    assert found.name == "inconclusive"
    assert f"{many} looks" in found.notes[-1]
    others = {f"open {n}": Verdict("inconclusive", "", p_value=0.9) for n in range(many - 1)}
    assert corrected({"c": verdict, **others})["c"].name == "inconclusive"
    every = judge(Effects(grid(a=0.13, b=-0.14)), EVERY)
    assert (every.name, every.p_value) == ("conditional", verdict.p_value)


def test_rules_that_count_settings_have_a_p_value_at_which_they_still_decide() -> None:
    rule = replace(NEARLY_ALWAYS, grid=("part",))
    rows = grid(a=0.2, b=0.25, c=0.3)
    verdict = judge(Effects(rows), rule)
    assert verdict.name == "supported"
    # the weakest setting must be surely above the limit, and all of them at once
    parts = parts_of(rows, ["part"]).set_index("part")
    assert rule.part_threshold is not None
    t = (parts["mean"]["a"] - rule.part_threshold) / (parts["std"]["a"] / math.sqrt(8))
    assert verdict.p_value == pytest.approx(3 * 2 * stats.t.sf(t, 7), rel=1e-4)
    assert corrected({"c": verdict}, {"c": 10_000})["c"].name == "inconclusive"


def settings_of(**means: float) -> Effects:
    """Return settings whose differences are known to a tenth of a point."""
    every = [planted(mean, 0.0001, seed=7).assign(part=part) for part, mean in means.items()]
    return Effects(pd.concat(every, ignore_index=True))


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ({"a": 0.006, "b": 0.009}, "refuted"),  # the same one everywhere
        ({"a": 0.006, "b": 0.03}, "refuted"),  # also where it is by much
        ({"a": 0.03, "b": -0.03}, "refuted"),  # nowhere little
        ({"a": 0.006, "b": -0.004}, "supported"),
        ({"a": 0.03, "b": -0.004}, "conditional"),
        ({"a": 0.004, "b": 0.003}, "supported"),  # little everywhere, whoever is better
        ({"a": 0.02, "b": 0.003}, "inconclusive"),  # one is at the limit
    ],
)
def test_leaky_or_relu_depends_as_its_rule_says(means: dict[str, float], expected: str) -> None:
    assert judge(settings_of(**means), replace(DEPENDS, grid=("part",))).name == expected


def test_nine_parts_in_ten_are_almost_always() -> None:
    rule = replace(NEARLY_ALWAYS, grid=("part",))
    nine = {f"p{number}": 0.1 for number in range(9)}
    assert judge(settings_of(**nine, last=-0.1), rule).name == "supported"
    assert judge(settings_of(**nine, last=-0.1, more=-0.1), rule).name == "refuted"
    open_ = pd.concat([planted(0.06, 0.1, seed=7).assign(part=f"p{n}") for n in range(10)])
    verdict = judge(Effects(open_), rule)
    assert verdict.name == "inconclusive"
    assert verdict.seeds_needed is not None
    assert verdict.seeds_needed > 8


def test_counted_exceptions_refute_the_settings_they_are_in() -> None:
    rule = Rule("exceptions", "none", grid=("depth",), kind="counts", need="every")
    rows = pd.DataFrame(
        {"seed": [0, 1, 0], "depth": [2, 2, 5], "found": [0, 0, 3], "of": [9, 9, 9]}
    )
    verdict = judge(Effects(rows, text="three"), rule)
    assert verdict.name == "conditional"
    assert [(cell.where["depth"], cell.verdict) for cell in verdict.settings] == [
        ("2", "supported"),
        ("5", "refuted"),
    ]
    assert verdict.effect == pytest.approx(3 / 27)


def test_the_same_rule_judges_what_was_measured_elsewhere_in_a_note() -> None:
    effects = Effects(planted(0.9, 0.1), notes=["First."], elsewhere={"GPU": planted(0.1, 0.1)})
    verdict = judge(effects, RULE)
    assert verdict.name == "supported"
    assert verdict.notes[0] == "First."
    assert verdict.notes[1].startswith("On the GPU, refuted: a share: 0.1")


def test_a_sentence_counts_no_zero() -> None:
    grid = replace(RULE, grid=("part",), need="every")
    assert "fails in none" in judge(settings_of(a=0.9, b=0.9), grid).text
    assert "holds in none of 2" in judge(settings_of(a=0.1, b=0.1), grid).text
    share = judge(settings_of(a=0.1, b=0.1), replace(NEARLY_ALWAYS, grid=("part",))).text
    assert "surely not in none, undecided in none" in share
    depends = judge(settings_of(a=0.006, b=0.009), replace(DEPENDS, grid=("part",))).text
    assert "surely below in none" in depends


def bounded(effect: float, bound: str) -> Effects:
    """Return eight ratios near `effect`, half of which are bounds."""
    noise = np.linspace(-0.02, 0.02, 8)
    rows = pd.DataFrame({"seed": range(8), "effect": effect * np.exp(noise), "bound": "none"})
    rows.loc[::2, "bound"] = bound
    return Effects(rows)


@pytest.mark.parametrize(
    ("effect", "bound", "expected"),
    [
        (2.0, "lower", "supported"),
        (0.5, "lower", "inconclusive"),  # the true ratio may be any that is larger
        (0.5, "upper", "refuted"),
        (2.0, "upper", "inconclusive"),
        (0.5, "none", "refuted"),
    ],
)
def test_a_time_that_never_came_is_a_bound(effect: float, bound: str, expected: str) -> None:
    verdict = judge(bounded(effect, bound), RATIO)
    assert verdict.name == expected
    assert verdict.p_value == 1 or expected != "inconclusive"
    if bound != "none":
        assert "[" not in verdict.text
        assert ("more than" if bound == "lower" else "less than") in verdict.text
        assert math.isinf(verdict.high if bound == "lower" else verdict.low)
        assert verdict.seeds_needed is None


def test_bounds_on_both_sides_decide_nothing() -> None:
    rows = bounded(2.0, "lower").rows
    rows.loc[1, "bound"] = "upper"
    verdict = judge(Effects(rows), RATIO)
    assert verdict.name == "inconclusive"
    assert "not known" in verdict.text


@pytest.mark.parametrize(("effect", "equivalent"), [(1.0, True), (1.2, False), (1.08, False)])
def test_an_interval_within_the_margin_is_no_difference_that_matters(
    effect: float, equivalent: bool
) -> None:
    noise = np.exp(np.linspace(-0.05, 0.05, 8))
    rows = pd.DataFrame({"seed": range(8), "effect": effect * noise})
    assert judge(Effects(rows), replace(RATIO, margin=1.1)).equivalent == equivalent
    assert not judge(Effects(rows), RATIO).equivalent
    differences = rows.assign(effect=effect - 1 + np.linspace(-0.01, 0.01, 8))
    assert judge(Effects(differences), replace(RULE, margin=0.1, resolution=0.001)).equivalent == (
        effect < 1.1
    )


def test_failures_are_counted_apart_from_how_good_an_arm_is() -> None:
    rows = planted(0.9, 0.05, n=20).assign(first_failed=False, second_failed=False)
    rows.loc[:2, "first_failed"] = True
    rows.loc[:2, "effect"] = -5.0
    together = judge(Effects(rows), RULE)
    assert together.effect < 0.1
    apart = judge(Effects(rows), replace(RULE, failures="apart"))
    assert (apart.name, apart.num_seeds) == ("supported", 17)
    assert apart.effect == pytest.approx(0.9, abs=0.05)
    for verdict in (together, apart):
        (note,) = verdict.notes
        assert "the first in 3 of 20 [3%, 38%], the second in 0 of 20 [0%, 17%]" in note


def test_the_setting_that_decides_is_shown_and_not_the_mean() -> None:
    every = judge(Effects(grid(a=5.0, b=0.2)), EVERY)
    assert (every.name, every.place) == ("supported", "part b")
    assert every.effect == pytest.approx(0.2)
    assert "The one that decides, part b: 0.2" in every.text
    some = judge(Effects(grid(a=5.0, b=-0.2)), SOME)
    assert (some.place, some.effect) == ("part a", pytest.approx(5.0))
    mixed = judge(Effects(grid(a=5.0, b=-0.2)), STEPS)
    assert mixed.name == "conditional"
    assert (mixed.least, mixed.most) == pytest.approx((-0.2, 5.0))
    assert "-0.2 to 5 by setting" in mixed.text
    assert "2.4" not in mixed.text


SHAPES = {
    "normal": (lambda g, size: g.standard_normal(size), 0.0),
    "lognormal": (lambda g, size: np.exp(g.standard_normal(size)), 1.0),
    "heavy tails": (lambda g, size: g.standard_t(2, size), 0.0),
    "collapse": (
        lambda g, size: 0.1 * g.standard_normal(size) - 5.0 * (g.random(size) < 0.15),
        0.1 * stats.norm.ppf(0.35 / 0.85),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [8, 20])
def test_the_interval_covers_what_is_typical_whatever_the_shape(shape: str, n: int) -> None:
    draw, median = SHAPES[shape]
    values = draw(np.random.default_rng(3), (600, n))
    ends = np.array([typical_interval(each) for each in values])
    assert np.mean((ends[:, 0] <= median) & (median <= ends[:, 1])) >= 0.94


@given(st.integers(2, 30), st.floats(-2, 2), st.floats(0.001, 0.3), st.integers(0, 10**6))
def test_the_p_value_is_the_level_at_which_the_interval_leaves_the_threshold_out(
    n: int, threshold: float, level: float, seed: int
) -> None:
    values = np.random.default_rng(seed).standard_normal(n)
    low, high = typical_interval(values, 1 - level)
    assert (typical_p(values, threshold) <= level) == (not low <= threshold <= high)
