"""Regressions among runs: they predict numbers, and have a loss and an R² but no accuracy."""

from __future__ import annotations

import pandas as pd

from relu_exp.core.schema import REGRESSION
from relu_exp.evidence.data.language import Words

__all__ = ["is_regression", "regression_text"]

regression_text = Words(__package__, "words_regressions.yaml")
"""Return what is said of regressions, by key, in the language that is written now."""

_OUTPUT = "network.output"


def is_regression(runs: pd.DataFrame) -> pd.Series[bool]:
    """Return which runs predict numbers: by their configuration, however they ended."""
    if _OUTPUT not in runs:
        return pd.Series(False, index=runs.index)
    return runs[_OUTPUT] == REGRESSION
