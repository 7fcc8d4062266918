"""Trains one finished run again, alone, from its row, and compares it with the stored results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from relu_exp.config.groups import registries
from relu_exp.config.keys import PLAIN_KEYS
from relu_exp.core.lines import one_line
from relu_exp.core.naming import shown
from relu_exp.core.run_keys import RUN_KEYS
from relu_exp.core.schema import PARTS, TABLES, Choice, RunConfig, UsageError
from relu_exp.evidence.data.soundness import check_rows
from relu_exp.launchers.local import resolve_device
from relu_exp.launchers.task import FleetJob, ready
from relu_exp.results import machine
from relu_exp.results.provenance import changes, fingerprint, parsed
from relu_exp.results.reading import memory
from relu_exp.results.store import Store, arrow_schema
from relu_exp.session.verify.agreement import (
    LIMITS,
    NOT_COMPARED,
    Numbers,
    Tables,
    extent,
    first_difference,
    horizon,
    numbers,
    same,
)

__all__ = ["NUDGE", "Found", "Kind", "compare_nearly", "train_again", "trainable"]

Kind = Literal["identical", "agrees", "differs", "failed"]

NUDGE = 1e-4
"""Relative change of the learning rate that hardly affects a stable training."""


@dataclass(frozen=True)
class Found:
    """A finished run: its results folder, its part, and the session that trained it."""

    store: Store
    run_id: str
    part_id: str
    session: str

    def rows(self) -> Tables:
        """Return the run's rows of every table."""
        place = self.store.parts / self.part_id
        tables = {
            name: check_rows(name, self.store.read_part(self.part_id, name), place)
            for name in TABLES
        }
        return _of_run(tables, self.run_id)


def train_again(found: Found, device: str, plugins: Sequence[str]) -> tuple[Kind, str]:
    """Train a run again; return how it compares with the stored results, and the details.

    Args:
        found: the run.
        device: where to train it; `auto` is the device it was trained on, if available.
        plugins: modules that it needs, already loaded.

    Raises:
        UsageError: its row does not describe a valid run, or its data are missing.
    """
    from relu_exp.engine.ops.precision import check

    there = found.rows()
    (row,) = there["runs"].slice(0, 1).to_pylist()
    try:
        run = trainable(RunConfig.from_row(row))
    except UsageError as error:
        raise UsageError(f"{found.store.root}, run {found.run_id}: {error}") from error
    made_on = str(row["device"])
    device = resolve_device("auto" if (device, made_on) == ("auto", "cuda") else device)
    try:
        check(run.precision, device)
    except UsageError as error:
        return "failed", f"cannot be trained here: {error}"
    with ready(FleetJob(found.store.root, found.session, device, tuple(plugins))):
        try:
            here = _train(run, device)
            reasons = [*_made_from_other(run, row), *_unlike(found, made_on, device)]
            if not reasons:
                return _compare_bits(there, here)
            nudged = _train(replace(run, learning_rate=run.learning_rate * (1 + NUDGE)), device)
        except (RuntimeError, MemoryError) as error:
            return "failed", f"cannot be trained here: {one_line(error)}"
    return compare_nearly(there, here, nudged, reasons)


def trainable(run: RunConfig) -> RunConfig:
    """Return a run that may be trained here; a row can never cause a download.

    Raises:
        UsageError: an entry or a value is not valid here, or the run needs too much memory.
    """
    from relu_exp.engine import networks
    from relu_exp.engine.data import datasets

    known: dict[str, Any] = {}
    for part in PARTS:
        choice: Choice = getattr(run, part)
        settings = choice.as_dict()
        if registries()[part].resolve(choice.name, settings) != choice:
            raise UsageError(f"{part} {shown(choice.name)} has other settings here")
        if "download" in settings:
            settings["download"] = False
        known[part] = Choice(choice.name, tuple(sorted(settings.items())))
    for name, key in RUN_KEYS.items():
        value = getattr(run, name)
        is_checked = key.written in PLAIN_KEYS and not key.counts_samples
        if is_checked and not (key.is_optional and value is None):
            PLAIN_KEYS[key.written].check(name, value)
    run = replace(run, **known)
    shape = datasets.shape_of(run.dataset)
    for name, key in RUN_KEYS.items():
        value = getattr(run, name)
        if key.counts_samples and not 0 < value <= shape.num_train:
            raise UsageError(f"{name}={value} is not between 1 and {shape.num_train}")
    # weights, gradients and two moments of the optimizer; samples as read and as scaled
    num_values = 4 * networks.num_parameters(run)
    num_values += 4 * shape.num_train * shape.num_features
    if 4 * num_values > memory():
        raise UsageError(
            f"it needs {4 * num_values / 1e9:,.0f} GB of memory, more than is available"
        )
    return run


def _train(run: RunConfig, device: str) -> Tables:
    from relu_exp.engine.training import train_fleet

    columns = train_fleet([run], device)
    columns["runs"] |= {"fleet_id": [""], "session": [""], "made_from": [None]}
    tables = {name: pa.table(columns[name], schema=arrow_schema(name)) for name in columns}
    return _of_run(tables, run.run_id)


