"""Run configurations for tests: one small run, and any change to it."""

from dataclasses import replace
from typing import Any

from relu_exp.engine.activations import ACTIVATIONS
from relu_exp.engine.datasets import DATASETS
from relu_exp.engine.initializers import INITIALIZERS
from relu_exp.engine.networks import NETWORKS
from relu_exp.schema import Choice, RunConfig

REGISTRIES = {
    "activation": ACTIVATIONS,
    "initializer": INITIALIZERS,
    "network": NETWORKS,
    "dataset": DATASETS,
}

SMALL = RunConfig(
    activation=ACTIVATIONS.resolve("relu", {}),
    initializer=INITIALIZERS.resolve("he_normal", {}),
    network=NETWORKS.resolve("mlp", {}),
    dataset=DATASETS.resolve("mnist5k", {}),
    optimizer=Choice("sgd", (("momentum", 0.0), ("weight_decay", 0.0))),
    depth=1,
    width=8,
    learning_rate=0.1,
    batch_size=32,
    num_steps=4,
    seed=0,
    probe_steps=(0, 4),
    probe_samples=16,
    evaluation_steps=(0, 4),
)


def example_run(**changes: Any) -> RunConfig:
    """Return the small run with some of it changed; a group takes a name or (name, settings)."""
    resolved = {}
    for key, value in changes.items():
        if key in REGISTRIES:
            name, settings = (value, {}) if isinstance(value, str) else value
            value = REGISTRIES[key].resolve(name, settings)
        resolved[key] = value
    return replace(SMALL, **resolved)
