"""Measurements of every hidden layer of a fleet; `docs/measurements.md` defines them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count

import torch
from torch import Tensor

from relu_exp.core.plugin_code import registering_module
from relu_exp.core.plugin_loading import note_entry
from relu_exp.core.schema import QUANTITIES, UsageError
from relu_exp.engine.fleet.stack import Stack, Tape
from relu_exp.engine.ops.kernels import zero_gradient_units
from relu_exp.engine.ops.samples import Samples
from relu_exp.engine.probes.summaries import (
    Moments,
    Shares,
    effective_rank,
    mean,
    moments,
    norm,
    norm_of_difference,
    shares,
    spread,
)

__all__ = [
    "MEASUREMENTS",
    "RANK_SAMPLES",
    "SPREAD_WEIGHTS",
    "Probe",
    "dead_units",
    "find_zero_gradient_units",
    "learned_parameters",
    "measure",
    "plugins",
    "register",
    "take_probe",
    "update_ratio",
]


@dataclass(frozen=True)
class Probe:
    """The values and gradients of a hidden layer on the probe batch; the run axis is first.

    Attributes:
        z: pre-activations (runs, units, samples).
        a: activations (runs, units, samples).
        derivative: φ′(z) (runs, units, samples).
        activation_grad: gradient of the mean loss by a (runs, units, samples).
        weight_grad: gradient of the mean loss by the weights (runs, out, in, ...).
        saturated_below: |φ′| up to which a value counts as saturated (runs, 1, 1).
    """

    z: Tensor
    a: Tensor
    derivative: Tensor
    activation_grad: Tensor
    weight_grad: Tensor
    saturated_below: Tensor

    @cached_property
    def of_z(self) -> Moments:
        """Moments of the pre-activations."""
        return moments(self.z)

    @cached_property
    def of_a(self) -> Moments:
        """Moments of the activations."""
        return moments(self.a)

    @cached_property
    def shares(self) -> Shares:
        """Shares of saturated values, dead units and zeros."""
        return shares(self.derivative, self.a, self.saturated_below)


Measurement = Callable[[Probe], Tensor]


RANK_SAMPLES = 256
SPREAD_WEIGHTS = 256

MEASUREMENTS: dict[str, Measurement] = {}
"""Quantity → function from a layer's probe to one number per run."""

_PLUGINS: dict[str, str] = {}
"""Quantity → the module that registered it; empty if it comes with the package."""


def register(quantity: str, meaning: str) -> Callable[[Measurement], Measurement]:
    """Register the decorated function under the name of its quantity, with its meaning.

    Raises:
        UsageError: the name is taken.
    """

    def add(function: Measurement) -> Measurement:
        if quantity in MEASUREMENTS:
            raise UsageError(f"measurement {quantity} is registered twice: choose another name")
        function.__doc__ = function.__doc__ or meaning
        MEASUREMENTS[quantity] = function
        _PLUGINS[quantity] = registering_module()
        note_entry(f"measurement {quantity}", _PLUGINS[quantity])
        return function

    return add


def plugin_of(quantity: str) -> str:
    """Return the module that registered a measurement; empty if it comes with the package."""
    return _PLUGINS.get(quantity, "")


def plugins() -> set[str]:
    """Return the modules outside the package that registered measurements."""
    return {plugin_of(quantity) for quantity in MEASUREMENTS} - {""}


_OWN: dict[str, Measurement] = {
    "preactivation_mean": lambda probe: probe.of_z.mean,
    "preactivation_std": lambda probe: probe.of_z.std,
    "activation_mean": lambda probe: probe.of_a.mean,
    "activation_std": lambda probe: probe.of_a.std,
    "activation_sample_std": lambda probe: probe.of_a.sample_std,
    "activation_unit_mean_rms": lambda probe: probe.of_a.unit_mean_rms,
    "saturated_fraction": lambda probe: probe.shares.saturated,
    "zero_fraction": lambda probe: probe.shares.zero,
    "dead_on_probe_fraction": lambda probe: probe.shares.dead,
    "weight_grad_norm": lambda probe: norm(probe.weight_grad),
    "activation_grad_norm": lambda probe: norm(probe.activation_grad),
    # not all weights: of a wide layer that costs as much as their update
    "weight_grad_spread": lambda probe: spread(probe.weight_grad, SPREAD_WEIGHTS),
    # not all samples: the covariance over them costs as much as a forward pass
    "effective_rank": lambda probe: effective_rank(probe.a, RANK_SAMPLES),
}
for _quantity, _function in _OWN.items():
    register(_quantity, QUANTITIES[_quantity])(_function)


