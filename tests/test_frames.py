"""Frames: what is read is what the manifest asks for, each run once, tidy and labeled."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relu_exp.core.schema import Choice, UsageError
from relu_exp.evidence.data.derived import revivals, steps_to_threshold
from relu_exp.evidence.data.frames import (
    Frames,
    find_results,
    unpack,
)
from relu_exp.evidence.data.labels import label_choices
from relu_exp.results.store import Store

import synthetic

RUNS = synthetic.configs(depths=(2,), learning_rates=(0.1, 1.0), seeds=(0, 1))

LAW = settings(max_examples=25)


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    root = tmp_path_factory.mktemp("results")
    return Frames.open(synthetic.write(root, RUNS, failed=[RUNS[1].run_id], fleet_size=5))


def test_there_is_one_row_per_run_in_the_order_of_the_sweep(frames):
    assert frames.runs["run_id"].tolist() == [run.run_id for run in RUNS]
    assert frames.num_missing == 0


def test_settings_become_columns_and_labels(frames):
    row = frames.runs.iloc[0]
    assert row["initializer.std"] == 0.01
    assert row["network.output"] == "logits"
    assert row["activation_label"] == "sigmoid"
    assert frames.runs["initializer_label"].cat.categories.tolist() == ["N(0, 0.01²)", "He"]


def test_every_table_belongs_to_runs_of_the_manifest(frames):
    known = set(frames.runs["run_id"])
    for table in ("curves", "layers", "histograms", "dead_units", "predictions"):
        found = getattr(frames, table)
        assert len(found) > 0
        assert set(found["run_id"].astype(str)) <= known


def test_a_selection_is_the_same_rows_as_the_whole_table_filtered(frames):
    chosen = frames.runs["run_id"].iloc[[2, 7]]
    whole = frames.layers
    whole = whole[whole["run_id"].isin(chosen) & (whole["quantity"] == "activation_std")]
    last = whole.groupby("run_id", observed=True)["step"].transform("max")
    found = frames.read("layers", run_ids=chosen, steps="last", quantity=["activation_std"])
    expected = whole[whole["step"] == last].reset_index(drop=True)
    pd.testing.assert_frame_equal(found.astype(object), expected.astype(object))
    one = frames.read("layers", run_ids=chosen, steps=0, quantity="activation_std")
    pd.testing.assert_frame_equal(
        one, frames.read("layers", run_ids=chosen, steps=[0], quantity=["activation_std"])
    )
    assert len(one)
    first = frames.read("layers", run_ids=chosen, steps="first", columns=["run_id", "step"])
    assert set(first["step"]) == {0}
    assert first.columns.tolist() == ["run_id", "step"]


def test_an_empty_selection_keeps_the_types_of_its_columns(frames):
    found = frames.read("layers", quantity=["nothing"])
    assert found.empty
    assert found["value"].dtype == float


def test_repeated_text_is_stored_once(frames):
    assert isinstance(frames.layers["run_id"].dtype, pd.CategoricalDtype)
    assert isinstance(frames.layers["quantity"].dtype, pd.CategoricalDtype)


def test_runs_of_older_sweeps_stay_out(tmp_path):
    root = synthetic.write(tmp_path, RUNS[:6], fleet_size=2)
    synthetic.write_manifest(Store(root), [RUNS[3].run_id, RUNS[1].run_id, "0" * 16])
    frames = Frames.open(root)
    assert frames.runs["run_id"].tolist() == [RUNS[3].run_id, RUNS[1].run_id]
    assert set(frames.curves["run_id"]) == {RUNS[3].run_id, RUNS[1].run_id}
    assert frames.num_missing == 1


@pytest.mark.parametrize("finished_first", [True, False])
def test_a_finished_row_counts_over_a_failed_one_in_another_part(tmp_path, finished_first):
    root = synthetic.write(tmp_path, RUNS[:1])
    failed = synthetic.empty_tables()
    synthetic.add_run(failed, RUNS[0], failed=True)
    Store(root).write_part("zzz" if finished_first else "aaa", failed)
    frames = Frames.open(root)
    assert frames.runs["status"].tolist() == ["done"]
    assert len(frames.curves) == 3 * len(RUNS[0].evaluation_steps)


def test_rows_of_a_run_that_was_made_twice_are_read_once(tmp_path):
    root = synthetic.write(tmp_path, RUNS[:1])
    again = synthetic.empty_tables()
    synthetic.add_run(again, RUNS[0], failed=False)
    Store(root).write_part("again", again)
    frames = Frames.open(root)
    assert not frames.layers.duplicated(["run_id", "step", "layer", "quantity"]).any()
    assert not frames.functions.duplicated(["activation_label", "x"]).any()


@pytest.mark.parametrize("batch_bytes", [0, 10_000])
def test_parts_read_one_by_one_are_the_same_as_many_at_a_time(frames, monkeypatch, batch_bytes):
    tables = ("curves", "layers", "histograms", "dead_units", "predictions")
    chosen = {"run_ids": frames.runs["run_id"].iloc[::2], "steps": "last"}
    together = [frames.runs, frames.functions, *(frames.read(table) for table in tables)]
    together.append(frames.read("layers", **chosen, columns=["step"], quantity="activation_std"))
    monkeypatch.setattr("relu_exp.evidence.data.frames.BATCH_BYTES", batch_bytes)
    few = Frames.open(frames.root)
    apart = [few.runs, few.functions, *(few.read(table) for table in tables)]
    apart.append(few.read("layers", **chosen, columns=["step"], quantity="activation_std"))
    for one, other in zip(together, apart, strict=True):
        assert len(one)
        pd.testing.assert_frame_equal(one, other)


def test_of_many_parts_the_one_that_is_damaged_is_named(tmp_path):
    root = synthetic.write(tmp_path, RUNS, fleet_size=3)
    *_, part_id = parts = Store(root).part_ids()
    assert len(parts) > 3
    path = Store(root).parts / part_id / "curves.parquet"
    rows = pq.read_table(path)
    for changed in (
        rows.set_column(2, "split", pa.array(["nowhere"] * len(rows))),
        pa.concat_tables([rows, rows.slice(0, 1)]),
    ):
        pq.write_table(changed.cast(rows.schema), path)
        with pytest.raises(UsageError, match=f"parts/{part_id} is damaged"):
            Frames.open(root).read("curves")


def test_a_network_without_a_width_is_read(tmp_path):
    root = synthetic.write(tmp_path, synthetic.configs(width=None, depths=(2,), seeds=(0,)))
    assert Frames.open(root).runs["width"].isna().all()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda root: root / "nowhere", "does not exist"),
        (lambda root: root, "holds no results"),
    ],
)
def test_a_folder_without_results_is_one_clear_line(tmp_path, make, says):
    for read in (Frames.open, find_results):
        with pytest.raises(UsageError, match=says):
            read(make(tmp_path))


def test_a_manifest_whose_runs_are_all_missing_is_one_clear_line(tmp_path):
    root = synthetic.write(tmp_path, RUNS[:1])
    synthetic.write_manifest(Store(root), ["0" * 16])
    with pytest.raises(UsageError, match="no run that its newest manifest asks for"):
        Frames.open(root)


def test_a_damaged_part_is_one_clear_line(tmp_path):
    root = synthetic.write(tmp_path, RUNS[:1])
    (root / "parts" / "fleet000000" / "layers.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(UsageError, match="damaged"):
        _ = Frames.open(root).layers


def test_results_are_found_in_a_folder_and_beneath_it(tmp_path):
    one, two = tmp_path / "a", tmp_path / "b"
    for root in (one, two):
        synthetic.write(root, RUNS[:1])
    (tmp_path / "notes").mkdir()
    assert find_results(tmp_path) == [one, two]
    assert find_results(one) == [one]


def label(part_choices):
    return list(label_choices((c.name, json.dumps(c.as_dict())) for c in part_choices).values())


def test_a_setting_is_told_only_where_choices_of_one_name_differ():
    leaky = [Choice("leaky_relu", (("negative_slope", slope),)) for slope in (0.01, 0.2)]
    assert label([leaky[0], Choice("relu")]) == ["leaky ReLU", "ReLU"]
    assert label(leaky) == ["leaky ReLU (negative_slope=0.01)", "leaky ReLU (negative_slope=0.2)"]
    own = [Choice("my_own", (("a", 1), ("b", b))) for b in (2, 3)]
    assert label(own) == ["my_own (b=2)", "my_own (b=3)"]
    assert label(
        [Choice("normal", (("std", 1.0),)), Choice("uniform", (("bound", 0.5),)), Choice("zeros")]
    ) == ["N(0, 1)", "U(−0.5, 0.5)", "zeros"]


def curve(losses, steps=None, run_id="a"):
    steps = steps if steps is not None else range(len(losses))
    return pd.DataFrame({"run_id": run_id, "step": steps, "split": "train", "loss": losses})


def run(status="done", num_steps=100, run_id="a"):
    return pd.DataFrame({"run_id": [run_id], "status": [status], "num_steps": [num_steps]})


def reach(losses, threshold=1.0, status="done", steps=None, metric="loss"):
    curves = curve(losses, steps).rename(columns={"loss": metric})
    return steps_to_threshold(curves, run(status), "train", metric, threshold).iloc[0]


def test_a_crossing_is_interpolated_between_evaluations():
    found = reach([3.0, 2.0, 0.0], steps=[0, 10, 30])
    assert (found["steps"], found["censored"], found["reason"]) == (20.0, False, "reached")
    assert reach([0.1, 0.5, 0.9], 0.7, steps=[0, 10, 20], metric="accuracy")["steps"] == 15.0


def test_only_the_first_crossing_counts():
    assert reach([2.0, 0.5, 3.0, 0.1], steps=[0, 3, 6, 9])["steps"] == 2.0


def test_a_run_that_begins_below_the_threshold_needs_no_step():
    assert reach([0.5, 0.4])["steps"] == 0.0


@pytest.mark.parametrize(
    ("status", "losses", "steps", "reason"),
    [
        ("done", [3.0, 2.0], 100, "not reached"),
        ("diverged", [3.0, np.nan], 100, "diverged"),
        ("interrupted", [3.0, 2.0], 1, "not reached"),
    ],
)
def test_a_run_that_never_arrives_is_censored_not_dropped(status, losses, steps, reason):
    found = reach(losses, status=status)
    assert (found["steps"], found["censored"], found["reason"]) == (steps, True, reason)


def test_a_run_that_diverges_before_anything_is_evaluated_is_censored_too():
    runs = pd.concat([run(run_id="a"), run("diverged", run_id="b"), run("failed", run_id="c")])
    found = steps_to_threshold(curve([3.0, 0.9], run_id="a"), runs, "train", "loss", 1.0)
    assert found["run_id"].tolist() == ["a", "b"]
    assert found["reason"].tolist() == ["reached", "diverged"]
    assert found["steps"].tolist()[1] == 100
    # where nobody was evaluated, nothing is known
    nothing = curve([3.0], run_id="a").iloc[:0]
    assert steps_to_threshold(nothing, runs, "train", "loss", 1.0).empty


def test_a_run_that_arrives_and_diverges_later_has_arrived():
    assert reach([3.0, 0.5, np.nan], status="diverged")["reason"] == "reached"


def test_curves_of_neighboring_runs_do_not_mix():
    curves = pd.concat([curve([3.0, 2.0], run_id="a"), curve([0.9, 0.8], run_id="b")])
    runs = pd.concat([run(run_id="a"), run(run_id="b")])
    found = steps_to_threshold(curves, runs, "train", "loss", 1.0).set_index("run_id")
    assert found["censored"].to_dict() == {"a": True, "b": False}
    assert found.loc["b", "steps"] == 0.0


@LAW
@given(st.lists(st.floats(0.01, 5), min_size=2, max_size=8), st.floats(0.02, 4))
def test_a_stricter_threshold_is_never_reached_sooner(losses, threshold):
    loose, strict = reach(losses, threshold), reach(losses, threshold / 2)
    assert strict["steps"] >= loose["steps"]


masks = st.lists(
    st.lists(st.booleans(), min_size=5, max_size=5).map(np.array), min_size=1, max_size=6
)


@LAW
@given(masks)
def test_revivals_count_every_unit_once(dead):
    steps = [2**place for place in range(len(dead))]
    table = pd.DataFrame(
        [
            {"run_id": "a", "layer": 1, "step": step, "num_units": 5, "mask": mask}
            for step, units in zip(steps, dead, strict=True)
            if units.any() and (mask := np.packbits(units).tobytes())
        ],
        columns=["run_id", "layer", "step", "num_units", "mask"],
    )
    probed = pd.DataFrame({"run_id": "a", "layer": 1, "step": steps})
    found = revivals(table, probed)
    if not any(units.any() for units in dead):
        assert found.empty
        return
    ever = np.zeros(5, dtype=bool)
    seen_alive = {
        unit
        for unit in range(5)
        for late, now in enumerate(dead)
        if not now[unit] and any(before[unit] for before in dead[:late])
    }
    assert found["newly_revived"].sum() == len(seen_alive)
    for units, (_, row) in zip(dead, found.iterrows(), strict=True):
        assert row["newly_revived"] <= row["revived"]
        assert row["newly_dead"] + row["still_dead"] == units.sum()
        assert row["still_dead"] + row["revived"] == ever.sum()
        ever |= units


def test_masks_are_read_first_unit_first():
    units = np.array([True, False, False, True, False, False, False, False, True])
    assert unpack(np.packbits(units).tobytes(), 9).tolist() == units.tolist()
