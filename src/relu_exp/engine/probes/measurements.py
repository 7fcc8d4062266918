"""Measurements of every hidden layer of a fleet; `docs/measurements.md` defines each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor

from relu_exp.core.schema import HISTOGRAM_BINS, QUANTITIES, UsageError
from relu_exp.engine.fleet.stack import Stack, Tape
from relu_exp.engine.ops.kernels import never_moves
from relu_exp.engine.ops.products import product
from relu_exp.engine.ops.samples import Samples

__all__ = [
    "MEASUREMENTS",
    "Probe",
    "dead_units",
    "histogram",
    "measure",
    "norm",
    "register",
    "resting",
    "take_probe",
]


@dataclass(frozen=True)
class Probe:
    """What one probe saw of a hidden layer, every tensor with the run first.

    Attributes:
        z: pre-activations (runs, units, samples).
        a: activations (runs, units, samples).
        derivative: φ′(z) (runs, units, samples).
        activation_grad: gradient of the mean loss by a (runs, units, samples).
        weight_grad: gradient of the mean loss by the weights (runs, out, in, ...).
        saturated_below: |φ′| under which a value counts as saturated (runs, 1, 1).
    """

    z: Tensor
    a: Tensor
    derivative: Tensor
    activation_grad: Tensor
    weight_grad: Tensor
    saturated_below: Tensor


Measurement = Callable[[Probe], Tensor]


def _mean(x: Tensor) -> Tensor:
    return x.flatten(1).mean(1)


def _share(compare: Callable[..., Tensor], x: Tensor, y: Tensor | float) -> Tensor:
    # straight to floats: a detour by booleans takes five times as long
    return _mean(compare(x, y, out=torch.empty_like(x)))


def _std(x: Tensor) -> Tensor:
    # two passes: the mean of squares loses a small spread around a large mean
    std: Tensor = norm(x - x.mean((1, 2), keepdim=True)) / x[0].numel() ** 0.5
    return std


def norm(x: Tensor) -> Tensor:
    """Return the Euclidean norm of every run's part of x (runs, ...): (runs,).

    Squares are taken to scale: those of gradients that vanished over many layers would underflow.
    """
    x = x.flatten(1)
    # not linalg.vector_norm, which sums one run's part in another order than those of several
    largest = x.abs().amax(1, keepdim=True)
    scale = torch.where(torch.isfinite(largest) & (largest > 0), largest, 1)
    found: Tensor = (x / scale).square_().sum(1).sqrt_() * scale[:, 0]
    return found


def _unit_spread(rows: Tensor) -> Tensor:
    """Return how far rows (runs, units, ...) are from their mean: 0 when equal, 1 when unrelated.

    Rows of zeros are equal.
    """
    # every n-th weight: those of a layer of many inputs cost as much as their update
    rows = rows.flatten(2)
    rows = rows[:, :, :: -(-rows.shape[2] // _SPREAD_WEIGHTS)].contiguous()
    # to scale: squares of gradients that vanished over many layers would underflow
    rows = rows / rows.abs().amax((1, 2), keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)
    apart = norm(rows - rows.mean(1, keepdim=True))
    return apart / norm(rows).clamp_min(torch.finfo(rows.dtype).tiny)


def _effective_rank(a: Tensor) -> Tensor:
    """Return the participation ratio of the units' covariance over samples: from 0 to units."""
    # every n-th sample: a covariance of wide layers over many costs as much as their forward pass
    a = a[:, :, :: -(-a.shape[2] // _RANK_SAMPLES)]
    centered = a - a.mean(2, keepdim=True)
    size = centered.abs().amax((1, 2), keepdim=True)
    # what is left of constant units is their rounding, which has every rank
    varies = (size > _ROUNDING * a.abs().amax((1, 2), keepdim=True)).flatten()
    centered = centered / size.clamp_min(torch.finfo(a.dtype).tiny)
    # the covariance of units and the products of samples have the same eigenvalues but for zeros
    rows, columns = centered, centered.transpose(1, 2)
    covariance = product(rows, columns) if a.shape[1] <= a.shape[2] else product(columns, rows)
    trace = covariance.diagonal(dim1=1, dim2=2).sum(1)
    rank = (trace / norm(covariance).clamp_min(torch.finfo(a.dtype).tiny)).square()
    return torch.where(varies, rank, torch.zeros_like(rank))


_ROUNDING = 1e-6
_RANK_SAMPLES = 256
_SPREAD_WEIGHTS = 256

MEASUREMENTS: dict[str, Measurement] = {}
"""Quantity → function of a layer's probe, returning one number per run."""


def register(quantity: str, meaning: str) -> Callable[[Measurement], Measurement]:
    """Register the decorated function under the name of its quantity, with what it means.

    Raises:
        UsageError: the name is taken.
    """

    def add(function: Measurement) -> Measurement:
        if quantity in MEASUREMENTS:
            raise UsageError(f"measurement {quantity} is registered twice: choose another name")
        function.__doc__ = function.__doc__ or meaning
        MEASUREMENTS[quantity] = function
        return function

    return add


_OWN: dict[str, Measurement] = {
    "preactivation_mean": lambda probe: _mean(probe.z),
    "preactivation_std": lambda probe: _std(probe.z),
    "activation_mean": lambda probe: _mean(probe.a),
    "activation_std": lambda probe: _std(probe.a),
    "saturated_fraction": lambda probe: _share(
        torch.le, probe.derivative.abs(), probe.saturated_below
    ),
    "zero_fraction": lambda probe: _share(torch.eq, probe.a, 0),
    "dead_on_probe_fraction": lambda probe: never_moves(probe.derivative).float().mean(1),
    "weight_grad_norm": lambda probe: norm(probe.weight_grad),
    "activation_grad_norm": lambda probe: norm(probe.activation_grad),
    "weight_grad_spread": lambda probe: _unit_spread(probe.weight_grad),
    "effective_rank": lambda probe: _effective_rank(probe.a),
}
for _quantity, _function in _OWN.items():
    register(_quantity, QUANTITIES[_quantity])(_function)


def take_probe(stack: Stack, x: Samples, saturated_below: Tensor) -> list[Probe]:
    """Return what a pass over the probe batch, in evaluation mode, and its way back show.

    Args:
        stack: the fleet's networks.
        x: the probe batch.
        saturated_below: |φ′| under which a value counts as saturated (runs,).
    """
    tape = Tape()
    loss = stack.output.loss(stack.forward(x, tape=tape), x.run_labels()).mean(1)
    num_hidden = len(tape.activations)
    wanted = [*tape.activations, *stack.weights[:num_hidden]]
    # a layer that the loss does not reach has no gradient: its norm is zero
    found = torch.autograd.grad(loss.sum(), wanted, allow_unused=True) if wanted else ()
    # in one piece: sums over rows with gaps between them may go another way in a fleet than alone
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


def measure(probes: Sequence[Probe]) -> dict[str, Tensor]:
    """Return quantity → values (runs, layers)."""
    return {
        name: torch.stack([function(probe) for probe in probes], dim=1)
        for name, function in MEASUREMENTS.items()
    }


def histogram(values: Tensor, kind: str) -> Tensor:
    """Return the counts of values (runs, ...) in the fixed bins: (runs, bins + 2), int32.

    The first and last columns count what lies below and above all bins; nan counts as above.
    """
    low, high, bins = HISTOGRAM_BINS[kind]
    runs = values.shape[0]
    place = (values.flatten(1) - low).mul_(bins / (high - low)).nan_to_num_(nan=float(bins))
    # clamp before the cast: a float beyond int32 has no defined integer
    index = place.floor_().clamp_(-1, bins).int()
    first = 1 + torch.arange(runs, device=values.device, dtype=torch.int32)[:, None] * (bins + 2)
    counts = torch.bincount(index.add_(first).flatten(), minlength=runs * (bins + 2))
    return counts.reshape(runs, bins + 2).int()


def resting(stack: Stack, x: Samples) -> tuple[Tensor, list[Tensor]]:
    """Return the outputs, and of each hidden layer which units never move on these samples.

    Never to move is to have a zero derivative on every sample: (runs, units) a layer.
    """
    with torch.no_grad():
        if (rests := stack.phi.rests) is not None and stack.is_dense:
            found: list[Tensor] = []
            outputs = stack.forward(x, heard=lambda a: found.append(rests(a)))
            return outputs, found
        tape = Tape()
        outputs = stack.forward(x, tape=tape)
        pairs = enumerate(zip(tape.preactivations, tape.activations, strict=True))
        return outputs, [
            never_moves(stack.phi.derivative(z, a, **stack.slope_of(layer)))
            for layer, (z, a) in pairs
        ]


def dead_units(
    stack: Stack,
    suspects: Sequence[Tensor],
    samples: Callable[[Sequence[int], int], Samples | None],
) -> list[Tensor]:
    """Return which of some units never move on more samples either: (runs, units) a layer.

    Only runs that still have such units are sent through the next samples.

    Args:
        stack: the fleet's networks.
        suspects: the units that may be dead (runs, units) of each layer.
        samples: the n-th part of the samples for some of the runs, None past the last.
    """
    dead, left, part = [layer.clone() for layer in suspects], list(range(stack.num_runs)), stack
    for index in count():
        still = [run for run in left if any(bool(layer[run].any()) for layer in dead)]
        x = samples(still, index) if still else None
        if x is None:
            break
        if still != left:
            left, part = still, stack.keep(still)
        for layer, quiet in zip(dead, resting(part, x)[1], strict=True):
            layer[left] &= quiet
    return dead
