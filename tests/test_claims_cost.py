"""Claims about cost: planted times get the verdicts they deserve, and real times are taken."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from relu_exp.core.schema import TABLES
from relu_exp.engine.studies.timings import Arm, _elementwise, _networks
from relu_exp.evidence.claims.judging import judge_claim
from relu_exp.evidence.claims.registry import Evidence, find_claim
from relu_exp.evidence.claims.verdicts import Verdict
from relu_exp.results.store import Store

import synthetic

NAMES = ("relu", "elu", "tanh", "sigmoid")


def write(
    root: Path,
    *,
    slower: Mapping[str, float],
    lighter: float = 1.0,
    per_activation: float = 0.0,
    free: str = "",
    device: str = "cpu",
    repeats: int = 8,
) -> Path:
    """Plant times: a function's over ReLU's, a zeroed network's, and what activations add."""
    generator = np.random.default_rng(0)
    rows = []

    def add(part: str, name: str, direction: str, size: int, amount: float, time: float) -> None:
        for repeat in range(repeats):
            seconds = time * float(np.exp(0.01 * generator.standard_normal()))
            row = (part, name, direction, size, amount, repeat, seconds, device)
            rows.append(dict(zip(TABLES["timings"], row, strict=True)))

    for direction in ("forward", "backward"):
        for size in (100, 1000):
            for name in NAMES:
                factor = slower.get(f"{name} {direction}", slower.get(name, 1.0))
                add("elementwise", name, direction, size, 0, 1e-6 * factor)
    for direction in ("inference", "training step"):
        add("activations", "identity", direction, 100, 0, 1e-3)
        for name in NAMES:
            for count in (2, 5):
                added = 0.0 if name == free else per_activation * count
                add("activations", name, direction, 100, count, 1e-3 * (1 + added))
        add("zeroed", "relu", direction, 300, 0, 1e-3)
        for share in (0.5, 0.9):
            add("zeroed", "relu", direction, 300, share, 1e-3 / lighter)
            add("removed", "relu", direction, 300, share, 1e-3 * (1 - share))
    columns = {column: [row[column] for row in rows] for column in TABLES["timings"]}
    store = Store(root / "cost")
    store.open()
    store.write_part("study-timings-0", {"timings": columns})
    # after the rules were amended
    started = "2026-12-01T00:00:00+00:00"
    synthetic.write_manifest(store, [], studies={"timings": "study-timings-0"}, started=started)
    return root


def verdict(root: Path, id: str) -> Verdict:
    return judge_claim(find_claim(id), Evidence(root))


SLOW = {"elu": 2.0, "tanh": 3.0, "sigmoid": 1.5}


@pytest.mark.parametrize(
    ("slower", "expected"),
    [
        (SLOW, "supported"),
        ({}, "refuted"),
        ({**SLOW, "tanh backward": 1.0, "sigmoid backward": 1.0}, "conditional"),
    ],
)
def test_cheaper_functions_are_told_from_dearer_ones(
    tmp_path: Path, slower: dict[str, float], expected: str
) -> None:
    found = verdict(write(tmp_path, slower=slower), "relu-computes-faster")
    assert found.name == expected
    assert len(found.settings) == 2 * 3 * 2
    assert found.num_seeds == 8
    assert "repeats stand for seeds" in found.scope


@pytest.mark.parametrize(("lighter", "expected"), [(1.5, "supported"), (1.0, "refuted")])
def test_zeros_make_a_network_lighter_or_do_not(
    tmp_path: Path, lighter: float, expected: str
) -> None:
    found = verdict(write(tmp_path, slower={}, lighter=lighter), "relu-zeros-lighten-network")
    assert found.name == expected
    assert "8 repeats" in found.text
    assert "50% 2×, 90% 10×" in " ".join(found.notes)


@pytest.mark.parametrize(("added", "expected"), [(0.05, "supported"), (0.0, "refuted")])
def test_activations_cost_something_or_nothing(tmp_path: Path, added: float, expected: str) -> None:
    found = verdict(write(tmp_path, slower={}, per_activation=added), "more-activations-cost-more")
    assert found.name == expected


def test_a_mean_over_functions_hides_none_that_costs_nothing(tmp_path: Path) -> None:
    root = write(tmp_path, slower={}, per_activation=0.05, free="relu")
    found = verdict(root, "more-activations-cost-more")
    assert found.name == "conditional"
    broken = {cell.where["function"] for cell in found.settings if cell.verdict == "refuted"}
    assert broken == {"ReLU"}


def test_what_was_not_timed_is_not_decided(tmp_path: Path) -> None:
    for id in ("relu-computes-faster", "relu-zeros-lighten-network", "more-activations-cost-more"):
        found = verdict(tmp_path, id)
        assert found.name == "not decided"
        assert "relu-exp run cost" in found.text
    only_gpu = write(tmp_path, slower=SLOW, device="cuda")
    assert verdict(only_gpu, "relu-computes-faster").name == "not decided"


def test_zeroed_units_are_zero_and_removed_ones_are_gone() -> None:
    arms = {(arm.part, arm.direction, arm.amount): arm for arm in _networks("cpu")}
    zeroed = _parameters(arms["zeroed", "training step", 0.5])
    assert zeroed == _parameters(arms["zeroed", "training step", 0.0])
    assert _parameters(arms["removed", "training step", 0.5]) < zeroed / 2


def test_every_arm_can_be_called() -> None:
    small = [arm for arm in _elementwise("cpu") if arm.size < 20_000]
    for arm in [*small, *_networks("cpu")]:
        arm.call()
    assert {arm.direction for arm in small} == {"forward", "backward"}


def _parameters(arm: Arm) -> int:
    """Return how many parameters the network of a training step has."""
    (network,) = [
        cell.cell_contents
        for cell in arm.call.__closure__ or ()  # type: ignore[attr-defined]
        if hasattr(cell.cell_contents, "hidden")
    ]
    return sum(parameter.numel() for parameter in network.parameters())
