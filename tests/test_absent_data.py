"""Data that are not on the machine: what a command does without them, and what a verdict says."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from relu_exp import cli
from relu_exp.core.absent_data import AbsentDataError, absent_data_in
from relu_exp.engine.data import datasets
from relu_exp.engine.data.datasets import DATASETS, Layout
from relu_exp.evidence.claims import registry as claims
from relu_exp.evidence.claims.judging import judge_all
from relu_exp.evidence.claims.verdicts import Effects, Rule
from relu_exp.results.store import Store

EXPERIMENT = """
title: Runs on {dataset}
question: Does it run?
overrides:
  dataset: {dataset}
  initializer: he_normal
  activation: relu
  depth: 1
  width: 8
  num_steps: 6
  batch_size: 32
  learning_rate: 0.1
sweep: {{seed: range(3)}}
figures: [loss_curves]
"""
ID = "planted-on-absent-data"


@pytest.fixture
def said(capsys, tmp_path, monkeypatch):
    """Return a function that runs a command line in an empty folder with two experiments."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RELU_EXP_DATA", str(tmp_path / "data"))
    Path("far.yaml").write_text(EXPERIMENT.format(dataset="far"))
    Path("near.yaml").write_text(EXPERIMENT.format(dataset="moons"))

    def run(*words):
        code = cli.main([*words, *(["--workers", "1"] if words[0] in ("run", "reproduce") else [])])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def far(tmp_path):
    """A data set that is there once its file is, and a claim that rests on it."""

    @datasets.register(Layout(2, 2, (60, 20, 20)), reference="made up for this test")
    def far():
        """Points in a file."""
        try:
            points = np.load(tmp_path / "far.npy")
        except FileNotFoundError:
            raise AbsentDataError("far.npy is not there", "dataset-far", "far") from None
        return points, np.arange(100) % 2

    @claims.claim(
        ID,
        group="C",
        statement="Far data are learned.",
        statement_ko="먼 데이터를 학습한다.",
        sources={"a test": "here"},
        experiments=("near", "far"),
        rule=Rule(measure="accuracy", says="it is above 0", threshold=0.0),
    )
    def planted(evidence):
        evidence["near"]
        runs = evidence["far"].runs
        return Effects(pd.DataFrame({"seed": runs["seed"], "effect": 1.0 + 0.1 * runs["seed"]}))

    yield lambda: np.save(tmp_path / "far.npy", np.random.default_rng(0).normal(size=(100, 2)))
    DATASETS._entries.pop("far", None)
    claims._CLAIMS.pop(ID, None)
    datasets.forget()


def saved(id=ID):
    rows = json.loads(Path("results/verdicts.json").read_text())
    (row,) = (row for row in rows if row["claim"] == id)
    return row


WHY = (
    "far was not run, because its data are not on the machine: far (`apt install dataset-far`, or "
    "set RELU_EXP_DATA to the folder that holds far). With them, relu-exp run far.yaml runs it."
)
WHY_KO = (
    "필요한 데이터가 컴퓨터에 없어 far 실험을 실행하지 않았다: far (`apt install dataset-far` "
    "명령으로 설치, 또는 far 폴더가 들어 있는 폴더를 환경 변수 RELU_EXP_DATA에 지정). 데이터를 "
    "갖춘 뒤 relu-exp run far.yaml 명령으로 실행한다."
)


def test_a_claim_whose_data_are_absent_is_not_decided_and_the_rest_is_run(said, far):
    code, out, err = said("run", "far.yaml", "near.yaml", "--claim", ID)
    assert code == 0, err
    assert [line for line in err.splitlines() if "skipped" in line] == [
        "far: skipped: far.npy is not there"
    ]
    assert len(Store(Path("results/near")).finished()) == 3
    assert Store(Path("results/far")).part_ids() == []
    row = saved()
    assert (row["verdict"], row["says"], row["says_ko"]) == ("not decided", WHY, WHY_KO)
    assert WHY in out
    assert WHY_KO in out
    for page in ("claims.md", "report.html"):
        text = Path("results", page).read_text(encoding="utf-8")
        assert "apt install dataset-far" in text
        assert "far 실험을 실행하지 않았다" in text
    # later reports, which read results only, know it too
    code, *_ = said("report", "results")
    assert (code, saved()["says"]) == (0, WHY)
    # with the data the same command decides
    far()
    code, out, err = said("run", "far.yaml", "near.yaml", "--claim", ID)
    assert code == 0, err
    assert "skipped" not in err
    assert (saved()["num_seeds"], saved()["says_ko"]) == (3, "")
    assert saved()["verdict"] != "not decided"


