"""Settings of registry entries: their types, their ranges and how a value is checked."""

from __future__ import annotations

import inspect
import json
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from relu_exp.core.naming import nearest, shown
from relu_exp.core.schema import Scalar, UsageError

__all__ = ["Setting", "settings_of"]


@dataclass(frozen=True)
class Setting:
    """One setting of a registry entry: its default, what it means and which values are valid.

    The type of `default` is the type of the setting. `None` as a default means that the value is
    optional; `kind` then names its type. `words` are valid besides values of the type. `otherwise`
    gives the value where none is given, if it is only known then. A text that `is_list` may also be
    given as a list, which becomes JSON. Of a setting that `came_later`, the default is left out of
    choices: results were written before there was the setting, and their runs are the same ones.
    """

    default: Scalar
    help: str = ""
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    choices: tuple[Scalar, ...] | None = None
    kind: type | None = None
    words: tuple[str, ...] = ()
    otherwise: Callable[[], Scalar] | None = None
    is_list: bool = False
    came_later: bool = False

    def check(self, name: str, value: object) -> Scalar:
        """Return `value` in the setting's own type.

        Raises:
            UsageError: the value has the wrong type, is not finite or is out of range.
        """
        if value is None and self.default is None:
            return self.otherwise() if self.otherwise else None
        if isinstance(value, list) and self.is_list:
            return json.dumps([str(item) for item in value], ensure_ascii=False)
        if isinstance(value, str) and value in self.words:
            return value
        kind = self.kind or type(self.default)
        checked = _cast(name, value, kind, self.choices, self.words)
        if isinstance(checked, (int, float)) and not isinstance(checked, bool):
            self._check_range(name, checked)
        return checked

    @property
    def limits(self) -> str:
        """What is valid, in words, as in `above 0 and at most 1`; empty: all of its type."""
        if self.choices is not None:
            return f"one of {', '.join(map(shown, self.choices))}"
        return " and ".join(words for words, _, _ in self._bounds())

    def _bounds(self) -> list[tuple[str, float, Callable[[float, float], bool]]]:
        """Return each bound that is stated: in words, its value, and what must hold of it."""
        bounds: list[tuple[str, float | None, Callable[[float, float], bool]]] = [
            ("above", self.above, operator.gt),
            ("at least", self.at_least, operator.ge),
            ("below", self.below, operator.lt),
            ("at most", self.at_most, operator.le),
        ]
        return [
            (f"{word} {bound:,}" if isinstance(bound, int) else f"{word} {bound:g}", bound, holds)
            for word, bound, holds in bounds
            if bound is not None
        ]

    def _check_range(self, name: str, value: float) -> None:
        is_finite = isinstance(value, int) or math.isfinite(value)
        if not is_finite or not all(holds(value, bound) for _, bound, holds in self._bounds()):
            words = [*([] if is_finite else ["finite"]), *([self.limits] if self.limits else [])]
            raise UsageError(
                f"{name}={shown(value)} is not valid: it must be {' and '.join(words)}"
            )


def _cast(
    name: str,
    value: object,
    kind: type,
    choices: tuple[Scalar, ...] | None,
    also: tuple[str, ...],
) -> Scalar:
    """Return `value` as `kind`, accepting only what loses nothing (1 → 1.0, but not 2.5 → 2)."""
    if choices is not None:
        if value in choices:
            return value
        valid = [str(choice) for choice in choices]
        raise UsageError(
            f"{name}={shown(value)} is not valid: choose from {', '.join(valid)}"
            f"{nearest(shown(value), valid)}"
        )
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is float and is_number:
        return _as_float(value)  # type: ignore[arg-type]
    if kind is int and is_number and (isinstance(value, int) or value.is_integer()):  # type: ignore[attr-defined]
        return int(value)  # type: ignore[call-overload, no-any-return]
    if kind is bool and isinstance(value, bool):
        return value
    if kind is str and isinstance(value, (str, int, float)):
        return str(value)
    words = {float: "a number", int: "a whole number", bool: "true or false", str: "text"}
    kinds = " or ".join([words[kind], *also])
    guess = nearest(shown(value), also)
    raise UsageError(f"{name}={shown(value)} is not valid: it must be {kinds}{guess}")


def _as_float(value: float) -> float:
    try:
        return float(value) + 0.0  # -0.0 becomes 0.0, which is written in the same way
    except OverflowError:  # a whole number of more than 308 digits
        return math.inf


def settings_of(
    function: Callable[..., Any], stated: Mapping[str, Setting], skip: Iterable[str] = ()
) -> dict[str, Setting]:
    """Return the settings of a registered function: its keyword defaults, refined by `stated`."""
    found = {
        name: Setting(parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is not inspect.Parameter.empty and name not in set(skip)
    }
    return {**found, **stated}
