"""One process per run, two at a time: what a shell script does."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from benchmarks.child import Answer, Question, answer, single_threaded, steady_rate
from benchmarks.peers.plain import train
from benchmarks.work import WORKS, Run, runs_of

__all__ = ["measure"]


def measure(question: Question) -> Answer:
    """Train a sample, each run from the interpreter's start to its end."""
    slots: SimpleQueue[int] = SimpleQueue()
    for slot in range(question.num_workers):
        slots.put(slot)
    began = time.perf_counter()
    finished = [(slot, began) for slot in range(question.num_workers)]

    def start(index: int, run: Run) -> tuple[str, list[float]]:
        slot = slots.get()
        words = [question.work.name, str(index), str(question.num_steps)]
        command = [sys.executable, "-m", "benchmarks.peers.process", *words]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        finished.append((slot, time.perf_counter()))
        slots.put(slot)
        return run.name, json.loads(done.stdout)

    with ThreadPoolExecutor(question.num_workers) as threads:
        losses = dict(threads.map(start, range(question.num_runs), question.runs))
    return Answer(steady_rate(finished), losses, sample=f"{question.num_runs} runs")


def main(work: str, index: str, num_steps: str) -> None:
    """Train one run and print its losses."""
    single_threaded()
    print(json.dumps(train(WORKS[work], runs_of(WORKS[work])[int(index)], int(num_steps))))


if __name__ == "__main__":
    if sys.argv[1].startswith("-"):
        answer(measure)
    else:
        main(*sys.argv[1:])
