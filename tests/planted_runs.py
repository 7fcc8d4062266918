"""Result folders with a known truth: what each run should have measured is a function of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from relu_exp.core.schema import Choice, RunConfig
from relu_exp.results.store import Store

import synthetic

SIGMOID, TANH, RELU, ELU, GELU = (
    Choice("sigmoid"),
    Choice("tanh"),
    Choice("relu"),
    Choice("elu", (("alpha", 1.0),)),
    Choice("gelu"),
)
LEAKY = Choice("leaky_relu", (("negative_slope", 0.01),))
XAVIER = Choice("xavier_normal", (("gain", 1.0),))
HE = Choice("he_normal", (("gain", 2**0.5), ("mode", "fan_in")))
SMALL = Choice("normal", (("std", 0.01),))


@dataclass(frozen=True)
class Truth:
    """What a run measures: `time` is the updates in which its loss falls by a factor e.

    `batch_losses` are those of the minibatches, one an update; `test_gap` is what test loss is
    above training loss.
    """

    time: float = 50.0
    accuracy: float = 0.9
    train_accuracy: float | None = None
    final_losses: tuple[float, float] | None = None
    batch_losses: Sequence[float] = ()
    diverged_at: int | None = None
    test_gap: float = 0.0


def runs(
    num_seeds: int = 4, learning_rates: Sequence[float] = (0.1, 0.3), **groups: Any
) -> list[RunConfig]:
    """Return runs of every seed and learning rate; `groups` replaces other fields."""
    base = synthetic.configs(activations=["relu"], initializers=[HE], depths=[1], seeds=[0])[0]
    base = replace(
        base, num_steps=400, evaluation_steps=tuple(range(0, 401, 10)), probe_steps=(), **groups
    )
    return [
        replace(base, seed=seed, learning_rate=rate)
        for seed in range(num_seeds)
        for rate in learning_rates
    ]


def plant(folder: Path, configs: Sequence[RunConfig], truth: Callable[[RunConfig], Truth]) -> Path:
    """Write the results of `configs`, which measure what `truth` says, with noise between seeds."""
    store = Store(folder)
    store.open()
    tables = synthetic.empty_tables()
    for config in configs:
        _add(tables, config, truth(config))
    store.write_part("planted", tables)
    synthetic.write_manifest(store, [config.run_id for config in configs])
    return folder


def _add(tables: dict[str, dict[str, list[Any]]], config: RunConfig, truth: Truth) -> None:
    rng = np.random.default_rng(int(config.run_id, 16))
    time = truth.time * float(np.exp(0.03 * rng.normal()))
    noise = 0.004 * float(rng.normal())
    at = {"run_id": config.run_id}
    for step, loss in enumerate(truth.batch_losses):
        synthetic.add_rows(tables["curves"], **at, step=step, split="batch", loss=float(loss))
    end = config.num_steps if truth.diverged_at is None else truth.diverged_at
    train = truth.accuracy if truth.train_accuracy is None else truth.train_accuracy
    final: dict[str, float] = {}
    for split, height in (
        ("train", train),
        ("validation", truth.accuracy),
        ("test", truth.accuracy),
    ):
        for step in (step for step in config.evaluation_steps if step <= end):
            left = float(np.exp(-step / time))
            synthetic.add_rows(
                tables["curves"],
                **at,
                step=step,
                split=split,
                loss=2.3 * left + (truth.test_gap if split == "test" else 0.0),
                accuracy=min(1.0, 0.1 + (height + noise - 0.1) * (1 - left)),
            )
        final[f"final_{split}_accuracy"] = min(1.0, height + noise)
        final[f"final_{split}_loss"] = 2.3 * float(np.exp(-config.num_steps / time))
    if truth.final_losses is not None:
        final["final_train_loss"] = truth.final_losses[0]
        final["final_test_loss"] = truth.final_losses[1] * (1 + noise)
    row = {**config.as_row(), "seconds": 0.1, "device": "cpu", "fleet_id": "f"}
    width, depth = config.width or 10, config.depth
    row["num_parameters"] = 64 * width + (depth - 1) * width**2 + 10 * width
    if truth.diverged_at is not None:
        final = {}
    synthetic.add_rows(
        tables["runs"],
        **row,
        **final,
        session=synthetic.SESSION,
        status="done" if truth.diverged_at is None else "diverged",
        diverged_at=truth.diverged_at,
    )
