"""The Slurm launcher against a real slurmctld and slurmd, where Debian's slurm-wlm is installed."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from relu_exp.core.launchers import LAUNCHERS
from relu_exp.core.schema import UsageError
from relu_exp.launchers.local import launch
from relu_exp.launchers.task import FleetJob, Outcome
from relu_exp.planning.plan import plan
from relu_exp.results.store import Store

import trainers
from configs import make_run

pytest.importorskip("submitit", reason="submitit is not installed: pip install 'relu-exp[slurm]'")

from relu_exp.launchers import slurm as launcher

# one Slurm for all, whichever processes share out the tests
pytestmark = pytest.mark.xdist_group("slurm")

DAEMONS = ("munged", "slurmctld", "slurmd")
PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
CONFIGURATION = """
ClusterName=one
SlurmctldHost={host}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge,cred_expire=3
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,bf_interval=1
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
KillWait=5
MessageTimeout=60
NodeName={host} CPUs=2 Boards=1 SocketsPerBoard=1 CoresPerSocket=2 ThreadsPerCore=1 RealMemory=1000
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    """A cluster of one node on this machine: munged, slurmctld and slurmd of our own."""
    if os.geteuid() != 0 or not all(shutil.which(each, path=PLACES) for each in DAEMONS):
        pytest.skip("no Slurm to start: it takes root, and apt-get install slurm-wlm munge")
    folder = Path(tmp_path_factory.mktemp("slurm"))
    # munge wants a socket that others may reach, and keys that they may not
    for each in [folder, *folder.parents][:-1]:
        each.chmod(each.stat().st_mode | 0o011)
    for each in ("state", "spool"):
        (folder / each).mkdir()
    key = folder / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind(("127.0.0.1", 0))
        ports = [each.getsockname()[1] for each in (first, second)]
    host = socket.gethostname().partition(".")[0]
    file = folder / "slurm.conf"
    file.write_text(CONFIGURATION.format(host=host, folder=folder, ports=ports))
    munge = ["munged", "--foreground", "--force", f"--socket={folder}/munge", f"--key-file={key}"]
    munge += [f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log"]
    munge += [f"--seed-file={folder}/seed"]
    commands = {
        tuple(munge): (folder / "munge").is_socket,
        ("slurmctld", "-D", "-f", str(file)): lambda: "UP" in told("scontrol", "ping"),
        ("slurmd", "-D", "-f", str(file)): lambda: told("sinfo", "-h", "-o", "%T") == "idle",
    }
    patch = pytest.MonkeyPatch()
    patch.setenv("PATH", PLACES)
    patch.setenv("SLURM_CONF", str(file))
    patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
    patch.setenv(trainers.NOTES, str(folder))
    patch.setitem(launcher._POLL_SECONDS, "slurm", 1.0)  # one node of our own may be asked often
    with (folder / "daemons.log").open("w") as log:
        started = []
        try:
            for command, answers in commands.items():
                started.append(subprocess.Popen(command, stdout=log, stderr=log))
                if not within(100, answers):
                    words = (folder / "daemons.log").read_text()[-300:]
                    pytest.skip(f"{command[0]} does not start here: {words}")
            yield folder
        finally:
            for daemon in reversed(started):
                daemon.terminate()
            for daemon in reversed(started):
                daemon.wait(30)
            patch.undo()


def told(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def within(seconds, condition):
    """Return whether something comes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def launch_fleets(fleets, root, callback=lambda event: None, train=trainers.train, **settings):
    store = Store(root)
    store.open()
    settings = {"fleets_per_job": 2, "max_retries": 1} | settings
    LAUNCHERS["slurm"].launch(
        fleets, FleetJob(root, "session", "cpu"), None, callback, train, **settings
    )
    return store


def fleets_of(*rates):
    return plan([make_run(learning_rate=rate, width=8) for rate in rates], (), 1).fleets


def jobs():
    return subprocess.run(["squeue", "-h"], capture_output=True, text=True, check=True).stdout


def curves(store):
    return sorted(repr(row) for part in store.read("curves") for row in part.to_pylist())


def test_an_array_gives_the_tables_of_the_local_launcher(slurm, tmp_path):
    fleets = fleets_of(0.1, 0.2, 0.3)
    here = Store(tmp_path / "here")
    here.open()
    launch(fleets, FleetJob(here.root, "session", "cpu"), 1, lambda event: None)
    events = []
    there = launch_fleets(fleets, tmp_path / "there", events.append, train=None)
    assert curves(there) == curves(here) != []
    assert sum(isinstance(event, Outcome) for event in events) == 3
    assert not (there.root / "jobs").exists()
    assert jobs() == ""


@contextmanager
def impatience():
    """Let requeued jobs start when their credentials have expired: Slurm waits two minutes."""
    is_over, hurried = threading.Event(), set()

    def hurry():
        while not is_over.wait(0.5):
            lines = told("squeue", "-h", "-t", "PENDING", "-o", "%i %r").splitlines()
            waiting = {line.split()[0] for line in lines if line.endswith("BeginTime")}
            for job_id in waiting - hurried:
                update = ["scontrol", "update", f"JobId={job_id}", "StartTime=now+6"]
                subprocess.run(update, capture_output=True, check=True)
                hurried.add(job_id)

    thread = threading.Thread(target=hurry)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@pytest.mark.parametrize("rate", [trainers.KILLED_ONCE, trainers.PREEMPTED_ONCE])
def test_a_job_that_is_killed_or_preempted_is_queued_again(slurm, tmp_path, rate):
    with impatience():
        store = launch_fleets(fleets_of(0.1, rate), tmp_path / "results")
    assert Counter(end.status for end in store.ends().values()) == {"done": 2}


def test_ctrl_c_takes_the_jobs_out_of_the_queue_and_keeps_what_was_saved(slurm, tmp_path):
    def interrupt(event):
        if isinstance(event, Outcome):
            raise KeyboardInterrupt

    root = tmp_path / "results"
    order = sorted(fleets_of(0.1, trainers.WAITING), key=lambda f: f.runs[0].learning_rate)
    with pytest.raises(KeyboardInterrupt):
        launch_fleets(order, root, interrupt)
    assert within(100, lambda: jobs() == "")
    assert len(Store(root).finished()) == 1


def test_what_slurm_refuses_is_one_line(slurm, tmp_path):
    with pytest.raises(UsageError, match=r"Slurm refuses the jobs: .*partition") as caught:
        launch_fleets(fleets_of(0.1), tmp_path / "results", partition="nowhere")
    assert "\n" not in str(caught.value)


def test_jobs_left_behind_that_do_not_end_are_named(tmp_path, monkeypatch):
    (tmp_path / "session").mkdir()
    (tmp_path / "session" / launcher._SUBMITTED).write_text("7_0 7_1 8_0")
    cancelled = []
    monkeypatch.setattr(launcher, "_in_queue", lambda: {"7_1", "9_0"})
    monkeypatch.setattr(launcher, "_scancel", cancelled.append)
    monkeypatch.setattr(launcher, "_CANCEL_SECONDS", 0.5)
    with pytest.raises(UsageError, match="are still running: 7_1; wait"):
        launcher._cancel_left_behind(tmp_path)
    assert cancelled == [["7_1"]]
    monkeypatch.setattr(launcher, "_in_queue", lambda: {"9_0"})
    launcher._cancel_left_behind(tmp_path)
    assert not list(tmp_path.glob(f"*/{launcher._SUBMITTED}"))
