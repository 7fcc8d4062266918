"""Calibration: nominal rates are right, lie inside their intervals, and real arms take part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from relu_exp.core.schema import Choice
from relu_exp.evidence.claims import by_interval, calibration
from relu_exp.evidence.claims.calibration import Check, against_itself, calibrate, planted

import synthetic

HE = Choice("he_normal", (("gain", 2**0.5), ("mode", "fan_in")))


@pytest.mark.parametrize("check", planted(), ids=lambda check: check.says[:40])
def test_the_nominal_rate_lies_inside_the_interval(check: Check) -> None:
    low, high = check.interval
    assert check.holds
    assert low <= check.rate <= high


def test_the_interval_is_clopper_and_pearsons() -> None:
    low, high = Check("", 3, 50, 0.05).interval
    assert low == pytest.approx(stats.beta.ppf(0.025, 3, 48))
    assert high == pytest.approx(stats.beta.ppf(0.975, 4, 47))


def test_machinery_that_errs_too_often_is_found_out() -> None:
    assert not Check("", 80, 400, 0.05).holds


def test_an_arm_is_compared_with_itself_under_other_seeds(tmp_path: Path) -> None:
    runs = synthetic.configs(("relu", "tanh"), (HE,), (2,), (0.1,), range(8), probe_steps=())
    synthetic.write(tmp_path / "default", runs)
    check = against_itself(tmp_path)
    assert check is not None
    assert check.num_trials == 2
    assert calibrate(tmp_path)[-1] == check


def test_without_results_or_seeds_no_real_arm_takes_part(tmp_path: Path) -> None:
    assert against_itself(tmp_path / "nowhere") is None
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1,), (0, 1), probe_steps=())
    synthetic.write(tmp_path / "default", runs)
    assert against_itself(tmp_path) is None


def test_the_planted_power_is_that_of_the_wider_of_two_intervals() -> None:
    draws = np.sort(np.random.default_rng(1).standard_normal((4000, 8)) + 1.3, axis=1)
    student = draws.mean(1) - 2.364624 * draws.std(1, ddof=1) / 8**0.5
    # 95% lies between the levels of the first and the second of eight values: 1/128 and 9/128
    share = (0.05 - 1 / 128) / (8 / 128)
    weight = 7 * share / (1 + 6 * share)
    of_median = (1 - weight) * draws[:, 0] + weight * draws[:, 1]
    missed = np.mean(np.minimum(student, of_median) <= 0)
    assert planted()[2].nominal == pytest.approx(missed, abs=0.02)


def test_a_promise_may_be_undercut_and_not_broken() -> None:
    assert Check("", 0, 400, 0.05, at_most=True).holds
    assert not Check("", 0, 400, 0.05).holds
    assert not Check("", 80, 400, 0.05, at_most=True).holds


def test_students_interval_alone_would_be_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an arm collapses in 15% of seeds, it is too narrow to cover what is typical."""

    def narrow(values: np.ndarray, confidence: float = 0.95, least: float = 0.0):  # type: ignore[no-untyped-def]
        kept = values[values > -1]  # a mean of the survivors, as if none had failed
        found = stats.t.interval(confidence, len(kept) - 1, kept.mean(), stats.sem(kept))
        return tuple(found)

    monkeypatch.setattr(by_interval, "typical_interval", narrow)
    generator = np.random.default_rng(0)
    assert not calibration._shaped(generator, calibration._collapsing(0.25)).holds


def test_what_every_check_says_is_known_in_korean(tmp_path):
    for check in calibrate(tmp_path):
        assert any("가" <= sign <= "힣" for sign in check.says_ko), check.says
