"""One command at a time: the second waits, says for whom, and gets in when the first ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import relu_exp
from relu_exp.results.lock import alone, replacing_report

import synthetic

HOLDER = """
import sys, time
from pathlib import Path
from relu_exp.results.lock import alone
with alone(Path(sys.argv[1]), print):
    print("held", flush=True)
    time.sleep(1000)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_alone_nobody_waits_and_nothing_is_said(tmp_path):
    said = []
    for _ in range(2):
        with alone(tmp_path, said.append):
            pass
    assert said == []


def test_a_kill_releases_the_lock_and_who_waited_gets_in(tmp_path, holder):
    said = []

    def tell(words):
        said.append(words)
        holder.kill()

    with alone(tmp_path, tell):
        pass
    (words,) = said
    assert f"waiting for process {holder.pid} on " in words
    assert str(tmp_path) in words


def test_ctrl_c_ends_the_waiting(tmp_path, holder):
    waiting = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        text=True,
    )
    assert waiting.stdout.readline().startswith("waiting for process")
    time.sleep(0.3)
    waiting.send_signal(signal.SIGINT)
    _, err = waiting.communicate(timeout=30)
    assert "KeyboardInterrupt" in err
    assert holder.poll() is None


def test_a_full_disk_takes_only_the_name_of_who_holds_it(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with alone(tmp_path, pytest.fail):
        pass


def test_a_link_is_refused_and_its_target_is_left_as_it_is(tmp_path):
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / ".lock").symlink_to(target)
    with pytest.raises(OSError, match="symbolic link"), alone(tmp_path, pytest.fail):
        pass
    assert target.read_text() == "precious"


def test_a_file_system_without_locks_is_told_and_used(tmp_path, monkeypatch):
    def none(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    said = []
    with alone(tmp_path, said.append):
        pass
    assert "one command at a time" in said[0]


def test_a_pipe_in_its_place_is_not_read(tmp_path):
    os.mkfifo(tmp_path / ".lock")
    waits_for(tmp_path)


def test_of_a_huge_file_in_its_place_only_the_beginning_is_read(tmp_path):
    waits_for(tmp_path, lambda: os.truncate(tmp_path / ".lock", 10**12))


def test_a_hard_link_in_its_place_leaves_the_other_file_as_it_is(tmp_path):
    (tmp_path / "mine").write_text("precious")
    (tmp_path / "results").mkdir()
    os.link(tmp_path / "mine", tmp_path / "results" / ".lock")
    with alone(tmp_path / "results", print):
        pass
    assert (tmp_path / "mine").read_text() == "precious"


def waits_for(folder, change=lambda: None):
    """Wait for a process that holds the lock, and end it when it is named."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    change()
    said = []

    def tell(words):
        said.append(words)
        holder.kill()

    with alone(folder, tell):
        pass
    holder.wait()
    holder.stdout.close()
    assert "waiting for" in said[0]


def test_reports_are_replaced_one_at_a_time_and_leave_no_lock(tmp_path):
    held = threading.Event()
    order = []

    def second():
        held.wait()
        with replacing_report(tmp_path):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with replacing_report(tmp_path):
        held.set()
        time.sleep(0.3)
        order.append("first")
    thread.join(30)
    assert order == ["first", "second"]
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_fails_leaves_no_lock(tmp_path):
    with pytest.raises(FileNotFoundError), replacing_report(tmp_path):
        (tmp_path / "missing").read_text()
    assert list(tmp_path.iterdir()) == []


def test_reports_are_replaced_on_a_file_system_without_locks_too(tmp_path, monkeypatch):
    def none(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", none)
    with replacing_report(tmp_path):
        pass


WITHOUT_FCNTL = """
import importlib, pkgutil, sys
from pathlib import Path
sys.modules["fcntl"] = None
import relu_exp
for module in pkgutil.walk_packages(relu_exp.__path__, "relu_exp."):
    # the first runs the command line, the others end with their parent
    if module.name == "relu_exp.__main__" or "preload" in module.name:
        continue
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        # extras, which need not be installed
        assert error.name in ("ray", "submitit"), error
from relu_exp.evidence.report.report import build
print(build(Path(sys.argv[1])).html)
"""


def test_every_module_loads_and_a_report_is_built_where_the_system_has_no_fcntl(tmp_path):
    root = tmp_path / "tiny"
    synthetic.write(
        root, synthetic.configs(("relu",), depths=(2,), seeds=(0,)), figures=["function_curves"]
    )
    command = [sys.executable, "-c", WITHOUT_FCNTL, root]
    source = str(Path(relu_exp.__file__).parents[1])
    told = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": source}
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout == f"{root / 'report.html'}\n"
    assert not list(root.glob(".*"))
