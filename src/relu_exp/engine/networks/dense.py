"""Networks of dense layers: the multilayer perceptron, and the same with skip connections."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor

from relu_exp.core.naming import shown
from relu_exp.core.schema import UsageError
from relu_exp.core.settings import Setting
from relu_exp.engine.networks.registry import NETWORKS, Layer, Pass, register
from relu_exp.engine.ops.samples import Samples

__all__: list[str] = []


def _dense_layers(widths: Sequence[int]) -> list[Layer]:
    return [Layer((out, into)) for into, out in pairwise(widths)]


def _mlp_layers(
    num_features: int, num_outputs: int, depth: int, width: int | None, settings: Mapping[str, Any]
) -> list[Layer]:
    assert width is not None
    return _dense_layers([num_features, *[width] * depth, num_outputs])


def _plain_mlp_layers(
    num_features: int, num_outputs: int, depth: int, width: int | None, settings: Mapping[str, Any]
) -> list[Layer]:
    stated = settings.get("widths")
    if stated is None:
        return _mlp_layers(num_features, num_outputs, depth, width, settings)
    return _dense_layers([num_features, *_widths(str(stated)), num_outputs])


def _widths(stated: str) -> list[int]:
    """Return the units of each hidden layer, from the setting's JSON.

    Raises:
        UsageError: it is no list of positive whole numbers.
    """
    try:
        found = json.loads(stated)
        widths = [int(str(item)) for item in found] if isinstance(found, list) else []
    except ValueError:
        widths = []
    if not widths or not all(1 <= width <= 100_000 for width in widths):
        raise UsageError(
            f"network.widths={shown(stated)} is not valid: it must be a list of whole numbers from "
            "1 to 100,000, as in width=[128,64,32]"
        )
    return widths


@register(
    _plain_mlp_layers,
    reference="Rumelhart, Hinton, Williams 1986, Nature 323",
    permutes_inputs=True,
    settings={
        "widths": Setting(
            None,
            "units of each hidden layer, where width=[128,64,32] gives them one by one",
            kind=str,
            is_list=True,
            came_later=True,
        ),
        "normalization": Setting(
            "none",
            "of hidden pre-activations, with a learned scale and shift: by `batch` or by `layer`",
            choices=("none", "batch", "layer"),
            came_later=True,
        ),
        "dropout": Setting(
            0.0,
            "share of a hidden layer's activations set to 0 in training",
            at_least=0,
            below=1,
            came_later=True,
        ),
    },
    normalizes=True,
)
def mlp(net: Pass, x: Samples, settings: Mapping[str, Any]) -> Tensor:
    """Multilayer perceptron: `depth` hidden layers of `width` units (depth 0 is linear).

    A hidden layer is φ(W h + b), or φ(γ N(W h + b) + β) with a normalization N (Ioffe, Szegedy
    2015; Ba, Kiros, Hinton 2016), then dropout (Srivastava et al. 2014, JMLR 15). Under a batch
    normalization there is no b.
    """
    if NETWORKS["mlp"].is_plain(settings):
        return net.sequence(x)
    is_normalized = NETWORKS["mlp"].normalization(settings) is not None
    h: Tensor | Samples = x
    for layer in range(net.num_layers - 1):
        h = net.normalized(layer, h) if is_normalized else net.dense(layer, h)
        h = net.dropout(layer, h, float(settings.get("dropout", 0.0)))
    return net.linear(net.num_layers - 1, h)


@register(
    _mlp_layers,
    reference="He, Zhang, Ren, Sun 2016, CVPR (fully connected); normalization as in Xiong et al. "
    "2020, arXiv:2002.04745",
    permutes_inputs=True,
    settings={
        "block_size": Setting(2, "hidden layers that a skip connection spans", at_least=1),
        "branch_scale": Setting(
            1.0,
            "factor of what a block adds; `depth` is 1 / √(number of blocks)",
            at_least=0,
            words=("depth",),
        ),
        "normalization": Setting(
            "none",
            "`layer` normalizes what enters a block's first map and the output layer",
            choices=("none", "layer"),
            came_later=True,
        ),
    },
)
def residual_mlp(net: Pass, x: Samples, settings: Mapping[str, Any]) -> Tensor:
    """Multilayer perceptron with skip connections around blocks of hidden layers.

    The first hidden layer has no skip connection. After it, the last layer of each block of
    `block_size` layers computes φ(W h + b + skip). Layers of an incomplete block have no skip.
    With `normalization=layer` the units of each sample are normalized before the block's first map
    and before the output layer, without parameters of their own; the skip is as it was.
    """
    normalized = _layer_norm if settings.get("normalization") == "layer" else _as_it_is
    num_hidden, size = net.num_layers - 1, int(settings["block_size"])
    num_blocks = max(1, (num_hidden - 1) // size)
    stated = settings["branch_scale"]
    scale = 1 / math.sqrt(num_blocks) if stated == "depth" else float(stated)
    h: Tensor | Samples = x
    skip: Tensor | None = None
    for layer in range(num_hidden):
        index_in_block = (layer - 1) % size
        if layer == 0:
            h = net.dense(layer, h)
            continue
        assert isinstance(h, Tensor)
        if index_in_block == 0:
            skip, h = h, normalized(h)
        is_last = index_in_block == size - 1
        # scaling the input of a block's last map scales what the block adds (biases start at 0)
        h = net.dense(layer, h * scale, skip) if is_last else net.dense(layer, h)
    return net.linear(num_hidden, normalized(h) if isinstance(h, Tensor) else h)


def _as_it_is(h: Tensor) -> Tensor:
    return h


def _layer_norm(h: Tensor) -> Tensor:
    """Return h (runs, units, samples) with mean 0 and variance 1 over the units of each sample.

    Reference: Ba, Kiros, Hinton 2016, arXiv:1607.06450.
    """
    centred = h - h.mean(1, keepdim=True)
    return centred * (centred.square().mean(1, keepdim=True) + 1e-5).rsqrt()
