"""Activation functions: the formulas, with their settings, gains and references."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from relu_exp.core.labels import Label, label_of, summary_of
from relu_exp.core.registry import Registry
from relu_exp.core.schema import Choice
from relu_exp.core.settings import Setting, settings_of

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "gain",
    "grid",
    "largest_derivative",
    "register",
    "value_and_derivative",
]

Function = Callable[..., Tensor]


@dataclass(frozen=True)
class Activation:
    """An elementwise function φ(x; settings), differentiable by autograd.

    `function` takes a tensor of any shape and its settings as keywords. A function that is random
    in training takes `noise`, uniform numbers of the shape of x, or None for evaluation. `trained`
    names a keyword that is learned, and the setting that holds its first value.
    """

    name: str
    function: Function
    formula: str
    reference: str
    summary: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    trained: tuple[str, str] | None = None
    is_random: bool = False
    label: Label | None = None

    def keywords(self, settings: Mapping[str, object]) -> dict[str, object]:
        """Return the function's keywords at the start of training, given the entry's settings."""
        if self.trained:
            keyword, first = self.trained
            return {keyword: settings[first]}
        return dict(settings)


ACTIVATIONS: Registry[Activation] = Registry("activation")


def register(
    *,
    formula: str,
    reference: str,
    settings: Mapping[str, Setting] | None = None,
    trained: tuple[str, str] | None = None,
    is_random: bool = False,
    label: str = "",
    label_ko: str = "",
    color: str = "",
) -> Callable[[Function], Function]:
    """Register the decorated function under its own name.

    Its keyword arguments are its settings, its docstring's first line its summary. `label` is its
    name in figures and tables (a tidy form of its own if not given), `label_ko` the same in Korean
    where it differs, `color` its color in figures as `#rrggbb`.
    """
    skip = {"noise", trained[0] if trained else ""}
    return ACTIVATIONS.register(
        lambda function: Activation(
            name=function.__name__,
            function=function,
            formula=formula,
            reference=reference,
            summary=summary_of(function),
            settings=settings_of(function, settings or {}, skip=skip),
            trained=trained,
            is_random=is_random,
            label=label_of(function, label, label_ko, color),
        )
    )


@register(formula="x", reference="no nonlinearity: the control")
def identity(x: Tensor) -> Tensor:
    """Identity."""
    return x


@register(formula="1 if x ≥ 0 else 0", reference="Rosenblatt 1958, Psychological Review 65(6)")
def step(x: Tensor) -> Tensor:
    """Unit step of the perceptron; its derivative is zero wherever it exists."""
    # 0·x keeps the result in the graph, with the correct derivative
    return (x >= 0).to(x.dtype) + 0.0 * x.clamp(-1, 1)


@register(formula="1 / (1 + exp(−x))", reference="Rumelhart, Hinton, Williams 1986, Nature 323")
def sigmoid(x: Tensor) -> Tensor:
    """Logistic sigmoid."""
    return torch.sigmoid(x)


@register(
    formula="(exp(x) − exp(−x)) / (exp(x) + exp(−x))",
    reference="LeCun, Bottou, Orr, Müller 1998, Efficient BackProp",
)
def tanh(x: Tensor) -> Tensor:
    """Hyperbolic tangent."""
    return torch.tanh(x)


@register(formula="max(0, x)", reference="Nair, Hinton 2010, ICML")
def relu(x: Tensor) -> Tensor:
    """Rectified linear unit; the derivative at 0 is taken as 0, as PyTorch does."""
    return torch.relu(x)


@register(
    formula="x if x > 0 else αx, α = negative_slope",
    reference="Maas, Hannun, Ng 2013, ICML workshop",
    settings={"negative_slope": Setting(0.01, "slope for x ≤ 0", at_least=0)},
)
def leaky_relu(x: Tensor, negative_slope: float = 0.01) -> Tensor:
    """Leaky rectified linear unit."""
    return torch.where(x > 0, x, negative_slope * x)


@register(
    formula="x if x > 0 else ax, a trained",
    reference="He, Zhang, Ren, Sun 2015, arXiv:1502.01852",
    settings={
        "init": Setting(0.25, "first value of the slope"),
        "per": Setting("layer", "what shares a slope", choices=("network", "layer", "unit")),
    },
    trained=("slope", "init"),
)
def prelu(x: Tensor, slope: float | Tensor = 0.25) -> Tensor:
    """Parametric rectified linear unit: the slope for x ≤ 0 is learned."""
    return torch.where(x > 0, x, slope * x)


@register(
    formula="x if x > 0 else ax, a ~ U(lower, upper) in training, its mean in evaluation",
    reference="Xu, Wang, Chen, Li 2015, arXiv:1505.00853",
    settings={
        "lower": Setting(1 / 8, "smallest slope", at_least=0, at_most=1),
        "upper": Setting(1 / 3, "largest slope", at_least=0, at_most=1),
    },
    is_random=True,
)
def rrelu(
    x: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    noise: Tensor | None = None,
) -> Tensor:
    """Randomized leaky rectified linear unit."""
    share = 0.5 if noise is None else noise
    return torch.where(x > 0, x, (lower + (upper - lower) * share) * x)


@register(
    formula="x if x > 0 else α(exp(x) − 1)",
    reference="Clevert, Unterthiner, Hochreiter 2016, arXiv:1511.07289",
    settings={"alpha": Setting(1.0, "what it tends to for x → −∞ is −alpha", at_least=0)},
)
def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    """Exponential linear unit."""
    return F.elu(x, alpha)


@register(
    formula="λx if x > 0 else λα(exp(x) − 1), λ ≈ 1.0507, α ≈ 1.6733",
    reference="Klambauer, Unterthiner, Mayr, Hochreiter 2017, arXiv:1706.02515",
)
def selu(x: Tensor) -> Tensor:
    """Scaled exponential linear unit."""
    return F.selu(x)


@register(
    formula="log(1 + exp(x))",
    reference="Dugas, Bengio, Bélisle, Nadeau, Garcia 2001, NIPS 13",
)
def softplus(x: Tensor) -> Tensor:
    """Smooth version of the rectifier."""
    return F.softplus(x)


@register(formula="x Φ(x)", reference="Hendrycks, Gimpel 2016, arXiv:1606.08415")
def gelu(x: Tensor) -> Tensor:
    """Gaussian error linear unit (exact, not the tanh approximation)."""
    return F.gelu(x)


@register(formula="x σ(x)", reference="Elfwing, Uchibe, Doya 2018, arXiv:1702.03118")
def silu(x: Tensor) -> Tensor:
    """Sigmoid-weighted linear unit, also called swish."""
    return F.silu(x)


@register(formula="x tanh(log(1 + exp(x)))", reference="Misra 2019, arXiv:1908.08681")
def mish(x: Tensor) -> Tensor:
    """Self-regularized non-monotonic activation."""
    return F.mish(x)


def value_and_derivative(choice: Choice, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return φ(x) and φ′(x) in evaluation mode, of the shape and precision of x, by autograd."""
    entry = ACTIVATIONS[choice.name]
    with torch.enable_grad():
        point = x.detach().clone().requires_grad_()
        value = entry.function(point, **entry.keywords(choice.as_dict()))
        (derivative,) = torch.autograd.grad(value.sum(), point)
    return value.detach(), derivative


