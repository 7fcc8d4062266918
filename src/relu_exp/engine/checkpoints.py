"""Checkpoints: the state of a fleet in training as one file, from which it continues exactly."""

from __future__ import annotations

import io
import pickle
import time
import zipfile
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import torch
from torch import Tensor

from relu_exp.core.schema import TABLES, RunConfig
from relu_exp.engine.fleet.stack import Stack
from relu_exp.engine.made_from import made_from
from relu_exp.engine.ops.compiled import library
from relu_exp.engine.optimizers import Optimizer
from relu_exp.engine.probes.records import Records
from relu_exp.results.atomic import write_whole
from relu_exp.results.provenance import fingerprint
from relu_exp.results.reading import check_is_file
from relu_exp.results.store import arrow_schema

__all__ = [
    "UNUSABLE_STATE",
    "Checkpointer",
    "FleetTrainer",
    "clear",
    "continue_from",
    "runs_under_way",
]

_MAX_SHARE = 0.05
"""Largest share of the training time that writing checkpoints may take."""

UNUSABLE_STATE = (KeyError, TypeError, ValueError, RuntimeError, IndexError, pa.ArrowException)
"""The errors that `continue_from` raises if a state does not fit the fleet."""

_TEMPORARY_ERRORS = (OSError, MemoryError)
"""Errors on reading a file that may be intact: reading it again later may succeed."""

State = Mapping[str, Any]


class FleetTrainer(Protocol):
    """What a checkpoint saves of a fleet in training: everything that changes from step to step.

    What depends only on the configurations is built anew. There is no random state to save, because
    every draw comes from its own stream. A checkpoint is written when all losses have been read, so
    `window` lies in the CPU's memory.
    """

    all_runs: list[RunConfig]
    device: str
    started: float
    step: int
    stack: Stack
    optimizer: Optimizer
    alive: list[int]
    diverged_at: dict[int, int]
    records: Records
    window: list[tuple[Tensor, Tensor]]

    def retain(self, positions: Sequence[int]) -> None:
        """Keep only the runs at these positions of the fleet."""


@dataclass
class Checkpointer:
    """Saves the state of one fleet to a file at intervals, loads it and deletes it.

    `seconds` is the least time between two saves.
    """

    path: Path
    seconds: float
    _last: float = field(default_factory=time.monotonic)
    _cost: float = 0.0

    def maybe_save(self, trainer: FleetTrainer) -> None:
        """Save a checkpoint if one is due; training goes on if that fails."""
        now = time.monotonic()
        if now - self._last < max(self.seconds, self._cost / _MAX_SHARE):
            return
        with suppress(OSError, RuntimeError, TypeError, AttributeError, pickle.PicklingError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.path, lambda file: torch.save(_state(trainer), file))
        self._last = time.monotonic()
        self._cost = self._last - now

    def load(self, runs: Sequence[RunConfig], device: str) -> State | None:
        """Return the state if the same code saved it for the same runs and device, else None.

        The same code includes that of plugins, and the data must be the same.

        Raises:
            UsageError: the data are missing or damaged.
        """
        state = None
        with suppress(*_TEMPORARY_ERRORS):
            state = _load(self.path, device)
        if state is None or state["device"] != device:
            return None
        if state["has_kernels"] != (library() is not None):
            return None  # the others end in other bits
        if state["run_ids"] != [run.run_id for run in runs]:
            return None
        return state if state["made_from"] == [made_from(run) for run in runs] else None

    def delete(self) -> None:
        """Delete the checkpoint: the fleet's results are saved, or its state cannot be used."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def runs_under_way(folder: Path) -> list[list[str]]:
    """Return the run_ids of every fleet that can continue from a checkpoint in a folder."""
    found = []
    for path in _files(folder):
        with suppress(*_TEMPORARY_ERRORS):
            if state := _load(path, "cpu", lazily=True):
                found.append(list(state["run_ids"]))
    return found


def clear(folder: Path, finished: Collection[str]) -> None:
    """Delete checkpoints that no fleet can continue from; the caller holds the folder's lock.

    These are damaged, were written by other code, or hold only runs that are `finished`.
    """
    for path in _files(folder):
        with suppress(*_TEMPORARY_ERRORS):
            state = _load(path, "cpu", lazily=True)
            if state is None or all(run_id in finished for run_id in state["run_ids"]):
                path.unlink()


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("[!.]*.pt"))


def continue_from(trainer: FleetTrainer, state: State) -> None:
    """Restore the state of a checkpoint in a newly built fleet.

    Raises:
        UNUSABLE_STATE: the state does not fit the fleet, which may then be only partly restored.
    """
    if len(state["alive"]) < len(trainer.alive):
        trainer.retain(state["alive"])
    with torch.no_grad():
        tensors = [*trainer.stack.parameters(), *trainer.stack.buffers()]
        for tensor, saved in zip(tensors, state["tensors"], strict=True):
            if tensor.shape != saved.shape:
                raise ValueError("the saved parameters have other shapes")
            tensor.copy_(saved)
    vars(trainer.optimizer).update(state["optimizer"])
    trainer.records.tables = {
        name: pa.ipc.open_stream(packed.numpy().tobytes()).read_all().to_pydict()
        for name, packed in state["records"].items()
    }
    trainer.window = [(loss.cpu(), correct.cpu()) for loss, correct in state["window"]]
    trainer.diverged_at = state["diverged_at"]
    trainer.step = state["step"]
    trainer.started = time.perf_counter() - state["seconds"]


def _state(trainer: FleetTrainer) -> State:
    """Return everything a fleet needs to continue, as tensors and plain data."""
    return {
        "fingerprint": fingerprint(),
        "run_ids": [run.run_id for run in trainer.all_runs],
        "made_from": [made_from(run) for run in trainer.all_runs],
        "device": trainer.device,
        "has_kernels": library() is not None,
        "step": trainer.step,
        "seconds": time.perf_counter() - trainer.started,
        "alive": trainer.alive,
        "diverged_at": trainer.diverged_at,
        "window": trainer.window,
        "tensors": [
            tensor.detach() for tensor in (*trainer.stack.parameters(), *trainer.stack.buffers())
        ],
        "optimizer": dict(vars(trainer.optimizer)),
        "records": {name: _packed(name, trainer.records.tables[name]) for name in TABLES},
    }


def _packed(name: str, columns: Mapping[str, list[Any]]) -> Tensor:
    """Return a table as bytes; a million rows as plain data would take minutes to unpickle."""
    table = pa.table(dict(columns), schema=arrow_schema(name))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return torch.frombuffer(bytearray(sink.getvalue()), dtype=torch.uint8)


def _load(path: Path, device: str, *, lazily: bool = False) -> State | None:
    """Return a file's content if it is a checkpoint of this code; nothing in it is executed.

    Raises:
        OSError, MemoryError: the file is missing or cannot be read now.
    """
    try:
        check_is_file(path)
        if not lazily and not _is_intact(path):
            return None
        state = torch.load(path, map_location=device, weights_only=True, mmap=lazily)
        run_ids = state["run_ids"]
        is_known = state["fingerprint"] == fingerprint() and len({*run_ids}) == len(run_ids) > 0
    except _TEMPORARY_ERRORS:
        raise
    except Exception:  # damaged files raise errors of many kinds
        return None
    return state if is_known else None


def _is_intact(path: Path) -> bool:
    """Return whether all checksums are right, which `torch.load` does not verify."""
    with zipfile.ZipFile(path) as archive:
        return archive.testzip() is None
