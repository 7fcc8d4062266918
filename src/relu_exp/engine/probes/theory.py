"""Mean-field theory: how signals and gradients change from layer to layer at infinite width.

A pre-activation of a wide layer with random weights is a sum of many independent terms, so over the
units it is N(0, q), with a variance q per sample. All predictions follow from that (He et al. 2015,
arXiv:1502.01852; Poole et al. 2016, arXiv:1606.05340; Schoenholz et al. 2017, arXiv:1611.01232;
for networks near the linear regime Glorot, Bengio 2010, AISTATS).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache, lru_cache, partial

import numpy as np
import torch
from torch import Tensor

from relu_exp.core.schema import Choice, RunConfig
from relu_exp.engine.activations import value_and_derivative
from relu_exp.engine.initializers import INITIALIZERS, weight_variance
from relu_exp.engine.networks import NETWORKS

__all__ = ["gaussian_nodes", "predict", "propagate"]

Phi = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Numbers → values and derivatives of an activation, of the same shape."""

# Panels end where φ(x) may bend: activations have kinks at 0 or a small whole number, change on the
# scale of 1 and are nearly straight far out. They also end where the density of z bends: on the
# scale of 1, up to 9, beyond which its mass is 2e-19.
_BENDS = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 12.0, 20.0, 40.0)
_LIMIT = 9
_NODES_PER_PANEL = 8


def gaussian_nodes(variances: Tensor) -> tuple[Tensor, Tensor]:
    """Return values x (..., nodes) and weights w such that E[f(√q z)] = Σ w f(x), z ~ N(0, 1).

    Both are float64, for each variance q ≥ 0 of `variances` (...).

    This is Gauss–Legendre quadrature on panels that end wherever the function or the density bends,
    so that it resolves kinks and saturation at every q. For the squares of all registered
    activations and of their derivatives, the relative error is below 1e-12.
    """
    std = variances.double().sqrt().unsqueeze(-1)
    bends = torch.tensor((0.0, *_BENDS), dtype=torch.float64) / std.clamp(min=1e-300)
    units = torch.arange(_LIMIT + 1, dtype=torch.float64).expand(*variances.shape, -1)
    edges = torch.cat([bends.clamp(max=_LIMIT), units], dim=-1).sort(dim=-1).values
    nodes, node_weights = _legendre(_NODES_PER_PANEL)
    half = edges.diff(dim=-1).unsqueeze(-1) / 2
    z = (edges[..., :-1].unsqueeze(-1) + half * (1 + nodes)).flatten(-2)
    density = torch.exp(-z.square() / 2) / math.sqrt(2 * math.pi)
    weights = (half * node_weights).flatten(-2) * density
    return std * torch.cat([-z, z], dim=-1), torch.cat([weights, weights], dim=-1)


@cache
def _legendre(count: int) -> tuple[Tensor, Tensor]:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return torch.from_numpy(nodes), torch.from_numpy(weights)


