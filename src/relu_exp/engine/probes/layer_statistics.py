"""What a probe says of every hidden layer, by the compiled kernel where there is one."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from relu_exp.core.schema import DEFAULT_PRECISION, HISTOGRAM_BINS
from relu_exp.engine.fleet.stack import Stack
from relu_exp.engine.ops import precision
from relu_exp.engine.ops.kernels import zero_gradient_units
from relu_exp.engine.ops.samples import Samples
from relu_exp.engine.probes import compiled_probe, measurements
from relu_exp.engine.probes.measurements import RANK_SAMPLES, SPREAD_WEIGHTS, measure, take_probe
from relu_exp.engine.probes.summaries import ROUNDING, Extent, histogram

__all__ = ["LayerStatistics", "layer_statistics"]


class LayerStatistics(NamedTuple):
    """What a probe says of all hidden layers.

    `values` are quantity → (runs, layers). `histograms` are by layer and kind: counts
    (runs, bins + 2) and their extent. `zero_gradient` tells for each layer which units have φ′ = 0
    on every sample (runs, units).
    """

    values: dict[str, Tensor]
    histograms: list[dict[str, tuple[Tensor, Extent]]]
    zero_gradient: list[Tensor]


def layer_statistics(stack: Stack, x: Samples, saturated_below: Tensor) -> LayerStatistics:
    """Run a probe batch there and back and summarize every hidden layer.

    Args:
        stack: the fleet's networks.
        x: the probe batch.
        saturated_below: |φ′| up to which a value counts as saturated (runs,).
    """
    kernel = stack.prober(x)
    if kernel is None:
        return _by_autograd(stack, x, saturated_below)
    found = compiled_probe.probe(kernel, x, saturated_below, RANK_SAMPLES, SPREAD_WEIGHTS, ROUNDING)
    values = found.values
    if others := [quantity for quantity in measurements.MEASUREMENTS if quantity not in values]:
        values |= measure(take_probe(stack, x, saturated_below), others)
    return LayerStatistics(
        {quantity: values[quantity] for quantity in measurements.MEASUREMENTS},
        [
            {
                kind: (found.counts[kind][:, layer], Extent(*found.extents[kind][:, layer].T))
                for kind in HISTOGRAM_BINS
            }
            for layer in range(len(stack.hidden))
        ],
        found.zero_gradient,
    )


def _by_autograd(stack: Stack, x: Samples, saturated_below: Tensor) -> LayerStatistics:
    probes = take_probe(stack, x, saturated_below)
    # reduced precision applies to the network's products, not to those of a measurement
    with precision.in_use(DEFAULT_PRECISION, x.inputs.device.type):
        return LayerStatistics(
            measure(probes),
            [
                {
                    "preactivation": histogram(probe.z, "preactivation"),
                    "activation": histogram(probe.a, "activation"),
                }
                for probe in probes
            ],
            [zero_gradient_units(probe.derivative) for probe in probes],
        )
