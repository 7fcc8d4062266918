"""More seeds: only for open claims, never past the cap, and each look is paid for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from relu_exp.cli import main
from relu_exp.evidence.claims.correction import corrected
from relu_exp.evidence.claims.judging import judge
from relu_exp.evidence.claims.verdicts import ALPHA, Effects, Rule, Verdict
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.statistics import seeds_to_decide
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


@given(st.floats(1e-12, 0.9), st.integers(2, 60))
def test_the_seeds_asked_for_are_the_first_that_decide(p_value: float, num_seeds: int) -> None:
    needed = seeds_to_decide(p_value, num_seeds)
    distance = stats.t.isf(p_value / 2, num_seeds - 1) / num_seeds**0.5

    def p_at(count: int) -> float:
        return float(2 * stats.t.sf(distance * count**0.5, count - 1))

    if needed is None:
        assert p_at(10_000) > ALPHA
    else:
        assert p_at(needed) <= ALPHA
        assert needed == 2 or p_at(needed - 1) > ALPHA


def test_every_look_is_one_more_chance_to_err() -> None:
    found = {"a": Verdict("supported", "", p_value=0.03, num_seeds=8)}
    assert corrected(found)["a"].name == "supported"
    assert corrected(found, {"a": 2})["a"].name == "inconclusive"


def test_sequential_looks_spend_no_more_than_five_percent_in_all() -> None:
    """Judge after 8, 16 and 32 seeds, and stop at the first verdict: the truth is the threshold."""
    generator = np.random.default_rng(0)
    rule = Rule("planted", "above 0", threshold=0.0)
    trials, wrong = 600, 0
    for _ in range(trials):
        effects = pd.DataFrame({"seed": range(32), "effect": generator.standard_normal(32)})
        wrong += any(
            corrected({"a": judge(Effects(effects[:n]), rule)}, {"a": MAX_LOOKS})["a"].name
            != "inconclusive"
            for n in (8, 16, 32)
        )
    assert wrong / trials <= 0.05


def test_until_decided_trains_more_seeds_of_what_is_open_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def judge(results: Path) -> dict[str, dict[str, object]]:
        calls.append(results)
        return {
            "open": verdict("inconclusive", 5, "bounce"),
            "closed": verdict("refuted", None, "saturation"),
        }

    monkeypatch.setattr(session, "judge", judge)
    overrides = ["num_steps=2", "learning_rate=0.01"]
    options = session.Options(tmp_path, num_workers=1, budget="quick", judges=True, max_seeds=8)
    assert session.train(["bounce", "saturation"], overrides, options) == 0
    assert len(calls) == MAX_LOOKS - 1  # nothing is left to add at the second look
    seeds = {name: Frames.open(tmp_path / name).runs["seed"].nunique() for name in ("bounce",)}
    assert seeds == {"bounce": 8}
    for name in ("bounce", "saturation"):
        assert Frames.open(tmp_path / name).manifest["looks"] == MAX_LOOKS
    # a plain command that comes after does not make the looks undone
    plain = session.Options(tmp_path, num_workers=1, budget="quick")
    assert session.train(["saturation"], overrides, plain) == 0
    assert Frames.open(tmp_path / "saturation").manifest["looks"] == MAX_LOOKS


def test_a_cap_without_its_purpose_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "--max-seeds", "9"]) == 2
    assert "--until-decided" in capsys.readouterr().err
    assert main(["reproduce", "--until-decided", "--max-seeds", "1"]) == 2
    assert "from 2 to 10000" in capsys.readouterr().err
