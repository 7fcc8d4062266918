"""W1 and W4 as a user runs them: time of 320 runs and memory of the whole process tree.

    python -m benchmarks.memory [--work W1,W4]

Memory is PSS: what processes share counts once. Linux only.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.command import relu_exp
from benchmarks.peers.fleet import REFERENCE
from benchmarks.records import RESULTS, save
from benchmarks.rounds import ROOT, environment
from benchmarks.work import WORKS, Work
from relu_exp.session.machine_calibration import calibrated

_INTERVAL_SECONDS = 0.25


@dataclass(frozen=True)
class Sample:
    """One look at a command under way: memory in MB, and the runs that are saved."""

    time: float
    memory: float
    num_parts: int


@dataclass(frozen=True)
class Footprint:
    """What a work took; `seconds_320` is from the first saved fleet to the last, for 320 runs."""

    work: str
    num_runs: int
    seconds: float
    seconds_320: float
    training_memory: float
    report_memory: float


def tree(root: int) -> list[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            # the name in parentheses may hold spaces
            parent = int(file.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(file.parent.name))
    found = [root]
    for process in found:
        found += children.get(process, [])
    return found


def memory(root: int) -> float:
    """Return the proportional set size of a process tree in MB; who has just ended counts 0."""
    total = 0
    for process in tree(root):
        try:
            text = Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total / 1024


def watch(work: Work, overrides: list[str]) -> Footprint:
    """Run relu-exp on a work and return what it took.

    Raises:
        RuntimeError: the command failed, or was over before two fleets were saved.
    """
    with tempfile.TemporaryDirectory() as folder:
        words = [str(REFERENCE), *work.overrides, *overrides, "--results", folder]
        began = time.perf_counter()
        process = subprocess.Popen(
            relu_exp("run", *words),
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        samples = []
        while process.poll() is None:
            num_parts = len(list(Path(folder).glob("*/parts/[!.]*")))
            samples.append(Sample(time.perf_counter() - began, memory(process.pid), num_parts))
            time.sleep(_INTERVAL_SECONDS)
        seconds = time.perf_counter() - began
        assert process.stderr is not None
        if process.returncode:
            raise RuntimeError(f"relu-exp failed: {process.stderr.read()}")
    return _footprint(work, samples, seconds)


def _footprint(work: Work, samples: list[Sample], seconds: float) -> Footprint:
    most = max(sample.num_parts for sample in samples)
    under_way = [sample for sample in samples if sample.num_parts]
    last = next(sample for sample in samples if sample.num_parts == most)
    first = under_way[0]
    if first.num_parts == most:
        raise RuntimeError("too few fleets for a rate: all were saved at once")
    num_runs = 80 * work.num_seeds
    trained = (most - first.num_parts) / most * num_runs
    return Footprint(
        work.name,
        num_runs,
        seconds,
        (last.time - first.time) / trained * 320,
        max(sample.memory for sample in samples if sample.time <= last.time),
        max((sample.memory for sample in samples if sample.time > last.time), default=0.0),
    )


def markdown(found: list[Footprint]) -> str:
    """Return the table."""
    lines = [
        "| work | runs | whole command, s | training of 320 runs, s | memory in training, MB "
        "| memory in the report, MB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for each in found:
        lines.append(
            f"| {each.work} | {each.num_runs} | {each.seconds:.1f} | {each.seconds_320:.1f} "
            f"| {each.training_memory:.0f} | {each.report_memory:.0f} |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    """Watch each work, print the table and save it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", default="W1,W4", help="of W1, W2, W3, W4")
    parser.add_argument("--set", nargs="*", default=[], help="overrides, such as num_steps=5")
    parser.add_argument("--out", type=Path, default=RESULTS / "memory.json")
    options = parser.parse_args()
    # a long sweep measures the machine first, and what it finds sets the size of every fleet
    calibrated("cpu")
    found = []
    for name in options.work.split(","):
        found.append(watch(WORKS[name], options.set))
        print(f"{name}: {found[-1].seconds:.0f} s", file=sys.stderr, flush=True)
    save(options.out, markdown(found), {"works": [asdict(each) for each in found]})


if __name__ == "__main__":
    main()
