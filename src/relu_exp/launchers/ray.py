"""The Ray launcher: each fleet is a task on a Ray cluster of one or more machines."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
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

from relu_exp.core.lines import first_line
from relu_exp.core.schema import UsageError
from relu_exp.launchers.local import Callback, Progress, num_cores, paced
from relu_exp.launchers.task import (
    FleetJob,
    Outcome,
    Trainer,
    check_code,
    code_of_runs,
    mark_lost,
    ready,
    train_and_save,
)
from relu_exp.planning.fleets import Fleet
from relu_exp.results.store import Store

__all__ = ["launch"]

_POLL_SECONDS = 1.0
"""Time between two polls of the steps and of the cluster's size while no fleet ends."""

_CONNECT_SECONDS = 3.0
_ANSWER_SECONDS = 7.0
"""Time in which a head node must answer after connecting; Ray itself would try for minutes."""

_CANCEL_SECONDS = 20.0
_MEMORY = 200 * 2**20
"""Bytes of the object store of a cluster that we start: results are small."""


def launch(
    fleets: Iterable[Fleet],
    job: FleetJob,
    num_workers: int | None,
    callback: Callback,
    train: Trainer | None = None,
    *,
    address: str | None = None,
    results: str = "driver",
    max_retries: int = 3,
    gpus: float = 1.0,
) -> None:
    """Train fleets on a Ray cluster, and return when the last one is saved.

    A fleet whose node or process is lost starts again. A KeyboardInterrupt or an error cancels the
    fleets in training; parts that were saved stay.

    Args:
        fleets: what to train, in this order.
        job: the settings that all fleets share.
        num_workers: fleets that train at once; None: as many as the cluster has room for.
        callback: called with each `Progress` and each `Outcome`.
        train: the trainer; the engine by default. Nodes import it by its name.
        address: `auto` or HOST:PORT of a cluster; None starts one on this machine and stops it.
        results: `driver`: parts are sent back and written here, and a fleet that was lost starts
            from the beginning; `shared`: nodes write parts and checkpoints, and a lost fleet
            continues from its checkpoint.
        max_retries: how often a lost fleet starts again before it is marked as lost.
        gpus: the share of a GPU that a fleet takes on cuda.

    Raises:
        UsageError: no cluster answers, it lacks the device or runs another version of the code, a
            data set is missing, or the results cannot be written.
    """
    job = replace(job, results=job.results.resolve())
    with _cluster(address, num_workers, job.device):
        _check_room(job.device)
        _RayScheduler(
            job=job,
            callback=callback,
            train=train,
            limit=num_workers,
            due=deque(fleets),
            returns_parts=results == "driver",
            max_retries=max_retries,
            gpus=gpus if job.device == "cuda" else 0.0,
        ).launch()


@contextmanager
def _cluster(address: str | None, num_workers: int | None, device: str) -> Iterator[None]:
    """Connect to a cluster within the context; an existing connection is used and kept open.

    Raises:
        UsageError: no cluster answers.
    """
    if ray.is_initialized():
        yield
        return
    # send no usage statistics; leave CUDA_VISIBLE_DEVICES alone for fleets without a GPU
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
            raise _no_answer(address, _line(error)) from error
    try:
        yield
    finally:
        ray.shutdown()


def _probe(address: str) -> None:
    """Raise a UsageError if no head node of a Ray cluster answers at an address."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 65536) or "/" in host:
        raise UsageError(
            f"launcher.address={address} is not valid: it must be auto or HOST:PORT of a head node"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
        # in a process of its own, which can be stopped: Ray's client waits for 40 s
        subprocess.run(
            [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ANSWER_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise _no_answer(address, "what listens there does not answer like Ray") from None
    except OSError as error:
        raise _no_answer(address, _line(error)) from error


def _no_answer(address: str, reason: str) -> UsageError:
    return UsageError(
        f"launcher.address={address}: no Ray cluster answers ({reason}); "
        "start one with `ray start --head`, or leave it out"
    )


def _check_room(device: str) -> None:
    need = "GPU" if device == "cuda" else "CPU"
    if not ray.cluster_resources().get(need):
        hint = ": use --device cpu" if need == "GPU" else ""
        raise UsageError(f"the Ray cluster has no {need}{hint}")


def _line(error: BaseException) -> str:
    return first_line(error, otherwise=type(error).__name__)


class _StepBoard:
    """An actor on the driver's node that collects the current steps of fleets."""

    def __init__(self) -> None:
        self.steps: dict[str, int] = {}

    def note(self, fleet_id: str, step: int) -> None:
        self.steps[fleet_id] = step

    def read(self) -> dict[str, int]:
        """Return the steps noted since the last call."""
        steps, self.steps = self.steps, {}
        return steps


