"""Claims about speed: planted times are found, at the fair rate, and too few runs are said."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from planted_runs import ELU, HE, LEAKY, RELU, SIGMOID, TANH, XAVIER, Truth, plant, runs

from relu_exp.core.schema import Choice, RunConfig
from relu_exp.evidence.claims.arms import (
    at_best_rate,
    at_matched_rate,
    best_rates,
    choose,
    rates_in_words,
    ratios,
    scope_of,
)
from relu_exp.evidence.claims.judging import judge
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError
from relu_exp.evidence.claims.speeds import speed_ratios
from relu_exp.evidence.claims.topics import convergence
from relu_exp.evidence.claims.verdicts import Effects, Need, Rule
from relu_exp.evidence.data.frames import Frames

from planted_claims import verdict_of

ARMS = ((SIGMOID, XAVIER), (TANH, XAVIER), (RELU, HE), (LEAKY, HE), (ELU, HE))


def write(
    root: Path,
    times: Mapping[str, float],
    *,
    deep: Mapping[str, float] | None = None,
    accuracy: Mapping[str, float] | None = None,
    num_seeds: int = 4,
    fails: Collection[tuple[str, int]] = (),
) -> Evidence:
    """Write convergence-speed: updates by activation, others in deep networks.

    The rate of 0.1 is the fastest, 0.05 takes half as long again and is more accurate. In seeds of
    an activation that `fails` every rate diverges.
    """

    def truth(run: RunConfig) -> Truth:
        name = run.activation.name
        time = (deep or times)[name] if run.depth == 4 else times[name]
        height = (accuracy or {}).get(name, 0.9)
        is_fast = run.learning_rate == 0.1
        diverges = (name, run.seed) in fails
        return Truth(
            time if is_fast else 1.5 * time,
            height if run.learning_rate == 0.05 else height - 0.1,
            train_accuracy=height,
            diverged_at=0 if diverges else None,
        )

    rates = (0.05, 0.1, 0.2)
    configs = [
        run
        for activation, initializer in ARMS
        if activation.name in times
        for depth in (1, 4)
        for run in runs(
            num_seeds, rates, activation=activation, initializer=initializer, depth=depth
        )
    ]
    plant(root / "convergence-speed", configs, truth)
    for experiment, dataset in (
        ("convergence-cnn", "mnist5k"),
        ("convergence-fashion", "clothes"),
        ("convergence-cifar", "photographs"),
    ):
        cnn = [
            run
            for activation, initializer in ((TANH, XAVIER), (RELU, HE))
            for run in runs(
                num_seeds,
                rates,
                activation=activation,
                initializer=initializer,
                network=Choice("small_cnn", (("output", "logits"),)),
                dataset=Choice(dataset),
                depth=3,
                width=None,
            )
        ]
        plant(root / experiment, [run for run in cnn if run.activation.name in times], truth)
    return Evidence(root)


SAME = {"sigmoid": 50.0, "tanh": 50.0, "relu": 50.0, "leaky_relu": 50.0, "elu": 50.0}


def decide(name: str, evidence: Evidence):  # type: ignore[no-untyped-def]
    return verdict_of(name, evidence)


@pytest.mark.parametrize(
    ("name", "slow", "fast"),
    [
        ("relu-converges-faster-than-sigmoid", "sigmoid", "relu"),
        ("relu-converges-faster-than-tanh", "tanh", "relu"),
        ("tanh-converges-faster-than-sigmoid", "sigmoid", "tanh"),
        ("elu-converges-faster-than-relu", "relu", "elu"),
    ],
)
def test_a_planted_speed_is_found_on_the_claimed_side_and_on_the_other(
    tmp_path: Path, name: str, slow: str, fast: str
) -> None:
    truly = decide(name, write(tmp_path / "true", {**SAME, slow: 90.0, fast: 45.0}))
    assert truly.name == "supported"
    assert truly.effect == pytest.approx(2.0, rel=0.1)
    assert any("shared learning rate" in note for note in truly.notes)
    falsely = decide(name, write(tmp_path / "false", {**SAME, slow: 45.0, fast: 60.0}))
    assert falsely.name == "refuted"


def test_arms_of_equal_speed_are_not_ten_percent_apart(tmp_path: Path) -> None:
    verdict = decide("relu-converges-faster-than-tanh", write(tmp_path, SAME, num_seeds=8))
    assert verdict.name == "refuted"
    assert verdict.effect == pytest.approx(1.0, abs=0.05)


def test_a_speed_that_depends_on_depth_is_conditional(tmp_path: Path) -> None:
    evidence = write(tmp_path, {**SAME, "tanh": 40.0}, deep={**SAME, "tanh": 100.0}, num_seeds=8)
    verdict = decide("relu-converges-faster-than-tanh", evidence)
    assert verdict.name == "conditional"
    held = {cell.where["depth"] for cell in verdict.settings if cell.verdict == "supported"}
    assert held == {"4"}


def test_a_rate_chosen_for_accuracy_has_no_say_in_speed(tmp_path: Path) -> None:
    def truth(run: RunConfig) -> Truth:
        if run.activation == RELU:
            return Truth(50.0 if run.learning_rate == 0.1 else 80.0)
        # as fast at 0.1, and more accurate where it takes three times as long
        is_fast = run.learning_rate == 0.1
        return Truth(50.0 if is_fast else 150.0, accuracy=0.8 if is_fast else 0.9)

    configs = [
        run
        for activation, initializer in ((TANH, XAVIER), (RELU, HE))
        for run in runs(8, (0.05, 0.1, 0.2), activation=activation, initializer=initializer)
    ]
    plant(tmp_path / "convergence-speed", configs, truth)
    verdict = decide("relu-converges-faster-than-tanh", Evidence(tmp_path))
    assert verdict.name == "refuted"
    assert verdict.effect == pytest.approx(1.0, abs=0.05)


def test_the_rate_between_those_tried_is_read_off_a_parabola(tmp_path: Path) -> None:
    def truth(run: RunConfig) -> Truth:
        best = np.log(0.1) if run.activation == RELU else np.log(0.1) + 0.25
        return Truth(50.0 * float(np.exp((np.log(run.learning_rate) - best) ** 2)))

    configs = [
        run
        for activation in (TANH, RELU)
        for run in runs(8, (0.05, 0.1, 0.2), activation=activation)
    ]
    frames = Frames.open(plant(tmp_path / "rates", configs, truth))
    found = speed_ratios(frames, frames.runs, "activation", "tanh", "relu", [0.5], decisive=0.5)
    assert np.log(found["effect"]).mean() == pytest.approx(0.0, abs=0.05)
    # the rates tried are six hundredths from the best, and would turn the side of such a threshold
    turned = speed_ratios(frames, frames.runs, "activation", "tanh", "relu", [0.5], decisive=1.03)
    assert turned["effect"].isna().all()


def test_a_best_rate_at_the_edge_is_a_bound_and_cannot_show_more_than_it_knows(
    tmp_path: Path,
) -> None:
    def truth(run: RunConfig) -> Truth:
        if run.activation == RELU:
            return Truth(50.0 if run.learning_rate == 0.1 else 80.0)
        return Truth(30.0 / run.learning_rate)

    configs = [
        run
        for activation, initializer in ((TANH, XAVIER), (RELU, HE))
        for run in runs(8, (0.05, 0.1, 0.2), activation=activation, initializer=initializer)
    ]
    plant(tmp_path / "convergence-speed", configs, truth)
    # tanh is slower at every rate tried, and faster the higher it is: it may yet be as fast
    verdict = decide("relu-converges-faster-than-tanh", Evidence(tmp_path))
    assert verdict.name == "inconclusive"
    assert {cell.bound for cell in verdict.settings} == {"upper"}


def test_seeds_in_which_an_arm_diverges_are_counted_apart(tmp_path: Path) -> None:
    evidence = write(tmp_path, {**SAME, "elu": 25.0}, num_seeds=8, fails=[("elu", 3), ("elu", 5)])
    verdict = decide("elu-converges-faster-than-relu", evidence)
    assert verdict.name == "supported"
    assert verdict.effect == pytest.approx(2.0, rel=0.1)
    assert verdict.num_seeds == 6
    assert any("the second in 2 of 8" in note for note in verdict.notes)


def test_an_arm_that_never_arrives_is_a_bound_that_supports(tmp_path: Path) -> None:
    evidence = write(tmp_path, {**SAME, "sigmoid": 1e6})
    verdict = decide("relu-converges-faster-than-sigmoid", evidence)
    assert verdict.name == "supported"
    assert verdict.bound == "lower"
    late = [cell.effect for cell in verdict.settings if cell.where["threshold"] == "0.2"]
    assert late == pytest.approx([400 / (50 * np.log(2.3 / 0.2))] * 2, rel=0.1)


def test_six_times_is_supported_at_eight_and_refuted_at_two(tmp_path: Path) -> None:
    eight = {**SAME, "tanh": 200.0, "relu": 25.0}
    accuracy = dict.fromkeys(SAME, 0.999)
    found = decide("relu-six-times-faster", write(tmp_path / "8", eight, accuracy=accuracy))
    assert found.name == "supported"
    assert {cell.where["data"] for cell in found.settings} == {"mnist5k", "clothes", "photographs"}
    assert found.effect == pytest.approx(8, rel=0.15)
    # sigmoid is twelve times slower, of which the source says nothing
    two = {**SAME, "sigmoid": 480.0, "tanh": 80.0, "relu": 40.0}
    found = decide("relu-six-times-faster", write(tmp_path / "2", two, accuracy=accuracy))
    assert found.name == "refuted"
    assert "CIFAR-10" in found.scope
    assert sum("dense network of depth" in note for note in found.notes) == 4


def test_six_times_is_judged_on_digits_where_neither_clothes_nor_photographs_are_there(
    tmp_path: Path,
) -> None:
    times = {**SAME, "tanh": 80.0, "relu": 40.0}
    evidence = write(tmp_path, times, accuracy=dict.fromkeys(SAME, 0.999))
    shutil.rmtree(tmp_path / "convergence-fashion")
    shutil.rmtree(tmp_path / "convergence-cifar")
    found = decide("relu-six-times-faster", evidence)
    assert sum("Not judged on" in note for note in found.notes) == 2
    assert {cell.where["data"] for cell in found.settings} == {"mnist5k"}


def ranking(root: Path, accuracy: Mapping[str, float]) -> Evidence:
    """Write five-activations: accuracy by activation at the best rate."""
    configs = [
        run
        for activation, initializer in ARMS
        for depth in (1, 4)
        for run in runs(8, activation=activation, initializer=initializer, depth=depth)
    ]
    plant(
        root / "five-activations",
        configs,
        lambda run: Truth(accuracy=accuracy[run.activation.name] - (run.learning_rate == 0.3) / 5),
    )
    return Evidence(root)


def test_the_ranking_needs_every_step_by_half_a_point(tmp_path: Path) -> None:
    order = {"elu": 0.95, "leaky_relu": 0.9, "relu": 0.85, "tanh": 0.8, "sigmoid": 0.7}
    ranked = decide("activation-ranking", ranking(tmp_path / "1", order))
    assert ranked.name == "supported"
    swapped = {**order, "relu": 0.9, "leaky_relu": 0.85}
    assert decide("activation-ranking", ranking(tmp_path / "2", swapped)).name == ("conditional")
    turned = {"elu": 0.7, "leaky_relu": 0.75, "relu": 0.8, "tanh": 0.85, "sigmoid": 0.9}
    assert decide("activation-ranking", ranking(tmp_path / "3", turned)).name == ("refuted")


def test_a_step_too_small_to_matter_is_no_step(tmp_path: Path) -> None:
    # in the claimed order, yet by a thousandth
    order = {"elu": 0.804, "leaky_relu": 0.803, "relu": 0.802, "tanh": 0.801, "sigmoid": 0.8}
    assert decide("activation-ranking", ranking(tmp_path / "1", order)).name == "refuted"
    half = {**order, "sigmoid": 0.7}
    assert decide("activation-ranking", ranking(tmp_path / "2", half)).name == "conditional"


def test_an_absent_arm_and_an_absent_experiment_are_said(tmp_path: Path) -> None:
    with pytest.raises(MissingRunsError, match="has not been run"):
        decide("relu-converges-faster-than-tanh", Evidence(tmp_path))
    evidence = write(tmp_path, {"relu": 50.0, "sigmoid": 50.0})
    with pytest.raises(MissingRunsError, match="activation=tanh"):
        decide("relu-converges-faster-than-tanh", evidence)


def test_one_seed_decides_nothing(tmp_path: Path) -> None:
    evidence = write(tmp_path, {**SAME, "tanh": 500.0}, num_seeds=1)
    assert decide("relu-converges-faster-than-tanh", evidence).name == "inconclusive"


def test_the_best_rate_is_chosen_on_validation_and_the_matched_one_is_shared(
    tmp_path: Path,
) -> None:
    def truth(run: RunConfig) -> Truth:
        best = 0.1 if run.activation.name == "relu" else 0.3
        return Truth(accuracy=0.9 if run.learning_rate == best else 0.6)

    configs = [*runs(activation=RELU), *runs(activation=TANH, initializer=XAVIER)]
    found = Frames.open(plant(tmp_path / "rates", configs, truth)).runs
    best = at_best_rate(found, ["activation"]).groupby("activation")["learning_rate"].unique()
    assert {arm: list(rates) for arm, rates in best.items()} == {"relu": [0.1], "tanh": [0.3]}
    shared = at_matched_rate(found, "activation")
    assert shared["learning_rate"].nunique() == 1
    assert shared["activation"].nunique() == 2
    apart = choose(found, activation="relu", learning_rate=0.1)
    apart = pd.concat([apart, choose(found, activation="tanh", learning_rate=0.3)])
    assert at_matched_rate(apart, "activation").empty


def test_a_rate_that_was_the_only_one_and_one_by_a_schedule_are_said_to_be(tmp_path: Path) -> None:
    alone = [run for run in runs(activation=TANH, initializer=XAVIER) if run.learning_rate == 0.1]
    falling = [replace(run, schedule="cosine") for run in alone]
    configs = [*runs(activation=RELU), *alone]
    found = Frames.open(plant(tmp_path / "rates", configs, lambda run: Truth())).runs
    tuned = at_best_rate(found, ["activation"])
    assert "tanh: 0.1 (the only one tried)" in rates_in_words(tuned, ["activation"])
    assert "relu: 0.1 (the only one tried)" not in rates_in_words(tuned, ["activation"])
    assert best_rates(tuned, ["activation"]).endswith(", 1 the only one tried.")
    assert "schedule" not in scope_of(found)
    found = Frames.open(plant(tmp_path / "falling", falling, lambda run: Truth())).runs
    assert "learning rate by schedule (cosine)" in scope_of(found)


def test_where_neither_arm_arrives_nothing_is_known(tmp_path: Path) -> None:
    configs = [*runs(activation=RELU), *runs(activation=TANH, initializer=XAVIER)]
    frames = Frames.open(plant(tmp_path / "slow", configs, lambda run: Truth(time=1e6)))
    best = at_best_rate(frames.runs, ["activation"])
    assert ratios(frames, best, "activation", "tanh", "relu", [0.5])["effect"].isna().all()


@pytest.mark.parametrize(
    ("first", "second", "every", "some"),
    [
        (1.0, 1.0, "supported", "supported"),
        (1.0, -1.0, "conditional", "supported"),
        (-1.0, -1.0, "refuted", "refuted"),
        (1.0, 0.0, "inconclusive", "supported"),
        (-1.0, 0.0, "refuted", "inconclusive"),
        (0.0, 0.0, "inconclusive", "inconclusive"),
    ],
)
def test_every_part_or_some_part_must_hold(
    first: float, second: float, every: str, some: str
) -> None:
    rule = Rule(measure="a difference", says="above 0", threshold=0.0, grid=("part",))
    noise = np.random.default_rng(0).standard_normal(8) * 0.1
    effects = pd.concat(
        pd.DataFrame({"seed": range(8), "part": part, "effect": mean + noise - noise.mean()})
        for part, mean in (("a", first), ("b", second))
    )
    needs: tuple[tuple[Need, str], ...] = (("every", every), ("some", some))
    for need, expected in needs:
        verdict = judge(Effects(effects), replace(rule, need=need))
        assert verdict.name == expected
        if expected in ("supported", "refuted"):
            assert verdict.p_value < 0.05


def test_all_rules_of_the_topic_are_ratios_above_their_minimum_effect() -> None:
    for rule in (convergence.RELU_SIGMOID, convergence.RELU_TANH, convergence.ELU_RELU):
        assert rule.ratio
        assert rule.threshold == 1.1
