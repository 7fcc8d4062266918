"""Answers: for every claim and every outcome one plain sentence that agrees with the verdict."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from relu_exp.evidence.claims.answers import answer, sentences
from relu_exp.evidence.claims.answers.findings import measured
from relu_exp.evidence.claims.answers.numbers import (
    Measured,
    Unit,
    amount,
    digits,
    range_of,
    said,
)
from relu_exp.evidence.claims.answers.places import conditions_of, in_a_sentence, in_words
from relu_exp.evidence.claims.answers.words_of import OWN, own_words
from relu_exp.evidence.claims.judging import judge, judge_all
from relu_exp.evidence.claims.registry import Claim, all_claims
from relu_exp.evidence.claims.verdicts import Effects, Rule, SettingVerdict, Verdict
from relu_exp.evidence.data.language import language
from relu_exp.evidence.data.texts import Text

CLAIMS = list(all_claims())
SAMPLED = [claim for claim in CLAIMS if claim.rule.kind == "effects"]
COUNTED = [claim for claim in CLAIMS if claim.rule.kind == "counts"]
EXACT = [claim for claim in CLAIMS if claim.rule.kind == "cases"]
SEEDS = 8
NOISE = (0.9, 0.95, 0.98, 1.0, 1.0, 1.02, 1.05, 1.1)


def by_id(claims: list[Claim]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("claim", claims, ids=[claim.id for claim in claims])


def places(claim: Claim) -> list[dict[str, str]]:
    """Return a grid of the claim's axes, with the values that its words name."""
    values = []
    for axis in claim.rule.grid:
        named = [v for each in own_words(claim).findings for v in each.where.get(axis, ())]
        values.append(named or ["leaky_relu", "SGD (momentum=0.9)"])
    return [dict(zip(claim.rule.grid, one, strict=True)) for one in product(*values)]


def away(rule: Rule, sizes: list[float]) -> list[float]:
    """Return effects from their distances from the threshold, positive on the claimed side."""
    assert rule.threshold is not None
    way = 1 if rule.claimed_side == "above" else -1
    if rule.ratio:
        return [rule.threshold * 1.7 ** (way * size) for size in sizes]
    step = 0.03123 + 0.4 * abs(rule.threshold)
    return [rule.threshold + way * step * size for size in sizes]


def seeds_with(rule: Rule, where: dict[str, str], effects: list[float]) -> list[dict[str, Any]]:
    """Return rows with one value for each unit of the intervals: a seed, or a set of seeds."""
    return [
        where | {"seed": number * rule.set_of + seed, "effect": effect}
        for number, effect in enumerate(effects)
        for seed in range(rule.set_of)
    ]


def planted(claim: Claim, sides: list[float], bound: str | None = None) -> Verdict:
    """Return the verdict of effects at distances from the threshold, one for each setting."""
    rows = []
    for where, side in zip(places(claim), sides, strict=True):
        effects = away(claim.rule, [side * noise for noise in NOISE])
        rows += seeds_with(claim.rule, where, effects)
    found = pd.DataFrame(rows)
    return judge(Effects(found if bound is None else found.assign(bound=bound)), claim.rule)


def check_plain(claim: Claim, found: Text) -> None:
    """Check what holds of every answer: one sentence that a student can read."""
    for text in found:
        assert re.findall(r"[.!?](?=\s|$)", text) == ["."], text
        assert text.endswith("."), text
        assert not re.search(r"[a-z]_[a-z]|\w=\w|[{}]|\bnan\b|\binf\b|\de[-+]?\d", text), text
        for number in re.findall(r"\d[\d,]*(?:\.\d+)?", text):
            significant = number.replace(",", "").replace(".", "").strip("0")
            assert len(significant) <= 3, (number, text)
        for name in (claim.id, *claim.experiments):
            assert "-" not in name or name not in text, text
    assert re.search("[가-힣]", found.ko)
    assert not re.search("[가-힣]", found.en)


def begins(text: str, with_: str) -> bool:
    return text.lower().startswith(with_.lower())


