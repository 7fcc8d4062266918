"""What the table of best results says of an arm: accuracy, or of numbers the loss and R²."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from relu_exp.evidence.data.language import Words
from relu_exp.evidence.data.regressions import is_regression, regression_text
from relu_exp.evidence.data.statistics import Interval, mean_interval, score
from relu_exp.evidence.report.words import text

__all__ = ["Measured", "measured_of", "percent", "words_of"]


@dataclass(frozen=True)
class Measured:
    """A column of the table: a metric of a split, with an interval where it is of test data."""

    split: str
    metric: str

    @property
    def of_numbers(self) -> bool:
        """Whether only runs that predict numbers have it."""
        return self.metric != "accuracy"

    @property
    def heading(self) -> str:
        """The heading of the column."""
        if self.of_numbers:
            return regression_text(f"column_{self.split}_{self.metric}")
        return text(f"column_{self.split}")

    def cell(self, arm: pd.DataFrame) -> str:
        """Return the mean over an arm's runs; a dash where there is none, or some diverged."""
        if bool(is_regression(arm).any()) != self.of_numbers:
            return "—"
        values = score(arm, f"final_{self.split}_{self.metric}")
        if not self.of_numbers:
            return _interval(mean_interval(values)) if self.split == "test" else _mean(values)
        found = mean_interval(values.replace([math.inf, -math.inf], math.nan))
        if found.n < len(arm):
            return "—"
        form = ".3f" if self.metric == "r2" else ".3g"
        if self.split != "test" or found.n < 3:
            return f"{found.mean:{form}}"
        return f"{found.mean:{form}} ({found.low:{form}} … {found.high:{form}})"


_OF_CLASSES = (Measured("validation", "accuracy"), Measured("test", "accuracy"))
_OF_NUMBERS = (Measured("validation", "loss"), Measured("test", "loss"), Measured("test", "r2"))


def measured_of(arms: Iterable[pd.DataFrame]) -> list[Measured]:
    """Return the columns that some arm has; those of classes where there is no arm at all."""
    kinds = {bool(is_regression(arm).any()) for arm in arms} or {False}
    return [*(_OF_CLASSES if False in kinds else ()), *(_OF_NUMBERS if True in kinds else ())]


def words_of(measured: Sequence[Measured]) -> list[Words]:
    """Return whose sentences explain the columns."""
    kinds = dict.fromkeys(each.of_numbers for each in measured)
    return [regression_text if of_numbers else text for of_numbers in kinds]


def percent(share: float) -> str:
    """Return a share as a percentage with one decimal, or a dash where there is none."""
    return "—" if pd.isna(share) else f"{share:.1%}"


def _mean(shares: pd.Series[float]) -> str:
    return percent(shares.mean())


def _interval(test: Interval) -> str:
    if test.n < 3:
        return percent(test.mean)
    # an accuracy lies between 0 and 1, whatever Student's t says
    return f"{percent(test.mean)} ({max(test.low, 0):.1%} … {min(test.high, 1):.1%})"
