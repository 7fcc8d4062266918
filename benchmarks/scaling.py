"""How cost grows with runs, depth, width, batch and launchers; computed, what a million runs cost.

Training is timed by the processor's own time on one thread, every row in turns with the row it is
compared to, so that whatever else the machine does counts little: read the ratios. On a GPU, and
with `--launchers`, it is timed by the clock: let nothing else run.

    python benchmarks/scaling.py [--rounds 3] [--device cpu|cuda] [--launchers] [--write PAGE]

`--write docs/scaling.md` puts the tables into that page, between its two marks.
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

from relu_exp.core.launchers import LAUNCHERS
from relu_exp.core.schema import RunConfig
from relu_exp.engine.training import train_fleet
from relu_exp.launchers.local import launch, num_cores
from relu_exp.launchers.task import FleetJob
from relu_exp.planning import costs
from relu_exp.planning.fleets import FLEET_SIZES, Fleet, num_bytes
from relu_exp.planning.plan import plan
from relu_exp.results import machine
from relu_exp.results.store import Store

from configs import make_run

DEPTHS = (1, 5, 20, 50)
WIDTHS = (32, 50, 52, 100, 256, 512)
BATCHES = (10, 32, 50, 52, 128, 512)
FLEETS = (1, 4, 16, 64)
RUNS = (1_000, 10_000, 100_000)
PEAKS = {"A100": 19.5e12, "H100": 67e12}
"""float32 operations a second without tensor cores, by the makers' data sheets."""

SHARE, OVERHEAD_SECONDS = 0.3, 1e-3
"""Assumed, not measured: the share of its peak at which a GPU trains, and a layer's time a step."""

MILLION = 1_000_000
NUM_TRAINED = (32, 128)
WAYS: dict[str, tuple[str, int, dict[str, object]]] = {
    "local, 1 process": ("local", 1, {}),
    "local, 2 processes": ("local", 2, {}),
    "ray, 2 CPUs, started and stopped": ("ray", 2, {}),
    "slurm, 2 jobs as processes here": ("slurm", 2, {"cluster": "local", "fleets_per_job": 4}),
}


