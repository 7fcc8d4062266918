"""Statistics: closed forms, NumPy oracles and laws that must hold."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from relu_exp.evidence.data.statistics import (
    best_learning_rates,
    mean_interval,
    median_steps,
    score,
    summarize,
)

LAW = settings(max_examples=50)
numbers = st.floats(-1e3, 1e3, allow_nan=False)


def test_the_interval_is_students():
    values = [0.91, 0.93, 0.88, 0.95]
    found = mean_interval(values)
    low, high = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert found == pytest.approx((np.mean(values), low, high, 4))


def test_three_seeds_cover_the_mean_in_95_of_100_samples():
    draws = np.random.default_rng(0).normal(size=(2000, 3))
    found = [mean_interval(draw) for draw in draws]
    assert np.mean([one.low <= 0 <= one.high for one in found]) == pytest.approx(0.95, abs=0.015)


def test_one_value_has_no_interval_and_none_has_no_mean():
    assert mean_interval([0.5])[::3] == (0.5, 1)
    assert np.isnan(mean_interval([0.5]).low)
    assert np.isnan(mean_interval([]).mean)
    assert mean_interval([np.nan, 2.0]).n == 1


@LAW
@given(st.lists(numbers, min_size=2, max_size=9), numbers, st.floats(0.1, 10))
def test_the_interval_moves_and_scales_with_the_values(values, shift, scale):
    before = mean_interval(values)
    after = mean_interval([scale * value + shift for value in values])
    expected = [scale * number + shift for number in before[:3]]
    assert after[:3] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_a_summary_is_the_interval_of_each_group():
    frame = pd.DataFrame(
        {"arm": list("aaabbc"), "seed": [0, 1, 2, 0, 1, 0], "value": [1.0, 2, 4, 3, 3, 5]}
    )
    found = summarize(frame, ["arm"], "value").set_index("arm")
    for arm, group in frame.groupby("arm"):
        mean, low, high, n = mean_interval(group["value"])
        row = found.loc[arm]
        assert row["n"] == n
        assert [row["mean"], row["low"], row["high"]] == pytest.approx(
            [mean, low, high], nan_ok=True
        )


def test_a_logarithmic_summary_is_geometric_and_counts_zeros():
    frame = pd.DataFrame({"arm": "a", "value": [1e-4, 1e-2, 0.0, np.inf, np.nan]})
    row = summarize(frame, ["arm"], "value", log=True).iloc[0]
    assert row["mean"] == pytest.approx(1e-3)
    assert (row["n"], row["num_zero"]) == (2, 1)
    assert (row["least"], row["most"]) == pytest.approx((1e-4, 1e-2))


def test_a_summary_of_nothing_has_no_rows():
    frame = pd.DataFrame({"arm": pd.Categorical([]), "depth": [], "value": []}).astype(
        {"value": float}
    )
    found = summarize(frame, ["arm", "depth"], "value", log=True)
    assert found.empty
    assert {"arm", "depth", "mean", "low", "high", "n", "num_zero"} <= {*found.columns}


def test_groups_with_a_missing_key_are_kept():
    frame = pd.DataFrame({"width": pd.array([None, 10], dtype="Int32"), "value": [1.0, 2.0]})
    assert len(summarize(frame, ["width"], "value")) == 2


steps = st.lists(st.floats(1, 1000), min_size=1, max_size=12)


def test_the_median_agrees_with_kaplan_and_meier_by_hand():
    # at risk 4, 3, 2, 1: S drops to 3/4 at 2, is left alone at 3 (censored), to 3/8 at 5
    assert median_steps([2, 3, 5, 8], [False, True, False, True]) == 5
    assert median_steps([2, 3, 5, 8], [False, True, True, False]) == 8


@LAW
@given(steps)
def test_without_censoring_half_have_arrived_at_the_median(times):
    found = median_steps(times, [False] * len(times))
    assert np.mean(np.array(times) <= found) >= 0.5
    assert np.mean(np.array(times) < found) < 0.5


@LAW
@given(steps, st.floats(1.1, 5))
def test_a_longer_training_does_not_change_a_median_that_was_reached(times, factor):
    horizon = float(np.median(times))
    late = np.array(times) > horizon
    found = median_steps(np.minimum(times, horizon), late)
    assume(np.isfinite(found))
    longer = np.array(times) > factor * horizon
    assert median_steps(np.minimum(times, factor * horizon), longer) == found


def test_when_most_never_arrive_there_is_no_median():
    assert median_steps([5, 100, 100], [False, True, True]) == np.inf


def runs(*rows):
    columns = ["arm", "learning_rate", "seed", "status", "accuracy", "loss"]
    frame = pd.DataFrame(list(rows), columns=columns)
    return frame.rename(
        columns={"accuracy": "final_validation_accuracy", "loss": "final_validation_loss"}
    )


def test_divergence_is_a_result_and_failure_is_none():
    frame = runs(
        ("a", 0.1, 0, "done", 0.9, 0.3),
        ("a", 0.1, 1, "diverged", None, None),
        ("a", 0.1, 2, "failed", None, None),
    )
    assert score(frame, "final_validation_accuracy").tolist()[:2] == [0.9, 0.0]
    assert score(frame, "final_validation_loss").tolist()[:2] == [0.3, np.inf]
    assert np.isnan(score(frame, "final_validation_accuracy").iloc[2])


def test_the_best_rate_is_not_chosen_on_its_survivors():
    frame = runs(
        ("a", 0.1, 0, "done", 0.8, 0.5),
        ("a", 0.1, 1, "done", 0.8, 0.5),
        ("a", 1.0, 0, "done", 0.9, 0.3),
        ("a", 1.0, 1, "diverged", None, None),
        ("a", 0.01, 0, "done", 0.2, 2.0),
        ("a", 0.01, 1, "done", 0.2, 2.0),
    )
    best = best_learning_rates(frame, ["arm"]).iloc[0]
    assert best["learning_rate"] == 0.1
    assert not best["at_edge"]


def test_the_best_rate_of_each_arm_is_its_own_and_an_edge_is_told():
    frame = runs(
        ("a", 0.1, 0, "done", 0.8, 0.5),
        ("a", 1.0, 0, "done", 0.9, 0.4),
        ("b", 0.1, 0, "done", 0.7, 0.5),
        ("c", 0.1, 0, "failed", None, None),
    )
    best = best_learning_rates(frame, ["arm"]).set_index("arm")
    assert best["learning_rate"].to_dict() == {"a": 1.0, "b": 0.1}
    assert best["at_edge"].to_dict() == {"a": True, "b": False}
    shared = best_learning_rates(frame, [])
    assert shared["learning_rate"].tolist() == [1.0]


def test_of_equal_accuracies_the_lower_loss_decides_then_the_smaller_rate():
    frame = runs(
        ("a", 0.1, 0, "done", 0.8, 0.5),
        ("a", 0.2, 0, "done", 0.8, 0.4),
        ("a", 0.3, 0, "done", 0.8, 0.4),
    )
    assert best_learning_rates(frame, ["arm"])["learning_rate"].tolist() == [0.2]
