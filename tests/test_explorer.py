"""The explorer's data: what was measured comes back as it was, and nothing is made up."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_layers import write_learning

from relu_exp.core.schema import HISTOGRAM_BINS, Choice
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.explorer import packing
from relu_exp.evidence.explorer.bounds import bounds_by_label
from relu_exp.evidence.explorer.compression import (
    MISSING,
    OVERFLOW,
    ZERO,
    log_codes,
    real_codes,
    share_codes,
    whole_codes,
)
from relu_exp.evidence.explorer.packing import QUANTITIES, explorer_data
from relu_exp.evidence.explorer.settings import seed_ranges
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
    low, high = np.frombuffer(raw[size:], np.uint8).reshape(2, -1).astype(int)
    return np.frombuffer(raw[:size], "<i2"), low + 256 * high


def start_of(quantity: str, row: list[int], steps: list[int], step: int = 0) -> int:
    """Return where the layers' values of a quantity at a step begin, for those of one integer."""
    _, _, layers, _, _, at, *_ = row
    before = list(QUANTITIES).index(quantity) if quantity in QUANTITIES else len(QUANTITIES)
    wide = sum(1 + (code == "float") for code in list(QUANTITIES.values())[:before])
    own = 1 + (QUANTITIES.get(quantity) == "float")
    return at + len(steps) + (wide * len(steps) + own * step) * layers


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
    assert packed["values"][1] == ["N(0, 0.01²)", "He"]
    assert len(packed["settings"]) == 2 * 2 * 2 + 1
    with pytest.raises(ValueError, match="not enough values"):
        place(packed, "tanh", "N(0, 0.01²)", "2", "0.01")


def test_means_over_seeds_come_back(root: Path, packed: dict[str, Any]) -> None:
    row, steps = place(packed, "tanh", "He", "3", "0.01")
    seeds, _, layers, _, _, at, _, names = row
    assert (seeds, layers, packed["seeds"][names]) == (2, 3, "0–1")
    found, _ = numbers(packed)
    assert list(found[at : at + len(steps)]) == [2] * len(steps)
    frames = Frames.open(root / "default")
    ids = [run.run_id for run in RUNS if run.activation.name == "tanh" and run.depth == 3]
    ids = ids[:2]
    table = frames.read("layers", run_ids=ids)
    for quantity, code in QUANTITIES.items():
        rows = table[table["quantity"] == quantity]
        for step_place, step in enumerate(steps):
            start = start_of(quantity, row, steps, step_place)
            means = rows[rows["step"] == step].groupby("layer")["value"].mean().to_numpy()
            if code == "float":
                back = found[start : start + 2 * layers].copy().view("<f4")
                np.testing.assert_allclose(back, means, rtol=1e-6)
                continue
            codes = found[start : start + layers].astype(float)
            if rows.empty:
                assert (codes == MISSING).all()
                continue
            back = np.where(codes == ZERO, 0, 10 ** (codes / 1000))
            back = back if code == "log" else codes / 10_000
            np.testing.assert_allclose(back, means, rtol=2e-3, atol=6e-5)


def test_the_mean_and_spread_of_a_layer_are_those_of_its_histogram(packed: dict[str, Any]) -> None:
    row, steps = place(packed, "tanh", "He", "3", "0.01")
    *_, counts_at, _ = row
    found, counts = numbers(packed)
    bins = {kind: size + 2 for kind, (_, _, size) in HISTOGRAM_BINS.items()}
    first = counts_at + bins["preactivation"] * len(steps) * 3
    low, high, size = HISTOGRAM_BINS["activation"]
    centers = low + (np.arange(size) + 0.5) * (high - low) / size
    for layer in range(3):
        shares = counts[first + layer * bins["activation"] :][: bins["activation"]] / 10_000
        assert shares[0] == shares[-1] == 0
        mean = float((shares[1:-1] * centers).sum())
        std = float(np.sqrt((shares[1:-1] * (centers - mean) ** 2).sum()))
        start = start_of("activation_mean", row, steps) + 2 * layer
        assert mean == pytest.approx(found[start : start + 2].copy().view("<f4")[0], abs=2e-3)
        code = found[start_of("activation_std", row, steps) + layer]
        assert std == pytest.approx(10 ** (code / 1000), rel=0.02)


def test_histograms_come_back_as_shares_that_sum_to_one(root: Path, packed: dict[str, Any]) -> None:
    (*_, at, _), _ = place(packed, "ReLU", "He", "3", "1")
    _, counts = numbers(packed)
    bins = HISTOGRAM_BINS["preactivation"][2] + 2
    # these runs have histograms at step 0 and none at the other steps
    assert set(counts.reshape(-1, bins).sum(axis=1)) == {0, 10_000}
    frames = Frames.open(root / "default")
    ids = [r.run_id for r in RUNS
           if (r.activation.name, r.depth, r.learning_rate) == ("relu", 3, 1.0)]  # fmt: skip
    rows = frames.read("histograms", run_ids=ids, steps=(0,), kind=["preactivation"])
    rows = rows[rows["layer"] == 1]
    shares = np.mean([row / row.sum() for row in rows["counts"]], axis=0)
    np.testing.assert_allclose(counts[at : at + bins] / 10_000, shares, atol=1e-4)


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=130).filter(any))
def test_shares_of_a_whole_sum_to_it_and_stay_where_they_were(counts: list[int]) -> None:
    shares = np.array(counts) / sum(counts)
    codes = whole_codes(shares[None])[0].astype(int)
    assert codes.sum() == 10_000
    assert np.abs(codes / 10_000 - shares).max() < 1e-4
    assert (codes[shares == 0] == 0).all()
    assert not whole_codes(np.zeros((2, 3))).any()


