"""The tasks of a command: every sweep is composed and checked before the first one trains."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relu_exp.core.launchers import LAUNCHERS
from relu_exp.core.schema import DEFAULT_PRECISION, SCHEMA_VERSION, RunConfig, UsageError
from relu_exp.launchers import local
from relu_exp.launchers.local import Callback
from relu_exp.launchers.task import FleetJob
from relu_exp.planning.costs import TYPICAL, Costs, sweep_seconds
from relu_exp.planning.fleets import FLEET_SIZES, NUM_GPU_WORKERS, Fleet
from relu_exp.planning.memory import room_for_fleet
from relu_exp.planning.plan import Plan, plan
from relu_exp.planning.run_status import RunStatuses, run_statuses
from relu_exp.results.provenance import describe_machine
from relu_exp.results.store import Store
from relu_exp.session import machine_calibration

if TYPE_CHECKING:
    from relu_exp.config import Sweep

__all__ = ["ASK_FROM", "Options", "Task", "tasks_of"]

ASK_FROM = 100_000
"""Sweeps of more runs than this need --yes."""


@dataclass(frozen=True)
class Options:
    """The options of a command, apart from its experiments and overrides."""

    results: Path
    device: str = "auto"
    num_workers: int | None = None
    plugins: tuple[str, ...] = ()
    budget: str | None = None
    only_plan: bool = False
    yes: bool = False
    watches: bool = False
    """Whether reports on partial results are written during training."""
    claim: str | None = None
    """The claim whose verdict is shown at the end."""
    judges: bool = False
    """Whether the claims are judged at the end."""
    max_seeds: int | None = None
    """Most seeds that open claims may get; None: no more seeds."""
    retry_failed: bool = False
    """Whether failed runs are trained again; otherwise their rows stay."""
    rerun_stale: bool = False
    """Whether runs are trained again if the code, torch or the schema has changed since."""
    language: str = "en"
    """Of the reports."""


@dataclass(frozen=True)
class Task:
    """One sweep of a command: its runs, their results folder, device and number of workers."""

    sweep: Sweep
    runs: list[RunConfig]
    store: Store
    device: str
    asked_workers: int | None
    command: str
    studies: Mapping[str, str]
    """Study → the id of its part."""
    study_device: str
    costs: Costs | None = None
    """This machine's measured costs; None: use the defaults."""
    retry_failed: bool = False
    rerun_stale: bool = False
    data_notes: tuple[str, ...] = ()
    """What a user should know of the data sets, in one line each."""
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Data set → the names of its classes, where it gives them."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether the fleets may train on other machines."""
        return LAUNCHERS[self.sweep.launcher.name].is_elsewhere

    @property
    def num_workers(self) -> int:
        """Number of fleets that train at once; a guess for a cluster, whose size is unknown."""
        if self.asked_workers:
            return self.asked_workers
        if self.device == "cuda" and not self.is_elsewhere:
            return min(NUM_GPU_WORKERS, local.num_cores())
        measured = self.costs.num_workers if self.costs and not self.is_elsewhere else None
        return measured or local.num_cores()

    def calibrated(self) -> Task:
        """Return this task with the costs of this machine, measured if necessary and possible."""
        return (
            self if self.costs else replace(self, costs=machine_calibration.calibrated(self.device))
        )

    def run_statuses(self) -> RunStatuses:
        """Return the current status of every run."""
        return run_statuses(self.runs, self.store)

    def plan(self, found: RunStatuses) -> Plan:
        """Return the fleets that train the runs that are due."""
        skipped = found.skipped(self.retry_failed, self.rerun_stale)
        measured = self.costs.fleet_size if self.costs else FLEET_SIZES[self.device]
        stated = self.sweep.launcher.fleet_size
        # the memory of other machines is unknown: a fleet that is too large is halved there
        room = None
        if not self.is_elsewhere:
            datasets = {run.dataset for run in self.runs}
            room = room_for_fleet(self.device, self.num_workers, datasets)
        return plan(
            self.runs,
            skipped,
            stated or measured,
            self.num_workers,
            self._under_way(),
            room,
            grows=stated is None and self.device == "cpu",
        )

    def seconds(self, made: Plan) -> float:
        """Return an estimate of the training time of a plan."""
        if self.costs is None:
            return sweep_seconds(made.fleets, TYPICAL[self.device], self.num_workers)
        # assume that each worker elsewhere has a machine to itself that is as fast as this one
        speed = self.num_workers if self.is_elsewhere else self.costs.speed(self.num_workers)
        return sweep_seconds(made.fleets, self.costs, speed)

    def _under_way(self) -> list[list[str]]:
        if not self.store.checkpoints.is_dir():
            return []
        from relu_exp.engine.checkpoints import runs_under_way

        return runs_under_way(self.store.checkpoints)

    def clear_checkpoints(self, found: RunStatuses) -> None:
        """Delete the checkpoints that no fleet needs any more; the results must be locked."""
        if self.store.checkpoints.is_dir():
            from relu_exp.engine.checkpoints import clear

            clear(self.store.checkpoints, found.finished)

    def launch(self, fleets: Sequence[Fleet], job: FleetJob, callback: Callback) -> None:
        """Train fleets with this sweep's launcher.

        Raises:
            UsageError: a package of the launcher is not installed, no cluster answers, a data set
                is missing, or the results cannot be written.
        """
        config = self.sweep.launcher
        num_workers = self.asked_workers if self.is_elsewhere else self.num_workers
        LAUNCHERS[config.name].launch(fleets, job, num_workers, callback, **config.own)

    def manifest(self, session: str) -> dict[str, Any]:
        """Return the manifest, which is written before training."""
        sweep = self.sweep
        return {
            "schema_version": SCHEMA_VERSION,
            "session": session,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": self.command,
            "folder": _folder(self.store.root),
            "experiment": sweep.name,
            "title": sweep.title,
            "question": sweep.question,
            **_in_korean(sweep),
            "figures": list(sweep.figures),
            "thresholds": {name: list(values) for name, values in sweep.thresholds.items()},
            "axes": {axis: list(labels) for axis, labels in sweep.axes.items()},
            "budget": sweep.budget,
            "run_ids": [run.run_id for run in self.runs],
            "studies": self.studies,
            **({"contrast": sweep.contrast.as_json()} if sweep.contrast else {}),
            "labels": _labels(self.runs),
            "data_notes": list(self.data_notes),
            "class_names": self.class_names,
            "device": self.device,
            "launcher": sweep.launcher.name,
            **describe_machine(),
        }


