"""Slurm's queue, as its commands show it: which jobs are there, and why they wait."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
_LOOK_SECONDS = 1.0
"""Time between two calls of `waiting` while a command of Slurm does not answer."""
_CANCEL_SECONDS = 300
"""Longest time that jobs of a killed command may take to end after they are cancelled."""
_ANSWER_SECONDS = 40
"""Longest time without an answer of Slurm when a command begins; squeue may add a minute."""
_SILENT_SECONDS = 5.0
"""Time without an answer before a notice of it, when a command begins."""
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


def _no_word() -> None:
    """Do nothing while Slurm does not answer."""


def queued_jobs(name: str, waiting: Callable[[], object] = _no_word) -> dict[str, QueuedJob] | None:
    """Return the jobs of a name, of whichever user, by id; None if Slurm does not answer.

    squeue rather than sacct: it needs no accounting, and shows a requeue at once.

    Args:
        name: that of the jobs.
        waiting: called again and again while squeue does not answer.

    Raises:
        FileNotFoundError: this machine has no squeue.
    """
    command = ["squeue", "--noheader", "--array", f"--name={name}", "--format=%i|%T|%r"]
    answer = _answer(command, waiting)
    if answer is None:
        return None
    found = {}
    for line in answer.splitlines():
        job_id, state, reason = (*line.strip().split("|", 2), "", "")[:3]
        found[job_id] = QueuedJob(state, reason)
    return found


def _answer(command: Sequence[str], waiting: Callable[[], object]) -> str | None:
    """Return what a command of Slurm prints; None if it fails or does not answer in a minute.

    Raises:
        FileNotFoundError: this machine does not have the command.
    """
    until = time.monotonic() + _COMMAND_SECONDS
    try:
        asked = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
    except FileNotFoundError:
        raise
    except OSError:
        return None
    with asked:
        try:
            # while the controller is down, the commands themselves try again for a long time
            while time.monotonic() < until:
                try:
                    printed, _ = asked.communicate(timeout=_LOOK_SECONDS)
                except subprocess.TimeoutExpired:
                    waiting()
                else:
                    return None if asked.returncode else printed
        finally:
            asked.kill()
    return None


def cancel(
    name: str | None = None,
    job_id: str | None = None,
    waiting: Callable[[], object] = _no_word,
) -> None:
    """Cancel all jobs of a name, or one by its id; one that runs takes some seconds to end.

    `waiting` is called again and again while scancel does not answer.
    """
    which = f"--name={name}" if job_id is None else job_id
    with suppress(FileNotFoundError):
        _answer(["scancel", "--quiet", which], waiting)


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
    begun = last_answer = time.monotonic()
    has_notified = False

    def tell(what: str) -> None:
        nonlocal has_notified
        if not has_notified:
            notify(f"{what}; waiting for the jobs of a command that was killed")
            has_notified = True

    def waiting() -> None:
        if time.monotonic() - begun > _SILENT_SECONDS:
            tell("Slurm does not answer")

    while (left := _left(name, folder, waiting)) != {}:
        now = time.monotonic()
        if left is None and now - last_answer > _ANSWER_SECONDS:
            raise UsageError(
                f"Slurm does not answer, so jobs of a command that was killed may still write "
                f"to {folder.parent}: try again when `squeue --name={name}` answers"
            )
        if left is not None:
            last_answer = now
        if left and now - begun > _CANCEL_SECONDS:
            raise UsageError(
                f"jobs of a killed command are still running: {', '.join(sorted(left))}; "
                f"wait until `squeue --name={name}` no longer lists them"
            )
        tell("Slurm does not answer" if left is None else f"cancelling {len(left)} jobs")
        if left:
            cancel(name)
        time.sleep(1)


def _left(name: str, folder: Path, waiting: Callable[[], object]) -> Mapping[str, QueuedJob] | None:
    try:
        return queued_jobs(name, waiting)
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
    # what is wrong may stand in a line before the refusal itself: the memory, but not the node
    told = [each for each in str(error).splitlines() if "error" in each.lower()]
    words = " ".join([*told, line]).lower()
    key = next((key for part, key in _KEYS.items() if part in words), None)
    if key is None or asked.get(key) is None:
        return line
    return f"{line} (launcher.{key}={asked[key]})"
