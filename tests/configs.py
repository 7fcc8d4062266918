"""Run configurations for the tests, from keywords."""

from __future__ import annotations

from typing import Any

from relu_exp.core.schema import RunConfig
from relu_exp.engine.activations import ACTIVATIONS
from relu_exp.engine.data.datasets import DATASETS
from relu_exp.engine.initializers import INITIALIZERS
from relu_exp.engine.networks import NETWORKS
from relu_exp.engine.optimizers import OPTIMIZERS

REGISTRIES = {
    "activation": ACTIVATIONS,
    "initializer": INITIALIZERS,
    "network": NETWORKS,
    "dataset": DATASETS,
    "optimizer": OPTIMIZERS,
}
NAMES = {
    "activation": "relu",
    "initializer": "he_normal",
    "network": "mlp",
    "dataset": "mnist5k",
    "optimizer": "sgd",
}
PLAIN: dict[str, Any] = {
    "depth": 2,
    "width": 16,
    "learning_rate": 0.05,
    "batch_size": 32,
    "num_steps": 4,
    "seed": 0,
    "probe_steps": (),
    "probe_samples": 64,
    "evaluation_steps": (4,),
    "precision": "float32",
    "gradient_clip": 0.0,
    "schedule": "constant",
}


def make_run(**keys: Any) -> RunConfig:
    """Return a small run; a part is a name, or a name and settings.

    `activation="elu", activation__alpha=0.5` is `activation=("elu", {"alpha": 0.5})`.
    """
    parts = {}
    for part, registry in REGISTRIES.items():
        chosen = keys.get(part, NAMES[part])
        name, settings = (chosen, {}) if isinstance(chosen, str) else chosen
        prefix = f"{part}__"
        stated = {key.removeprefix(prefix): keys[key] for key in keys if key.startswith(prefix)}
        parts[part] = registry.resolve(name, {**settings, **stated})
    plain = {key: keys.get(key, default) for key, default in PLAIN.items()}
    if "evaluation_steps" not in keys:
        plain["evaluation_steps"] = (plain["num_steps"],)
    return RunConfig(**parts, **plain)
