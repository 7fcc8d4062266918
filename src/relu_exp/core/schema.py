"""The words: run configuration, tables, statuses, and the one error that people read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

__all__ = [
    "DEFAULT_PRECISION",
    "HISTOGRAM_BINS",
    "LATER_COLUMNS",
    "PARTS",
    "PLACES",
    "PLAIN_KEYS",
    "PRECISIONS",
    "QUANTITIES",
    "SCHEMA_VERSION",
    "SPLITS",
    "TABLES",
    "Choice",
    "RunConfig",
    "Scalar",
    "Status",
    "UsageError",
    "histogram_edges",
]

SCHEMA_VERSION = 1
"""Part of every run_id: results of another version are never mixed with these."""

Scalar = str | int | float | bool | None
Status = Literal["done", "diverged", "failed", "interrupted"]
FINISHED: tuple[Status, ...] = ("done", "diverged")
"""Statuses that need no further training."""


PRECISIONS = ("float32", "tf32", "bfloat16")
"""What the operands of matrix products and convolutions are rounded to."""
DEFAULT_PRECISION = "float32"
"""What every run before there was a choice had, and the only one that verdicts rest on."""


class UsageError(Exception):
    """What a person did that cannot work, in one line: what is wrong, what is valid, a guess."""


@dataclass(frozen=True)
class Choice:
    """A registry entry by name, with all of its settings resolved."""

    name: str
    settings: tuple[tuple[str, Scalar], ...] = ()

    def __getitem__(self, key: str) -> Any:
        return dict(self.settings)[key]

    def as_dict(self) -> dict[str, Scalar]:
        """Return the settings as a mapping."""
        return dict(self.settings)


@dataclass(frozen=True)
class RunConfig:
    """One training of one network, fully resolved. Equal configurations are the same run.

    `depth` counts hidden layers and `width` the units of each; a network of fixed architecture
    has its own depth and no width. `probe_steps` and `evaluation_steps` are the steps (0 is before
    the first update, `num_steps` after the last) at which layers are measured and losses
    evaluated; `probe_samples` the size of the fixed probe batch, drawn from the training set.
    `precision` is what the operands of its matrix products and convolutions are rounded to.
    """

    activation: Choice
    initializer: Choice
    network: Choice
    dataset: Choice
    optimizer: Choice
    depth: int
    width: int | None
    learning_rate: float
    batch_size: int
    num_steps: int
    seed: int
    probe_steps: tuple[int, ...]
    probe_samples: int
    evaluation_steps: tuple[int, ...]
    precision: str = DEFAULT_PRECISION

    @cached_property
    def run_id(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the configuration and the schema version.

        Where the data lie (`PLACES`) is left out: two machines give one run the same identity. So
        is the default precision: runs are what they were before there was another.
        """
        words = {key: value for key, value in vars(self).items() if key != "precision"}
        if self.precision != DEFAULT_PRECISION:
            words["precision"] = self.precision
        text = json.dumps(
            [SCHEMA_VERSION, words], default=_identity, sort_keys=True, separators=(",", ":")
        )
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def as_row(self) -> dict[str, Scalar]:
        """Return the configuration as columns of the `runs` table; settings and steps as JSON."""
        row: dict[str, Scalar] = {"run_id": self.run_id}
        for part in PARTS:
            choice: Choice = getattr(self, part)
            row[part] = choice.name
            row[f"{part}_settings"] = json.dumps(choice.as_dict(), sort_keys=True)
        for key in PLAIN_KEYS:
            row[key] = getattr(self, key)
        row["probe_steps"] = json.dumps(self.probe_steps)
        row["evaluation_steps"] = json.dumps(self.evaluation_steps)
        return row

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> RunConfig:
        """Return the run that `as_row` wrote down; other columns of the row do not matter.

        Whether there is such an activation, and its settings make sense, is the registries' to say.

        Raises:
            UsageError: a column is missing or of a wrong type, or `run_id` is not the hash of the
                configuration: whatever these numbers belong to, it is not this run.
        """
        try:
            parts: dict[str, Any] = {part: _choice(row, part) for part in PARTS}
            plain: dict[str, Any] = {key: _plain(row, key) for key in PLAIN_KEYS}
            steps: dict[str, Any] = {
                key: _steps(row, key) for key in ("probe_steps", "evaluation_steps")
            }
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise UsageError(f"a row of runs is no configuration ({error})") from error
        run = cls(**parts, **plain, **steps)
        if run.run_id != row.get("run_id"):
            raise UsageError(
                f"a row of runs says {row.get('run_id')!r} and holds the configuration of "
                f"{run.run_id}: it was changed after it was written"
            )
        return run


_KINDS: Mapping[str, type] = {"learning_rate": float, "precision": str}
"""Of plain keys that are no whole numbers."""


def _choice(row: Mapping[str, Any], part: str) -> Choice:
    settings = json.loads(_text(row, f"{part}_settings"))
    is_plain = isinstance(settings, dict) and all(
        value is None or isinstance(value, str | int | float) for value in settings.values()
    )
    if not is_plain:
        raise TypeError(f"{part}_settings")
    return Choice(_text(row, part), tuple(sorted(settings.items())))


def _plain(row: Mapping[str, Any], key: str) -> Any:
    value, kind = row[key], _KINDS.get(key, int)
    if not (type(value) is kind or (key == "width" and value is None)):
        raise TypeError(key)
    if key == "precision" and value not in PRECISIONS:
        raise ValueError(key)
    return value


def _steps(row: Mapping[str, Any], key: str) -> tuple[int, ...]:
    steps = json.loads(_text(row, key))
    if not isinstance(steps, list) or not all(type(step) is int for step in steps):
        raise TypeError(key)
    return tuple(steps)


