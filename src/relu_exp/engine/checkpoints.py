"""Checkpoints: a fleet under way as one file, from which it continues bit for bit."""

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
from relu_exp.engine.optimizers import Optimizer
from relu_exp.engine.probes.records import Records
from relu_exp.results.atomic import write_whole
from relu_exp.results.provenance import fingerprint
from relu_exp.results.store import arrow_schema

__all__ = ["NO_STATE", "Keeper", "Voyage", "clear", "continue_from", "runs_under_way"]

_MOST_SHARE = 0.05
"""Checkpoints that take long are written less often: they cost at most this share of the time."""

NO_STATE = (KeyError, TypeError, ValueError, RuntimeError, IndexError, pa.ArrowException)
"""What `continue_from` raises where a state does not fit the fleet."""

_NOT_READ = (OSError, MemoryError)
"""What reading a file raises that may be sound: another time it may be read."""

State = Mapping[str, Any]


class Voyage(Protocol):
    """A fleet under way: everything that changes as it trains, and nothing else.

    What depends on the configurations alone is built again. No random state is carried over, for
    there is none: every draw comes from a stream of its own. What has been computed has been looked
    at, and numbers for the record are on the host.
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

    def retain(self, kept: Sequence[int]) -> None:
        """Take all runs but these out of the fleet, by their places in it."""


@dataclass
class Keeper:
    """Writes the state of one fleet to a file now and then, and finds it there again."""

    path: Path
    seconds: float
    _last: float = field(default_factory=time.monotonic)
    _cost: float = 0.0

    def offer(self, voyage: Voyage) -> None:
        """Write a checkpoint if one is due; that it cannot be written never ends a training."""
        now = time.monotonic()
        if now - self._last < max(self.seconds, self._cost / _MOST_SHARE):
            return
        with suppress(OSError, RuntimeError, TypeError, AttributeError, pickle.PicklingError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self.path, lambda file: torch.save(_state(voyage), file))
        self._last = time.monotonic()
        self._cost = self._last - now

    def load(self, runs: Sequence[RunConfig], device: str) -> State | None:
        """Return the state that was written of these very runs by this very code, or None."""
        state = None
        with suppress(*_NOT_READ):
            state = _load(self.path, device)
        if state is None or state["device"] != device:
            return None
        return state if state["run_ids"] == [run.run_id for run in runs] else None

    def drop(self) -> None:
        """Forget the fleet: its part is written, or its state is of no use."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def runs_under_way(folder: Path) -> list[list[str]]:
    """Return the run_ids of each fleet that can continue from a checkpoint in a folder."""
    found = []
    for path in _files(folder):
        with suppress(*_NOT_READ):
            if state := _load(path, "cpu", lazily=True):
                found.append(list(state["run_ids"]))
    return found


def clear(folder: Path, finished: Collection[str]) -> None:
    """Delete the checkpoints from which no fleet will continue; the folder's lock must be held.

    They are damaged, or of other code, or a kill came after all their runs were saved.
    """
    for path in _files(folder):
        with suppress(*_NOT_READ):
            state = _load(path, "cpu", lazily=True)
            if state is None or all(run_id in finished for run_id in state["run_ids"]):
                path.unlink()


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("[!.]*.pt"))


def continue_from(voyage: Voyage, state: State) -> None:
    """Bring a fleet that has just been built to where a checkpoint was written.

    Raises:
        NO_STATE: the state does not fit the fleet, which is then of no more use.
    """
    if len(state["alive"]) < len(voyage.alive):
        voyage.retain(state["alive"])
    with torch.no_grad():
        pairs = zip(voyage.stack.parameters(), state["parameters"], strict=True)
        for parameter, saved in pairs:
            if parameter.shape != saved.shape:
                raise ValueError("parameters of another shape")
            parameter.copy_(saved)
    vars(voyage.optimizer).update(state["optimizer"])
    voyage.records.tables = {
        name: pa.ipc.open_stream(packed.numpy().tobytes()).read_all().to_pydict()
        for name, packed in state["records"].items()
    }
    voyage.window = [(loss.cpu(), correct.cpu()) for loss, correct in state["window"]]
    voyage.diverged_at = state["diverged_at"]
    voyage.step = state["step"]
    voyage.started = time.perf_counter() - state["seconds"]


def _state(voyage: Voyage) -> State:
    """Return all that a fleet needs to continue, as tensors and plain data."""
    return {
        "fingerprint": fingerprint(),
        "run_ids": [run.run_id for run in voyage.all_runs],
        "device": voyage.device,
        "step": voyage.step,
        "seconds": time.perf_counter() - voyage.started,
        "alive": voyage.alive,
        "diverged_at": voyage.diverged_at,
        "window": voyage.window,
        "parameters": [parameter.detach() for parameter in voyage.stack.parameters()],
        "optimizer": dict(vars(voyage.optimizer)),
        "records": {name: _packed(name, voyage.records.tables[name]) for name in TABLES},
    }


def _packed(name: str, columns: Mapping[str, list[Any]]) -> Tensor:
    """Return a table as bytes: a million rows as plain data would take minutes to unpickle."""
    table = pa.table(dict(columns), schema=arrow_schema(name))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return torch.frombuffer(bytearray(sink.getvalue()), dtype=torch.uint8)


def _load(path: Path, device: str, *, lazily: bool = False) -> State | None:
    """Return what a file holds, if it is a checkpoint of this code; nothing in it is executed.

    Raises:
        OSError, MemoryError: it is not there, or cannot be read now.
    """
    try:
        if not lazily and not _is_sound(path):
            return None
        state = torch.load(path, map_location=device, weights_only=True, mmap=lazily)
        run_ids = state["run_ids"]
        is_known = state["fingerprint"] == fingerprint() and len({*run_ids}) == len(run_ids) > 0
    except _NOT_READ:
        raise
    except Exception:  # a damaged file fails in as many ways as it can be damaged
        return None
    return state if is_known else None


def _is_sound(path: Path) -> bool:
    """Return whether every byte is the one that was written: torch itself does not look."""
    with zipfile.ZipFile(path) as archive:
        return archive.testzip() is None
