"""A contrast: one row per arm, judged by the rules of claims, corrected for all rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pandas as pd

from relu_exp.core.contrasts import Contrast, Metric, metric_of
from relu_exp.core.schema import UsageError
from relu_exp.evidence.claims.arms import differences, pairs, ratios, scored, timed
from relu_exp.evidence.claims.correction import corrected
from relu_exp.evidence.claims.failures import failed_seeds
from relu_exp.evidence.claims.judging import judge
from relu_exp.evidence.claims.registry import MissingRunsError
from relu_exp.evidence.claims.verdicts import Effects, Rule, Verdict
from relu_exp.evidence.contrasts.asked import column_of, having, varying, with_arms
from relu_exp.evidence.contrasts.tuning import tuned
from relu_exp.evidence.contrasts.words import text
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.language import in_language
from relu_exp.evidence.data.statistics import Interval, mean_interval, median_steps, score
from relu_exp.evidence.data.texts import Text

__all__ = ["Contrasted", "Name", "Row", "contrasted"]

Name = Literal["better", "worse", "no difference", "not decided", "reference"]


@dataclass(frozen=True)
class Row:
    """One arm in one setting: how it was tuned, how good it is, and how it compares.

    `level` is its mean over the seeds in which it did not diverge, with its 95% interval; of
    updates, the median over all seeds, infinite where half of them never arrive. The verdict's
    `effect`, `low` and `high` are arm less reference, or their ratio, paired by seed.
    """

    arm: str
    where: Mapping[str, Any]
    """Key of `by` → value."""
    rate: float
    at_edge: bool
    tuned: Mapping[str, Any]
    """Every other tuned key → the value that was chosen."""
    level: Interval
    name: Name
    verdict: Verdict
    failed: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """`first` (the arm) and `second` (the reference) → seeds that diverged, of how many."""
    run_ids: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Contrasted:
    """The rows of a contrast, and what they were asked."""

    contrast: Contrast
    reference: str
    rows: tuple[Row, ...]
    runs: pd.DataFrame = field(repr=False)
    """The runs that it rests on, one per seed, arm and setting."""
    num_without_metric: int = 0
    """Runs that are left out because they predict numbers, or choose classes."""

    @property
    def metric(self) -> Metric:
        """What the arms are compared by."""
        return metric_of(self.contrast.metric)

    @property
    def num_compared(self) -> int:
        """How many rows the verdicts are corrected for."""
        return sum(row.name != "reference" for row in self.rows)

    @property
    def num_seeds(self) -> int:
        """The most seeds that two arms share."""
        return max((of for row in self.rows for _, of in row.failed.values()), default=0)


def contrasted(frames: Frames, contrast: Contrast) -> Contrasted:
    """Return every arm against the reference, in every setting of `by`.

    Raises:
        UsageError: there are no two arms, no single reference, or nothing to tune or measure by.
    """
    metric = metric_of(contrast.metric)
    kept = having(frames, metric)
    runs, reference = with_arms(kept, contrast)
    by = [column_of(key) for key in contrast.by]
    taken = {*contrast.arm, *contrast.by, *(key.partition(".")[0] for key in contrast.arm)}
    others = {key: column_of(key) for key in varying(runs) if key not in taken}
    try:
        chosen = scored(tuned(frames, runs, ["arm", *by], list(others.values()), metric))
        if metric.kind == "r2":
            chosen = chosen.assign(r2=score(chosen, "final_test_r2"))
        if metric.kind == "updates":
            chosen = timed(
                frames, chosen, metric.threshold, split=metric.split, metric=metric.curve
            )
    except MissingRunsError as missing:
        why = in_language(Text(str(missing), missing.korean or str(missing)))
        raise UsageError(f"{frames.root}: {why}") from missing
    if chosen.empty:
        split, curve = text(f"split_{metric.split}"), text(f"curve_{metric.curve}")
        raise UsageError(text("error_no_curve", place=frames.root, split=split, curve=curve))
    rows: list[Row] = []
    groups = chosen.groupby(by, observed=True, dropna=False, sort=True) if by else [((), chosen)]
    for values, group in groups:
        where = dict(
            zip(contrast.by, values if isinstance(values, tuple) else (values,), strict=True)
        )
        arms = sorted(group["arm"].unique(), key=lambda arm: str(arm) != reference)
        rows += [_row(frames, group, str(arm), reference, where, others, contrast) for arm in arms]
    found = corrected(
        {str(n): row.verdict for n, row in enumerate(rows) if row.name != "reference"}
    )
    rows = [
        _named(replace(row, verdict=found[str(n)]), metric) if str(n) in found else row
        for n, row in enumerate(rows)
    ]
    num_left_out = len(frames.runs) - len(kept.runs)
    return Contrasted(contrast, reference, tuple(rows), chosen, num_left_out)


def _row(
    frames: Frames,
    group: pd.DataFrame,
    arm: str,
    reference: str,
    where: Mapping[str, Any],
    others: Mapping[str, str],
    contrast: Contrast,
) -> Row:
    metric = metric_of(contrast.metric)
    own = group[group["arm"] == arm]
    first = own.iloc[0]
    made = Row(
        arm=arm,
        where=where,
        rate=float(first["learning_rate"]),
        at_edge=bool(first["at_edge"]),
        tuned={key: first[column] for key, column in others.items()},
        level=_level(own, metric),
        name="reference",
        verdict=Verdict("not decided", ""),
        run_ids=tuple(own["run_id"].astype(str)),
    )
    if arm == reference:
        return made
    try:
        effects = _effects(frames, group, arm, reference, metric)
    except MissingRunsError as missing:
        return replace(made, name="not decided", verdict=Verdict("not decided", f"{missing}."))
    return replace(
        made,
        name="not decided",
        verdict=_judged(effects, contrast, metric),
        failed=failed_seeds(effects),
    )


def _level(own: pd.DataFrame, metric: Metric) -> Interval:
    if metric.kind == "updates":
        return Interval(median_steps(own["steps"], own["censored"]), math.nan, math.nan, len(own))
    return mean_interval(own.loc[own["status"] == "done", metric.kind].astype(float))


def _effects(
    frames: Frames, group: pd.DataFrame, arm: str, reference: str, metric: Metric
) -> pd.DataFrame:
    """Return arm less reference, or their ratio, by seed."""
    if metric.kind != "updates":
        return differences(group, "arm", arm, reference, metric.kind)
    plain = group.drop(columns=["steps", "censored", "threshold"])
    found = ratios(
        frames,
        plain,
        "arm",
        arm,
        reference,
        [metric.threshold],
        split=metric.split,
        metric=metric.curve,
    )
    failed = pairs(group, "arm", arm, reference, "steps")
    return found.merge(failed[["seed", "first_failed", "second_failed"]], on="seed")


def _judged(effects: pd.DataFrame, contrast: Contrast, metric: Metric) -> Verdict:
    """Return the verdict of the rule on whose side the effect lies: above the margin, or below.

    It is supported where the arm differs by more than the margin, refuted where it does not, which
    both rules must show, and else inconclusive.
    """
    margin = contrast.margin
    rule = Rule(
        measure=f"{contrast.metric} of an arm against another",
        says="the arm differs by more than the margin",
        threshold=margin,
        ratio=metric.is_ratio,
        margin=margin,
        censored="bound" if metric.is_ratio else None,
        # a divergence is a time that never came: a bound, and so it stays
        failures="counted" if metric.is_ratio else "apart",
    )
    less = 1 / margin if metric.is_ratio else -margin
    above = judge(Effects(effects), rule)
    below = judge(Effects(effects), replace(rule, threshold=less, claimed_side="below"))
    near, far = (above, below) if above.effect >= (1 if metric.is_ratio else 0) else (below, above)
    if near.name != "refuted":
        return near
    if near.equivalent and far.name == "refuted":
        return replace(near, p_value=max(near.p_value, far.p_value))
    return replace(near, name="inconclusive")


def _named(row: Row, metric: Metric) -> Row:
    verdict = row.verdict
    name: Name = "not decided"
    if verdict.name == "supported":
        is_more = verdict.effect > (1 if metric.is_ratio else 0)
        name = "better" if is_more == metric.higher_is_better else "worse"
    elif verdict.name == "refuted":
        name = "no difference"
    return replace(row, name=name)
