"""Networks: how layers are connected, for all runs of a fleet at once."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol, TypeAlias

import torch.nn.functional as F
from torch import Tensor

from relu_exp.core.registry import Label, Registry, Setting, label_of, shown, summary_of
from relu_exp.core.schema import RunConfig, UsageError
from relu_exp.engine.activations import ACTIVATIONS
from relu_exp.engine.data import datasets
from relu_exp.engine.fleet.normalization import Kind
from relu_exp.engine.ops.samples import Samples
from relu_exp.engine.outputs import OUTPUTS

__all__ = [
    "NETWORKS",
    "Layer",
    "Network",
    "Pass",
    "forward_flops",
    "layers_of",
    "learned_sizes",
    "num_parameters",
    "register",
]


ImageShape: TypeAlias = tuple[int, int, int]
"""(channels, rows, columns)."""


@dataclass(frozen=True)
class Layer:
    """The shape of one layer's weights: (out, in) or, for a convolution, (out, in, kernel, kernel).

    `positions` is the number of positions of a convolution's kernel, 1 for a linear layer.
    `is_used` is false for a layer that is declared but never called.
    """

    shape: tuple[int, ...]
    positions: int = 1
    is_used: bool = True

    @property
    def fan_in(self) -> int:
        """Connections of one unit to the layer below."""
        return math.prod(self.shape[1:])

    @property
    def fan_out(self) -> int:
        """Connections of one input to the layer above."""
        return self.shape[0] * math.prod(self.shape[2:])


class Pass(Protocol):
    """One forward pass of a fleet: the operations that a network's `forward` may use.

    Layers are numbered from 0 in the order of `layers`; activations are (runs, units, samples)
    between dense layers and (runs, samples, channels, height, width) between convolutions.
    `image_shape` is (channels, rows, columns) of a sample, None if the samples are no images.
    """

    num_layers: int
    image_shape: ImageShape | None

    def images(self, x: Samples) -> Tensor:
        """Return the inputs as images: (runs, samples, channels, rows, columns)."""

    def dense(self, layer: int, h: Tensor | Samples, skip: Tensor | None = None) -> Tensor:
        """Return φ(W h + b + skip), a hidden layer."""

    def conv(self, layer: int, h: Tensor, padding: int = 0) -> Tensor:
        """Return φ(W ∗ h + b), a hidden layer."""

    def linear(self, layer: int, h: Tensor | Samples) -> Tensor:
        """Return W h + b, the output layer."""

    def normalized(self, layer: int, h: Tensor | Samples) -> Tensor:
        """Return φ(γ N(W h + b) + β), a hidden layer of a network that `normalizes`."""

    def dropout(self, layer: int, h: Tensor, share: float) -> Tensor:
        """Return h with this share of values set to 0, the others scaled up; as it is untrained."""

    def sequence(self, x: Samples) -> Tensor:
        """Return the outputs of all layers in sequence: `dense` layers, then a `linear` one."""


Layers: TypeAlias = Callable[[Any, int, int, int | None, Mapping[str, Any]], list[Layer]]
"""(features or image shape, outputs, depth, width, settings) → the layers."""


@dataclass(frozen=True)
class Network:
    """A registered network: its layers' shapes and its forward pass.

    `layers` gives the hidden layers, each followed by an activation, then the output layer, then
    unused layers. `fixed_depth` is the number of hidden layers of a fixed architecture, None if
    `depth` and `width` define it. `image_shape` is the required input shape, None for any.
    `takes_images` says that it needs images, of any shape unless `image_shape` is given; `layers`
    then gets their shape (channels, rows, columns) in place of the number of features.
    `permutes_inputs` says that the inputs may be permuted along with layer 0's weights, because
    only that layer uses them, and as they are.
    """

    name: str
    layers: Layers
    forward: Callable[..., Tensor]
    summary: str
    reference: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    fixed_depth: int | None = None
    image_shape: ImageShape | None = None
    permutes_inputs: bool = False
    label: Label | None = None
    takes_images: bool = False
    normalizes: bool = False
    """Whether its setting `normalization` gives hidden layers a γ, a β and, of a batch, running
    statistics."""

    def normalization(self, settings: Mapping[str, Any]) -> Kind | None:
        """Return how the pre-activations of all hidden layers are normalized, if they are."""
        kinds: dict[Any, Kind] = {"batch": "batch", "layer": "layer"}
        return kinds.get(settings.get("normalization")) if self.normalizes else None

    def is_plain(self, settings: Mapping[str, Any]) -> bool:
        """Return whether it is dense layers in sequence, with nothing between them."""
        return self.name == "mlp" and not (self.normalization(settings) or settings.get("dropout"))


OUTPUT = Setting("logits", "what the last layer means", choices=tuple(OUTPUTS))

NETWORKS: Registry[Network] = Registry("network")


def register(
    layers: Layers,
    *,
    reference: str,
    settings: Mapping[str, Setting] | None = None,
    fixed_depth: int | None = None,
    image_shape: ImageShape | None = None,
    permutes_inputs: bool = False,
    label: str = "",
    label_ko: str = "",
    takes_images: bool = False,
    normalizes: bool = False,
) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Register the decorated forward function `(net: Pass, x: Samples, settings) -> outputs`.

    `layers(num_features, num_outputs, depth, width, settings)` gives the shapes of its layers; with
    `takes_images`, `layers(image_shape, num_outputs, depth, width, settings)`. `label` is its name
    in figures and tables, `label_ko` the same in Korean where it differs.
    """
    return NETWORKS.register(
        lambda forward: Network(
            name=forward.__name__,
            layers=layers,
            forward=forward,
            summary=summary_of(forward),
            reference=reference,
            settings={"output": OUTPUT, **(settings or {})},
            fixed_depth=fixed_depth,
            image_shape=image_shape,
            permutes_inputs=permutes_inputs,
            label=label_of(forward, label, label_ko),
            takes_images=takes_images,
            normalizes=normalizes,
        )
    )


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
    runs, samples = h.shape[:2]
    h = F.max_pool2d(h.flatten(0, 1), 2, 2)  # 8 8
    h = h.reshape(runs, samples, 10 * 8 * 8).transpose(1, 2)
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
        maps = net.conv(layer, h, padding)
        halved = F.max_pool2d(maps.flatten(0, 1), 2, 2)
        h = halved.reshape(*maps.shape[:2], *halved.shape[1:])
    return net.linear(3, net.dense(2, h.flatten(2).transpose(1, 2)))


