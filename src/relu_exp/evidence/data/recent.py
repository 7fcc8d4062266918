"""Tables that were read a moment ago: whoever asks for the same ones again need not read them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

__all__ = ["MOST_BYTES", "recent"]

MOST_BYTES = 250_000_000
"""What is kept of all tables together, in memory."""

_tables: OrderedDict[Any, pa.Table] = OrderedDict()


def recent(
    paths: Sequence[Path], columns: Sequence[str] | None, read: Callable[[], pa.Table]
) -> pa.Table:
    """Return what `read` returns of some files, or returned last if they are the same still.

    Args:
        paths: the files.
        columns: what is read of them, all if None.
        read: reads and checks them.
    """
    try:
        files = tuple((path, *_state(path)) for path in paths)
    except OSError:  # whoever reads it says what is wrong
        return read()
    key = (files, None if columns is None else tuple(columns))
    if key in _tables:
        _tables.move_to_end(key)
        return _tables[key]
    table = read()
    _tables[key] = table
    while sum(each.nbytes for each in _tables.values()) > MOST_BYTES:
        _tables.popitem(last=False)
    return table


def _state(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size
