"""Fleets on a GPU beside a plain loop and JAX there, in turns; `--device cpu` tries it out.

python -m benchmarks.device [--work default,W1,W2,W3,W4,W4:tf32,W4:bfloat16] [--rounds 3]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import torch

from benchmarks.check import NUM_CHECKED, TOLERANCE, deviation
from benchmarks.child import Question, single_threaded
from benchmarks.peers.fleet import configurations, curves, train_fleets
from benchmarks.peers.plain import train
from benchmarks.records import RESULTS, save
from benchmarks.rounds import ask
from benchmarks.ways import WAYS, missing
from benchmarks.work import NUM_STEPS, WORKS, gigaflop, prepare, runs_of
from relu_exp.config import sweeps
from relu_exp.core.schema import RunConfig
from relu_exp.planning.fleets import NUM_GPU_WORKERS

NAMES = ("default", *WORKS, "W4:tf32", "W4:bfloat16")
"""`default` is the sweep that `relu-exp run` trains; after a colon stands the precision."""


@dataclass(frozen=True)
class Turn:
    """One round of one work: the fleets' seconds and GFLOP/s, the ceiling's, and the peers' runs/s.

    The default sweep has runs of several shapes: no peers and no GFLOP/s. Peers compute in float32.
    """

    work: str
    num_runs: int
    seconds: float
    gigaflops: float | None
    ceiling: float
    memory: float
    plain_rate: float | None
    deviation: float | None
    jax_rate: float | None


def synchronize(device: str) -> None:
    """Wait until a GPU has done what it was told."""
    if device == "cuda":
        torch.cuda.synchronize()


def timed(device: str, work: Callable[[], object]) -> float:
    """Return the seconds that something takes on a device."""
    synchronize(device)
    began = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - began


def ceiling(device: str) -> float:
    """Return the rate of large float32 matrix products, without TF32, in GFLOP/s."""
    torch.set_float32_matmul_precision("highest")
    size, count = (8192, 5) if device == "cuda" else (1024, 5)
    a = torch.randn(size, size, device=device)
    a @ a
    return count * 2 * size**3 / timed(device, lambda: [a @ a for _ in range(count)]) / 1e9


class _MemoryInUse:
    """The most memory of the device in use by all processes within the context, in MB."""

    def __init__(self, device: str) -> None:
        self.device, self.most, self.is_over = device, 0.0, threading.Event()

    def __enter__(self) -> _MemoryInUse:
        if self.device == "cuda":
            threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()

    def _watch(self) -> None:
        while not self.is_over.wait(0.05):
            free, total = torch.cuda.mem_get_info()
            self.most = max(self.most, (total - free) / 1e6)


def sample_of(name: str, num_steps: int, num_seeds: int | None) -> dict[str, RunConfig]:
    """Return the runs of a work by name; `default` is the sweep that `relu-exp run` trains."""
    if name == "default":
        seeds = [] if num_seeds is None else [f"seed=range({num_seeds})"]
        words = [*seeds, *([] if num_steps == NUM_STEPS else [f"num_steps={num_steps}"])]
        (sweep,) = sweeps(["default"], words, None)
        return {run.run_id: run for run in sweep.runs()}
    work, _, precision = name.partition(":")
    overrides = [f"precision={precision}"] if precision else []
    every = configurations(WORKS[work], num_steps, overrides)
    return {
        run.name: every[run.name]
        for run in runs_of(WORKS[work])
        if num_seeds is None or run.seed < num_seeds
    }


def turn(name: str, options: argparse.Namespace) -> Turn:
    """Train a work as fleets and a few of its runs one at a time."""
    device, sample = options.device, sample_of(name, options.steps, options.seeds)
    peak = ceiling(device)
    with tempfile.TemporaryDirectory() as place:
        folder, runs = Path(place), list(sample.values())
        # the launcher returns when every table is written: nothing is left on the device
        with _MemoryInUse(device) as memory:
            seconds = train_fleets(runs, folder, device, options.workers, options.size)
        losses = curves(folder, sample)
    plain_rate = difference = gigaflops = jax_rate = None
    if name in WORKS:
        shape = WORKS[name]
        updates = sum(map(len, losses.values()))
        gigaflops = updates / NUM_STEPS * gigaflop(shape) / seconds
        few = runs_of(shape)[: options.plain_runs]
        plain_rate = len(few) / timed(
            device, lambda: [train(shape, run, options.steps, device) for run in few]
        )
        head = {run.name: losses[run.name] for run in runs_of(shape)[:NUM_CHECKED]}
        difference = deviation(shape, head)
        if device == "cuda" and name in options.jax.split(",") and not missing(WAYS["jax"]):
            found, error = ask("jax_gpu", Question(shape, len(few), options.steps), options.cache)
            jax_rate = found["rate"] if found else None
            if error:
                print(f"JAX on {name}: {error}", file=sys.stderr)
    return Turn(
        name, len(runs), seconds, gigaflops, peak, memory.most, plain_rate, difference, jax_rate
    )


def markdown(turns: Mapping[str, list[Turn]]) -> str:
    """Return the table: medians over the rounds, ratios within a round."""
    lines = [
        "| work | runs | s | runs/s | plain loop, runs/s | faster by | JAX, runs/s "
        "| of the float32 ceiling | memory, MB | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, rounds in turns.items():
        seconds = median(each.seconds for each in rounds)
        rates = [each.num_runs / each.seconds for each in rounds]
        plain = [each.plain_rate for each in rounds if each.plain_rate]
        ratios = [rate / each for rate, each in zip(rates, plain, strict=False)]
        shares = [each.gigaflops / each.ceiling for each in rounds if each.gigaflops]
        share = f"{median(shares):.0%}" if shares else ""
        memory = max(each.memory for each in rounds)
        worst = max(each.deviation or 0.0 for each in rounds)
        verdict = "" if worst <= TOLERANCE else f"losses differ by {worst:.0e}"
        compared = f"{median(plain):.2f} | {median(ratios):.0f}" if plain else " | "
        if ratios and len(ratios) > 1:
            compared += f" ({min(ratios):.0f} … {max(ratios):.0f})"
        jax = [each.jax_rate for each in rounds if each.jax_rate]
        compared += f" | {median(jax):.0f}" if jax else " | "
        lines.append(
            f"| {name} | {rounds[0].num_runs} | {seconds:.2f} | {median(rates):.0f} | {compared} "
            f"| {share} | {memory:.0f} | {verdict} |"
        )
    return "\n".join([*lines, ""])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--work", default=",".join(NAMES), help=f"of {', '.join(NAMES)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, help="runs of a fleet; as many as relu-exp chooses")
    parser.add_argument("--workers", type=int, default=NUM_GPU_WORKERS, help="processes")
    parser.add_argument("--plain-runs", type=int, default=4, help="runs of the plain loop")
    parser.add_argument("--seeds", type=int, help="so many seeds only")
    parser.add_argument("--steps", type=int, default=NUM_STEPS)
    parser.add_argument("--out", type=Path, default=RESULTS / "gpu.json")
    parser.add_argument("--jax", default="W1,W4", help="works that JAX computes, too")
    parser.add_argument("--cache", help="folder in which JAX keeps what it compiled")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("this machine has no usable GPU; --device cpu tries the program out")
    if unknown := [name for name in options.work.split(",") if name not in NAMES]:
        parser.error(f"--work {unknown[0]} is not valid: choose from {', '.join(NAMES)}")
    return options


def main() -> None:
    """Measure in rounds, print the table and save it."""
    options = _options()
    prepare()
    single_threaded()
    names = options.work.split(",")
    # libraries start with the first product on a device
    train(WORKS["W1"], runs_of(WORKS["W1"])[0], 2, options.device)
    turns: dict[str, list[Turn]] = {name: [] for name in names}
    device = torch.cuda.get_device_name() if options.device == "cuda" else "cpu"
    for number in range(1, options.rounds + 1):
        for name in names:
            turns[name].append(turn(name, options))
            seconds = turns[name][-1].seconds
            print(f"round {number}: {name}: {seconds:.2f} s", file=sys.stderr, flush=True)
        flat = [asdict(each) for rounds in turns.values() for each in rounds]
        save(options.out, markdown(turns), {"device": device, "turns": flat})


if __name__ == "__main__":
    main()
