"""The words: run configuration, tables, statuses, and the one error that people read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal

from relu_exp.core.run_keys import DEFAULT_PRECISION, PRECISIONS, RUN_KEYS, RunKey, RunKeys

__all__ = [
    "BUDGETS",
    "DEFAULT_PRECISION",
    "DEVICES",
    "HISTOGRAM_BINS",
    "LATER_COLUMNS",
    "METRICS",
    "PARTS",
    "PLACES",
    "PRECISIONS",
    "QUANTITIES",
    "REGRESSION",
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
BUDGETS = ("quick", "standard", "full")
"""How much of an experiment is run."""
DEVICES = ("auto", "cpu", "cuda")
"""Where runs train; `auto` is the GPU if there is one."""


class UsageError(Exception):
    """What a person did that cannot work, in one line: what is wrong, what is valid, a guess."""


@dataclass(frozen=True)
class Choice:
    """A registry entry by name, with all of its settings resolved, in the order of their names."""

    name: str
    settings: tuple[tuple[str, Scalar], ...] = ()

    def __post_init__(self) -> None:
        # in another order they would be the same choice, and another run
        object.__setattr__(self, "settings", tuple(sorted(self.settings)))

    def __getitem__(self, key: str) -> Any:
        return dict(self.settings)[key]

    def as_dict(self) -> dict[str, Scalar]:
        """Return the settings as a mapping."""
        return dict(self.settings)


@dataclass(frozen=True, kw_only=True)
class RunConfig(RunKeys):
    """One training of one network, fully resolved. Equal configurations are the same run.

    Beside its choices it has the keys of `RunKeys`.
    """

    activation: Choice
    initializer: Choice
    network: Choice
    dataset: Choice
    optimizer: Choice

    @cached_property
    def run_id(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the configuration and the schema version.

        Where the data lie (`PLACES`) is left out: two machines give one run the same identity. So
        is the default of a key that came later: runs are what they were before there was the key.
        """
        later = LATER_COLUMNS["runs"]
        words = {
            name: value
            for name, value in vars(self).items()
            if name not in later or value != later[name]
        }
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
        for name, key in RUN_KEYS.items():
            value = getattr(self, name)
            row[name] = json.dumps(value) if key.is_schedule else value
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
            keys: dict[str, Any] = {key.name: _value(row, key) for key in RUN_KEYS.values()}
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise UsageError(f"a row of runs is not a configuration ({error})") from error
        run = cls(**parts, **keys)
        if run.run_id != row.get("run_id"):
            stated = str(row.get("run_id"))[:40]
            raise UsageError(
                f"a row of runs has run_id {stated!r} but the configuration of {run.run_id}: "
                "it was changed after it was written"
            )
        return run


def _choice(row: Mapping[str, Any], part: str) -> Choice:
    return _parsed_choice(_text(row, part), part, _text(row, f"{part}_settings"))


@lru_cache(maxsize=1024)  # thousands of rows share a few settings
def _parsed_choice(name: str, part: str, text: str) -> Choice:
    settings = json.loads(text)
    is_plain = isinstance(settings, dict) and all(
        value is None or isinstance(value, str | int | float) for value in settings.values()
    )
    if not is_plain:
        raise TypeError(f"{part}_settings")
    return Choice(name, tuple(sorted(settings.items())))


def _value(row: Mapping[str, Any], key: RunKey) -> Any:
    if key.is_schedule:
        return _steps(row, key.name)
    value = row[key.name]
    if not key.has_type(value):
        raise TypeError(key.name)
    if key.choices and value not in key.choices:
        raise ValueError(key.name)
    return value


def _steps(row: Mapping[str, Any], key: str) -> tuple[int, ...]:
    return _parsed_steps(_text(row, key), key)


@lru_cache(maxsize=1024)
def _parsed_steps(text: str, key: str) -> tuple[int, ...]:
    steps = json.loads(text)
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

SPLITS = ("batch", "train", "validation", "test")
"""Of `curves`: the minibatch about to be learned, or a split evaluated whole."""

METRICS = ("loss", "accuracy", "r2")
"""Of `curves`, and of `runs` at the end: a classification has no R², a regression no accuracy."""

REGRESSION = "regression"
"""The output of networks that predict numbers, `network.output`: their runs are regressions."""

QUANTITIES: Mapping[str, str] = {
    "preactivation_mean": "mean of the pre-activations",
    "preactivation_std": "standard deviation of the pre-activations",
    "activation_mean": "mean of the activations",
    "activation_std": "standard deviation of the activations",
    "activation_sample_std": "spread of a unit's activations over samples, root mean square",
    "activation_unit_mean_rms": "mean of a unit's activations over samples, root mean square",
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


TABLES: Mapping[str, Mapping[str, str]] = {
    # one row per run
    "runs": {
        "run_id": "string",
        **{name: "string" for part in PARTS for name in (part, f"{part}_settings")},
        **{name: key.column for name, key in RUN_KEYS.items()},
        "status": "string",
        "diverged_at": "int32",
        "error": "string",
        **{f"final_{split}_{metric}": "float64" for split in SPLITS[1:] for metric in METRICS},
        "num_parameters": "int64",
        "seconds": "float64",
        "device": "string",
        "fleet_id": "string",
        "session": "string",
        # JSON, what it was made from: the code of plugins, the content of its data → digest
        "made_from": "string",
    },
    # per run, step and split
    "curves": {
        "run_id": "string",
        "step": "int32",
        "split": "string",
        "loss": "float64",
        "accuracy": "float64",
        "r2": "float64",
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
        # of the values themselves, which bins do not tell
        "minimum": "float64",
        "maximum": "float64",
        "mean": "float64",
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

LATER_COLUMNS: Mapping[str, Mapping[str, Scalar]] = {
    "runs": {
        **{name: key.default for name, key in RUN_KEYS.items() if key.came_later},
        "made_from": None,
        **{f"final_{split}_r2": None for split in SPLITS[1:]},
    },
    "curves": {"r2": None},
    "histograms": dict.fromkeys(("minimum", "maximum", "mean")),
}
"""Columns that parts of before lack: table → column → what all of their rows had, or None where
that was not measured."""
