"""Result folders with planted dead units and zeros, probe by probe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from relu_exp.core.schema import RunConfig
from relu_exp.results.store import Store

import synthetic

WIDTH = 10


@dataclass(frozen=True)
class Layers:
    """What a run measures: `dead` counts units per probe and layer, the first units of each."""

    dead: Sequence[Sequence[int]]
    zero: Sequence[float] = (0.5, 0.5)
    accuracy: float = 0.9
    train_accuracy: float = 1.0
    diverged: bool = False


def none_dead(run: RunConfig, **more: Any) -> Layers:
    """Return layers that live at every probe."""
    return Layers([[0] * run.depth for _ in run.probe_steps], **more)


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
            if count:
                mask = np.packbits(np.arange(WIDTH) < count).tobytes()
                synthetic.add_rows(tables["dead_units"], **at, num_units=WIDTH, mask=mask)
    finals = {
        f"final_{split}_accuracy": height + noise[1]
        for split, height in (
            ("train", truth.train_accuracy - noise[1]),
            ("validation", truth.accuracy),
            ("test", truth.accuracy),
        )
    } | {"final_train_loss": 0.1, "final_validation_loss": 0.3, "final_test_loss": 0.3}
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
