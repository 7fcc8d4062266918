"""Contrasts: which arms of a sweep are compared with which, by what, and from where it matters."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from relu_exp.core.naming import nearest, shown
from relu_exp.core.run_keys import keys_about
from relu_exp.core.schema import PARTS, Scalar, UsageError

__all__ = ["MARGINS", "Contrast", "Metric", "arm_keys", "contrast_of", "metric_of"]

_FIELDS = ("arm", "against", "by", "margin", "metric")
_UPDATES = re.compile(r"updates:(train|validation|test)_(loss|accuracy)(<=|>=|<|>)([0-9.eE+-]+)")
_VALID = "accuracy, loss, r2, or a threshold such as updates:train_loss<0.5"
_TUNED = "learning_rate"


class Metric(NamedTuple):
    """What arms are compared by: `accuracy`, `loss`, `r2` on test data, or updates to a threshold.

    Runs that predict numbers have an R² and no accuracy, all others an accuracy and no R².
    """

    kind: Literal["accuracy", "loss", "r2", "updates"]
    split: str = "test"
    curve: str = ""
    """`loss` or `accuracy`: whose threshold the updates are counted to."""
    threshold: float = math.nan

    @property
    def higher_is_better(self) -> bool:
        """Whether more of it is better."""
        return self.kind in ("accuracy", "r2")

    @property
    def is_accuracy(self) -> bool:
        """Whether it is an accuracy, or updates to one: of classes only."""
        return "accuracy" in (self.kind, self.curve)

    @property
    def is_ratio(self) -> bool:
        """Whether arms are compared by a ratio; else by a difference."""
        return self.kind == "updates"


MARGINS: Mapping[str, float] = {"accuracy": 0.005, "loss": 0.01, "r2": 0.01, "updates": 1.1}
"""What does not matter where nothing is said, by kind of metric."""


@dataclass(frozen=True)
class Contrast:
    """Every arm against one of them.

    An arm is a value of each key of `arm`; `against` holds the values of the one that the others
    are compared with, in the same order. Every setting of the keys `by` is compared for itself;
    whatever else varies, besides the seed, is tuned for each arm on validation data. Differences
    within `margin` do not matter: an amount, or of updates a ratio.
    """

    arm: tuple[str, ...]
    against: tuple[Scalar, ...]
    by: tuple[str, ...] = ()
    margin: float = 0.005
    metric: str = "accuracy"

    def as_json(self) -> dict[str, Any]:
        """Return the contrast as an experiment file states it."""
        return {
            "arm": list(self.arm),
            "against": dict(zip(self.arm, self.against, strict=True)),
            "by": list(self.by),
            "margin": self.margin,
            "metric": self.metric,
        }


def metric_of(text: object) -> Metric:
    """Return a metric from its name.

    Raises:
        UsageError: there is no such metric.
    """
    if text in ("accuracy", "loss", "r2"):
        return Metric(text)
    found = _UPDATES.fullmatch(str(text).replace(" ", ""))
    if not found:
        guess = nearest(str(text), ("accuracy", "loss", "r2", "updates:train_loss<0.5"))
        raise UsageError(f"metric {shown(text)} is not valid{guess}; valid: {_VALID}")
    split, curve, side, number = found.groups()
    if (side[0] == "<") != (curve == "loss"):
        falls = "a loss falls (<)" if curve == "loss" else "an accuracy rises (>)"
        raise UsageError(f"metric {shown(text)} is not valid: {falls} to its threshold")
    try:
        threshold = float(number)
    except ValueError:
        threshold = math.nan
    if not (math.isfinite(threshold) and threshold > 0):
        raise UsageError(f"metric {shown(text)} is not valid: {shown(number)} is no threshold")
    return Metric("updates", split, curve, threshold)


def arm_keys() -> tuple[str, ...]:
    """Return the keys that arms can differ in; the settings of parts are valid, too."""
    keys = (*PARTS, *keys_about("network", "training", "computing"))
    return tuple(key for key in keys if key != _TUNED)


def contrast_of(content: object, settings: Iterable[str] = ()) -> Contrast:
    """Return a contrast from the mapping that states it.

    Args:
        content: `arm`, `against`, and if wanted `by`, `margin` and `metric`. `against` is a mapping
            from the keys of `arm`, or a list of values in their order.
        settings: the settings of parts that are valid besides, `activation.negative_slope`.

    Raises:
        UsageError: it is not a contrast; the message is one line.
    """
    if not isinstance(content, Mapping):
        raise UsageError(f"contrast is not a mapping: {shown(content)}")
    for key in content:
        if key not in _FIELDS:
            guess = nearest(shown(key), _FIELDS)
            raise UsageError(f"contrast has no {shown(key)!r}{guess}; valid: {', '.join(_FIELDS)}")
    valid = tuple(dict.fromkeys((*arm_keys(), *settings)))
    arm = _keys("arm", content.get("arm"), valid)
    by = _keys("by", content.get("by"), valid)
    if not arm:
        raise UsageError(f"contrast has no arm; valid: {', '.join(arm_keys())}")
    for key in by:
        if key in arm:
            raise UsageError(f"contrast has {key} both as an arm and under by")
    name = str(content.get("metric", "accuracy"))
    metric = metric_of(name)
    return Contrast(
        arm, _against(arm, content.get("against")), by, _margin(content.get("margin"), metric), name
    )


def _keys(name: str, value: object, valid: Sequence[str]) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(listed, list | tuple):
        raise UsageError(f"contrast.{name} is not a list of keys: {shown(value)}")
    found: dict[str, None] = {}
    for key in listed:
        word = str(key).removesuffix("_label")
        if word == _TUNED:
            raise UsageError(f"contrast.{name}: {_TUNED} is tuned for each arm, and separates none")
        if word == "seed":
            raise UsageError(f"contrast.{name}: seeds are what arms are paired by")
        if word not in valid:
            raise UsageError(
                f"contrast.{name}: unknown key {shown(key)!r}{nearest(word, valid)}; "
                f"valid: {', '.join(arm_keys())}"
            )
        found[word] = None
    return tuple(found)


def _against(arm: Sequence[str], value: object) -> tuple[Scalar, ...]:
    if isinstance(value, Mapping):
        for key in value:
            if key not in arm:
                raise UsageError(
                    f"contrast.against has {shown(key)}, which is not an arm's key"
                    f"{nearest(shown(key), arm)}; valid: {', '.join(arm)}"
                )
        if missing := [key for key in arm if key not in value]:
            raise UsageError(f"contrast.against has no {missing[0]}: it needs {', '.join(arm)}")
        values = [value[key] for key in arm]
    elif isinstance(value, list | tuple):
        values = list(value)
    else:
        values = [] if value is None else [value]
    if len(values) != len(arm):
        raise UsageError(
            f"contrast.against has {len(values)} values and arm {len(arm)} keys: "
            f"give one for each of {', '.join(arm)}"
        )
    for each in values:
        if not isinstance(each, str | int | float):
            raise UsageError(f"contrast.against has {shown(each)}, which is no name or number")
    return tuple(values)


def _margin(value: object, metric: Metric) -> float:
    if value is None:
        return MARGINS[metric.kind]
    try:
        margin = float(str(value))
    except ValueError:
        margin = math.nan
    least, kind = (1.0, "a ratio above 1, such as 1.1") if metric.is_ratio else (0.0, "above 0")
    if isinstance(value, bool) or not (math.isfinite(margin) and margin > least):
        raise UsageError(f"margin {shown(value)} is not valid for {metric.kind}: it must be {kind}")
    return margin