def predict(
    config: RunConfig, fans: Sequence[tuple[int, int]], input_mean_squares: Tensor
) -> dict[str, list[float]]:
    """Return the predictions for an infinitely wide network at step 0: quantity → value per layer.

    With V_l the variance of a weight of hidden layer l and B_l that of a bias (zero unless the
    initializer draws biases), m(s) the mean square of sample s's inputs and z ~ N(0, 1):

        q_1(s)     = fan_in_1 V_1 m(s) + B_1
        q_{l+1}(s) = fan_in_{l+1} V_{l+1} E[φ(√q_l(s) z)²] + B_{l+1}
        χ_l(s)     = fan_in_l V_l E[φ′(√q_l(s) z)²]

    preactivation_std: √(mean over s of q_l), over units and samples together.
    activation_mean:   mean over s of E[φ(√q_l z)].
    activation_std:    √(mean over s of E[φ(√q_l z)²] − activation_mean²).
    gradient_factor:   G_l / G_{l+1}, where G_l is the L2 norm over units and samples of the
        gradient by layer l's activations. One sample's squared norm changes by χ_{l+1}(s), hence
        G_l² ∝ Σ_s χ_{l+1}(s) ⋯ χ_L(s) with samples weighing the same at the last hidden layer L,
        whose factor is 1. The product of the factors of layers l … L−1 predicts G_l / G_L.

    Args:
        config: the run; only its network, activation and initializer matter. PReLU has its initial
            slope, RReLU its mean slope.
        fans: fan-in and fan-out of each hidden layer's weights, from the first layer on.
        input_mean_squares: mean over the features of x², (samples,).

    Returns:
        An empty dictionary if the theory does not apply: networks other than a plain `mlp`, no
        hidden layers, weights that are not random, biases that are not normal around 0.
    """
    variances = [
        weight_variance(config.initializer, config.activation, fan_in, fan_out)
        for fan_in, fan_out in fans
    ]
    stated = tuple(variance for variance in variances if variance is not None)
    initializer = INITIALIZERS[config.initializer.name]
    is_plain = NETWORKS[config.network.name].is_plain(config.network.as_dict())
    if not is_plain or not fans or len(stated) < len(variances):
        return {}
    if initializer.offsets_biases:
        return {}
    layers = tuple(
        # biases, where they are drawn, are U(−1/√fan_in, 1/√fan_in)
        (fan_in * variance, 1 / (3 * fan_in) if initializer.draws_biases else 0.0)
        for (fan_in, _), variance in zip(fans, stated, strict=True)
    )
    means = tuple(input_mean_squares.double().tolist())
    return {name: list(values) for name, values in _recursion(config.activation, layers, means)}


@lru_cache(maxsize=256)
def _recursion(
    activation: Choice, layers: tuple[tuple[float, float], ...], mean_squares: tuple[float, ...]
) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """Propagate the samples' variances through the layers, given as (fan_in · V, B).

    Results are cached, because runs that differ only in their learning rate share them.
    """
    phi = partial(value_and_derivative, activation)
    found = propagate([(*layer, phi) for layer in layers], mean_squares)
    return tuple((name, tuple(values)) for name, values in found.items())


def propagate(
    layers: Sequence[tuple[float, float, Phi]], mean_squares: Sequence[float]
) -> dict[str, list[float]]:
    """Return the predictions of `predict` for layers of any activations.

    Args:
        layers: (fan_in · V, B, φ) of each layer, from the first on; φ takes float64 numbers of any
            shape and returns its values and derivatives.
        mean_squares: m(s) of each sample.
    """
    signal = torch.tensor(mean_squares, dtype=torch.float64)
    preactivation_std, activation_mean, activation_std, slopes = [], [], [], []
    for weight_gain, bias_variance, phi in layers:
        q = weight_gain * signal + bias_variance
        x, weights = gaussian_nodes(q)
        value, derivative = phi(x)
        mean = (value * weights).sum(dim=-1).mean()
        signal = (value.square() * weights).sum(dim=-1)
        slopes.append(weight_gain * (derivative.square() * weights).sum(dim=-1))
        preactivation_std.append(q.mean().sqrt().item())
        activation_mean.append(mean.item())
        activation_std.append((signal.mean() - mean.square()).clamp(min=0).sqrt().item())
    return {
        "preactivation_std": preactivation_std,
        "activation_mean": activation_mean,
        "activation_std": activation_std,
        "gradient_factor": _gradient_factors(slopes),
    }


def _gradient_factors(slopes: Sequence[Tensor]) -> list[float]:
    """Return G_l / G_{l+1} for every layer from χ_l(s), (samples,) each; 1 for the last."""
    factors = [1.0]
    share = torch.full_like(slopes[-1], 1 / len(slopes[-1]))  # of G², by sample
    for slope in reversed(slopes[1:]):
        square = (share * slope).sum()
        factors.append(square.sqrt().item())
        if square > 0:
            share = share * slope / square
    return factors[::-1]
