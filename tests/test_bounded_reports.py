"""Reports of hostile results stay small and say what was cut."""

import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relu_exp import cli
from relu_exp.core.schema import UsageError
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.labels import label_choices
from relu_exp.evidence.figures.catalog import MOST_ACTIVATIONS, draw
from relu_exp.evidence.figures.sheet import Sheet
from relu_exp.evidence.figures.style import Look
from relu_exp.evidence.report.report import MOST_FIGURES, MOST_LINES, build
from relu_exp.evidence.report.summary import (
    MOST_CHARACTERS,
    MOST_RATES,
    MOST_ROWS,
    MOST_SESSIONS,
)
from relu_exp.planning.run_status import run_statuses
from relu_exp.results.store import Store

import synthetic

RUNS = synthetic.configs(activations=("relu",), depths=(2,), learning_rates=(0.1,), seeds=(0, 1))


def rewrite(root, table, **columns):
    """Give all rows of a table other values."""
    for part_id in Store(root).part_ids():
        path = Store(root).parts / part_id / f"{table}.parquet"
        old = pq.read_table(path)
        rows = [row | columns for row in old.to_pylist()]
        pq.write_table(pa.Table.from_pylist(rows, schema=old.schema), path)


def test_a_figure_that_is_named_often_is_drawn_once(tmp_path):
    once = build(synthetic.write(tmp_path / "once", RUNS, figures=["loss_curves"]))
    often = build(synthetic.write(tmp_path / "often", RUNS, figures=["loss_curves"] * 2000))
    assert len(often.figures) == len(once.figures) > 0


def test_of_very_many_figures_the_rest_is_left_out_in_a_line(tmp_path):
    names = [f"no_such_{number}" for number in range(2000)]
    built = build(synthetic.write(tmp_path, RUNS, figures=names))
    assert len(built.warnings) <= MOST_FIGURES + 5
    (line,) = [line for line in built.warnings if "left out" in line]
    assert f"no_such_{MOST_FIGURES}" in line


def test_a_very_long_error_is_cut_and_the_report_says_so(tmp_path):
    synthetic.write(tmp_path, RUNS, failed=[RUNS[0].run_id], figures=[])
    error = "Traceback\n" + "x" * 5_000_000
    rewrite(tmp_path, "runs", status="failed", error=error)
    built = build(tmp_path)
    assert built.html.stat().st_size < 1_000_000
    assert built.markdown.stat().st_size < 100_000
    assert "x" * MOST_CHARACTERS + "… (cut: 5,000,000 characters)" in built.markdown.read_text()
    assert all(len(line) < 1000 for line in built.warnings)
    for end in Store(tmp_path).ends().values():
        assert len(end.reason) <= MOST_CHARACTERS
    assert all(len(reason) < 1000 for reason in run_statuses(RUNS, Store(tmp_path)).failures)


def test_of_very_many_activations_some_are_drawn_and_the_report_says_so(tmp_path, monkeypatch):
    names = [f"act{number:04d}" for number in range(MOST_ROWS + 100)]
    for name in names:
        monkeypatch.setitem(synthetic.FUNCTIONS, name, synthetic.FUNCTIONS["relu"])
    runs = synthetic.configs(
        activations=names, initializers=[RUNS[0].initializer], depths=(1,), learning_rates=(0.1,),
        seeds=(0,), width=4, num_steps=8, probe_steps=(0,),
    )  # fmt: skip
    figures = ["loss_curves", "signal_by_layer"]
    built = build(synthetic.write(tmp_path, runs, fleet_size=1000, figures=figures))
    assert any(f"first {MOST_ROWS} of {len(names)} rows" in line for line in built.warnings)
    assert len(built.summary) == MOST_LINES
    text = built.markdown.read_text()
    assert f"{MOST_ACTIVATIONS} of {len(names)} activations are drawn." in text
    assert len(built.figures) >= 4
    assert built.html.stat().st_size < 5_000_000


