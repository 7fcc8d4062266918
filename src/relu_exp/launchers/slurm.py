"""The Slurm launcher: array jobs through submitit, each a group of fleets."""

from __future__ import annotations

import getpass
import logging
import os
import shutil
import subprocess
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import FailedJobError

from relu_exp.core.schema import UsageError
from relu_exp.launchers.jobs import Job, end_of, error_in, groups, step_of
from relu_exp.launchers.local import Progress, Tell, num_cores
from relu_exp.launchers.task import Mission, Trainer, write_off
from relu_exp.planning.plan import Fleet
from relu_exp.results.provenance import fingerprint

__all__ = ["launch"]

_POLL_SECONDS = {"slurm": 5.0, "local": 0.2}
_MOST_JOBS = 500
"""Of one array and of one command in the queue; Slurm's own limit is 1,001 unless changed."""

_SUBMIT_SECONDS = 60
_CANCEL_SECONDS = 300
_NAME = "relu-exp"
_SUBMITTED = "submitted"
"""File of the ids of a command's jobs, for the next command to cancel if this one is killed."""


def launch(
    fleets: Iterable[Fleet],
    mission: Mission,
    num_workers: int | None,
    tell: Tell,
    train: Trainer | None = None,
    *,
    cluster: str = "slurm",
    partition: str | None = None,
    account: str | None = None,
    time_limit: int = 240,
    cpus: int = 1,
    gpus: int = 1,
    memory_gb: float | None = None,
    fleets_per_job: int = 8,
    max_retries: int = 3,
) -> None:
    """See fleets through as jobs of a Slurm cluster, and return when the last one is saved.

    Jobs write parts themselves: the results lie where every node sees them. A job that was
    preempted or ran out of time goes on with what it had not saved, one that was lost is submitted
    again. Whatever ends the launch early cancels the jobs; the parts that were saved stay.

    Args:
        fleets: what to train, in this order.
        mission: where to, and on which device.
        num_workers: jobs in the queue at once.
        tell: called with each `Progress` and each `Outcome`.
        train: what trains; the engine unless given. Nodes import it by its name.
        cluster: `slurm`, or `local` for jobs that are processes of this machine.
        partition: the queue; None is the cluster's default.
        account: whom the jobs are charged to.
        time_limit: minutes of a job.
        cpus: cores of a job, each at one fleet.
        gpus: GPUs of a job on cuda.
        memory_gb: memory of a job; None is the cluster's default.
        fleets_per_job: fleets of a job.
        max_retries: how often a job that was lost, or that saved nothing, starts again.

    Raises:
        UsageError: there is no Slurm or it refuses the jobs, a data set is not there, or the
            results cannot be written.
    """
    mission = replace(mission, results=mission.results.resolve())
    asked: dict[str, Any] = {"timeout_min": time_limit, "cpus_per_task": cpus, "mem_gb": memory_gb}
    asked |= {"slurm_partition": partition, "slurm_account": account}
    asked |= {"gpus_per_node": gpus if mission.device == "cuda" else None}
    folder = mission.results / "jobs" / mission.session
    if cluster == "slurm":
        _cancel_left_behind(folder.parent)
    try:
        folder.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"cannot write results to {folder}: {error.strerror}") from error
    job = Job(
        fleets=(),
        mission=mission,
        folder=folder,
        num_workers=cpus,
        fingerprint=tuple(fingerprint().items()),
        max_retries=max_retries,
        train=train,
        driver=os.getpid() if cluster == "local" else None,
    )
    _Flotilla(
        job=job,
        tell=tell,
        queue=_queue(folder, cluster, asked),
        cluster=cluster,
        limit=num_workers or (num_cores() if cluster == "local" else _MOST_JOBS),
        due=deque(groups(list(fleets), fleets_per_job)),
    ).launch()


def _queue(folder: Path, cluster: str, asked: dict[str, Any]) -> submitit.Executor:
    logging.getLogger("submitit").setLevel(logging.ERROR)
    try:
        # how often a job starts again is counted by the job
        unlimited = {f"{cluster}_max_num_timeout": 10**9}
        queue = submitit.AutoExecutor(folder, cluster, **unlimited)
    except RuntimeError as error:
        raise UsageError(
            "there is no Slurm on this machine (no srun): give the command on a login node, "
            "or add launcher.cluster=local"
        ) from error
    asked = {key: value for key, value in asked.items() if value is not None}
    queue.update_parameters(name=_NAME, stderr_to_stdout=True, **asked)
    return queue