def check_number(claim: Claim, verdict: Verdict | SettingVerdict, found: Text) -> None:
    """Check that an answer has the number of an effect."""
    where = verdict.where if isinstance(verdict, SettingVerdict) else {}
    for finding in own_words(claim).findings:
        if where and all(where.get(axis) in values for axis, values in finding.where.items()):
            number = measured(finding, verdict)
            with language("en"):
                shown = amount(abs(number.value), finding.unit).split()[0].rstrip("%")
            assert all(shown in text for text in found), (shown, found)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no sentence name every place, and shorten each to its extremes."""
    for name in ("LONGEST", "LONGEST_IN_FULL"):
        monkeypatch.setattr(sentences, name, 0)


@by_id(SAMPLED)
def test_an_answer_says_that_a_claim_holds_and_by_how_much(claim: Claim) -> None:
    verdict = planted(claim, [1.0] * len(places(claim)))
    found = answer(claim, verdict)
    assert verdict.name == "supported"
    check_plain(claim, found)
    assert begins(found.en, own_words(claim).holds.en)
    assert begins(found.ko, own_words(claim).holds.ko)
    for setting in verdict.settings:
        check_number(claim, setting, found)


@by_id(SAMPLED)
def test_an_answer_says_that_a_claim_fails_and_by_how_much(claim: Claim) -> None:
    verdict = planted(claim, [-1.0] * len(places(claim)))
    found = answer(claim, verdict)
    assert verdict.name == "refuted"
    check_plain(claim, found)
    if verdict.equivalent:
        assert begins(found.en, "There is no difference that matters")
    else:
        assert begins(found.en, own_words(claim).fails.en)
        assert begins(found.ko, own_words(claim).fails.ko)
    for setting in verdict.settings:
        check_number(claim, setting, found)


@by_id([claim for claim in SAMPLED if claim.rule.grid and claim.rule.need != "some"])
def test_an_answer_names_where_a_claim_holds_and_where_not(claim: Claim) -> None:
    sides = [1.0] * len(places(claim))
    sides[0] = -1.0
    verdict = planted(claim, sides)
    found = answer(claim, verdict)
    assert verdict.name == "conditional"
    check_plain(claim, found)
    assert begins(found.en, "It depends")
    assert begins(found.ko, "조건에 따라 다르다")
    assert "(there it does not)" in found.en
    assert "(이때는 틀림)" in found.ko
    for setting in verdict.settings:
        check_number(claim, setting, found)


@by_id(SAMPLED)
@pytest.mark.parametrize("num_seeds", [1, SEEDS])
def test_an_answer_says_why_a_claim_is_open(claim: Claim, num_seeds: int) -> None:
    effects = away(claim.rule, [3.0 * (-1) ** number for number in range(num_seeds)])
    rows = [row for where in places(claim) for row in seeds_with(claim.rule, where, effects)]
    verdict = judge(Effects(pd.DataFrame(rows)), claim.rule)
    found = answer(claim, verdict)
    assert verdict.name == "inconclusive"
    check_plain(claim, found)
    assert begins(found.en, "Not settled, because ")
    assert "아직 결론이 없다" in found.ko
    assert ("one " in found.en.split(":")[0]) == (num_seeds == 1)
    assert "the claim needs" in found.en


@by_id(SAMPLED)
def test_a_claim_that_only_the_number_of_claims_leaves_open_says_so(claim: Claim) -> None:
    verdict = planted(claim, [1.0] * len(places(claim)))
    taken_back = replace(verdict, name="inconclusive", notes=("supported on its own (p = 0.02)",))
    found = answer(claim, taken_back)
    check_plain(claim, found)
    assert "once all claims are counted" in found.en
    assert "여러 주장을 함께" in found.ko


@by_id([claim for claim in SAMPLED if claim.rule.censored])
def test_a_time_that_never_came_is_at_least_so_many_times(claim: Claim) -> None:
    rule = claim.rule
    bound = "lower" if rule.claimed_side == "above" else "upper"
    verdict = planted(claim, [1.0] * len(places(claim)), bound)
    found = answer(claim, verdict)
    assert verdict.name == "supported"
    check_plain(claim, found)
    assert ("at least" if bound == "lower" else "at most") in found.en
    assert ("이상" if bound == "lower" else "이하") in found.ko
    open_ = planted(claim, [-1.0] * len(places(claim)), bound)
    shown = answer(claim, open_)
    assert open_.name == "inconclusive"
    assert "never reach the goal" in shown.en
    assert "at least" in shown.en or bound == "upper"
    check_plain(claim, shown)


@by_id([claim for claim in SAMPLED if claim.rule.margin])
def test_no_difference_that_matters_is_an_answer(claim: Claim) -> None:
    rule = claim.rule
    assert rule.margin is not None
    neutral = 1.0 if rule.ratio else 0.0
    # from none to a seventh of what matters, by seed
    rows = [
        where | {"seed": seed, "effect": neutral + (rule.margin - neutral) * seed / 50}
        for where in places(claim)
        for seed in range(SEEDS)
    ]
    verdict = judge(Effects(pd.DataFrame(rows)), claim.rule)
    found = answer(claim, verdict)
    assert verdict.equivalent
    check_plain(claim, found)
    assert begins(found.en, "There is no difference that matters")
    assert begins(found.ko, "의미 있는 차이가 없다")


@by_id(COUNTED)
@pytest.mark.parametrize("broken", ["none", "one", "all"])
def test_an_answer_counts_exceptions(claim: Claim, broken: str) -> None:
    every = places(claim)
    exceptions = {"none": [0] * len(every), "all": [31] * len(every)}.get(
        broken, [31, *[0] * (len(every) - 1)]
    )
    rows = [
        where | {"seed": 0, "found": number, "of": 97}
        for where, number in zip(every, exceptions, strict=True)
    ]
    verdict = judge(Effects(pd.DataFrame(rows)), claim.rule)
    found = answer(claim, verdict)
    check_plain(claim, found)
    for setting in verdict.settings:
        check_number(claim, setting, found)
    first = {
        "none": own_words(claim).holds.en,
        "one": "It depends",
        "all": own_words(claim).fails.en,
    }
    assert begins(found.en, first[broken])


@by_id([claim for claim in CLAIMS if claim.rule.kind in ("share", "either")])
@pytest.mark.parametrize("size", [0.0001, 0.05, -0.05])
def test_an_answer_counts_settings(claim: Claim, size: float) -> None:
    rows = [
        where | {"seed": seed, "effect": size * noise}
        for where in places(claim)
        for seed, noise in enumerate(NOISE)
    ]
    verdict = judge(Effects(pd.DataFrame(rows)), claim.rule)
    found = answer(claim, verdict)
    check_plain(claim, found)
    held = sum(setting.verdict == "supported" for setting in verdict.settings)
    assert f"in {held or 'none'} of" in found.en
    assert (f"{held}개" if held else "없") in found.ko
    assert not re.search(r"\b0 of|(?<!\d)0개", found.en + found.ko)
    start = {"supported": own_words(claim).holds.en, "refuted": own_words(claim).fails.en}
    assert begins(found.en, start.get(verdict.name, "Not settled"))


@by_id(EXACT)
@pytest.mark.parametrize("num_wrong", [0, 1, 3])
def test_an_answer_counts_computed_cases(claim: Claim, num_wrong: int) -> None:
    cases = pd.DataFrame({"holds": [False] * num_wrong + [True] * (7 - num_wrong)})
    found = answer(claim, judge(Effects(cases, text="computed"), claim.rule))
    check_plain(claim, found)
    words = own_words(claim)
    assert begins(found.en, (words.fails if num_wrong else words.holds).en)
    assert begins(found.ko, (words.fails if num_wrong else words.holds).ko)
    assert (f"{num_wrong} of 7" if num_wrong else "all 7") in found.en
    assert "7가지" in found.ko


def test_a_claim_without_runs_says_so_without_names_of_experiments(tmp_path: Path) -> None:
    verdicts = judge_all(tmp_path)
    for claim in CLAIMS:
        found = answer(claim, verdicts[claim.id])
        check_plain(claim, found)
        assert begins(found.en, "Not decided, because ")
        assert found.ko.endswith("판정하지 않았다.")


def test_the_words_of_every_claim_are_for_what_its_rule_measures() -> None:
    rules = {claim.id: claim.rule for claim in CLAIMS}
    assert OWN.keys() == rules.keys()
    other = [
        id
        for id, own in OWN.items()
        if rules[id].kind != "cases" and own.measure != rules[id].measure
    ]
    assert not other, f"read their words in claims.yaml again: {', '.join(other)}"


def test_words_for_another_measure_are_not_said() -> None:
    claim = next(claim for claim in SAMPLED if claim.rule.ratio)
    changed = replace(claim, rule=replace(claim.rule, measure="weight_loss over {all} runs"))
    verdict = planted(changed, [1.0] * len(places(changed)))
    found = answer(changed, verdict)
    check_plain(changed, found)
    assert begins(found.en, "The claim holds: weight loss over (all) runs is ")
    assert begins(found.ko, "주장은 맞다: 측정값은 ")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (1.2345, "1.23"), (-0.0456, "−0.0456"), (2660.4, "2,660"), (26042000, "2.6 × 10⁷")],
)
def test_numbers_have_three_digits_at_most(value: float, shown: str) -> None:
    assert digits(value) == shown
    assert digits(math.inf) == "∞"


def test_differences_say_which_way_they_go() -> None:
    low, high = Measured(-0.0167), Measured(0.563)
    assert said(low, "points") == "1.7 points lower"
    assert said(Measured(0.01), "size") == "1 point larger"
    assert said(Measured(0.0), "points") == "the same"
    assert range_of([low, high], "points") == "between 1.7 points lower and 56.3 points higher"
    assert range_of([high, Measured(0.1)], "points") == "10 to 56.3 points higher"
    with language("ko"):
        assert range_of([low, high], "points") == "1.7%p 낮은 값부터 56.3%p 높은 값까지 나온다"


def test_a_share_below_a_whole_is_not_a_whole() -> None:
    assert amount(0.99996, "percent") == "99.9%"
    assert amount(1.0, "percent") == "100%"
    assert amount(0.00004, "percent") != "0%"


@pytest.mark.parametrize(
    ("value", "limit", "unit", "shown"),
    [
        (1.0996, 1.1, "times", "1.0996 times"),
        (1.10004, 1.1, "times", "1.10004 times"),
        (1.1, 1.1, "times", "1.1 times"),
        (1.0996, 1.3, "times", "1.1 times"),
        (0.2504, 0.25, "plain", "0.2504"),
        (0.59996, 0.6, "percent", "59.996%"),
        (-0.01996, -0.02, "points", "1.996 points lower"),
        (0.01996, -0.02, "points", "2 points higher"),
    ],
)
def test_a_number_that_misses_its_limit_is_not_printed_as_the_limit(
    value: float, limit: float, unit: Unit, shown: str
) -> None:
    assert said(Measured(value, limit=limit), unit) == shown
    assert range_of([Measured(value, limit=limit)] * 2, unit) == shown


def test_an_answer_does_not_print_its_limit_for_what_misses_it() -> None:
    claim = next(one for one in CLAIMS if one.id == "elu-converges-faster-than-relu")
    verdict = planted(claim, [1.0] * len(places(claim)))
    settings = tuple(replace(each, effect=1.0996) for each in verdict.settings)
    near = replace(verdict, name="refuted", effect=1.0996, settings=settings)
    found = answer(claim, near)
    assert "1.0996 times as many" in found.en
    assert "1.0996배" in found.ko
    assert "more than 1.1 times" in found.en


def test_a_long_answer_names_the_best_and_the_worst_setting_only() -> None:
    claim = next(one for one in CLAIMS if one.id == "relu-worse-on-simple-networks")
    rule = replace(claim.rule, need="every", set_of=1, over="seed", grid=("rival", "width"))
    rows = [
        {"rival": rival, "width": str(width), "seed": seed, "effect": effect + 0.0001 * seed}
        for (rival, width), effect in {
            ("sigmoid", 2): 0.031,
            ("sigmoid", 4): 0.052,
            ("sigmoid", 8): -0.063,
            ("tanh", 2): -0.044,
            ("tanh", 4): 0.075,
            ("tanh", 8): -0.086,
        }.items()
        for seed in range(SEEDS)
    ]
    verdict = judge(Effects(pd.DataFrame(rows)), rule)
    found = answer(replace(claim, rule=rule), verdict)
    check_plain(claim, found)
    assert verdict.name == "conditional"
    assert "7.5 points higher with tanh as the rival at width 4 (there the claim holds)" in found.en
    assert "8.6 points lower with tanh as the rival at width 8 (there it does not)" in found.en
    assert "best and worst of 6 settings" in found.en
    assert "조건 6개 중 가장 좋은 것과 가장 나쁜 것" in found.ko
    assert not re.search("3[.]1|5[.]2|6[.]3|4[.]4", found.en + found.ko)


@pytest.mark.usefixtures("brief")
def test_the_worst_of_what_is_counted_is_the_setting_with_most_exceptions() -> None:
    claim = next(one for one in COUNTED if one.rule.grid == ("layer", "optimizer"))
    shares = {
        ("first", "SGD"): 0,
        ("first", "Adam"): 1,
        ("deeper", "SGD"): 83,
        ("deeper", "Adam"): 45,
    }
    rows = [
        {"layer": layer, "optimizer": f"{optimizer}, momentum 0.9", "seed": 0}
        | {"found": found, "of": 97}
        for (layer, optimizer), found in shares.items()
    ]
    found = answer(claim, judge(Effects(pd.DataFrame(rows)), claim.rule))
    assert "best and worst of 4 settings" in found.en
    assert "85.6% in deeper layers" in found.en.replace("in the deeper layers", "in deeper layers")
    assert "0% in the first layer" in found.en
    assert "1% in the first layer" not in found.en


def test_an_open_claim_names_the_settings_that_decide_on_their_own() -> None:
    claim = next(one for one in CLAIMS if one.id == "relu-six-times-faster")
    rows = [
        {"data": data, "seed": seed, "effect": effect * noise, "bound": bound}
        for data, effect, bound in (("mnist5k", 0.378, "none"), ("fashion_mnist", 0.652, "lower"))
        for seed, noise in enumerate(NOISE)
    ]
    found = answer(claim, judge(Effects(pd.DataFrame(rows)), claim.rule))
    assert begins(found.en, "Not settled")
    assert re.search(r"on its own it fails: 0[.]3\d+ times as many on MNIST digits", found.en)
    assert re.search(r"따로 보면 틀림: MNIST 숫자에서 0[.]3\d+배", found.ko)


def test_where_the_mean_is_a_bound_its_settings_are_bounds_on_the_same_side() -> None:
    claim = next(one for one in CLAIMS if one.id == "relu-six-times-faster")
    rows = [
        {"data": data, "seed": seed, "effect": effect * noise, "bound": bound}
        for data, effect, bound in (("mnist5k", 0.34, "upper"), ("fashion_mnist", 0.67, "none"))
        for seed, noise in enumerate(NOISE)
    ]
    found = answer(claim, judge(Effects(pd.DataFrame(rows)), claim.rule)).en
    mean, *settings = map(float, re.findall(r"at most ([0-9.]+) times", found))
    assert len(settings) == 2
    assert min(settings) < mean < max(settings)


def test_a_ratio_of_one_is_the_same() -> None:
    with language("en"):
        assert said(Measured(1.0004), "long") == "the same"
        assert said(Measured(1.04), "long") == "1.04 times as long"
    with language("ko"):
        assert said(Measured(1.0004), "long") == "1배"


def test_a_limit_is_told_unless_every_number_lies_on_the_other_side_of_none() -> None:
    claim = next(one for one in CLAIMS if one.id == "tanh-outputs-centred")
    found = {}
    for name, least in (("some", 0.8), ("all", 1.2)):
        rows = [
            where | {"seed": seed, "effect": (least + 0.05 * number) * (1 + 0.001 * seed)}
            for number, where in enumerate(places(claim))
            for seed in range(SEEDS)
        ]
        verdict = judge(Effects(pd.DataFrame(rows)), claim.rule)
        assert verdict.name == "refuted"
        found[name] = answer(claim, verdict).en
    assert "the claim needs less than 0.5 times" in found["some"]
    assert "the claim needs" not in found["all"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("X was not run, because its data are not on the machine: y (`apt install z`).", "data"),
        ("No run was given 4,000 updates, and fewer decide nothing.", "fewer than 4,000 updates"),
        ("After 45 updates: fewer than 450 updates decide nothing.", "fewer than 450 updates"),
        ("No run trained on 500 samples or fewer.", "on 500 samples or fewer"),
        ("No run trained on 50,000 images or more.", "on 50,000 images or more"),
        ("PReLU's slopes hardly moved (0.01): nothing was learned.", "slopes hardly moved"),
        ("41 plain layers lost nothing that skips could bring back.", "lost nothing that skip"),
    ],
)
def test_a_reason_is_told_in_words(text: str, reason: str) -> None:
    claim = CLAIMS[0]
    found = answer(claim, Verdict("not decided", text))
    check_plain(claim, found)
    assert reason in found.en
    assert "필요한 실행이 없거나" not in found.ko


def test_a_range_with_a_bound_has_no_upper_end() -> None:
    numbers = [Measured(1.5), Measured(9.21, "lower"), Measured(2.0, "both")]
    assert range_of(numbers, "times") == "1.5 to at least 9.21 times"
    assert range_of(numbers[1:], "times") == "at least 9.21 times"


def setting(verdict: str, **where: str) -> SettingVerdict:
    return SettingVerdict(where, 1.0, 0.9, 1.1, 5, verdict)  # type: ignore[arg-type]


def test_a_condition_is_the_shortest_that_tells_settings_apart() -> None:
    every = [
        setting("supported" if depth == "4" else "refuted", activation=activation, depth=depth)
        for activation in ("relu", "tanh")
        for depth in ("1", "4")
    ]
    held = [each for each in every if each.verdict == "supported"]
    (condition,) = conditions_of(held, every) or []
    assert condition == {"depth": ("4",)}
    assert in_words(condition) == "at depth 4"
    (condition,) = conditions_of(every[:1], every) or []
    assert in_words(condition) == "with ReLU at depth 1"
    with language("ko"):
        assert in_words(condition) == "ReLU, 깊이 1"


def test_a_long_answer_tells_how_many_settings_beside_the_best_and_the_worst_are_open() -> None:
    claim = next(one for one in CLAIMS if one.id == "relu-worse-on-simple-networks")
    rule = replace(claim.rule, need="every", set_of=1, over="seed", grid=("rival", "width"))
    rows = [
        {
            "rival": rival,
            "width": str(width),
            "seed": seed,
            "effect": effect + spread * (-1) ** seed,
        }
        for (rival, width), (effect, spread) in {
            ("sigmoid", 2): (0.031, 0.001),
            ("sigmoid", 4): (0.052, 0.001),
            ("sigmoid", 8): (-0.063, 0.001),
            ("tanh", 2): (-0.044, 0.001),
            ("tanh", 4): (0.096, 0.3),  # the best of all, and open
            ("tanh", 8): (-0.086, 0.001),
        }.items()
        for seed in range(SEEDS)
    ]
    verdict = judge(Effects(pd.DataFrame(rows)), rule)
    found = answer(replace(claim, rule=rule), verdict)
    check_plain(claim, found)
    assert verdict.name == "conditional"
    best = "5.2 points higher with sigmoid as the rival at width 4 (there the claim holds)"
    assert best in found.en
    assert "best and worst of 5 settings; one other setting is open" in found.en
    assert "조건 5개 중 가장 좋은 것과 가장 나쁜 것; 나머지 조건 1개는 미정" in found.ko


@pytest.mark.usefixtures("brief")
def test_the_worst_setting_of_a_count_is_the_one_with_the_most_exceptions() -> None:
    claim = next(one for one in CLAIMS if one.id == "dead-units-never-recover")
    optimizers = ["Adam", "SGD", "SGD, momentum 0.9", "SGD, weight decay 0.01"]
    exceptions = {"deeper": [47, 84, 91, 81], "first": [1, 0, 0, 0]}
    rows = [
        {"layer": layer, "optimizer": optimizer, "seed": 0, "found": number, "of": 100}
        for layer, numbers in exceptions.items()
        for optimizer, number in zip(optimizers, numbers, strict=True)
    ]
    verdict = judge(Effects(pd.DataFrame(rows)), claim.rule)
    found = answer(claim, verdict)
    check_plain(claim, found)
    assert verdict.name == "conditional"
    assert "91% in deeper layers with SGD with momentum 0.9 (there it does not)" in found.en
    assert "0% in the first layer with SGD (there the claim holds)" in found.en


@by_id([claim for claim in SAMPLED if claim.rule.censored])
def test_of_a_bound_it_is_not_said_that_runs_never_arrive_where_all_do(claim: Claim) -> None:
    bound = "lower" if claim.rule.claimed_side == "above" else "upper"
    open_ = planted(claim, [-1.0] * len(places(claim)), bound)
    # the best rate may be the last one tried, and every run arrive
    assert "last" in answer(claim, open_).en
    assert "last rate tried" in open_.text


def of_settings(name: str, verdicts: dict[tuple[str, ...], tuple[float, str]], *axes: str) -> Text:
    """Return the answer of a claim whose settings have such effects and verdicts."""
    claim = next(one for one in CLAIMS if one.id == name)
    settings = tuple(
        SettingVerdict(dict(zip(axes, place, strict=True)), effect, effect, effect, 8, verdict)  # type: ignore[arg-type]
        for place, (effect, verdict) in verdicts.items()
    )
    names = {each.verdict for each in settings}
    conditional = {"supported", "refuted"} <= names
    mean = sum(each.effect for each in settings) / len(settings)
    least, most = (min(e.effect for e in settings), max(e.effect for e in settings))
    ends = {"least": least, "most": most, "place": "there"} if conditional else {}
    verdict = Verdict(
        "conditional" if conditional else "supported", "", mean, mean, mean, 8, **ends,  # type: ignore[arg-type]
        settings=settings,
    )  # fmt: skip
    found = answer(claim, verdict)
    check_plain(claim, found)
    return found


def test_settings_that_no_one_condition_describes_are_named_by_a_few() -> None:
    found = of_settings(
        "sigmoid-fails-beyond-nine-layers",
        {
            (depth, start, optimizer): (0.1, "supported")
            if start != "large" and (optimizer == "SGD" or (start, depth) == ("Xavier", "10"))
            else (0.98, "refuted")
            for depth in ("9", "10")
            for start in ("Xavier", "PyTorch default", "large")
            for optimizer in ("SGD", "Adam")
        },
        *("depth", "initializer", "optimizer"),
    )
    assert "started with Xavier and PyTorch's default with SGD" in found.en
    assert ", or at depth 10 started with Xavier (there the claim holds)" in found.en
    assert "또는 깊이 10(Xavier 초기화)에서 10%" in found.ko
    assert "settings" not in found.en


def test_korean_has_what_else_a_place_is_in_brackets() -> None:
    two = {"depth": ("2",), "dead of ReLU": ("40% or more",)}
    gain = {"initializer": ("Xavier (gain=2)",), "optimizer": ("SGD (momentum=0.9)",)}
    on_its_own = {"optimizer": ("SGD (momentum=0.9)",), "depth": ("2",)}
    with language("ko"):
        assert in_a_sentence(two) == "깊이 2(ReLU 유닛의 40% 이상이 죽는 학습률)"
        assert in_a_sentence(gain) == "Xavier(게인 2) 초기화(SGD(모멘텀 0.9))"
        assert in_a_sentence(on_its_own) == "SGD(모멘텀 0.9), 깊이 2"
        assert in_a_sentence({"depth": ("2",)}) == "깊이 2"
        assert in_words(two) == "깊이 2, ReLU 유닛의 40% 이상이 죽는 학습률"
    with language("en"):
        assert in_a_sentence(two) == "at depth 2 where 40% or more of ReLU's units die"


def test_settings_that_are_open_are_named_where_one_condition_describes_them() -> None:
    steps = ("elu over leaky_relu", "relu over tanh", "tanh over sigmoid")
    sides = {("tanh over sigmoid", "1"): (-0.003, "refuted"),
             ("tanh over sigmoid", "4"): (0.02, "supported")}  # fmt: skip
    found = of_settings(
        "activation-ranking",
        {place: sides.get(place, (0.001, "inconclusive")) for place in product(steps, ("1", "4"))},
        *("step", "depth"),
    )
    assert "(4 other settings are open: for ELU over leaky ReLU and ReLU over tanh)" in found.en
    assert "나머지 조건 4개는 미정: ELU와 Leaky ReLU 비교·ReLU와 tanh 비교" in found.ko


def test_a_mean_over_few_settings_tells_the_number_of_each() -> None:
    found = of_settings(
        "small-init-fails-deep", {("relu",): (0.1, "supported"), ("tanh",): (0.7, "supported")},
        "activation",
    )  # fmt: skip
    assert "40 points larger on average" in found.en
    assert "(by setting: +10 points with ReLU and +70 points with tanh)" in found.en
    assert "(조건별: ReLU에서 +10%p, tanh에서 +70%p)" in found.ko


def test_a_mean_that_not_every_setting_shows_says_how_many_do_and_where_none_does() -> None:
    depths, thresholds = ("1", "5", "10"), ("0.2", "0.5", "1.0")
    found = of_settings(
        "he-beats-xavier-for-relu",
        {
            (depth, loss): (1.1, "inconclusive")
            if depth == "1" or (depth, loss) == ("5", "0.5")
            else (2.0, "supported")
            for depth in depths
            for loss in thresholds
        },
        *("depth", "threshold"),
    )
    count = "taken alone, 5 of 9 settings hold and none fails; none holds at depth 1)"
    assert count in found.en
    assert (
        "따로 보면 조건 9개 중 5개는 맞고 틀린 것은 없음; 깊이 1에서 맞는 조건은 없음)" in found.ko
    )


def test_the_worst_setting_is_the_one_with_the_worst_number_however_sure_it_is() -> None:
    claim = next(one for one in CLAIMS if one.id == "relu-computes-faster")
    axes = claim.rule.grid
    shown = {
        ("forward", "ELU", "128000"): (11.3, "supported", 20.0),
        ("forward", "tanh", "128000"): (1.5, "supported", 40.0),
        ("forward", "sigmoid", "128000"): (3.0, "supported", 30.0),
        ("backward", "sigmoid", "1280000"): (0.942, "refuted", -9.0),
        ("backward", "tanh", "1280000"): (0.939, "refuted", -5.0),
        ("forward", "tanh", "1280000"): (0.996, "refuted", -7.0),
        ("backward", "ELU", "1280000"): (2.5, "supported", 9.0),
    }
    settings = tuple(
        SettingVerdict(dict(zip(axes, place, strict=True)), effect, effect, effect, 48, verdict,  # type: ignore[arg-type]
                       distance=distance)
        for place, (effect, verdict, distance) in shown.items()
    )  # fmt: skip
    verdict = Verdict("conditional", "", 0.939, settings=settings, least=0.939, most=11.3,
                      num_seeds=48, place="there")  # fmt: skip
    found = sentences._sentences(claim, verdict, "short")
    assert "0.939 times as long in the backward pass for tanh" in found.en
    assert "0.942" not in found.en
    assert "11.3 times as long in the forward pass for ELU" in found.en
