"""Calibration: nominal rates are right, lie inside their intervals, and real arms take part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from relu_exp.core.schema import Choice
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


def test_the_planted_power_is_that_of_students_test() -> None:
    check = planted()[2]
    draws = np.random.default_rng(1).standard_normal((4000, 8)) + 1.3
    p = stats.ttest_1samp(draws, 0.0, axis=1).pvalue
    assert np.mean((p >= 0.05) | (draws.mean(1) < 0)) == pytest.approx(check.nominal, abs=0.02)
