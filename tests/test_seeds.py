"""More seeds: only for open claims, never past the cap, and each look is paid for."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relu_exp.cli import main
from relu_exp.evidence.claims.correction import corrected
from relu_exp.evidence.claims.judging import judge
from relu_exp.evidence.claims.verdicts import Effects, Rule, Verdict
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.statistics import seeds_to_decide, typical_p
from relu_exp.session import session
from relu_exp.session.seeds import MAX_LOOKS, more_seeds


def verdict(name: str, needed: int | None, *experiments: str) -> dict[str, object]:
    return {"verdict": name, "seeds_needed": needed, "experiments": list(experiments)}


def test_an_open_claims_experiments_get_what_it_asks_for() -> None:
    verdicts = {
        "open": verdict("inconclusive", 30, "a", "b"),
        "near": verdict("inconclusive", 9, "b"),
        "far": verdict("inconclusive", 1000, "c"),
        "hopeless": verdict("inconclusive", None, "d"),
        "done": verdict("supported", None, "e"),
    }
    had = {"a": 8, "b": 8, "c": 8, "d": 8, "e": 8}
    assert more_seeds(verdicts, had, 64) == {"a": 30, "b": 30}
    assert more_seeds(verdicts, had, 20) == {"b": 16}
    assert more_seeds(verdicts, {**had, "a": 40}, 64) == {"b": 30}
    assert more_seeds({"open": verdict("inconclusive", 30, "study")}, {"study": 0}, 64) == {}


@given(st.integers(1, 99), st.integers(2, 99), st.integers(2, 99))
def test_seeds_only_grow_and_never_past_the_cap(had: int, needed: int, most: int) -> None:
    grown = more_seeds({"x": verdict("inconclusive", needed, "a")}, {"a": had}, most)
    assert all(had < seeds <= most and seeds >= needed for seeds in grown.values())
    assert bool(grown) == (had < needed <= most)


@pytest.mark.parametrize(("distance", "level"), [(0.8, 0.05), (1.0, 0.05 / 60), (2.0, 0.001)])
def test_the_seeds_asked_for_decide_in_four_of_five_experiments(
    distance: float, level: float
) -> None:
    needed = seeds_to_decide(distance, level)
    assert needed is not None

    def power(count: int) -> float:
        values = distance + np.random.default_rng(0).standard_normal((800, count))
        return float(np.mean([typical_p(each, 0.0) <= level for each in values]))

    assert power(needed) >= 0.77
    assert power(needed // 2) < 0.77
    assert seeds_to_decide(-distance, level) == needed


def test_where_seeds_are_not_what_is_missing_none_are_asked_for() -> None:
    assert seeds_to_decide(0.0) is None
    assert seeds_to_decide(0.01) is None
    assert seeds_to_decide(math.nan) is None


def test_the_seeds_asked_for_are_those_after_all_corrections() -> None:
    rule = Rule("planted", "above 0", threshold=0.0)
    effects = np.random.default_rng(1).standard_normal(8)
    effects += 0.5 - effects.mean()
    open_ = judge(Effects(pd.DataFrame({"seed": range(8), "effect": effects})), rule)
    assert open_.name == "inconclusive"
    family = {f"claim {number}": open_ for number in range(20)}
    found = corrected(family, dict.fromkeys(family, 3))["claim 0"]
    distance = 0.5 / effects.std(ddof=1)
    assert found.seeds_needed == seeds_to_decide(distance, 0.05 / 20 / 3)
    assert open_.seeds_needed is not None
    assert found.seeds_needed > open_.seeds_needed


def test_every_look_is_one_more_chance_to_err() -> None:
    found = {"a": Verdict("supported", "", p_value=0.03, num_seeds=8)}
    assert corrected(found)["a"].name == "supported"
    assert corrected(found, {"a": 2})["a"].name == "inconclusive"


def test_sequential_looks_spend_no_more_than_five_percent_in_all() -> None:
    """Judge after 8, 16 and 32 seeds, and stop at the first verdict: the truth is the threshold."""
    generator = np.random.default_rng(0)
    trials, wrong = 1500, 0
    for values in generator.standard_normal((trials, 32)):
        wrong += min(typical_p(values[:n], 0.0) for n in (8, 16, 32)) * MAX_LOOKS <= 0.05
    assert wrong / trials <= 0.05


def test_until_decided_trains_more_seeds_of_what_is_open_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def judge(results: Path, language: str) -> dict[str, dict[str, object]]:
        calls.append(results)
        return {
            "open": verdict("inconclusive", 10, "bounce"),
            "closed": verdict("refuted", None, "sigmoid-starts"),
        }

    monkeypatch.setattr(session, "judge", judge)
    overrides = ["num_steps=2", "learning_rate=0.01"]
    options = session.Options(tmp_path, num_workers=1, budget="quick", judges=True, max_seeds=16)
    assert session.train(["bounce", "sigmoid-starts"], overrides, options) == 0
    assert len(calls) == MAX_LOOKS - 1  # nothing is left to add at the second look
    # they go on from the experiment's own first seed
    seeds = Frames.open(tmp_path / "bounce").runs["seed"]
    assert set(seeds) == set(range(1000, 1016))
    for name in ("bounce", "sigmoid-starts"):
        assert Frames.open(tmp_path / name).manifest["looks"] == MAX_LOOKS
    # a plain command that comes after does not make the looks undone
    plain = session.Options(tmp_path, num_workers=1, budget="quick")
    assert session.train(["sigmoid-starts"], overrides, plain) == 0
    assert Frames.open(tmp_path / "sigmoid-starts").manifest["looks"] == MAX_LOOKS


def test_a_cap_without_its_purpose_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--max-seeds", "9"]) == 2
    assert "--until-decided" in capsys.readouterr().err
    assert main(["reproduce", "--until-decided", "--max-seeds", "1"]) == 2
    assert "from 2 to 10000" in capsys.readouterr().err
