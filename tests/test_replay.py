"""A replayed step does what a step does: every table is that of steps taken one by one.

A CUDA graph needs a GPU. On the CPU `Notes` stands in for it: it notes every operation of a step
with the memory it works on, undoes them, and repeats them without any Python of the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from relu_exp.core.schema import RunConfig
from relu_exp.engine import checkpoints, training
from relu_exp.engine.checkpoints import Checkpointer
from relu_exp.engine.fleet import batches, replay
from relu_exp.engine.ops import compiled
from relu_exp.engine.training import train_fleet

from configs import make_run
from fleets import FLEETS, bits, fleet

pytestmark = pytest.mark.usefixtures("one_thread")

aten = torch.ops.aten


@pytest.fixture(autouse=True)
def nothing_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """No step of a GPU is compiled, and `Notes` sees PyTorch's operations alone."""
    monkeypatch.setenv(compiled.OFF, "off")


WAITING = {aten._local_scalar_dense.default, aten.nonzero.default}
"""Operations for which the host waits: no graph can hold them."""

SENDING = {aten.lift_fresh.default}
"""Tensors made from numbers of the host: a graph would hold the first ones for ever."""


def tensors(values: Any) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]


class Listening(TorchDispatchMode):
    """Notes operations as they are done, how to do them again, and what they overwrite."""

    def __init__(self) -> None:
        super().__init__()
        self.again: list[Callable[[], object]] = []
        self.before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}
        self.held: list[Tensor] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        assert func not in WAITING | SENDING, f"{func} within a recorded step"
        given = tensors([args, kwargs])
        if func._schema.is_mutable:
            for tensor in given:
                self.keep(tensor)
        result = func(*args, **kwargs)
        places = {tensor.untyped_storage().data_ptr() for tensor in given}
        made = [
            tensor
            for tensor in tensors(result)
            if tensor.untyped_storage().data_ptr() not in places
        ]
        # memory that is freed while recording must not be given to anybody else
        self.held += [*given, *made]
        if func._schema.is_mutable:
            self.again.append(lambda: func(*args, **kwargs))
        elif made:
            self.again.append(
                lambda: [
                    old.copy_(new)
                    for old, new in zip(made, tensors(func(*args, **kwargs)), strict=True)
                ]
            )
        return result

    def keep(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self.before:
            self.before[storage.data_ptr()] = (storage, storage.clone())

    def undo(self) -> None:
        for storage, before in self.before.values():
            storage.copy_(before)


class Notes:
    """A recorder for the CPU."""

    made: list[Notes]

    def __init__(self) -> None:
        self.made.append(self)
        self.num_replays = 0
        self.operations: list[Callable[[], object]] | None = None

    def warm_up(self, step: Callable[[], Tensor]) -> Tensor:
        return step()

    def record(self, step: Callable[[], Tensor]) -> None:
        assert self.operations is None
        with Listening() as listening:
            self.result = step()
        listening.undo()
        self.operations = listening.again

    @torch.no_grad()
    def replay(self) -> Tensor:
        assert self.operations is not None
        self.num_replays += 1
        for operation in self.operations:
            operation()
        return self.result


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> type[Notes]:
    """Record on the CPU, and read losses every seven steps, as on a GPU."""
    monkeypatch.setitem(batches._SKIPS_BACKGROUND, "cpu", False)
    monkeypatch.setattr(Notes, "made", [], raising=False)
    monkeypatch.setattr(training, "RECORDERS", {"cpu": Notes})
    monkeypatch.setitem(training.READ_LOSSES_EVERY, "cpu", 7)
    return Notes


def one_by_one(runs: list[RunConfig], device: str = "cpu") -> dict[str, dict[str, list[Any]]]:
    with pytest.MonkeyPatch.context() as context:
        context.setattr(training, "RECORDERS", {})
        context.setitem(training.READ_LOSSES_EVERY, device, 1)
        return train_fleet(runs, device)


SCHEDULE: dict[str, Any] = {
    "num_steps": 40,
    "probe_steps": (0, 4, 20, 40),
    "evaluation_steps": (0, 20, 40),
}
REPLAYED: dict[str, dict[str, Any]] = {
    **{name: keys for name, keys in FLEETS.items() if name not in ("noise", "dropout")},
    "slopes with gradients": {"activation": ("prelu", {"per": "layer"})},
    "no rule": {"activation": "gelu", "width": 13, "batch_size": 7},
    "images": {
        "network": "small_cnn",
        "depth": 3,
        "width": None,
        "batch_size": 4,
        "dataset": ("mnist5k", {"num_train": 30}),
        "num_steps": 12,
        "probe_steps": (),
        "evaluation_steps": (12,),
    },
}


@pytest.mark.parametrize("keys", REPLAYED.values(), ids=REPLAYED)
def test_replayed_steps_give_every_table_bit_for_bit(
    keys: dict[str, Any], notes: type[Notes]
) -> None:
    runs = fleet(**{**SCHEDULE, **keys})
    tables = train_fleet(runs)
    assert {"done", "diverged"} <= set(tables["runs"]["status"])
    assert any(each.num_replays for each in notes.made)
    assert bits(tables) == bits(one_by_one(runs))


def test_a_fleet_that_runs_leave_is_recorded_again(notes: type[Notes]) -> None:
    keys = {"optimizer": ("sgd", {"momentum": 0.9, "weight_decay": 1e-3}), "depth": 3}
    runs = [
        make_run(**keys, dataset="digits", batch_size=16, num_steps=40, learning_rate=rate)
        for rate in (0.05, 30.0)
    ]
    tables = train_fleet(runs)
    assert 7 < tables["runs"]["diverged_at"][1] < 30
    assert [each.num_replays > 0 for each in notes.made] == [True, True]
    assert bits(tables) == bits(one_by_one(runs))


def test_what_draws_numbers_is_taken_step_by_step(notes: type[Notes]) -> None:
    runs = fleet(**SCHEDULE, **FLEETS["noise"])
    assert bits(train_fleet(runs)) == bits(one_by_one(runs))
    assert notes.made == []


@pytest.mark.parametrize("keys", [FLEETS["momentum"], FLEETS["adam"]], ids=["momentum", "adam"])
def test_a_replayed_fleet_continues_from_its_checkpoint(
    keys: dict[str, Any], notes: type[Notes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "_MAX_SHARE", float("inf"))

    class Stop(Exception):  # noqa: N818
        pass

    def stop(step: int) -> None:
        if step >= 25:
            raise Stop

    runs = fleet(**SCHEDULE, **keys)
    path = tmp_path / "fleet.pt"
    with pytest.raises(Stop):
        train_fleet(runs, "cpu", stop, Checkpointer(path, 0.0))
    steps: list[int] = []
    tables = train_fleet(runs, "cpu", steps.append, Checkpointer(path, 3600.0))
    assert steps[0] > 25
    assert bits(tables) == bits(one_by_one(runs))


@pytest.mark.parametrize(
    "step", [lambda: torch.ones(1) * torch.ones(1).item(), lambda: torch.tensor(1.0)]
)
def test_the_notes_refuse_what_a_graph_cannot_hold(
    step: Callable[[], Tensor], notes: type[Notes]
) -> None:
    with pytest.raises(AssertionError, match="within a recorded step"):
        notes().record(step)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("keys", REPLAYED.values(), ids=REPLAYED)
def test_a_gpu_replays_what_it_does_step_by_step_and_what_a_cpu_does(keys: dict[str, Any]) -> None:
    runs = [run for run in fleet(**{**SCHEDULE, **keys}) if run.learning_rate == 0.05]
    tables = [train_fleet(runs, "cuda"), one_by_one(runs, "cuda"), one_by_one(runs)]
    replayed, stepped, expected = (each["curves"] for each in tables)
    for other, within in ((stepped, 1e-3), (expected, 2e-2)):
        assert replayed["run_id"] == other["run_id"]
        assert replayed["step"] == other["step"]
        assert replayed["loss"] == pytest.approx(other["loss"], rel=within, abs=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_too_runs_leave_at_the_step_at_which_they_diverge() -> None:
    runs = fleet(**SCHEDULE)
    stepped, replayed = one_by_one(runs, "cuda")["runs"], train_fleet(runs, "cuda")["runs"]
    assert replayed["diverged_at"] == stepped["diverged_at"]
    assert replayed["status"] == stepped["status"]
    assert replay.RECORDERS["cuda"] is replay.CudaGraph
