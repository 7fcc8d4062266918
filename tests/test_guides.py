"""The pages of docs/ that lead through something: every line of them is run."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from relu_exp.cli import main
from relu_exp.core.plugin_loading import load_plugins
from relu_exp.core.schema import HISTOGRAM_BINS, QUANTITIES, TABLES, Choice, UsageError
from relu_exp.engine.data.datasets import DATASETS
from relu_exp.evidence.claims import registry
from relu_exp.evidence.claims.judging import judge_all
from relu_exp.evidence.claims.registry import find_claim
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.report.verdict_pages import read_verdicts

import synthetic

ROOT = Path(__file__).parents[1]
ELSEWHERE = ("make", "source", "tensorboard")
"""Commands of a page that are not run: they set up, or stay."""


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(text: str) -> list[list[str]]:
    lines = [line for block in blocks(text, "sh") for line in block.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    assert {each[0] for each in words} <= {"relu-exp", *ELSEWHERE}
    return [each[1:] for each in words if each[0] == "relu-exp"]


def save_files(text: str, folder: Path) -> None:
    """Save every block that the page says to save, under the name it gives."""
    found = re.findall(r"[Ss]ave\s+this\s+as\s+`([\w.]+)`.*?```\w+\n(.*?)```", text, re.DOTALL)
    assert found
    for name, content in found:
        (folder / name).write_text(content, encoding="utf-8")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty folder, and forget what plugins registered."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    list(registry.all_claims())
    monkeypatch.setattr(registry, "_CLAIMS", dict(registry._CLAIMS))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.endswith("_claim"):
            del sys.modules[name]


def test_the_tutorial_leads_to_the_verdict_it_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page("tutorial.md")
    save_files(text, tmp_path)
    # how often the machinery errs is not told here, and takes as long as all the rest
    monkeypatch.setattr("relu_exp.evidence.report.verdict_pages.planted", lambda: ())
    told = ""
    for words in commands(text):
        # in this very process: others would load torch once more
        words += ["--workers", "1"] if words[0] == "run" else []
        assert main(words) == 0, (words, capsys.readouterr().err)
        told += capsys.readouterr().out
        if "activation=relu,tanh,sigmoid" in words:
            assert (tmp_path / "results" / "default" / "report.html").exists()
            # nothing below looks at it, and its figures would be drawn once more
            shutil.rmtree(tmp_path / "results" / "default")
    for line in "".join(blocks(text, "text")).splitlines():
        assert line in told.splitlines()
    assert 'id="width-pays"' in (tmp_path / "results" / "report.html").read_text()
    row = read_verdicts(tmp_path / "results")["width-pays"]
    assert row["command"] == "relu-exp run wider.yaml --claim width-pays --plugin my_claim"
    assert row["low"] > row["rule"]["threshold"]


def test_a_file_of_one_s_own_trains_as_the_page_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, _, numbers = page("add-a-dataset.md").partition("### Numbers to predict")
    assert numbers
    save_files(text, tmp_path)
    (words,) = commands(text)
    assert main([*words, "--workers", "1"]) == 0, capsys.readouterr().err
    runs = Frames.open(tmp_path / "results" / "default").runs
    assert list(runs["status"]) == ["done", "done"]
    assert set(runs["dataset_label"]) == {"table flowers.csv"}


def test_numbers_of_ones_own_are_predicted_as_the_page_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, rest = page("add-a-dataset.md").partition("### Numbers to predict")
    text, _, code = rest.partition("## A function of your own")
    assert code
    save_files(text, tmp_path)
    (words,) = commands(text)
    assert main([*words, "--workers", "1"]) == 0, capsys.readouterr().err
    runs = Frames.open(tmp_path / "results" / "default").runs
    assert list(runs["status"]) == ["done"] * 4
    assert runs["final_test_r2"].notna().all()
    assert runs["final_test_accuracy"].isna().all()


def test_the_settings_of_the_page_are_those_of_a_table() -> None:
    text, _, _ = page("add-a-dataset.md").partition("## A function of your own")
    rows = "".join(line.split("|")[1] for line in text.splitlines() if line.startswith("|"))
    common = {"num_train"}
    assert {*re.findall(r"dataset\.(\w+)", rows)} == {*DATASETS["table"].settings} - common


def test_a_claim_as_the_page_writes_it_is_decided_depth_by_depth(tmp_path: Path) -> None:
    text = page("add-a-claim.md")
    save_files(text, tmp_path)
    load_plugins(["tanh_claim"])
    xavier = Choice("xavier_normal", (("gain", 1.0),))
    runs = synthetic.configs(("tanh", "sigmoid"), (xavier,), probe_steps=(), num_steps=16)
    synthetic.write(tmp_path / "results" / "default", runs)
    claim = find_claim("tanh-beats-sigmoid")
    verdict = judge_all(tmp_path / "results", [claim])[claim.id]
    assert [cell.where for cell in verdict.settings] == [{"depth": "2"}, {"depth": "5"}]
    assert verdict.num_seeds == 3
    assert "Other initializers may tell another story." in verdict.notes
    assert judge_all(tmp_path / "nowhere", [claim])[claim.id].name == "not decided"


def test_a_claim_of_one_s_own_is_listed_and_shown_like_any_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_files(page("add-a-claim.md"), tmp_path)
    assert main(["list", "claims", "--plugin", "tanh_claim"]) == 0
    assert "\ttanh-beats-sigmoid\tC Training\t" in capsys.readouterr().out
    assert main(["claim", "tanh-beats-sigmoid", "--plugin", "tanh_claim"]) == 0
    out = capsys.readouterr().out
    assert "a blog (part 2)" in out
    # without a translation nothing is said twice
    assert out.count("ends up more accurate") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ('"relu-computes-faster", group="F"', "claim relu-computes-faster is registered twice"),
        ('"Mine is Best", group="F"', "claim 'Mine is Best' is not valid"),
        ('"mine", group="F"', "claim mine: a rule needs a threshold"),
        ('"mine", group="Z"', "group Z is not valid; valid: A (Formulas), B"),
    ],
)
def test_a_claim_that_cannot_be_is_one_line(arguments: str, says: str, tmp_path: Path) -> None:
    code = f"""
