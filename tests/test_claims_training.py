"""Claims about bouncing, simple tasks, outputs, saturation and the document's own network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from planted_runs import ELU, GELU, HE, RELU, SIGMOID, TANH, XAVIER, Truth, plant, runs

from relu_exp.core.schema import Choice, RunConfig
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError

from planted_claims import verdict_of

STEPS = np.arange(200)
SMOOTH = np.exp(-STEPS / 20) + 1e-4
ROUGH = SMOOTH * (1 + 0.3 * (STEPS % 2))


def decide(name: str, evidence: Evidence):  # type: ignore[no-untyped-def]
    return verdict_of(name, evidence)


def bounce(root: Path, rough: tuple[Choice, ...], at: float | None = None) -> Evidence:
    """Write runs whose loss alternates for `rough` activations, at one learning rate or all."""

    def truth(run: RunConfig) -> Truth:
        alternates = run.activation in rough and at in (None, run.learning_rate)
        return Truth(
            final_losses=(run.learning_rate, 1.0),
            batch_losses=(ROUGH if alternates else SMOOTH).tolist(),
        )

    configs = [run for one in (RELU, ELU, GELU) for run in runs(6, activation=one)]
    configs = [replace(run, num_steps=200, evaluation_steps=(0, 200)) for run in configs]
    plant(root / "bounce", configs, truth)
    return Evidence(root)


def test_bouncing_is_found_where_only_relu_does_it(tmp_path: Path) -> None:
    name = "relu-bounces-near-optimum"
    found = decide(name, bounce(tmp_path / "1", (RELU,)))
    assert found.name == "supported"
    assert found.effect == pytest.approx(0.5, abs=0.02)
    assert decide(name, bounce(tmp_path / "2", (RELU, ELU, GELU))).name == "refuted"
    assert decide(name, bounce(tmp_path / "3", (RELU, ELU))).name == "conditional"


def test_bouncing_at_a_rate_that_is_not_the_best_is_no_fault_of_the_kink(tmp_path: Path) -> None:
    verdict = decide("relu-bounces-near-optimum", bounce(tmp_path, (RELU,), at=0.3))
    assert verdict.name == "refuted"
    assert any("0.3: elu 0%, gelu 0%, relu 5" in note for note in verdict.notes)


def simple(root: Path, accuracy: Callable[[RunConfig], float]) -> Evidence:
    configs = [
        run
        for activation, initializer in ((SIGMOID, XAVIER), (TANH, XAVIER), (RELU, HE))
        for width in (2, 16)
        for run in runs(6, activation=activation, initializer=initializer, width=width)
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
    configs = [
        run
        for activation in (SIGMOID, TANH)
        for gain in (1, 4, 16)
        for run in runs(activation=activation, initializer=Choice(XAVIER.name, (("gain", gain),)))
    ]
    plant(root / "saturation", configs, lambda run: Truth(time=time(run)))
    return Evidence(root)


def test_saturation_slows_or_does_not_and_may_depend_on_the_activation(tmp_path: Path) -> None:
    name = "saturation-slows-training"

    def slows(run: RunConfig) -> float:
        return 30.0 * float(run.initializer["gain"]) ** 0.5

    assert decide(name, saturation(tmp_path / "1", slows)).name == "supported"
    assert decide(name, saturation(tmp_path / "2", lambda run: 30.0)).name == "refuted"
    only_tanh = saturation(tmp_path / "3", lambda run: slows(run) if run.activation == TANH else 30)
    assert decide(name, only_tanh).name == "conditional"


def test_a_few_updates_decide_nothing(tmp_path: Path) -> None:
    network = Choice("document_cnn", (("output", "logits"),))
    configs = runs(learning_rates=[0.001], network=network, depth=9, width=None)
    short = [replace(run, num_steps=20, evaluation_steps=(0, 20)) for run in configs]
    plant(tmp_path / "document-cnn", short, lambda run: Truth(accuracy=0.1))
    with pytest.raises(MissingRunsError, match="40 updates"):
        decide("document-cnn-trains", Evidence(tmp_path))


@pytest.mark.parametrize(("accuracy", "verdict"), [(0.6, "supported"), (0.1, "refuted")])
def test_the_network_as_given_learns_or_stays_at_chance(
    tmp_path: Path, accuracy: float, verdict: str
) -> None:
    network = Choice("document_cnn", (("output", "logits"),))
    configs = runs(learning_rates=[0.001], network=network, depth=9, width=None)
    plant(tmp_path / "document-cnn", configs, lambda run: Truth(accuracy=accuracy))
    assert decide("document-cnn-trains", Evidence(tmp_path)).name == verdict


def test_a_run_that_diverged_counts_as_wrong_everywhere(tmp_path: Path) -> None:
    network = Choice("document_cnn", (("output", "logits"),))
    configs = runs(8, learning_rates=[0.001], network=network, depth=9, width=None)
    plant(
        tmp_path / "document-cnn",
        configs,
        lambda run: Truth(accuracy=0.25, diverged_at=5 if run.seed < 4 else None),
    )
    verdict = decide("document-cnn-trains", Evidence(tmp_path))
    assert verdict.num_seeds == 8
    assert verdict.effect == pytest.approx(0.125, abs=0.01)


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
