"""Resuming: the same command again, twice at once, after a failure, with other code."""

import json
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from relu_exp import cli
from relu_exp.engine import training
from relu_exp.results.store import Store

PROGRAM = Path(sys.executable).with_name("relu-exp")
TINY = """
title: Tiny
question: Does it run?
overrides: {width: 8, num_steps: 6, batch_size: 32, dataset: digits}
sweep: {activation: [relu, tanh], seed: [0, 1]}
figures: [loss_curves]
"""


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)


@pytest.fixture
def said(capsys):
    def run(*words):
        code = cli.main(["run", "tiny.yaml", "--workers", "1", *words])
        out, err = capsys.readouterr()
        return code, out, " ".join(err.split())

    return run


@pytest.fixture
def store():
    return Store(Path("results/tiny"))


def sessions(store):
    """Return how many rows each session has written."""
    parts = store.read("runs", ["session"])
    return Counter(session for part in parts for session in part["session"].to_pylist())


def begin(*words):
    return subprocess.Popen(
        [PROGRAM, "run", "tiny.yaml", "launcher.fleet_size=1", "--workers", "2", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_of_two_commands_at_once_one_waits_and_no_run_is_trained_twice(store):
    both = [begin("num_steps=300") for _ in range(2)]
    told = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    (waited,) = [err for _, err in told if "waiting for process" in err]
    assert re.search(r"^tiny: waiting for process \d+ on .*, which trains in results/tiny", waited)
    assert sum("were finished before" in out for out, _ in told) == 1
    assert sorted(sessions(store).values()) == [4]
    assert len(store.finished()) == 4


def test_ctrl_c_while_waiting_begins_nothing(store):
    first = begin("num_steps=500000")
    while not (store.root / ".lock").exists() or not store.manifests.exists():
        assert first.poll() is None
    while not list(store.manifests.iterdir()):
        assert first.poll() is None
    second = begin("num_steps=500000")
    assert "waiting" in second.stderr.readline()
    second.send_signal(signal.SIGINT)
    _, err = second.communicate(timeout=60)
    assert (second.returncode, err) == (130, "relu-exp: interrupted: nothing was trained\n")
    first.send_signal(signal.SIGINT)
    _, err = first.communicate(timeout=60)
    assert first.returncode == 130
    assert len(list(store.manifests.glob("*.json"))) == 1


def test_what_failed_is_trained_again_when_it_is_asked_for(said, store, monkeypatch):
    def failing(runs, *rest):
        if any(run.activation.name == "tanh" for run in runs):
            raise ValueError("no such thing")
        return train_fleet(runs, *rest)

    train_fleet = training.train_fleet
    with monkeypatch.context() as patch:
        patch.setattr(training, "train_fleet", failing)
        assert said()[0] == 1
    assert "4: 0 new, 2 finished, 2 failed before" in said("--plan")[1]
    code, out, err = said()
    assert code == 1
    assert "nothing to train" in out
    assert "2 runs failed before (ValueError: no such thing): not trained; --retry failed" in err
    code, _, err = said("--retry", "failed")
    assert code == 0
    assert "2/2 runs" in err
    assert said()[0] == 0
    assert len(store.finished()) == 4


def test_runs_that_wanted_memory_are_trained_again_unasked(said, store, monkeypatch):
    def full(*_):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(training, "train_fleet", full)
        assert said()[0] == 1
    assert "0 new, 0 finished, 4 interrupted" in said("--plan")[1]
    assert said()[0] == 0
    assert len(store.finished()) == 4


def test_runs_of_other_code_are_kept_or_trained_again_as_is_asked(said, store):
    said()
    (path,) = store.manifests.glob("*.json")
    manifest = json.loads(path.read_text())
    manifest["fingerprint"]["torch"] = "1.0"
    path.write_text(json.dumps(manifest))
    old = manifest["session"]
    _, out, _ = said("--plan")
    assert "4: 0 new, 0 finished, 4 stale" in out
    assert "4 runs finished before but stale (torch 1.0 → " in out
    code, out, err = said()
    assert code == 0
    assert "nothing to train" in out
    assert "kept; --stale rerun trains them again" in err
    assert sessions(store) == {old: 4}
    assert said("--stale", "rerun")[0] == 0
    assert old not in sessions(store)
    assert "0 new, 4 finished" in said("--plan")[1]


def test_every_row_can_be_traced_to_the_code_that_made_it(said, store):
    said()
    (session,) = sessions(store)
    manifest = store.read_manifest(session)
    assert set(manifest["fingerprint"]) == {"engine code", "torch", "schema"}
    if manifest["dirty"]:
        assert (store.manifests / manifest["diff"]).read_text()


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("--retry", "all"), "--retry all is not valid"),
        (("--stale", "rerum"), "(did you mean rerun?)"),
    ],
)
def test_what_is_not_valid_is_refused(said, words, hint):
    code, out, err = said(*words)
    assert (code, out) == (2, "")
    assert hint in err
