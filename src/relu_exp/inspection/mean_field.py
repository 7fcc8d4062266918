"""Mean-field theory of dense networks with sums, such as residual branches.

In a wide network a product by random weights is, over its units, N(0, q) for each sample, and
independent of everything that its weights have not touched. So the mean square over units of a sum
h + f, where f has weights that h has not, is S(h) + S(f) + 2 M(h) M(f), with S the mean square and
M the mean over units; and the squared norms of the gradients that two branches send back add up
(Yang and Schoenholz 2017, arXiv:1712.08969). A nonlinearity is predicted where what it receives is
normal: a product, or a sum of products. Per sample, with z ~ N(0, 1):

    z = W a      S(z) = fan_in V S(a) + B     M(z) = 0              ‖∂a‖² gains fan_in V ‖∂z‖²
    a = φ(z)     S(a) = E[φ(√S(z) z)²]        M(a) = E[φ(√S(z) z)]  ‖∂z‖² gains E[φ′²] ‖∂a‖²
    s = h + f    as above                     M(s) = M(h) + M(f)    ‖∂h‖², ‖∂f‖² gain ‖∂s‖²

V is the variance of a weight and B the mean square of the biases, both of the weights as they are.
For a plain chain this is the engine's recursion (`theory.propagate`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from relu_exp.engine.probes.theory import Phi, gaussian_nodes
from relu_exp.inspection.nodes import DATA, Layer, Sum, Use

__all__ = ["predict"]

Gain = Callable[[Use], tuple[float, float] | None]
"""Use of weights → (fan_in · V, B); None where the theory does not hold for them."""


@dataclass(frozen=True)
class _Moments:
    """What is predicted of a tensor.

    Attributes:
        square: mean square over its units (samples,).
        mean: mean over its units (samples,).
        is_normal: whether it is normal over its units.
        products: ids of the products by weights that it is an elementwise function of.
    """

    square: Tensor
    mean: Tensor
    is_normal: bool
    products: frozenset[int]


def predict(
    layers: Sequence[Layer], uses: Sequence[Use], gain: Gain, phi: Callable[[Layer], Phi]
) -> dict[str, list[float]]:
    """Return the predictions of `theory.propagate` for a network with sums, its head included.

    Args:
        layers: all nonlinearities of a pass.
        uses: all products by weights of it, the head last.
        gain: what the theory needs of weights.
        phi: values and derivatives of a layer's function.

    Returns:
        Quantity → value per layer; empty where the theory does not apply: a part of the network is
        something else, weights are used twice, a nonlinearity receives what is not normal, or two
        parts of a sum share weights.
    """
    order = _in_order(uses[-1]) if uses else []
    is_whole = {*map(id, layers), *map(id, uses)} == {
        id(each) for each in order if not isinstance(each, Sum)
    }
    if not order or not is_whole or len({id(use.weight) for use in uses}) < len(uses):
        return {}
    gains: dict[int, tuple[float, float]] = {}
    for use in uses:
        found = gain(use)
        if found is None:
            return {}
        gains[id(use)] = found
    moments: dict[int, _Moments] = {}
    slopes: dict[int, Tensor] = {}
    for each in order:
        if isinstance(each, Use):
            made = _of_product(each, moments, *gains[id(each)])
        elif isinstance(each, Sum):
            made = _of_sum(*(moments[id(part)] for part in each.parts))
        else:
            made = _of_layer(moments[id(each.below.plain)], phi(each), slopes, id(each))
        if made is None:
            return {}
        moments[id(each)] = made
    norms = _gradients(order, gains, slopes, moments[id(uses[-1])].square)
    below = [moments[id(layer.below.plain)].square.mean() for layer in layers]
    square = [moments[id(layer)].square.mean() for layer in layers]
    mean = [moments[id(layer)].mean.mean() for layer in layers]
    sizes = [norms[id(layer)].sum().sqrt() for layer in layers]
    return {
        "preactivation_std": [q.sqrt().item() for q in below],
        "activation_mean": [m.item() for m in mean],
        "activation_std": [
            (s - m.square()).clamp(min=0).sqrt().item() for s, m in zip(square, mean, strict=True)
        ],
        "gradient_factor": [
            *((one / after).item() for one, after in pairwise(sizes)),
            1.0,
        ],
    }


def _in_order(head: Use) -> list[Use | Layer | Sum]:
    """Return everything below the head, each after what it is made of; empty if some is unknown."""
    order: list[Use | Layer | Sum] = []
    done: set[int] = set()
    open_: list[tuple[object, bool]] = [(head, False)]
    while open_:
        each, is_closing = open_.pop()
        if each is DATA or id(each) in done:
            continue
        if not isinstance(each, Use | Layer | Sum):
            return []
        if is_closing:
            done.add(id(each))
            order.append(each)
            continue
        open_ += [(each, True), *((part, False) for part in _parts(each))]
    return order


def _parts(each: Use | Layer | Sum) -> tuple[object, ...]:
    if isinstance(each, Use):
        return (each.below,)
    return each.parts if isinstance(each, Sum) else (each.below.plain,)


def _of_product(
    use: Use, moments: dict[int, _Moments], gain: float, bias: float
) -> _Moments | None:
    square = use.squares if use.below is DATA else moments[id(use.below)].square
    if square is None:
        return None
    q = gain * square + bias
    return _Moments(q, torch.zeros_like(q), is_normal=True, products=frozenset([id(use)]))


def _of_sum(one: _Moments, other: _Moments) -> _Moments | None:
    if one.products & other.products or one.square.shape != other.square.shape:
        return None
    return _Moments(
        one.square + other.square + 2 * one.mean * other.mean,
        one.mean + other.mean,
        is_normal=one.is_normal and other.is_normal,
        products=one.products | other.products,
    )


def _of_layer(below: _Moments, phi: Phi, slopes: dict[int, Tensor], key: int) -> _Moments | None:
    if not below.is_normal:
        return None
    x, weights = gaussian_nodes(below.square)
    value, derivative = phi(x)
    slopes[key] = (derivative.square() * weights).sum(dim=-1)
    return _Moments(
        (value.square() * weights).sum(dim=-1),
        (value * weights).sum(dim=-1),
        is_normal=False,
        products=below.products,
    )


def _gradients(
    order: Sequence[Use | Layer | Sum],
    gains: dict[int, tuple[float, float]],
    slopes: dict[int, Tensor],
    like: Tensor,
) -> dict[int, Tensor]:
    """Return the squared norms over units of the gradients (samples,), all 1 at the head.

    `like` has the shape of a number per sample.
    """
    norms = {id(order[-1]): like.new_ones(like.shape)}
    for each in reversed(order):
        if isinstance(each, Use):
            factor: Tensor | float = gains[id(each)][0]
        else:
            factor = slopes[id(each)] if isinstance(each, Layer) else 1.0
        for part in _parts(each):
            if part is not DATA:
                norms[id(part)] = norms.get(id(part), 0.0) + factor * norms[id(each)]
    return norms
