"""A sweep: an experiment's question and the runs that answer it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from relu_exp.config.expansion import Dimension, group_of, widths_in_words
from relu_exp.config.groups import registries
from relu_exp.config.schedules import resolve_schedule
from relu_exp.core.contrasts import Contrast
from relu_exp.core.run_keys import RUN_KEYS
from relu_exp.core.schema import PARTS, Choice, RunConfig, Scalar, UsageError

__all__ = ["Condition", "LauncherConfig", "Sweep"]

Condition = Mapping[str, Sequence[Any]]
"""Key → allowed values; for a group, `Choice`s that may state only some settings."""


@dataclass(frozen=True)
class LauncherConfig:
    """A launcher and its settings, which do not belong to a run's configuration.

    None means: `num_workers` as many as there is room for, `fleet_size` the fastest,
    `checkpoint_seconds` once a minute.
    """

    name: str
    num_workers: int | None
    fleet_size: int | None
    checkpoint_seconds: float | None
    own: Mapping[str, Scalar]
    """The settings that only this launcher has."""


@dataclass(frozen=True)
class Sweep:
    """One configured experiment: a title, a question and runs that are not expanded yet.

    `title_ko` and `question_ko` are the same in Korean, empty where an experiment leaves them out.

    `axes` holds the axes as written; `thresholds` the losses and accuracies for
    `steps_to_threshold`; `figures` the names of the figures that answer the question; `studies` the
    computations that need no training. A sweep without dimensions has studies only.
    """

    name: str
    title: str
    question: str
    budget: str | None
    figures: tuple[str, ...]
    thresholds: Mapping[str, Sequence[float]]
    axes: Mapping[str, Sequence[str]]
    launcher: LauncherConfig
    dimensions: tuple[Dimension, ...]
    excludes: tuple[Condition, ...]
    studies: tuple[str, ...] = ()
    title_ko: str = ""
    question_ko: str = ""
    contrast: Contrast | None = None
    """Which arms are compared with which, fixed before the runs."""
    stated: frozenset[str] = frozenset()
    """The keys that an experiment file or the command line gives, `contrast.metric` too."""

    @property
    def num_runs(self) -> int:
        """Number of runs before exclusions, computed without expanding them."""
        if not self.dimensions:
            return 0
        return math.prod(dimension.size for dimension in self.dimensions)

    def runs(self) -> list[RunConfig]:
        """Return every distinct run, resolved and checked.

        Raises:
            UsageError: a network does not fit a dataset, a schedule does not fit the number of
                steps, or no run is left.
        """
        if not self.dimensions:
            return []
        from relu_exp.engine.networks import layers_of, output_for  # loads torch

        fitting: set[tuple[Choice, Choice]] = set()
        found: dict[RunConfig, None] = {}
        for points in itertools.product(*self.dimensions):
            values = {key: value for point in points for key, value in point.items()}
            if any(_meets(values, condition) for condition in self.excludes):
                continue
            if "network.output" not in self.stated:
                values["network"] = output_for(values["network"], values["dataset"])
            run = _run(values)
            if (run.network, run.dataset) not in fitting:
                layers_of(run)
                fitting.add((run.network, run.dataset))
            found[run] = None
        if not found:
            raise UsageError(f"{self.name}: exclude removes every run")
        return list(found)


def _meets(values: Mapping[str, Any], condition: Condition) -> bool:
    return all(
        any(_is(values, key, wanted) for wanted in allowed) for key, allowed in condition.items()
    )


def _is(values: Mapping[str, Any], key: str, wanted: Any) -> bool:
    if key == "width" and isinstance(wanted, tuple):
        return bool(values["network"].as_dict().get("widths") == widths_in_words(wanted))
    group = group_of(key)
    if group is not None:
        setting = key.partition(".")[2]
        choice = values[group]
        settings = choice.as_dict()
        known = registries()[group][choice.name].settings.get(setting)
        if known and known.came_later:
            settings.setdefault(setting, known.default)
        return setting in settings and bool(settings[setting] == wanted)
    if key in PARTS:
        choice = values[key]
        return choice.name == wanted.name and {*wanted.settings} <= {*choice.settings}
    return bool(values[key] == wanted)


def _run(values: Mapping[str, Any]) -> RunConfig:
    """Return one run; batches and probes are limited to the size of the training set."""
    num_train = _num_train(values["dataset"])
    num_steps = values["num_steps"]
    keys: dict[str, Any] = {}
    for name, key in RUN_KEYS.items():
        value = values[key.written]
        if key.is_schedule:
            value = resolve_schedule(key.written, value, num_steps)
        keys[name] = min(value, num_train) if key.counts_samples else value
    # always evaluate at the last step
    keys["evaluation_steps"] = tuple(sorted({*keys["evaluation_steps"], num_steps}))
    return RunConfig(**{part: values[part] for part in PARTS}, **keys)


@lru_cache(maxsize=1024)
def _num_train(dataset: Choice) -> int:
    from relu_exp.engine.data.datasets import shape_of

    return shape_of(dataset).num_train
