"""Readers of tables with named columns: CSV, TSV and Parquet, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv

from relu_exp.core.naming import shown
from relu_exp.core.schema import UsageError
from relu_exp.engine.data.table_parts import (
    LARGEST,
    Part,
    Source,
    chosen,
    label_names,
    listed,
    whole,
)

__all__ = ["from_table", "read_text"]

Array = np.ndarray[Any, Any]


def read_text(place: Path, file: str) -> pa.Table:
    """Return a text file as a table; the separator is the one its first line has most of."""
    content = place.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # what Korean versions of Excel save
        text = content.decode("cp949")
    head = text.lstrip("\r\n").partition("\n")[0]
    separator = max(",\t;", key=head.count)
    names = [each.strip().strip('"') for each in head.strip("\r").split(separator)]
    if names and all(is_number(each) for each in names):
        raise UsageError(
            f"{file}: its first line holds numbers ({shown(', '.join(names))}) where the names of "
            "the columns must be: add a line of names"
        )
    return csv.read_csv(
        pa.py_buffer(text.encode()),
        parse_options=csv.ParseOptions(delimiter=separator, newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=True
        ),
    )


def from_table(table: pa.Table, file: str, source: Source) -> Part:
    """Return a table's feature columns as inputs (rows, columns), and its column of labels.

    Raises:
        UsageError: a column is missing or has two meanings, or a value is no number.
    """
    names: list[str] = table.column_names
    if "" in names:
        raise UsageError(
            f"{file}: column {names.index('') + 1} has no name; pandas writes its index like that "
            "unless index=False"
        )
    if twice := [each for each in dict.fromkeys(names) if names.count(each) > 1]:
        raise UsageError(f"{file} has two columns {twice[0]!r}: give them different names")
    if not table.num_rows:
        raise UsageError(f"{file} has no rows")
    labels_of = label_names(file, names, source)
    features = chosen(file, names, "features", source.features)
    ignored = chosen(file, names, "ignore", source.ignore) or ()
    left = [
        each
        for each in (names if features is None else features)
        if each not in labels_of and each not in ignored and not each.startswith("__index_level_")
    ]
    if not left:
        raise UsageError(f"{file} has no column besides {labels_of[0]!r} to learn from")
    if source.has_targets:
        labels = np.stack([_targets(file, each, table[each]) for each in labels_of], 1)
    else:
        labels = _classes(file, labels_of[0], table[labels_of[0]])
    inputs = np.stack([_numbers(file, each, table[each]) for each in left], 1)
    return Part(file, inputs, labels, tuple(left))


def _numbers(file: str, name: str, column: pa.ChunkedArray) -> Array:
    """Return a column of a table as float64 (rows,)."""
    column = _decoded(file, name, column)
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        values = _parsed(file, name, column.to_pylist())
    elif kind == pa.bool_() or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        values = column.to_numpy().astype(np.float64)
    elif pa.types.is_decimal(kind):
        values = np.array([float(each) for each in column.to_pylist()])
    else:
        raise UsageError(
            f"{file}: column {name!r} holds {kind}, which is no number: leave it out with "
            f"dataset.ignore={shown(name)}"
        )
    is_valid = np.abs(values) <= LARGEST
    if not is_valid.all():
        row = int(np.argmin(is_valid))
        raise UsageError(
            f"{file}: row {row + 1}, column {name!r} is {values[row]:g}; expected a finite number "
            f"up to {LARGEST:.1e}"
        )
    return values


def _parsed(file: str, name: str, texts: Sequence[str]) -> Array:
    bad = [row for row, text in enumerate(texts) if not is_number(text)]
    if len(bad) == len(texts):
        raise UsageError(
            f"{file}: column {name!r} holds text ({listed(list(dict.fromkeys(texts)), 3)}): "
            f"leave it out with dataset.ignore={shown(name)}, or write numbers for it"
        )
    if bad:
        raise UsageError(
            f"{file}: row {bad[0] + 1}, column {name!r} is {shown(texts[bad[0]])!r}; expected a "
            "number"
        )
    return np.array([float(text) for text in texts])


def _classes(file: str, name: str, column: pa.ChunkedArray) -> Array:
    """Return a column of labels as whole numbers or text, (rows,)."""
    column = _decoded(file, name, column)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return np.array(column.to_pylist(), dtype=np.str_)
    return whole(file, f"column {name!r}", _numbers(file, name, column))


def _targets(file: str, name: str, column: pa.ChunkedArray) -> Array:
    """Return a column of targets as float64 (rows,); text is refused as what it is."""
    column = _decoded(file, name, column)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        texts = column.to_pylist()
        bad = [row for row, each in enumerate(texts) if not is_number(each)]
        if bad:
            raise UsageError(
                f"{file}: row {bad[0] + 1}, column {name!r} is {shown(texts[bad[0]])!r}, which is "
                "no number to predict; classes need no dataset.task=regression"
            )
    return _numbers(file, name, column)


def _decoded(file: str, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column without categories and with nothing missing."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        num_more = column.null_count - 1
        more = f" (and {num_more:,} more of this column)" if num_more else ""
        raise UsageError(
            f"{file}: row {row + 1}, column {name!r} is empty{more}: fill in what is empty, or "
            "leave it out"
        )
    return column


def is_number(text: str) -> bool:
    """Return whether a text is a number as Python writes it."""
    try:
        float(text)
    except ValueError:
        return False
    return True
