"""Slurm's queue, as its commands show it: which jobs are there, and why they wait."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from relu_exp.core.lines import last_line
from relu_exp.core.schema import UsageError

__all__ = [
    "QueuedJob",
    "cancel",
    "cancel_left_behind",
    "job_name",
    "mark_submitting",
    "outside_of_jobs",
    "queued_jobs",
    "refusal",
]

_COMMAND_SECONDS = 60
_CANCEL_SECONDS = 300
_SUBMITTING = "submitted"
"""Empty file in a command's folder: it may have jobs in the queue, under `job_name`."""

_SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_KEYS = {
    "partition": "partition",
    "account": "account",
    "memory": "memory_gb",
    "time limit": "time_limit",
    "gres": "gpus",
    "gpu": "gpus",
    "cpu count": "cpus",
    "node configuration": "cpus",
}
"""Words of sbatch's refusals → the launcher's setting that they are about."""


@dataclass(frozen=True)
class QueuedJob:
    """A job in the queue: its state, as in `PENDING`, and why it waits, as in `Resources`."""

    state: str
    reason: str

    @property
    def is_waiting(self) -> bool:
        """Whether it waits to run."""
        return self.state == "PENDING"

    @property
    def never_starts(self) -> bool:
        """Whether Slurm itself holds it after a failure: it waits until somebody releases it."""
        words = self.reason.replace("_", " ").lower()
        return self.is_waiting and ("requeued held" in words or "requeued in held" in words)


def job_name(session: str) -> str:
    """Return the name of a command's jobs, by which they are found whatever became of it."""
    return f"relu-exp-{session}"


def queued_jobs(name: str) -> dict[str, QueuedJob] | None:
    """Return the jobs of a name, of whichever user, by id; None if Slurm does not answer.

    squeue rather than sacct: it needs no accounting, and shows a requeue at once.

    Raises:
        FileNotFoundError: this machine has no squeue.
    """
    command = ["squeue", "--noheader", "--array", f"--name={name}", "--format=%i|%T|%r"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, timeout=_COMMAND_SECONDS
        )
    except FileNotFoundError:
        raise
    except (OSError, subprocess.SubprocessError):
        return None
    found = {}
    for line in done.stdout.splitlines():
        job_id, state, reason = (*line.strip().split("|", 2), "", "")[:3]
        found[job_id] = QueuedJob(state, reason)
    return found


def cancel(name: str | None = None, job_id: str | None = None) -> None:
    """Cancel all jobs of a name, or one by its id; one that runs takes some seconds to end."""
    which = f"--name={name}" if job_id is None else job_id
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run(["scancel", "--quiet", which], capture_output=True, timeout=_COMMAND_SECONDS)


def mark_submitting(folder: Path) -> None:
    """Note in a command's folder that it submits jobs, so that the next command can find them."""
    (folder / _SUBMITTING).touch()


def cancel_left_behind(folder: Path, notify: Callable[[str], None] = lambda line: None) -> None:
    """Cancel the jobs of earlier commands that were killed, so that nothing else writes results.

    Args:
        folder: `jobs` in a results folder.
        notify: called with a line when it has to wait.

    Raises:
        UsageError: jobs do not end, or whether there are any cannot be known.
    """
    for path in (folder, *folder.glob("*")):
        if path.is_symlink():
            raise UsageError(f"{path} is a link: results must lie in their own folder")
    for each in sorted(folder.glob("*")):
        if not _may_have_jobs(each):
            continue
        if _SESSION.fullmatch(each.name):
            _cancel_jobs_of(each.name, folder, notify)
        with suppress(PermissionError):
            (each / _SUBMITTING).unlink()


def _may_have_jobs(folder: Path) -> bool:
    """Return whether a command submitted jobs; also if its folder is closed to this user."""
    try:
        (folder / _SUBMITTING).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        return True
    return True


def _cancel_jobs_of(session: str, folder: Path, notify: Callable[[str], None]) -> None:
    name = job_name(session)
    until = time.monotonic() + _CANCEL_SECONDS
    has_notified = False
    while (left := _left(name, folder)) != {}:
        if time.monotonic() > until:
            if left is None:
                raise UsageError(
                    f"Slurm does not answer, so jobs of a command that was killed may still write "
                    f"to {folder.parent}: try again when `squeue --name={name}` answers"
                )
            raise UsageError(
                f"jobs of a killed command are still running: {', '.join(sorted(left))}; "
                f"wait until `squeue --name={name}` no longer lists them"
            )
        if not has_notified:
            what = "Slurm does not answer" if left is None else f"cancelling {len(left)} jobs"
            notify(f"{what}; waiting for the jobs of a command that was killed")
            has_notified = True
        if left:
            cancel(name)
        time.sleep(1)


def _left(name: str, folder: Path) -> Mapping[str, QueuedJob] | None:
    try:
        return queued_jobs(name)
    except FileNotFoundError as error:
        raise UsageError(
            f"jobs of a Slurm command that was killed may still write to {folder.parent}, and this "
            f"machine has no squeue to ask: run the command on a login node, or delete {folder} if "
            f"`squeue --name={name}` lists none there"
        ) from error


@contextmanager
def outside_of_jobs() -> Iterator[None]:
    """Hide within the context that this process is itself a job: sbatch would take its limits."""
    is_job = "SLURM_JOB_ID" in os.environ
    hidden = {
        key: value
        for key, value in os.environ.items()
        if is_job and key.startswith("SLURM_") and key != "SLURM_CONF"
    }
    for key in hidden:
        del os.environ[key]
    try:
        yield
    finally:
        os.environ.update(hidden)


def refusal(error: Exception, asked: Mapping[str, object]) -> str:
    """Return sbatch's refusal in one line, with the launcher's setting that it is about.

    Args:
        error: what sbatch raised.
        asked: the launcher's settings.
    """
    line = last_line(error, otherwise=type(error).__name__)
    words = line.lower()
    key = next((key for part, key in _KEYS.items() if part in words), None)
    if key is None or asked.get(key) is None:
        return line
    return f"{line} (launcher.{key}={asked[key]})"
