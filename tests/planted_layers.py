"""Result folders with planted dead units, zeros and learned parameters, probe by probe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from relu_exp.core.schema import Choice, RunConfig
from relu_exp.results.store import Store

import synthetic

WIDTH = 10
HE = Choice("he_normal", (("gain", 2**0.5), ("mode", "fan_in")))


STEPS = (0, 100, 200, 300, 400)
"""When runs with planted losses are evaluated."""
Curve = tuple[Sequence[float], Sequence[float]]
"""Training and test losses of a run at its evaluations."""


@dataclass(frozen=True)
class Layers:
    """What a run measures: `dead` counts units per probe and layer, the first units of each.

    `slopes` are the least and largest slope that each layer learned.
    """

    dead: Sequence[Sequence[int]]
    zero: Sequence[float] = (0.5, 0.5)
    accuracy: float = 0.9
    train_accuracy: float = 1.0
    diverged: bool = False
    losses: Curve | None = None
    slopes: tuple[float, float] | None = None


def none_dead(run: RunConfig, **more: Any) -> Layers:
    """Return layers that live at every probe."""
    return Layers([[0] * run.depth for _ in run.probe_steps], **more)


def fitting(gap: float, speed: float = 0.02, more: float = 0.0) -> Curve:
    """Return losses: training decays at `speed`, test is above by `gap`, and `more` in the end."""
    last = STEPS[-1]
    train = [2.3 * 2.718281828 ** (-speed * step) for step in STEPS]
    return train, [
        loss + gap + more * (step == last) for loss, step in zip(train, STEPS, strict=True)
    ]


def plant(folder: Path, configs: Sequence[RunConfig], truth: Callable[[RunConfig], Layers]) -> None:
    """Write the results of `configs` with what `truth` says of each, and noise in accuracy."""
    store = Store(folder)
    store.open()
    tables = synthetic.empty_tables()
    for run in configs:
        _add(tables, run, truth(run))
    store.write_part("planted", tables)
    synthetic.write_manifest(store, [run.run_id for run in configs])


def _add(tables: dict[str, dict[str, list[Any]]], run: RunConfig, truth: Layers) -> None:
    rng = np.random.default_rng(int(run.run_id, 16))
    noise = 0.002 * rng.normal(size=2)
    for step, dead, zero in zip(run.probe_steps, truth.dead, truth.zero, strict=True):
        for layer, count in enumerate(dead, start=1):
            at = {"run_id": run.run_id, "step": step, "layer": layer}
            share = count / WIDTH
            for quantity, value in {
                "dead_fraction": share,
                "dead_on_probe_fraction": share,
                "zero_fraction": float(np.clip(zero + noise[0], 0, 1)) if zero else 0.0,
            }.items():
                synthetic.add_rows(tables["layers"], **at, quantity=quantity, value=value)
            for end, slope in zip(("minimum", "maximum"), truth.slopes or (), strict=False):
                quantity = f"learned_slope_{end}"
                synthetic.add_rows(tables["layers"], **at, quantity=quantity, value=slope)
            if count:
                mask = np.packbits(np.arange(WIDTH) < count).tobytes()
                synthetic.add_rows(tables["dead_units"], **at, num_units=WIDTH, mask=mask)
    at = {"run_id": run.run_id}
    for split, losses in zip(("train", "test"), truth.losses or (), strict=False):
        for step, loss in zip(run.evaluation_steps, losses, strict=True):
            evaluated = {"split": split, "loss": loss, "accuracy": truth.accuracy}
            synthetic.add_rows(tables["curves"], **at, step=step, **evaluated)
    finals = {
        f"final_{split}_accuracy": height + noise[1]
        for split, height in (
            ("train", truth.train_accuracy - noise[1]),
            ("validation", truth.accuracy),
            ("test", truth.accuracy),
        )
    } | {"final_train_loss": 0.1, "final_validation_loss": 0.3, "final_test_loss": 0.3}
    if truth.losses is not None:
        train_losses, test_losses = truth.losses
        finals["final_train_loss"] = train_losses[-1]
        finals["final_test_loss"] = test_losses[-1] * (1 + noise[1])
    synthetic.add_rows(
        tables["runs"],
        **run.as_row(),
        **({} if truth.diverged else finals),
        session=synthetic.SESSION,
        status="diverged" if truth.diverged else "done",
        diverged_at=run.num_steps if truth.diverged else None,
        seconds=0.1,
        device="cpu",
        fleet_id="f",
    )


def write_learning(root: Path) -> list[str]:
    """Write an experiment whose PReLU learns, with a spread beyond 1e32; return its run ids."""
    runs = synthetic.configs(("prelu", "relu"), (HE,), (2,), (0.01,), (0, 1))
    synthetic.write(root / "default", runs, fleet_size=len(runs))
    ids = [run.run_id for run in runs if run.activation.name == "prelu"]
    (path,) = (root / "default" / "parts").glob("*/layers.parquet")
    table = pq.read_table(path).to_pandas()
    table = table[~table["quantity"].str.startswith("learned_")].reset_index(drop=True)
    template = table[(table["run_id"].isin(ids)) & (table["quantity"] == "activation_std")]
    more = [
        template.assign(
            quantity=f"learned_slope{end}", value=template["layer"] * -0.25 + template["step"] / 1e4
        )
        for end in ("", "_minimum", "_maximum")
    ]
    is_large = (table["quantity"] == "activation_std") & (table["layer"] == 2)
    table.loc[is_large & table["run_id"].isin(ids) & (table["step"] == 256), "value"] = 1e35
    every = pd.concat([table, *more], ignore_index=True)
    schema = pq.read_schema(path)
    changed = pa.Table.from_pandas(every, schema, preserve_index=False)
    pq.write_table(changed.replace_schema_metadata(schema.metadata), path)
    path.with_name("SHA256SUMS").unlink(missing_ok=True)
    return ids