def test_a_figure_of_many_runs_has_a_point_for_each_and_few_lines(tmp_path):
    runs = synthetic.configs(
        activations=("relu",), initializers=[RUNS[0].initializer], depths=(1,),
        learning_rates=(0.1,), seeds=range(300), width=4, num_steps=8, probe_steps=(0,),
    )  # fmt: skip
    root = synthetic.write(tmp_path, runs, thresholds={"train_loss": [2.2]})
    for drawing in draw("steps_to_threshold", Frames.open(root)):
        (axes,) = drawing.figure.axes
        marked = [line for line in axes.lines if line.get_marker() in ("o", "x", "^")]
        assert sum(len(line.get_xdata()) for line in marked) == 300
        assert len(axes.lines) < 10


def test_a_legend_has_an_end():
    sheet = Sheet(1, 1)
    handles = [Look("#000000").handle(f"arm {number}") for number in range(1000)]
    figure = sheet.finish(title="t", small_print="s", x="x", y="y", handles=handles)
    (legend,) = figure.legends
    *_, last = (text.get_text() for text in legend.get_texts())
    assert len(legend.get_texts()) < 100
    assert last.startswith("… and 9")


def test_labels_of_many_settings_name_what_differs_only():
    """In time that grows with their number, not with its square."""
    choices = [("elu", json.dumps({"alpha": n, "beta": 1})) for n in range(20_000)]
    labels = label_choices(choices)
    assert labels[choices[7]] == "ELU (alpha=7)"


def test_a_manifest_of_megabytes_is_refused_unless_they_are_run_ids(tmp_path):
    ids = [run.run_id for run in RUNS]
    many = [f"{number:016x}" for number in range(400_000)]
    root = synthetic.write(tmp_path, RUNS)
    synthetic.write_manifest(Store(root), [*ids, *many])
    assert Frames.open(root).num_missing == len(many)
    synthetic.write_manifest(Store(root), ids, axes={"activation": ["x" * 1000] * 6000})
    with pytest.raises(UsageError, match="5,000,000 bytes beside its run ids"):
        Frames.open(root)


def test_very_many_commands_and_learning_rates_are_not_all_listed(tmp_path):
    runs = [replace(RUNS[0], learning_rate=1e-4 * (n + 1)) for n in range(MOST_SESSIONS + 50)]
    synthetic.write(tmp_path, runs, figures=[])
    for part_id in Store(tmp_path).part_ids():
        path = Store(tmp_path).parts / part_id / "runs.parquet"
        old = pq.read_table(path)
        rows = [
            row | {"session": f"s{row['learning_rate']:.4f}", "status": "diverged"}
            for row in old.to_pylist()
        ]
        pq.write_table(pa.Table.from_pylist(rows, schema=old.schema), path)
    text = build(tmp_path).markdown.read_text()
    assert f"The newest {MOST_SESSIONS} of {len(runs)} commands are listed." in text
    assert f"and others at {len(runs) - MOST_RATES} more" in text


@pytest.mark.parametrize("number", [1e308, -1e308])
@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("curves", "loss"),
        ("curves", "accuracy"),
        ("layers", "value"),
        ("runs", "final_test_loss"),
        ("runs", "final_validation_accuracy"),
        ("runs", "seconds"),
    ],
)
def test_a_number_that_no_training_measures_is_refused(tmp_path, table, column, number):
    synthetic.write(tmp_path, RUNS)
    rewrite(tmp_path, table, **{column: number})
    with pytest.raises(UsageError, match=rf"damaged \({column} of {table}: out of range\)"):
        Frames.open(tmp_path).read(table)


@pytest.mark.parametrize("number", [float("inf"), float("nan"), None, 3e38])
def test_a_loss_may_overflow(tmp_path, number):
    synthetic.write(tmp_path, RUNS)
    rewrite(tmp_path, "curves", loss=number)
    assert len(Frames.open(tmp_path).curves)


@pytest.mark.parametrize(
    "started", ["yesterday", "0001-01-01", "2026-13-01T00:00:00", "\N{SNOWMAN}"]
)
def test_a_start_that_is_no_date_is_one_line(tmp_path, capsys, started):
    synthetic.write(tmp_path / "results", RUNS, started=started)
    assert cli.main(["export", str(tmp_path / "results"), "--to", "tensorboard"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "started has an invalid value" in err
