"""Timings of activations, alone and in a network, with `torch.utils.benchmark`.

Every repeat measures all arms in a new random order, so that other load on the machine affects all
of them alike. Only ratios within a repeat are meaningful.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relu_exp.core.schema import TABLES
from relu_exp.engine.activations import ACTIVATIONS
from relu_exp.results.store import Columns

__all__ = ["Arm", "measure", "study"]

REPEATS = {"quick": 8, "standard": 48, "full": 128}
PASSES = 2
"""Measurements of an arm in a repeat; the minimum counts, because disturbances only add time."""
SECONDS = 1e-3
"""Minimum time of one measurement, which is filled with as many calls as needed."""
NUM_ELEMENTS = (12_800, 128_000, 1_280_000)
"""Sizes of elementwise timings: 100 units × a batch of 128, and 10 and 100 times that."""
WIDTHS = (100, 300)
DEPTH, BATCH, NUM_INPUTS, NUM_CLASSES = 5, 128, 784, 10
IN_NETWORKS = ("relu", "elu", "tanh", "sigmoid")
ZEROED = (0.5, 0.9)
"""Shares of each hidden layer's units that output zero on every sample."""

Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Arm:
    """One timed call, with its columns in the table `timings`."""

    part: str
    activation: str
    direction: str
    size: int
    amount: float
    call: Callable[[], object]


def study(device: str, budget: str | None) -> Mapping[str, Columns]:
    """Return the table `timings` for one CPU thread and, if `device` is `cuda`, for the GPU too."""
    repeats = REPEATS[budget or "standard"]
    rows = [row for where in dict.fromkeys(["cpu", device]) for row in measure(where, repeats)]
    return {"timings": {column: [row[column] for row in rows] for column in TABLES["timings"]}}


def measure(device: str, repeats: int) -> Iterator[dict[str, object]]:
    """Yield one row of `timings` per arm and repeat, timed on one thread of a CPU or on a GPU."""
    arms = [*_elementwise(device), *_networks(device)]
    new_timer = _timer_class()
    timers = [new_timer("call()", globals={"call": arm.call}, num_threads=1) for arm in arms]
    # timeit warms up first; this estimates how many calls fill a measurement
    numbers = [
        max(1, min(1000, math.ceil(SECONDS / max(timer.timeit(1).mean, 1e-7)))) for timer in timers
    ]
    order, draw = list(range(len(arms))), random.Random(0)  # noqa: S311 - not for security
    for repeat in range(repeats):
        least = [math.inf] * len(arms)
        for _ in range(PASSES):
            draw.shuffle(order)
            for place in order:
                seconds = timers[place].timeit(numbers[place]).mean
                least[place] = min(least[place], seconds)
        for arm, seconds in zip(arms, least, strict=True):
            yield {
                "part": arm.part,
                "activation": arm.activation,
                "direction": arm.direction,
                "size": arm.size,
                "amount": arm.amount,
                "repeat": repeat,
                "seconds": seconds,
                "device": device,
            }


def _timer_class() -> Any:
    """Return PyTorch's timer class; loading it, and a compiler with it, takes a while.

    The compiler warns where it finds CUDA's tools but no GPU: nothing here needs one.
    """
    logger = logging.getLogger("torch.utils.cpp_extension")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        from torch.utils.benchmark import Timer
    finally:
        logger.setLevel(level)
    return Timer


def _functions(device: str) -> dict[str, Function]:
    """Return every activation as PyTorch provides it, with default settings."""
    slope = torch.tensor([0.25], device=device)
    native: dict[str, Function] = {
        "leaky_relu": F.leaky_relu,
        "prelu": lambda x: F.prelu(x, slope),
        "rrelu": lambda x: F.rrelu(x, training=True),
    }
    plain = {name: entry.function for name, entry in ACTIVATIONS.items()}
    return {**plain, **native}


def _elementwise(device: str) -> Iterator[Arm]:
    """Yield the functions alone, forward and backward, at several sizes."""
    for name, function in _functions(device).items():
        # identity does nothing, and no gradient passes through step
        if name in ("identity", "step"):
            continue
        # the largest size takes as long as the others together: only if a claim compares it
        for size in NUM_ELEMENTS if name in IN_NETWORKS else NUM_ELEMENTS[:-1]:
            x = torch.randn(size, generator=torch.Generator().manual_seed(0)).to(device)
            yield Arm("elementwise", name, "forward", size, 0.0, _forward(function, x))
            yield Arm("elementwise", name, "backward", size, 0.0, _backward(function, x))


def _forward(function: Function, x: Tensor) -> Callable[[], object]:
    @torch.no_grad()
    def call() -> object:
        return function(x)

    return call


def _backward(function: Function, x: Tensor) -> Callable[[], object]:
    point = x.clone().requires_grad_()
    with torch.enable_grad():
        y = function(point)
    above = torch.ones_like(y)
    return lambda: torch.autograd.grad(y, point, above, retain_graph=True)


def _networks(device: str) -> Iterator[Arm]:
    """Yield networks with different numbers of activations, and with units zeroed or removed."""
    functions = _functions(device)
    for width in WIDTHS:
        yield from _both("activations", "identity", width, 0, _network(width, None, 0), device)
        for name in IN_NETWORKS:
            for count in (DEPTH // 2, DEPTH):
                network = _network(width, functions[name], count)
                yield from _both("activations", name, width, count, network, device)
    width, relu = max(WIDTHS), functions["relu"]
    yield from _both("zeroed", "relu", width, 0.0, _network(width, relu, DEPTH), device)
    for share in ZEROED:
        network = _network(width, relu, DEPTH)
        with torch.no_grad():
            for layer in network.layers:
                layer.bias[: round(share * width)] = -1e9
        yield from _both("zeroed", "relu", width, share, network, device)
        smaller = _network(round((1 - share) * width), relu, DEPTH)
        yield from _both("removed", "relu", width, share, smaller, device)


class _Network(nn.Module):
    """A multilayer perceptron with an activation after the first `count` hidden layers."""

    def __init__(self, width: int, function: Function | None, count: int) -> None:
        super().__init__()
        sizes = [NUM_INPUTS, *([width] * DEPTH)]
        self.layers = [nn.Linear(fan_in, fan_out) for fan_in, fan_out in pairwise(sizes)]
        self.hidden = nn.ModuleList(self.layers)
        self.last = nn.Linear(width, NUM_CLASSES)
        self.function, self.count = function, count

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits: (samples, classes)."""
        for place, layer in enumerate(self.layers):
            x = layer(x)
            if self.function is not None and place < self.count:
                x = self.function(x)
        logits: Tensor = self.last(x)
        return logits


def _network(width: int, function: Function | None, count: int) -> _Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = _Network(width, function, count)
        for layer in network.layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    return network


def _both(
    part: str, name: str, width: int, amount: float, network: _Network, device: str
) -> Iterator[Arm]:
    """Yield a network's inference and its whole training step on one batch."""
    network = network.to(device)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(BATCH, NUM_INPUTS, generator=generator).to(device)
    labels = torch.randint(NUM_CLASSES, (BATCH,), generator=generator).to(device)
    # a rate so small that the weights do not change
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-12)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(network(x), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    yield Arm(part, name, "inference", width, float(amount), _forward(network, x))
    yield Arm(part, name, "training step", width, float(amount), step)
