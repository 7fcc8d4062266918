"""Assembly: merges defaults, experiment, budget and command line, later ones overriding."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from relu_exp.config.contrasts import stated_contrast
from relu_exp.config.expansion import Axes, Dimension, Options, dimensions, group_of, resolve
from relu_exp.config.files import (
    BUDGETS,
    Experiment,
    experiment_names,
    find_experiment,
    shipped,
)
from relu_exp.config.grammar import Values, check_distinct, parse_override, parse_value
from relu_exp.config.groups import GROUPS, compose_options, registries
from relu_exp.config.keys import PLAIN_KEYS, THRESHOLD_KEYS, check_listable, checked
from relu_exp.config.sweep import Condition, LauncherConfig, Sweep
from relu_exp.core.launchers import COMMON, LAUNCHERS
from relu_exp.core.naming import nearest, shown
from relu_exp.core.schema import Choice, UsageError

__all__ = ["sweeps"]

_MOST_LABELS = 1000


def sweeps(
    names: Sequence[str] = (), overrides: Sequence[str] = (), budget: str | None = None
) -> list[Sweep]:
    """Return the sweeps of experiments, each with the same overrides.

    Args:
        names: of experiments in the package, or paths of YAML files; `default` if empty.
        overrides: `KEY=VALUE` in Hydra's grammar; they override the experiment's values.
            `figures=NAME,NAME` replaces its list of figures.
        budget: `quick`, `standard` or `full`; None keeps the experiment's own values.

    Raises:
        UsageError: anything is invalid; the message is one line.
    """
    if budget is not None and budget not in BUDGETS:
        raise UsageError(
            f"unknown budget {shown(budget)!r}{nearest(budget, BUDGETS)}; "
            f"valid: {', '.join(BUDGETS)}"
        )
    found = [_find(name) for name in names or ["default"]]
    for place, experiment in enumerate(found):
        if any(other.name == experiment.name for other in found[:place]):
            raise UsageError(
                f"{shown(experiment.name)} is given twice: both would write to the folder of that "
                "name"
            )
    for experiment in found:
        _check_not_skipped(experiment, budget)
    about_figures = [word for word in overrides if word.partition("=")[0] == "figures"]
    given = _given(word for word in overrides if word not in about_figures)
    composed = [_sweep(experiment, given, budget) for experiment in found]
    for experiment in found:
        # a test checks the package's own
        if experiment.path.parent != shipped("experiments"):
            _check_budgets(experiment, budget)
    if not about_figures:
        return composed
    figures = _figures(about_figures)
    return [replace(sweep, figures=figures) for sweep in composed]


def _check_not_skipped(experiment: Experiment, budget: str | None) -> None:
    if budget in experiment.skipped_in:
        others = [each for each in BUDGETS if each not in experiment.skipped_in]
        choices = ", ".join([*(f"--budget {each}" for each in others), "no --budget"])
        raise UsageError(
            f"{shown(experiment.name)} is not part of the {budget} budget; valid: {choices}"
        )


def _check_budgets(experiment: Experiment, chosen: str | None) -> None:
    """Check an experiment's other budgets: a mistake shows before the day they are asked for."""
    for budget in experiment.budgets:
        if budget != chosen:
            try:
                _sweep(experiment, {}, budget)
            except UsageError as error:
                raise UsageError(f"--budget {budget}: {error}") from error.__cause__


def _find(name: str) -> Experiment:
    if name.startswith("-"):
        parse_override(name)  # its error says how to write an override
    if name in (*GROUPS, *PLAIN_KEYS) and name not in experiment_names():
        raise UsageError(f"{name} is a key, not an experiment: write {name}=VALUE")
    return find_experiment(name)


def _figures(overrides: Sequence[str]) -> tuple[str, ...]:
    """Return the figures that the command line names: `figures=A,B` or `figures=[A,B]`."""
    if len(overrides) > 1:
        raise UsageError("figures is given twice; several are written figures=NAME,NAME")
    _, values = parse_override(overrides[0])
    check_listable("figures", values)
    names = [name for value in values for name in (value if isinstance(value, list) else [value])]
    return tuple(dict.fromkeys(map(shown, names)))


def _given(overrides: Iterable[str]) -> dict[str, Values]:
    given: dict[str, Values] = {}
    for override in overrides:
        key, values = parse_override(override)
        if key in given:
            raise UsageError(
                f"{shown(key)} is given twice; several values are written {key}=VALUE,VALUE"
            )
        check_distinct(key, values)
        given[key] = checked(key, values)
    return given


def _stated(
    experiment: Experiment, budget: str | None
) -> tuple[dict[str, Values], dict[str, Values], list[dict[str, Values]]]:
    """Return an experiment file's values, those of its budget, and its exclusions.

    Raises:
        UsageError: a key or a value is not valid; the message names the file.
    """
    try:
        stated = _read({**experiment.overrides, **experiment.sweep})
        for key in experiment.overrides:
            if len(stated[key]) > 1 and key not in THRESHOLD_KEYS:
                raise UsageError(f"{key} has several values under overrides: put axes under sweep")
        replaced = _read(experiment.budgets.get(budget or "", {}))
        excluded = [_read(item) for item in experiment.excludes]
        for item in excluded:
            _check_excluded(item)
        zipped = [key for keys in experiment.zips for key in keys]
        for key in zipped:
            if key not in {**stated, **replaced} or _is_no_axis(key):
                raise UsageError(f"zip names {shown(key)}, which is not an axis under sweep")
        for key, values in [*stated.items(), *replaced.items()]:
            # sigmoid and tanh may both be zipped with xavier_normal
            if key not in zipped:
                check_distinct(key, values)
    except UsageError as error:
        raise UsageError(f"{shown(str(experiment.path))}: {error}") from error.__cause__
    return stated, replaced, excluded