@dataclass
class _Flotilla:
    """Jobs in a queue, each of some fleets; what has become of them is read from files."""

    job: Job
    tell: Tell
    queue: submitit.Executor
    cluster: str
    limit: int
    due: deque[tuple[Fleet, ...]]
    queued: dict[str, Any] = field(default_factory=dict)
    fleets: dict[str, list[Fleet]] = field(default_factory=dict)
    """Job's id → the fleets of which no end was seen yet."""
    groups: dict[str, tuple[Fleet, ...]] = field(default_factory=dict)
    """Job's id → all of its fleets."""
    steps: dict[str, int] = field(default_factory=dict)
    losses: Counter[str] = field(default_factory=Counter)
    keeps_logs: bool = False

    def launch(self) -> None:
        """See every job through; their folder goes when they do, unless its logs say why not."""
        try:
            while self.due or self.queued:
                self.submit()
                time.sleep(_POLL_SECONDS[self.cluster])
                # in this order: what a job saved before it ended is there by now
                ended = self.ended()
                for job_id in list(self.queued):
                    self.look(job_id)
                if error := error_in(self.job.folder):
                    raise error
                for job_id in ended:
                    self.settle(job_id)
        finally:
            self.cancel()
            if not self.keeps_logs:
                shutil.rmtree(self.job.folder, ignore_errors=True)
                with suppress(OSError):
                    self.job.folder.parent.rmdir()

    def submit(self) -> None:
        """Submit as one array what there is room for.

        Raises:
            UsageError: Slurm refuses the jobs.
        """
        room = min(self.limit - len(self.queued), len(self.due), _MOST_JOBS)
        if room <= 0:
            return
        batch = [self.due.popleft() for _ in range(room)]
        jobs = [replace(self.job, fleets=fleets) for fleets in batch]
        try:
            with self.queue.batch():
                submitted = [self.queue.submit(job) for job in jobs]
        except (FailedJobError, subprocess.SubprocessError) as error:
            raise UsageError(f"Slurm refuses the jobs: {_last_line(error)}") from error
        for job, fleets in zip(submitted, batch, strict=True):
            self.queued[job.job_id] = job
            self.groups[job.job_id] = fleets
            self.fleets[job.job_id] = list(fleets)
        if self.cluster == "slurm":
            with (self.job.folder / _SUBMITTED).open("a") as file:
                file.writelines(f"{job.job_id}\n" for job in submitted)

    def ended(self) -> set[str]:
        """Return the jobs that are in the queue no more."""
        if self.cluster == "local":
            return {job_id for job_id, job in self.queued.items() if job.done()}
        there = _in_queue()
        return set() if there is None else {*self.queued} - there

    def look(self, job_id: str) -> None:
        """Tell of the fleets of a job that were saved, and of the steps of the others."""
        for fleet in list(self.fleets[job_id]):
            if (outcome := end_of(fleet, self.job.mission)) is not None:
                self.fleets[job_id].remove(fleet)
                self.tell(outcome)
                continue
            step = step_of(fleet, self.job.folder)
            if step is not None and step != self.steps.get(fleet.fleet_id):
                self.steps[fleet.fleet_id] = step
                self.tell(Progress(fleet, step))

    def settle(self, job_id: str) -> None:
        """Let a job go that has ended; what it has not saved is submitted again or written off."""
        job = self.queued.pop(job_id)
        missing = tuple(self.fleets.pop(job_id))
        if not missing:
            return
        if len(missing) > 1:
            # one that kills its job must not cost the others: what saved nothing goes one by one
            has_saved = len(missing) < len(self.groups[job_id])
            self.due.extend([missing] if has_saved else [(fleet,) for fleet in missing])
            return
        (fleet,) = missing
        self.losses[fleet.fleet_id] += 1
        if (times := self.losses[fleet.fleet_id]) <= self.job.max_retries:
            self.due.append(missing)
            return
        self.keeps_logs = True
        reason = f"the job ended {times} times without saving it; its log: {job.paths.stdout}"
        self.tell(write_off(fleet, self.job.mission, reason))

    def cancel(self) -> None:
        """Take every job out of the queue, and wait until those of this machine have ended."""
        if not self.queued:
            return
        if self.cluster == "local":
            for job in self.queued.values():
                job.cancel()
            while not all(job.done() for job in self.queued.values()):
                time.sleep(0.05)
        else:
            _scancel(list(self.queued))
        self.queued.clear()


def _in_queue() -> set[str] | None:
    """Return the ids of this user's jobs that wait or run; None where Slurm does not answer.

    squeue is asked rather than sacct: it needs no accounting, and tells at once of a requeue.
    """
    command = ["squeue", "--noheader", "--array", f"--user={getpass.getuser()}"]
    command += [f"--name={_NAME}", "--format=%i"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=_SUBMIT_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return set(done.stdout.split())


def _scancel(job_ids: Sequence[str]) -> None:
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run(
            ["scancel", "--quiet", *job_ids], capture_output=True, timeout=_SUBMIT_SECONDS
        )


def _cancel_left_behind(folder: Path) -> None:
    """Cancel the jobs of commands that were killed: the results are this command's alone.

    Raises:
        UsageError: jobs do not end, as those of a node that no longer answers.
    """
    for submitted in folder.glob(f"*/{_SUBMITTED}"):
        job_ids = set(submitted.read_text().split())
        until = time.monotonic() + _CANCEL_SECONDS
        while left := job_ids & (_in_queue() or set()):
            if time.monotonic() > until:
                raise UsageError(
                    f"jobs of a command that was killed do not end: {', '.join(sorted(left))}; "
                    "wait until squeue lists them no more"
                )
            _scancel(sorted(left))
            time.sleep(1)
        submitted.unlink()


def _last_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[-1].strip()
