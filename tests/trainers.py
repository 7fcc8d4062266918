"""Trainers that misbehave on purpose; any process that has tests/ on its path imports them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from relu_exp.core.schema import UsageError
from relu_exp.engine.training import train_fleet
from relu_exp.launchers.task import Engine, FleetJob

FAILING, KILLING, WAITING, ABSENT, KILLED_ONCE, PREEMPTED_ONCE, STOPPED = (
    0.7,
    0.8,
    0.9,
    0.6,
    0.55,
    0.56,
    0.57,
)
"""Learning rates by which a trainer knows what to do."""

NOTES = "RELU_EXP_TEST_NOTES"
"""Environment variable: the folder where trainers on any node note what they begin."""


def notes(name: str) -> int:
    """Return how often something was noted before, and note it."""
    folder = Path(os.environ[NOTES])
    number = 0
    while True:
        try:
            (folder / f"{name}-{number}").open("x").close()
        except FileExistsError:
            number += 1
        else:
            return number


def train(runs, device, on_step):
    """Train, unless the learning rate of a run says otherwise."""
    rates = {run.learning_rate for run in runs}
    if ABSENT in rates:
        raise UsageError("dataset fashion_mnist is not there")
    if KILLING in rates or (KILLED_ONCE in rates and not notes("killed")):
        os.kill(os.getpid(), signal.SIGKILL)
    if STOPPED in rates or (PREEMPTED_ONCE in rates and not notes("preempted")):
        os.kill(os.getpid(), signal.SIGUSR2)
    if FAILING in rates:
        raise ValueError("this run cannot be trained")
    if WAITING in rates:
        for step in range(2000):
            time.sleep(0.05)
            on_step(step)
    return train_fleet(runs, device, on_step)


def train_among_losses(runs, device, on_step):
    """Train on a Ray cluster; on the first node that is not the head, wait to be lost with it."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    folder = Path(os.environ[NOTES])
    if node != (folder / "head").read_text() and notes("doomed") < int(os.environ["NUM_DOOMED"]):
        (folder / f"victim.{node}").touch()
        time.sleep(600)
    # as everybody trains, who says what a run was made from; no checkpoint, so no results folder
    return Engine(FleetJob(folder, "session", device)).train(runs, device, on_step)
