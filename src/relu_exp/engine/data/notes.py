"""Notes on a data set: what is valid and still spoils a training or its evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from relu_exp.core.naming import shown
from relu_exp.core.schema import Choice
from relu_exp.engine.data.datasets import DATASETS, load, scaling_of
from relu_exp.engine.data.scaling import moments
from relu_exp.engine.data.splits import Data

__all__ = ["notes"]

_LARGE = 10.0
"""Of a feature's mean or standard deviation, above which inputs are no longer near 0 and 1.

Initializers keep signals in range for inputs of variance 1; a first step of gradient descent is
off by the square of the scale.
"""
_SMALL = 0.01
"""Of the largest standard deviation, below which a network sees almost nothing of its inputs."""
_MOST_CLASSES = 5
_MOST_TARGETS = 3


def notes(choice: Choice) -> list[str]:
    """Return what a user should know of a data set, in one line each; most sets need none.

    Raises:
        UsageError: the data are missing, damaged or not valid.
    """
    data, entry = load(choice), DATASETS[choice.name]
    found = _missing_classes(choice.name, data) + _units(choice.name, data)
    found += _outside(choice.name, data, entry.layout(**entry.own(choice)).value_range)
    is_offered = "scaling" not in entry.own_settings
    if is_offered and scaling_of(choice) == "none" and (hint := _not_standardized(data)):
        found.append(
            f"inputs of {choice.name} are not standardized: {hint}; dataset.scaling=standardize "
            "changes that"
        )
    return found


def _missing_classes(name: str, data: Data) -> list[str]:
    found = []
    for split in ("validation", "test") if data.num_classes else ():
        present = set(data.splits[split].labels.tolist())
        missing = [label for label in range(data.num_classes) if label not in present]
        if missing:
            found.append(
                f"the {split} split of {name} has no sample of {_classes(missing, data)}: its "
                "accuracy is that of the other classes"
            )
    return found


def _units(name: str, data: Data) -> list[str]:
    """Return what leads from standardized targets back to their own units."""
    if data.targets is None:
        return []
    pairs = zip(np.ravel(data.targets.offset), np.ravel(data.targets.unit), strict=True)
    words = [f"mean {mean:.6g} and standard deviation {std:.6g}" for mean, std in pairs]
    more = f", and {len(words) - _MOST_TARGETS:,} more" if len(words) > _MOST_TARGETS else ""
    return [
        f"targets of {name} are standardized: {', '.join(words[:_MOST_TARGETS])}{more} of the "
        "training samples; a prediction × standard deviation + mean is in their own units, and so "
        "is √loss × standard deviation, the root mean square error"
    ]


def _outside(name: str, data: Data, declared: tuple[float, float] | None) -> list[str]:
    if declared is None or data.extent is None:
        return []
    (low, high), (lowest, highest) = data.extent, declared
    if lowest <= low and high <= highest:
        return []
    return [
        f"inputs of {name} lie between {_number(low)} and {_number(high)}, outside the value_range "
        f"of its layout, {_number(lowest)} to {_number(highest)}"
    ]


def _classes(labels: Sequence[int], data: Data) -> str:
    names = data.class_names
    words = [f"{label} ({shown(names[label])})" if names else str(label) for label in labels]
    more = f" and {len(words) - _MOST_CLASSES:,} more" if len(words) > _MOST_CLASSES else ""
    listed = ", ".join(words[:_MOST_CLASSES])
    return f"class{'es' if len(words) > 1 else ''} {listed}{more}"


def _not_standardized(data: Data) -> str:
    """Return which feature is largest, if training inputs are far from mean 0 and variance 1."""
    mean, std = moments(data.train.inputs.numpy()[:, :, None])
    largest, farthest = int(std.argmax()), int(np.abs(mean).argmax())
    if std[largest] > _LARGE:
        return f"{_feature(largest, data)} has a standard deviation of {_number(std[largest])}"
    if abs(mean[farthest]) > _LARGE:
        return f"{_feature(farthest, data)} has a mean of {_number(mean[farthest])}"
    if 0 < std[largest] < _SMALL:
        return f"no feature has a standard deviation above {_number(std[largest])}"
    return ""


def _feature(index: int, data: Data) -> str:
    return f"feature {shown(repr(data.columns[index])) if data.columns else index}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}"