def grid() -> Tensor:
    """Return the numbers x, |x| ≤ 10, without 0, over which activations are compared; float64."""
    half = (torch.arange(20_000, dtype=torch.float64) + 0.5) * 5e-4
    return torch.cat([-half.flip(0), half])


@cache
def _on_grid(choice: Choice) -> tuple[Tensor, Tensor, Tensor]:
    """Return x on a fine grid without 0, φ(x) and φ′(x), in double precision."""
    x = grid()
    return (x, *value_and_derivative(choice, x))


@cache
def gain(choice: Choice) -> float:
    """Return 1 / √E[φ(z)²], z ~ N(0, 1): the weight gain that keeps the signal's second moment.

    For ReLU it is √2, for leaky ReLU √(2 / (1 + α²)) (He et al. 2015, eq. 10 and 15);
    `torch.nn.init.calculate_gain` has other conventions for sigmoid (1) and tanh (5/3).
    """
    x, value, _ = _on_grid(choice)
    density = torch.exp(-x.square() / 2) / math.sqrt(2 * math.pi)
    second_moment = float((value.square() * density).sum() * 5e-4)
    return 1 / math.sqrt(second_moment) if second_moment > 0 else 1.0


def largest_derivative(choice: Choice) -> float:
    """Return the largest |φ′(x)| for |x| ≤ 10, against which saturation is measured."""
    return float(_on_grid(choice)[2].abs().max())