def num_outputs(config: RunConfig) -> int:
    """Return the number of output units: one for a binary output, else one per class."""
    is_binary = OUTPUTS[config.network["output"]].is_binary
    return 1 if is_binary else datasets.shape_of(config.dataset).num_classes


def layers_of(config: RunConfig) -> list[Layer]:
    """Return the layers of a run's network, hidden layers first, then output, then unused ones.

    Raises:
        UsageError: the network does not fit the dataset.
    """
    network, shape = NETWORKS[config.network.name], datasets.shape_of(config.dataset)
    _check_images(network, config.dataset.name, shape.image_shape)
    if OUTPUTS[config.network["output"]].is_binary and shape.num_classes != 2:
        raise UsageError(
            f"network.output={config.network['output']} needs two classes and "
            f"{config.dataset.name} has {shape.num_classes}: set dataset.task=parity"
        )
    if network.normalization(config.network.as_dict()) == "batch" and config.batch_size < 2:
        raise UsageError(
            "network.normalization=batch needs the variance of a batch: set batch_size to at "
            "least 2, or normalization=layer"
        )
    return network.layers(
        shape.image_shape if network.takes_images else shape.num_features,
        num_outputs(config),
        config.depth,
        config.width,
        config.network.as_dict(),
    )


def _check_images(network: Network, dataset: str, found: ImageShape | None) -> None:
    """Raise a UsageError if a data set has no images, or none of the shape that a network needs."""
    need = network.image_shape
    if found is None and need is None and network.takes_images:
        raise UsageError(
            f"network={network.name} needs images and {dataset} has none: choose digits, mnist5k, "
            "mnist, fashion_mnist or cifar10, or images of your own with dataset=table"
        )
    if need is not None and found != need:
        raise UsageError(
            f"network={network.name} needs images of {_shown(need)} and {dataset} has "
            f"{_shown(found) if found else 'none'}: choose mnist5k, mnist or fashion_mnist, or "
            "network=small_cnn, which takes images of any shape"
        )


def _shown(image_shape: ImageShape) -> str:
    channels, rows, columns = image_shape
    return f"{rows} × {columns} with {channels} channel{'' if channels == 1 else 's'}"


def forward_flops(config: RunConfig) -> int:
    """Return the floating-point operations of one sample's forward pass, 2 per weight used."""
    used = [layer for layer in layers_of(config) if layer.is_used]
    return sum(2 * math.prod(layer.shape) * layer.positions for layer in used)


def learned_sizes(config: RunConfig) -> list[int]:
    """Return the sizes of the tensors of parameters that a run's activation learns.

    There is none, one for the network, or one for each hidden layer, with one value or as many as
    the layer has units.
    """
    *hidden, _ = (layer for layer in layers_of(config) if layer.is_used)
    if ACTIVATIONS[config.activation.name].trained is None or not hidden:
        return []
    per = config.activation.as_dict().get("per", "layer")
    if per == "unit":
        return [layer.shape[0] for layer in hidden]
    return [1] if per == "network" else [1] * len(hidden)


def num_parameters(config: RunConfig) -> int:
    """Return the number of weights and biases, unused layers included, and learned parameters."""
    layers = layers_of(config)
    num_weights = sum(math.prod(layer.shape) + layer.shape[0] for layer in layers)
    kind = NETWORKS[config.network.name].normalization(config.network.as_dict())
    if kind is not None:
        # γ and β; of a batch, β takes the place of the bias
        num_weights += {"layer": 2, "batch": 1}[kind] * sum(layer.shape[0] for layer in layers[:-1])
    return num_weights + sum(learned_sizes(config))
