"""Sparsity against overfitting: gaps at one training loss get their verdict, others are none."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from planted_layers import STEPS, Curve, Layers, fitting, plant
from planted_runs import LEAKY, RELU, runs

from relu_exp.core.schema import Choice, RunConfig
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError
from relu_exp.evidence.claims.verdicts import Verdict

from planted_claims import verdict_of

FEW = Choice("mnist5k", (("num_train", 500.0),))


def write(
    root: Path,
    curve: Callable[[RunConfig], Curve],
    *,
    activations: tuple[Choice, ...] = (RELU, LEAKY),
    num_seeds: int = 8,
    diverged: str = "",
) -> Evidence:
    """Write sparsity: losses by run; the larger rate is worse."""

    def truth(run: RunConfig) -> Layers:
        name = run.activation.name
        accuracy = 0.8 - (0.2 if run.learning_rate > 0.1 else 0.0)
        zero = 0.6 if name == "relu" else 0.0
        return Layers(
            [[0] * 3],
            zero=(zero,),
            accuracy=accuracy,
            diverged=name == diverged,
            losses=None if name == diverged else curve(run),
        )

    configs = [
        replace(run, probe_steps=(run.num_steps,), evaluation_steps=STEPS, dataset=FEW)
        for activation in activations
        for width in (100, 200)
        for run in runs(num_seeds, (0.1, 0.3), activation=activation, depth=3, width=width)
    ]
    plant(root / "sparsity", configs, truth)
    return Evidence(root)


def decide(evidence: Evidence) -> Verdict:
    return verdict_of("sparsity-reduces-overfitting", evidence)


def relu_has(gap: float, **more: float) -> Callable[[RunConfig], Curve]:
    """Return losses with a gap of 0.5, but of ReLU another."""
    return lambda run: fitting(gap, **more) if run.activation == RELU else fitting(0.5)


def test_a_smaller_gap_at_one_training_loss_supports(tmp_path: Path) -> None:
    verdict = decide(write(tmp_path, relu_has(0.4)))
    assert verdict.name == "supported"
    assert verdict.effect == pytest.approx(1.25, rel=0.01)
    assert {cell.where["images"] for cell in verdict.settings} == {"500"}
    assert len(verdict.settings) == 2
    assert not any("never fit so well" in note for note in verdict.notes)


def test_a_larger_gap_refutes_and_an_equal_one_is_no_difference_that_matters(
    tmp_path: Path,
) -> None:
    larger = decide(write(tmp_path / "1", relu_has(0.6)))
    assert (larger.name, larger.equivalent) == ("refuted", False)
    assert decide(write(tmp_path / "2", relu_has(0.5))).equivalent


def test_a_run_that_goes_on_fitting_has_no_larger_gap(tmp_path: Path) -> None:
    # at the end ReLU's test loss is higher by far, and its training loss lower: it fitted sooner
    verdict = decide(write(tmp_path, relu_has(0.4, speed=0.04, more=2.0)))
    assert verdict.name == "supported"
    assert verdict.effect == pytest.approx(1.25, rel=0.05)


def test_a_smaller_gap_at_one_width_only_is_conditional(tmp_path: Path) -> None:
    def curve(run: RunConfig) -> Curve:
        return fitting(0.4 if run.activation == RELU and run.width == 100 else 0.5)

    verdict = decide(write(tmp_path, curve))
    assert verdict.name == "conditional"
    held = {cell.where["width"] for cell in verdict.settings if cell.verdict == "supported"}
    assert held == {"100"}


def test_one_seed_decides_nothing(tmp_path: Path) -> None:
    assert decide(write(tmp_path, relu_has(0.1), num_seeds=1)).name == "inconclusive"


def test_a_control_without_runs_is_said(tmp_path: Path) -> None:
    evidence = write(tmp_path, relu_has(0.5), activations=(RELU,), num_seeds=2)
    with pytest.raises(MissingRunsError, match="activation=leaky_relu"):
        decide(evidence)


def test_what_never_fits_has_no_gap(tmp_path: Path) -> None:
    slow = write(tmp_path / "1", relu_has(0.5, speed=0.001), num_seeds=2)
    lost = write(tmp_path / "2", relu_has(0.5), num_seeds=2, diverged="relu")
    for evidence in (slow, lost):
        with pytest.raises(MissingRunsError, match="falls to"):
            decide(evidence)


def test_runs_that_never_fit_are_counted_in_a_note(tmp_path: Path) -> None:
    def curve(run: RunConfig) -> Curve:
        return fitting(0.5, speed=0.001 if run.seed == 0 else 0.02)

    notes = decide(write(tmp_path, curve)).notes
    assert any(re.match(r"[1-9]\d* of \d+ runs never fit so well", note) for note in notes)


def test_without_results_nothing_is_decided(tmp_path: Path) -> None:
    with pytest.raises(MissingRunsError, match="has not been run"):
        decide(Evidence(tmp_path))
