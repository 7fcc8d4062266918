"""The Slurm launcher: array jobs through submitit; each job trains a group of fleets."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import submitit
from submitit.core.utils import FailedJobError

from relu_exp.core.schema import UsageError
from relu_exp.launchers.jobs import (
    SlurmJob,
    checkpoint_time,
    grouped,
    outcome_in,
    read_error,
    read_step,
)
from relu_exp.launchers.local import Callback, Notice, Progress, num_cores
from relu_exp.launchers.slurm_queue import (
    QueuedJob,
    cancel,
    job_name,
    mark_submitting,
    outside_of_jobs,
    queued_jobs,
    refusal,
)
from relu_exp.launchers.task import FleetJob, Trainer, code_of_runs, mark_lost
from relu_exp.planning.fleets import Fleet

__all__ = ["launch"]

_POLL_SECONDS = {"slurm": 5.0, "local": 0.2}
_MOST_JOBS = 500
"""Most jobs of one array, and of one command in the queue; Slurm's default limit is 1,001."""

_NOTICE_SECONDS = 15.0
"""Time without an answer of sbatch or squeue, or without a job that runs, before a notice."""

_LOOK_SECONDS = 1.0
"""Time between two looks at what jobs have saved while sbatch does not answer."""

_END_SECONDS = 30.0
"""Time that jobs whose fleets are saved have to end by themselves before they are cancelled."""

_QUEUE_IS_FULL = re.compile(
    r"temporarily una(ble|vailable)|MaxJobCount|Max\w*Submit\w*Limit", re.IGNORECASE
)
_ARRAY_IS_LARGE = re.compile(r"job array spec|array (size|task)", re.IGNORECASE)

_NO_SUCH_NODE = "PartitionConfig"
"""Slurm's reason for a job that its partition can never run; many clusters queue such jobs."""

_WARNING_SECONDS = 90
"""Time between the signal that a job's time is nearly over and its end; less for short jobs."""


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
    # a quarter of the time at most: a job that is warned at its start trains nothing
    asked |= {"slurm_signal_delay_s": min(_WARNING_SECONDS, 15 * time_limit)}
    asked |= {"gpus_per_node": gpus if job.device == "cuda" else None}
    folder = job.results / "jobs" / job.session
    try:
        folder.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise UsageError(f"cannot write results to {folder}: {error.strerror}") from error
    template = SlurmJob(
        fleets=(),
        job=job,
        folder=folder,
        num_workers=cpus,
        code={},
        max_retries=max_retries,
        train=train,
        driver=os.getpid() if cluster == "local" else None,
    )
    _SlurmScheduler(
        template=template,
        callback=callback,
        queue=_queue(folder, cluster, job_name(job.session), asked),
        asked={
            "partition": partition,
            "account": account,
            "memory_gb": memory_gb,
            "time_limit": time_limit,
            "gpus": gpus,
            "cpus": cpus,
        },
        cluster=cluster,
        limit=num_workers or (num_cores() if cluster == "local" else _MOST_JOBS),
        due=deque(grouped(list(fleets), fleets_per_job)),
    ).launch()


def _queue(folder: Path, cluster: str, name: str, asked: dict[str, Any]) -> submitit.Executor:
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
    queue.update_parameters(name=name, stderr_to_stdout=True, **asked)
    return queue