def tasks_of(names: Sequence[str], overrides: Sequence[str], options: Options) -> list[Task]:
    """Compose and expand every sweep, so that errors appear before the first one trains.

    Raises:
        UsageError: an experiment, an override or the device is not valid, the device does not
            support a precision, or the sweeps are so large that they need --yes.
    """
    from relu_exp.config import fitted, sweeps

    found = sweeps(names, overrides, options.budget)
    total = sum(sweep.num_runs for sweep in found)
    if total > ASK_FROM and not options.yes:
        raise UsageError(f"that is {total:,} runs: add --yes to train so many")
    _check_figures(names, overrides, found)
    here = local.resolve_device("auto" if _all_elsewhere(found) else options.device)
    tasks = []
    for name, sweep in zip(names, found, strict=True):
        is_elsewhere = LAUNCHERS[sweep.launcher.name].is_elsewhere
        device = _device_elsewhere(options.device) if is_elsewhere else here
        runs = sweep.runs()
        _check_precisions(runs, device, is_elsewhere)
        tasks.append(
            Task(
                sweep=fitted(sweep, runs),
                runs=runs,
                store=Store(options.results / sweep.name),
                device=device,
                asked_workers=options.num_workers or sweep.launcher.num_workers,
                command=_command(name, overrides, options),
                studies=_studies(sweep, here),
                study_device=here,
                costs=machine_calibration.stored(device),
                retry_failed=options.retry_failed,
                rerun_stale=options.rerun_stale,
            )
        )
    return tasks


def _all_elsewhere(found: Sequence[Sweep]) -> bool:
    return all(LAUNCHERS[sweep.launcher.name].is_elsewhere for sweep in found)


def _device_elsewhere(device: str) -> str:
    """Return the device for other machines, whose devices are unknown here."""
    return "cpu" if device == "auto" else device


def _check_precisions(runs: Sequence[RunConfig], device: str, is_elsewhere: bool) -> None:
    """Raise a UsageError if a device does not support a precision that a run asks for."""
    asked = {run.precision for run in runs} - {DEFAULT_PRECISION}
    # other machines check their own GPUs before they train
    if asked and not (is_elsewhere and device == "cuda"):
        from relu_exp.engine.ops.precision import check

        for precision in sorted(asked):
            check(precision, device)


def _studies(sweep: Sweep, device: str) -> dict[str, str]:
    if not sweep.studies:
        return {}
    from relu_exp.engine.studies.registry import part_of  # loads torch

    try:
        return {study: part_of(study, device, sweep.budget) for study in sweep.studies}
    except UsageError as error:
        raise UsageError(f"{sweep.name}: {error}") from error


def _labels(runs: Sequence[RunConfig]) -> dict[str, dict[str, dict[str, str]]]:
    """Return how the runs' choices are shown that say so themselves: group → name → label."""
    from relu_exp.config import registries

    found: dict[str, dict[str, dict[str, str]]] = {}
    for group, registry in registries().items():
        for name in sorted({getattr(run, group).name for run in runs}):
            if label := registry[name].label:
                found.setdefault(group, {})[name] = label.as_dict()
    return found


def _check_figures(names: Sequence[str], overrides: Sequence[str], found: Sequence[Sweep]) -> None:
    """Raise a UsageError if a user's experiment or command names a figure that does not exist."""
    from relu_exp.config import is_shipped

    is_stated = any(word.startswith("figures=") for word in overrides)
    for name, sweep in zip(names, found, strict=True):
        if sweep.figures and (is_stated or not is_shipped(name)):
            from relu_exp.evidence.figures import FIGURES

            for figure in sweep.figures:
                try:
                    FIGURES[figure]
                except UsageError as error:
                    raise UsageError(f"{name}: {error}") from error


def _folder(root: Path) -> str:
    """Return where this command is given, as it is reached from the results."""
    try:
        return Path(os.path.relpath(Path.cwd(), root)).as_posix()
    except ValueError:  # another drive
        return str(Path.cwd())


def _in_korean(sweep: Sweep) -> dict[str, str]:
    """Return the fields of a manifest that say the same in Korean, where the experiment does."""
    said = {"title_ko": sweep.title_ko, "question_ko": sweep.question_ko}
    return {name: text for name, text in said.items() if text}


def _command(name: str, overrides: Sequence[str], options: Options) -> str:
    """Return the command that trains these runs, without the device and the results folder."""
    words = ["relu-exp", "run", name, *overrides]
    if options.budget:
        words += ["--budget", options.budget]
    for plugin in options.plugins:
        words += ["--plugin", plugin]
    return shlex.join(words)
