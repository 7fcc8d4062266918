"""How cost grows with runs, depth, width and launchers; and, computed, what a million runs cost.

Training is timed by the processor's own time on one thread, every row in turns with the row it is
compared to, so that whatever else the machine does counts little: read the ratios. On a GPU it is
timed by the clock.

    python benchmarks/scaling.py [--rounds 3] [--device cpu|cuda] [--launchers]
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from relu_exp.engine.training import train_fleet
from relu_exp.launchers.registry import LAUNCHERS
from relu_exp.launchers.task import Mission
from relu_exp.plan import EFFICIENCY, FLEET_SIZES, OVERHEAD_SECONDS, Fleet, estimate, plan
from relu_exp.schema import RunConfig
from relu_exp.store import Store

from configs import make_run

DEPTHS = (1, 5, 20, 50)
WIDTHS = (32, 100, 256, 512)
FLEETS = (1, 4, 16, 64)
RUNS = (1_000, 10_000, 100_000)
PEAKS = {"A100": 19.5e12, "H100": 67e12}
"""float32 operations a second without tensor cores, by the makers' data sheets."""

MILLION = 1_000_000


def fleet_of(size: int, steps: int, depth: int = 5, width: int = 100) -> list[RunConfig]:
    """Return runs of the default experiment's shape: four learning rates, and seeds."""
    rates = (0.01, 0.03, 0.1, 0.3)
    return [
        make_run(
            depth=depth,
            width=width,
            batch_size=128,
            num_steps=steps,
            learning_rate=rates[number % 4],
            seed=number // 4,
            evaluation_steps=(steps,),
        )
        for number in range(size)
    ]


def seconds(runs: Sequence[RunConfig], device: str) -> float:
    """Return the time that a run takes in this fleet."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    started = clock()
    train_fleet(runs, device)
    return (clock() - started) / len(runs)


def compare(fleets: dict[str, list[RunConfig]], base: str, rounds: int, device: str) -> None:
    """Print the time of a run in each fleet, and its ratio to that in the base."""
    for runs in fleets.values():
        train_fleet(runs, device)
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in fleets}
    for _ in range(rounds):
        for name, runs in fleets.items():
            beside = seconds(fleets[base], device)
            rows[name].append((taken := seconds(runs, device), taken / beside))
    for name, runs in fleets.items():
        taken, ratio = (statistics.median(each) for each in zip(*rows[name], strict=True))
        work = Fleet(tuple(runs)).flops / len(runs)
        ratio_work = work / (Fleet(tuple(fleets[base])).flops / len(fleets[base]))
        print(f"| {name} | {1000 * taken:.0f} | {ratio:.2f} | {ratio_work:.2f} |")


def planning() -> None:
    """Print what planning costs."""
    print("\n| runs | planned in, s | s per 1,000 runs |\n|---|---|---|")
    for number in RUNS:
        runs = fleet_of(number, 200)
        started = time.process_time()
        plan(runs, (), FLEET_SIZES["cpu"])
        taken = time.process_time() - started
        print(f"| {number:,} | {taken:.2f} | {1000 * taken / number:.4f} |")


def launchers(rounds: int) -> None:
    """Print the time by the clock of one small sweep with every launcher that is installed."""
    runs = fleet_of(64, 200)
    fleets = plan(runs, (), 4).fleets
    ways = {
        "local, 1 process": ("local", 1, {}),
        "local, 2 processes": ("local", 2, {}),
        "ray, 2 CPUs, started and stopped": ("ray", 2, {}),
        "slurm, 2 jobs as processes here": ("slurm", 2, {"cluster": "local", "fleets_per_job": 8}),
    }
    print("\n| launcher | sweep, s | of one process |\n|---|---|---|")
    base = 0.0
    for name, (launcher, num_workers, own) in ways.items():
        entry = LAUNCHERS[launcher]
        if entry.requires and importlib.util.find_spec(entry.requires) is None:
            continue
        sail = partial(entry.launch, fleets, num_workers=num_workers, tell=ignore, **own)
        taken = statistics.median(elapsed(partial(sail, mission=mission())) for _ in range(rounds))
        base = base or taken
        print(f"| {name} | {taken:.1f} | {taken / base:.2f} |")


def ignore(event: object) -> None:
    """Hear nothing."""


def mission() -> Mission:
    """Return an order to write to a new folder."""
    store = Store(Path(tempfile.mkdtemp(prefix="scaling-")))
    store.open()
    return Mission(store.root, "session", "cpu")


def elapsed(work: Callable[[], object]) -> float:
    """Return the time by the clock of a piece of work."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def million() -> None:
    """Print what a million runs of the default shape cost, by the planner's own model."""
    size = FLEET_SIZES["cuda"]
    fleet = Fleet(tuple(fleet_of(size, 200)))
    num_fleets = -(-MILLION // size)
    disk = estimate([fleet], "cpu", 1).num_bytes * num_fleets / 1e9
    print(
        f"\na fleet: {size} runs, {fleet.flops:.3g} operations, {fleet.num_layer_steps} layer steps"
    )
    print(f"a million runs: {num_fleets:,} fleets, {num_fleets * fleet.flops:.3g} operations")
    print(f"disk: about {disk:.0f} GB\n")
    print("| GPU | a fleet, s | a million on 1, hours | on 64, hours |\n|---|---|---|---|")
    for name, peak in PEAKS.items():
        overhead = fleet.num_layer_steps * OVERHEAD_SECONDS["cuda"]
        taken = fleet.flops / (EFFICIENCY["cuda"] * peak) + overhead
        rounds = -(-num_fleets // 64)
        one, many = num_fleets * taken / 3600, rounds * taken / 3600
        print(f"| {name} | {taken:.1f} | {one:.1f} | {many:.2f} |")


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument(
        "--launchers", action="store_true", help="by the clock: needs a quiet machine"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    steps, larger = options.steps, 16 if options.device == "cuda" else 1
    tables = {
        "runs a fleet": (
            {str(n * larger): fleet_of(n * larger, steps) for n in FLEETS},
            str(16 * larger),
        ),
        "depth": ({str(d): fleet_of(16 * larger, steps, depth=d) for d in DEPTHS}, "5"),
        "width": ({str(w): fleet_of(16 * larger, steps, width=w) for w in WIDTHS}, "100"),
    }
    for name, (fleets, base) in tables.items():
        print(f"\n| {name} | a run, ms | of {base} | operations, of {base} |\n|---|---|---|---|")
        compare(fleets, base, options.rounds, options.device)
    planning()
    if options.launchers:
        launchers(options.rounds)
    million()


if __name__ == "__main__":
    main()