def _sweep(experiment: Experiment, given: Axes, budget: str | None) -> Sweep:
    stated, replaced, excluded = _stated(experiment, budget)
    defaults, options = compose_options(
        (group, str(name))
        for layer in (stated, replaced, given, *excluded)
        for group in GROUPS
        for name in layer.get(group, [])
    )
    missing = {key: value for key, value in defaults.items() if key not in stated}
    layers: list[Axes] = [{**stated, **_read(missing)}, replaced, given]
    merged = {key: values for layer in layers for key, values in layer.items()}
    axes = [
        {key: values for key, values in layer.items() if not _is_no_axis(key)} for layer in layers
    ]
    if not experiment.trains and axes[-1]:
        raise UsageError(
            f"{shown(experiment.name)} trains nothing: {shown(next(iter(axes[-1])))} does not apply"
        )
    found = dimensions(axes, experiment.zips) if experiment.trains else []
    resolved = resolve(found, options, given, frozenset({**stated, **replaced})) if found else []
    return Sweep(
        name=experiment.name,
        title=experiment.title,
        question=experiment.question,
        budget=budget,
        figures=experiment.figures,
        thresholds={
            key.removeprefix("thresholds."): [float(str(value)) for value in merged[key]]
            for key in THRESHOLD_KEYS
        },
        axes=_labels(found, resolved),
        launcher=_launcher(merged, options),
        dimensions=tuple(resolved),
        excludes=tuple(_condition(item, options) for item in excluded),
        studies=experiment.studies,
        title_ko=experiment.title_ko,
        question_ko=experiment.question_ko,
        contrast=stated_contrast(experiment, resolved, given),
        stated=frozenset({*stated, *replaced, *given, *_stated_of_contrast(experiment)}),
    )


def _stated_of_contrast(experiment: Experiment) -> list[str]:
    content = experiment.contrast
    return [f"contrast.{key}" for key in content] if isinstance(content, Mapping) else []


def _read(values: Mapping[str, object]) -> dict[str, Values]:
    return {key: checked(key, parse_value(key, value)) for key, value in values.items()}


def _is_no_axis(key: str) -> bool:
    """Return whether a key does not belong to a run's configuration, and so cannot be an axis."""
    return key in THRESHOLD_KEYS or key.partition(".")[0] == "launcher"


def _check_excluded(condition: Mapping[str, Values]) -> None:
    for key, values in condition.items():
        check_listable(f"an item of exclude: {key}", values)
        group = group_of(key)
        if group is None and not _is_no_axis(key):
            continue
        entries = registries()[group].values() if group else ()
        valid = dict.fromkeys(f"{group}.{name}" for entry in entries for name in entry.settings)
        if key not in valid:
            raise UsageError(
                f"exclude names {shown(key)}, which does not vary between runs{nearest(key, valid)}"
            )


def _condition(values: Mapping[str, Values], options: Options) -> Condition:
    def meaning(key: str, value: Any) -> Any:
        if key not in registries():
            return value
        option = options[key, value]
        return Choice(option.name, tuple(option.settings.items()))

    return {key: [meaning(key, value) for value in allowed] for key, allowed in values.items()}


def _launcher(merged: Axes, options: Options) -> LauncherConfig:
    own = {key: values for key, values in merged.items() if key.partition(".")[0] == "launcher"}
    for key, values in own.items():
        if len(values) > 1:
            raise UsageError(
                f"{key} has several values, but it does not affect runs and cannot be an axis"
            )
    option = options["launcher", str(own.pop("launcher")[0])]
    settings = dict(option.settings)
    for key, values in own.items():
        settings[key.partition(".")[2]] = values[0]
    resolved: dict[str, Any] = LAUNCHERS.resolve(option.name, settings).as_dict()
    common = {name: resolved.pop(name) for name in COMMON}
    return LauncherConfig(option.name, **common, own=resolved)


def _labels(found: Iterable[Dimension], resolved: Iterable[Dimension]) -> dict[str, list[str]]:
    """Return the axes along which runs differ, as written; a very long one is abridged."""
    varying = {
        key
        for dimension in resolved
        for key, values in zip(dimension.keys, dimension.columns, strict=True)
        if dimension.size > 1 and any(value != values[0] for value in values)
    }
    labels: dict[str, list[str]] = {}
    for dimension in found:
        for key, values in zip(dimension.keys, dimension.columns, strict=True):
            first = list(dict.fromkeys(_label(value) for value in islice(values, _MOST_LABELS)))
            if dimension.size > _MOST_LABELS:
                first = [*first, "…", _label(values[dimension.size - 1])]
            if len(first) > 1 and (group_of(key) or key) in varying:
                labels[key] = first
    return labels


def _label(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(str, value))}]"
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else str(value)
