"""Small fleets in which some runs diverge, and their tables in words that can be compared."""

from __future__ import annotations

from typing import Any

from relu_exp.core.schema import RunConfig

from configs import make_run

NUM_STEPS = 9
RATES = (0.05, 1e9, 3e38, 30.0)
"""One that learns, two whose losses are soon infinite, one that may go either way."""

FLEETS: dict[str, dict[str, Any]] = {
    "plain": {},
    "momentum": {"optimizer": ("sgd", {"momentum": 0.9, "weight_decay": 1e-3})},
    "adam": {"optimizer": "adam"},
    "adamw": {"optimizer": "adamw"},
    "rmsprop": {"optimizer": ("rmsprop", {"momentum": 0.9})},
    "a schedule": {"schedule": "warm_up_cosine"},
    "a schedule with momentum": {"schedule": "step", "optimizer": ("sgd", {"momentum": 0.9})},
    "listed widths": {"network": ("mlp", {"widths": [9, 6, 3]}), "depth": 3, "width": None},
    "learned slopes": {"activation": ("prelu", {"per": "unit"}), "optimizer": "adam"},
    "noise": {"activation": "rrelu", "optimizer": ("sgd", {"momentum": 0.5})},
    "batch normalization": {"network": ("mlp", {"normalization": "batch"})},
    "layer normalization": {"network": ("mlp", {"normalization": "layer"}), "optimizer": "adam"},
    "dropout": {"network": ("mlp", {"normalization": "batch", "dropout": 0.3})},
    "settings of their own": {"activation": "leaky_relu", "network": "residual_mlp"},
}


def fleet(**keys: Any) -> list[RunConfig]:
    plain = {
        "depth": 2,
        "width": 8,
        "batch_size": 16,
        "num_steps": NUM_STEPS,
        "probe_steps": (0, 1, 4, NUM_STEPS),
        "evaluation_steps": (0, 3, NUM_STEPS),
        "dataset": "digits",
    }
    return [
        make_run(**{**plain, **keys}, learning_rate=rate, seed=seed)
        for seed in range(2)
        for rate in RATES
    ]


def bits(tables: dict[str, dict[str, list[Any]]]) -> dict[str, dict[str, str]]:
    """Return every table but the seconds, in words that tell any two numbers apart."""
    return {
        name: {column: repr(values) for column, values in columns.items() if column != "seconds"}
        for name, columns in tables.items()
    }
