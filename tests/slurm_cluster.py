"""A Slurm cluster of one node on this machine: munged, slurmctld and slurmd of our own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO
from unittest import mock

__all__ = ["Cluster", "NoSlurmError", "cluster_in", "impatience", "told", "within"]

DAEMONS = ("munged", "slurmctld", "slurmd")
PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
START_SECONDS = 100.0
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


_WATCHER = """
import os, signal, subprocess, sys, time
daemons, groups = [], []
for line in sys.stdin:  # it ends when the program that writes it has ended, however that was
    kind, number = line.split()
    (groups if kind == "group" else daemons).append(int(number))
def send(kill, number, sign):
    try:
        kill(number, sign)
    except OSError:
        pass
for group in groups:
    send(os.killpg, group, signal.SIGKILL)
subprocess.run(["scancel", "--user=root"], timeout=30)
time.sleep(5)
for daemon in reversed(daemons):
    send(os.kill, daemon, signal.SIGTERM)
"""


@dataclass
class Watcher:
    """A process that ends commands and daemons if this one is killed, and has no time for it."""

    process: subprocess.Popen[str]

    def note(self, kind: str, number: int) -> None:
        """Note a `daemon`, or a `group` of processes that belongs to a command."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{kind} {number}\n")
        self.process.stdin.flush()


@contextmanager
def watched() -> Iterator[Watcher]:
    """Start a watcher; when the context is left, this process itself has ended everything."""
    process = subprocess.Popen(
        [sys.executable, "-c", _WATCHER],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield Watcher(process)
        finally:
            process.kill()


class NoSlurmError(Exception):
    """Slurm cannot be started here."""


@dataclass
class Cluster:
    """The daemons of a cluster, in the order of `DAEMONS`."""

    folder: Path
    host: str
    configuration: str
    commands: tuple[tuple[str, ...], ...]
    log: TextIO
    watcher: Watcher
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)
    restarts: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Start the daemons one after the other.

        Raises:
            NoSlurmError: one does not answer.
        """
        answers: tuple[Callable[[], bool], ...] = (
            (self.folder / "munge").is_socket,
            lambda: "UP" in told("scontrol", "ping"),
            lambda: told("sinfo", "-h", "-o", "%T") == "idle",
        )
        for command, is_up in zip(self.commands, answers, strict=True):
            self.daemons.append(self._started(command))
            if not within(START_SECONDS, is_up):
                words = (self.folder / "daemons.log").read_text()[-300:]
                raise NoSlurmError(f"{command[0]} does not start here: {words}")

    def _started(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        daemon = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        self.watcher.note("daemon", daemon.pid)
        return daemon

    def stop(self) -> None:
        """Stop the daemons, the last one first."""
        for thread in self.restarts:
            thread.join()
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in reversed(self.daemons):
            try:
                daemon.wait(30)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def kill(self, daemon: str, seconds: float = 3.0) -> None:
        """Kill a daemon as a crash does, and start it again after some seconds."""
        place = DAEMONS.index(daemon)
        self.daemons[place].kill()
        self.daemons[place].wait()

        def start() -> None:
            time.sleep(seconds)
            self.daemons[place] = self._started(self.commands[place])

        self.restarts.append(threading.Thread(target=start))
        self.restarts[-1].start()

    def configure(self, *lines: str) -> None:
        """Start the controller again with more lines in its configuration."""
        text = self.configuration + "".join(f"{line}\n" for line in lines)
        (self.folder / "slurm.conf").write_text(text)
        self.daemons[1].terminate()
        self.daemons[1].wait()
        self.daemons[1] = self._started(self.commands[1])
        within(START_SECONDS, lambda: "UP" in told("scontrol", "ping"))


@contextmanager
def cluster_in(folder: Path) -> Iterator[Cluster]:
    """Start a cluster in a folder; within the context the commands of Slurm are about it.

    Raises:
        NoSlurmError: Slurm is not installed, or does not start.
    """
    if os.geteuid() != 0 or not all(shutil.which(each, path=PLACES) for each in DAEMONS):
        raise NoSlurmError("no Slurm to start: it takes root, and apt-get install slurm-wlm munge")
    # munge wants a socket that others may reach, and keys that they may not
    for each in [folder, *folder.parents][:-1]:
        each.chmod(each.stat().st_mode | 0o011)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    with socket.socket() as first, socket.socket() as second:
        for port in (first, second):
            port.bind(("127.0.0.1", 0))
        ports = [port.getsockname()[1] for port in (first, second)]
    host = socket.gethostname().partition(".")[0]
    configuration = CONFIGURATION.format(host=host, folder=folder, ports=ports)
    file = folder / "slurm.conf"
    file.write_text(configuration)
    munge = ("munged", "--foreground", "--force", f"--socket={folder}/munge", f"--key-file={key}")
    munge += (f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log")
    munge += (f"--seed-file={folder}/seed",)
    commands = (
        munge,
        ("slurmctld", "-D", "-f", str(file)),
        ("slurmd", "-D", "-f", str(file)),
    )
    environment = {
        "PATH": PLACES,
        "SLURM_CONF": str(file),
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
    }
    with (
        mock.patch.dict(os.environ, environment),
        (folder / "daemons.log").open("w") as log,
        watched() as watcher,
    ):
        cluster = Cluster(folder, host, configuration, commands, log, watcher)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


def told(*command: str) -> str:
    """Return what a command prints; nothing if it fails."""
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Return whether something comes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


@contextmanager
def impatience() -> Iterator[None]:
    """Let requeued jobs start when their credentials have expired: Slurm waits two minutes."""
    is_over, hurried = threading.Event(), set[str]()

    def hurry() -> None:
        while not is_over.wait(0.5):
            lines = told("squeue", "-h", "-t", "PENDING", "-o", "%i %r").splitlines()
            waiting = {line.split()[0] for line in lines if line.endswith("BeginTime")}
            for job_id in waiting - hurried:
                update = ["scontrol", "update", f"JobId={job_id}", "StartTime=now+6"]
                with suppress(subprocess.CalledProcessError):  # it is asked again
                    subprocess.run(update, capture_output=True, check=True)
                    hurried.add(job_id)
            hurried.intersection_update(waiting)

    thread = threading.Thread(target=hurry)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
