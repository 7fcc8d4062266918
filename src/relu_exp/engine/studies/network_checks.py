"""Checks of whole networks: linear layers, the step activation, and the shapes of the CNN."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relu_exp.engine.activations import ACTIVATIONS
from relu_exp.engine.data.datasets import DATASETS, load
from relu_exp.engine.networks import NETWORKS
from relu_exp.engine.streams import stream
from relu_exp.engine.studies.checks import Case, Checks, near

__all__ = ["CHECKS", "DocumentCnn"]

CHECKS = Checks()
Function = Callable[[Tensor], Tensor]


def _weights(sizes: tuple[int, ...], seed: int, dtype: torch.dtype) -> list[Tensor]:
    """Return weights and biases of a stack of layers, He normal and zero."""
    drawn: list[Tensor] = []
    for layer, (into, out) in enumerate(pairwise(sizes)):
        generator = stream(seed, "network-checks", layer)
        z = torch.randn(out, into, generator=generator, dtype=dtype)
        drawn += [z * math.sqrt(2 / into), torch.zeros(out, dtype=dtype)]
    return [parameter.requires_grad_() for parameter in drawn]


def _forward(parameters: list[Tensor], x: Tensor, activation: Function) -> Tensor:
    last = len(parameters) - 2
    for place in range(0, last, 2):
        x = activation(F.linear(x, parameters[place], parameters[place + 1]))
    return F.linear(x, parameters[last], parameters[last + 1])


def _gradient_descent(
    parameters: list[Tensor],
    trained: list[Tensor],
    loss_at: Callable[[int], Tensor],
    num_steps: int,
    rate: float,
) -> None:
    """Update the trained ones among the parameters by plain gradient descent, in place."""
    for step in range(num_steps):
        grads = torch.autograd.grad(loss_at(step), trained)
        with torch.no_grad():
            for parameter, grad in zip(trained, grads, strict=True):
                parameter -= rate * grad


def _collapse(parameters: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the weight and bias of the single layer that equals a stack of linear layers."""
    with torch.no_grad():
        weight, bias = parameters[0], parameters[1]
        for place in range(2, len(parameters), 2):
            bias = parameters[place] @ bias + parameters[place + 1]
            weight = parameters[place] @ weight
    return weight, bias


# Linear layers -----------------------------------------------------------------------------

XOR = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]], dtype=torch.float64)
XOR_LABELS = torch.tensor([0, 1, 1, 0])


def _xor_loss(parameters: list[Tensor], activation: Function, num_steps: int) -> float:
    def loss(step: int) -> Tensor:
        return F.cross_entropy(_forward(parameters, XOR, activation), XOR_LABELS)

    _gradient_descent(parameters, parameters, loss, num_steps, 0.2)
    return float(loss(num_steps).detach())


@CHECKS.add("linear-layers-collapse")
def linear_layers_collapse() -> Iterator[Case]:
    """Stacked linear layers equal one linear layer, before and after training, and on XOR."""
    for c in (0.5, 3.0):
        yield near(f"h(h(h(2))) for h(x) = {c:g}x", c**3 * 2.0, c * (c * (c * 2.0)))
    x = torch.randn(64, 20, generator=stream(0, "network-checks"), dtype=torch.float64)
    labels = (x[:, 0] * x[:, 1] > 0).long()
    for depth in (1, 3, 9):
        sizes = (20, *[12] * depth, 2)
        stack = _weights(sizes, depth, torch.float64)
        for trained in ("at the start", "after 200 updates"):
            if trained != "at the start":
                _gradient_descent(
                    stack,
                    stack,
                    lambda step, s=stack: F.cross_entropy(_forward(s, x, _same), labels),  # type: ignore[misc]
                    200,
                    0.02,
                )
            with torch.no_grad():
                gap = (_forward(stack, x, _same) - F.linear(x, *_collapse(stack))).abs().max()
            case = f"{depth + 1} layers against their product, {trained}: largest gap"
            yield near(case, 0.0, float(gap), within=1e-9)
    optimum = math.log(2)
    for depth in (0, 1, 3):
        loss = _xor_loss(_weights((2, *[8] * depth, 2), 1, torch.float64), _same, 500)
        case = f"{depth + 1} linear layers trained on XOR: loss, at best ln 2"
        yield Case(case, optimum, loss, loss >= optimum - 1e-12, "one linear layer's optimum")


