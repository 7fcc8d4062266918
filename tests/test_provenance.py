"""Provenance: what made a run's numbers is written down, and what has changed since is told."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from relu_exp.results import provenance
from relu_exp.results.provenance import (
    changes,
    describe_machine,
    differences,
    fingerprint,
    parsed,
    working_diff,
)


def test_the_machine_is_described_in_json():
    machine = describe_machine()
    assert json.loads(json.dumps(machine)) == machine
    assert machine["machine"]["cores"] == os.cpu_count()
    assert "torch" in machine["packages"]


def test_what_has_changed_is_named_with_both_values():
    then = {"fingerprint": fingerprint()}
    assert changes(then) == ()
    now = fingerprint()["torch"]
    assert changes({"fingerprint": {**fingerprint(), "torch": "1.0"}}) == (f"torch 1.0 → {now}",)
    (change,) = changes({"fingerprint": {**fingerprint(), "engine code": "abc"}})
    assert change.startswith("engine code abc → ")


@pytest.mark.parametrize("manifest", [None, {}, {"fingerprint": "x"}])
def test_what_no_manifest_says_counts_as_changed(manifest):
    assert changes(manifest) == ("engine code unknown",)


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", "3", '{"data": 3}', '{"data": "\\u001b[2J"}']
)
def test_what_is_no_digest_says_nothing_of_what_made_a_run(text):
    assert parsed(text) == {}


def test_what_nobody_knows_counts_as_changed_and_what_is_no_longer_asked_for_does_not():
    then = parsed('{"data": "01", "plugin mine": "ab", "plugin gone": "cd"}')
    now = {"data": "01", "plugin mine": "ac", "plugin new": "ef", "plugin typed": ""}
    assert differences(then, now) == (
        "plugin mine ab → ac",
        "plugin new unknown → ef",
        "plugin typed unknown → unknown",
    )


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Return a repository that holds the very module that asks git."""

    def git(*words):
        identity = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    module = tmp_path / "provenance.py"
    module.write_text("first\n")
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    monkeypatch.setattr(provenance, "__file__", str(module))
    return tmp_path


def test_the_diff_of_a_dirty_tree_can_be_applied(tree):
    assert working_diff() is None
    (tree / "provenance.py").write_text("second\n")
    (tree / "mine.py").write_text("new")
    (tree / "results").mkdir()
    (tree / "results" / "report.md").write_text("written by a run")
    diff = working_diff()
    assert "-first\n+second\n" in diff
    assert diff.endswith("# not tracked: mine.py\n")
    (tree / "provenance.py").write_text("first\n")
    subprocess.run(["git", "apply"], cwd=tree, input=diff, text=True, check=True)
    assert (tree / "provenance.py").read_text() == "second\n"


def test_a_diff_of_any_size_takes_a_megabyte_at_most(tree):
    (tree / "provenance.py").write_text("x" * 3_000_000)
    assert 1_000_000 < len(working_diff()) < 1_001_000


def test_outside_a_repository_there_is_no_diff(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "__file__", str(Path(tmp_path) / "provenance.py"))
    assert working_diff() is None
    assert describe_machine()["commit"] is None