def test_where_nothing_else_is_run_the_claim_still_says_why(said, far):
    code, out, err = said("run", "far.yaml", "--claim", ID)
    assert (code, err) == (0, "far: skipped: far.npy is not there\n")
    assert "not decided" in out
    # near was not run either, and the reason that needs something to be got comes first
    assert WHY in out
    assert WHY_KO in out


def test_a_reproduction_skips_it_and_goes_on(said, far, monkeypatch):
    files = ("far.yaml", "near.yaml")
    monkeypatch.setattr("relu_exp.config.experiment_names", lambda: files)
    code, out, err = said("reproduce", "--plan", "--budget", "quick")
    assert (code, err) == (0, "")
    assert "  skipped  far.npy is not there" in out
    assert not Path("results").exists()
    code, out, err = said("reproduce")
    assert code == 0, err
    assert err.count("far: skipped: far.npy is not there") == 1
    assert saved()["says"].startswith("far was not run, because its data are not on the machine")


def test_without_a_claim_to_judge_it_is_an_error_that_leaves_nothing_behind(said, far):
    code, out, err = said("run", "far.yaml", "near.yaml")
    assert (code, out, err) == (2, "", "relu-exp: error: far.npy is not there\n")
    assert not Path("results").exists()


def test_earlier_results_stay_what_they_are_and_need_no_data(said, far, tmp_path):
    far()
    assert said("run", "far.yaml", "near.yaml", "--claim", ID)[0] == 0
    before = saved()["verdict"], saved()["num_seeds"]
    (tmp_path / "far.npy").unlink()
    datasets.forget()
    code, _, err = said("run", "far.yaml", "near.yaml", "--claim", ID)
    assert code == 0
    assert "skipped" not in err
    assert said("run", "far.yaml", "--plan")[0] == 0
    # more seeds would need the data
    manifests = len(list(Path("results/far/manifests").iterdir()))
    code, _, err = said("run", "far.yaml", "near.yaml", "seed=range(4)", "--claim", ID)
    assert code == 0
    assert "far: skipped: far.npy is not there" in err
    assert len(list(Path("results/far/manifests").iterdir())) == manifests
    assert (saved()["verdict"], saved()["num_seeds"]) == before


def test_damaged_data_are_an_error_for_every_command(said, far, tmp_path):
    np.save(tmp_path / "far.npy", np.full((100, 2), np.nan))
    code, out, err = said("run", "far.yaml", "near.yaml", "--claim", ID)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "is nan" in err
    assert not Path("results").exists()


@pytest.mark.parametrize(
    "stated",
    [None, 3, "far", [3], [{}], [{"dataset": 3}], {"dataset": "far"}, [["dataset", "far"]]],
)
def test_a_manifest_that_is_not_valid_says_of_no_data_that_they_are_absent(stated):
    assert absent_data_in({"absent_data": stated}) == ()


def test_what_a_foreign_manifest_says_is_short_and_in_one_line():
    (found,) = absent_data_in(
        {"absent_data": [{"dataset": "a\n\x1b[31mb", "message": "x" * 10_000, "package": ["no"]}]}
    )
    assert found.dataset == "a \N{REPLACEMENT CHARACTER}[31mb"
    assert len(found.message) <= 200
    assert all(isinstance(word, str) for word in found)


def test_a_folder_that_says_what_was_absent_is_judged_by_it(tmp_path):
    manifest = {"session": "1", "absent_data": [{"dataset": "mine", "message": "it is not here"}]}
    Store(tmp_path / "formulas").write_manifest(manifest)
    every = judge_all(tmp_path)
    one = next(each for each in claims.all_claims() if each.experiments == ("formulas",))
    verdict = every[one.id]
    assert verdict.name == "not decided"
    assert "formulas was not run, because" in verdict.text
    assert "mine (it is not here)" in verdict.text_ko
