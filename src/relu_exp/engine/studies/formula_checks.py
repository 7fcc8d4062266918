"""Checks of formulas: activations, derivatives, printed examples and initializers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relu_exp.core.schema import Choice
from relu_exp.engine.activations import value_and_derivative
from relu_exp.engine.initializers import Fan, draw_weights, weight_variance
from relu_exp.engine.streams import stream
from relu_exp.engine.studies.checks import Case, Checks, near

__all__ = ["CHECKS"]

CHECKS = Checks()


def _slope(function: Callable[[Tensor], Tensor], x: float) -> float:
    """Return the derivative that PyTorch takes at one point."""
    point = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(function(point), point)
    return float(slope)


def _grid(half: float, num: int = 20_001) -> Tensor:
    """Return equally spaced points from -half to half, 0 among them."""
    index = torch.arange(num, dtype=torch.float64) - num // 2
    return index * (half / (num // 2))


# ReLU and leaky ReLU -----------------------------------------------------------------------

POINTS = (-1e30, -2.0, -1e-30, 1e-30, 2.0, 1e30)
ALPHAS = (0.0, 0.01, 0.2, 0.99)


@CHECKS.add("relu-definition")
def relu_definition() -> Iterator[Case]:
    """max(0, x), with slope 0 on the left and 1 on the right."""
    for x in (*POINTS, 0.0):
        value = float(torch.relu(torch.tensor(x, dtype=torch.float64)))
        yield near(f"ReLU({x:g})", max(0.0, x), value, within=0)
    for x in POINTS:
        yield near(f"slope at {x:g}", float(x > 0), _slope(torch.relu, x), within=0)


@CHECKS.add("relu-slope-at-zero")
def relu_slope_at_zero() -> Iterator[Case]:
    """D1 states slope 1 at 0; PyTorch's slope there depends on how the maximum is written."""
    zero = torch.zeros((), dtype=torch.float64)
    written: dict[str, Callable[[Tensor], Tensor]] = {
        "torch.relu": torch.relu,
        "torch.clamp(x, min=0)": lambda x: x.clamp(min=0),
        "torch.maximum(x, 0)": lambda x: torch.maximum(x, zero),
        "torch.where(x > 0, x, 0)": lambda x: torch.where(x > 0, x, zero),
        "F.leaky_relu(x, 0)": lambda x: F.leaky_relu(x, 0.0),
    }
    for name, function in written.items():
        yield near(f"slope at 0 of {name}", 1.0, _slope(function, 0.0), "D1 states 1", within=0)
    step = 2.0**-30
    yield near("difference quotient from the left", 0.0, (0.0 - max(0.0, -step)) / step)
    yield near("difference quotient from the right", 1.0, (max(0.0, step) - 0.0) / step)


@CHECKS.add("leaky-relu-definition")
def leaky_relu_definition() -> Iterator[Case]:
    """max(αx, x) is x for x > 0 and αx elsewhere; α = 0 is ReLU, α = 1 linear."""
    x = _grid(10)
    for alpha in ALPHAS:
        gap = torch.maximum(alpha * x, x) - torch.where(x > 0, x, alpha * x)
        yield near(f"max(αx, x) against the two pieces, α = {alpha:g}", 0.0, float(gap.abs().max()))
        gap = torch.maximum(alpha * x, x) - F.leaky_relu(x, alpha)
        yield near(f"max(αx, x) against PyTorch's, α = {alpha:g}", 0.0, float(gap.abs().max()))
    zero, one = torch.maximum(0.0 * x, x), torch.maximum(1.0 * x, x)
    yield near("α = 0 against ReLU", 0.0, float((zero - torch.relu(x)).abs().max()))
    yield near("α = 1 against x", 0.0, float((one - x).abs().max()))


@CHECKS.add("leaky-relu-beyond-one")
def leaky_relu_beyond_one() -> Iterator[Case]:
    """For α > 1 the maximum selects the wrong piece; for α < 0 it is not monotonic."""
    for alpha in (1.5, 2.0):
        for x in (-2.0, 3.0):
            pieces = x if x > 0 else alpha * x
            yield near(f"max(αx, x), α = {alpha:g}, x = {x:g}", pieces, max(alpha * x, x))
    yield near("max(αx, x), α = -0.5, x = -2", 1.0, max(-0.5 * -2.0, -2.0), "positive: it folds")


@CHECKS.add("leaky-relu-derivative-is-max")
def leaky_relu_derivative_is_max() -> Iterator[Case]:
    """D1 states that the derivative is max(1, α)."""
    yield from _leaky_slopes(lambda x, alpha: max(1.0, alpha))


@CHECKS.add("leaky-relu-derivative")
def leaky_relu_derivative() -> Iterator[Case]:
    """The derivative: 1 for x > 0, α for x < 0."""
    yield from _leaky_slopes(lambda x, alpha: 1.0 if x > 0 else alpha)


def _leaky_slopes(stated: Callable[[float, float], float]) -> Iterator[Case]:
    for alpha in ALPHAS[:3]:
        for x in (1.0, -1.0):
            slope = _slope(lambda point, a=alpha: torch.maximum(point, a * point), x)  # type: ignore[misc]
            yield near(f"α = {alpha:g}, x = {x:g}", stated(x, alpha), slope)


