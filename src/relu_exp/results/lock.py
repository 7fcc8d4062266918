"""One command at a time trains in a result folder: an advisory lock, which a kill releases."""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["alone"]

_POLL_SECONDS = 0.2
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL}
"""What file systems answer that know no locks, as some of clusters do not."""


@contextmanager
def alone(folder: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Wait until no other command holds the folder, then hold it.

    The system itself releases the lock when its holder ends, however it ends: no lock is ever left
    behind, and the file `.lock` means nothing by being there.

    Args:
        folder: it must exist and be writable.
        tell: hears in one line whom this waits for, or that the file system knows no locks.

    Raises:
        OSError: the lock's file cannot be opened.
    """
    # one that is opened is not inherited by workers: they cannot hold it after their parent
    file = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    try:
        _acquire(file, folder, tell)
        yield
    finally:
        os.close(file)


def _acquire(file: int, folder: Path, tell: Callable[[str], None]) -> None:
    told = False
    while not _try(file, folder, tell):
        if not told:
            tell(f"waiting for {_holder(file)}, which trains in {folder} (Ctrl-C gives up)")
            told = True
        # asking now and then, rather than once for good, keeps Ctrl-C working everywhere
        time.sleep(_POLL_SECONDS)


def _try(file: int, folder: Path, tell: Callable[[str], None]) -> bool:
    """Return whether the lock is held, or cannot be had on this file system."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        tell(f"{folder} lies on a file system without locks: start one command at a time there")
        return True
    words = f"process {os.getpid()} on {platform.node()} since {datetime.now(UTC):%H:%M:%S} UTC"
    try:
        os.ftruncate(file, 0)
        os.pwrite(file, words.encode(), 0)
    except OSError:
        pass  # the disk is full: the lock holds all the same, only nobody learns whose it is
    return True


def _holder(file: int) -> str:
    return os.pread(file, 200, 0).decode(errors="replace") or "another command"
