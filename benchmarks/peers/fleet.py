"""relu-exp: fleets, through its local launcher, with everything it measures by default."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.child import Answer, Question, answer
from benchmarks.work import Run, Work
from relu_exp.config import sweeps
from relu_exp.core.schema import RunConfig
from relu_exp.launchers import local
from relu_exp.launchers.processes import processes
from relu_exp.launchers.task import FleetJob, Outcome
from relu_exp.planning.fleets import FLEET_SIZES
from relu_exp.planning.plan import plan
from relu_exp.results.store import Store

__all__ = ["REFERENCE", "UNMEASURED", "configurations", "measure", "train_fleets"]

REFERENCE = Path(__file__).parents[1] / "reference.yaml"
UNMEASURED = ("probes.steps=none", "evaluations.steps=last")
"""Overrides with which nothing is measured but the loss on every minibatch and, once, the end."""


def configurations(
    work: Work, num_steps: int, overrides: Sequence[str] = ()
) -> dict[str, RunConfig]:
    """Return relu-exp's configuration of every run by the name that all ways share."""
    words = [*work.overrides, f"num_steps={num_steps}", *overrides]
    (sweep,) = sweeps([str(REFERENCE)], words, None)
    presets = {("normal", 0.01): "small_normal", ("normal", 1.0): "unit_normal"}
    found = {}
    for run in sweep.runs():
        name = run.initializer.name
        initializer = presets.get((name, run.initializer.as_dict().get("std")), name)
        names = Run(run.activation.name, initializer, run.learning_rate, run.seed)
        found[names.name] = run
    return found


def train_fleets(
    runs: Sequence[RunConfig], folder: Path, device: str, num_workers: int, size: int | None
) -> float:
    """Train runs as `relu-exp run` does and return the seconds until the last part is saved.

    Raises:
        RuntimeError: a run failed.
    """
    size = size or FLEET_SIZES[device]
    fleets = plan(runs, (), size, num_workers).fleets
    store = Store(folder)
    store.open()
    reasons: list[str] = []

    def callback(news: object) -> None:
        if isinstance(news, Outcome):
            reasons.extend(news.reasons)

    began = time.perf_counter()
    local.launch(fleets, FleetJob(folder, "benchmark", device), num_workers, callback)
    seconds = time.perf_counter() - began
    if reasons:
        raise RuntimeError(f"runs failed: {'; '.join(reasons)}")
    return seconds


def tables(folder: Path, name: str, columns: Sequence[str]) -> list[tuple[object, ...]]:
    """Return the rows of a table from all parts."""
    rows: list[tuple[object, ...]] = []
    for file in folder.glob(f"parts/*/{name}.parquet"):
        table = pq.read_table(file, columns=list(columns))
        rows += zip(*(table[column].to_pylist() for column in columns), strict=True)
    return rows


def measure(question: Question, overrides: Sequence[str] = ()) -> Answer:
    """Train a sample; the workers have torch loaded, as the command loads it while it plans."""
    began = time.perf_counter()
    first = processes().Process(target=time.perf_counter)
    first.start()
    first.join()
    once = time.perf_counter() - began
    every = configurations(question.work, question.num_steps, overrides)
    sample = {run.name: every[run.name] for run in question.runs}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        seconds = train_fleets(
            list(sample.values()), folder, "cpu", question.num_workers, question.size
        )
        losses = curves(folder, sample)
    return Answer(
        rate=len(sample) / seconds,
        losses=losses,
        sample=f"{len(sample)} runs",
        once=once,
        updates=sum(map(len, losses.values())) / len(sample) / question.num_steps,
    )


def curves(folder: Path, sample: dict[str, RunConfig]) -> dict[str, list[float]]:
    """Return the loss on the minibatch before every update, by the run's name."""
    names = {run.run_id: name for name, run in sample.items()}
    found: dict[str, list[float]] = {name: [] for name in sample}
    rows = tables(folder, "curves", ("run_id", "step", "split", "loss"))
    for run_id, _, split, loss in sorted(rows, key=lambda row: row[1]):
        if split == "batch":
            found[names[run_id]].append(loss)
    return found


if __name__ == "__main__":
    answer(measure)
