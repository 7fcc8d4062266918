"""The contrast of an experiment file, checked against the sweep that it is stated for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from relu_exp.config.expansion import Dimension
from relu_exp.config.files import Experiment
from relu_exp.config.groups import registries
from relu_exp.core.contrasts import Contrast, contrast_of
from relu_exp.core.naming import nearest, shown
from relu_exp.core.schema import Choice, Scalar, UsageError

__all__ = ["stated_contrast"]


def stated_contrast(
    experiment: Experiment, dimensions: Sequence[Dimension], given: Mapping[str, object]
) -> Contrast | None:
    """Return the contrast that an experiment states.

    `given` holds the overrides: an arm that they leave out is no mistake of the file.

    Raises:
        UsageError: it is not valid, or what it compares with is not run.
    """
    if experiment.contrast is None:
        return None
    try:
        settings = [
            f"{group}.{name}"
            for group, registry in registries().items()
            for entry in registry.values()
            for name in entry.settings
        ]
        found = contrast_of(experiment.contrast, settings)
        for key, value in zip(found.arm, found.against, strict=True):
            if key not in given:
                _check_run(key, value, dimensions)
    except UsageError as error:
        raise UsageError(f"{shown(str(experiment.path))}: {error}") from error
    return found


def _check_run(key: str, value: Scalar, dimensions: Sequence[Dimension]) -> None:
    for dimension in dimensions:
        if key in dimension.keys:
            column = dimension.columns[dimension.keys.index(key)]
            names = list(dict.fromkeys(_named(each) for each in column))
            if _named(value) not in names:
                raise UsageError(
                    f"contrast.against has {key}={shown(value)}, which is not run"
                    f"{nearest(str(value), names)}; this sweep has {', '.join(names[:20])}"
                )


def _named(value: Any) -> str:
    name = value.name if isinstance(value, Choice) else value
    return f"{name:g}" if isinstance(name, int | float) else str(name)