def _text(row: Mapping[str, Any], key: str) -> str:
    if not isinstance(row[key], str):
        raise TypeError(key)
    return str(row[key])


PLACES = frozenset({"root", "download"})
"""Settings that say where data lie on one machine: they are no part of what a run is."""


def _identity(choice: Choice) -> dict[str, object]:
    """Return what of a choice makes a run the run it is."""
    return {
        "name": choice.name,
        "settings": [setting for setting in choice.settings if setting[0] not in PLACES],
    }


PARTS = ("activation", "initializer", "network", "dataset", "optimizer")
"""The configuration's groups: each is a registry and a choice from it."""

PLAIN_KEYS = (
    "depth",
    "width",
    "learning_rate",
    "batch_size",
    "num_steps",
    "seed",
    "precision",
    "probe_samples",
)

SPLITS = ("batch", "train", "validation", "test")
"""Of `curves`: the minibatch about to be learned, or a split evaluated whole."""

QUANTITIES: Mapping[str, str] = {
    "preactivation_mean": "mean of the pre-activations",
    "preactivation_std": "standard deviation of the pre-activations",
    "activation_mean": "mean of the activations",
    "activation_std": "standard deviation of the activations",
    "saturated_fraction": "share of values with |derivative| at most 5% of its largest value",
    "zero_fraction": "share of activations that are exactly zero",
    "dead_fraction": "share of units whose derivative is zero on every training sample",
    "dead_on_probe_fraction": "share of units whose derivative is zero on the whole probe batch",
    "weight_grad_norm": "L2 norm of the loss gradient by the layer's weights",
    "activation_grad_norm": "L2 norm of the loss gradient by the layer's activations",
    "weight_grad_spread": "distance of the units' weight gradients from their mean, by their norm",
    "effective_rank": "number of independent directions among a layer's units, over the samples",
    "update_ratio": "L2 norm of the weight update over that of the weights",
}
"""Of `layers`: measured on the probe batch unless it says otherwise."""

HISTOGRAM_BINS: Mapping[str, tuple[float, float, int]] = {
    "preactivation": (-6.05, 6.05, 121),
    "activation": (-1.525, 4.525, 121),
}
"""Lower edge, upper edge, number of bins. 0 and ±1 are bin centres, so that a pile-up is one bar.
`counts` holds one more on either side: the values below and above."""


def histogram_edges(kind: str) -> list[float]:
    """Return the bin edges (bins + 1) of a histogram kind, underflow and overflow left out."""
    low, high, bins = HISTOGRAM_BINS[kind]
    return [low + (high - low) * index / bins for index in range(bins + 1)]


_CONFIG_COLUMNS = {
    **{name: "string" for part in PARTS for name in (part, f"{part}_settings")},
    "depth": "int32",
    "width": "int32",
    "learning_rate": "float64",
    "batch_size": "int32",
    "num_steps": "int32",
    "seed": "int64",
    "precision": "string",
    "probe_samples": "int32",
    "probe_steps": "string",
    "evaluation_steps": "string",
}

TABLES: Mapping[str, Mapping[str, str]] = {
    # one row per run
    "runs": {
        "run_id": "string",
        **_CONFIG_COLUMNS,
        "status": "string",
        "diverged_at": "int32",
        "error": "string",
        **{
            f"final_{split}_{metric}": "float64"
            for split in SPLITS[1:]
            for metric in ("loss", "accuracy")
        },
        "num_parameters": "int64",
        "seconds": "float64",
        "device": "string",
        "fleet_id": "string",
        "session": "string",
    },
    # per run, step and split
    "curves": {
        "run_id": "string",
        "step": "int32",
        "split": "string",
        "loss": "float64",
        "accuracy": "float64",
    },
    # per run, step, layer and quantity
    "layers": {
        "run_id": "string",
        "step": "int32",
        "layer": "int16",
        "quantity": "string",
        "value": "float64",
    },
    # per run, step, layer and kind
    "histograms": {
        "run_id": "string",
        "step": "int32",
        "layer": "int16",
        "kind": "string",
        "counts": "list<int32>",
    },
    # per run, step and layer that has dead units: which ones (np.packbits, first unit first)
    "dead_units": {
        "run_id": "string",
        "step": "int32",
        "layer": "int16",
        "num_units": "int32",
        "mask": "binary",
    },
    # per run, layer and quantity: what mean-field theory predicts at step 0
    "predictions": {
        "run_id": "string",
        "layer": "int16",
        "quantity": "string",
        "value": "float64",
    },
    # per activation with its settings: the function itself on a grid
    "functions": {
        "activation": "string",
        "activation_settings": "string",
        "x": "float64",
        "value": "float64",
        "derivative": "float64",
    },
    # per exact check and case of it, by a study: what a formula should give and what it gives
    "checks": {
        "check": "string",
        "case": "string",
        "expected": "float64",
        "found": "float64",
        "holds": "bool",
        "detail": "string",
    },
    # per thing timed and repeat of the measurement, by a study; only ratios within a repeat count
    "timings": {
        "part": "string",
        "activation": "string",
        "direction": "string",
        "size": "int64",
        "amount": "float64",
        "repeat": "int32",
        "seconds": "float64",
        "device": "string",
    },
}
"""Column → Parquet type, for every table. A part of the results holds one file of each."""

LATER_COLUMNS: Mapping[str, Mapping[str, str]] = {"runs": {"precision": DEFAULT_PRECISION}}
"""Columns that parts of before lack: table → column → what all of their rows had."""
