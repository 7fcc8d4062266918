"""Fleets against a plain PyTorch loop, in turns within one run: only their ratio means anything.

The work: updates of SGD at batch 128 on the embedded images, for every combination of activation,
initializer, learning rate and seed, once as fleets and once as one `nn.Sequential` at a time, both
on one thread. The ceiling is a large float32 matrix product of the same thread, timed beside them.

    python benchmarks/fleets.py [--rounds 5] [--steps 200]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from relu_exp.engine.training import train_fleet
from relu_exp.schema import RunConfig

import oracle
from configs import make_run

SHAPES = {"W1: 5 x 100": (5, 100), "W2: 20 x 100": (20, 100), "W3: 3 x 256": (3, 256)}
INITIALIZERS = [
    ("normal", {"std": 0.01}),
    ("normal", {"std": 1.0}),
    ("xavier_normal", {}),
    ("he_normal", {}),
]


def fleet_of(depth: int, width: int, steps: int) -> list[RunConfig]:
    """Return 16 runs of one seed: four initializers at four stable learning rates."""
    return [
        make_run(
            activation="tanh",
            initializer=initializer,
            depth=depth,
            width=width,
            batch_size=128,
            num_steps=steps,
            learning_rate=rate,
            evaluation_steps=(),
        )
        for initializer in INITIALIZERS
        for rate in (0.003, 0.01, 0.03, 0.1)
    ]


def seconds(work: Callable[[], object]) -> float:
    """Return the wall time of a piece of work."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def gigaflops() -> float:
    """Return the rate of a large float32 matrix product on this thread."""
    a = torch.randn(1024, 1024)
    return 10 * 2 * 1024**3 / seconds(lambda: [a @ a for _ in range(10)]) / 1e9


def flops(run: RunConfig) -> float:
    """Return the operations of a run's training; the first layer needs no gradient of its input."""
    assert run.width is not None
    inner = (run.depth - 1) * run.width**2 + 10 * run.width
    return run.num_steps * run.batch_size * 2 * (2 * 784 * run.width + 3 * inner)


def main() -> None:
    """Print, for each shape, runs per second of both ways, their ratio and the share reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=200)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    print("| work | fleet, runs/s | plain loop, runs/s | ratio (min … max) | of the ceiling |")
    print("|---|---|---|---|---|")
    for name, (depth, width) in SHAPES.items():
        runs = fleet_of(depth, width, options.steps)
        train_fleet(runs[:1])
        rounds = []
        for _ in range(options.rounds):
            ceiling = gigaflops()
            fleet = seconds(partial(train_fleet, runs)) / len(runs)
            plain = sum(seconds(partial(oracle.train, run)) for run in runs[::4]) / len(runs[::4])
            rounds.append((fleet, plain, plain / fleet, flops(runs[0]) / fleet / 1e9 / ceiling))
        fleet, plain, ratio, share = (statistics.median(each) for each in zip(*rounds, strict=True))
        low, high = min(row[2] for row in rounds), max(row[2] for row in rounds)
        scale = 200 / options.steps
        print(
            f"| {name} | {1 / fleet / scale:.2f} | {1 / plain / scale:.2f} "
            f"| {ratio:.2f} ({low:.2f} … {high:.2f}) | {share:.0%} |"
        )
    print(f"\nRuns of 200 updates per second and core; medians of {options.rounds} rounds.")


if __name__ == "__main__":
    main()
