"""The explorer's data: what was measured comes back as it was, and nothing is made up."""

from __future__ import annotations

import base64
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted_layers import write_learning

from relu_exp.core.schema import HISTOGRAM_BINS, Choice
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.explorer import packing
from relu_exp.evidence.explorer.compression import (
    MISSING,
    OVERFLOW,
    ZERO,
    log_codes,
    real_codes,
    share_codes,
)
from relu_exp.evidence.explorer.packing import QUANTITIES, explorer_data
from relu_exp.evidence.report import explorer_section as section
from relu_exp.evidence.report.pages import asset

import synthetic

HE = Choice("he_normal", (("gain", 2**0.5), ("mode", "fan_in")))
SMALL = Choice("normal", (("std", 0.01),))
RUNS = [
    *synthetic.configs(("relu", "tanh"), (HE,), (2, 3), (0.01, 1.0), (0, 1)),
    *synthetic.configs(("relu",), (SMALL,), (2,), (0.01,), (0, 1)),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("results")
    synthetic.write(root / "default", RUNS, failed=[RUNS[0].run_id])
    return root


@pytest.fixture(scope="module")
def packed(root: Path) -> dict[str, Any]:
    (experiment,) = explorer_data(root)["experiments"]
    return experiment


def numbers(packed: dict[str, Any]) -> tuple[Any, Any]:
    raw = zlib.decompress(base64.b64decode(packed["data"]))
    size = 2 * packed["num_numbers"]
    return np.frombuffer(raw[:size], "<i2"), np.frombuffer(raw[size:], np.uint8)


def place(packed: dict[str, Any], *choice: str) -> tuple[list[int], list[int]]:
    """Return the row of a setting: its seeds, shape and offsets, and the steps it was probed at."""
    wanted = [values.index(each) for values, each in zip(packed["values"], choice, strict=True)]
    (row,) = [row for row in packed["settings"] if row[: len(wanted)] == wanted]
    return row[len(wanted) :], packed["steps"][row[len(wanted) + 3]]


def test_every_word_that_the_explorer_asks_for_is_its_own() -> None:
    for name in (*section.BASE, *section.SCRIPTS):
        for key in re.findall(r'\bword\("(\w+)"[,)]', asset(name, section.PACKAGE)):
            assert key in section.EXPLORER_WORDS, f"{name}: {key}"


def test_only_what_was_run_has_an_entry(packed: dict[str, Any]) -> None:
    assert packed["axes"] == ["activation", "initializer", "depth", "learning_rate"]
    assert packed["values"][1] == ["He", "N(0, 0.01²)"]
    assert len(packed["settings"]) == 2 * 2 * 2 + 1
    with pytest.raises(ValueError, match="not enough values"):
        place(packed, "tanh", "N(0, 0.01²)", "2", "0.01")


def test_means_over_seeds_come_back(root: Path, packed: dict[str, Any]) -> None:
    (seeds, _, layers, _, _, at, _), steps = place(packed, "tanh", "He", "3", "0.01")
    assert (seeds, layers) == (2, 3)
    found, _ = numbers(packed)
    assert list(found[at : at + len(steps)]) == [2] * len(steps)
    frames = Frames.open(root / "default")
    ids = [run.run_id for run in RUNS if run.activation.name == "tanh" and run.depth == 3]
    ids = ids[:2]
    table = frames.read("layers", run_ids=ids)
    for number, (quantity, code) in enumerate(QUANTITIES.items()):
        rows = table[table["quantity"] == quantity]
        for step_place, step in enumerate(steps):
            start = at + len(steps) + (number * len(steps) + step_place) * layers
            codes = found[start : start + layers].astype(float)
            if rows.empty:
                assert (codes == MISSING).all()
                continue
            means = rows[rows["step"] == step].groupby("layer")["value"].mean().to_numpy()
            back = np.where(codes == ZERO, 0, 10 ** (codes / 1000))
            back = back if code == "log" else codes / 10_000
            np.testing.assert_allclose(back, means, rtol=2e-3, atol=6e-5)


def test_histograms_come_back_as_shares(root: Path, packed: dict[str, Any]) -> None:
    (*_, at), _ = place(packed, "ReLU", "He", "3", "1")
    _, counts = numbers(packed)
    bins = HISTOGRAM_BINS["preactivation"][2] + 2
    roots = counts[at : at + bins].astype(float) / 255
    frames = Frames.open(root / "default")
    ids = [r.run_id for r in RUNS
           if (r.activation.name, r.depth, r.learning_rate) == ("relu", 3, 1.0)]  # fmt: skip
    rows = frames.read("histograms", run_ids=ids, steps=(0,), kind=["preactivation"])
    rows = rows[rows["layer"] == 1]
    shares = np.mean([row / row.sum() for row in rows["counts"]], axis=0)
    np.testing.assert_allclose(roots, np.sqrt(shares), atol=0.5 / 255 + 1e-9)


def test_failed_runs_are_no_seeds(packed: dict[str, Any]) -> None:
    (seeds, *_), _ = place(packed, "ReLU", "He", "2", "0.01")
    assert seeds == 1


def test_zero_and_missing_are_told_apart_from_small() -> None:
    values = np.array([0.0, np.nan, 1e-31, 1.0, 1e32])
    assert log_codes(values).tolist() == [ZERO, MISSING, -31000, 0, 32000]
    assert share_codes(np.array([0, 0.5, np.nan])).tolist() == [0, 5000, MISSING]


def test_what_is_too_large_is_marked_and_not_cut() -> None:
    assert log_codes(np.array([1.1e32, 3e38, np.inf])).tolist() == [OVERFLOW] * 3
    values = np.array([0.25, -0.01, 0.0, -0.0, np.nan, 7e4, -7e4])
    codes = real_codes(values)
    assert codes[4] == MISSING
    assert MISSING not in codes[:4]
    back = codes.view("<f2").astype(float)
    np.testing.assert_allclose(back[:4], values[:4], rtol=1e-3)
    assert back[5:].tolist() == [np.inf, -np.inf]


def test_what_activations_learn_is_a_quantity_of_those_that_learn(tmp_path: Path) -> None:
    write_learning(tmp_path)
    (packed,) = explorer_data(tmp_path)["experiments"]
    assert packed["learned"] == ["learned_slope"]
    found, _ = numbers(packed)
    for name, learns in (("PReLU", True), ("ReLU", False)):
        (_, _, layers, _, _, at, _), steps = place(packed, name, "He", "2", "0.01")
        start = at + len(steps) * (1 + len(QUANTITIES) * layers)
        codes = found[start : start + len(steps) * layers]
        if not learns:
            assert (codes == MISSING).all()
            continue
        slopes = codes.view("<f2").astype(float).reshape(len(steps), layers)
        wanted = [[-0.25 + step / 1e4, -0.5 + step / 1e4] for step in steps]
        np.testing.assert_allclose(slopes, wanted, rtol=1e-3)
        spread = found[at + len(steps) :][: len(steps) * layers].reshape(len(steps), layers)
        assert [step for step, row in zip(steps, spread, strict=True) if OVERFLOW in row] == [256]


def test_what_does_not_fit_goes_without_histograms_and_then_is_named(
    root: Path, packed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "MOST_BYTES", len(packed["data"]) - 1)
    (smaller,) = explorer_data(root)["experiments"]
    assert smaller["kinds"] == ["activation"]
    monkeypatch.setattr(packing, "MOST_BYTES", 10)
    assert explorer_data(root)["left_out"] == ["default"]


def test_settings_that_differ_otherwise_are_variants(tmp_path: Path) -> None:
    runs = [
        *synthetic.configs(("relu",), (HE,), (2,), (0.01,), (0, 1), width=16),
        *synthetic.configs(("relu",), (HE,), (2,), (0.01,), (0, 1), width=32),
    ]
    synthetic.write(tmp_path / "wide", runs)
    (packed,) = explorer_data(tmp_path)["experiments"]
    assert packed["axes"][-1] == "variant"
    assert packed["values"][-1] == ["width 16", "width 32"]
    assert len(packed["settings"]) == 2


def test_a_setting_whose_layers_were_never_probed_has_no_entry(tmp_path: Path) -> None:
    runs = [
        *synthetic.configs(("relu",), (HE,), (2,), (0.01,), (0, 1)),
        *synthetic.configs(("relu",), (HE,), (2,), (0.1,), (0, 1), probe_steps=()),
    ]
    synthetic.write(tmp_path / "half", runs)
    (packed,) = explorer_data(tmp_path)["experiments"]
    assert packed["values"][3] == ["0.01", "0.1"]
    assert [row[3] for row in packed["settings"]] == [0]
