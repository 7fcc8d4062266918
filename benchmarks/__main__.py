"""relu-exp's fleets beside every peer, in rounds in which each way runs once.

python -m benchmarks [--work W1,W2,W3] [--ways fleet,plain,jax:32] [--rounds 2] [--budget 520]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.plot import draw
from benchmarks.records import RESULTS, save
from benchmarks.rounds import Rounds
from benchmarks.table import markdown
from benchmarks.ways import WAYS, Chosen, chosen, missing
from benchmarks.work import WORKS, prepare


def _works(words: str) -> list[str]:
    for word in words.split(","):
        if word not in WORKS:
            raise argparse.ArgumentTypeError(f"{word} is not a work; valid: {', '.join(WORKS)}")
    return words.split(",")


def _ways(words: str) -> list[Chosen]:
    try:
        return chosen(words)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--work", type=_works, default=["W1", "W2", "W3"], help="W1,W2,W3,W4")
    parser.add_argument("--ways", type=_ways, help=f"of {', '.join(WAYS)}; jax:32 stacks 32 runs")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--budget", type=float, default=520.0, help="seconds; nothing starts later")
    parser.add_argument("--runs", type=int, help="a sample of so many runs, for all ways")
    parser.add_argument("--steps", type=int, help="so many updates, for all ways")
    parser.add_argument("--out", type=Path, default=RESULTS / "cpu.json")
    return parser.parse_args()


def main() -> None:
    """Measure, print the table and save it with its picture."""
    options = _options()
    plan = [
        (work, choice)
        for work in options.work
        for choice in options.ways or [Chosen(name, None) for name in WAYS]
        if options.ways or work in choice.way.runs
    ]
    lacking = {choice.label: missing(choice.way) for _, choice in plan}
    for label, packages in lacking.items():
        if packages:
            names = ", ".join(packages)
            print(
                f"{label}: left out, {names} not installed: pip install -e '.[bench]'",
                file=sys.stderr,
            )
    plan = [(work, choice) for work, choice in plan if not lacking[choice.label]]
    prepare()
    with tempfile.TemporaryDirectory() as folder:
        rounds = Rounds(plan, options.rounds, options.budget, folder, options.runs, options.steps)
        cells = rounds.run()
    if cells:
        save(options.out, markdown(cells), {"cells": [asdict(cell) for cell in cells]})
        draw(cells, options.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
