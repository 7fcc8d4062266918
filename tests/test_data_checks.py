"""Data are checked before training: what is wrong ends the command, the rest is noted."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from relu_exp import cli
from relu_exp.core.schema import UsageError
from relu_exp.engine.data import datasets
from relu_exp.engine.data.datasets import DATASETS, Layout
from relu_exp.engine.data.notes import notes
from relu_exp.engine.data.splits import split
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.report.summary import remarks
from relu_exp.results.store import Store

PLUGIN = '''
"""Samples from a file beside this one."""

from pathlib import Path

import pandas as pd

from relu_exp.plugins import Layout, dataset


@dataset(Layout(2, 2, (60, 20, 20)), reference="made up for this test")
def from_file():
    """A table with two features."""
    table = pd.read_csv(Path(__file__).with_name("mine.csv"))
    return table[["size", "price"]], table["kind"]
'''
RUN = ["run", "--plugin", "file_data", "dataset=moons,from_file", "dataset.num_train=30"]
RUN += ["activation=relu", "depth=1", "width=8", "num_steps=8", "batch_size=8", "learning_rate=0.1"]
RUN += ["initializer=he_normal", "seed=0,1", "--device", "cpu"]


def table(bad: int | None = None, value: str = "") -> str:
    rows = [
        f"{at / 50 - 1},{'' if at == bad and not value else value if at == bad else at % 7},"
        f"{('ant', 'bee')[at % 2]}"
        for at in range(100)
    ]
    return "\n".join(["size,price,kind", *rows]) + "\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "file_data.py").write_text(PLUGIN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path / "mine.csv"
    DATASETS._entries.pop("from_file", None)
    sys.modules.pop("file_data", None)
    datasets.forget()


def sample_of(part: str) -> int:
    """Return the number of a sample that falls to a split."""
    inputs = np.arange(100.0)[:, None]
    layout = Layout(1, 2, (60, 20, 20))
    data = split("mine", (inputs, np.arange(100) % 2), layout, "none", "classes")
    return int(data.splits[part].inputs[5].item())


@pytest.mark.parametrize(
    ("part", "value"),
    [("train", ""), ("validation", ""), ("test", ""), ("train", "1e39"), ("test", "wide")],
)
def test_bad_data_end_a_command_and_nothing_is_stored(file, capsys, part, value):
    bad = sample_of(part)
    file.write_text(table(bad, value))
    assert cli.main([*RUN, "--workers", "1"]) == 2
    out, err = capsys.readouterr()
    shown = {"": "nan", "1e39": "1e+39", "wide": "'wide'"}.get(value, value)
    words = f"dataset from_file: sample {bad}, column 'price' is {shown}"
    assert (out, err.count("\n")) == ("", 1)
    assert words in err
    assert "Traceback" not in err
    # not even the runs of the data set that is sound
    assert not Path("results").exists()
    assert cli.main([*RUN, "--plan"]) == 2
    assert words in capsys.readouterr().err


def test_with_workers_nothing_is_stored_and_the_repaired_file_trains_by_the_same_command(file):
    def relu_exp(*words):
        return subprocess.run(
            [sys.executable, "-m", "relu_exp", *words],
            capture_output=True,
            text=True,
            env={**os.environ},
            timeout=120,
        )

    file.write_text(table(sample_of("train")))
    ended = relu_exp(*RUN, "--workers", "2")
    assert ended.returncode == 2
    assert "column 'price' is nan" in ended.stderr
    assert not Path("results").exists()
    file.write_text(table())
    ended = relu_exp(*RUN, "--workers", "2")
    assert ended.returncode == 0, ended.stderr
    ends = Store(Path("results/default")).ends()
    assert [end.status for end in ends.values()] == ["done"] * 4


def test_finished_runs_need_no_data(file, capsys):
    file.write_text(table())
    assert cli.main([*RUN, "--workers", "1"]) == 0
    file.unlink()
    datasets.forget()
    assert cli.main([*RUN, "--workers", "1"]) == 0
    assert "all 4 runs were finished before" in capsys.readouterr().out


def test_a_function_that_raises_is_one_line(file, capsys):
    assert cli.main([*RUN, "--workers", "1"]) == 2
    err = capsys.readouterr().err
    assert "dataset from_file cannot be read: FileNotFoundError" in err
    assert err.count("\n") == 1
    assert not Path("results").exists()


@pytest.mark.parametrize("found", [None, np.zeros((3, 2)), ([[1]],), ([[1]], [0], 1)])
def test_a_function_that_returns_no_pair_is_told_so(made, found):
    with pytest.raises(UsageError, match=r"dataset made returns \w+; expected \(inputs, labels\)"):
        datasets.load(made(found, whole=True))


@pytest.fixture
def made():
    """Return a function that makes a data set of 100 samples, and its choice."""

    def make(inputs, labels=None, whole=False, num_classes=2, layout=None, **settings):
        DATASETS._entries.pop("made", None)
        datasets.forget()
        width = 1 if whole else inputs.shape[1]

        whole_layout = Layout(width, num_classes, (60, 20, 20), **(layout or {}))

        @datasets.register(whole_layout, reference="made up")
        def made():
            """Made for a test."""
            return inputs if whole else (inputs, np.arange(100) % 2 if labels is None else labels)

        return DATASETS.resolve("made", settings)

    yield make
    DATASETS._entries.pop("made", None)
    datasets.forget()


def test_a_split_without_a_class_is_named(made):
    inputs = np.random.default_rng(0).normal(size=(100, 2))
    names = np.array(["ant"] * 50 + ["bee"] * 47 + ["cat"] * 2 + ["dog"])
    validation, test = notes(made(inputs, names, num_classes=4))
    assert validation == (
        "the validation split of made has no sample of class 3 (dog): its accuracy is that of the "
        "other classes"
    )
    assert test.startswith("the test split of made has no sample of classes 2 (cat), 3 (dog): its")
    # as even and odd labels they are in every split
    assert notes(made(inputs, names, num_classes=4, task="parity")) == []


@pytest.mark.parametrize(
    ("scale", "shift", "words"),
    [
        ([1, 1200], [0, 0], "feature 1 has a standard deviation of 1,168;"),
        ([1, 1], [-5e6, 0], "feature 0 has a mean of -5e+06"),
        ([1e-4, 1e-5], [0, 0], "no feature has a standard deviation above 0.0001"),
    ],
)
def test_inputs_of_another_scale_get_a_hint_unless_they_are_standardized(made, scale, shift, words):
    inputs = np.random.default_rng(0).normal(size=(100, 2)) * scale + shift
    (note,) = notes(made(inputs))
    assert note.startswith("inputs of made are not standardized: ")
    assert note.endswith("; dataset.scaling=standardize changes that")
    assert words in note
    assert notes(made(inputs, scaling="standardize")) == []


@pytest.mark.parametrize("scale", [0.1, 1, 5, 0])
def test_inputs_of_a_usual_scale_get_none(made, scale):
    assert notes(made(np.random.default_rng(0).normal(size=(100, 2)) * scale)) == []


@pytest.mark.parametrize(
    ("declared", "words"),
    [((0, 1), "lie between -1 and 200, outside the value_range of its layout, 0 to 1"),
     ((-1, 255), "")],
)  # fmt: skip
def test_inputs_outside_the_range_that_a_layout_declares_are_noted(made, declared, words):
    inputs = np.random.default_rng(0).uniform(0, 1, size=(100, 2))
    inputs[3] = -1, 200
    found = notes(made(inputs, layout={"value_range": declared}))
    assert found == ([f"inputs of made {words}"] if words else [])


def test_notes_are_printed_before_training_stored_and_in_the_report(file, capsys):
    file.write_text(table(sample_of("train"), "9000"))
    assert cli.main([*RUN, "--workers", "1", "--plan"]) == 0
    note = "inputs of from_file are not standardized: feature 'price' has a standard deviation of"
    assert note in capsys.readouterr().out
    assert cli.main([*RUN, "--workers", "1"]) == 0
    assert f"default: {note}" in capsys.readouterr().err
    # a later command that trains nothing makes no difference
    assert cli.main([*RUN, "--workers", "1"]) == 0
    frames = Frames.open("results/default")
    assert any(note in remark for remark in remarks(frames))
    assert note.partition(": ")[2] in Path("results/default/report.md").read_text()
    first = min(Path("results/default/manifests").glob("*.json"))
    assert Store(Path("results/default")).manifest_of(first.stem)["class_names"] == {
        "from_file": ["ant", "bee"]
    }
