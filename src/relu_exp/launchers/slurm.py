"""The Slurm launcher: array jobs through submitit; each job trains a group of fleets."""

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
from relu_exp.launchers.jobs import SlurmJob, grouped, outcome_in, read_error, read_step
from relu_exp.launchers.local import Callback, Progress, num_cores
from relu_exp.launchers.task import FleetJob, Trainer, mark_lost
from relu_exp.planning.fleets import Fleet
from relu_exp.results.provenance import fingerprint

__all__ = ["launch"]

_POLL_SECONDS = {"slurm": 5.0, "local": 0.2}
_MOST_JOBS = 500
"""Most jobs of one array, and of one command in the queue; Slurm's default limit is 1,001."""

_SUBMIT_SECONDS = 60
_CANCEL_SECONDS = 300
_NAME = "relu-exp"
_SUBMITTED = "submitted"
"""File with the ids of a command's jobs: if the command is killed, the next one cancels them."""


def launch(
    fleets: Iterable[Fleet],
    job: FleetJob,
    num_workers: int | None,
    callback: Callback,
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
    """Train fleets as jobs of a Slurm cluster, and return when the last one is saved.

    Jobs write parts themselves, so every node must see the results folder. A job that was
    preempted or ran out of time is requeued and trains what it had not saved; a job that was lost
    is submitted again. A KeyboardInterrupt or an error cancels the jobs; saved parts stay.

    Args:
        fleets: what to train, in this order.
        job: the settings that all fleets share.
        num_workers: jobs in the queue at once.
        callback: called with each `Progress` and each `Outcome`.
        train: the trainer; the engine by default. Nodes import it by its name.
        cluster: `slurm`, or `local` for jobs that are processes on this machine.
        partition: the queue; None is the cluster's default.
        account: the account that the jobs are charged to.
        time_limit: minutes of a job.
        cpus: cores of a job; each trains one fleet at a time.
        gpus: GPUs of a job on cuda.
        memory_gb: memory of a job; None is the cluster's default.
        fleets_per_job: fleets of a job.
        max_retries: how often a job that was lost, or that saved nothing, starts again.

    Raises:
        UsageError: Slurm is missing or refuses the jobs, a data set is missing, or the results
            cannot be written.
    """
    job = replace(job, results=job.results.resolve())
    asked: dict[str, Any] = {"timeout_min": time_limit, "cpus_per_task": cpus, "mem_gb": memory_gb}
    asked |= {"slurm_partition": partition, "slurm_account": account}
    asked |= {"gpus_per_node": gpus if job.device == "cuda" else None}
    folder = job.results / "jobs" / job.session
    if cluster == "slurm":
        _cancel_left_behind(folder.parent)
    try:
        folder.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"cannot write results to {folder}: {error.strerror}") from error
    template = SlurmJob(
        fleets=(),
        job=job,
        folder=folder,
        num_workers=cpus,
        fingerprint=tuple(fingerprint().items()),
        max_retries=max_retries,
        train=train,
        driver=os.getpid() if cluster == "local" else None,
    )
    _SlurmScheduler(
        template=template,
        callback=callback,
        queue=_queue(folder, cluster, asked),
        cluster=cluster,
        limit=num_workers or (num_cores() if cluster == "local" else _MOST_JOBS),
        due=deque(grouped(list(fleets), fleets_per_job)),
    ).launch()


def _queue(folder: Path, cluster: str, asked: dict[str, Any]) -> submitit.Executor:
    logging.getLogger("submitit").setLevel(logging.ERROR)
    try:
        # the job itself counts how often it starts again
        unlimited = {f"{cluster}_max_num_timeout": 10**9}
        queue = submitit.AutoExecutor(folder, cluster, **unlimited)
    except RuntimeError as error:
        raise UsageError(
            "there is no Slurm on this machine (no srun): run the command on a login node, "
            "or add launcher.cluster=local"
        ) from error
    asked = {key: value for key, value in asked.items() if value is not None}
    queue.update_parameters(name=_NAME, stderr_to_stdout=True, **asked)
    return queue


