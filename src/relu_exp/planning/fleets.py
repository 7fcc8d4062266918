"""Fleets: runs of equal shape that train together, and the disk space of their results."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property

from relu_exp.core.run_keys import RUN_KEYS
from relu_exp.core.schema import HISTOGRAM_BINS, QUANTITIES, SPLITS, RunConfig

__all__ = [
    "FLEET_SIZES",
    "NUM_GPU_WORKERS",
    "Fleet",
    "num_bytes",
    "num_rows",
    "shape",
    "suitable_size",
]

FLEET_SIZES = {"cpu": 16, "cuda": 256}
"""Default runs per fleet by device, used if this machine was not measured."""

NUM_GPU_WORKERS = 4
"""Processes that share a GPU: while one computes there, others draw weights and save tables."""

_USUAL_PRODUCTS = 60_000
"""Multiplications for one sample from which a step's work outweighs what surrounds it."""
_MOST_TIMES = 4

_BYTES_PER_ROW = {"curves": 8, "layers": 5, "histograms": 120}
_BYTES_PER_FLEET = 25_000
"""Compressed Parquet, as measured on the default experiment."""


@dataclass(frozen=True)
class Fleet:
    """Runs of equal shape that train together as one tensor program."""

    runs: tuple[RunConfig, ...]

    @cached_property
    def fleet_id(self) -> str:
        """16 hexadecimal digits of the SHA-256 of its run_ids: the name of its part."""
        words = ",".join(run.run_id for run in self.runs)
        return hashlib.sha256(words.encode()).hexdigest()[:16]

    @property
    def num_steps(self) -> int:
        """Updates of each of its runs."""
        return self.runs[0].num_steps


def suitable_size(run: RunConfig, usual: int) -> int:
    """Return how many of such runs make a fleet on a CPU, where networks of width 100 do `usual`.

    A step costs something whatever the size of its networks. Of small ones up to four times as many
    train together: 3 to 50 units in one or two layers take a third less time so.
    """
    from relu_exp.engine.networks import layers_of  # loads torch

    products = sum(math.prod(layer.shape) * layer.positions for layer in layers_of(run))
    return usual * max(1, min(_MOST_TIMES, _USUAL_PRODUCTS // products))


def shape(run: RunConfig) -> Hashable:
    """Return what must be equal for two runs to train as one tensor program."""
    words = tuple(
        (key, None if _is_number(value) else value) for key, value in run.activation.settings
    )
    return (
        run.activation.name,
        words,
        run.network,
        run.dataset,
        run.optimizer,
        *(getattr(run, name) for name, key in RUN_KEYS.items() if not key.may_differ),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def num_bytes(fleets: Iterable[Fleet]) -> int:
    """Return the disk space that fleets will take."""
    return sum(_num_bytes(fleet) for fleet in fleets)


def num_rows(run: RunConfig) -> dict[str, int]:
    """Return the number of rows of a run in the tables that have many."""
    from relu_exp.engine.networks import layers_of

    layer_probes = (len(layers_of(run)) - 1) * len(run.probe_steps)
    return {
        "curves": run.num_steps + len(run.evaluation_steps) * (len(SPLITS) - 1),
        "layers": layer_probes * len(QUANTITIES),
        "histograms": layer_probes * len(HISTOGRAM_BINS),
    }


def _num_bytes(fleet: Fleet) -> int:
    per_run = sum(count * _BYTES_PER_ROW[table] for table, count in num_rows(fleet.runs[0]).items())
    return _BYTES_PER_FLEET + len(fleet.runs) * per_run
