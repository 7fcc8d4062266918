"""Rounds in which every way runs once, with the machine's ceiling measured beside each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks.check import NUM_CHECKED, TOLERANCE, deviation
from benchmarks.child import ANSWER, Question, single_threaded
from benchmarks.ways import Chosen
from benchmarks.work import WORKS, runs_of

__all__ = ["ROOT", "Cell", "Rounds", "ask", "ceiling", "environment"]

ROOT = Path(__file__).parents[1]
_LONGEST_SECONDS = 1200


def ceiling(num_threads: int = 2, seconds: float = 0.4) -> float:
    """Return the rate of large float32 matrix products on some cores, in GFLOP/s."""
    threads = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        size = 1536
        a, out = torch.randn(size, size), torch.empty(size, size)
        torch.mm(a, a, out=out)
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            torch.mm(a, a, out=out)
            count += 1
        return count * 2 * size**3 / (time.perf_counter() - began) / 1e9
    finally:
        torch.set_num_threads(threads)


def environment(folder: str | None = None) -> dict[str, str]:
    """Return the environment of a child: it finds the benchmarks, and JAX its compilations."""
    path = [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path))}
    if folder:
        # compiled in the first round only, which is the one that tells how long it takes
        variables["JAX_COMPILATION_CACHE_DIR"] = folder
        variables["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    return variables


@dataclass(frozen=True)
class Cell:
    """One way on one work in one round; `ceiling` is the mean of before and after, in GFLOP/s."""

    round: int
    work: str
    way: str
    title: str
    ceiling: float
    seconds: float
    rate: float | None = None
    once: float | None = None
    updates: float = 1.0
    sample: str = ""
    deviation: float | None = None
    error: str | None = None

    @property
    def counts(self) -> bool:
        """Whether its rate may be compared."""
        return self.rate is not None and self.error is None


@dataclass
class Rounds:
    """The rounds of one invocation; stops before what would not end within the budget."""

    plan: list[tuple[str, Chosen]]
    num_rounds: int
    budget: float
    folder: str
    num_runs: int | None = None
    num_steps: int | None = None
    cells: list[Cell] = field(default_factory=list)

    def run(self) -> list[Cell]:
        """Return every cell, also when Ctrl-C or the budget ends it early."""
        single_threaded()
        began = time.monotonic()
        lasted: dict[tuple[str, str], float] = {}
        try:
            for number in range(1, self.num_rounds + 1):
                for work, choice in self.plan:
                    key = (work, choice.label)
                    left = self.budget - (time.monotonic() - began)
                    if lasted.get(key, 0.0) > left:
                        _say(f"round {number}: {work} {choice.label} left out, budget spent")
                        continue
                    started = time.monotonic()
                    cell = self._measure(number, work, choice)
                    lasted[key] = time.monotonic() - started
                    self.cells.append(cell)
                    _say(_line(cell))
        except KeyboardInterrupt:
            _say("interrupted: the table has what was measured")
        return self.cells

    def _measure(self, number: int, work: str, choice: Chosen) -> Cell:
        question = choice.way.question(work, choice.size, self.num_runs, self.num_steps)
        before, began = ceiling(), time.monotonic()
        found, error = ask(choice.way.program, question, self.folder)
        seconds = time.monotonic() - began
        result: dict[str, Any] = {"error": error}
        if found:
            head = [run.name for run in runs_of(WORKS[work])[:NUM_CHECKED]]
            losses = {name: found["losses"][name] for name in head if name in found["losses"]}
            result = {key: found[key] for key in ("rate", "once", "updates", "sample")}
            result["deviation"] = deviation(WORKS[work], losses)
            if result["deviation"] > TOLERANCE:
                result["error"] = f"losses differ by {result['deviation']:.0e} from a plain loop's"
        rate = (before + ceiling()) / 2
        return Cell(number, work, choice.label, choice.title, rate, seconds, **result)


def ask(
    program: str, question: Question, folder: str | None = None
) -> tuple[dict[str, Any] | None, str | None]:
    """Return what a program answered, or None and why it did not."""
    words = ["--work", question.work.name, "--runs", str(question.num_runs)]
    words += ["--steps", str(question.num_steps), "--workers", str(question.num_workers)]
    if question.size:
        words += ["--size", str(question.size)]
    try:
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.peers.{program}", *words],
            cwd=ROOT,
            env=environment(folder),
            capture_output=True,
            text=True,
            timeout=_LONGEST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return None, f"took longer than {_LONGEST_SECONDS} s"
    answers = [line for line in done.stdout.splitlines() if line.startswith(ANSWER)]
    if done.returncode or not answers:
        lines = done.stderr.strip().splitlines() or ["no answer"]
        return None, f"failed: {lines[-1]}"
    return json.loads(answers[-1].removeprefix(ANSWER)), None


def _line(cell: Cell) -> str:
    what = cell.error or f"{cell.rate:.2f} runs/s"
    return f"round {cell.round}: {cell.work} {cell.way}: {what} ({cell.seconds:.0f} s)"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
