"""What `--plan` says a sweep takes beside what it then takes, for sweeps of many kinds.

    python -m benchmarks.estimates [--sweeps default,deep]

This machine is calibrated first, as `--plan` does it. Then each sweep is estimated and trained, on
one thread; both times are the processor's own, so that other programs count little. A sweep is an
experiment of `experiments/` with fewer seeds, its data set loaded before.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.records import RESULTS, save
from relu_exp.config import sweeps
from relu_exp.engine.data.datasets import load
from relu_exp.launchers import local
from relu_exp.launchers.task import FleetJob, Outcome
from relu_exp.planning.costs import Costs, sweep_seconds
from relu_exp.planning.fleets import Fleet
from relu_exp.planning.memory import room_for_fleet
from relu_exp.planning.plan import plan
from relu_exp.results.store import Store
from relu_exp.session.machine_calibration import measure

_CALM = "initializer=he_normal learning_rate=0.01,0.1"

SWEEPS: dict[str, str] = {
    "default": "default seed=range(1) learning_rate=0.1",
    "deep": "depth-limit depth=41 network=mlp learning_rate=0.003 seed=range(2)",
    "wide": f"default activation=relu {_CALM} width=512 depth=3 seed=range(4) num_steps=60",
    "convolutional": "convergence-cnn learning_rate=0.1 seed=range(3)",
    "probed often": "default activation=tanh depth=5 probes.steps=every:2 seed=range(2)",
    "evaluated often": "model-size seed=range(4)",
    "adam": "default optimizer=adam learning_rate=0.001 depth=5 seed=range(2)",
    "relu alone": f"default activation=relu {_CALM} depth=5 seed=range(24)",
    "sigmoid alone": f"default activation=sigmoid {_CALM} depth=5 seed=range(24)",
    "mish alone": f"default activation=mish {_CALM} depth=5 seed=range(12)",
    "many diverge": "dying-relu seed=range(2) depth=2,10",
    "narrow": "saturation seed=range(2)",
    "untrained": "signals seed=range(8)",
}
"""Name → an experiment and what is changed of it."""


def fleets_of(words: str, costs: Costs) -> tuple[Fleet, ...]:
    """Return the fleets of a sweep, as `relu-exp run` would make them for one worker."""
    experiment, *overrides = words.split()
    (sweep,) = sweeps([experiment], overrides, None)
    return plan(sweep.runs(), (), costs.fleet_size, room=room_for_fleet("cpu", 1)).fleets


def train(fleets: tuple[Fleet, ...]) -> tuple[float, float]:
    """Return the processor's seconds that a sweep takes, and the share of runs that diverge."""
    for dataset in {fleet.runs[0].dataset for fleet in fleets}:
        load(dataset)
    diverged = 0

    def callback(news: object) -> None:
        nonlocal diverged
        if isinstance(news, Outcome):
            if news.reasons:
                raise RuntimeError(f"runs failed: {'; '.join(news.reasons)}")
            diverged += news.counts.get("diverged", 0)

    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        store.open()
        began = time.process_time()
        local.launch(
            fleets, FleetJob(store.root, "session", "cpu", checkpoint_seconds=60), 1, callback
        )
        seconds = time.process_time() - began
    return seconds, diverged / sum(len(fleet.runs) for fleet in fleets)


def main() -> None:
    """Calibrate, estimate, train, and save the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweeps", default=",".join(SWEEPS), help="some of the sweeps, by name")
    parser.add_argument("--out", type=Path, default=RESULTS / "estimates.json")
    options = parser.parse_args()
    began = time.process_time()
    costs = measure("cpu")
    calibration = time.process_time() - began
    rows, found = [], {}
    for name in options.sweeps.split(","):
        fleets = fleets_of(SWEEPS[name], costs)
        estimated = sweep_seconds(fleets, costs, 1) - costs.start_seconds
        taken, diverged = train(fleets)
        num_runs = sum(len(fleet.runs) for fleet in fleets)
        ratio = estimated / taken
        line = f"| {name} | {num_runs} | {estimated:.1f} | {taken:.1f} | {ratio:.2f} "
        line += f"| {diverged:.0%} |"
        print(line, flush=True)
        rows.append(line)
        found[name] = {
            "words": SWEEPS[name],
            "runs": num_runs,
            "estimated": estimated,
            "taken": taken,
            "diverged": diverged,
        }
    table = "\n".join(
        [
            "| sweep | runs | estimated, s | taken, s | estimated / taken | diverged |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            f"Calibrated in {calibration:.1f} s of one core: {costs.fleet_size} runs a fleet, "
            f"{costs.num_workers} processes.",
        ]
    )
    save(options.out, table, {"sweeps": found, "calibration_seconds": calibration})


if __name__ == "__main__":
    main()
