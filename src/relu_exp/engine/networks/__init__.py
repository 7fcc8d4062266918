"""Networks: how layers are connected, for all runs of a fleet at once."""

from relu_exp.engine.networks import dense, images
from relu_exp.engine.networks.registry import NETWORKS, Layer, Network, Pass, register
from relu_exp.engine.networks.sizes import (
    forward_flops,
    layers_of,
    learned_sizes,
    num_parameters,
    output_for,
)

__all__ = [
    "NETWORKS",
    "Layer",
    "Network",
    "Pass",
    "dense",
    "forward_flops",
    "images",
    "layers_of",
    "learned_sizes",
    "num_parameters",
    "output_for",
    "register",
]
