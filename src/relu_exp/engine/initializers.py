"""Weight initializers: each transforms the standard-normal draw that all arms of a seed share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from relu_exp.core.labels import Label, label_of, summary_of
from relu_exp.core.registry import Registry
from relu_exp.core.schema import Choice
from relu_exp.core.settings import Setting, settings_of
from relu_exp.engine.activations import gain as gain_of

__all__ = ["INITIALIZERS", "Fan", "Initializer", "draw_weights", "register", "weight_variance"]


SQRT2 = math.sqrt(2)
Gain = float | str
_WORDS = ("activation",)


@dataclass(frozen=True)
class Fan:
    """The properties of a layer that initializers use: its connections and its activation's gain.

    `fan_in` and `fan_out` count the connections of one unit to the layer below and above
    (for a convolution times the kernel's area); `activation_gain` is 1 for the output layer.
    """

    fan_in: int
    fan_out: int
    activation_gain: float = 1.0

    def gain(self, stated: Gain) -> float:
        """Return a numeric gain as it is, or the activation's gain for the word `activation`."""
        return self.activation_gain if isinstance(stated, str) else stated

    def count(self, mode: object) -> float:
        """Return fan-in, fan-out or their average."""
        return {
            "fan_in": float(self.fan_in),
            "fan_out": float(self.fan_out),
            "fan_avg": (self.fan_in + self.fan_out) / 2,
        }[str(mode)]


Function = Callable[..., Tensor]
StandardDeviation = Callable[..., float]


@dataclass(frozen=True)
class Initializer:
    """Weights from a standard-normal draw z of the layer's shape (out, in, ...) and its fans.

    `std` returns the standard deviation of a weight if the weights are independent (or nearly so:
    orthogonal); mean-field theory needs it. With `draws_biases`, biases are drawn too; with
    `offsets_biases`, those of hidden layers are plus or minus its setting `offset`, at random.
    """

    name: str
    function: Function
    reference: str
    summary: str
    formula: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    std: StandardDeviation | None = None
    draws_biases: bool = False
    offsets_biases: bool = False
    label: Label | None = None


INITIALIZERS: Registry[Initializer] = Registry("initializer")

_MODE = Setting("fan_in", "which fan is preserved", choices=("fan_in", "fan_out", "fan_avg"))
_HE = {"mode": _MODE, "gain": Setting(SQRT2, "√2 suits ReLU; or `activation`", words=_WORDS)}
_XAVIER = {"gain": Setting(1.0, "1 as published; or `activation`", words=_WORDS)}


def register(
    *,
    formula: str,
    reference: str,
    settings: Mapping[str, Setting] | None = None,
    std: StandardDeviation | None = None,
    draws_biases: bool = False,
    offsets_biases: bool = False,
    label: str = "",
    label_ko: str = "",
) -> Callable[[Function], Function]:
    """Register the decorated function `(z, fan, **settings) -> weights` under its own name.

    `label` is its name in figures and tables, `label_ko` the same in Korean where it differs.
    """
    return INITIALIZERS.register(
        lambda function: Initializer(
            name=function.__name__,
            function=function,
            reference=reference,
            summary=summary_of(function),
            formula=formula,
            settings=settings_of(function, settings or {}),
            std=std,
            draws_biases=draws_biases,
            offsets_biases=offsets_biases,
            label=label_of(function, label, label_ko),
        )
    )


def uniform_from_normal(z: Tensor) -> Tensor:
    """Return U(−1, 1) numbers with the ranks of z: 2Φ(z) − 1 = erf(z / √2).

    So normal and uniform initializers of one seed differ in distribution, not in the random draw.
    """
    return torch.erf(z / math.sqrt(2))


def _he_std(fan: Fan, mode: str = "fan_in", gain: Gain = SQRT2) -> float:
    return fan.gain(gain) / math.sqrt(fan.count(mode))


def _xavier_std(fan: Fan, gain: Gain = 1.0) -> float:
    return fan.gain(gain) / math.sqrt(fan.count("fan_avg"))


def _lecun_std(fan: Fan) -> float:
    return 1 / math.sqrt(fan.fan_in)


def _torch_std(fan: Fan) -> float:
    return 1 / math.sqrt(3 * fan.fan_in)


@register(formula="0", reference="the symmetric start that cannot be left")
def zeros(z: Tensor, fan: Fan) -> Tensor:
    """All weights zero."""
    return torch.zeros_like(z)


@register(
    formula="value",
    reference="the symmetric start that cannot be left",
    settings={"value": Setting(0.01, "the value of every weight")},
)
def constant(z: Tensor, fan: Fan, value: float = 0.01) -> Tensor:
    """All weights the same."""
    return torch.full_like(z, value)


@register(
    formula="N(0, std²)",
    reference="Krizhevsky, Sutskever, Hinton 2012, NIPS 25 (std 0.01)",
    settings={"std": Setting(0.01, "standard deviation", at_least=0)},
    std=lambda fan, std: std,
)
def normal(z: Tensor, fan: Fan, std: float = 0.01) -> Tensor:
    """Normal with a fixed standard deviation."""
    return z * std


@register(
    formula="U(−bound, bound)",
    reference="LeCun, Bottou, Orr, Müller 1998, Efficient BackProp",
    settings={"bound": Setting(0.05, "half the width of the interval", at_least=0)},
    std=lambda fan, bound: bound / math.sqrt(3),
)
def uniform(z: Tensor, fan: Fan, bound: float = 0.05) -> Tensor:
    """Uniform on a fixed interval."""
    return uniform_from_normal(z) * bound


@register(
    formula="N(0, gain² · 2 / (fan_in + fan_out))",
    reference="Glorot, Bengio 2010, AISTATS",
    settings=_XAVIER,
    std=_xavier_std,
)
def xavier_normal(z: Tensor, fan: Fan, gain: Gain = 1.0) -> Tensor:
    """Xavier (Glorot) initialization, normal."""
    return z * _xavier_std(fan, gain)


@register(
    formula="N(0, 2 / (fan_in + fan_out)), hidden biases ± offset",
    reference="Xavier's weights; the offset puts units where their activation saturates",
    settings={"offset": Setting(2.0, "distance from 0 at which pre-activations start", at_least=0)},
    std=lambda fan, offset: _xavier_std(fan),
    offsets_biases=True,
    label="Xavier, offset",
    label_ko="Xavier, 오프셋",
)
def offset_xavier(z: Tensor, fan: Fan, offset: float = 2.0) -> Tensor:
    """Xavier initialization, normal, with hidden biases of plus or minus an offset."""
    return z * _xavier_std(fan)


@register(
    formula="U(−b, b), b = gain · √(6 / (fan_in + fan_out))",
    reference="Glorot, Bengio 2010, AISTATS, eq. 16",
    settings=_XAVIER,
    std=_xavier_std,
)
def xavier_uniform(z: Tensor, fan: Fan, gain: Gain = 1.0) -> Tensor:
    """Xavier (Glorot) initialization, uniform."""
    return uniform_from_normal(z) * (math.sqrt(3) * _xavier_std(fan, gain))


@register(
    formula="N(0, gain² / fan), gain = √2",
    reference="He, Zhang, Ren, Sun 2015, arXiv:1502.01852, eq. 10 and 14",
    settings=_HE,
    std=_he_std,
)
def he_normal(z: Tensor, fan: Fan, mode: str = "fan_in", gain: Gain = SQRT2) -> Tensor:
    """He (Kaiming) initialization, normal."""
    return z * _he_std(fan, mode, gain)


@register(
    formula="U(−b, b), b = gain · √(3 / fan), gain = √2",
    reference="He, Zhang, Ren, Sun 2015, arXiv:1502.01852",
    settings=_HE,
    std=_he_std,
)
def he_uniform(z: Tensor, fan: Fan, mode: str = "fan_in", gain: Gain = SQRT2) -> Tensor:
    """He (Kaiming) initialization, uniform."""
    return uniform_from_normal(z) * (math.sqrt(3) * _he_std(fan, mode, gain))


@register(
    formula="N(0, 1 / fan_in)",
    reference="LeCun, Bottou, Orr, Müller 1998, Efficient BackProp",
    std=_lecun_std,
)
def lecun_normal(z: Tensor, fan: Fan) -> Tensor:
    """LeCun initialization, normal."""
    return z * _lecun_std(fan)


@register(
    formula="gain · Q, QᵀQ = 1 or QQᵀ = 1",
    reference="Saxe, McClelland, Ganguli 2014, arXiv:1312.6120",
    settings={"gain": Setting(1.0, "1 suits linear layers; or `activation`", words=_WORDS)},
    std=lambda fan, gain: fan.gain(gain) / math.sqrt(max(fan.fan_in, fan.fan_out)),
)
def orthogonal(z: Tensor, fan: Fan, gain: Gain = 1.0) -> Tensor:
    """Random (semi-)orthogonal matrix."""
    rows = z.flatten(1).double()
    tall = rows if rows.shape[0] >= rows.shape[1] else rows.T
    q, r = torch.linalg.qr(tall)
    # the signs of R's diagonal make Q uniform over the orthogonal group (Mezzadri 2007)
    q = q * torch.sign(torch.diagonal(r))
    matrix: Tensor = q if rows.shape[0] >= rows.shape[1] else q.T
    return (matrix * fan.gain(gain)).reshape(z.shape).to(z.dtype)


@register(
    formula="U(−b, b), b = 1 / √fan_in, biases too",
    reference="torch.nn.Linear and torch.nn.Conv2d: kaiming_uniform_(a=√5), gain 1/√3",
    std=_torch_std,
    draws_biases=True,
)
def torch_default(z: Tensor, fan: Fan) -> Tensor:
    """What PyTorch's layers start with, weights and biases."""
    return uniform_from_normal(z) / math.sqrt(fan.fan_in)


def draw_weights(choice: Choice, z: Tensor, fan: Fan) -> Tensor:
    """Return initial weights of the shape of the standard-normal draw `z`: (out, in, ...)."""
    return INITIALIZERS[choice.name].function(z, fan, **choice.as_dict())


def weight_variance(choice: Choice, activation: Choice, fan_in: int, fan_out: int) -> float | None:
    """Return the variance of one weight, or None if the weights are not random.

    Args:
        choice: the initializer.
        activation: the activation of the layer, for a gain that depends on it.
        fan_in: connections to the layer below.
        fan_out: connections to the layer above.
    """
    std = INITIALIZERS[choice.name].std
    if std is None:
        return None
    return float(std(Fan(fan_in, fan_out, gain_of(activation)), **choice.as_dict())) ** 2
