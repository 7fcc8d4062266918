"""Sparsity against overfitting: a planted gap gets its verdict, and equal gaps are not one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from planted_layers import Layers, plant
from planted_runs import ELU, LEAKY, RELU, runs

from relu_exp.core.schema import Choice, RunConfig
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError
from relu_exp.evidence.claims.verdicts import Verdict

from planted_claims import verdict_of

CONTROLS = (LEAKY, Choice("leaky_relu", (("negative_slope", 0.2),)), ELU)
FEW = Choice("mnist5k", (("num_train", 500.0),))


def write(
    root: Path,
    accuracies: dict[str, float],
    *,
    activations: tuple[Choice, ...] = (RELU, *CONTROLS),
    num_seeds: int = 8,
    diverged: str = "",
) -> Evidence:
    """Write sparsity: test accuracy by activation, all fitted; the larger rate is worse."""

    def truth(run: RunConfig) -> Layers:
        name = run.activation.name
        accuracy = accuracies.get(name, 0.8) - (0.2 if run.learning_rate > 0.1 else 0.0)
        zero = 0.6 if name == "relu" else 0.0
        return Layers([[0] * 3], zero=(zero,), accuracy=accuracy, diverged=name == diverged)

    configs = [
        replace(run, probe_steps=(run.num_steps,), dataset=FEW)
        for activation in activations
        for width in (50, 200)
        for run in runs(num_seeds, (0.1, 0.3), activation=activation, depth=3, width=width)
    ]
    plant(root / "sparsity", configs, truth)
    return Evidence(root)


def decide(evidence: Evidence) -> Verdict:
    return verdict_of("sparsity-reduces-overfitting", evidence)


def test_a_smaller_gap_than_every_control_supports(tmp_path: Path) -> None:
    verdict = decide(write(tmp_path, {"relu": 0.85}))
    assert verdict.name == "supported"
    assert verdict.effect == pytest.approx(0.05, abs=0.005)
    assert len(verdict.settings) == 6


@pytest.mark.parametrize("relu", [0.8, 0.75])
def test_an_equal_or_larger_gap_refutes(tmp_path: Path, relu: float) -> None:
    assert decide(write(tmp_path, {"relu": relu})).name == "refuted"


def test_a_smaller_gap_than_one_control_only_is_conditional(tmp_path: Path) -> None:
    verdict = decide(write(tmp_path, {"elu": 0.7}))
    assert verdict.name == "conditional"
    held = {cell.where["control"] for cell in verdict.settings if cell.verdict == "supported"}
    assert held == {"ELU"}


def test_one_seed_decides_nothing(tmp_path: Path) -> None:
    assert decide(write(tmp_path, {"relu": 0.9}, num_seeds=1)).name == "inconclusive"


def test_a_control_without_runs_is_said(tmp_path: Path) -> None:
    evidence = write(tmp_path, {}, activations=(RELU, LEAKY), num_seeds=2)
    with pytest.raises(MissingRunsError, match="activation=elu"):
        decide(evidence)


def test_what_diverged_has_no_gap(tmp_path: Path) -> None:
    with pytest.raises(MissingRunsError, match="diverged"):
        decide(write(tmp_path, {}, num_seeds=2, diverged="relu"))


def test_without_results_nothing_is_decided(tmp_path: Path) -> None:
    with pytest.raises(MissingRunsError, match="has not been run"):
        decide(Evidence(tmp_path))
