"""A way's own process: it is asked for a sample of a work and answers with one line of JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

from benchmarks.work import NUM_STEPS, WORKS, Run, Work, prepare, runs_of

__all__ = ["Answer", "Question", "answer", "single_threaded", "steady_rate"]

ANSWER = "answer: "
"""How the line begins that the parent reads; peers print much else."""


@dataclass(frozen=True)
class Question:
    """What to train, on how many processes; `size` is the number of runs stacked, if any are."""

    work: Work
    num_runs: int
    num_steps: int = NUM_STEPS
    num_workers: int = 2
    size: int | None = None

    @property
    def runs(self) -> list[Run]:
        """The sample."""
        return runs_of(self.work)[: self.num_runs]


@dataclass(frozen=True)
class Answer:
    """What came out: runs of 200 updates per second, and the losses that show what was trained.

    `once` are the seconds that are paid once a session and left out of the rate: a pool's start or
    a compilation. `sample` says what was timed. `updates` is the share of the asked-for updates
    that were made: runs that diverge end early.
    """

    rate: float
    losses: dict[str, list[float]]
    sample: str
    once: float | None = None
    updates: float = 1.0


def answer(measure: Callable[[Question], Answer]) -> None:
    """Read the question from the command line, measure, and print the answer."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--work", choices=WORKS, default="W1")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--steps", type=int, default=NUM_STEPS)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--size", type=int)
    options = parser.parse_args()
    prepare()
    found = measure(
        Question(WORKS[options.work], options.runs, options.steps, options.workers, options.size)
    )
    print(f"{ANSWER}{json.dumps(asdict(found))}", flush=True)


def single_threaded() -> None:
    """Make this process fit for training beside others: one thread, denormals flushed."""
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


def steady_rate(finished: Iterable[tuple[object, float]]) -> float:
    """Return runs per second of a pool that is under way.

    Args:
        finished: the worker and the time of the end of each run. A worker's first only starts its
            clock: what the pool needs to start is left out, and so is the rest of the last round,
            in which not all workers have work.

    Raises:
        ValueError: no worker trained two runs.
    """
    times: dict[object, list[float]] = {}
    for worker, time in finished:
        times.setdefault(worker, []).append(time)
    rates = [(len(each) - 1) / (max(each) - min(each)) for each in times.values() if len(each) > 1]
    if not rates:
        raise ValueError("too few runs for a rate: at least two for each worker")
    return sum(rates)
