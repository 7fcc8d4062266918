"""The engine's measurements and its theory, for a layer that was seen in any network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from relu_exp.core.schema import DEFAULT_PRECISION
from relu_exp.engine.activations import grid
from relu_exp.engine.ops import precision
from relu_exp.engine.probes import measurements, theory
from relu_exp.engine.probes.measurements import Probe
from relu_exp.engine.probes.observing import SATURATED
from relu_exp.inspection import mean_field
from relu_exp.inspection.functions import SATURATING
from relu_exp.inspection.histograms import Counts, Spread, counts_of, spread_of
from relu_exp.inspection.nodes import DATA, Layer, Use

__all__ = [
    "Measured",
    "largest_slope",
    "measure_layer",
    "oriented",
    "predict",
    "probe_of",
    "second_moment",
]


@dataclass
class Measured:
    """A layer and its numbers.

    Attributes:
        name: of the weights that feed it.
        function: the nonlinearity.
        num_units: units, or channels.
        num_values: of each unit: samples, times places in an image or a sequence.
        values: quantity → value; nan where there is none.
        is_saturating: whether its slope vanishes on both sides.
        spread: histogram of its activations; None if they were not counted, or are not finite.
        counts: kind → histogram in the bins of the result tables, where values were counted.
    """

    name: str
    function: str
    num_units: int
    values: dict[str, float]
    is_saturating: bool
    num_values: int
    spread: Spread | None = None
    counts: Mapping[str, Counts] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name and function, as in `conv1 → relu`."""
        return f"{self.name} → {self.function}"


def measure_layer(
    layer: Layer, grad: Tensor | None, weight_grad: Tensor | None, *, counts_values: bool = False
) -> Measured:
    """Return the engine's measurements of a layer.

    Args:
        layer: a layer of a finished pass.
        grad: of the loss by its activations; None if there is none.
        weight_grad: of the loss by the weights that feed it; None if there is none.
        counts_values: also makes histograms.
    """
    assert layer.use is not None
    probe = probe_of(layer, grad, weight_grad)
    with precision.in_use(DEFAULT_PRECISION, probe.z.device.type):
        found = measurements.measure([probe])
    values = {quantity: float(value[0, 0]) for quantity, value in found.items()}
    # of a frozen layer there is no gradient; where the loss does not depend on it, it is zero
    if layer.above.edge is None:
        values["activation_grad_norm"] = math.nan
    if not layer.use.weight.requires_grad:
        values["weight_grad_norm"] = values["weight_grad_spread"] = math.nan
    return Measured(
        name=layer.name,
        function=layer.function,
        num_units=probe.z.shape[1],
        values=values,
        is_saturating=layer.function in SATURATING,
        num_values=probe.z.shape[2],
        spread=spread_of(probe.a) if counts_values else None,
        counts={
            kind: counts_of(values, kind)
            for kind, values in (("preactivation", probe.z), ("activation", probe.a))
            if counts_values
        },
    )


def probe_of(layer: Layer, grad: Tensor | None, weight_grad: Tensor | None) -> Probe:
    """Return a probe with one run: values (1, units, samples), channels as units.

    Numbers in half precision become float32.
    """
    z, a = layer.below.value, layer.above.value
    assert z is not None
    assert a is not None
    assert layer.use is not None
    by_units = weight_grad if weight_grad is not None else torch.zeros_like(layer.use.weight)
    z, a = _measurable(z), _measurable(a)
    derivative = _derivative(layer, z, a)
    if _has_own_backward(layer, derivative, weight_grad):
        derivative = torch.ones_like(derivative)
    return Probe(
        z=_by_units(z, layer.axis),
        a=_by_units(a, layer.axis),
        derivative=_by_units(derivative, layer.axis),
        activation_grad=_by_units(
            torch.zeros_like(a) if grad is None else _measurable(grad), layer.axis
        ),
        weight_grad=_measurable(oriented(layer.use, by_units))[None].contiguous(),
        saturated_below=torch.tensor([SATURATED * largest_slope(layer)], device=z.device).reshape(
            -1, 1, 1
        ),
    )


def oriented(use: Use, weight: Tensor) -> Tensor:
    """Return weights or their gradient as (out, in, ...)."""
    if use.is_transposed and weight.dim() > 1:
        return weight.transpose(0, 1) if use.function.startswith("conv") else weight.mT
    return weight if weight.dim() > 1 else weight.reshape(-1, 1)


def _measurable(x: Tensor) -> Tensor:
    x = x.detach()
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def _by_units(x: Tensor, axis: int) -> Tensor:
    """Return (1, units, samples)."""
    if x.dim() < 2:
        return x.reshape(1, -1, 1)
    axis = axis % x.dim() if -x.dim() <= axis < x.dim() else x.dim() - 1
    return x.movedim(axis, 0).reshape(1, x.shape[axis], -1).contiguous()


