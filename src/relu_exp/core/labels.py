"""Labels: how a registry entry is shown in print."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from relu_exp.core.naming import shown
from relu_exp.core.schema import UsageError

__all__ = ["COLOR", "Label", "label_of", "summary_of"]

COLOR = re.compile("#[0-9a-fA-F]{6}")
"""A color as entries and manifests write it."""


@dataclass(frozen=True)
class Label:
    """How an entry is shown: its name in print, the same in Korean if it differs, and its color.

    Raises:
        UsageError: a name cannot be printed or is too long, or the color is not `#rrggbb`.
    """

    en: str
    ko: str = ""
    color: str = ""

    def __post_init__(self) -> None:
        for text in (self.en, self.ko):
            # between two dollar signs a figure would read a formula
            if len(text) > 60 or not text.isprintable() or "$" in text:
                raise UsageError(
                    f"label={shown(text)!r} is not valid: at most 60 printable characters, "
                    "none of them a dollar sign"
                )
        if self.color and not COLOR.fullmatch(self.color):
            raise UsageError(f"color={shown(self.color)!r} is not valid: write it as #rrggbb")

    def as_dict(self) -> dict[str, str]:
        """Return what is stated, as manifests hold it."""
        return {key: value for key, value in vars(self).items() if value}


def label_of(
    function: Callable[..., Any], en: str = "", ko: str = "", color: str = ""
) -> Label | None:
    """Return how a registered function is shown: as stated, or by a tidy form of its name.

    Returns:
        None where nothing is stated of what comes with the package: `evidence` knows its names.
    """
    if not (en or ko or color) and function.__module__.startswith("relu_exp."):
        return None
    return Label(en or function.__name__.replace("_", " "), ko, color)


def summary_of(function: Callable[..., Any]) -> str:
    """Return the first line of a function's docstring, or its name if it has none."""
    return (function.__doc__ or function.__name__).strip().splitlines()[0]
