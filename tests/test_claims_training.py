"""Claims about bouncing, simple tasks, outputs, saturation and the document's own network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from planted_runs import ELU, GELU, HE, RELU, SIGMOID, TANH, XAVIER, Truth, plant, runs

from relu_exp.config import sweeps
from relu_exp.core.schema import BUDGETS, Choice, RunConfig
from relu_exp.evidence.claims.judging import judge
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError, find_claim
from relu_exp.evidence.claims.verdicts import Effects

from planted_claims import verdict_of

STEPS = np.arange(200)
SMOOTH = np.exp(-STEPS / 20) + 1e-4
ROUGH = SMOOTH * (1 + 0.3 * (STEPS % 2))


def decide(name: str, evidence: Evidence):  # type: ignore[no-untyped-def]
    return verdict_of(name, evidence)


RATES = (0.02, 0.04, 0.08, 0.16, 0.32, 0.64)


def bounce(
    root: Path, rises: Callable[[RunConfig], bool], limit: Callable[[RunConfig], float]
) -> Evidence:
    """Write runs whose loss alternates where it `rises`, and that diverge beyond a `limit`."""

    def truth(run: RunConfig) -> Truth:
        return Truth(
            final_losses=(1e-4, 1.0),
            batch_losses=(ROUGH if rises(run) else SMOOTH).tolist(),
            diverged_at=150 if run.learning_rate > limit(run) else None,
        )

    configs = [run for one in (RELU, ELU, GELU) for run in runs(6, RATES, activation=one)]
    configs = [replace(run, num_steps=200, evaluation_steps=(0, 200)) for run in configs]
    plant(root / "bounce", configs, truth)
    return Evidence(root)


def test_bouncing_is_found_where_only_relu_does_it(tmp_path: Path) -> None:
    name = "relu-bounces-near-optimum"

    def at(run: RunConfig) -> float:
        return 0.32

    def relu(run: RunConfig) -> bool:
        return run.activation == RELU

    found = decide(name, bounce(tmp_path / "1", relu, at))
    assert found.name == "supported"
    assert found.effect == pytest.approx(0.5, abs=0.02)
    assert decide(name, bounce(tmp_path / "2", lambda run: True, at)).name == "refuted"
    not_gelu = bounce(tmp_path / "3", lambda run: run.activation != GELU, at)
    assert decide(name, not_gelu).name == "conditional"
    only_fast = bounce(tmp_path / "4", lambda run: relu(run) and run.learning_rate > 0.1, at)
    assert decide(name, only_fast).name == "conditional"


def test_bouncing_near_a_lower_limit_is_compared_with_bouncing_near_a_higher_one(
    tmp_path: Path,
) -> None:
    def limit(run: RunConfig) -> float:
        return 0.16 if run.activation == RELU else 0.32

    def near_its_limit(run: RunConfig) -> bool:
        return run.learning_rate > limit(run) / 4

    evidence = bounce(tmp_path, near_its_limit, limit)
    verdict = decide("relu-bounces-near-optimum", evidence)
    # at a shared rate of 0.08 ReLU alone would bounce
    assert verdict.name == "refuted"
    assert any("0.08: elu 0%, gelu 0%, relu 5" in note for note in verdict.notes)


def test_without_rates_at_which_training_fails_no_fraction_is_known(tmp_path: Path) -> None:
    evidence = bounce(tmp_path, lambda run: False, lambda run: 1.0)
    with pytest.raises(MissingRunsError, match="end before training with elu fails"):
        decide("relu-bounces-near-optimum", evidence)


def simple(root: Path, accuracy: Callable[[RunConfig], float]) -> Evidence:
    configs = [
        run
        for activation, initializer in ((SIGMOID, XAVIER), (TANH, XAVIER), (RELU, HE))
        for width in (2, 16)
        for run in runs(60, activation=activation, initializer=initializer, width=width)
    ]
    plant(root / "simple-networks", configs, lambda run: Truth(accuracy=accuracy(run)))
    return Evidence(root)


def test_relu_can_be_worse_if_it_is_so_anywhere(tmp_path: Path) -> None:
    name = "relu-worse-on-simple-networks"

    def at_two(run: RunConfig) -> float:
        return 0.8 if run.activation == RELU and run.width == 2 else 0.9

    assert decide(name, simple(tmp_path / "1", at_two)).name == "supported"
    never = simple(tmp_path / "2", lambda run: 0.9 if run.activation == RELU else 0.85)
    assert decide(name, never).name == "refuted"


def test_relu_that_fails_in_every_second_seed_is_worse_and_no_single_seed_is_typical(
    tmp_path: Path,
) -> None:
    name = "relu-worse-on-simple-networks"

    def fails(often: int, low: float = 0.8) -> Callable[[RunConfig], float]:
        return lambda run: low if run.activation == RELU and run.seed % often == 0 else 0.9

    verdict = decide(name, simple(tmp_path / "1", fails(2)))
    assert verdict.name == "supported"
    assert verdict.num_seeds == 6
    assert "over 6 sets" in verdict.text
    assert decide(name, simple(tmp_path / "2", fails(30, 0.87))).name == "refuted"


def test_seeds_that_fill_no_set_are_left_out_and_seeds_are_promised() -> None:
    rule = find_claim("relu-worse-on-simple-networks").rule
    rows = pd.DataFrame(
        {"seed": seed, "effect": 0.012 + 0.01 * (seed % 3), "rival": "tanh", "width": 2}
        for seed in range(29)
    )
    rows.loc[rows["seed"] >= 10, "effect"] -= 0.02
    verdict = judge(Effects(rows), rule)
    assert (verdict.name, verdict.num_seeds) == ("inconclusive", 2)
    assert verdict.seeds_needed is None or verdict.seeds_needed % 10 == 0
    assert verdict.needs is not None
    assert (verdict.needs(0.05) or 0) % 10 == 0


def test_simple_networks_are_tested_on_ten_thousand_points_at_rates_to_ten() -> None:
    for budget in BUDGETS:
        (sweep,) = sweeps(["simple-networks"], (), budget)
        shown = [run for run in sweep.runs() if run.seed == 1000]
        # a tenth of the points that are drawn are there to test on
        assert {run.dataset["num_samples"] for run in shown} == {100_000}
        assert {run.dataset["num_train"] for run in shown} == {1000}
        assert max(run.learning_rate for run in shown) == 10


def binary(root: Path, accuracy: Callable[[RunConfig], float]) -> Evidence:
    configs = [
        run
        for output in ("sigmoid", "tanh", "linear", "logits")
        for activation, initializer in ((SIGMOID, XAVIER), (TANH, XAVIER), (RELU, HE))
        for run in runs(
            6,
            activation=activation,
            initializer=initializer,
            network=Choice("mlp", (("output", output),)),
        )
    ]
    plant(root / "binary-output", configs, lambda run: Truth(accuracy=accuracy(run)))
    return Evidence(root)


def test_a_sigmoid_output_must_win_whatever_the_hidden_activation(tmp_path: Path) -> None:
    name = "sigmoid-output-for-binary"

    def plain_is_worse(run: RunConfig) -> float:
        return 0.85 if run.network["output"] == "logits" else 0.9

    def for_relu(run: RunConfig) -> float:
        return plain_is_worse(run) if run.activation == RELU else 1.75 - plain_is_worse(run)

    def squared_error_is_worse(run: RunConfig) -> float:
        return 0.8 if run.network["output"] == "linear" else 0.9

    def only_tanh_is_better(run: RunConfig) -> float:
        return 0.95 if run.network["output"] == "tanh" else 0.9

    assert decide(name, binary(tmp_path / "1", plain_is_worse)).name == "supported"
    assert decide(name, binary(tmp_path / "2", lambda run: 0.9)).equivalent
    assert decide(name, binary(tmp_path / "3", for_relu)).name == "conditional"
    # what squared error costs is no merit of a sigmoid
    assert decide(name, binary(tmp_path / "4", squared_error_is_worse)).name == "refuted"
    assert decide(name, binary(tmp_path / "5", only_tanh_is_better)).name == "supported"


def saturation(root: Path, time: Callable[[RunConfig], float]) -> Evidence:
    """Write runs from offset biases; the rate between the three tried is the fastest."""
    configs = [
        run
        for activation in (SIGMOID, TANH)
        for offset in (0.0, 2.0, 4.0)
        for run in runs(
            8,
            (0.05, 0.1, 0.2),
            activation=activation,
            initializer=Choice("offset_xavier", (("offset", offset),)),
        )
    ]

    def truth(run: RunConfig) -> Truth:
        return Truth(time=time(run) * (1.0 if run.learning_rate == 0.1 else 1.5))

    plant(root / "saturation", configs, truth)
    return Evidence(root)


def test_saturation_slows_or_does_not_and_may_depend_on_the_activation(tmp_path: Path) -> None:
    name = "saturation-slows-training"

    def slows(run: RunConfig) -> float:
        return 30.0 * (1 + float(run.initializer["offset"]) / 4)

    found = decide(name, saturation(tmp_path / "1", slows))
    assert found.name == "supported"
    assert found.effect == pytest.approx(3**0.5, rel=0.05)
    assert decide(name, saturation(tmp_path / "2", lambda run: 30.0)).name == "refuted"
    only_tanh = saturation(tmp_path / "3", lambda run: slows(run) if run.activation == TANH else 30)
    assert decide(name, only_tanh).name == "conditional"


def test_a_few_updates_decide_nothing(tmp_path: Path) -> None:
    network = Choice("document_cnn", (("output", "logits"),))
    configs = runs(learning_rates=[0.001], network=network, depth=9, width=None)
    short = [replace(run, num_steps=20, evaluation_steps=(0, 20)) for run in configs]
    plant(tmp_path / "document-cnn", short, lambda run: Truth(accuracy=0.1))
    with pytest.raises(MissingRunsError, match="450 updates decide nothing"):
        decide("document-cnn-trains", Evidence(tmp_path))


@pytest.mark.parametrize(("accuracy", "verdict"), [(0.6, "supported"), (0.1, "refuted")])
def test_the_network_as_given_learns_or_stays_at_chance(
    tmp_path: Path, accuracy: float, verdict: str
) -> None:
    network = Choice("document_cnn", (("output", "logits"),))
    configs = runs(learning_rates=[0.001], network=network, depth=9, width=None)
    long = [replace(run, num_steps=500, evaluation_steps=(0, 500)) for run in configs]
    plant(tmp_path / "document-cnn", long, lambda run: Truth(accuracy=accuracy))
    assert decide("document-cnn-trains", Evidence(tmp_path)).name == verdict


def test_a_network_that_has_learned_early_need_not_be_waited_for(tmp_path: Path) -> None:
    network = Choice("document_cnn", (("output", "logits"),))
    configs = runs(learning_rates=[0.001], network=network, depth=9, width=None)
    short = [replace(run, num_steps=80, evaluation_steps=(0, 80)) for run in configs]
    plant(tmp_path / "document-cnn", short, lambda run: Truth(accuracy=0.6))
    assert decide("document-cnn-trains", Evidence(tmp_path)).name == "supported"


def test_a_run_that_diverged_counts_as_wrong_everywhere(tmp_path: Path) -> None:
    network = Choice("document_cnn", (("output", "logits"),))
    configs = runs(8, learning_rates=[0.001], network=network, depth=9, width=None)
    plant(
        tmp_path / "document-cnn",
        configs,
        lambda run: Truth(accuracy=0.45, diverged_at=5 if run.seed < 4 else None),
    )
    verdict = decide("document-cnn-trains", Evidence(tmp_path))
    assert verdict.num_seeds == 8
    assert verdict.effect == pytest.approx(0.225, abs=0.01)


@pytest.mark.parametrize(
    "name",
    [
        "relu-bounces-near-optimum",
        "relu-worse-on-simple-networks",
        "sigmoid-output-for-binary",
        "saturation-slows-training",
        "document-cnn-trains",
    ],
)
def test_an_experiment_that_was_not_run_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingRunsError, match="has not been run"):
        decide(name, Evidence(tmp_path))
