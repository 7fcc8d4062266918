"""Rules fixed in advance, the effects they are applied to, and the verdicts that follow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

__all__ = ["ALPHA", "Effects", "Kind", "Need", "Rule", "SettingVerdict", "Verdict", "VerdictName"]

VerdictName = Literal["supported", "refuted", "conditional", "inconclusive", "not decided"]
Need = Literal["mean", "every", "some"]
Kind = Literal["effects", "cases", "counts", "share", "either"]
ALPHA = 0.05


@dataclass(frozen=True)
class Rule:
    """What is compared with what, and what must hold of it, fixed before the runs.

    `kind` says what is compared:

    - `effects`: one effect per seed and setting of the grid. It holds where the mean effect's 95%
      interval lies wholly on the claimed side of `threshold`, which contains the minimum effect,
      and fails where it lies wholly on the other. `need` says whether the mean over the grid must
      hold, every setting, or some setting.
    - `cases`: computed cases, every one of which must hold.
    - `counts`: exceptions, of which no setting of the grid may have one.
    - `share`: the share of settings whose effect is surely above `part_threshold` must be at least
      `threshold`.
    - `either`: some effects are surely above 0 and some surely below, and none is larger than
      `threshold`; refuted where `part_share` of the settings are on one side by `part_threshold`.

    With `ratio` effects are positive ratios: their geometric mean is taken. Seeds that agree to
    within less than `resolution` (of the logarithm, for ratios; 5% of the threshold unless said)
    are credited with that spread, so that a few equal values are no certainty: where the threshold
    is 0 and effects come in steps, it must be said. Rules of cases and counts are exact and have
    no threshold.
    """

    measure: str
    says: str
    threshold: float | None = None
    claimed_side: Literal["above", "below"] = "above"
    ratio: bool = False
    resolution: float | None = None
    unit: str = ""
    grid: tuple[str, ...] = ()
    over: Literal["seed", "repeat"] = "seed"
    """The unit of the intervals: a seed, or a repeat of a timing."""
    part_measure: str = ""
    """What a setting is measured by, where the claim is about how many settings there are."""
    part_threshold: float | None = None
    """From where such a setting counts."""
    part_share: float | None = None
    """From which share of the settings on one side it is no longer either side's."""
    kind: Kind = "effects"
    need: Need | None = "mean"
    """Where it must hold; None for the kinds that count settings."""
    censored: Literal["as given"] | None = None
    """How a time counts that never came: with all the updates the run was given. With both sides
    of a comparison censored nothing is known, and it is left out."""

    @property
    def is_exact(self) -> bool:
        """Whether the claim is checked by computation, with no statistics."""
        return self.threshold is None


@dataclass(frozen=True)
class Effects:
    """What a claim's function measured, for the claim's rule to decide.

    `rows` hold the columns of the rule's grid, and by the kind of rule: `seed` and `effect` (NaN:
    not known); for `cases` `holds`; for `counts` `seed`, `found` and `of`, how many exceptions of
    how many. The seed is the unit: it counts once in a setting and once in the whole grid, with the
    mean of its rows.
    """

    rows: pd.DataFrame
    scope: str = ""
    """The setting in which the verdict holds."""
    run_ids: Sequence[str] = ()
    """The runs that the rows were computed from."""
    notes: Sequence[str] = ()
    """What a reader should know besides."""
    text: str = ""
    """The evidence in a line, for rules of cases and counts; the others write their own."""
    elsewhere: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    """Rows from other machines, by their name: judged by the same rule, for a note."""


@dataclass(frozen=True)
class SettingVerdict:
    """One setting of the grid: where it is, its effect, interval, verdict and p-value."""

    where: dict[str, str]
    effect: float
    low: float
    high: float
    num_seeds: int
    verdict: VerdictName
    p_value: float = math.nan


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim, with what a reader needs to check it.

    `effect`, `low` and `high` are in the rule's unit (95% interval over seeds); `p_value` tests the
    effect against the threshold; `seeds_needed` is, for an inconclusive claim, how many seeds
    would decide it if effect and variance are as measured. `run_ids` are the runs it rests on.
    """

    name: VerdictName
    text: str
    effect: float = math.nan
    low: float = math.nan
    high: float = math.nan
    num_seeds: int = 0
    p_value: float = math.nan
    seeds_needed: int | None = None
    scope: str = ""
    settings: tuple[SettingVerdict, ...] = ()
    notes: tuple[str, ...] = ()
    run_ids: tuple[str, ...] = field(default=(), repr=False)