def _same(x: Tensor) -> Tensor:
    return x


@CHECKS.add("relu-layers-do-not-collapse")
def relu_layers_do_not_collapse() -> Iterator[Case]:
    """With ReLU between the layers, the loss falls below the optimum of any linear layer."""
    loss = _xor_loss(_weights((2, 8, 2), 1, torch.float64), torch.relu, 500)
    yield Case("2 layers with ReLU on XOR: loss", math.log(2), loss, loss < 0.1, "below ln 2")


@CHECKS.add("linear-stacks-train-differently")
def linear_stacks_train_differently() -> Iterator[Case]:
    """One update changes the product of a stack differently from the equivalent single layer."""
    stack = _weights((2, 8, 2), 2, torch.float64)
    weight, bias = _collapse(stack)
    single = [weight.clone().requires_grad_(), bias.clone().requires_grad_()]
    x, labels = XOR[:3], XOR_LABELS[:3]
    for parameters in (stack, single):
        _gradient_descent(
            parameters,
            parameters,
            lambda step, p=parameters: F.cross_entropy(_forward(p, x, _same), labels),  # type: ignore[misc]
            1,
            0.1,
        )
    alone = float((single[0].detach() - weight).norm())
    product = float((_collapse(stack)[0] - weight).norm())
    differs = abs(alone - product) > 1e-6
    yield Case("one update of 1 layer and of 2: how far W moves", alone, product, differs)


# The step function -------------------------------------------------------------------------

SEEDS = (0, 1, 2)
RATE, NUM_STEPS = 0.1, 200
SETTING = "784-100-100-10, 1,000 digits, 200 updates at rate 0.1"


@cache
def _digits_run(activation: str, frozen: bool, seed: int) -> tuple[float, float]:
    """Train on digits; return test accuracy and the largest change of a hidden weight."""
    data = load(DATASETS.resolve("mnist5k", {}))
    function: Function = ACTIVATIONS[activation].function
    parameters = _weights((784, 100, 100, 10), seed, torch.float32)
    before = [parameter.detach().clone() for parameter in parameters]
    order = torch.randperm(1000, generator=stream(seed, "network-checks-order"))

    def loss(step: int) -> Tensor:
        chosen = order[(torch.arange(100) + 100 * step) % 1000]
        x, labels = data.train.inputs[chosen], data.train.labels[chosen]
        return F.cross_entropy(_forward(parameters, x, function), labels)

    _gradient_descent(parameters, parameters[4:] if frozen else parameters, loss, NUM_STEPS, RATE)
    with torch.no_grad():
        guessed = _forward(parameters, data.test.inputs, function).argmax(1)
        moved = max(
            float((a - b).abs().max()) for a, b in zip(before[:4], parameters[:4], strict=True)
        )
    return float((guessed == data.test.labels).double().mean()), moved


@CHECKS.add("step-does-not-train")
def step_does_not_train() -> Iterator[Case]:
    """With step units no hidden weight changes: the hidden layers are fixed random features."""
    for seed in SEEDS:
        accuracy, moved = _digits_run("step", False, seed)
        baseline, _ = _digits_run("step", True, seed)
        yield near(f"largest change of a hidden weight, seed {seed}", 0.0, moved, SETTING, 0)
        case = f"test accuracy against frozen hidden layers, seed {seed}"
        yield near(case, baseline, accuracy, SETTING, 0)


