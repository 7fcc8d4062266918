"""The folder of a reproduction: what was decided at a larger budget is not written over."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from relu_exp.cli import main
from relu_exp.core.schema import UsageError
from relu_exp.evidence.data.frames import find_results
from relu_exp.evidence.report.saved_verdicts import Origin, origin, read_verdicts
from relu_exp.session.results_folder import folder_for, larger

import synthetic
from planted_claims import write_planted

ROOT = Path(__file__).parents[1]


def verdicts(root: Path, *rows: dict[str, str]) -> Path:
    """Write saved verdicts; rows name what differs from a claim decided at no budget."""
    claims = [
        {"claim": f"c{number}", "verdict": "supported", **row} for number, row in enumerate(rows)
    ]
    root.mkdir(parents=True, exist_ok=True)
    (root / "verdicts.json").write_text(json.dumps(claims))
    return root


@pytest.mark.parametrize(
    ("there", "asked", "folder"),
    [
        ("quick", "quick", "."),
        ("quick", "standard", "."),
        ("quick", "full", "."),
        ("standard", "quick", "quick"),
        ("standard", "standard", "."),
        ("standard", "full", "."),
        ("full", "quick", "quick"),
        ("full", "standard", "standard"),
        ("full", "full", "."),
        ("", "quick", "."),
        ("huge", "quick", "."),
    ],
)
def test_only_a_smaller_budget_goes_beside_what_is_there(
    tmp_path: Path, there: str, asked: str, folder: str
) -> None:
    results = verdicts(tmp_path / "results", {"budget": there})
    assert folder_for(results, asked) == results / folder


def test_what_stays_and_where_the_rest_goes_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = verdicts(tmp_path, {"budget": "standard", "commit": "0123456789abcdef"})
    folder_for(results, "standard")
    assert capsys.readouterr().out == ""
    folder_for(results, "quick")
    assert capsys.readouterr().out == (
        f"{results} holds the results of the standard budget of commit 0123456789, and they stay: "
        f"those of the quick budget go to {results / 'quick'}\n"
    )


def test_a_folder_without_sound_verdicts_is_written_to(tmp_path: Path) -> None:
    assert folder_for(tmp_path / "nowhere", "quick") == tmp_path / "nowhere"
    assert folder_for(tmp_path, "quick") == tmp_path
    (tmp_path / "verdicts.json").write_text("[{")
    assert folder_for(tmp_path, "quick") == tmp_path


def test_a_second_reproduction_continues_in_the_same_folder(tmp_path: Path) -> None:
    results = verdicts(tmp_path, {"budget": "standard"})
    beside = verdicts(folder_for(results, "quick"), {"budget": "quick"})
    assert folder_for(results, "quick") == beside
    assert folder_for(beside, "quick") == beside


def test_a_link_beside_the_results_is_not_followed(tmp_path: Path) -> None:
    results = verdicts(tmp_path / "results", {"budget": "standard"})
    (tmp_path / "elsewhere").mkdir()
    (results / "quick").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="is a link"):
        folder_for(results, "quick")


def test_an_experiment_that_is_called_like_a_budget_is_not_mixed_with_it(tmp_path: Path) -> None:
    results = verdicts(tmp_path, {"budget": "standard"})
    synthetic.write(results / "quick", synthetic.configs(depths=(2,), seeds=(0,)))
    with pytest.raises(UsageError, match="holds the results of an experiment of that name"):
        folder_for(results, "quick")


def test_the_largest_budget_at_which_a_claim_was_decided_counts(tmp_path: Path) -> None:
    found = verdicts(
        tmp_path,
        {"budget": "quick", "commit": "a"},
        {"budget": "standard", "commit": "b"},
        {"budget": "full", "commit": "c", "verdict": "not decided"},
    )
    assert larger(found, "quick") == Origin("standard", "b")
    assert larger(found, "standard") is None


def test_claims_of_several_commits_name_none(tmp_path: Path) -> None:
    rows = ({"budget": "standard", "commit": "a"}, {"budget": "standard", "commit": "b"})
    assert larger(verdicts(tmp_path, *rows), "quick") == Origin("standard")


def test_the_budget_is_read_from_the_command_where_it_was_not_saved(tmp_path: Path) -> None:
    old = verdicts(tmp_path, {"command": "relu-exp run formulas --budget standard --claim x"})
    assert larger(old, "quick") == Origin("standard")


def test_the_budget_and_the_commit_of_the_runs_are_saved(tmp_path: Path) -> None:
    write_planted(tmp_path)
    found = read_verdicts(tmp_path)
    manifest = json.loads(next((tmp_path / "planted/manifests").glob("*.json")).read_text())
    assert (found["true"]["budget"], found["true"]["commit"]) == ("quick", manifest["commit"] or "")
    assert origin(found) == Origin("quick", manifest["commit"] or "")


def test_the_committed_verdicts_are_of_one_known_budget_and_git_ignores_what_goes_beside(
    tmp_path: Path,
) -> None:
    shutil.copy(ROOT / "results/verdicts.json", tmp_path)
    found = origin(read_verdicts(tmp_path))
    assert found is not None
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    for budget in ("quick", "standard"):
        path = tmp_path / "results" / budget / "README.md"
        path.parent.mkdir(parents=True)
        path.touch()
    listed = ["git", "-C", str(tmp_path), "ls-files", "--others", "--exclude-standard", "results"]
    assert subprocess.run(listed, capture_output=True, text=True, check=True).stdout == ""


def test_a_plan_says_where_results_would_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("relu_exp.config.experiment_names", lambda: ("formulas", "cost"))
    verdicts(tmp_path / "results", {"budget": "full"})
    assert main(["reproduce", "--plan", "--budget", "standard"]) == 0
    assert "those of the standard budget go to results/standard\n" in capsys.readouterr().out


def test_a_folder_whose_results_lie_beside_its_verdicts_says_where(tmp_path: Path) -> None:
    results = verdicts(tmp_path, {"budget": "standard"})
    synthetic.write(results / "quick" / "planted", synthetic.configs(depths=(2,), seeds=(0,)))
    with pytest.raises(UsageError, match=r"holds no results, but .*quick does: name that folder"):
        find_results(results)
    assert find_results(results / "quick") == [results / "quick" / "planted"]
