"""CSV: one tidy table per kind, written part by part so that memory stays flat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from relu_exp.core.schema import TABLES, histogram_edges
from relu_exp.evidence.data.frames import Frames, unpack

__all__ = ["write"]

_HISTOGRAMS = 5_000
"""Rows of histograms that are expanded to bins at a time."""


def write(frames: Frames, folder: Path) -> None:
    """Write `<table>.csv` for every table that has rows.

    Histograms have a row per bin that is not empty, with its edges; dead units a row per unit,
    counted from 1.
    """
    for table in TABLES:
        _write(folder / f"{table}.csv", _parts(frames, table))


def _parts(frames: Frames, table: str) -> Iterator[pd.DataFrame]:
    """Yield the rows of a table, as many at a time as a part of the results holds."""
    if table == "runs":
        yield frames.runs.drop(columns="part")
    elif table == "functions":
        yield frames.functions
    elif "run_id" not in TABLES[table]:
        yield frames.studied(table)
    else:
        for part in frames.parts(table):
            if table == "histograms":
                # one row becomes about a hundred
                starts = range(0, len(part), _HISTOGRAMS)
                yield from (_bins(part.iloc[start : start + _HISTOGRAMS]) for start in starts)
            else:
                yield _units(part) if table == "dead_units" else part


def _bins(histograms: pd.DataFrame) -> pd.DataFrame:
    """Return a row per bin with values in it: `low`, `high` (infinite at the ends), `count`."""
    found = []
    for kind, rows in histograms.groupby("kind", observed=True):
        edges = np.array([-np.inf, *histogram_edges(str(kind)), np.inf])
        counts = np.stack(rows["counts"].tolist())
        row, bin_index = np.nonzero(counts)
        bins = rows.drop(columns="counts").iloc[row]
        # rounded: edges are decimal numbers, computed inexactly
        low, high = edges[bin_index].round(6), edges[bin_index + 1].round(6)
        found.append(bins.assign(low=low, high=high, count=counts[row, bin_index]))
    return pd.concat(found, ignore_index=True)


def _units(dead_units: pd.DataFrame) -> pd.DataFrame:
    """Return a row per dead unit."""
    masks = zip(dead_units["mask"], dead_units["num_units"], strict=True)
    units = pd.Series(
        [np.flatnonzero(unpack(mask, num_units)) + 1 for mask, num_units in masks],
        index=dead_units.index,
    )
    return dead_units.drop(columns="mask").assign(unit=units).explode("unit").astype({"unit": int})


def _of_one_type(column: pd.Series) -> pd.Series:
    """Return a column that Arrow knows, as text where its values are of several types or huge.

    The settings of two activations may share a name, and numbers in them have any size.
    """
    if column.dtype != object:
        return column
    try:
        pa.array(column, from_pandas=True)
    except (OverflowError, pa.ArrowException):
        return column.map(str, na_action="ignore")
    return column


def _write(path: Path, parts: Iterable[pd.DataFrame]) -> None:
    """Write parts of equal columns below one heading; nothing where no part has a row."""
    writer: pa_csv.CSVWriter | None = None
    schema: pa.Schema | None = None
    try:
        for part in parts:
            if part.empty:
                continue
            texts = dict.fromkeys(part.select_dtypes("category").columns, str)
            plain = part.astype(texts).apply(_of_one_type)
            table = pa.Table.from_pandas(plain, schema, preserve_index=False)
            if writer is None:
                schema = table.schema
                writer = pa_csv.CSVWriter(path, schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()