@CHECKS.add("step-output-layer-learns")
def step_output_layer_learns() -> Iterator[Case]:
    """The output layer learns on fixed random features; with ReLU the hidden layers learn too."""
    for seed in SEEDS:
        step, _ = _digits_run("step", False, seed)
        yield Case(f"test accuracy above chance, seed {seed}", 0.1, step, step > 0.2, SETTING)
        frozen, _ = _digits_run("relu", True, seed)
        trained, _ = _digits_run("relu", False, seed)
        case = f"ReLU trained against ReLU frozen, test accuracy, seed {seed}"
        yield Case(case, frozen, trained, trained > frozen, SETTING)


# The CNN of D3 -----------------------------------------------------------------------------


class DocumentCnn(nn.Module):
    """D3's model, which records the image size after every stage."""

    def __init__(self) -> None:
        """Create the eleven layers that D3 declares."""
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, 7, padding=3)
        self.conv2 = nn.Conv2d(10, 50, 7, padding=3)
        self.conv3 = nn.Conv2d(50, 120, 7, padding=3)
        self.conv4 = nn.Conv2d(120, 100, 5)
        self.conv5 = nn.Conv2d(100, 20, 5)
        self.conv6 = nn.Conv2d(20, 10, 5)
        self.conv7 = nn.Conv2d(10, 10, 3)
        self.pool = nn.MaxPool2d(2, 2)
        self.fc1 = nn.Linear(10 * 8 * 8, 120)
        self.fc2 = nn.Linear(120, 360)
        self.fc3 = nn.Linear(360, 50)
        self.fc4 = nn.Linear(50, 10)
        self.sizes: list[tuple[int, int]] = []

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs, (samples, 10), as D3 computes them."""
        self.sizes = []
        for number in range(1, 7):
            x = F.relu(getattr(self, f"conv{number}")(x))
            x = self.pool(x) if number == 6 else x
            self.sizes.append((x.shape[2], x.shape[3]))
        x = x.view(-1, 10 * 8 * 8)
        for layer in (self.fc1, self.fc2, self.fc3):
            x = F.relu(layer(x))
        outputs: Tensor = self.fc4(x)
        return outputs


@CHECKS.add("cnn-shapes")
def cnn_shapes() -> Iterator[Case]:
    """A 28×28 image becomes 28, 28, 28, 24, 20 and 8 pixels wide, which fits the input of fc1."""
    model = DocumentCnn()
    outputs = model(torch.zeros(2, 1, 28, 28))
    for stage, (stated, size) in enumerate(zip((28, 28, 28, 24, 20, 8), model.sizes, strict=True)):
        for side, found in zip(("high", "wide"), size, strict=True):
            yield near(f"stage {stage + 1}, pixels {side}", stated, found, within=0)
    left = 10 * model.sizes[-1][0] * model.sizes[-1][1]
    yield near("inputs of the first linear layer", left, model.fc1.in_features, within=0)
    yield near("rows of the output for 2 images", 2, outputs.shape[0], within=0)
    yield near("columns of the output", 10, outputs.shape[1], within=0)


@CHECKS.add("cnn-beside")
def cnn_beside() -> Iterator[Case]:
    """What D3's comments omit: the size after the sixth convolution and the unused layer."""
    model = DocumentCnn()
    model(torch.zeros(2, 1, 28, 28)).sum().backward()
    unused = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    yield near("parameters without a gradient", 2, len(unused), ", ".join(unused), within=0)
    spare = sum(parameter.numel() for parameter in model.conv7.parameters())
    yield near("weights and biases of the unused conv7", 10 * 10 * 9 + 10, spare, within=0)
    yield near("pixels wide before the pooling", 16, 2 * model.sizes[-1][0], within=0)
    after = model.conv7(torch.zeros(1, 10, 8, 8))
    case = "inputs of fc1 if conv7 were called after the pooling"
    yield near(case, model.fc1.in_features, after.numel(), "it would not fit", within=0)
    own = [layer.positions for layer in NETWORKS["document_cnn"].layers(784, 10, 9, None, {})[:6]]
    widths = [28, 28, 28, 24, 20, 16]
    for number, (positions, wide) in enumerate(zip(own, widths, strict=True), start=1):
        yield near(f"network document_cnn here, positions of conv{number}", wide**2, positions)