def _train_and_save(
    fleet: Fleet,
    job: FleetJob,
    board: Any,
    train: Trainer | None,
    returns_part: bool,
    expected: Mapping[str, str],
) -> tuple[Outcome, dict[str, bytes]] | UsageError:
    """Train one fleet on a node; return its outcome, and its part if the driver writes it."""

    def note(event: object) -> None:
        if isinstance(event, Progress):
            board.note.remote(event.fleet.fleet_id, event.step)

    try:
        check_code((fleet,), job, expected)
        with ready(job):
            on_step = paced(fleet, note, _POLL_SECONDS)
            if not returns_part:
                return train_and_save(fleet, job, on_step, train), {}
            with tempfile.TemporaryDirectory(prefix="relu-exp-") as folder:
                here = Store(Path(folder))
                # a checkpoint would be deleted with the folder, and no other node could read it
                alone = replace(job, results=here.root, checkpoint_seconds=None)
                outcome = train_and_save(fleet, alone, on_step, train)
                return outcome, here.pack_part(fleet.fleet_id)
    except UsageError as error:
        return error


@dataclass
class _RayScheduler:
    """Submits fleets to a cluster: as many as it has room for, and as many again in its queue."""

    job: FleetJob
    callback: Callback
    train: Trainer | None
    limit: int | None
    due: deque[Fleet]
    returns_parts: bool
    max_retries: int
    gpus: float
    under_way: dict[Any, Fleet] = field(default_factory=dict)
    losses: Counter[str] = field(default_factory=Counter)

    def launch(self) -> None:
        # on the driver's node: if that node is lost, the driver is lost too
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        board = (
            ray.remote(_StepBoard)
            .options(num_cpus=0, max_restarts=-1, scheduling_strategy=here)
            .remote()
        )
        # lost fleets are resubmitted here, because only the driver counts how often
        task = ray.remote(_train_and_save).options(
            num_cpus=1, num_gpus=self.gpus, max_retries=0, scheduling_strategy="SPREAD"
        )
        asked = board.read.remote()
        try:
            while self.due or self.under_way:
                while self.due and len(self.under_way) < self.capacity():
                    self.submit(task, board)
                done, _ = ray.wait(list(self.under_way), timeout=_POLL_SECONDS)
                for reference in done:
                    self.collect(reference)
                asked = self.report_steps(board, asked)
        finally:
            self.cancel()
            ray.kill(board)

    def capacity(self) -> int:
        """Return how many fleets may be submitted: those that fit, and as many again to queue."""
        if self.limit is not None:
            return self.limit
        there = ray.cluster_resources()
        fit = there.get("GPU", 0.0) / self.gpus if self.gpus else there.get("CPU", 0.0)
        return max(1, int(fit)) * 2

    def submit(self, task: Any, board: Any) -> None:
        fleet = self.due.popleft()
        code = code_of_runs((fleet,), self.job)
        arguments = (fleet, self.job, board, self.train, self.returns_parts, code)
        self.under_way[task.remote(*arguments)] = fleet

    def collect(self, reference: Any) -> None:
        """Handle a task that has ended: with a saved fleet, a lost one, or an error."""
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
            self.retry(fleet, error)
            return
        if isinstance(answer, UsageError):
            raise answer
        outcome, packed = answer
        if packed:
            Store(self.job.results).unpack_part(fleet.fleet_id, packed)
        self.callback(outcome)

    def retry(self, fleet: Fleet, error: RayError) -> None:
        """Submit a lost fleet again, or mark it as lost after too many attempts."""
        self.losses[fleet.fleet_id] += 1
        if self.losses[fleet.fleet_id] <= self.max_retries:
            self.due.append(fleet)
            return
        times = self.losses[fleet.fleet_id]
        reason = f"{type(error).__name__}: lost {times} time{'s' if times > 1 else ''}"
        self.callback(mark_lost(fleet, self.job, reason))

    def report_steps(self, board: Any, asked: Any) -> Any:
        """Pass on the steps that were noted, and return the pending request for the next ones."""
        if not ray.wait([asked], timeout=0)[0]:
            return asked
        with suppress(RayError):  # lost steps will be noted again
            steps = ray.get(asked)
            for fleet in self.under_way.values():
                if fleet.fleet_id in steps:
                    self.callback(Progress(fleet, steps[fleet.fleet_id]))
        return board.read.remote()

    def cancel(self) -> None:
        """Cancel the fleets in training, and wait until they have stopped."""
        references: Sequence[Any] = list(self.under_way)
        for reference in references:
            ray.cancel(reference, force=True)
        if references:
            ray.wait(references, num_returns=len(references), timeout=_CANCEL_SECONDS)