# Sigmoid and tanh --------------------------------------------------------------------------


@CHECKS.add("saturating-derivatives-below-one")
def saturating_derivatives_below_one() -> Iterator[Case]:
    """σ′ and tanh′ are below 1 everywhere (D0); σ′ lies between 0 and 1 (D4)."""
    x = _grid(30)
    for name in ("sigmoid", "tanh"):
        _, slope = value_and_derivative(Choice(name), x)
        largest = float(slope.max())
        where = float(x[slope.argmax()])
        short = "σ′" if name == "sigmoid" else "tanh′"
        yield Case(f"largest {short} is below 1", 1.0, largest, largest < 1, f"at x = {where:g}")
        if name == "sigmoid":
            least = float(slope.min())
            yield Case("least σ′ is not below 0", 0.0, least, least >= 0, "|x| ≤ 30")


@CHECKS.add("saturating-derivatives")
def saturating_derivatives() -> Iterator[Case]:
    """The largest values are 1/4 and 1, at 0 only."""
    for name, largest in (("sigmoid", 0.25), ("tanh", 1.0)):
        x = torch.tensor([0.0, 1e-3, -1e-3], dtype=torch.float64)
        _, slope = value_and_derivative(Choice(name), x)
        short = "σ′" if name == "sigmoid" else "tanh′"
        yield near(f"{short}(0)", largest, float(slope[0]))
        for place in (1, 2):
            found = float(slope[place])
            yield Case(f"{short}({float(x[place]):g}) is less", largest, found, found < largest)


@CHECKS.add("tanh-from-sigmoid")
def tanh_from_sigmoid() -> Iterator[Case]:
    """tanh(x) = 2σ(2x) − 1, and tanh′(x) = 4σ′(2x)."""
    x = _grid(20)
    gap = torch.tanh(x) - (2 * torch.sigmoid(2 * x) - 1)
    yield near("largest gap to 2σ(2x) − 1", 0.0, float(gap.abs().max()), "|x| ≤ 20", 1e-15)
    _, slope = value_and_derivative(Choice("tanh"), x)
    _, inner = value_and_derivative(Choice("sigmoid"), 2 * x)
    gap = slope - 4 * inner
    yield near("largest gap of the derivative to 4σ′(2x)", 0.0, float(gap.abs().max()), "", 1e-15)


# ELU ---------------------------------------------------------------------------------------


def _elu(alpha: float) -> Choice:
    return Choice("elu", (("alpha", alpha),))


@CHECKS.add("elu-smooth-below-zero")
def elu_smooth_below_zero() -> Iterator[Case]:
    """For x < 0 the derivative is αeˣ, which has no jump."""
    x = torch.linspace(-20, -1e-6, 20_001, dtype=torch.float64)
    for alpha in (0.5, 1.0, 2.0):
        _, slope = value_and_derivative(_elu(alpha), x)
        gap = float((slope - alpha * x.exp()).abs().max())
        yield near(f"largest gap of the derivative to αeˣ, α = {alpha:g}", 0.0, gap)


@CHECKS.add("elu-smooth-at-zero")
def elu_smooth_at_zero() -> Iterator[Case]:
    """At 0 the slope jumps from α to 1."""
    sides = torch.tensor([-(2.0**-40), 2.0**-40], dtype=torch.float64)
    for alpha in (0.5, 1.0, 2.0):
        _, slope = value_and_derivative(_elu(alpha), sides)
        jump = float(slope[1] - slope[0])
        yield near(f"jump of the slope at 0, α = {alpha:g}", 0.0, jump, within=1e-9)


@CHECKS.add("elu-limit")
def elu_limit() -> Iterator[Case]:
    """For x → −∞ it tends to −α."""
    far = torch.tensor([-800.0], dtype=torch.float64)
    for alpha in (0.5, 1.0, 2.0):
        value, _ = value_and_derivative(_elu(alpha), far)
        yield near(f"ELU(−800), α = {alpha:g}", -alpha, float(value))


# Printed examples --------------------------------------------------------------------------

EXAMPLES: Mapping[str, tuple[nn.Module, dict[float, float]]] = {
    "Sigmoid": (nn.Sigmoid(), {-0.8475: 0.2999, 0.2985: 0.5741}),
    "Tanh": (nn.Tanh(), {0.2847: 0.2772, -0.8942: -0.7135}),
    "ReLU": (nn.ReLU(), {-0.7185: 0.0, 2.8861: 2.8861, -0.1147: 0.0, -0.5199: 0.0}),
}


@CHECKS.add("pytorch-examples")
def pytorch_examples() -> Iterator[Case]:
    """D3's printed inputs give its printed outputs; both were rounded to four decimals."""
    half = 0.5e-4
    for name, (module, printed) in EXAMPLES.items():
        for x, expected in printed.items():
            ends = [float(module(torch.tensor(x + by).double())) for by in (-half, 0.0, half)]
            holds = ends[0] - half <= expected <= ends[2] + half
            yield Case(f"{name}({x:g})", expected, ends[1], holds, "within what rounding hides")


