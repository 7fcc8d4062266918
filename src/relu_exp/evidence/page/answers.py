"""Answers: the few numbers that a question asks for.

They are means over seeds with their intervals; of units that are counted one by one, shares.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from relu_exp.core.schema import UsageError
from relu_exp.evidence.claims.arms import at_best_rate, at_fastest_rate, choose, scored, timed
from relu_exp.evidence.claims.probes import layer_factor, probed
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError
from relu_exp.evidence.claims.survival import with_learning
from relu_exp.evidence.claims.topics.dying import layer_means
from relu_exp.evidence.claims.topics.revivals import came_back
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.language import LANGUAGES, current_language, language
from relu_exp.evidence.data.statistics import mean_interval, score
from relu_exp.evidence.data.texts import Text
from relu_exp.evidence.figures.style import levels, plain
from relu_exp.evidence.page.korean import label_en, label_ko
from relu_exp.evidence.page.questions import Question

__all__ = ["MEASURES", "Answer", "Number", "answer"]

SMALLEST_RATIO = 1e-37
"""A smaller ratio has underflowed and is shown as 0."""
_PLACE = re.compile(r"\{([^{}|]+)\|([^{}|]+)\}")
LOSS_THRESHOLD = 0.5
"""The training loss until which updates are counted."""


@dataclass(frozen=True)
class Number:
    """A mean over seeds with its interval, or a share of so many, as people read them.

    And how many runs diverged. `text` is empty where nothing was measured.
    """

    text: str
    interval: str
    num_diverged: int
    mean: float = math.nan


@dataclass(frozen=True)
class Answer:
    """A table of numbers; `rows` and `columns` name its axes, a cell that was not run is None.

    `says` is the question's answer in a line with the numbers of the table, `asked` the rows and
    columns of these; None and nothing where one of them is not there.
    """

    rows: str
    columns: str
    heads: list[str]
    lines: list[tuple[str, list[Number | None]]]
    num_seeds: int
    says: Text | None = None
    asked: frozenset[tuple[str, str]] = frozenset()

    @property
    def names(self) -> list[Text]:
        """The names of the lines; beside normalized networks a plain one has no normalization."""
        names = [name for name, _ in self.lines]
        if any("(normalization=" in name for name in names):
            names = [re.sub(r"MLP$", "MLP (normalization=none)", name) for name in names]
        return [Text(label_en(name), label_ko(name)) for name in names]


def answer(evidence: Evidence, question: Question) -> Answer | None:
    """Return the numbers that answer a question; None where its runs are not there."""
    parts = []
    for name in filter(None, (question.experiment, question.also)):
        try:
            parts.append(_values(evidence[name], question))
        except (MissingRunsError, UsageError):
            if name == question.experiment:
                return None
    values = pd.concat(parts)
    axes = [question.rows, question.columns]
    values = values.dropna(subset=axes)
    if values["value"].isna().all():
        return None
    cells = {
        key: _number(part, question.measure) for key, part in values.groupby(axes, observed=True)
    }
    rows, columns = (levels(values, axis) for axis in axes)
    found = Answer(
        rows=question.rows.removesuffix("_label"),
        columns=question.columns.removesuffix("_label"),
        heads=[_text(column) for column in columns],
        lines=[(_text(row), [cells.get((row, column)) for column in columns]) for row in rows],
        num_seeds=values["seed"].nunique(),
    )
    return _saying(found, question.says) if question.says else found


def _values(frames: Frames, question: Question) -> pd.DataFrame:
    """Return the runs of one experiment with `value` and the axes of the table."""
    runs = choose(frames.runs, **question.keep)
    runs = _with_arm(runs[runs["num_steps"].gt(0) | (question.measure in AT_THE_START)])
    return MEASURES[question.measure](frames, runs, question)


def _saying(found: Answer, says: Text) -> Answer:
    """Return an answer with its line, if the table has every number that it names."""
    asked: set[tuple[str, str]] = set()

    def number(row: str, column: str) -> str:
        cell = dict(found.lines)[row][found.heads.index(column)]
        if cell is None or not cell.text:
            raise KeyError(row)
        asked.add((row, column))
        return cell.text

    def ordered(column: str) -> str:
        at = found.heads.index(column)
        known = [(cell.mean, name) for name, cells in found.lines if (cell := cells[at])]
        label = label_ko if current_language() == "ko" else label_en
        return ", ".join(f"{label(name)} {number(name, column)}" for _, name in sorted(known))

    def named(place: re.Match[str]) -> str:
        row, column = place.groups()
        return ordered(column) if row == "order" else number(row, column)

    texts = {}
    try:
        for name, template in zip(LANGUAGES, says, strict=True):
            with language(name):
                texts[name] = _PLACE.sub(named, template)
    except (KeyError, ValueError):
        return found
    texts["ko"] = texts["ko"].replace("×", "배")
    return replace(found, says=Text(**texts), asked=frozenset(asked))


def _number(part: pd.DataFrame, measure: str) -> Number:
    """Return the mean over seeds; other runs of a cell are averaged within their seed first.

    What is counted, `found` of so many, is the share of all.
    """
    if "found" in part:
        share, of = part["found"].sum() / part["of"].sum(), int(part["of"].sum())
        return Number(_as_share(share), f"n = {of:,}", 0, share)
    in_logs = measure in RATIOS
    values = np.log(part["value"]) if in_logs else part["value"]
    found = mean_interval(values.groupby(part["seed"]).mean().dropna())
    write = _as_ratio if in_logs else _as_count if measure == "updates" else _as_share
    ends = (math.exp(end) if in_logs else end for end in (found.mean, found.low, found.high))
    mean, low, high = ends
    if measure in SHARES:
        low, high = max(low, 0.0), min(high, 1.0)
    interval = f"{write(low)} … {write(high)}" if math.isfinite(low + high) else ""
    num_diverged = int((part["status"] == "diverged").sum()) if "status" in part else 0
    # where all runs diverged nothing was measured: 0% would look like a measurement
    is_measured = values.notna().any() and not (measure == "accuracy" and num_diverged == len(part))
    if not is_measured:
        return Number("", "", num_diverged)
    return Number(write(mean), "" if low == high else interval, num_diverged, mean)


def _as_ratio(value: float) -> str:
    return f"{plain(float(f'{value:.2g}'))}×" if value > SMALLEST_RATIO else "0×"


def _as_share(value: float) -> str:
    return f"{100 * value:.2g}%" if value < 0.995 else "100%"


def _as_count(value: float) -> str:
    return f"{value:.0f}"


def _text(value: object) -> str:
    return plain(float(value)) if isinstance(value, int | float | np.number) else str(value)


def _with_arm(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with `arm`, the names of activation and network together."""
    pairs = zip(runs["activation_label"], runs["network_label"], strict=True)
    return runs.assign(arm=[f"{activation}, {network}" for activation, network in pairs])


