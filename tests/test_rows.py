"""Rows of results: each belongs to the run that its id names, once, or the part is refused."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relu_exp import cli
from relu_exp.core.schema import UsageError
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.export import events
from relu_exp.planning.run_status import run_statuses
from relu_exp.results.rows import ROW_KEYS
from relu_exp.results.store import Store

import synthetic


@pytest.fixture
def root(tmp_path):
    runs = synthetic.configs(activations=("relu", "tanh"), depths=(2,), seeds=(0, 1))
    return synthetic.write(tmp_path / "a/b/c/d/results", runs)


def rewrite(root, table, change):
    """Change the rows of the first part's table."""
    path = Store(root).parts / Store(root).part_ids()[0] / f"{table}.parquet"
    old = pq.read_table(path)
    pq.write_table(pa.Table.from_pylist(change(old.to_pylist()), schema=old.schema), path)


def test_every_row_that_is_written_is_sound(root):
    frames = Frames.open(root)
    assert len(frames.runs) == 24
    assert all(len(frames.read(table)) for table in ROW_KEYS if table not in ("checks", "runs"))


def test_a_run_id_is_no_path(root, tmp_path):
    """Two runs of one name are told apart by their ids, which come from the results."""

    def elsewhere(rows):
        for row in rows[:2]:
            row["run_id"] = "b/../../../../../pwned"
        return rows

    rewrite(root, "runs", elsewhere)
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["export", str(root), "--to", "tensorboard"]) == 2
    assert sorted(tmp_path.rglob("*")) == before


def test_an_export_that_is_refused_leaves_no_folder(root, tmp_path):
    rewrite(root, "runs", lambda rows: [*rows, rows[0]])
    before = sorted(tmp_path.rglob("*"))
    out = tmp_path / "new/newer/csv"
    assert cli.main(["export", str(root), "--to", "csv", "--out", str(out)]) == 2
    assert sorted(tmp_path.rglob("*")) == before


def test_names_of_events_stay_in_their_folder(root):
    runs = (
        Frames.open(root)
        .runs.head(2)
        .assign(activation="relu", learning_rate=0.1, seed=0, run_id=["b/../../x", "c/../../x"])
    )
    runs = runs.assign(**{column: runs[column].iloc[0] for column in runs if column[:5] == "initi"})
    names = events.run_names(runs)
    assert len({*names}) == 2
    assert not any("/" in name for name in names)


@pytest.mark.parametrize("table", [table for table in ROW_KEYS if table != "checks"])
def test_a_row_that_is_there_twice_is_named(root, table):
    rewrite(root, table, lambda rows: [*rows, rows[0]])
    with pytest.raises(UsageError, match=rf"damaged \(1 rows of {table} are there twice\)"):
        Frames.open(root).read(table, columns=["run_id"])


def test_a_function_may_be_tabulated_twice(root):
    rewrite(root, "functions", lambda rows: [*rows, *rows])
    assert not Frames.open(root).functions.duplicated(["activation", "x"]).any()


@pytest.mark.parametrize(
    "changed",
    [
        {"learning_rate": 0.123},
        {"activation": "sigmoid"},
        {"optimizer_settings": '{"momentum": 0.5, "weight_decay": 0.0}'},
        {"seed": 99},
        {"probe_steps": "[0]"},
        {"run_id": "0123456789abcdef"},
    ],
    ids=str,
)
def test_a_changed_configuration_under_the_old_id_is_refused(root, changed):
    rewrite(root, "runs", lambda rows: [rows[0] | changed, *rows[1:]])
    with pytest.raises(UsageError, match="it was changed after it was written"):
        Frames.open(root)
    with pytest.raises(UsageError, match="it was changed after it was written"):
        run_statuses(synthetic.configs(), Store(root))


def test_where_data_lie_may_change(root):
    """It is no part of what a run is."""

    def moved(rows):
        return [row | {"dataset_settings": '{"num_train": null, "root": "/data"}'} for row in rows]

    rewrite(root, "runs", moved)
    assert len(Frames.open(root).runs) == 24


def test_rows_of_older_code_without_later_keys_are_the_same_runs(root):
    path = Store(root).parts / Store(root).part_ids()[0] / "runs.parquet"
    old = pq.read_table(path).drop_columns(["precision", "gradient_clip", "schedule"])
    pq.write_table(old, path)
    assert len(Frames.open(root).runs) == 24
    asked = synthetic.configs(activations=("relu", "tanh"), depths=(2,), seeds=(0, 1))
    found = run_statuses(asked, Store(root))
    assert not found.new