from relu_exp.evidence.claims.registry import claim
from relu_exp.evidence.claims.verdicts import Rule
@claim({arguments}, statement="A.", sources={{}}, experiments="default", rule=Rule("a", "b"))
def mine(evidence): pass
"""
    (tmp_path / "bad_claim.py").write_text(code)
    with pytest.raises(UsageError, match=re.escape(says)):
        load_plugins(["bad_claim"])


def test_an_experiment_in_a_file_is_found_by_the_name_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_files(page("tutorial.md"), tmp_path)
    assert main(["run", "wider", "--plan"]) == 2
    assert "did you mean wider.yaml?" in capsys.readouterr().err


@pytest.fixture
def results(tmp_path: Path) -> Path:
    runs = synthetic.configs(seeds=(0, 1), num_steps=16, probe_steps=(0, 16))
    return synthetic.write(tmp_path / "results" / "default", runs)


def test_the_recipes_are_three_statements_each_and_agree(results: Path) -> None:
    by_pandas, by_duckdb, notebook = blocks(page("analysis.md"), "python")
    assert all(len(ast.parse(recipe).body) == 3 for recipe in (by_pandas, by_duckdb, notebook))
    names: dict[str, pd.Series[float]] = {}
    exec(by_pandas, names)
    frames = Frames.open(results)
    layers = frames.layers.merge(frames.runs)
    mine = layers[(layers["activation"] == "relu") & (layers["layer"] == 2)]
    expected = mine.loc[mine["quantity"] == "activation_std", "value"].mean()
    assert names["table"]["ReLU", "activation_std", 2] == pytest.approx(expected)

    pytest.importorskip("duckdb")
    exec(by_duckdb, names)
    table = names["table"].set_index(["activation", "layer"])["dead"]  # type: ignore[call-overload]
    dead = mine[(mine["quantity"] == "dead_fraction") & (mine["step"] == mine["num_steps"])]
    assert table["relu", 2] == pytest.approx(dead["value"].mean())


def test_a_figure_shows_itself_in_a_notebook(results: Path) -> None:
    *_, notebook = blocks(page("analysis.md"), "python")
    shown: list[bytes] = []
    exec(notebook, {"display": lambda *all: shown.extend(one._repr_png_() for one in all)})
    assert shown
    assert all(picture.startswith(b"\x89PNG") for picture in shown)


def test_the_exports_of_the_page_work(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in commands(page("analysis.md")):
        assert main(words) == 0, capsys.readouterr().err
    assert {"runs.csv", "dead_units.csv"} <= {path.name for path in (results / "csv").iterdir()}
    assert any((results / "tensorboard").glob("relu,he_normal,*,seed=0/events*"))


@pytest.mark.parametrize("name", [*QUANTITIES, *TABLES, *HISTOGRAM_BINS])
def test_whatever_is_measured_is_defined(name: str) -> None:
    assert f"`{name}`" in page("measurements.md")


def test_a_quantity_that_is_defined_is_measured() -> None:
    _, text = page("measurements.md").split("## On the probe batch")
    rows = [
        line.split("|")[1] for line in text.split("## Dead units")[0].splitlines() if "|" in line
    ]
    names = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert names == set(QUANTITIES) - {"dead_fraction"}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "docs").glob("add-a*.md")), ids=lambda path: path.stem
)
def test_the_readme_leads_to_every_way_to_add_something(path: Path) -> None:
    assert f"](docs/{path.name})" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_architecture_names_every_module_and_folder() -> None:
    text = page("architecture.md")
    package = ROOT / "src" / "relu_exp"
    modules = [path for path in package.rglob("*.py") if not path.stem.startswith("_")]
    shown = [path for path in modules if path.parent.name not in {"topics", "errata", "figures"}]
    assert [path.stem for path in shown if f"{path.stem}`" not in text] == []
    folders = {path.parent for path in modules} - {package}
    assert [path.name for path in folders if f"{path.name}/`" not in text] == []


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.stem)
def test_a_file_that_a_page_links_is_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text):
        assert (path.parent / link).exists(), link
