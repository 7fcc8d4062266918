"""relu-exp compare: what changed between two result sets is told, and nothing else is."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from relu_exp import cli
from relu_exp.results.store import Store

import synthetic


def verdict(claim, name="supported", effect=1.2, low=1.1, high=1.3, **more):
    return {
        "claim": claim,
        "statement": f"What {claim} says.",
        "experiments": ["a"],
        "rule": {"measure": "m", "says": "s", "threshold": 1.0, "unit": "×"},
        "verdict": name,
        "says": "",
        "effect": effect,
        "low": low,
        "high": high,
        "num_seeds": 3,
        "seeds_needed": None,
        "scope": "",
        "cells": [],
        "notes": [],
        "num_runs": 12,
        "command": "relu-exp run a",
        **more,
    }


def write_verdicts(root, *rows):
    (root / "verdicts.json").write_text(json.dumps(rows))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made") / "one"
    runs = synthetic.configs(activations=("relu",), depths=(2,), seeds=(0, 1), num_steps=16)
    for name in ("a", "b"):
        synthetic.write(root / name, runs)
    write_verdicts(root, verdict("x"), verdict("y"))
    return root


@pytest.fixture
def pair(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one", "other"):
        shutil.copytree(made, name)
    return Path("one"), Path("other")


@pytest.fixture
def said(capsys):
    def run(*words):
        code = cli.main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def compared(said, pair):
    """Return a function that compares the pair and returns the lines after the first two."""

    def compare(*options):
        code, out, err = said("compare", *pair, *options)
        assert (code, err) == (0, "")
        return out.splitlines()[2:]

    return compare


def edit_manifest(root, **fields):
    manifest = Store(root).latest_manifest()
    Store(root).write_manifest(manifest | fields)


def test_the_same_results_are_said_to_be_the_same(compared):
    assert compared() == ["", "The same: configurations, versions, final numbers and verdicts."]


def test_both_sides_are_named_with_what_they_hold(said, pair):
    first, second = said("compare", *pair)[1].splitlines()[:2]
    assert first == "before  one: 2 experiments, 24 runs, 2 verdicts"
    assert second == "after   other: 2 experiments, 24 runs, 2 verdicts"


# Versions -----------------------------------------------------------------------------------


def test_versions_commit_and_machine_are_compared(compared, pair):
    for name in ("a", "b"):
        edit_manifest(
            pair[1] / name,
            packages={"torch": "9.9", "new": "1"},
            commit="0123456789abcdef",
            dirty=True,
            python="3.99",
            machine={"system": "Plan 9", "cores": 3},
        )
    lines = compared()
    assert lines[1] == "Made by"
    assert any(line.startswith("  torch: ") and line.endswith(" → 9.9") for line in lines)
    assert "  new: nothing → 1" in lines
    assert any(line.endswith(" → 0123456789ab with uncommitted changes") for line in lines)
    assert any(line.startswith("  python: ") and line.endswith(" → 3.99") for line in lines)
    assert any(line.endswith(" → Plan 9, 3") for line in lines)


def test_a_version_that_only_some_experiments_have_is_a_change(compared, pair):
    edit_manifest(pair[1] / "b", python="3.99")
    (line,) = [line for line in compared() if line.startswith("  python: ")]
    assert line.endswith(", 3.99")


# Configurations -----------------------------------------------------------------------------


def test_runs_and_values_that_came_and_went_are_told(compared, pair):
    runs = synthetic.configs(activations=("relu",), depths=(2,), seeds=(1, 2, 3), num_steps=16)
    shutil.rmtree(pair[1] / "a")
    synthetic.write(pair[1] / "a", runs)
    lines = compared()
    assert "Experiment a" in lines
    assert "Experiment b" not in lines
    assert "  runs: 12 → 18 (12 added, 6 removed)" in lines
    assert "  seed: added 2, 3; removed 0" in lines
    assert not any(line.startswith("  depth") for line in lines)


def test_settings_are_values_too(compared, pair):
    shutil.rmtree(pair[1] / "a")
    runs = synthetic.configs(activations=("leaky_relu",), depths=(2,), seeds=(0, 1), num_steps=16)
    synthetic.write(pair[1] / "a", runs)
    lines = compared()
    assert "  activation: added leaky_relu; removed relu" in lines
    assert "  activation.negative_slope: added 0.01" in lines


def test_experiments_that_came_and_went_are_told(compared, pair):
    (pair[1] / "a").rename(pair[1] / "c")
    lines = compared()
    assert "Experiments removed: a" in lines
    assert "Experiments added: c" in lines


def test_runs_that_ended_otherwise_and_numbers_that_moved_are_counted(compared, pair):
    store = Store(pair[1] / "a")
    (part_id,) = store.part_ids()
    runs = store.read_part(part_id, "runs")
    rows = runs.to_pylist()
    done = [row for row in rows if row["status"] == "done"]
    done[0]["status"] = "diverged"
    done[1]["final_test_accuracy"] += 0.125
    path = store.parts / part_id / "runs.parquet"
    pq.write_table(runs.from_pylist(rows, schema=runs.schema), path)
    lines = compared()
    assert "  ended otherwise: 1 done → diverged" in lines
    words = "  final numbers: other in 1 of 12 common runs, test accuracy by 0.125 at most"
    assert words in lines


# Verdicts -----------------------------------------------------------------------------------


def test_verdicts_that_turned_over_come_first(compared, pair):
    before = {
        "new-effect": ("inconclusive", "supported"),
        "flipped": ("supported", "refuted"),
        "split": ("refuted", "conditional"),
        "gone": ("supported", "not decided"),
        "stays": ("supported", "supported"),
    }
    write_verdicts(pair[0], *(verdict(claim, was) for claim, (was, _) in before.items()))
    write_verdicts(
        pair[1],
        *(verdict(claim, is_) for claim, (_, is_) in before.items()),
        verdict("unheard-of"),
    )
    lines = compared()
    assert "Verdicts: 5 of 6 changed" in lines
    assert [
        line.strip() for line in lines if line.startswith("  ") and line[2:3] != " " and "→" in line
    ] == [
        "flipped: supported → refuted",
        "split: refuted → conditional",
        "new-effect: inconclusive → supported",
        "gone: supported → not decided",
        "unheard-of: no verdict → supported",
    ]


def test_a_verdict_comes_with_both_effects_and_intervals(compared, pair):
    write_verdicts(pair[0], verdict("x"))
    write_verdicts(pair[1], verdict("x", "refuted", 0.8, 0.7, 0.9, num_seeds=1))
    lines = compared()
    effects = "effect 1.2× [1.1, 1.3] (3 seeds) → 0.8× [0.7, 0.9] (1 seed); threshold 1×"
    assert lines[1:] == [
        "Verdicts: 1 of 1 changed",
        "  x: supported → refuted",
        "    What x says.",
        f"    {effects}",
        "",
        "Effects whose 95% intervals do not overlap",
        f"  x: {effects}",
    ]


@pytest.mark.parametrize(
    ("low", "high", "is_told"),
    [
        (1.31, 1.5, True),
        (1.3, 1.5, False),
        (0.9, 1.09, True),
        (0.9, 1.1, False),
        (None, None, False),
    ],
)
def test_only_intervals_that_do_not_overlap_are_listed(compared, pair, low, high, is_told):
    effect = 1.2 if low is None else (low + high) / 2
    write_verdicts(pair[0], verdict("x"))
    write_verdicts(pair[1], verdict("x", effect=effect, low=low, high=high))
    assert any("do not overlap" in line for line in compared()) == is_told


def test_exact_claims_have_no_effect(compared, pair):
    exact = {"effect": None, "low": None, "high": None}
    rule = {"measure": "", "says": "", "threshold": None, "unit": ""}
    write_verdicts(pair[0], verdict("x", **exact, rule=rule))
    write_verdicts(pair[1], verdict("x", "refuted", **exact, rule=rule))
    assert compared()[1:] == [
        "Verdicts: 1 of 1 changed",
        "  x: supported → refuted",
        "    What x says.",
    ]


# What is compared with what -----------------------------------------------------------------


def test_one_experiment_is_compared_with_another(said, pair):
    write_verdicts(pair[1], verdict("x", "refuted"), verdict("z", "refuted", experiments=["b"]))
    code, out, _ = said("compare", pair[0] / "a", pair[1] / "a")
    assert code == 0
    assert "before  one/a: 1 experiment, 12 runs, 2 verdicts" in out
    assert "x: supported → refuted" in out
    assert "z:" not in out


def test_one_experiment_is_found_in_a_folder_of_several(said, pair):
    for words in ((pair[0] / "a", pair[1]), (pair[0], pair[1] / "a")):
        code, out, _ = said("compare", *words)
        assert code == 0
        assert out.count(": 1 experiment, 12 runs, 2 verdicts") == 2
        assert "The same" in out


def test_manifests_and_verdicts_will_do_where_the_tables_are_not_there(compared, pair):
    for root in pair:
        shutil.rmtree(root / "a" / "parts")
    edit_manifest(pair[1] / "a", run_ids=["0"], axes={"seed": ["0", "9"]})
    lines = compared()
    assert "  runs: 12 → 1 (1 added, 12 removed)" in lines
    assert any(line.startswith("  seed: added ") and "9" in line for line in lines)


def test_json_holds_the_same(said, pair):
    write_verdicts(pair[1], verdict("x", "refuted", 0.8, 0.7, 0.9), verdict("y"))
    code, out, _ = said("compare", *pair, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["before"]["runs"] == 24
    assert found["verdicts"][0]["claim"] == "x"
    assert found["verdicts"][0]["is"] == {
        "verdict": "refuted",
        "effect": 0.8,
        "low": 0.7,
        "high": 0.9,
        "seeds": 3,
    }
    assert [change["claim"] for change in found["effects_apart"]] == ["x"]
    assert found["experiments"] == found["versions"] == []


def test_it_needs_neither_torch_nor_hydra(pair):
    program = """
import sys
class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("torch", "torchvision", "hydra", "omegaconf"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from relu_exp import cli
sys.exit(cli.main(["compare", "one", "other"]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "The same" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("one nowhere", "nowhere does not exist"),
        ("nowhere one", "nowhere does not exist"),
        ("one", "RESULTS"),
        ("one empty", "empty holds no results"),
        ("one/a empty", "empty holds no a to compare with"),
        ("one other third", "unexpected extra argument"),
    ],
)
def test_what_cannot_be_compared_is_one_line(said, pair, words, message):
    Path("empty").mkdir()
    code, out, err = said("compare", *words.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
