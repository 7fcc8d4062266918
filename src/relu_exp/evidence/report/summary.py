"""The words and tables of a report: what was run, how it ended, which arms were best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from relu_exp.core.run_keys import RUN_KEYS, keys_about
from relu_exp.core.schema import TABLES
from relu_exp.evidence.data.commands import run_again
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.statistics import Interval, best_learning_rates, mean_interval, score

__all__ = [
    "Session",
    "Table",
    "best_results",
    "endings",
    "failures",
    "remarks",
    "sessions",
    "studies",
]

ARM = [
    "activation_label",
    "initializer_label",
    "network_label",
    "dataset_label",
    "optimizer_label",
    *(name for name in keys_about("network", "training", "computing") if name != "learning_rate"),
]
"""All that tells one arm of a sweep from another, besides the learning rate."""
HEADINGS = {
    "activation_label": "activation",
    "network_label": "network",
    "dataset_label": "data",
    **{name: RUN_KEYS[name].label for name in keys_about("network", "computing")},
}


@dataclass(frozen=True)
class Table:
    """A table of text: the headings of its columns, and rows of as many cells."""

    columns: list[str]
    rows: list[list[str]]

    def as_dicts(self) -> list[dict[str, str]]:
        """Return each row as heading → cell."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Session:
    """One command that made some of the runs, with its manifest (empty where that is lost)."""

    name: str
    num_runs: int
    manifest: Mapping[str, Any]


def endings(frames: Frames, *, brief: bool = False) -> str:
    """Return how the runs ended, as sentences for a reader; brief ones for a list."""
    if frames.runs.empty and frames.studies:
        return "Nothing was trained: it was computed."
    runs, counts = frames.runs, Counter(frames.runs["status"])
    asked = len(runs) + frames.num_missing
    sentences = [f"{asked:,} {plural(asked, 'run')} {'was' if asked == 1 else 'were'} asked for."]
    if counts["done"] == asked:
        sentences.append("All of them finished." if asked > 1 else "It finished.")
    else:
        sentences.append(f"{counts['done']:,} finished.")
    if counts["diverged"]:
        sentences.append(f"{counts['diverged']:,} diverged.")
    if counts["diverged"] and not brief:
        rates = Counter(runs.loc[runs["status"] == "diverged", "learning_rate"])
        where = ", ".join(f"{n} at {rate:g}" for rate, n in sorted(rates.items()))
        sentences.append(
            f"By learning rate: {where}. A run diverges when its loss is no longer a finite "
            "number; it counts as accuracy 0 and as a threshold never reached."
        )
    if counts["failed"]:
        sentences.append(f"{counts['failed']:,} failed with an error and are in no figure.")
    if counts["interrupted"]:
        sentences.append(
            f"{counts['interrupted']:,} were interrupted; what they measured is shown."
        )
    if frames.num_missing:
        sentences.append(
            f"{frames.num_missing:,} have not been run yet: run the same command to continue."
        )
    return " ".join(sentences)


def failures(frames: Frames) -> list[str]:
    """Return why runs failed, each reason once with the number of runs, the most frequent first."""
    errors = frames.runs.loc[frames.runs["status"] == "failed", "error"].fillna("no reason given")
    reasons = Counter(
        (str(text).strip().splitlines() or ["no reason given"])[-1] for text in errors
    )
    return [f"{reason} ({n} {plural(n, 'run')})" for reason, n in reasons.most_common(10)]


def remarks(frames: Frames, num_seeds: int | None = None) -> list[str]:
    """Return what a reader must know before trusting the figures, in one line each.

    `num_seeds` is the largest number of seeds behind a figure; None where nothing was drawn.
    """
    lines = []
    if num_seeds == 1:
        again = run_again(frames.root, frames.manifest, "seed=range(5)", leave="seed=")
        lines.append(
            "Only one seed was run: every point is a single run, and no figure has an interval. "
            f"For intervals: {again}"
        )
    if frames.num_missing:
        lines.append(
            f"{frames.num_missing:,} of the runs asked for are missing: these results are partial."
        )
    lines += [f"Runs failed: {reason}" for reason in failures(frames)]
    dirty = [s for s in sessions(frames) if s.manifest.get("dirty")]
    if dirty:
        lines.append("Made with uncommitted changes: the commit alone does not reproduce it.")
    return lines


