"""Processes that do the same work at the same time, each on a core of its own."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.child import Answer, Question, single_threaded
from benchmarks.work import ACTIVATIONS, NUM_STEPS, Run, runs_of

__all__ = ["Chunk", "Timed", "chunks_of", "measure"]

Wait = Callable[[], None]


@dataclass(frozen=True)
class Timed:
    """One chunk of runs, stacked: what was paid once, and what every update of all of them took."""

    compile_seconds: float
    setup_seconds: float
    step_seconds: float
    losses: list[list[float]]
    """Of every run, before each update."""


@dataclass(frozen=True)
class Chunk:
    """Runs of one activation, those of a seed side by side: they share their minibatches."""

    activation: str
    runs: list[Run]

    @property
    def seeds(self) -> list[int]:
        """Every seed once."""
        return list(dict.fromkeys(run.seed for run in self.runs))


def chunks_of(question: Question) -> list[Chunk]:
    """Return one chunk of `size` runs for each activation."""
    size = question.size or 64
    per_seed = 16
    if size % per_seed or size > per_seed * question.work.num_seeds:
        raise SystemExit(f"a stack of {size} runs: it must be 16, 32, 48 or 64")
    return [
        Chunk(
            activation,
            [
                run
                for run in runs_of(question.work)
                if run.activation == activation and run.seed < size // per_seed
            ],
        )
        for activation in ACTIVATIONS
    ]


Measure = Callable[[Question, Chunk, Wait], Timed]


def measure(time_chunk: Measure, question: Question) -> Answer:
    """Let every process train every chunk for some updates, all at once.

    A process's rate is that of its chunks at 200 updates each: their set-up once and the updates
    as timed. The rates of the processes add up, as if none ever waited for another at the end.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(question.num_workers)
    chunks = chunks_of(question)
    pipes, workers = [], []
    for index in range(question.num_workers):
        ours, theirs = context.Pipe(duplex=False)
        arguments = (time_chunk, question, chunks, index, barrier, theirs)
        worker = context.Process(target=_work, args=arguments, daemon=True)
        worker.start()
        theirs.close()
        pipes.append(ours)
        workers.append(worker)
    found: list[list[Timed]] = [pipe.recv() for pipe in pipes]
    for worker in workers:
        worker.join()
    num_runs = sum(len(chunk.runs) for chunk in chunks)
    seconds = [
        sum(each.setup_seconds + NUM_STEPS * each.step_seconds for each in timed) for timed in found
    ]
    return Answer(
        rate=sum(num_runs / each for each in seconds),
        losses={
            run.name: losses
            for chunk, timed in zip(chunks, found[0], strict=True)
            for run, losses in zip(chunk.runs, timed.losses, strict=True)
        },
        sample=f"5 × {len(chunks[0].runs)} runs, {question.num_steps} updates",
        once=max(sum(each.compile_seconds for each in timed) for timed in found) or None,
    )


def _work(
    time_chunk: Measure,
    question: Question,
    chunks: list[Chunk],
    index: int,
    barrier: Any,
    pipe: Connection,
) -> None:
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        # a library that starts a thread per core it may use then starts one
        os.sched_setaffinity(0, {cores[index % len(cores)]})
    single_threaded()
    pipe.send([time_chunk(question, chunk, barrier.wait) for chunk in chunks])
