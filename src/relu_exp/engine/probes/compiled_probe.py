"""A probe by the compiled kernel: each run there and back, summarized while it is in the cache."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import torch
from torch import Tensor

from relu_exp.core.schema import HISTOGRAM_BINS
from relu_exp.engine.fleet.compiled_mlp import CompiledMlp
from relu_exp.engine.ops.samples import Samples

__all__ = ["ProbeResult", "probe"]

_NUMBERS = (
    *("preactivation_mean", "preactivation_std", "", ""),
    *("activation_mean", "activation_std", "activation_sample_std", "activation_unit_mean_rms"),
    *("saturated_fraction", "dead_on_probe_fraction", "zero_fraction"),
    *("effective_rank", "activation_grad_norm", "weight_grad_norm", "weight_grad_spread"),
)
"""The quantities in the order of `c/probe.c`; those without a name are not kept."""


class _Bins(ctypes.Structure):
    _fields_ = (("low", ctypes.c_float), ("scale", ctypes.c_float), ("bins", ctypes.c_int))


class _Arguments(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("saturated_below", "derivatives")),
        *(
            (name, ctypes.c_void_p)
            for name in ("weight_grad", "rank_scratch", "spread_scratch", "numbers")
        ),
        *((name, ctypes.c_void_p * 2) for name in ("counts", "extents")),
        ("is_flat", ctypes.c_void_p),
        ("bins", _Bins * 2),
        *((name, ctypes.c_int) for name in ("rank_samples", "spread_weights")),
        ("rounding", ctypes.c_float),
    )


class ProbeResult(NamedTuple):
    """What the kernel says of all hidden layers.

    `values` are quantity → (runs, layers). `counts` and `extents` are by the kind of histogram:
    (runs, layers, bins + 2), int32, and least, largest and mean value (runs, layers, 3).
    `zero_gradient` tells for each layer which units have φ′ = 0 on every sample (runs, units).
    """

    values: dict[str, Tensor]
    counts: dict[str, Tensor]
    extents: dict[str, Tensor]
    zero_gradient: list[Tensor]


def probe(
    kernel: CompiledMlp,
    x: Samples,
    saturated_below: Tensor,
    rank_samples: int,
    spread_weights: int,
    rounding: float,
) -> ProbeResult:
    """Pass a batch there and back.

    Args:
        kernel: has activations for batches of the shape of x, which are overwritten.
        x: the probe batch, whose labels are classes.
        saturated_below: |φ′| up to which a value is saturated (runs,).
        rank_samples: of more samples, every n-th is taken for the effective rank.
        spread_weights: of more weights in a row, every n-th is taken for their spread.
        rounding: the share of the largest value up to which deviations count as none.
    """
    runs, layers, samples = len(kernel.first), len(kernel.units), x.inputs.shape[2]
    taken = min(samples, rank_samples)
    weight_grad = torch.empty(max(out * into for out, into in kernel.hidden_shapes))
    rank_scratch = torch.empty(max(n * taken + min(n, taken) ** 2 for n in kernel.units))
    spread_scratch = torch.empty(2 * spread_weights, dtype=torch.float64)
    numbers = torch.empty(runs, layers, len(_NUMBERS))
    all_bins = {kind: HISTOGRAM_BINS[kind] for kind in ("preactivation", "activation")}
    counts = {
        kind: torch.empty(runs, layers, bins + 2, dtype=torch.int32)
        for kind, (_, _, bins) in all_bins.items()
    }
    extents = {kind: torch.empty(runs, layers, 3) for kind in all_bins}
    is_flat = torch.empty(runs, sum(kernel.units), dtype=torch.bool)
    limits = saturated_below.to(torch.float32).contiguous()
    derivatives = torch.empty(sum(kernel.units) * samples)
    scratch = (limits, derivatives, weight_grad, rank_scratch, spread_scratch, numbers)
    found = _Arguments(
        *(each.data_ptr() for each in scratch),
        *(
            (ctypes.c_void_p * 2)(*(t.data_ptr() for t in each.values()))
            for each in (counts, extents)
        ),
        is_flat.data_ptr(),
        (_Bins * 2)(
            *(_Bins(low, bins / (high - low), bins) for low, high, bins in all_bins.values())
        ),
        *(rank_samples, spread_weights, rounding),
    )
    kernel.call("mlp_probe", x, ctypes.byref(found))
    values = {name: numbers[:, :, place] for place, name in enumerate(_NUMBERS) if name}
    return ProbeResult(values, counts, extents, list(torch.split(is_flat, kernel.units, dim=1)))