def fleet_of(
    size: int, steps: int, depth: int = 5, width: int = 100, batch: int = 128
) -> list[RunConfig]:
    """Return runs of the default experiment's shape: four learning rates, and seeds."""
    rates = (0.01, 0.03, 0.1, 0.3)
    return [
        make_run(
            depth=depth,
            width=width,
            batch_size=batch,
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


Table = list[str]
"""Lines of Markdown."""


def header(*words: str) -> Table:
    """Return the first two lines of a table."""
    return [f"| {' | '.join(words)} |", "|" + "---|" * len(words)]


def shapes(rounds: int, steps: int, device: str) -> Table:
    """Return how the time of a run depends on the fleet's size, depth, width and batch."""
    larger = 16 if device == "cuda" else 1
    tables = {
        "runs a fleet": (
            {str(n * larger): fleet_of(n * larger, steps) for n in FLEETS},
            str(16 * larger),
        ),
        "depth": ({str(d): fleet_of(16 * larger, steps, depth=d) for d in DEPTHS}, "5"),
        "width": ({str(w): fleet_of(16 * larger, steps, width=w) for w in WIDTHS}, "100"),
        "batch": ({str(b): fleet_of(16 * larger, steps, batch=b) for b in BATCHES}, "128"),
    }
    lines: Table = []
    for name, (fleets, base) in tables.items():
        lines += ["", *header(name, "a run, ms", f"of {base}", f"operations, of {base}")]
        lines += compare(fleets, base, rounds, device)
    about = f"{steps} updates at batch 128; depth 5, width 100 and {16 * larger} runs a fleet"
    return [f"A run of {about} where not stated otherwise:", *lines]


def compare(fleets: dict[str, list[RunConfig]], base: str, rounds: int, device: str) -> Table:
    """Return the time of a run in each fleet, and its ratio to that in the base."""
    for runs in fleets.values():
        train_fleet(runs, device)
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in fleets}
    for _ in range(rounds):
        for name, runs in fleets.items():
            beside = seconds(fleets[base], device)
            rows[name].append((taken := seconds(runs, device), taken / beside))
    lines = []
    for name, runs in fleets.items():
        taken, ratio = (statistics.median(each) for each in zip(*rows[name], strict=True))
        operations = amount("flops", Fleet(tuple(runs))) / len(runs)
        ratio_work = operations / (amount("flops", Fleet(tuple(fleets[base]))) / len(fleets[base]))
        lines.append(f"| {name} | {1000 * taken:.0f} | {ratio:.2f} | {ratio_work:.2f} |")
    return lines


def planning() -> Table:
    """Return what planning costs."""
    lines = ["", "Planning:", "", *header("runs", "planned in, s", "ms a run")]
    for number in RUNS:
        runs = fleet_of(number, 200)
        started = time.process_time()
        plan(runs, (), FLEET_SIZES["cpu"])
        taken = time.process_time() - started
        lines.append(f"| {number:,} | {taken:.2f} | {1000 * taken / number:.4f} |")
    return lines


def launchers(rounds: int) -> Table:
    """Return the time by the clock of two sweeps with every launcher that is installed.

    Of a smaller and a larger one, so that what is paid once and what every run costs come apart.
    """
    few, many = NUM_TRAINED
    sweeps = {number: plan(fleet_of(number, 200), (), 4).fleets for number in NUM_TRAINED}
    lines = [
        "",
        f"Launchers, fleets of 4 runs of 200 updates, {num_cores()} cores, by the clock:",
        "",
        *header("launcher", f"{few} runs, s", f"{many} runs, s", "a run more, ms", "start, s"),
    ]
    for name, (launcher, num_workers, own) in WAYS.items():
        entry = LAUNCHERS[launcher]
        if entry.requires and importlib.util.find_spec(entry.requires) is None:
            print(f"{name}: left out, {entry.requires} is not installed", file=sys.stderr)
            continue
        taken = {
            number: statistics.median(
                elapsed(partial(entry.launch, fleets, fleet_job(), num_workers, ignore, **own))
                for _ in range(rounds)
            )
            for number, fleets in sweeps.items()
        }
        more = (taken[many] - taken[few]) / (many - few)
        start = max(0.0, taken[few] - few * more)
        lines.append(
            f"| {name} | {taken[few]:.1f} | {taken[many]:.1f} | {1000 * more:.0f} | {start:.1f} |"
        )
    return [*lines, "", taking_in()]


def taking_in() -> str:
    """Return, in words, what a driver does for a fleet whose part comes back to it."""
    (fleet,) = plan(fleet_of(16, 200), (), 16).fleets
    job = fleet_job()
    launch([fleet], job, 1, ignore)
    store = Store(job.results)
    packed = store.pack_part(fleet.fleet_id)
    taken = statistics.median(
        elapsed(partial(store.unpack_part, str(number), packed)) for number in range(20)
    )
    size = sum(map(len, packed.values()))
    return f"A driver takes in a part of 16 runs, {size / 1000:.0f} kB, in {1000 * taken:.0f} ms."


def ignore(event: object) -> None:
    """Hear nothing."""


def fleet_job() -> FleetJob:
    """Return a job that writes to a new folder."""
    store = Store(Path(tempfile.mkdtemp(prefix="scaling-")))
    store.open()
    return FleetJob(store.root, "session", "cpu")


def elapsed(work: Callable[[], object]) -> float:
    """Return the time by the clock of a piece of work."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def amount(word: str, fleet: Fleet) -> float:
    """Return how much of the kinds of work that begin with a word a fleet is."""
    return sum(number for kind, number in costs.work(fleet).items() if kind.startswith(word))


def million() -> Table:
    """Return what a million runs of the default shape cost, by a model of two guesses."""
    size = FLEET_SIZES["cuda"]
    fleet = Fleet(tuple(fleet_of(size, 200)))
    num_fleets = -(-MILLION // size)
    disk = num_bytes([fleet]) * num_fleets / 1e9
    flops, layer_steps = amount("flops", fleet), amount("layers", fleet)
    lines = [
        f"A fleet of {size} runs (depth 5, width 100, 200 updates at batch 128) is "
        f"{flops:.3g} operations in {layer_steps:,.0f} layer steps. A million runs "
        f"are {num_fleets:,} fleets, {num_fleets * flops:.3g} operations and about "
        f"{disk:.0f} GB of Parquet.",
        "",
        *header("GPU", "peak, TFLOP/s", "a fleet, s", "a million on 1, hours", "on 64, hours"),
    ]
    for name, peak in PEAKS.items():
        overhead = layer_steps * OVERHEAD_SECONDS
        taken = flops / (SHARE * peak) + overhead
        rounds = -(-num_fleets // 64)
        one, many = num_fleets * taken / 3600, rounds * taken / 3600
        lines.append(f"| {name} | {peak / 1e12:g} | {taken:.2f} | {one:.1f} | {many:.2f} |")
    return lines


def written(page: str, name: str, lines: Table) -> str:
    """Return a page with other lines between the marks of this name.

    Raises:
        ValueError: the page does not have them once each.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if not page.count(begin) == page.count(end) == 1 or page.index(begin) > page.index(end):
        raise ValueError(f"there is no {begin} before {end} in the page")
    before, after = page.partition(begin)[0], page.partition(end)[2]
    return "\n".join([before + begin, "", *lines, "", end + after])


def machine_line(device: str) -> str:
    """Return what was measured on."""
    made = machine.describe()
    where = torch.cuda.get_device_name() if device == "cuda" else made["model"].rpartition(" ")[0]
    cores, system = made["cores"], made["system"]
    return f"Measured on {where}, {cores} cores, {system}, PyTorch {torch.__version__}."


def main() -> None:
    """Print every table, and write them where they are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument(
        "--launchers", action="store_true", help="by the clock: needs a quiet machine"
    )
    parser.add_argument("--write", type=Path, metavar="PAGE", help="page with marks for the tables")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    with tempfile.TemporaryDirectory(prefix="scaling-") as tempfile.tempdir:
        measured, computed = tables(options)
    print("\n".join([*measured, "", *computed]))
    if options.write:
        page = written(options.write.read_text(encoding="utf-8"), "measured", measured)
        page = written(page, "computed", computed)
        options.write.write_text(page, encoding="utf-8")


def tables(options: argparse.Namespace) -> tuple[Table, Table]:
    """Return what is measured, and what is computed."""
    measured = [
        machine_line(options.device),
        "",
        *shapes(options.rounds, options.steps, options.device),
        *planning(),
    ]
    if options.launchers:
        measured += launchers(options.rounds)
    return measured, million()


if __name__ == "__main__":
    main()
