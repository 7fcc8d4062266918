"""Atomic writes: a file or folder appears complete or not at all, even after a power cut."""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["flush", "put_folder", "write_text", "write_whole"]


def write_whole(target: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Write a temporary file, then rename it to the target.

    Raises:
        OSError: the disk is full or cannot be written; the old file, if any, is still there.
    """
    # readers ignore names with a leading dot
    unfinished = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    try:
        with unfinished.open("wb") as file:
            write(file)
        flush(unfinished)
        os.replace(unfinished, target)
        flush(target.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write a text file in UTF-8 as `write_whole` does.

    Raises:
        OSError: the disk is full or cannot be written; the old file, if any, is still there.
    """
    write_whole(target, lambda file: file.write(text.encode()))


def put_folder(new: Path, target: Path) -> None:
    """Rename a folder to the target; an existing folder is replaced, and then lies at `new`.

    Raises:
        OSError: it cannot be renamed.
    """
    try:
        new.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        if not _exchange(new, target):
            # two renames: a kill between them loses the old folder
            old = new.with_name(f"{new.name}-replaced")
            target.rename(old)
            new.rename(target)
            old.rename(new)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two folders in one step; return whether the system supports it."""
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    if rename is None:
        return False
    failed = rename(here, os.fsencode(first), here, os.fsencode(second), exchange)
    return not failed


def flush(path: Path) -> None:
    """Write a file or folder to disk: after a power cut a rename may survive without content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # some file systems cannot do this for folders
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