@dataclass
class _SlurmScheduler:
    """Submits jobs to a queue, and reads from files how their fleets went."""

    template: SlurmJob
    callback: Callback
    queue: submitit.Executor
    asked: Mapping[str, object]
    cluster: str
    limit: int
    due: deque[tuple[Fleet, ...]]
    queued: dict[str, Any] = field(default_factory=dict)
    """Id → job; a job leaves when all its fleets are saved, whatever Slurm says of it."""
    fleets: dict[str, list[Fleet]] = field(default_factory=dict)
    """Job's id → the fleets that are not saved yet."""
    groups: dict[str, tuple[Fleet, ...]] = field(default_factory=dict)
    """Job's id → all of its fleets."""
    steps: dict[str, int] = field(default_factory=dict)
    losses: Counter[str] = field(default_factory=Counter)
    checkpoints: dict[str, int] = field(default_factory=dict)
    """Fleet's id → when its checkpoint was written, at its last loss."""
    array_size: int = _MOST_JOBS
    """Most jobs of one array that Slurm may take, as far as we know."""
    keeps_logs: bool = False
    last_answer: float = field(default_factory=time.monotonic)
    last_running: float = field(default_factory=time.monotonic)
    last_waiting: float = field(default_factory=time.monotonic)
    has_reported: bool = False
    """Whether any fleet has reported a step or was saved."""
    last_notice: str = ""

    @property
    def name(self) -> str:
        """The name of this command's jobs."""
        return job_name(self.template.job.session)

    def launch(self) -> None:
        """Run every job to its end; their folder is deleted unless its logs explain a loss."""
        if self.cluster == "slurm":
            mark_submitting(self.template.folder)
        try:
            while self.due or self.queued:
                self.submit()
                time.sleep(_POLL_SECONDS[self.cluster])
                # in this order: everything that a job saved before it ended is visible by now
                there = self.in_queue(self.go_on)
                for job_id in list(self.queued):
                    self.report(job_id)
                if error := read_error(self.template.folder):
                    raise error
                for job_id in list(self.queued):
                    if not self.fleets[job_id] and self.cluster == "slurm":
                        self.forget(job_id)  # whatever Slurm says of it
                    elif there is not None and self.has_ended(there.get(job_id)):
                        self.finish(job_id)
                self.explain(there)
            self.wait_for_saved_jobs()
        finally:
            self.cancel()
            if not self.keeps_logs:
                shutil.rmtree(self.template.folder, ignore_errors=True)
                with suppress(OSError):
                    self.template.folder.parent.rmdir()

    def submit(self) -> None:
        """Submit as many jobs as there is room for, as one array.

        Raises:
            UsageError: Slurm refuses the jobs, and would also refuse fewer or later.
        """
        room = min(self.limit - len(self.queued), len(self.due), self.array_size)
        if room <= 0:
            return
        batch = [self.due.popleft() for _ in range(room)]
        jobs = [
            replace(self.template, fleets=fleets, code=code_of_runs(fleets, self.template.job))
            for fleets in batch
        ]
        try:
            submitted = self.submit_array(jobs)
        except (FailedJobError, subprocess.SubprocessError) as error:
            self.due.extendleft(reversed(batch))
            is_full = _QUEUE_IS_FULL.search(str(error))
            if is_full and self.queued:
                self.limit = len(self.queued)
                self.notify(f"Slurm takes no more than {self.limit} jobs now; the others wait here")
                return
            if room > 1 and (is_full or _ARRAY_IS_LARGE.search(str(error))):
                self.array_size = room // 2
                self.notify(f"Slurm takes no {room} jobs at once; trying {self.array_size}")
                return
            raise UsageError(f"Slurm refuses the jobs: {refusal(error, self.asked)}") from error
        self.last_answer = time.monotonic()
        for job, fleets in zip(submitted, batch, strict=True):
            self.queued[job.job_id] = job
            self.groups[job.job_id] = fleets
            self.fleets[job.job_id] = list(fleets)

    def submit_array(self, jobs: list[SlurmJob]) -> list[Any]:
        """Submit jobs as one array; sbatch itself tries again while a queue is full."""

        def submit() -> list[Any]:
            with outside_of_jobs(), self.queue.batch():
                return [self.queue.submit(job) for job in jobs]

        with ThreadPoolExecutor(1) as thread:
            answer, begun = thread.submit(submit), time.monotonic()
            while not answer.done():
                with suppress(TimeoutError):
                    return answer.result(_LOOK_SECONDS)
                for job_id in list(self.queued):
                    self.report(job_id)
                if notices := int((time.monotonic() - begun) / _NOTICE_SECONDS):
                    seconds = f"{notices * _NOTICE_SECONDS:.0f} s"
                    self.notify(f"sbatch has not answered for {seconds}: the queue may be full")
            return answer.result()

    def in_queue(self, waiting: Callable[[], None]) -> Mapping[str, QueuedJob] | None:
        """Return this command's jobs that are in the queue; None if Slurm does not answer.

        `waiting` is called again and again while it does not answer.
        """
        if self.cluster == "local":
            running = QueuedJob("RUNNING", "")
            return {job_id: running for job_id, job in self.queued.items() if not job.done()}
        try:
            return queued_jobs(self.name, waiting)
        except FileNotFoundError:
            return None

    def go_on(self) -> None:
        """Report what jobs save while squeue does not answer, and say that it does not."""
        for job_id in list(self.queued):
            self.report(job_id)
        self.say_silent()

    def say_silent(self) -> None:
        """Say that Slurm does not answer, if it has not for long."""
        if time.monotonic() - self.last_answer > _NOTICE_SECONDS:
            self.notify("Slurm does not answer (squeue); waiting, and jobs that run go on")

    def has_ended(self, job: QueuedJob | None) -> bool:
        """Return whether a job is gone, or held by Slurm until somebody releases it."""
        return job is None or job.never_starts

    def explain(self, there: Mapping[str, QueuedJob] | None) -> None:
        """Say why nothing happens: Slurm does not answer, or no job starts.

        Raises:
            UsageError: no job ever will, because no node has what the jobs ask for.
        """
        if there is None:
            self.say_silent()
            return
        self.last_answer = now = time.monotonic()
        waiting = [job for job_id, job in there.items() if job_id in self.queued and job.is_waiting]
        if not waiting or len(waiting) < len(self.queued):
            self.last_running = now
            if not self.has_reported and now - self.last_waiting > _NOTICE_SECONDS:
                self.notify("jobs run in Slurm, and have not reported a step yet; waiting")
            return
        self.last_waiting = now
        if now - self.last_running > _NOTICE_SECONDS:
            found = {job.reason for job in waiting}
            if found == {_NO_SUCH_NODE}:
                raise UsageError(f"Slurm never starts the jobs ({_NO_SUCH_NODE}): {self.wanted}")
            reasons = ", ".join(sorted(found - {"None", ""}))
            count = "the job waits" if len(waiting) == 1 else f"all {len(waiting)} jobs wait"
            self.notify(f"{count} in Slurm's queue: {reasons or 'no reason given'}")

    @property
    def wanted(self) -> str:
        """What no node of the partition has, in words."""
        kept = {key: self.asked.get(key) for key in ("cpus", "gpus", "memory_gb")}
        if self.template.job.device != "cuda":
            del kept["gpus"]
        words = [f"launcher.{key}={value}" for key, value in kept.items() if value is not None]
        where = self.asked.get("partition") or "the default partition"
        return f"no node of {where} has what each asks for: {', '.join(words)}"

    def notify(self, text: str) -> None:
        """Pass on a notice, unless it is the last one again."""
        if text != self.last_notice:
            self.last_notice = text
            self.callback(Notice(text))

    def report(self, job_id: str) -> None:
        """Pass on the outcomes of a job's saved fleets, and the steps of the others."""
        for fleet in list(self.fleets[job_id]):
            if (outcome := outcome_in(fleet, self.template.job)) is not None:
                self.has_reported = True
                self.fleets[job_id].remove(fleet)
                self.callback(outcome)
                continue
            step = read_step(fleet, self.template.folder)
            if step is not None and step != self.steps.get(fleet.fleet_id):
                self.has_reported = True
                self.steps[fleet.fleet_id] = step
                self.callback(Progress(fleet, step))

    def forget(self, job_id: str) -> tuple[Fleet, ...]:
        """Forget a job, and return its fleets that are not saved."""
        del self.queued[job_id]
        return tuple(self.fleets.pop(job_id))

    def finish(self, job_id: str) -> None:
        """Forget a job that has ended; submit its unsaved fleets again, or mark them as lost."""
        log = self.queued[job_id].paths.stdout
        if self.cluster == "slurm":
            cancel(
                job_id=job_id, waiting=self.say_silent
            )  # a held job that is released later must not train them, too
        missing = self.forget(job_id)
        if not missing:
            return
        if len(missing) > 1:
            # one fleet may kill its job: if nothing was saved, submit the fleets one by one
            has_saved = len(missing) < len(self.groups[job_id])
            self.due.extend([missing] if has_saved else [(fleet,) for fleet in missing])
            return
        (fleet,) = missing
        written = checkpoint_time(fleet, self.template.job)
        has_progress = written > self.checkpoints.get(fleet.fleet_id, 0)
        self.checkpoints[fleet.fleet_id] = written
        self.losses[fleet.fleet_id] = 0 if has_progress else self.losses[fleet.fleet_id] + 1
        if (times := self.losses[fleet.fleet_id]) <= self.template.max_retries:
            self.due.append(missing)
            return
        self.keeps_logs = True
        reason = f"the job ended {times} times without saving it{_end_of(log)}; its log: {log}"
        self.callback(mark_lost(fleet, self.template.job, reason))

    def wait_for_saved_jobs(self) -> None:
        """Wait a while until the jobs have ended; all their fleets are saved."""
        until = time.monotonic() + _END_SECONDS
        while self.cluster == "slurm" and time.monotonic() < until:
            there = self.in_queue(self.say_silent)
            # a job that does not run never ends by itself
            if not there or all(job.is_waiting for job in there.values()):
                return
            time.sleep(_POLL_SECONDS["slurm"] / 5)

    def cancel(self) -> None:
        """Cancel every job, and wait until those on this machine have ended."""
        if self.cluster == "local":
            for job in self.queued.values():
                job.cancel()
            while not all(job.done() for job in self.queued.values()):
                time.sleep(0.05)
        elif self.in_queue(self.say_silent) != {}:
            cancel(self.name, waiting=self.say_silent)
        self.queued.clear()


def _end_of(log: Path) -> str:
    """Return the last line of a job's log, in parentheses, or nothing."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f" ({last[:200]})" if last else ""