def _derivative(layer: Layer, z: Tensor, a: Tensor) -> Tensor:
    """Return φ′(z), of the shape of z."""
    if layer.function == "rrelu":  # in training it draws its slopes; they are those of this pass
        return torch.where(z > 0, torch.ones_like(z), a / z)
    with torch.enable_grad():
        point = z.detach().clone().requires_grad_()
        value = layer.phi(point)
        if not value.requires_grad:
            return torch.zeros_like(z)
        found = torch.autograd.grad(value.sum(), point, allow_unused=True)[0]
    return torch.zeros_like(z) if found is None else found


def _has_own_backward(layer: Layer, derivative: Tensor, weight_grad: Tensor | None) -> bool:
    """Return whether a gradient passes although φ is flat, as in a straight-through estimator."""
    is_inside_function = layer.above.edge is None  # of an autograd.Function
    if not is_inside_function or weight_grad is None:
        return False
    return bool(weight_grad.any()) and not bool(derivative.any())


_LARGEST: dict[Any, float] = {}


def largest_slope(layer: Layer) -> float:
    """Return the largest |φ′(x)| for |x| ≤ 10."""
    key = _key(layer)
    if key is None or key not in _LARGEST:
        _, _, derivative = _over_grid(layer)
        found = float(derivative.abs().max())
        if key is None:
            return found
        _LARGEST[key] = found
    return _LARGEST[key]


def second_moment(layer: Layer) -> float:
    """Return E[φ(x)²], x ~ N(0, 1)."""
    x, value, _ = _over_grid(layer)
    density = torch.exp(-x.square() / 2) / math.sqrt(2 * math.pi)
    step = 20 / x.shape[0]
    return float((value.square() * density).sum() * step) / (value.numel() / x.shape[0])


def _key(layer: Layer) -> Any:
    """Return what a function without tensors is known by, None for another one."""
    if layer.own is not None or layer.above.step is None:
        return None
    function, args, kwargs = layer.above.step
    plain = (*args[1:], *kwargs.values())
    is_plain = args and args[0] is layer.below
    if not is_plain or not all(isinstance(each, int | float | str | None) for each in plain):
        return None
    return (function, plain, tuple(kwargs))


def _over_grid(layer: Layer) -> tuple[Tensor, Tensor, Tensor]:
    """Return x over |x| ≤ 10, φ(x) and φ′(x), float64.

    Where φ has a setting for each unit, x is coarser, and the values have an axis of units.
    """
    z = layer.below.value
    assert z is not None
    x = grid().to(z.device)
    try:
        return (x, *_value_and_derivative(layer, x))
    except (RuntimeError, IndexError):
        x = x[10::20]
        wide = x.reshape(-1, *[1] * max(z.dim() - 1, 1))
        axis = layer.axis % z.dim() if z.dim() > 1 else 0
        if axis > 0:
            shape = list(wide.shape)
            shape[axis] = z.shape[axis]
            wide = wide.expand(shape)
        value, derivative = _value_and_derivative(layer, wide)
        return wide, value, derivative


def _value_and_derivative(layer: Layer, x: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        point = x.detach().clone().requires_grad_()
        value = layer.phi(point)
        derivative = None
        if value.requires_grad:
            (derivative,) = torch.autograd.grad(value.sum(), point, allow_unused=True)
    found = torch.zeros_like(x) if derivative is None else derivative
    return value.detach().expand_as(x), found


def predict(layers: Sequence[Layer], uses: Sequence[Use]) -> dict[str, list[float]]:
    """Return the theory's predictions for dense layers in a chain or with residual branches.

    They are for the weights as they are.

    Returns:
        Quantity → value per layer; empty for any other network, and where weights are not centred
        on zero.
    """
    if not layers or any(layer.function == "rrelu" for layer in layers):
        return {}
    return _predict_chain(layers) or mean_field.predict(layers, uses, _gain, _on_cpu)


def _predict_chain(layers: Sequence[Layer]) -> dict[str, list[float]]:
    chain = []
    below: object = DATA
    for layer in layers:
        use = layer.below.plain
        if not isinstance(use, Use) or use.below is not below or (gain := _gain(use)) is None:
            return {}
        chain.append((*gain, _on_cpu(layer)))
        below = layer
    first = layers[0].below.plain if layers else None
    if not isinstance(first, Use) or first.squares is None:
        return {}
    return theory.propagate(chain, first.squares.tolist())


def _gain(use: Use) -> tuple[float, float] | None:
    """Return fan-in times the variance of weights, and the mean square of their biases."""
    weight = _measurable(use.weight).double()
    variance = float(weight.var(correction=0))
    if variance == 0 or float(weight.mean()) ** 2 > variance / 10:
        return None
    bias = 0.0 if use.bias is None else float(use.bias.detach().double().square().mean())
    return oriented(use, weight).shape[1] * variance, bias


def _on_cpu(layer: Layer) -> theory.Phi:
    z = layer.below.value
    assert z is not None
    device = z.device

    def phi(x: Tensor) -> tuple[Tensor, Tensor]:
        value, derivative = _value_and_derivative(layer, x.flatten().to(device))
        return value.reshape(x.shape).cpu(), derivative.reshape(x.shape).cpu()

    return phi