# Initializers ------------------------------------------------------------------------------

SHAPES = ((300, 300), (784, 100), (100, 784))
"""(fan-in, fan-out)."""
SQRT2 = math.sqrt(2)


def _torch_scale(name: str, fan_in: int, fan_out: int) -> float:
    """Return the factor that `torch.nn.init` applies to a standard-normal or U(−1, 1) draw."""
    weights = torch.empty(fan_out, fan_in, dtype=torch.float64)
    plain = torch.empty_like(weights)
    kind, _, rest = name.partition("_")
    generator = torch.Generator().manual_seed(0)
    again = torch.Generator().manual_seed(0)
    distribution, _, mode = rest.partition(" ")
    fill = getattr(nn.init, f"{kind}_{distribution}_")
    words = {"mode": mode, "nonlinearity": "relu"} if kind == "kaiming" else {}
    fill(weights, generator=generator, **words)
    if distribution == "normal":
        plain.normal_(generator=again)
    else:
        plain.uniform_(-1, 1, generator=again)
    return float(weights.abs().sum() / plain.abs().sum())


@CHECKS.add("initializer-formulas")
def initializer_formulas() -> Iterator[Case]:
    """The formulas of Xavier and He, normal and uniform, are those of `torch.nn.init`."""
    for fan_in, fan_out in SHAPES:
        average = (fan_in + fan_out) / 2
        stated = {
            "xavier_normal": math.sqrt(1 / average),
            "xavier_uniform": math.sqrt(3 / average),
            "kaiming_normal fan_in": math.sqrt(2 / fan_in),
            "kaiming_uniform fan_in": math.sqrt(6 / fan_in),
            "kaiming_normal fan_out": math.sqrt(2 / fan_out),
            "kaiming_uniform fan_out": math.sqrt(6 / fan_out),
        }
        for name, expected in stated.items():
            found = _torch_scale(name, fan_in, fan_out)
            yield near(f"{name}, {fan_in} → {fan_out}", expected, found, "torch.nn.init")


@CHECKS.add("initializer-samples")
def initializer_samples() -> Iterator[Case]:
    """The weights drawn by this program have the standard deviations of the formulas."""
    relu = Choice("relu")
    he = (("gain", SQRT2), ("mode", "fan_in"))
    average = (("gain", SQRT2), ("mode", "fan_avg"))
    xavier = (("gain", 1.0),)
    drawn = {
        "xavier_normal": Choice("xavier_normal", xavier),
        "xavier_uniform": Choice("xavier_uniform", xavier),
        "he_normal fan_in": Choice("he_normal", he),
        "he_uniform fan_in": Choice("he_uniform", he),
        "he_normal fan_avg": Choice("he_normal", average),
        "he_uniform fan_avg": Choice("he_uniform", average),
    }
    for fan_in, fan_out in SHAPES:
        z = torch.randn(fan_out, fan_in, generator=stream(0, "checks"), dtype=torch.float64)
        for name, choice in drawn.items():
            found = float(draw_weights(choice, z, Fan(fan_in, fan_out)).std())
            expected = math.sqrt(weight_variance(choice, relu, fan_in, fan_out) or 0)
            # five standard errors of a normal sample's standard deviation
            within = 5 * expected / math.sqrt(2 * z.numel())
            case = f"{name}, {fan_in} → {fan_out}: standard deviation of a draw"
            yield near(case, expected, found, f"{z.numel():,} weights", within)


@CHECKS.add("he-over-xavier-one-fan")
def he_over_xavier_one_fan() -> Iterator[Case]:
    """He is √2 times Xavier if both average fan-in and fan-out, or if the two are equal."""
    for fan_in, fan_out in SHAPES:
        fan = Fan(fan_in, fan_out)
        z = torch.ones(1, 1, dtype=torch.float64)
        he = Choice("he_normal", (("gain", SQRT2), ("mode", "fan_avg")))
        xavier = Choice("xavier_normal", (("gain", 1.0),))
        ratio = float(draw_weights(he, z, fan) / draw_weights(xavier, z, fan))
        yield near(f"both by the average, {fan_in} → {fan_out}", SQRT2, ratio)
    ratio = _torch_scale("kaiming_normal fan_in", 300, 300) / _torch_scale(
        "xavier_normal", 300, 300
    )
    yield near("He by fan-in, Xavier by the average, 300 → 300", SQRT2, ratio)


@CHECKS.add("he-over-xavier-two-fans")
def he_over_xavier_two_fans() -> Iterator[Case]:
    """He as published uses one fan and Xavier the average, so unequal fans give another ratio."""
    for fan_in, fan_out in SHAPES[1:]:
        for kind in ("normal", "uniform"):
            he = _torch_scale(f"kaiming_{kind} fan_in", fan_in, fan_out)
            ratio = he / _torch_scale(f"xavier_{kind}", fan_in, fan_out)
            detail = f"√2 · √((fan_in + fan_out) / (2 fan_in)) = {ratio:.4f}"
            yield near(f"{kind}, {fan_in} → {fan_out}", SQRT2, ratio, detail)
