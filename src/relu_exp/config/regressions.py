"""What a sweep asks of runs that predict numbers: a loss, and no accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from relu_exp.config.sweep import Sweep
from relu_exp.core.contrasts import MARGINS, metric_of
from relu_exp.core.schema import REGRESSION, RunConfig, UsageError

__all__ = ["fitted"]


def fitted(sweep: Sweep, runs: Sequence[RunConfig]) -> Sweep:
    """Return a sweep without the accuracies that it asks for by default, if no run has any.

    Raises:
        UsageError: an accuracy is asked for in so many words.
    """
    if not runs or any(run.network["output"] != REGRESSION for run in runs):
        return sweep
    data = ", ".join(dict.fromkeys(run.dataset.name for run in runs))
    asked = [key for key in sweep.thresholds if key.endswith("_accuracy")]
    for key in asked:
        if f"thresholds.{key}" in sweep.stated:
            raise UsageError(
                f"thresholds.{key} does not apply: {data} has numbers to predict, which have no "
                "accuracy; use thresholds.train_loss"
            )
    kept = {key: values for key, values in sweep.thresholds.items() if key not in asked}
    return _with_loss(replace(sweep, thresholds=kept), data)


def _with_loss(sweep: Sweep, data: str) -> Sweep:
    """Return a sweep whose contrast is by loss where it states no metric."""
    contrast = sweep.contrast
    if contrast is None or not metric_of(contrast.metric).is_accuracy:
        return sweep
    if "contrast.metric" in sweep.stated:
        raise UsageError(
            f"contrast.metric={contrast.metric} does not apply: {data} has numbers to predict, "
            "which have no accuracy; use loss or r2"
        )
    margin = contrast.margin if "contrast.margin" in sweep.stated else MARGINS["loss"]
    return replace(sweep, contrast=replace(contrast, metric="loss", margin=margin))
