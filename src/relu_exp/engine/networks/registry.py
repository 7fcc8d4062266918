"""The registry of networks: their layers' shapes, and the passes that they are written in."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from torch import Tensor

from relu_exp.core.labels import Label, label_of, summary_of
from relu_exp.core.registry import Registry
from relu_exp.core.settings import Setting
from relu_exp.engine.ops.normalization import Kind
from relu_exp.engine.ops.samples import Samples
from relu_exp.engine.outputs import OUTPUTS

__all__ = ["NETWORKS", "ImageShape", "Layer", "Layers", "Network", "Pass", "register"]

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

    def conv(
        self, layer: int, h: Tensor, padding: int = 0, stride: int = 1, skip: Tensor | None = None
    ) -> Tensor:
        """Return φ(N(W ∗ h + b) + skip), a hidden layer; N where the network `normalizes`."""

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


OUTPUT = Setting(
    "logits",
    "what the last layer means; where the data are targets, regression unless it is given",
    choices=tuple(OUTPUTS),
)

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
