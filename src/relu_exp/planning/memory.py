"""Memory: how much a run takes while it trains, and how much is available."""

from __future__ import annotations

import math
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from relu_exp.core.schema import HISTOGRAM_BINS, QUANTITIES, Choice, RunConfig

__all__ = ["available_bytes", "bytes_of", "room_for_fleet"]

_SHARE = {"cpu": 0.6, "cuda": 0.8}
"""Share of the free memory for fleets: the machine has other users, and estimates are rough."""

_PROCESS_BYTES = 750e6
"""Memory of a worker process with torch, before it loads a data set and trains; on a GPU, too."""

_DATA_COPIES = 2
"""Samples as loaded, and with sorted features."""

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUP = Path("/proc/self/cgroup")

_PARAMETER_COPIES = 8
"""Weights, gradients, two moments, the update, and temporaries of a step."""

_BATCH_COPIES = 6
"""Per value of a layer and sample: output, preactivation, gradients by both, temporaries."""

_PROBE_COPIES = 10
"""The same on the probe batch, which is kept until everything is measured."""

_EVALUATED_VALUES = 400_000
_EVALUATION_COPIES = 4

_ROW_BYTES = 60
"""A row of a table that is being built: Python numbers in lists."""


def bytes_of(run: RunConfig) -> float:
    """Return an upper estimate of the memory that one run of a fleet takes while it trains."""
    from relu_exp.engine.networks import layers_of  # loads torch

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
    """Return the free memory of the GPU or for this process; None if the system does not say."""
    if device == "cuda":
        import torch

        return float(torch.cuda.mem_get_info()[0])
    return min((found for found in (_free(), _left_to_group()) if found is not None), default=None)


def room_for_fleet(
    device: str, num_workers: int, datasets: Collection[Choice] = ()
) -> float | None:
    """Return the bytes that each fleet may take; None if the free memory is unknown.

    Args:
        device: where fleets train.
        num_workers: processes that share the memory.
        datasets: the data sets of the fleets; each fleet uses one.
    """
    free = available_bytes(device)
    if free is None:
        return None
    room = _SHARE[device] * free
    room = room / num_workers - _PROCESS_BYTES
    return max(0.0, room - max((_bytes_of_data(dataset) for dataset in datasets), default=0.0))


def _bytes_of_data(dataset: Choice) -> float:
    from relu_exp.engine.data.datasets import DATASETS

    entry = DATASETS[dataset.name]
    layout = entry.layout(**entry.own(dataset))
    return 4.0 * _DATA_COPIES * sum(layout.sizes) * layout.num_features


def _free() -> float | None:
    """Return the memory available without swapping, including caches."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return 1024.0 * int(line.split()[1])
    with suppress(OSError, ValueError, AttributeError):
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return None


def _left_to_group() -> float | None:
    """Return the memory left within the limits of this process's control groups (cgroup v2)."""
    own = Path()
    with suppress(OSError, StopIteration):
        lines = _OWN_GROUP.read_text().splitlines()
        own = Path(next(line[4:] for line in lines if line.startswith("0::/")))
    left = [_left_to(_GROUPS / group) for group in (own, *own.parents)]
    return min((each for each in left if each is not None), default=None)


def _left_to(group: Path) -> float | None:
    with suppress(OSError, ValueError):
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            taken = int((group / "memory.current").read_text())
            # cached files give up their memory when it is needed
            stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            return float(int(limit) - taken + int(stat.get("inactive_file", 0)))
    return None
