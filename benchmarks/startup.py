"""How long a person waits: from `relu-exp run` to the first update, and for `--help`.

python -m benchmarks.startup [--repeats 5]
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.command import relu_exp
from benchmarks.first_step import NOTE
from benchmarks.records import RESULTS, save
from benchmarks.rounds import ROOT, environment

_LONGEST_SECONDS = 120


def help_seconds() -> float:
    """Return how long `relu-exp --help` takes."""
    began = time.perf_counter()
    subprocess.run(relu_exp("--help"), env=environment(), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def first_step_seconds() -> float:
    """Return the time from the start of `relu-exp run` to its first update, and end it there.

    Raises:
        RuntimeError: the command ended, or two minutes passed, before it.
    """
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder, "first_step")
        command = relu_exp("run", "--plugin", "benchmarks.first_step", "--results", folder)
        began = time.time()
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment() | {NOTE: str(note)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while not (note.exists() and note.read_text()):
                if process.poll() is not None or time.time() - began > _LONGEST_SECONDS:
                    raise RuntimeError("relu-exp run made no update")
                time.sleep(0.01)
            return float(note.read_text()) - began
        finally:
            # its workers with it
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def main() -> None:
    """Measure both in turn, print the table and save it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS / "startup.json")
    options = parser.parse_args()
    found = {"relu-exp run, to the first update": [], "relu-exp --help": []}
    for _ in range(options.repeats):
        for seconds, measure in zip(
            found.values(), (first_step_seconds, help_seconds), strict=True
        ):
            seconds.append(measure())
    rows = [
        f"| `{name}` | {median(each):.2f} ({min(each):.2f} … {max(each):.2f}) |"
        for name, each in found.items()
    ]
    table = "\n".join(["| command | seconds |", "| --- | --- |", *rows, ""])
    save(options.out, table, {"seconds": found})


if __name__ == "__main__":
    main()
