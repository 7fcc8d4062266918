"""Whole or not at all: files and folders that survive a kill and a power cut at any moment."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["flush", "put_folder", "write_whole"]


def write_whole(target: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Write a file beside its place and rename it into it.

    Raises:
        OSError: the disk is full or cannot be written; what was there before is still there.
    """
    # the leading dot keeps it out of every reader's listing
    unfinished = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    try:
        with unfinished.open("wb") as file:
            write(file)
        flush(unfinished)
        os.replace(unfinished, target)
        flush(target.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def put_folder(new: Path, target: Path) -> None:
    """Rename a folder into its place; one that is there is replaced, and lies in `new` then.

    Raises:
        OSError: it cannot be renamed.
    """
    try:
        new.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        if not _exchange(new, target):
            # two renames: a kill between them costs what was replaced
            old = new.with_name(f"{new.name}-replaced")
            target.rename(old)
            new.rename(target)
            old.rename(new)


def _exchange(first: Path, second: Path) -> bool:
    """Let two folders change places in one step, and return whether this system can."""
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    failed = rename(here, os.fsencode(first), here, os.fsencode(second), exchange)
    return not failed


def flush(path: Path) -> None:
    """Make the disk hold a file or folder: of a power cut a rename may survive, its content not."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # some file systems know no such thing for folders
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