def take_probe(stack: Stack, x: Samples, saturated_below: Tensor) -> list[Probe]:
    """Run the probe batch forward in evaluation mode and backward; return a probe per layer.

    Args:
        stack: the fleet's networks.
        x: the probe batch.
        saturated_below: |φ′| up to which a value counts as saturated (runs,).
    """
    tape = Tape()
    # a batch normalization as training sees it
    outputs = stack.forward(x, tape=tape, statistics="batch")
    loss = stack.output.loss(outputs, x.run_labels()).mean(1)
    num_hidden = len(tape.activations)
    wanted = [*tape.activations, *stack.weights[:num_hidden]]
    # a layer that the loss does not depend on has no gradient: its norm is zero
    found = torch.autograd.grad(loss.sum(), wanted, allow_unused=True) if wanted else ()
    # contiguous, because the order of summation may depend on the strides
    grads = [
        (torch.zeros_like(tensor) if grad is None else grad).contiguous()
        for tensor, grad in zip(wanted, found, strict=True)
    ]
    passed = [
        (z.detach().contiguous(), a.detach().contiguous())
        for z, a in zip(tape.preactivations, tape.activations, strict=True)
    ]
    return [
        Probe(
            z=z,
            a=a,
            derivative=stack.phi.derivative(z, a, **stack.slope_of(layer)),
            activation_grad=grads[layer],
            weight_grad=grads[num_hidden + layer],
            saturated_below=saturated_below.reshape(-1, 1, 1),
        )
        for layer, (z, a) in enumerate(passed)
    ]


def measure(probes: Sequence[Probe], quantities: Iterable[str] | None = None) -> dict[str, Tensor]:
    """Return quantity → values (runs, layers), of all measurements or of some."""
    return {
        quantity: torch.stack([MEASUREMENTS[quantity](probe) for probe in probes], dim=1)
        for quantity in (MEASUREMENTS if quantities is None else quantities)
    }


def update_ratio(before: Tensor, after: Tensor) -> Tensor:
    """Return the norm of an update over that of the weights before it (runs, ...): (runs,)."""
    return norm_of_difference(after, before) / norm(before)


def learned_parameters(stack: Stack) -> dict[str, Tensor]:
    """Return what the activation has learned: quantity → values (runs, layers).

    The quantity of a parameter `slope` is `learned_slope`. Where the units of a layer have their
    own it is their mean, beside `learned_slope_minimum` and `learned_slope_maximum`. Layers that
    share a parameter have the same value. Empty for an activation that learns nothing.
    """
    learned = [stack.slope_of(layer) for layer in range(len(stack.hidden))]
    found: dict[str, Tensor] = {}
    for name in learned[0] if learned else ():
        each = [layer[name].detach() for layer in learned]
        found[f"learned_{name}"] = torch.stack([mean(values) for values in each], dim=1)
        if any(values.shape[1] > 1 for values in each):
            ends = [values.flatten(1).aminmax(dim=1) for values in each]
            found[f"learned_{name}_minimum"] = torch.stack([end.min for end in ends], dim=1)
            found[f"learned_{name}_maximum"] = torch.stack([end.max for end in ends], dim=1)
    return found


def find_zero_gradient_units(stack: Stack, x: Samples) -> tuple[Tensor, list[Tensor]]:
    """Return the outputs, and for each hidden layer which units have zero gradient on all samples.

    Such a unit has φ′(z) = 0 on every sample: (runs, units) per layer.
    """
    with torch.no_grad():
        exact = stack.phi.zero_gradient_units is not None
        if exact and (kernel := stack.evaluator(x)) is not None:
            return kernel.evaluate(x)
        if (from_activations := stack.phi.zero_gradient_units) is not None and stack.is_dense:
            found: list[Tensor] = []
            outputs = stack.forward(x, on_activation=lambda a: found.append(from_activations(a)))
            return outputs, found
        tape = Tape()
        outputs = stack.forward(x, tape=tape)
        pairs = enumerate(zip(tape.preactivations, tape.activations, strict=True))
        return outputs, [
            zero_gradient_units(stack.phi.derivative(z, a, **stack.slope_of(layer)))
            for layer, (z, a) in pairs
        ]


def dead_units(
    stack: Stack,
    candidates: Sequence[Tensor],
    samples: Callable[[Sequence[int], int], Samples | None],
) -> list[Tensor]:
    """Return which candidates have zero gradient on more samples too: (runs, units) per layer.

    Each further chunk of samples is passed only through the runs that still have candidates.

    Args:
        stack: the fleet's networks.
        candidates: the units of each layer that may be dead (runs, units).
        samples: returns the n-th chunk of samples for some of the runs, None after the last.
    """
    dead = [layer.clone() for layer in candidates]
    runs, part = list(range(stack.num_runs)), stack
    for index in count():
        has_candidates = torch.stack([layer.any(1) for layer in dead]).any(0).tolist()
        remaining = [run for run in runs if has_candidates[run]]
        x = samples(remaining, index) if remaining else None
        if x is None:
            break
        if remaining != runs:
            runs, part = remaining, stack.keep(remaining)
        for layer, units in zip(dead, find_zero_gradient_units(part, x)[1], strict=True):
            layer[runs] &= units
    return dead
