"""What a claim's picture shows of the runs that were judged: a value over an axis, by arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["EFFECT", "OWN", "Shown"]

OWN = "own"
"""The value that the claim itself measured per run: `Effects.values`."""
EFFECT = "effect"
"""The effects that were judged, where no run has a value of its own."""


@dataclass(frozen=True)
class Shown:
    """The picture of a claim: which value of the judged runs, over which axis, and by which arms.

    The runs are those of the claim's `Effects`, and no others: a picture cannot show runs that
    were not judged. `only` picks a part of them, by columns of the runs; the caption says so.

    Axes are columns of the runs (`learning_rate`, `depth`, `initializer_label`), of what was
    measured (`layer`, `step`), `experiment`, `threshold`, or columns of `Effects.values`.
    """

    value: str
    """A quantity of `figures.values`: `test_accuracy`, `updates`, `dead_fraction` …, or `OWN`,
    `EFFECT`."""
    x: str
    series: tuple[str, ...] = ("activation_label",)
    """What lines differ in; several are named together."""
    columns: str = ""
    rows: str = ""
    only: Mapping[str, object] = field(default_factory=dict)
    thresholds: tuple[float, ...] = ()
    """Of the value `updates`: those to which the claim counts."""
    metric: str = "loss"
    """Of the value `updates`: on training data."""
    words: str = ""
    """The key of the value's name in the words of figures; that of `value` unless given."""
    line: float | None = None
    """A limit that is drawn, in the unit of the value."""
    best: str = ""
    """The arm whose best mean is drawn as a line across each panel: what others are judged by."""
    log: bool = False
    """Whether the value's axis is logarithmic."""
    share: bool = False
    """Whether the value is a share, 0 to 1."""
