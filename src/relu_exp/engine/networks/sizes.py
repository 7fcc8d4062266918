"""What a run's network consists of: its layers, operations and parameters."""

from __future__ import annotations

import math

from relu_exp.core.schema import REGRESSION, Choice, RunConfig, UsageError
from relu_exp.engine.activations import ACTIVATIONS
from relu_exp.engine.data import datasets
from relu_exp.engine.networks.registry import NETWORKS, OUTPUT, ImageShape, Layer, Network
from relu_exp.engine.outputs import OUTPUTS

__all__ = [
    "forward_flops",
    "layers_of",
    "learned_sizes",
    "num_outputs",
    "num_parameters",
    "output_for",
]


def output_for(network: Choice, dataset: Choice) -> Choice:
    """Return a network with the output that is meant where none is given.

    The default, logits, is for classes; targets are predicted by a regression.
    """
    if network["output"] != OUTPUT.default or not datasets.shape_of(dataset).num_targets:
        return network
    others = tuple(item for item in network.settings if item[0] != "output")
    return Choice(network.name, (*others, ("output", REGRESSION)))


def num_outputs(config: RunConfig) -> int:
    """Return the number of output units: one if binary, else one for each class or target."""
    shape = datasets.shape_of(config.dataset)
    is_binary = OUTPUTS[config.network["output"]].is_binary
    return 1 if is_binary else shape.num_targets or shape.num_classes


def layers_of(config: RunConfig) -> list[Layer]:
    """Return the layers of a run's network, hidden layers first, then output, then unused ones.

    Raises:
        UsageError: the network does not fit the dataset.
    """
    network, shape = NETWORKS[config.network.name], datasets.shape_of(config.dataset)
    _check_images(network, config.dataset.name, shape.image_shape)
    _check_output(config.network["output"], config.dataset.name, shape.num_targets)
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


def _check_output(output: str, dataset: str, num_targets: int) -> None:
    """Raise a UsageError if an output for classes is asked of targets, or the other way round."""
    if OUTPUTS[output].is_regression and not num_targets:
        raise UsageError(
            f"network.output={output} needs numbers to predict and {dataset} has classes: leave it "
            "out, or choose dataset=diabetes, friedman1 or table with dataset.task=regression"
        )
    if num_targets and not OUTPUTS[output].is_regression:
        raise UsageError(
            f"network.output={output} is for classes and {dataset} has numbers to predict: leave "
            f"it out, or set network.output={REGRESSION}"
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
