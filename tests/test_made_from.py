"""What a run was made from: code of plugins and content of data; what has changed is named."""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from relu_exp import cli
from relu_exp.core import plugin_code
from relu_exp.core.plugin_code import code_of
from relu_exp.core.plugin_loading import load_plugins
from relu_exp.engine.activations import ACTIVATIONS
from relu_exp.engine.probes import measurements
from relu_exp.results.store import Store

from configs import REGISTRIES

SMALL = ("initializer=he_normal", "depth=1", "width=8", "num_steps=4", "learning_rate=0.1")
HEAD = "import torch\nfrom relu_exp.plugins import activation, dataset, initializer, Layout\n"
BENT = (
    HEAD
    + """
@activation(formula="f", reference="made up for this test")
def bent(x):
    return torch.where(x > 0, x, -0.1 * x)
"""
)
IMPORTING = (
    HEAD
    + """
{imports}

@activation(formula="f", reference="made up for this test")
def bent(x):
    {lazily}
    return torch.where(x > 0, x, -{slope} * x)
"""
)
POINTS = (
    HEAD
    + """
import numpy as np

@dataset(Layout(2, 2, (40, 10, 10)), reference="made up for this test")
def points():
    table = np.load("points.npy")
    return table[:, :2], table[:, 2]
"""
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in an empty folder; forget afterwards what plugins registered."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if _is_here(name, tmp_path)]:
        sys.modules.pop(name)


def _is_here(name: str, folder: Path) -> bool:
    module = sys.modules[name]
    file = getattr(module, "__file__", None)
    return str(file or next(iter(getattr(module, "__path__", [""])))).startswith(str(folder))


Say = Callable[..., str]


@pytest.fixture
def said(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    """Return a function that runs a command as a new process would, and returns what it prints."""

    def run(*words: str, code: int = 0) -> str:
        for name in [name for name in sys.modules if _is_here(name, folder)]:
            sys.modules.pop(name)
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(folder))
            for registry in REGISTRIES.values():
                patch.setattr(registry, "_entries", dict(registry._entries))
            patch.setattr(measurements, "MEASUREMENTS", dict(measurements.MEASUREMENTS))
            found = cli.main([*words, *(["--workers", "1"] if words[0] == "run" else [])])
        out, err = capsys.readouterr()
        assert found == code, err
        return out + err

    return run


def trained(results: Path = Path("results/default")) -> dict[str, tuple[str, float]]:
    """Return the newest session and loss of every run."""
    rows = [row for part in Store(results).read("runs") for row in part.to_pylist()]
    rows.sort(key=lambda row: str(row["session"]))
    return {row["run_id"]: (row["session"], row["final_train_loss"]) for row in rows}


def check_noticed(said: Say, words: tuple[str, ...], reason: str) -> str:
    """Assert that the command calls its two runs stale for a reason, and trains them if asked."""
    before = trained()
    assert len(before) == 2
    plan = said(*words, "--plan")
    assert "2: 0 new, 0 finished, 2 stale" in plan
    assert re.search(f"2 runs finished before but stale \\({reason}.*\\): kept", plan)
    kept = said(*words)
    assert re.search(f"stale \\({reason}.*\\): kept; --stale rerun", kept)
    assert "nothing to train" in kept
    assert trained() == before
    for name in ("report.md", "report.html"):
        text = Path("results/default", name).read_text(encoding="utf-8")
        assert re.search(f"2 of 2 runs are stale .*made\\s+before {reason}", text)
    verified = said("verify", "results", *words[-2:], code=1)
    assert re.search(rf"differs .*not bits: {reason}", verified)
    (command,) = re.findall(r"To train them again: relu-exp (run .* --stale rerun.*)", kept)
    assert "stale" not in said(*shlex.split(command))
    after = trained()
    assert {run_id: loss for run_id, (_, loss) in after.items()} != {
        run_id: loss for run_id, (_, loss) in before.items()
    }
    assert "2: 0 new, 2 finished\n" in said(*words, "--plan")
    said(*words)
    assert trained() == after
    assert "stale" not in Path("results/default/report.md").read_text(encoding="utf-8")
    assert "2 identical" in said("verify", "results", *words[-2:])
    return plan


def write(name: str, text: str) -> Path:
    """Write a file that has the same date whatever it holds."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    return path


@pytest.mark.usefixtures("one_thread")
def test_a_plugin_whose_body_changed_makes_its_runs_stale_and_no_others(said: Say) -> None:
    write("mine.py", BENT)
    words = ("run", *SMALL, "dataset=digits", "activation=bent", "seed=0,1", "--plugin", "mine")
    said(*words)
    said("run", *SMALL, "dataset=digits", "activation=relu", "seed=0", "--results", "other")
    assert "2 finished" in said(*words, "--plan")
    # as many bytes, and the same date: Python itself would take it for the same
    write("mine.py", BENT.replace("0.1", "0.9"))
    check_noticed(said, words, "plugin mine [0-9a-f]{16} → [0-9a-f]{16}")
    other = ("run", *SMALL, "dataset=digits", "activation=relu", "seed=0", "--results", "other")
    assert "1: 0 new, 1 finished\n" in said(*other, "--plan", "--plugin", "mine")


@pytest.mark.usefixtures("one_thread")
def test_stale_runs_in_another_folder_are_trained_again_by_the_command_that_is_printed(
    said: Say,
) -> None:
    write("mine.py", BENT)
    results = "결과 둘"
    words = ("run", *SMALL, "dataset=digits", "activation=bent", "seed=0", "--plugin", "mine")
    said(*words, "--results", results)
    write("mine.py", BENT.replace("0.1", "0.9"))
    kept = said(*words, "--results", results)
    (command,) = re.findall(r"To train them again: relu-exp (run .* --stale rerun .*)", kept)
    assert "nothing to train" not in said(*shlex.split(command))
    assert "1 finished" in said(*words, "--results", results, "--plan")
    assert not Path("results").exists()


LAYOUTS: dict[str, dict[str, Any]] = {
    "a module beside it": {
        "imports": "from helper import SLOPE",
        "files": {"helper.py": "SLOPE = 0.1\n"},
        "changed": "helper.py",
    },
    "a module of a module": {
        "imports": "import helper",
        "slope": "helper.SLOPE",
        "files": {"helper.py": "from deeper import SLOPE\n", "deeper.py": "SLOPE = 0.1\n"},
        "changed": "deeper.py",
    },
    "a package, by a relative import": {
        "imports": "from own.layers import SLOPE",
        "files": {
            "own/__init__.py": "",
            "own/layers/__init__.py": "from ..numbers import SLOPE\n",
            "own/numbers.py": "SLOPE = 0.1\n",
        },
        "changed": "own/numbers.py",
    },
    "the file of a package alone": {
        "imports": "from own.empty import *\nfrom own import SLOPE",
        "files": {"own/__init__.py": "SLOPE = 0.1\n", "own/empty.py": ""},
        "changed": "own/__init__.py",
    },
    "a folder without __init__.py": {
        "imports": "import own.numbers",
        "slope": "own.numbers.SLOPE",
        "files": {"own/numbers.py": "SLOPE = 0.1\n"},
        "changed": "own/numbers.py",
    },
    "an import when it is called": {
        "imports": "",
        "lazily": "from helper import SLOPE",
        "files": {"helper.py": "SLOPE = 0.1\n"},
        "changed": "helper.py",
    },
    "an import by a function": {
        "imports": "from importlib import import_module\nSLOPE = import_module('helper').SLOPE",
        "files": {"helper.py": "SLOPE = 0.1\n"},
        "changed": "helper.py",
    },
}


def write_layout(layout: dict[str, Any]) -> None:
    for name, text in layout["files"].items():
        write(name, text)
    slope, lazily = layout.get("slope", "SLOPE"), layout.get("lazily", "pass")
    write("mine.py", IMPORTING.format(imports=layout["imports"], slope=slope, lazily=lazily))


@pytest.mark.usefixtures("one_thread")
def test_only_a_module_that_a_plugin_imports_changed(said: Say) -> None:
    layout = LAYOUTS["a package, by a relative import"]
    write_layout(layout)
    words = ("run", *SMALL, "dataset=digits", "activation=bent", "seed=0,1", "--plugin", "mine")
    said(*words)
    write(layout["changed"], layout["files"][layout["changed"]].replace("0.1", "0.9"))
    check_noticed(said, words, "plugin mine ")


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=list(LAYOUTS))
def test_the_code_of_a_plugin_is_what_it_imports_from_beside_it(
    layout: dict[str, Any], fresh: Callable[[str], str]
) -> None:
    write_layout(layout)
    write("stranger.py", "SLOPE = 0.1\n")
    found = fresh("mine")
    assert re.fullmatch("[0-9a-f]{16}", found)
    write("stranger.py", "SLOPE = 0.9\n")
    assert fresh("mine") == found
    write(layout["changed"], "SLOPE = 0.9\n")
    assert fresh("mine") != found
    write(layout["changed"], layout["files"][layout["changed"]])
    assert fresh("mine") == found
    # imported or not, it is the same code
    importlib.import_module("mine")
    assert fresh("mine") == found


@pytest.fixture
def fresh(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Return a function that returns the digest of a module's code as a new process would."""
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(plugin_code, "_SOURCES", {})
    monkeypatch.setattr(ACTIVATIONS, "_entries", dict(ACTIVATIONS._entries))

    def digest(module: str) -> str:
        code_of.cache_clear()
        return code_of(module)

    return digest


def test_code_is_what_was_imported_whatever_its_file_holds_by_now(
    fresh: Callable[[str], str],
) -> None:
    write_layout(LAYOUTS["a module beside it"])
    load_plugins(["mine"])
    assert ACTIVATIONS.plugin_of("bent") == "mine"
    found = fresh("mine")
    for name in ("mine.py", "helper.py"):
        write(name, "")
    assert fresh("mine") == found


def test_a_compiled_module_counts_by_its_bytes(fresh: Callable[[str], str]) -> None:
    ending = EXTENSION_SUFFIXES[0]
    write("mine.py", "import compiled\n")
    write(f"compiled{ending}", "\0one")
    found = fresh("mine")
    write(f"compiled{ending}", "\0two")
    assert fresh("mine") != found


def test_of_what_is_installed_only_the_plugin_itself_counts(
    fresh: Callable[[str], str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(folder / "site-packages"))
    write("site-packages/mine/__init__.py", "import torch, other\nfrom mine import own\n")
    write("site-packages/mine/own.py", "")
    write("site-packages/other.py", "")
    found = fresh("mine.own")
    write("site-packages/other.py", "changed = True")
    assert fresh("mine.own") == found
    write("site-packages/mine/__init__.py", "changed = True")
    assert fresh("mine.own") != found


def test_an_entry_belongs_to_the_module_that_registers_it_when_it_is_imported(
    fresh: Callable[[str], str],
) -> None:
    write(
        "factory.py",
        HEAD
        + """
def add(slope):
    @activation(formula="f", reference="made up for this test")
    def bent(x):
        return slope * x
""",
    )
    write("mine.py", "import factory\nfactory.add(0.1)\n")
    write("all_of_them.py", "import mine\n")
    load_plugins(["all_of_them"])
    assert ACTIVATIONS.plugin_of("bent") == "mine"
    assert ACTIVATIONS.plugin_of("relu") == ""
    assert fresh("no_such_module") == ""


MEASURED = (
    HEAD
    + """
from relu_exp.plugins import measurement

@measurement("largest", "the largest output")
def largest(probe):
    return probe.a.flatten(1).amax(1)
"""
)


@pytest.mark.usefixtures("one_thread")
def test_runs_that_lack_a_measurement_are_measured_when_they_are_asked_for(said: Say) -> None:
    write("mine.py", MEASURED)
    words = ("run", *SMALL, "dataset=digits", "activation=relu", "seed=0,1")
    said(*words)
    said(*words, "probes.steps=none", "--results", "unprobed")
    named = (*words, "--plugin", "mine")
    before = trained()
    kept = said(*named)
    assert "2 runs finished before but stale (measurement largest, which they lack): kept" in kept
    report = Path("results/default/report.md").read_text(encoding="utf-8")
    assert "they were made before measurement largest, which they lack" in report
    said(*named, "--stale", "rerun")
    assert "2: 0 new, 2 finished\n" in said(*named, "--plan")
    # the training itself is the same
    assert [loss for _, loss in trained().values()] == [loss for _, loss in before.values()]
    rows = [
        row for part in Store(Path("results/default")).read("layers") for row in part.to_pylist()
    ]
    assert {row["run_id"] for row in rows if row["quantity"] == "largest"} == {*before}
    unprobed = ("--plan", "--plugin", "mine", "--results", "unprobed")
    assert "2: 0 new, 2 finished\n" in said(*words, "probes.steps=none", *unprobed)


# Data ---------------------------------------------------------------------------------------


def write_points(slope: float) -> None:
    """Write a table of points, of the same size and date whatever it holds."""
    x = np.linspace(-1, 1, 60)
    table = np.stack([x, np.cos(9 * x), x > slope * np.cos(9 * x)], axis=1)
    np.save("points.npy", table)
    os.utime("points.npy", (1_700_000_000, 1_700_000_000))


SMALL_BATCH = ("batch_size=8", "probes.num_samples=8")


@pytest.mark.usefixtures("one_thread")
def test_the_file_of_a_plugins_data_set_is_replaced(said: Say) -> None:
    write("mine.py", POINTS)
    write_points(0.1)
    data = ("dataset=points", "dataset.num_train=null,20", *SMALL_BATCH)
    words = ("run", *SMALL, *data, "activation=relu", "seed=0", "--plugin", "mine")
    said(*words)
    size = Path("points.npy").stat().st_size
    write_points(0.6)
    assert Path("points.npy").stat().st_size == size
    check_noticed(said, words, "data of points [0-9a-f]{16} → [0-9a-f]{16}")
    Path("points.npy").unlink()
    line = "2 runs finished before, but whether the data are the same is unknown: "
    kept = said(*words)
    assert f"{line}dataset points cannot be read: FileNotFoundError: " in kept
    assert "nothing to train" in kept


def write_idx(folder: Path, flip: bool) -> None:
    """Write a data set of MNIST's shape with few distinct images."""
    folder.mkdir(exist_ok=True)
    for name, count in (("train", 60_000), ("t10k", 10_000)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = np.zeros((count, 28, 28), np.uint8)
        images[np.arange(count), 14, 2 * labels] = 255
        if flip:
            images[0] = 255
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            (folder / f"{name}-{kind}-ubyte").write_bytes(head + array.tobytes())
            os.utime(folder / f"{name}-{kind}-ubyte", (1_700_000_000, 1_700_000_000))


@pytest.mark.usefixtures("one_thread")
def test_the_files_of_a_data_set_in_a_folder_are_replaced(said: Say, folder: Path) -> None:
    write_idx(folder / "there", flip=False)
    data = ("dataset=mnist", "dataset.root=there", "dataset.num_train=20", *SMALL_BATCH)
    words = ("run", *SMALL, *data, "activation=relu", "seed=0")
    said(*words)
    assert "1: 0 new, 1 finished\n" in said(*words, "--plan")
    write_idx(folder / "there", flip=True)
    assert "data of mnist " in said(*words, "--plan")
    said(*words, "--stale", "rerun")
    assert "1: 0 new, 1 finished\n" in said(*words, "--plan")
    (folder / "there").rename(folder / "elsewhere")
    assert "whether the data are the same is unknown: MNIST is not in there" in said(*words)


# Results of before --------------------------------------------------------------------------


def forget_what_made_them(results: Path = Path("results/default")) -> None:
    """Remove the column from the results, as results of before lack it."""
    for path in results.glob("parts/*/runs.parquet"):
        table = pq.read_table(path)
        pq.write_table(table.drop_columns("made_from"), path)


@pytest.mark.usefixtures("one_thread")
def test_results_of_before_open_and_only_the_code_of_plugins_is_unknown(said: Say) -> None:
    write("mine.py", BENT)
    words = ("run", *SMALL, "dataset=digits", "activation=relu,bent", "seed=0", "--plugin", "mine")
    said(*words)
    forget_what_made_them()
    plan = said(*words, "--plan")
    assert "2: 0 new, 1 finished, 1 stale" in plan
    assert "1 run finished before but stale (plugin mine unknown → " in plan
    said("report", "results/default")
    verified = said("verify", "results", "--plugin", "mine")
    assert "1 agrees, 1 identical" in verified
    assert "not bits: plugin mine unknown → " in verified
    said(*words, "--stale", "rerun")
    assert "2: 0 new, 2 finished\n" in said(*words, "--plan")


def test_a_row_that_says_nothing_sound_of_what_made_it_is_damaged(said: Say) -> None:
    said("run", *SMALL, "dataset=digits", "activation=relu", "seed=0")
    (path,) = Path("results/default").glob("parts/*/runs.parquet")
    table = pq.read_table(path)
    place = table.column_names.index("made_from")
    pq.write_table(table.set_column(place, table.schema.field(place), [["{"]]), path)
    assert "made_from of runs: no JSON" in said("report", "results/default", code=2)


# Other plugins ------------------------------------------------------------------------------

MEASURING = """
from relu_exp.plugins import measurement

@measurement("largest", "largest activation")
def largest(probe):
    return 1.0 * probe.a.flatten(1).amax(1)
"""


@pytest.mark.usefixtures("one_thread")
def test_a_measurement_counts_for_the_runs_that_were_measured_by_it(said: Say) -> None:
    write("gauge.py", MEASURING)
    words = ("run", *SMALL, "dataset=digits", "activation=relu")
    said(*words, "seed=0")
    with_gauge = (*words, "--plugin", "gauge")
    said(*with_gauge, "seed=0,1")
    # the first run was finished before there was the measurement
    assert "2: 0 new, 1 finished, 1 stale" in said(*with_gauge, "seed=0,1", "--plan")
    said(*with_gauge, "seed=0,1", "--stale", "rerun")
    assert "2: 0 new, 2 finished\n" in said(*with_gauge, "seed=0,1", "--plan")
    write("gauge.py", MEASURING.replace("1.0", "2.0"))
    assert "2: 0 new, 0 finished, 2 stale" in said(*with_gauge, "seed=0,1", "--plan")
    # without the plugin nobody asks for what it measured
    assert "2: 0 new, 2 finished\n" in said(*words, "seed=0,1", "--plan")


@pytest.mark.usefixtures("one_thread")
def test_a_run_that_failed_in_a_plugin_is_tried_again_once_its_code_is_another(said: Say) -> None:
    write("mine.py", BENT.replace("return ", "assert x.ndim < 3, 'broken'\n    return "))
    words = ("run", *SMALL, "dataset=digits", "activation=bent", "seed=0", "--plugin", "mine")
    said(*words, code=1)
    assert "1 failed before" in said(*words, "--plan")
    write("mine.py", BENT)
    assert "1: 0 new, 0 finished, 1 interrupted" in said(*words, "--plan")
    said(*words)
    assert "1: 0 new, 1 finished\n" in said(*words, "--plan")


def test_worker_processes_say_what_they_imported(folder: Path) -> None:
    write_layout(LAYOUTS["a module beside it"])
    command = ["run", *SMALL, "dataset=digits", "activation=bent,relu", "seed=0,1"]
    command += ["--plugin", "mine", "--workers", "2"]

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "relu_exp", *command, *words], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    run()
    assert "4: 0 new, 4 finished\n" in run("--plan")
    write("helper.py", "SLOPE = 0.9\n")
    assert "4: 0 new, 2 finished, 2 stale" in run("--plan")
    before = trained()
    run("--stale", "rerun")
    assert sum(before[run_id] != after for run_id, after in trained().items()) == 2
    assert "4: 0 new, 4 finished\n" in run("--plan")


def test_rows_hold_digests_of_the_plugins_and_of_the_data(said: Say) -> None:
    write("mine.py", BENT)
    words = ("run", *SMALL, "dataset=digits", "activation=relu,bent", "seed=0", "--plugin", "mine")
    said(*words)
    found = {
        row["activation"]: json.loads(row["made_from"])
        for part in Store(Path("results/default")).read("runs")
        for row in part.to_pylist()
    }
    assert {*found["relu"]} == {"data"}
    assert {*found["bent"]} == {"data", "plugin mine"}
    assert found["relu"]["data"] == found["bent"]["data"]