def curve(function: Callable[[Any], Any], slope: Callable[[Any], Any]) -> pd.DataFrame:
    x = np.linspace(-6, 6, 601)
    return pd.DataFrame(
        {"activation_label": "f", "x": x, "value": function(x), "derivative": slope(x)}
    )


@pytest.mark.parametrize(
    ("function", "slope", "bounds"),
    [
        (np.tanh, lambda x: 1 - np.tanh(x) ** 2, (-1, 1)),
        (lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2, (0, 1)),
        (lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0, (0, None)),
        (lambda x: (x > 0) * 1.0, lambda x: 0 * x, (0, 1)),
        (lambda x: np.where(x > 0, x, 0.01 * x), lambda x: np.where(x > 0, 1, 0.01), (None, None)),
        (lambda x: np.minimum(x, 2), lambda x: (x < 2) * 1.0, (None, 2)),
        (lambda x: -np.maximum(x, 0), lambda x: (x > 0) * -1.0, (None, 0)),
        (lambda x: np.where(x > 0, x, np.expm1(x)), lambda x: np.exp(np.minimum(x, 0)), (-1, None)),
        (np.sin, np.cos, (None, None)),
        (lambda x: x * np.nan, lambda x: x * np.nan, (None, None)),
    ],
)
def test_what_an_activation_can_give_is_told_by_its_curve(
    function: Callable[[Any], Any],
    slope: Callable[[Any], Any],
    bounds: tuple[float | None, float | None],
) -> None:
    assert bounds_by_label(curve(function, slope), ["f", "g"]) == [bounds, (None, None)]


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
        row, steps = place(packed, name, "He", "2", "0.01")
        layers, start = row[2], start_of("learned_slope", row, steps)
        codes = found[start : start + len(steps) * layers]
        if not learns:
            assert (codes == MISSING).all()
            continue
        slopes = codes.view("<f2").astype(float).reshape(len(steps), layers)
        wanted = [[-0.25 + step / 1e4, -0.5 + step / 1e4] for step in steps]
        np.testing.assert_allclose(slopes, wanted, rtol=1e-3)
        begins = start_of("activation_std", row, steps)
        spread = found[begins:][: len(steps) * layers].reshape(len(steps), layers)
        assert [step for step, row in zip(steps, spread, strict=True) if OVERFLOW in row] == [256]


def test_what_does_not_fit_goes_without_histograms_and_then_is_named(
    root: Path, packed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert packed["omitted"] == {}
    monkeypatch.setattr(packing, "MOST_BYTES", len(packed["data"]) - 1)
    (smaller,) = explorer_data(root)["experiments"]
    assert smaller["kinds"] == ["activation"]
    assert smaller["omitted"] == {"kind": ["preactivation"]}
    monkeypatch.setattr(packing, "MOST_BYTES", 10)
    assert explorer_data(root)["left_out"] == ["default"]


def test_a_report_shows_as_much_as_there_is_room_for_and_says_what_it_left_out(
    root: Path, packed: dict[str, Any]
) -> None:
    frames = Frames.open(root / "default")
    room, seen = len(packed["data"]), []
    while (found := packing.experiment_data(frames, room)) and not found["left_out"]:
        (one,) = found["experiments"]
        assert len(one["data"]) <= room
        seen.append([*one["omitted"]])
        kept = {step for row in one["settings"] for step in one["steps"][row[len(one["axes"]) + 3]]}
        assert {0, 256} <= kept
        assert kept.isdisjoint(map(int, one["omitted"].get("step", ())))
        for axis, values in zip(one["axes"], one["values"], strict=True):
            assert {*values}.isdisjoint(one["omitted"].get(axis, ()))
        assert {row[len(one["axes"])] for row in one["settings"]} <= {1, 2}
        room = len(one["data"]) - 1
    assert seen[:2] == [[], ["kind"]]
    assert ["kind", "step"] in seen
    assert "learning_rate" in seen[-1]
    assert found is not None
    assert (found["experiments"], found["left_out"]) == ([], ["default"])


def test_a_sweep_without_histograms_has_no_explorer_of_its_own(tmp_path: Path) -> None:
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.01,), (0,), probe_steps=())
    synthetic.write(tmp_path / "bare", runs)
    assert packing.experiment_data(Frames.open(tmp_path / "bare"), 10**9) is None


def test_seeds_are_said_briefly() -> None:
    assert seed_ranges(pd.Series([3, 1, 0, 2, 7, 5, 5])) == "0–3, 5, 7"


def test_settings_that_differ_otherwise_are_variants(tmp_path: Path) -> None:
    runs = [
        *synthetic.configs(("relu",), (HE,), (2,), (0.01,), (0, 1), width=16),
        *synthetic.configs(("relu",), (HE,), (2,), (0.01,), (0, 1), width=32),
    ]
    synthetic.write(tmp_path / "wide", runs)
    (packed,) = explorer_data(tmp_path)["experiments"]
    assert packed["axes"][-1] == "variant"
    assert packed["values"][-1] == ["width 16", "width 32"]
    assert packed["korean"]["width 16"] == "너비 16"
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