def best_results(frames: Frames, by: Sequence[str] | None = None) -> Table:
    """Return a row per activation and depth: how its runs ended and its best arm.

    The best arm is chosen by mean validation accuracy over seeds, among all learning rates and
    initializers; its test accuracy is read once, with its interval. `by` replaces the columns that
    make a row.
    """
    runs = frames.runs
    if runs.empty:
        return Table([], [])
    by = list(by) if by is not None else _row_axes(runs)
    if runs["num_steps"].max() == 0:
        return _counts(runs, by)
    best = _best_arms(runs, by)
    dead = _dead_at_end(frames)
    columns = [HEADINGS[axis] for axis in by]
    columns += ["runs", "done", "diverged", "failed", "validation", "test (95% interval)", "n"]
    columns += ["learning rate", "initializer", *(["dead units"] if len(dead) else [])]
    rows = []
    for key, group in runs.groupby(by, observed=True, dropna=False, sort=True):
        key = key if isinstance(key, tuple) else (key,)
        row = [*map(_cell, key), *_status_cells(group)]
        if key in best:
            arm = best[key]
            test = mean_interval(score(arm, "final_test_accuracy"))
            validation = mean_interval(score(arm, "final_validation_accuracy"))
            star = "*" if arm["at_edge"].iloc[0] else ""
            row += [percent(validation.mean), _interval(test)]
            row += [str(test.n), f"{arm['learning_rate'].iloc[0]:g}{star}"]
            row.append(str(arm["initializer_label"].iloc[0]))
        else:
            row += ["—"] * 5
        if len(dead):
            share = dead.reindex(group["run_id"]).dropna()
            row.append(percent(float(share.mean())) if len(share) else "—")
        rows.append(row)
    return Table(columns, rows)


def _row_axes(runs: pd.DataFrame) -> list[str]:
    first, *optional = HEADINGS
    return [first, *(axis for axis in optional if runs[axis].nunique(dropna=False) > 1)]


def _counts(runs: pd.DataFrame, by: Sequence[str]) -> Table:
    """Return the table of an experiment that trains nothing: numbers of runs only."""
    groups = runs.groupby(list(by), observed=True, dropna=False, sort=True)
    rows = [
        [*map(_cell, key if isinstance(key, tuple) else (key,)), *_status_cells(group)]
        for key, group in groups
    ]
    return Table([*(HEADINGS[axis] for axis in by), "runs", "done", "diverged", "failed"], rows)


def _status_cells(group: pd.DataFrame) -> list[str]:
    counts = Counter(group["status"])
    lost = counts["failed"] + counts["interrupted"]
    return [f"{n:,}" for n in (len(group), counts["done"], counts["diverged"], lost)]


def _best_arms(runs: pd.DataFrame, by: Sequence[str]) -> dict[Any, pd.DataFrame]:
    """Return, for each row, the runs of its best arm at that arm's best learning rate."""
    rates = best_learning_rates(runs, ARM)
    order = rates.sort_values("validation", ascending=False, kind="stable")
    chosen = order.drop_duplicates(list(by))
    merged = runs.merge(
        chosen[[*ARM, "learning_rate", "at_edge"]], on=[*ARM, "learning_rate"], how="inner"
    )
    groups = merged.groupby(list(by), observed=True, dropna=False, sort=True)
    return {key if isinstance(key, tuple) else (key,): group for key, group in groups}


def _dead_at_end(frames: Frames) -> pd.Series[float]:
    """Return the share of dead units over all layers at each run's last probe, if any was made."""
    trained = frames.runs.loc[frames.runs["num_steps"] > 0, "run_id"]
    dead = frames.read("layers", run_ids=trained, steps="last", quantity=["dead_fraction"])
    dead = dead[dead["step"] > 0] if len(dead) else dead
    return dead.groupby(dead["run_id"].astype(str))["value"].mean()


def sessions(frames: Frames) -> list[Session]:
    """Return the commands that made the runs, oldest first."""
    counts = Counter(frames.runs["session"].fillna("unknown"))
    if not counts and frames.manifest:
        return [Session(str(frames.manifest.get("session")), 0, frames.manifest)]
    return [Session(name, n, frames.store.manifest_of(name)) for name, n in sorted(counts.items())]


def studies(frames: Frames) -> list[tuple[str, Table]]:
    """Return a heading and a table for each kind of rows that studies made."""
    found = []
    for name, columns in TABLES.items() if frames.studies else ():
        rows = frames.studied(name)
        if len(rows):
            cells = [[_shown(value) for value in row] for row in rows.itertuples(index=False)]
            found.append((name.capitalize(), Table(list(columns), cells)))
    return found


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) and value == value else _cell(value)


def plural(n: int, word: str) -> str:
    """Return a word in the number that `n` asks for."""
    return word if n == 1 else f"{word}s"


def percent(share: float) -> str:
    """Return a share as a percentage with one decimal, or a dash where there is none."""
    return "—" if pd.isna(share) else f"{share:.1%}"


def _interval(test: Interval) -> str:
    if test.n < 3:
        return percent(test.mean)
    # an accuracy lies between 0 and 1, whatever Student's t says
    return f"{percent(test.mean)} ({max(test.low, 0):.1%} … {min(test.high, 1):.1%})"


def _cell(value: object) -> str:
    return "—" if pd.isna(value) else str(value)  # type: ignore[call-overload]
