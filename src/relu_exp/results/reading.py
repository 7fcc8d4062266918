"""Reading result files safely: every file is checked completely, or refused with a reason.

Results come from anywhere, in archives or on shared disks. Nothing in them is trusted, and nothing
in them is code.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from relu_exp.core.labels import Label
from relu_exp.core.lines import first_line
from relu_exp.core.naming import printable
from relu_exp.core.schema import LATER_COLUMNS, SCHEMA_VERSION, Scalar, UsageError

__all__ = [
    "check_is_file",
    "is_plain_name",
    "memory",
    "read_json",
    "read_manifest",
    "read_table",
]

MOST_JSON_BYTES = 256_000_000
"""Room for the run ids of ten million runs."""
MOST_MANIFEST_BYTES = 5_000_000
"""Room for all of a manifest but its run ids; most of it stands in reports."""
PIECE_BYTES = 2**28
"""Most memory for one piece of a table while it is read; normal pieces take far less."""

_UNSOUND = (OSError, pa.ArrowException, MemoryError, OverflowError, ValueError)


def is_plain_name(name: object) -> bool:
    """Return whether a name is a plain file name, which cannot point outside its folder."""
    return isinstance(name, str) and re.fullmatch(r"[\w-][\w.-]{0,200}", name) is not None


def check_is_file(path: Path) -> None:
    """Raise an OSError unless this is a regular file: reading a pipe or a device may never end."""
    if not path.is_file():
        reason = "is not a file" if path.exists() or path.is_symlink() else "no such file"
        raise OSError(reason)


# Tables -------------------------------------------------------------------------------------


def read_table(path: Path, wanted: pa.Schema, columns: Sequence[str] | None) -> pa.Table:
    """Return the table in a Parquet file after checking all of it.

    Columns that older files lack (`LATER_COLUMNS`) are filled in.

    Raises:
        UsageError: the file is damaged, of another schema version, or too large for the memory.
    """
    try:
        check_is_file(path)
        # ParquetFile rather than read_table: no directory discovery, no partition guessing
        with pq.ParquetFile(path) as file:
            found = file.schema_arrow
            absent = _absent(path.stem, found, wanted)
            # the metadata carries the version: equal columns may have other meanings
            expected = pa.schema([each for each in wanted if each.name not in absent])
            if not found.equals(expected) or found.metadata != wanted.metadata:
                raise UsageError(
                    f"{path} was not written by schema version {SCHEMA_VERSION}: "
                    "choose another place with --results DIR"
                )
            names = list(columns) if columns is not None else wanted.names
            table = _read(file, [name for name in names if name not in absent])
            for place, name in enumerate(names):
                if name in absent:
                    value = pa.scalar(absent[name], wanted.field(name).type)
                    column = pa.repeat(value, file.metadata.num_rows)
                    table = table.add_column(place, wanted.field(name), column)
        table.validate(full=True)
    except _UNSOUND as error:
        reason = first_line(error, otherwise=type(error).__name__)[:120]
        raise UsageError(
            f"{path} is damaged ({reason}): delete the folder {path.parent} and run the same "
            "command again; only its runs are trained again"
        ) from error
    return table


def _absent(table: str, found: pa.Schema, wanted: pa.Schema) -> dict[str, Scalar]:
    """Return the columns that an older file lacks, and the values they stand for."""
    later = LATER_COLUMNS.get(table, {})
    return {
        name: value
        for name, value in later.items()
        if name in wanted.names and name not in found.names
    }


def _read(file: pq.ParquetFile, columns: list[str]) -> pa.Table:
    """Return a file's columns, read in pieces if its metadata do not limit its size in memory."""
    # in the requested order, which is also that of the pieces
    known = file.schema_arrow
    schema = pa.schema([known.field(name) for name in columns])
    num_rows, room = file.metadata.num_rows, memory()
    if num_rows * sum(map(_width, schema.types)) > room:
        raise ValueError(f"{num_rows:,} rows do not fit into memory")
    # a file stores a repeated text only once
    largest = max(1, _largest(file.metadata))
    if num_rows * largest <= PIECE_BYTES:
        return file.read(columns=columns)
    pieces, size = [], 0
    for batch in file.iter_batches(max(1, PIECE_BYTES // largest), columns=columns):
        pieces.append(batch)
        size += batch.nbytes
        if size > room:
            raise ValueError(f"it does not fit into {room:,} bytes")
    found = pa.Table.from_batches(pieces) if pieces else schema.empty_table()
    return found.combine_chunks()


def _largest(metadata: pq.FileMetaData) -> int:
    """Return the uncompressed size of a file's largest column chunk: no value is larger."""
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    sizes = [
        group.column(place).total_uncompressed_size
        for group in groups
        for place in range(group.num_columns)
    ]
    return max(sizes, default=0)


def _width(kind: pa.DataType) -> int:
    """Return the minimum number of bytes of a value."""
    try:
        return int(max(1, kind.bit_width // 8))
    except ValueError:  # text and lists: their offset
        return 4


def memory() -> int:
    """Return half of this machine's memory."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, OSError, ValueError):
        return 2**32


# Manifests ----------------------------------------------------------------------------------


def read_json(path: Path) -> Any:
    """Return what a JSON file holds, every text printable.

    Raises:
        OSError, ValueError: it cannot be read or is not JSON; the message says why.
    """
    check_is_file(path)
    if (size := path.stat().st_size) > MOST_JSON_BYTES:
        raise ValueError(f"{size:,} bytes are too much")
    try:
        return _clean(json.loads(path.read_bytes().decode("utf-8")))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isprintable() else printable(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    return value


def read_manifest(path: Path) -> dict[str, Any]:
    """Return a manifest after checking the types of its fields, all of which are optional.

    Raises:
        UsageError: it is damaged.
    """
    try:
        manifest = read_json(path)
        if not isinstance(manifest, dict):
            raise ValueError("not a mapping")
        for key, is_sound in _FIELDS.items():
            if key in manifest and not is_sound(manifest[key]):
                raise ValueError(f"{key} has an invalid value")
        rest = {key: value for key, value in manifest.items() if key != "run_ids"}
        if len(json.dumps(rest)) > MOST_MANIFEST_BYTES:
            raise ValueError(f"more than {MOST_MANIFEST_BYTES:,} bytes beside its run ids")
    except (OSError, ValueError) as error:
        reason = str(error)[:120]
        raise UsageError(f"{path} is damaged ({reason}): delete it and run again") from error
    return manifest


Check = Callable[[Any], bool]


def _is(*kinds: type) -> Check:
    return lambda value: type(value) in kinds


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _mapping_to(check: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_date(value: Any) -> bool:
    try:
        return value == "" or datetime.fromisoformat(value).timestamp() >= 0
    except (TypeError, ValueError, OverflowError, OSError):
        return False


def _is_label(value: Any) -> bool:
    try:
        return bool(_mapping_to(_is(str))(value) and Label(**value))
    except (TypeError, UsageError):
        return False


_NOTHING = type(None)
_FIELDS: Mapping[str, Check] = {
    "schema_version": _is(int),
    "session": is_plain_name,
    "started": _is_date,
    **dict.fromkeys(("command", "experiment", "title", "question"), _is(str)),
    **dict.fromkeys(("title_ko", "question_ko"), _is(str)),
    **dict.fromkeys(("device", "python"), _is(str)),
    **dict.fromkeys(("budget", "commit"), _is(str, _NOTHING)),
    "dirty": _is(bool, _NOTHING),
    "looks": lambda value: type(value) is int and 0 < value < 1000,
    **dict.fromkeys(("figures", "run_ids", "data_notes"), _list_of(_is(str))),
    "thresholds": _mapping_to(_list_of(_is_number)),
    **dict.fromkeys(("axes", "class_names", "stale"), _mapping_to(_list_of(_is(str)))),
    "studies": _mapping_to(is_plain_name),
    "labels": _mapping_to(_mapping_to(_is_label)),
    "packages": _mapping_to(_is(str)),
    "fingerprint": _mapping_to(_is(str)),
    "machine": _mapping_to(_is(str, int, _NOTHING)),
}
