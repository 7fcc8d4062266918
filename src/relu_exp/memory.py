"""Memory: what a run takes while it trains, what there is, and so how many runs fit a fleet."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

from relu_exp.schema import HISTOGRAM_BINS, QUANTITIES, RunConfig

__all__ = ["available_bytes", "bytes_of", "room_for_fleet"]

_SHARE = {"cpu": 0.6, "cuda": 0.8}
"""Of the free memory, what fleets may take: others use the machine too, estimates are rough."""

_PROCESS_BYTES = 750e6
"""A worker process with torch and a data set, before it trains."""

_PARAMETER_COPIES = 8
"""Weights, their gradients, two moments, the update, and what a step holds for a moment."""

_BATCH_COPIES = 6
"""Per value of a layer and sample: output, pre-activation, gradients by both, temporaries."""

_PROBE_COPIES = 10
"""The same on the probe batch, where everything is kept until it is measured."""

_EVALUATED_VALUES = 400_000
_EVALUATION_COPIES = 4

_ROW_BYTES = 60
"""A row of a table under construction: Python numbers in lists."""


def bytes_of(run: RunConfig) -> float:
    """Return about how much memory one run of a fleet takes while it trains, rather too much."""
    from relu_exp.engine.networks import layers_of  # torch loads with the engine

    layers = layers_of(run)
    num_parameters = sum(math.prod(layer.shape) + layer.shape[0] for layer in layers)
    values = layers[0].fan_in + sum(layer.shape[0] * layer.positions for layer in layers)
    # a step, a probe and an evaluation take turns
    floats = _PARAMETER_COPIES * num_parameters + max(
        _BATCH_COPIES * run.batch_size * values,
        _PROBE_COPIES * run.probe_samples * values if run.probe_steps else 0,
        _EVALUATION_COPIES * max(_EVALUATED_VALUES, 8 * values),
    )
    probes = len(run.probe_steps) * (len(layers) - 1)
    counts = sum(bins + 2 for *_, bins in HISTOGRAM_BINS.values())
    rows = probes * len(QUANTITIES) + 5 * len(run.evaluation_steps) + 200
    return 4.0 * floats + _ROW_BYTES * rows + 16.0 * probes * counts


def available_bytes(device: str) -> float | None:
    """Return how much memory is free, on the GPU or for this process; None where nobody says."""
    if device == "cuda":
        import torch

        return float(torch.cuda.mem_get_info()[0])
    return min((found for found in (_free(), _left_to_group()) if found is not None), default=None)


def room_for_fleet(device: str, num_workers: int) -> float | None:
    """Return the bytes that each of so many fleets at a time may take, None where nobody knows."""
    free = available_bytes(device)
    if free is None:
        return None
    if device == "cuda":
        return _SHARE[device] * free
    return max(0.0, _SHARE[device] * free / num_workers - _PROCESS_BYTES)


def _free() -> float | None:
    """Return what the machine can give without swapping, caches included."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    with suppress(OSError, ValueError, AttributeError):
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return None


def _left_to_group() -> float | None:
    """Return what the container may still take, if it has a limit (cgroup v2)."""
    group = Path("/sys/fs/cgroup")
    with suppress(OSError, ValueError):
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            return float(int(limit) - int((group / "memory.current").read_text()))
    return None