def _of_run(tables: Mapping[str, pa.Table], run_id: str) -> Tables:
    """Return the rows of one run, and the `functions` of its activation."""
    owned = {
        name: table.filter(pc.equal(table["run_id"], run_id))
        for name, table in tables.items()
        if "run_id" in table.column_names
    }
    (row,) = owned["runs"].slice(0, 1).to_pylist()
    functions = tables["functions"]
    for key in ("activation", "activation_settings"):
        functions = functions.filter(pc.equal(functions[key], row[key]))
    return {**owned, "functions": functions}


def _made_from_other(run: RunConfig, row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which plugins and data have changed since a run was made; its data are loaded."""
    from relu_exp.engine.data.datasets import load
    from relu_exp.engine.made_from import changes_of

    return changes_of(run, parsed(row["made_from"]), load(run.dataset).content)


def _unlike(found: Found, made_on: str, device: str) -> list[str]:
    """Return the reasons why a run may not give the same bits here."""
    manifest = found.store.manifest_of(found.session)
    if not manifest:
        return ["the manifest of its session is missing"]
    reasons = list(changes(manifest))
    then, now = manifest.get("machine") or {}, machine.describe()
    for key in machine.KIND:
        if then.get(key) != now[key]:
            reasons.append(f"{key} {then.get(key, 'unknown')} → {now[key]}")
    if made_on != device:
        reasons.append(f"device {made_on} → {device}")
    elif device != "cpu":
        reasons.append("a GPU, where the last bits may depend on the fleet")
    return reasons


def _compare_bits(there: Tables, here: Tables) -> tuple[Kind, str]:
    equal, digest, num_rows = same(there, here)
    if equal:
        return "identical", f"{num_rows:,} rows, digest {digest[:16]}"
    stored, now = numbers(there), numbers(here)
    where = first_difference(stored, now, float("inf"), exact=True)
    where = where or _extent(there, here) or _ending(there, here)
    packages = ", ".join(f"{key} {value}" for key, value in fingerprint().items())
    return "differs", (
        f"{where}; {extent(stored, now)}, although the same code on the same kind of processor "
        f"({machine.processor_model()}; {packages}) should give the same bits: if the results "
        "were not edited, please report this line"
    )


def compare_nearly(
    there: Tables, here: Tables, nudged: Tables, reasons: Sequence[str]
) -> tuple[Kind, str]:
    """Return whether a run agrees with the stored results as far as its training is stable."""
    (row,) = here["runs"].to_pylist()
    until = horizon(numbers(here), numbers(nudged))
    is_whole = until >= row["num_steps"]
    stored = numbers(there)
    where = first_difference(stored, _measured_then(numbers(here), stored), until)
    if not where and is_whole:
        # before learned parameters were measured, they were not counted either
        counts_alike = _learns(stored) == _learns(numbers(here))
        where = _ending(there, here, ("status", *(["num_parameters"] if counts_alike else [])))
    basis = f"compared within {LIMITS['number']:.0%}, not bits: {', '.join(reasons)}"
    if where:
        return "differs", f"{where} ({basis})"
    if is_whole:
        return "agrees", f"at all {row['num_steps']:,} steps ({basis})"
    return "agrees", (
        f"up to step {until:,} of {row['num_steps']:,}; after that even a learning rate "
        f"{NUDGE:.2%} larger gives other numbers ({basis})"
    )


def _measured_then(now: Numbers, stored: Numbers) -> Numbers:
    """Return what was measured now without the quantities of layers that came later."""
    known = {key[1:3] for key in stored}
    return {key: value for key, value in now.items() if key[1] != "layers" or key[1:3] in known}


def _learns(found: Numbers) -> bool:
    return any(key[1] == "layers" and key[2].startswith("learned_") for key in found)


def _extent(there: Tables, here: Tables) -> str:
    """Return where the smallest, largest or mean value behind a histogram first differs."""
    keys, columns = ("kind", "layer", "step"), ("minimum", "maximum", "mean")
    found = [
        {tuple(row[key] for key in keys): row for row in tables["histograms"].to_pylist()}
        for tables in (there, here)
    ]
    for key, one in found[0].items():
        other = found[1].get(key, one)
        for column in columns:
            if repr(one[column]) != repr(other[column]):
                kind, layer, step = key
                return (
                    f"histograms, {column} of {kind} at {layer}, step {step}: "
                    f"{one[column]!r} stored, {other[column]!r} now"
                )
    return ""


def _ending(there: Tables, here: Tables, columns: Sequence[str] | None = None) -> str:
    """Return the first of some columns of `runs`, or of all, that differs."""
    (one,), (other,) = (tables["runs"].slice(0, 1).to_pylist() for tables in (there, here))
    for column in columns or (c for c in one if c not in NOT_COMPARED):
        if one[column] != other[column]:
            return f"runs, {column}: {one[column]!r} stored, {other[column]!r} now"
    return "" if columns else "runs: some rows are duplicated"
