"""The runs that are trained to measure this machine's speed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from relu_exp.core.registry import Registry
from relu_exp.core.schema import RunConfig
from relu_exp.planning.fleets import Fleet

__all__ = ["new_fleet", "sample_run", "samples"]

_NUM_STEPS, _EVALUATED, _PROBED = 7, 1, 2
"""The steps after the observed ones are taken in a row, as in any training."""
_FIRST_SEEDS = itertools.count(step=10_000)


def samples() -> Iterator[tuple[RunConfig, int]]:
    """Yield the runs to train for the measurement, and how many of each on a CPU."""
    from relu_exp.engine import activations

    yield sample_run(), 8
    yield sample_run(), 1
    yield sample_run(width=32), 8
    yield sample_run(width=32, depth=10, batch_size=32), 2
    yield sample_run(width=256, depth=3), 4
    yield sample_run(width=512, depth=2, batch_size=32), 2
    yield sample_run(width=48, depth=20, batch_size=32), 4
    # little to evaluate
    small = ("digits", {"num_train": 200})
    yield sample_run(width=50, depth=6, batch_size=64, dataset=small), 8
    yield sample_run(width=128, depth=6, batch_size=50, dataset=small), 4
    yield sample_run(width=16, depth=6, batch_size=50, dataset=small), 16
    for name, entry in activations.ACTIVATIONS.items():
        # built-in ones only: a stored measurement must not depend on plugins
        if entry.function.__module__ == activations.__name__:
            yield sample_run(depth=3, activation=name, dataset="digits"), 8
    for optimizer in ("sgd", ("sgd", {"momentum": 0.9}), "adam"):
        yield sample_run(optimizer=optimizer), 4
        yield sample_run(optimizer=optimizer, width=48, batch_size=32), 4
    for width in (100, 48):
        yield sample_run(precision="bfloat16", width=width, batch_size=64), 4
    yield sample_run(network="small_cnn", batch_size=32, evaluation_steps=()), 4
    yield sample_run(network="small_cnn", batch_size=8), 2
    yield (
        sample_run(network="document_cnn", batch_size=2, probe_samples=2, evaluation_steps=()),
        1,
    )


def sample_run(**keys: Any) -> RunConfig:
    """Return a run like those of the default experiment, except for some keys."""
    from relu_exp.engine.activations import ACTIVATIONS
    from relu_exp.engine.data.datasets import DATASETS
    from relu_exp.engine.initializers import INITIALIZERS
    from relu_exp.engine.networks import NETWORKS
    from relu_exp.engine.optimizers import OPTIMIZERS

    chosen: dict[str, tuple[Registry[Any], str]] = {
        "activation": (ACTIVATIONS, "relu"),
        "initializer": (INITIALIZERS, "he_normal"),
        "network": (NETWORKS, "mlp"),
        "dataset": (DATASETS, "mnist5k"),
        "optimizer": (OPTIMIZERS, "sgd"),
    }
    parts: dict[str, Any] = {}
    for part, (registry, default) in chosen.items():
        asked = keys.pop(part, default)
        name, settings = (asked, {}) if isinstance(asked, str) else asked
        parts[part] = registry.resolve(name, settings)
    fixed = NETWORKS[parts["network"].name].fixed_depth
    plain = {
        "depth": 5 if fixed is None else fixed,
        "width": 100 if fixed is None else None,
        "learning_rate": 0.01,
        "batch_size": 128,
        "num_steps": _NUM_STEPS,
        "seed": 0,
        "probe_steps": (_PROBED,),
        "probe_samples": 64,
        "evaluation_steps": (_EVALUATED,),
    }
    return RunConfig(**parts, **(plain | keys))


def new_fleet(run: RunConfig, size: int, runs_a_seed: int) -> Fleet:
    """Return a fleet with new seeds, so that nothing cached for another fleet can be used."""
    first = next(_FIRST_SEEDS)
    return Fleet(
        tuple(
            replace(run, seed=first + place // runs_a_seed, learning_rate=0.01 / (1 + place))
            for place in range(size)
        )
    )
