"""Effects on the page: in the unit of the claim's sentence, whole in both languages."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from relu_exp.evidence.claims.answers.deciding import decider
from relu_exp.evidence.claims.answers.words_of import OWN, own_words
from relu_exp.evidence.claims.registry import Claim, all_claims
from relu_exp.evidence.claims.verdicts import SettingVerdict, Verdict, VerdictName
from relu_exp.evidence.data.texts import Text
from relu_exp.evidence.page.effects import (
    claimed_words,
    effect_words,
    factor_of,
    limit_words,
    seeds_words,
)

CLAIMS = {claim.id: claim for claim in all_claims() if claim.id in OWN}
SAMPLED = [claim for claim in CLAIMS.values() if claim.rule.threshold is not None]


def found(
    effect: float, low: float = math.nan, high: float = math.nan, name: VerdictName = "refuted"
) -> Verdict:
    return Verdict(name, "", effect, low, high, 8)


@pytest.mark.parametrize(
    ("id", "verdict", "shown"),
    [
        (
            "leaky-relu-prevents-dying",
            found(-0.9, -0.905, -0.895),
            Text("−90 points [−90.5, −89.5]", "−90%p [−90.5, −89.5]"),
        ),
        (
            "relu-activations-are-sparse",
            found(0.522, 0.503, 0.541),
            Text("52.2% [50.3, 54.1]", "52.2% [50.3, 54.1]"),
        ),
        # a share is not above a whole
        ("relu-activations-are-sparse", found(0.99, 0.95, 1.03), Text(*["99% [95, 100]"] * 2)),
        (
            "relu-converges-faster-than-tanh",
            found(0.77, 0.745, 0.796),
            Text("0.77× [0.745, 0.796]", "0.77배 [0.745, 0.796]"),
        ),
        ("dead-units-never-recover", found(0.681), Text("68.1%", "68.1%")),
        ("leaky-beats-relu-almost-always", found(0.0833, 0.0833, 0.833),
         Text(*["8.3% [8.3, 83.3]"] * 2)),
    ],
)  # fmt: skip
def test_an_effect_has_the_unit_of_the_sentence(id: str, verdict: Verdict, shown: Text) -> None:
    assert effect_words(CLAIMS[id], verdict) == shown


def test_a_bound_is_said_in_both_languages() -> None:
    claim = CLAIMS["relu-six-times-faster"]
    least = replace(found(0.6, 0.399, math.inf), bound="lower")
    assert effect_words(claim, least) == Text("at least 0.399×", "0.399배 이상")
    most = replace(found(5.0, -math.inf, 6.65), bound="upper")
    assert effect_words(claim, most) == Text("at most 6.65×", "6.65배 이하")
    neither = effect_words(claim, replace(found(1.0), bound="both"))
    assert neither is not None
    assert neither.ko.startswith("알 수 없음")


def test_a_conditional_claim_shows_the_range_over_its_settings() -> None:
    verdict = replace(found(0.1, name="conditional"), least=-0.108, most=0.882)
    shown = effect_words(CLAIMS["relu-trains-deeper"], verdict)
    assert shown == Text("−10.8 to 88.2 points", "−10.8 ~ 88.2%p")


def test_where_parts_are_judged_by_limits_of_their_own_each_has_the_number_of_the_sentence() -> (
    None
):
    claim = CLAIMS["gradients-vanish-with-depth"]
    assert effect_words(claim, found(0.724, 0.687, 0.762)) is None
    assert claimed_words(claim) is None
    assert limit_words(claim, 1.0) is None
    place: dict[str, Any] = {"activation": "relu"}
    relu = SettingVerdict(place, 0.724, 0.687, 0.762, 32, "supported")
    # 3/4 over the effect: the larger effect is the smaller share
    assert effect_words(claim, relu) == Text("1.04× [0.984, 1.09]", "1.04배 [0.984, 1.09]")
    tanh = SettingVerdict({"activation": "tanh"}, 0.672, 0.636, 0.694, 32, "supported")
    assert effect_words(claim, tanh) == Text("0.504× [0.477, 0.52]", "0.504배 [0.477, 0.52]")


@pytest.mark.parametrize("claim", SAMPLED, ids=[claim.id for claim in SAMPLED])
def test_what_a_claim_needs_is_said_in_the_same_unit(claim: Claim) -> None:
    claimed = claimed_words(claim)
    if len(own_words(claim).findings) > 1:
        assert claimed is None
        return
    assert claimed is not None
    assert claim.rule.threshold is not None
    shown = effect_words(claim, found(claim.rule.threshold))
    assert shown is not None
    assert shown.en.removesuffix("s") in claimed.en
    assert shown.ko in claimed.ko
    assert not any("a" <= letter <= "z" for letter in (claimed.ko + shown.ko).replace("%p", ""))
    assert factor_of(claim) in (1.0, 100.0)


def with_settings(verdict: Verdict, *settings: tuple[float, int, VerdictName]) -> Verdict:
    """Return a verdict with settings: effect, seeds and verdict of each; the first decides."""
    cells = tuple(
        SettingVerdict({"depth": f"{n}"}, effect, effect - 0.01, effect + 0.01, seeds, name)
        for n, (effect, seeds, name) in enumerate(settings)
    )
    first = cells[0]
    ends = {"effect": first.effect, "low": first.low, "high": first.high}
    return replace(verdict, **ends, settings=cells, num_seeds=first.num_seeds, place="depth 0")


def test_a_number_that_settings_decide_is_the_range_over_those_that_do() -> None:
    claim = CLAIMS["leaky-relu-prevents-dying"]
    verdict = with_settings(
        found(0), (-0.9, 12, "refuted"), (-0.264, 12, "refuted"), (0.01, 12, "supported")
    )
    # as its sentence has it: of the settings that fail
    assert effect_words(claim, verdict) == Text("−90 to −26.4 points", "−90 ~ −26.4%p")
    one = with_settings(found(0), (-0.9, 12, "refuted"), (0.01, 12, "inconclusive"))
    assert effect_words(claim, one) == Text("−90 points [−91, −89]", "−90%p [−91, −89]")
    assert decider(one) == one.settings[0]
    assert decider(replace(one, place="")) is None


def test_a_count_over_settings_is_their_range_and_no_mean() -> None:
    verdict = with_settings(
        found(0, name="conditional"), (0.0, 8, "supported"), (0.912, 8, "refuted")
    )
    assert effect_words(CLAIMS["dead-units-never-recover"], replace(verdict, place="")) == Text(
        "0 to 91.2%", "0 ~ 91.2%"
    )


@pytest.mark.parametrize(
    ("seeds", "shown"),
    [
        ((12, 12), Text("over 12 seeds", "시드 12개")),
        ((12, 6), Text("over 6–12 seeds in each setting", "조건마다 시드 6–12개")),
        ((8, 8), Text("over 8 seeds in each setting", "조건마다 시드 8개")),
    ],
)
def test_seeds_are_those_of_a_setting_where_not_all_have_the_same(
    seeds: tuple[int, int], shown: Text
) -> None:
    settings = [(0.1, number, "refuted") for number in seeds]
    verdict = replace(with_settings(found(0), *settings), num_seeds=12)  # type: ignore[arg-type]
    assert seeds_words(CLAIMS["high-learning-rate-kills-half"], verdict) == shown
