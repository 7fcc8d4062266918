"""Rules fixed in advance, the effects they are applied to, and the verdicts that follow."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import pandas as pd

__all__ = [
    "ALPHA",
    "Bound",
    "Effects",
    "Kind",
    "Need",
    "Rule",
    "SettingVerdict",
    "Verdict",
    "VerdictName",
]

VerdictName = Literal["supported", "refuted", "conditional", "inconclusive", "not decided"]
Need = Literal["mean", "every", "some"]
Kind = Literal["effects", "cases", "counts", "share", "either"]
Bound = Literal["none", "lower", "upper", "both"]
"""What an effect is: an estimate, a bound that the true one exceeds or stays below, or neither."""
ALPHA = 0.05
FIRST = date(2026, 11, 21)
"""When the first rules were written."""


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
    - `either`: every effect is surely smaller than `threshold`, on either side; refuted where
      every one is surely larger, or `part_share` of them are on one side by `part_threshold`.

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
    over: Literal["seed", "repeat", "set"] = "seed"
    """The unit of the intervals: a seed, a repeat of a timing, or a set of `set_of` seeds."""
    set_of: int = 1
    """How many seeds make one value, their mean: where many seeds fail and many do not, no single
    seed is typical, and what counts is what several may expect. Seeds beyond full sets are left
    out."""
    part_measure: str = ""
    """What a setting is measured by, where the claim is about how many settings there are."""
    part_threshold: float | None = None
    """From where such a setting counts."""
    part_share: float | None = None
    """From which share of the settings on one side it is no longer either side's."""
    kind: Kind = "effects"
    need: Need | None = "mean"
    """Where it must hold; None for the kinds that count settings."""
    censored: Literal["bound"] | None = None
    """What is made of a time that never came. The updates given are fewer than it needs: a ratio to
    it is a bound, which may show that the true one lies beyond and never that it does not. With
    both sides of a comparison censored nothing is known, and it is left out."""
    failures: Literal["counted", "apart"] = "counted"
    """Whether seeds in which an arm diverged count in the effect, or only in how many they are."""
    margin: float | None = None
    """The smallest difference worth naming, as a ratio or an amount. Where the 95% interval lies
    within it on either side of no difference, there is none that matters."""
    within: tuple[float, float] | None = None
    """The least and the greatest value that an effect can have, as of a share: an interval ends
    there."""
    version: int = 1
    since: date = FIRST
    """From when the rule stands; a `datetime` where the hour matters. Runs made before decide
    nothing under a rule that was amended."""
    reason: str = ""
    """Why it was amended."""

    @property
    def is_exact(self) -> bool:
        """Whether the claim is checked by computation, with no statistics."""
        return self.threshold is None


@dataclass(frozen=True)
class Effects:
    """What a claim's function measured, for the claim's rule to decide.

    `rows` hold the columns of the rule's grid, and by the kind of rule: `seed` and `effect` (NaN:
    not known), and if times may never come `bound`; for `cases` `holds`; for `counts` `seed`,
    `found` and `of`, how many exceptions of
    how many. With `first_failed` and `second_failed` the arms' failures are counted. The seed is
    the unit: it counts once in a setting and once in the whole grid, with the mean of its rows.
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
    values: pd.DataFrame | None = None
    """What the claim measured per run, for its picture: `run_id`, `own`, and axes that the runs do
    not have."""
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
    bound: Bound = "none"
    distance: float = math.nan
    """The mean's from the threshold, in standard deviations over seeds; above 0 where claimed."""
    across: float = 0.0
    """The share of seeds on the other side of the threshold than the mean, or at it."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim, with what a reader needs to check it.

    `effect`, `low` and `high` are in the rule's unit (95% interval over seeds); `p_value` tests the
    effect against the threshold; `seeds_needed` is, for an inconclusive claim, how many seeds
    would decide it in 80 of 100 experiments if effect and variance are as measured, and `needs`
    gives that number at another level. `run_ids` are the runs it rests on.

    Where settings decide, the effect is that of the one that decides, which is at `place`; of a
    conditional claim `least` and `most` are the settings' extremes. Where it is a `bound`, one end
    of the interval is infinite. `equivalent`: there is no difference that matters. `text_ko`,
    `scope_ko` and `notes_ko` are text, scope and notes in Korean; empty where that is not known. Of
    `num_cases` computed cases, `num_wrong` do not agree.
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
    place: str = ""
    least: float = math.nan
    most: float = math.nan
    bound: Bound = "none"
    equivalent: bool = False
    text_ko: str = ""
    scope_ko: str = ""
    notes_ko: tuple[str, ...] = ()
    num_cases: int = 0
    num_wrong: int = 0
    run_ids: tuple[str, ...] = field(default=(), repr=False)
    needs: Callable[[float], int | None] | None = field(default=None, repr=False, compare=False)
