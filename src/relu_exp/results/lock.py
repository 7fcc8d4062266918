"""The locks of a result folder: one command trains in it, one writes its report at a time.

The system releases a lock when its holder ends, even by a kill.
"""

from __future__ import annotations

import errno
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["alone", "replacing_report"]

_POLL_SECONDS = 0.2
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}
"""Errors of file systems without locks, such as those of some clusters."""


@contextmanager
def alone(folder: Path, notify: Callable[[str], None]) -> Iterator[None]:
    """Wait until no other command holds the folder's lock, then hold it within the context.

    The file `.lock` stays, but has no meaning by itself.

    Args:
        folder: a folder that exists and can be written.
        notify: called with a line that says which process this one waits for, or that the file
            system has no locks.

    Raises:
        OSError: the lock file is a link or cannot be opened.
    """
    # a soft lock, which is only a file, would survive a kill
    lock = FileLock(folder / ".lock", fallback_to_soft=False, on_acquired=_write_holder)
    try:
        _acquire(lock, folder, notify)
        yield
    finally:
        lock.release()


@contextmanager
def replacing_report(folder: Path) -> Iterator[None]:
    """Wait until no other process replaces the folder's report, then hold that lock.

    Nothing is left behind. On a file system without locks nothing is held.

    Raises:
        OSError: the lock file is a link or cannot be opened.
    """
    path = folder / ".report.lock"
    lock = FileLock(path, poll_interval=_POLL_SECONDS, fallback_to_soft=False)
    try:
        lock.acquire()
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    try:
        yield
    finally:
        if lock.is_locked:
            # who waits for a file that is gone makes a new one; Windows deletes it afterwards
            with suppress(OSError):
                path.unlink()
            lock.release()


def _acquire(lock: FileLock, folder: Path, notify: Callable[[str], None]) -> None:
    try:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            holder = _read_holder(folder / ".lock")
            notify(f"waiting for {holder}, which trains in {folder} (Ctrl-C to stop waiting)")
            lock.acquire(poll_interval=_POLL_SECONDS)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        notify(f"{folder} is on a file system without locks: start one command at a time there")


def _write_holder(file: int) -> None:
    holder = f"process {os.getpid()} on {platform.node()} since {datetime.now(UTC):%H:%M:%S} UTC"
    # on a full disk the lock still holds, but its holder is not named
    with suppress(OSError):
        # an unpacked archive may hold a hard link of this name, to a file that is not ours
        if os.fstat(file).st_nlink > 1:
            return
        os.ftruncate(file, 0)
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, holder.encode())


def _read_holder(path: Path) -> str:
    # an archive may hold a pipe of this name or a huge file, and Windows hides what is locked
    with suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                return file.read(200).decode(errors="replace") or "another command"
    return "another command"
