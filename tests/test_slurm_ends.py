"""The scenarios of Slurm leave nothing running, however they are interrupted."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from slurm_cluster import DAEMONS, PLACES, shutil, within

pytest.importorskip("submitit", reason="submitit is not installed: pip install 'relu-exp[slurm]'")
pytestmark = [
    pytest.mark.xdist_group("slurm"),
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(shutil.which(each, path=PLACES) for each in DAEMONS),
        reason="no Slurm to start: it takes root, and apt-get install slurm-wlm munge",
    ),
]


def processes_of(folder):
    """Return the processes whose command names a folder, or that work in it."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            if str(folder) in words and state != "Z":
                found[int(process.name)] = words
        except OSError:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interruption_leaves_no_command_and_no_daemon(tmp_path, number):
    script = Path(__file__).with_name("slurm_scenarios.py")
    process = subprocess.Popen(
        [sys.executable, script, "--only", "undisturbed jobs"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )

    def is_training():
        return any("slurmd" in words for words in processes_of(tmp_path).values()) and any(
            "launcher=slurm" in words for words in processes_of(tmp_path).values()
        )

    try:
        assert within(200, lambda: is_training() or process.poll() is not None)
        assert process.poll() is None
        time.sleep(1)
        process.send_signal(number)
        process.wait(90)
        assert within(90, lambda: not processes_of(tmp_path)), processes_of(tmp_path)
    finally:
        process.kill()
        process.wait()
    if number != signal.SIGKILL:
        assert process.returncode == 130
        assert not list(tmp_path.glob("tmp*"))
