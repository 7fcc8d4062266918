"""Checks of equal starts: units that begin equal stay equal, and act as one unit a layer.

n units of a layer that are equal, each with weights w to the next layer, are one unit with weights
n·w. The gradient of its bias and of its weights from the inputs is n times theirs, of its weights
to a hidden layer equal, of its weights to the outputs theirs over n times n. So one unit a layer
takes the same path of gradient descent with the rate over n, the rate, and the rate times n.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, optim

from relu_exp.engine.activations import ACTIVATIONS
from relu_exp.engine.data.datasets import DATASETS, load
from relu_exp.engine.streams import stream
from relu_exp.engine.studies.checks import Case, Checks, near

__all__ = ["CHECKS"]

CHECKS = Checks()

NUM_UNITS, NUM_INPUTS, NUM_SAMPLES, BATCH, NUM_STEPS = 20, 196, 1000, 50, 100
STARTS = {"zeros": 0.0, "constant 0.1": 0.1}
RATES = {"sigmoid": 0.1, "tanh": 0.1, "relu": 0.001}
"""Of gradient descent and momentum; equal ReLU units take steps that are n times as large."""
SETTING = f"{NUM_INPUTS}-{NUM_UNITS}-{NUM_UNITS}-10, digits, {NUM_STEPS} updates, float64"
WITHIN = 1e-9

OPTIMIZERS: dict[str, Callable[[list[dict[str, object]]], optim.Optimizer]] = {
    "gradient descent": lambda groups: optim.SGD(groups),
    "momentum": lambda groups: optim.SGD(groups, momentum=0.9),
    "Adam": lambda groups: optim.Adam(groups),
}


@dataclass(frozen=True)
class Path:
    """How training went: outputs after every tenth update, and how far units were ever apart."""

    outputs: Tensor
    apart: float
    accuracy: float


@cache
def _digits() -> tuple[Tensor, Tensor]:
    """Return digits of 14 × 14 pixels, (samples, 196) in float64, and their labels, (samples,)."""
    train = load(DATASETS.resolve("mnist5k", {})).train
    images = train.inputs[:NUM_SAMPLES].double().view(-1, 1, 28, 28)
    return F.avg_pool2d(images, 2).flatten(1), train.labels[:NUM_SAMPLES]


def _train(
    weights: Sequence[Tensor],
    function: str,
    optimizer: str,
    scales: Sequence[tuple[float, float]] = ((1, 1),) * 3,
) -> Path:
    """Train from these weights and biases of zero; `scales` are of a layer's two rates.

    Units are compared after each update and, if they were equal, set to the first: a library may
    round each one differently, and training can let such a difference grow.
    """
    inputs, labels = _digits()
    inputs = inputs.to(weights[0].dtype)
    activation = ACTIVATIONS[function].function
    rate = 0.001 if optimizer == "Adam" else RATES[function]
    layers = [
        (weight.clone().requires_grad_(), weight.new_zeros(len(weight)).requires_grad_())
        for weight in weights
    ]
    groups: list[dict[str, object]] = [
        {"params": [parameter], "lr": rate * scale}
        for layer, pair in zip(layers, scales, strict=True)
        for parameter, scale in zip(layer, pair, strict=True)
    ]
    updater = OPTIMIZERS[optimizer](groups)

    def outputs(x: Tensor) -> Tensor:
        for weight, bias in layers[:-1]:
            x = activation(F.linear(x, weight, bias))
        return F.linear(x, *layers[-1])

    seen, apart = [], 0.0
    for step in range(NUM_STEPS):
        chosen = (torch.arange(BATCH) + BATCH * step) % NUM_SAMPLES
        updater.zero_grad()
        loss = F.cross_entropy(outputs(inputs[chosen]), labels[chosen])
        torch.autograd.backward([loss])
        updater.step()
        with torch.no_grad():
            for weight, bias in layers[:-1]:
                rows = torch.cat([weight, bias[:, None]], dim=1)
                apart = max(apart, float((rows - rows[:1]).abs().max()))
            if apart < WITHIN:
                _equalize(layers)
            if step % 10 == 9:
                seen.append(outputs(inputs))
    guessed = seen[-1].argmax(1)
    return Path(torch.stack(seen), apart, float((guessed == labels).double().mean()))


def _equalize(layers: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Set the weights into and out of every hidden unit, and its bias, to those of the first."""
    for (weight, bias), (following, _) in itertools.pairwise(layers):
        weight[:] = weight[:1].clone()
        bias[:] = bias[:1].clone()
        following[:] = following[:, :1].clone()


def _start(value: float, num_units: int = NUM_UNITS) -> list[Tensor]:
    """Return the weights of two hidden layers and the outputs, all of one value."""
    sizes = (NUM_INPUTS, num_units, num_units, 10)
    return [
        torch.full((out, into), value, dtype=torch.float64)
        for into, out in itertools.pairwise(sizes)
    ]


@cache
def _equal(function: str, start: str, optimizer: str) -> Path:
    """Return the path of a network whose units all start equal."""
    return _train(_start(STARTS[start]), function, optimizer)


def _single(function: str, start: str, optimizer: str) -> Path:
    """Return the path of one unit a layer, with rescaled weights and rates."""
    n = NUM_UNITS
    first, hidden, last = _start(STARTS[start], 1)
    scales = [(1 / n, 1 / n), (1, 1 / n), (n, 1)]
    return _train([first, n * hidden, n * last], function, optimizer, scales)


@CHECKS.add("identical-weights-stay-identical")
def identical_weights_stay_identical() -> Iterator[Case]:
    """Equal units never differ, and such a network computes what one unit a layer computes."""
    for function, start, optimizer in itertools.product(RATES, STARTS, OPTIMIZERS):
        path = _equal(function, start, optimizer)
        arm = f"{function}, {start}, {optimizer}"
        yield near(f"units apart after an update, {arm}", 0.0, path.apart, SETTING, WITHIN)
        # Adam's updates do not grow with the gradient: no rates give one unit the same path
        if optimizer != "Adam":
            gap = (path.outputs - _single(function, start, optimizer).outputs).abs().max()
            yield near(f"outputs against one unit, {arm}", 0.0, float(gap), SETTING, WITHIN)


@CHECKS.add("equal-units-learn")
def equal_units_learn() -> Iterator[Case]:
    """What equal units learn of the samples they train on, beside units that start at random."""
    for function in RATES:
        into = stream(0, "symmetry-checks")
        drawn = [
            torch.randn(weight.shape, generator=into, dtype=weight.dtype) * weight.shape[1] ** -0.5
            for weight in _start(0.0)
        ]
        random = _train(drawn, function, "Adam").accuracy
        for start in STARTS:
            accuracy = _equal(function, start, "Adam").accuracy
            case = f"accuracy, {function}, {start}, Adam"
            yield Case(case, random, accuracy, accuracy < random, "against a random start")
