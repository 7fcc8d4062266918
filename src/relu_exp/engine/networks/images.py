"""Networks of convolutions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from relu_exp.core.schema import UsageError
from relu_exp.core.settings import Setting
from relu_exp.engine.networks.registry import ImageShape, Layer, Pass, register
from relu_exp.engine.ops.pooling import max_pool
from relu_exp.engine.ops.samples import Samples

__all__: list[str] = []

_DOCUMENT_CNN = [
    Layer((10, 1, 7, 7), positions=28 * 28),
    Layer((50, 10, 7, 7), positions=28 * 28),
    Layer((120, 50, 7, 7), positions=28 * 28),
    Layer((100, 120, 5, 5), positions=24 * 24),
    Layer((20, 100, 5, 5), positions=20 * 20),
    Layer((10, 20, 5, 5), positions=16 * 16),
    Layer((120, 10 * 8 * 8)),
    Layer((360, 120)),
    Layer((50, 360)),
]


def _document_cnn_layers(
    num_features: int, num_outputs: int, depth: int, width: int | None, settings: Mapping[str, Any]
) -> list[Layer]:
    output = Layer((num_outputs, 50))
    unused = Layer((10, 10, 3, 3), is_used=False)
    return [*_DOCUMENT_CNN, output, unused]


@register(
    _document_cnn_layers,
    reference="document 003 (D3), class MyModel",
    fixed_depth=9,
    image_shape=(1, 28, 28),
)
def document_cnn(net: Pass, x: Samples, settings: Mapping[str, Any]) -> Tensor:
    """Document 003's network: seven convolutions, the last never used, and four linear layers."""
    h = net.images(x)
    h = net.conv(0, h, padding=3)  # 28 28
    h = net.conv(1, h, padding=3)  # 28 28
    h = net.conv(2, h, padding=3)  # 28 28
    h = net.conv(3, h)  # 24 24
    h = net.conv(4, h)  # 20 20
    h = net.conv(5, h)  # 16 16
    h = max_pool(h).flatten(2).transpose(1, 2)  # 8 8
    for layer in (6, 7, 8):
        h = net.dense(layer, h)
    return net.linear(9, h)


def _small_cnn_padding(image_shape: ImageShape) -> int:
    """Return the zeros around the maps of `small_cnn`: small images would have nothing left."""
    return 0 if min(image_shape[1:]) >= 16 else 2


def _small_cnn_layers(
    image_shape: ImageShape,
    num_outputs: int,
    depth: int,
    width: int | None,
    settings: Mapping[str, Any],
) -> list[Layer]:
    channels, *sides = image_shape
    loss = 4 - 2 * _small_cnn_padding(image_shape)
    layers = []
    for channels_out in (8, 16):
        sides = [side - loss for side in sides]
        layers.append(Layer((channels_out, channels, 5, 5), positions=math.prod(sides)))
        channels, sides = channels_out, [side // 2 for side in sides]
    if not all(side > 0 for side in sides):
        raise UsageError(
            f"images of {image_shape[1]} × {image_shape[2]} are too small for network=small_cnn, "
            "which halves them twice: they need 4 rows and 4 columns"
        )
    return [*layers, Layer((64, channels * math.prod(sides))), Layer((num_outputs, 64))]


@register(
    _small_cnn_layers,
    reference="LeCun, Bottou, Bengio, Haffner 1998, Proc. IEEE 86(11): LeNet, smaller",
    fixed_depth=3,
    takes_images=True,
)
def small_cnn(net: Pass, x: Samples, settings: Mapping[str, Any]) -> Tensor:
    """Two convolutions, each with a maximum over 2 × 2, and two dense layers."""
    assert net.image_shape is not None
    h, padding = net.images(x), _small_cnn_padding(net.image_shape)
    for layer in (0, 1):
        h = max_pool(net.conv(layer, h, padding))
    return net.linear(3, net.dense(2, h.flatten(2).transpose(1, 2)))


_STAGES = (8, 16, 32)
"""Channels of the stages of `small_resnet`; each but the first halves the images."""


def _small_resnet_layers(
    image_shape: ImageShape,
    num_outputs: int,
    depth: int,
    width: int | None,
    settings: Mapping[str, Any],
) -> list[Layer]:
    channels, *sides = image_shape
    first = _STAGES[0]
    layers = [Layer((first, channels, 3, 3), positions=math.prod(sides))]
    into = first
    for out in _STAGES:
        if out != into:
            sides = [-(-side // 2) for side in sides]
        positions = math.prod(sides)
        layers += [Layer((out, size, 3, 3), positions=positions) for size in (into, out)]
        into = out
    return [*layers, Layer((num_outputs, into))]


@register(
    _small_resnet_layers,
    reference="He, Zhang, Ren, Sun 2016, CVPR, arXiv:1512.03385: the network for CIFAR-10 of "
    "section 4.2 with one block a stage, shortcuts A, and half the channels",
    fixed_depth=7,
    takes_images=True,
    normalizes=True,
    settings={
        "normalization": Setting(
            "batch",
            "of hidden pre-activations, with a learned scale and shift",
            choices=("none", "batch"),
        ),
    },
    label="small ResNet",
    label_ko="작은 ResNet",
)
def small_resnet(net: Pass, x: Samples, settings: Mapping[str, Any]) -> Tensor:
    """A convolution, three blocks of two with a skip connection, and the mean of each channel.

    A block is φ(N(W₂ ∗ φ(N(W₁ ∗ h))) + h). Where it halves the image, the skip takes every second
    row and column, and zeros for the new channels.
    """
    h = net.conv(0, net.images(x), padding=1)
    for block, out in enumerate(_STAGES):
        stride = 1 if out == h.shape[2] else 2
        inner = net.conv(1 + 2 * block, h, 1, stride)
        skip = F.pad(h[..., ::stride, ::stride], (0, 0, 0, 0, 0, out - h.shape[2]))
        h = net.conv(2 + 2 * block, inner, 1, skip=skip)
    return net.linear(7, h.mean((-2, -1)).transpose(1, 2))
