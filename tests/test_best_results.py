"""Best results: every column of a row is about the same runs, and every choice is named."""

import dataclasses

import pytest

from relu_exp.core.schema import Choice
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.report.report import build
from relu_exp.evidence.report.summary import best_results, percent, run_counts

import synthetic

HE = Choice("he_normal", (("gain", 2**0.5), ("mode", "fan_in")))
XAVIER = Choice("xavier_normal", (("gain", 1.0),))


def decayed(runs, decay):
    """Return the runs with a weight decay."""
    optimizer = Choice("sgd", (("momentum", 0.0), ("weight_decay", decay)))
    return [dataclasses.replace(run, optimizer=optimizer) for run in runs]


def rows_of(root, runs, **more):
    frames = Frames.open(synthetic.write(root, runs, **more))
    table = best_results(frames)
    return frames, table, table.as_dicts()


def test_dead_units_are_those_of_the_arm_whose_accuracy_stands_beside_them(tmp_path):
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.01, 0.1, 1.0), (0, 1, 2))
    frames, _, (row,) = rows_of(tmp_path, runs)
    rate = float(row["learning rate"].rstrip("*"))
    ids = frames.runs.loc[frames.runs["learning_rate"] == rate, "run_id"]
    last = frames.read("layers", steps="last", quantity=["dead_fraction"])
    every, own = last["value"].mean(), last[last["run_id"].isin(ids)]["value"].mean()
    assert percent(own) != percent(every)
    assert (row["dead units"], row["n"]) == (percent(own), "3")


def test_every_column_counts_the_runs_of_one_arm(tmp_path):
    runs = synthetic.configs(("relu",), (HE,), (5,), (0.01, 0.1, 1.0), (0, 1, 2))
    frames, table, (row,) = rows_of(tmp_path, runs)
    assert (frames.runs["status"] == "diverged").sum() == 3
    assert row["diverged"] == "0"
    assert not {"runs", "done", "failed"} & set(row)
    assert "All columns are about the n runs of that arm" in table.note
    (counted,) = run_counts(frames).as_dicts()
    assert (counted["runs"], counted["done"], counted["diverged"]) == ("9", "6", "3")
    for text in (path.read_text() for path in build(tmp_path).paths[:2]):
        assert text.index("Best results") < text.index("How the runs ended")


def test_a_run_that_failed_is_in_no_column(tmp_path):
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1,), (0, 1, 2))
    _, _, (row,) = rows_of(tmp_path, runs, failed=[runs[0].run_id])
    assert row["n"] == "2"


def test_dead_units_that_were_measured_in_some_runs_only_say_so(tmp_path):
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1,), (0, 1))
    runs += synthetic.configs(("relu",), (HE,), (2,), (0.1,), (2,), probe_steps=(0,))
    _, _, (row,) = rows_of(tmp_path, runs)
    assert row["n"] == "3"
    assert row["dead units"].endswith("% (n = 2)")


def test_a_training_that_was_measured_twice_is_one_seed(tmp_path):
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1,), (0, 1, 2))
    runs += [dataclasses.replace(run, probe_samples=32) for run in runs]
    _, _, (row,) = rows_of(tmp_path, runs)
    assert row["n"] == "3"


def test_every_setting_that_was_chosen_has_a_column_and_a_word_in_the_footnote(tmp_path):
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1, 0.3), (0, 1))
    runs += decayed(runs, 0.01)
    frames, table, (row,) = rows_of(tmp_path, runs)
    best = frames.runs[frames.runs["learning_rate"] == float(row["learning rate"].rstrip("*"))]
    assert float(row["weight decay"]) in set(best["optimizer.weight_decay"])
    assert "among all learning rates and weight decays tried;" in table.note
    # momentum was the same everywhere, and there was one initializer
    assert "momentum" not in row
    assert "initializer" not in table.note
    for text in (path.read_text() for path in build(tmp_path).paths[:2]):
        assert "weight decay" in text
        assert "among all learning rates and weight decays tried;" in text


def test_a_batch_size_and_an_optimizer_are_settings_too(tmp_path):
    runs = synthetic.configs(("relu",), (HE, XAVIER), (2,), (0.1,), (0,))
    runs += [dataclasses.replace(run, batch_size=64) for run in runs]
    runs += [dataclasses.replace(run, optimizer=Choice("adam")) for run in runs]
    _, table, (row,) = rows_of(tmp_path, runs)
    assert row["batch size"] in ("32", "64")
    assert row["optimizer"] in ("SGD", "Adam")
    assert "among all initializers, optimizers and batch sizes tried;" in table.note


def test_what_goes_with_a_row_is_named_but_was_not_chosen(tmp_path):
    plain = synthetic.configs(("relu",), (HE,), (2,), (0.1,), (0,))
    runs = plain + decayed(synthetic.configs(("tanh",), (HE,), (2,), (0.1,), (0,)), 0.01)
    _, table, rows = rows_of(tmp_path, runs)
    assert [row["weight decay"] for row in rows] == ["0", "0.01"]
    assert table.note.startswith("Nothing was tuned")


@pytest.mark.parametrize("by", [["activation_label"]])
def test_fewer_rows_name_what_they_chose_among_besides(tmp_path, by):
    runs = synthetic.configs(("relu",), (HE,), (2, 5), (0.1, 0.3), (0,))
    frames, _, _ = rows_of(tmp_path, runs)
    table = best_results(frames, by)
    (row,) = table.as_dicts()
    assert row["depth"] in ("2", "5")
    assert "among all learning rates and depths tried;" in table.note