@dataclass
class _SlurmScheduler:
    """Submits jobs to a queue, and reads from files how their fleets went."""

    template: SlurmJob
    callback: Callback
    queue: submitit.Executor
    cluster: str
    limit: int
    due: deque[tuple[Fleet, ...]]
    queued: dict[str, Any] = field(default_factory=dict)
    fleets: dict[str, list[Fleet]] = field(default_factory=dict)
    """Job's id → the fleets that are not saved yet."""
    groups: dict[str, tuple[Fleet, ...]] = field(default_factory=dict)
    """Job's id → all of its fleets."""
    steps: dict[str, int] = field(default_factory=dict)
    losses: Counter[str] = field(default_factory=Counter)
    keeps_logs: bool = False

    def launch(self) -> None:
        """Run every job to its end; their folder is deleted unless its logs explain a loss."""
        try:
            while self.due or self.queued:
                self.submit()
                time.sleep(_POLL_SECONDS[self.cluster])
                # in this order: everything that a job saved before it ended is visible by now
                ended = self.ended()
                for job_id in list(self.queued):
                    self.report(job_id)
                if error := read_error(self.template.folder):
                    raise error
                for job_id in ended:
                    self.finish(job_id)
        finally:
            self.cancel()
            if not self.keeps_logs:
                shutil.rmtree(self.template.folder, ignore_errors=True)
                with suppress(OSError):
                    self.template.folder.parent.rmdir()

    def submit(self) -> None:
        """Submit as many jobs as there is room for, as one array.

        Raises:
            UsageError: Slurm refuses the jobs.
        """
        room = min(self.limit - len(self.queued), len(self.due), _MOST_JOBS)
        if room <= 0:
            return
        batch = [self.due.popleft() for _ in range(room)]
        jobs = [replace(self.template, fleets=fleets) for fleets in batch]
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
            with (self.template.folder / _SUBMITTED).open("a") as file:
                file.writelines(f"{job.job_id}\n" for job in submitted)

    def ended(self) -> set[str]:
        """Return the jobs that are no longer in the queue."""
        if self.cluster == "local":
            return {job_id for job_id, job in self.queued.items() if job.done()}
        there = _in_queue()
        return set() if there is None else {*self.queued} - there

    def report(self, job_id: str) -> None:
        """Pass on the outcomes of a job's saved fleets, and the steps of the others."""
        for fleet in list(self.fleets[job_id]):
            if (outcome := outcome_in(fleet, self.template.job)) is not None:
                self.fleets[job_id].remove(fleet)
                self.callback(outcome)
                continue
            step = read_step(fleet, self.template.folder)
            if step is not None and step != self.steps.get(fleet.fleet_id):
                self.steps[fleet.fleet_id] = step
                self.callback(Progress(fleet, step))

    def finish(self, job_id: str) -> None:
        """Forget a job that has ended; submit its unsaved fleets again, or mark them as lost."""
        job = self.queued.pop(job_id)
        missing = tuple(self.fleets.pop(job_id))
        if not missing:
            return
        if len(missing) > 1:
            # one fleet may kill its job: if nothing was saved, submit the fleets one by one
            has_saved = len(missing) < len(self.groups[job_id])
            self.due.extend([missing] if has_saved else [(fleet,) for fleet in missing])
            return
        (fleet,) = missing
        self.losses[fleet.fleet_id] += 1
        if (times := self.losses[fleet.fleet_id]) <= self.template.max_retries:
            self.due.append(missing)
            return
        self.keeps_logs = True
        reason = f"the job ended {times} times without saving it; its log: {job.paths.stdout}"
        self.callback(mark_lost(fleet, self.template.job, reason))

    def cancel(self) -> None:
        """Cancel every job, and wait until those on this machine have ended."""
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
    """Return the ids of this user's waiting and running jobs; None if Slurm does not answer.

    squeue rather than sacct: it needs no accounting, and shows a requeue at once.
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
    """Cancel the jobs of earlier commands that were killed, so that nothing else writes results.

    Raises:
        UsageError: jobs do not end, for example because their node no longer answers.
    """
    for submitted in folder.glob(f"*/{_SUBMITTED}"):
        job_ids = set(submitted.read_text().split())
        until = time.monotonic() + _CANCEL_SECONDS
        while left := job_ids & (_in_queue() or set()):
            if time.monotonic() > until:
                raise UsageError(
                    f"jobs of a killed command are still running: {', '.join(sorted(left))}; "
                    "wait until squeue no longer lists them"
                )
            _scancel(sorted(left))
            time.sleep(1)
        submitted.unlink()


def _last_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[-1].strip()
