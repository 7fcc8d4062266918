"""A result folder made by a few lines of NumPy instead of training: plausible, small, conforming.

Layers at step 0 are a real forward and backward pass; what training would do is a formula.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from relu_exp.core.schema import HISTOGRAM_BINS, TABLES, Choice, RunConfig, histogram_edges
from relu_exp.results.store import Store

NUM_CLASSES = 10
PROBE_STEPS = (0, 1, 4, 16, 64, 256)
EVALUATION_STEPS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)
SESSION = "20260101T000000000000-0000"

Array = np.ndarray[Any, Any]


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-np.clip(x, -60, 60)))


FUNCTIONS: Mapping[str, tuple[Callable[[Array], Array], Callable[[Array], Array], float]] = {
    # name: value, derivative, how fast it learns
    "sigmoid": (_sigmoid, lambda x: _sigmoid(x) * (1 - _sigmoid(x)), 0.3),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2, 1.0),
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0, 2.0),
    "leaky_relu": (lambda x: np.where(x > 0, x, 0.01 * x), lambda x: np.where(x > 0, 1, 0.01), 1.9),
    "elu": (
        lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        lambda x: np.where(x > 0, 1, np.exp(np.minimum(x, 0))),
        2.2,
    ),
    "prelu": (
        lambda x: np.where(x > 0, x, 0.25 * x),
        lambda x: np.where(x > 0, 1, 0.25),
        2.0,
    ),
    "step": (lambda x: (x > 0) * 1.0, lambda x: x * 0.0, 0.02),
}
STD: Mapping[str, Callable[[int, int, Mapping[str, Any]], float]] = {
    "normal": lambda fan_in, fan_out, settings: settings["std"],
    "xavier_normal": lambda fan_in, fan_out, settings: (2 / (fan_in + fan_out)) ** 0.5,
    "he_normal": lambda fan_in, fan_out, settings: (2 / fan_in) ** 0.5,
}


def configs(
    activations: Sequence[str | Choice] = ("sigmoid", "relu"),
    initializers: Sequence[Choice] = (
        Choice("normal", (("std", 0.01),)),
        Choice("he_normal", (("gain", 2**0.5), ("mode", "fan_in"))),
    ),
    depths: Sequence[int] = (2, 5),
    learning_rates: Sequence[float] = (0.01, 0.1, 1.0),
    seeds: Sequence[int] = (0, 1, 2),
    networks: Sequence[str] = ("mlp",),
    width: int | None = 32,
    num_steps: int = 256,
    probe_steps: Sequence[int] = PROBE_STEPS,
) -> list[RunConfig]:
    """Return the runs of a sweep, in the order a sweep has them."""
    settings = {"leaky_relu": (("negative_slope", 0.01),), "elu": (("alpha", 1.0),)}
    found = []
    for name, initializer, network, depth, rate, seed in itertools.product(
        activations, initializers, networks, depths, learning_rates, seeds
    ):
        choice = Choice(name, settings.get(name, ())) if isinstance(name, str) else name
        found.append(
            RunConfig(
                activation=choice,
                initializer=initializer,
                network=Choice(network, (("output", "logits"),)),
                dataset=Choice("mnist5k", (("num_train", None),)),
                optimizer=Choice("sgd", (("momentum", 0.0), ("weight_decay", 0.0))),
                depth=depth,
                width=width,
                learning_rate=rate,
                batch_size=32,
                num_steps=num_steps,
                seed=seed,
                probe_steps=tuple(probe_steps),
                probe_samples=64,
                evaluation_steps=tuple(s for s in EVALUATION_STEPS if s <= num_steps),
            )
        )
    return found


def write(
    root: Path,
    runs: Sequence[RunConfig] | None = None,
    failed: Sequence[str] = (),
    fleet_size: int = 16,
    **manifest: Any,
) -> Path:
    """Write the results of `runs` below `root` and return it; runs in `failed` have no numbers."""
    runs = configs() if runs is None else runs
    store = Store(root)
    store.open()
    for start in range(0, len(runs), fleet_size):
        tables = empty_tables()
        for config in runs[start : start + fleet_size]:
            add_run(tables, config, config.run_id in failed)
        store.write_part(f"fleet{start:06d}", tables)
    write_manifest(store, [run.run_id for run in runs], **manifest)
    return root


def write_manifest(store: Store, run_ids: Sequence[str], **manifest: Any) -> None:
    """Write a manifest that asks for `run_ids`."""
    made: dict[str, Any] = {
        "schema_version": 1,
        "session": SESSION,
        "started": "2026-01-01T00:00:00+00:00",
        "command": "relu-exp run default",
        "experiment": "default",
        "title": "Activation, initialization, depth and learning rate",
        "question": "Which networks train, and what do their layers look like?",
        "figures": [],
        "thresholds": {"train_loss": [1.0, 0.3], "train_accuracy": [0.8]},
        "axes": {"activation": ["sigmoid", "relu"], "depth": ["2", "5"]},
        "budget": None,
        "run_ids": list(run_ids),
        "device": "cpu",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": False,
        "packages": {"relu-exp": "0.1.0", "torch": "2.11.0"},
        "python": "3.11.7",
        "machine": {"system": "Linux", "processor": "x86_64", "cores": 2},
    }
    store.write_manifest({**made, **manifest})


def empty_tables() -> dict[str, dict[str, list[Any]]]:
    """Return every table without rows."""
    return {name: {column: [] for column in columns} for name, columns in TABLES.items()}


def add_rows(table: dict[str, list[Any]], **values: Any) -> None:
    """Append one row; a column not named is null."""
    for column, cells in table.items():
        cells.append(values.get(column))


def add_run(tables: dict[str, dict[str, list[Any]]], config: RunConfig, failed: bool) -> None:
    """Append every row of one run."""
    _, _, speed = FUNCTIONS[config.activation.name]
    row = {**config.as_row(), "seconds": 0.5, "device": "cpu", "fleet_id": "f", "session": SESSION}
    if failed:
        error = 'Traceback (most recent call last):\n  File "a.py"\nValueError: <no> numbers'
        add_rows(tables["runs"], **row, status="failed", error=error)
        return
    rng = np.random.default_rng(config.seed)
    wild = config.learning_rate * speed * (config.initializer.name == "he_normal") * config.depth
    diverged_at = 17 if wild + rng.normal() * 0.3 > 8 else None
    slow = 0.02 ** (config.depth / 3) if config.initializer.name == "normal" else 1.0
    if config.network.name == "residual_mlp":
        slow = 1.0
    rate = 0.08 * config.learning_rate * speed * slow * float(np.exp(0.2 * rng.normal()))

    def curve(step: int, gap: float) -> tuple[float, float]:
        left = 1 / (1 + rate * step)
        return 0.02 + gap + 2.28 * left, (0.98 - gap) - 0.88 * left

    for step in config.evaluation_steps:
        for split, gap in (("train", 0.0), ("validation", 0.05), ("test", 0.06)):
            loss, accuracy = curve(step, gap)
            if diverged_at is None or step < diverged_at:
                add_rows(
                    tables["curves"],
                    run_id=config.run_id,
                    step=step,
                    split=split,
                    loss=loss,
                    accuracy=accuracy,
                )
    finals: dict[str, float] = {}
    if diverged_at is None:
        for split, gap in (("train", 0.0), ("validation", 0.05), ("test", 0.06)):
            final = curve(config.num_steps, gap)
            finals |= {f"final_{split}_loss": final[0], f"final_{split}_accuracy": final[1]}
    status = "done" if diverged_at is None else "diverged"
    add_rows(tables["runs"], **row, **finals, status=status, diverged_at=diverged_at)
    _add_layers(tables, config, diverged_at, rng)
    _add_function(tables["functions"], config)


def _add_layers(
    tables: dict[str, dict[str, list[Any]]],
    config: RunConfig,
    diverged_at: int | None,
    rng: np.random.Generator,
) -> None:
    value_of, derivative_of, _ = FUNCTIONS[config.activation.name]
    width = config.width or 16
    signal = rng.normal(size=(config.probe_samples, 64)).astype(np.float64)
    settings = config.initializer.as_dict()
    weights, inputs, preactivations, activations = [], [], [], []
    for _ in range(config.depth):
        fan_in = signal.shape[1]
        weight = rng.normal(size=(fan_in, width)) * STD[config.initializer.name](
            fan_in, width, settings
        )
        inputs.append(signal)
        weights.append(weight)
        preactivations.append(signal @ weight)
        signal = value_of(preactivations[-1])
        activations.append(signal)
    gradient = rng.normal(size=signal.shape) / len(signal) / width**0.5
    gradients = []
    for layer in range(config.depth - 1, -1, -1):
        inner = gradient * derivative_of(preactivations[layer])
        gradients.append((np.linalg.norm(inputs[layer].T @ inner), np.linalg.norm(gradient)))
        gradient = inner @ weights[layer].T
    gradients.reverse()

    can_die = config.activation.name in ("relu", "step")
    dead = np.zeros((config.depth, width), dtype=bool)
    for step in config.probe_steps:
        if diverged_at is not None and step > diverged_at:
            continue
        for layer in range(1, config.depth + 1):
            z, h = preactivations[layer - 1], activations[layer - 1]
            here = dead[layer - 1]
            if can_die and step:
                dies = rng.random(width) < 0.04 * config.learning_rate**0.5 * layer
                here[:] = (here & (rng.random(width) > 0.1)) | dies
            shrink = 1 / (1 + 0.01 * step)
            values = {
                "preactivation_mean": z.mean(),
                "preactivation_std": z.std(),
                "activation_mean": h.mean(),
                "activation_std": h.std(),
                "activation_sample_std": np.sqrt(h.var(0).mean()),
                "activation_unit_mean_rms": np.sqrt((h.mean(0) ** 2).mean()),
                "zero_fraction": (h == 0).mean(),
                "dead_fraction": here.mean(),
                "weight_grad_norm": gradients[layer - 1][0] * shrink,
                "activation_grad_norm": gradients[layer - 1][1] * shrink,
                "update_ratio": config.learning_rate * 0.01 * shrink,
            }
            if config.activation.name == "prelu":
                values["learned_slope"] = 0.25 + 0.001 * layer * step
            for quantity, value in values.items():
                add_rows(
                    tables["layers"],
                    run_id=config.run_id,
                    step=step,
                    layer=layer,
                    quantity=quantity,
                    value=float(value),
                )
                if step == 0 and quantity == "activation_std":
                    add_rows(
                        tables["predictions"],
                        run_id=config.run_id,
                        layer=layer,
                        quantity=quantity,
                        value=float(value) * 1.03,
                    )
            if step == 0:
                above = gradients[min(layer, config.depth - 1)][1]
                add_rows(
                    tables["predictions"],
                    run_id=config.run_id,
                    layer=layer,
                    quantity="gradient_factor",
                    value=float(gradients[layer - 1][1] / above) if above else 0.0,
                )
            if here.any():
                add_rows(
                    tables["dead_units"],
                    run_id=config.run_id,
                    step=step,
                    layer=layer,
                    num_units=width,
                    mask=np.packbits(here).tobytes(),
                )
            for kind, array in (("preactivation", z), ("activation", h)):
                if step == 0:
                    add_rows(
                        tables["histograms"],
                        run_id=config.run_id,
                        step=step,
                        layer=layer,
                        kind=kind,
                        counts=_counts(kind, array),
                        minimum=float(array.min()),
                        maximum=float(array.max()),
                        mean=float(array.mean()),
                    )


def _counts(kind: str, values: Array) -> list[int]:
    edges = np.array(histogram_edges(kind))
    low, high, _ = HISTOGRAM_BINS[kind]
    inside, _ = np.histogram(values, edges)
    return [int((values < low).sum()), *map(int, inside), int((values > high).sum())]


def _add_function(table: dict[str, list[Any]], config: RunConfig) -> None:
    settings = json.dumps(config.activation.as_dict(), sort_keys=True)
    known = set(zip(table["activation"], table["activation_settings"], strict=True))
    if (config.activation.name, settings) in known:
        return
    value, derivative, _ = FUNCTIONS[config.activation.name]
    for x in np.linspace(-6, 6, 241):
        add_rows(
            table,
            activation=config.activation.name,
            activation_settings=settings,
            x=float(x),
            value=float(value(x)),
            derivative=float(derivative(x)),
        )