# Measures: each returns the runs with `value` --------------------------------------------------


def _signal(frames: Frames, runs: pd.DataFrame, _: Question) -> pd.DataFrame:
    found = layer_factor(probed(frames, runs, "activation_std"), "activation_std", whole=True)
    return found.assign(value=found["effect"])


def _gradient(frames: Frames, runs: pd.DataFrame, _: Question) -> pd.DataFrame:
    name = "activation_grad_norm"
    found = layer_factor(probed(frames, runs, name), name, backward=True, whole=True)
    return found.assign(value=found["effect"])


def _dead(frames: Frames, runs: pd.DataFrame, _: Question) -> pd.DataFrame:
    # in a run that diverges units die of that
    return runs.assign(
        value=layer_means(frames, runs, "dead_fraction").where(runs["status"] != "diverged")
    )


def _dead_of_learners(frames: Frames, runs: pd.DataFrame, question: Question) -> pd.DataFrame:
    found = with_learning(_dead(frames, runs, question))
    return found.assign(value=found["value"].where(found["learns"]))


def _saturated(frames: Frames, runs: pd.DataFrame, _: Question) -> pd.DataFrame:
    return runs.assign(value=layer_means(frames, runs, "saturated_fraction", "first"))


def _accuracy(_: Frames, runs: pd.DataFrame, question: Question) -> pd.DataFrame:
    axes = [question.rows, question.columns]
    best = at_best_rate(scored(runs), _arms(question))
    # of several initializations the best one, chosen by validation too
    best = best.assign(_score=score(best, "final_validation_accuracy"))
    arms = best.groupby(_arms(question), observed=True)["_score"]
    best = best.assign(_mean=arms.transform("mean"))
    top = best.groupby(axes, observed=True)["_mean"].transform("max")
    chosen = best[best["_mean"] == top]
    return chosen.assign(value=chosen["accuracy"])


def _updates(frames: Frames, runs: pd.DataFrame, question: Question) -> pd.DataFrame:
    times = timed(
        frames, at_fastest_rate(frames, runs, _arms(question), LOSS_THRESHOLD), LOSS_THRESHOLD
    )
    return times.assign(value=times["steps"])


def _arms(question: Question) -> list[str]:
    """Return the columns that distinguish a question's arms; each has its own best rate."""
    return list(dict.fromkeys([question.rows, question.columns, "initializer_label"]))


def _revived(frames: Frames, _: pd.DataFrame, question: Question) -> pd.DataFrame:
    counts = came_back(frames, frames.root.name)
    if counts.empty:
        raise MissingRunsError("no unit died")
    return counts.assign(
        value=counts["revived"] / counts["ever"], found=counts["revived"], of=counts["ever"]
    )


MEASURES: Mapping[str, Callable[[Frames, pd.DataFrame, Question], pd.DataFrame]] = {
    "signal": _signal,
    "gradient": _gradient,
    "dead": _dead,
    "dead_of_learners": _dead_of_learners,
    "saturated": _saturated,
    "accuracy": _accuracy,
    "updates": _updates,
    "revived": _revived,
}
"""How each measure is computed; `words.yaml` explains it under `asks_NAME`."""
AT_THE_START: Sequence[str] = ("signal", "gradient", "saturated")
RATIOS: Sequence[str] = ("signal", "gradient")
SHARES: Sequence[str] = ("dead", "dead_of_learners", "saturated", "accuracy", "revived")
