"""The Ray launcher: each fleet is a task of a cluster, of this machine or of many."""

from __future__ import annotations

import os
import platform
import socket
import tempfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from relu_exp.core.schema import UsageError
from relu_exp.launchers.local import Progress, Tell, num_cores, paced
from relu_exp.launchers.task import Mission, Outcome, Trainer, ready, see_through, write_off
from relu_exp.planning.plan import Fleet
from relu_exp.results.provenance import changes, fingerprint
from relu_exp.results.store import Store

__all__ = ["launch"]

_POLL_SECONDS = 1.0
"""Time between two looks at the steps, and at the room there is, while no fleet ends."""

_PROBE_SECONDS = 5.0
"""Time in which a head node must answer: Ray itself would go on asking for minutes."""

_CANCEL_SECONDS = 20.0
_MEMORY = 200 * 2**20
"""Of the object store of a cluster of our own: what comes back is small."""


def launch(
    fleets: Iterable[Fleet],
    mission: Mission,
    num_workers: int | None,
    tell: Tell,
    train: Trainer | None = None,
    *,
    address: str | None = None,
    results: str = "driver",
    max_retries: int = 3,
    gpus: float = 1.0,
) -> None:
    """See fleets through on a Ray cluster, and return when the last one is saved.

    A fleet whose node or process is lost starts again. Whatever ends the launch early, a
    KeyboardInterrupt or an error, cancels what is under way; the parts that were saved stay.

    Args:
        fleets: what to train, in this order.
        mission: where to, and on which device.
        num_workers: fleets under way at once; None: as many as the cluster has room for.
        tell: called with each `Progress` and each `Outcome`.
        train: what trains; the engine unless given. Nodes import it by its name.
        address: `auto` or HOST:PORT of a cluster; None starts one on this machine and stops it.
        results: `driver`: parts come back and are written here, and a fleet that was lost starts
            from the beginning; `shared`: nodes write them, and it goes on from its checkpoint.
        max_retries: how often a fleet that was lost starts again before it is written off.
        gpus: the share of a GPU that a fleet takes on cuda.

    Raises:
        UsageError: no cluster answers, it has no room or another version of the code, a data set
            is not there, or the results cannot be written.
    """
    mission = replace(mission, results=mission.results.resolve())
    with _cluster(address, num_workers, mission.device):
        _check_room(mission.device)
        _Convoy(
            mission=mission,
            tell=tell,
            train=train,
            limit=num_workers,
            due=deque(fleets),
            returns_parts=results == "driver",
            max_retries=max_retries,
            gpus=gpus if mission.device == "cuda" else 0.0,
        ).launch()


@contextmanager
def _cluster(address: str | None, num_workers: int | None, device: str) -> Iterator[None]:
    """Be connected to a cluster for a while; a connection that is there already is used and kept.

    Raises:
        UsageError: no cluster answers.
    """
    if ray.is_initialized():
        yield
        return
    # no statistics for Ray's makers; and a fleet without a GPU keeps its device variables
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        cpus = num_workers if num_workers and device == "cpu" else num_cores()
        ray.init(
            "local", num_cpus=cpus, object_store_memory=_MEMORY, include_dashboard=False, **quiet
        )
    else:
        if address != "auto":
            _probe(address)
        try:
            ray.init(address, **quiet)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UsageError(
                f"launcher.address={address}: no Ray cluster answers ({_line(error)}); "
                "start one with `ray start --head`, or leave it out"
            ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _probe(address: str) -> None:
    """Raise a UsageError when nobody listens at an address."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 65536) or "/" in host:
        raise UsageError(
            f"launcher.address={address} is not valid: it must be auto or HOST:PORT of a head node"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _PROBE_SECONDS).close()
    except OSError as error:
        raise UsageError(
            f"launcher.address={address}: no Ray cluster answers ({_line(error)}); "
            "start one with `ray start --head`, or leave it out"
        ) from error


def _check_room(device: str) -> None:
    need = "GPU" if device == "cuda" else "CPU"
    if not ray.cluster_resources().get(need):
        hint = ": use --device cpu" if need == "GPU" else ""
        raise UsageError(f"the Ray cluster has no {need}{hint}")


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


class _Board:
    """Where fleets under way note the step that they are at; an actor beside the driver."""

    def __init__(self) -> None:
        self.steps: dict[str, int] = {}

    def note(self, fleet_id: str, step: int) -> None:
        self.steps[fleet_id] = step

    def read(self) -> dict[str, int]:
        """Return the steps noted since the last look."""
        steps, self.steps = self.steps, {}
        return steps


def _see_through(
    fleet: Fleet,
    mission: Mission,
    board: Any,
    train: Trainer | None,
    returns_part: bool,
    expected: Mapping[str, str],
) -> tuple[Outcome, dict[str, bytes]] | UsageError:
    """Train one fleet on a node; return its outcome, and its part where it is not written here."""
    if found := changes({"fingerprint": expected}):
        return UsageError(
            f"node {platform.node()} of the Ray cluster would train otherwise than this machine "
            f"({', '.join(found)}): install the same versions of relu-exp and torch on both"
        )

    def tell(event: object) -> None:
        if isinstance(event, Progress):
            board.note.remote(event.fleet.fleet_id, event.step)

    try:
        with ready(mission):
            on_step = paced(fleet, tell, _POLL_SECONDS)
            if not returns_part:
                return see_through(fleet, mission, on_step, train), {}
            with tempfile.TemporaryDirectory(prefix="relu-exp-") as folder:
                here = Store(Path(folder))
                # a checkpoint would go with the folder, and no other node could see it
                alone = replace(mission, results=here.root, checkpoint_seconds=None)
                outcome = see_through(fleet, alone, on_step, train)
                return outcome, here.pack_part(fleet.fleet_id)
    except UsageError as error:
        return error


@dataclass
class _Convoy:
    """Fleets under way on a cluster: never more than it has room for, and a few in waiting."""

    mission: Mission
    tell: Tell
    train: Trainer | None
    limit: int | None
    due: deque[Fleet]
    returns_parts: bool
    max_retries: int
    gpus: float
    under_way: dict[Any, Fleet] = field(default_factory=dict)
    losses: Counter[str] = field(default_factory=Counter)

    def launch(self) -> None:
        # beside the driver: if the board's node is lost, so is the driver's
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        board = (
            ray.remote(_Board)
            .options(num_cpus=0, max_restarts=-1, scheduling_strategy=here)
            .remote()
        )
        # lost fleets start again from here, where it is known how often they did
        task = ray.remote(_see_through).options(
            num_cpus=1, num_gpus=self.gpus, max_retries=0, scheduling_strategy="SPREAD"
        )
        asked = board.read.remote()
        try:
            while self.due or self.under_way:
                while self.due and len(self.under_way) < self.most():
                    self.submit(task, board)
                done, _ = ray.wait(list(self.under_way), timeout=_POLL_SECONDS)
                for reference in done:
                    self.hear(reference)
                asked = self.look(board, asked)
        finally:
            self.cancel()
            ray.kill(board)

    def most(self) -> int:
        """Return how many fleets may be submitted: those that fit, and as many again in waiting."""
        if self.limit is not None:
            return self.limit
        there = ray.cluster_resources()
        fit = there.get("GPU", 0.0) / self.gpus if self.gpus else there.get("CPU", 0.0)
        return max(1, int(fit)) * 2

    def submit(self, task: Any, board: Any) -> None:
        fleet = self.due.popleft()
        arguments = (fleet, self.mission, board, self.train, self.returns_parts, fingerprint())
        self.under_way[task.remote(*arguments)] = fleet

    def hear(self, reference: Any) -> None:
        """Take in what became of a task: a saved fleet, a lost one, or what ends the launch."""
        fleet = self.under_way.pop(reference)
        try:
            answer = ray.get(reference)
        except RayTaskError as error:
            if "No module named 'relu_exp'" in str(error):
                raise UsageError(
                    "a node of the Ray cluster has no relu-exp: install it there, the same version"
                ) from error
            raise RuntimeError(f"a task failed\n{error}") from error
        except RayError as error:
            self.lose(fleet, error)
            return
        if isinstance(answer, UsageError):
            raise answer
        outcome, packed = answer
        if packed:
            Store(self.mission.results).unpack_part(fleet.fleet_id, packed)
        self.tell(outcome)

    def lose(self, fleet: Fleet, error: RayError) -> None:
        self.losses[fleet.fleet_id] += 1
        if self.losses[fleet.fleet_id] <= self.max_retries:
            self.due.append(fleet)
            return
        times = self.losses[fleet.fleet_id]
        reason = f"{type(error).__name__}: lost {times} time{'s' if times > 1 else ''} on the way"
        self.tell(write_off(fleet, self.mission, reason))

    def look(self, board: Any, asked: Any) -> Any:
        """Tell the steps that were noted, and return the question for the next ones."""
        if not ray.wait([asked], timeout=0)[0]:
            return asked
        with suppress(RayError):  # steps that are lost are noted again
            steps = ray.get(asked)
            for fleet in self.under_way.values():
                if fleet.fleet_id in steps:
                    self.tell(Progress(fleet, steps[fleet.fleet_id]))
        return board.read.remote()

    def cancel(self) -> None:
        """Stop what is under way, and wait until it is."""
        references: Sequence[Any] = list(self.under_way)
        for reference in references:
            ray.cancel(reference, force=True)
        if references:
            ray.wait(references, num_returns=len(references), timeout=_CANCEL_SECONDS)
