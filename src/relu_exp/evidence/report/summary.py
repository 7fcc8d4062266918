"""The words and tables of a report: what was run, how it ended, which arms were best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pandas as pd

from relu_exp.core.lines import last_line
from relu_exp.core.run_keys import keys_about
from relu_exp.core.schema import TABLES
from relu_exp.evidence.claims.korean import change_in_korean, data_note_in_korean
from relu_exp.evidence.data.commands import run_again, seeds
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.labels import axis_name
from relu_exp.evidence.data.language import in_language
from relu_exp.evidence.data.regressions import is_regression, regression_text
from relu_exp.evidence.data.statistics import best_learning_rates, goodness
from relu_exp.evidence.data.texts import Text
from relu_exp.evidence.report.measured import Measured, measured_of, percent, words_of
from relu_exp.evidence.report.words import text

__all__ = [
    "Session",
    "Table",
    "best_results",
    "endings",
    "failures",
    "remarks",
    "run_counts",
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
MOST_REASONS = 10
"""Reasons for which runs failed that are listed; the others are counted."""
ROW_AXES = (
    "activation_label",
    "network_label",
    "dataset_label",
    *keys_about("network", "computing"),
)
"""What makes a row of the table of best arms, where it differs; the activation always does."""
MOST_ROWS = 500
"""Rows of the table of best arms."""
MOST_STUDIED = 5000
"""Rows of a table that a study made."""
MOST_RATES = 50
"""Learning rates that a sentence names."""
MOST_SESSIONS = 200
"""Commands that a report names, the newest of them."""
MOST_CHARACTERS = 300
"""Of the reason of a failure in a report; the table `runs` holds all of it."""


@dataclass(frozen=True)
class Table:
    """A table of text: the headings of its columns, rows of as many cells, and a footnote."""

    columns: list[str]
    rows: list[list[str]]
    note: str = ""

    def as_dicts(self) -> list[dict[str, str]]:
        """Return each row as heading → cell."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Session:
    """One command that made some of the runs, with its manifest (empty where that is lost).

    `command` is as it is pasted into a shell in the current folder.
    """

    name: str
    num_runs: int
    manifest: Mapping[str, Any]
    command: str


def endings(frames: Frames, *, brief: bool = False) -> str:
    """Return how the runs ended, as sentences for a reader; brief ones for a list."""
    if frames.runs.empty and frames.studies:
        return text("nothing_trained")
    runs, counts = frames.runs, Counter(frames.runs["status"])
    asked = len(runs) + frames.num_missing
    sentences = [text("asked", n=asked)]
    if counts["done"] == asked:
        sentences.append(text("all_finished", n=asked))
    else:
        sentences.append(text("finished", n=counts["done"]))
    if counts["diverged"]:
        sentences.append(text("diverged", n=counts["diverged"]))
    if counts["diverged"] and not brief:
        rates = Counter(runs.loc[runs["status"] == "diverged", "learning_rate"])
        words = [text("at_rate", n=n, rate=f"{rate:g}") for rate, n in sorted(rates.items())]
        if len(words) > MOST_RATES:
            words[MOST_RATES:] = [text("at_other_rates", n=len(words) - MOST_RATES)]
        by_rate = regression_text if is_regression(runs).all() else text
        sentences.append(by_rate("by_rate", where=", ".join(words)))
    if brief and (stale := {run_id for ids in frames.stale.values() for run_id in ids}):
        sentences.append(text("are_stale", n=len(stale)))
    sentences += [text(key, n=counts[key]) for key in ("failed", "interrupted") if counts[key]]
    if frames.num_missing:
        sentences.append(text("not_run_yet", n=frames.num_missing))
    return " ".join(sentences)


def failures(frames: Frames) -> list[str]:
    """Return why runs failed, each reason once with the number of runs, the most frequent first."""
    errors = frames.runs.loc[frames.runs["status"] == "failed", "error"].fillna("")
    reasons = Counter(map(_reason, errors))
    shown = reasons.most_common(MOST_REASONS)
    lines = [text("reason", reason=each, runs=text("counted_runs", n=n)) for each, n in shown]
    if more := reasons.total() - sum(n for _, n in shown):
        others = len(reasons) - len(shown)
        lines.append(text("other_reasons", n=others, runs=text("counted_runs", n=more)))
    return lines


def _reason(error: object) -> str:
    """Return the last line of an error, the beginning of a very long one."""
    return _cut(last_line(error, otherwise=text("no_reason")))


def _cut(line: str) -> str:
    if len(line) <= MOST_CHARACTERS:
        return line
    return text("cut", line=line[:MOST_CHARACTERS], n=len(line))


def remarks(frames: Frames, num_seeds: int | None = None) -> list[str]:
    """Return what a reader must know before trusting the figures, in one line each.

    `num_seeds` is the largest number of seeds behind a figure; None where nothing was drawn.
    """
    lines = []
    # of an inspection there is one network, whatever the seed
    if num_seeds == 1 and not frames.manifest.get("is_inspection"):
        again = run_again(
            frames.root, frames.manifest, seeds(int(frames.runs["seed"].min()), 5), leave="seed="
        )
        lines.append(text("one_seed", command=again))
    if frames.num_missing:
        lines.append(text("missing", n=frames.num_missing))
    lines += _stale(frames)
    if not frames.runs.empty:
        num_rows = frames.runs.groupby(_row_axes(frames.runs), observed=True, dropna=False).ngroups
        if num_rows > MOST_ROWS:
            lines.append(text("first_rows", shown=MOST_ROWS, n=num_rows))
    num_sessions = frames.runs["session"].nunique(dropna=False)
    if num_sessions > MOST_SESSIONS:
        lines.append(text("newest_commands", shown=MOST_SESSIONS, n=num_sessions))
    lines += [
        text("first_studied", name=name.lower(), n=MOST_STUDIED)
        for name, table in studies(frames)
        if len(table.rows) == MOST_STUDIED
    ]
    lines += [text("run_failed", reason=reason) for reason in failures(frames)]
    notes = [note for s in sessions(frames) for note in s.manifest.get("data_notes") or ()]
    said = (in_language(Text(note, data_note_in_korean(note))) for note in notes)
    lines += dict.fromkeys(text("about_data", note=note) for note in said)
    dirty = [s for s in sessions(frames) if s.manifest.get("dirty")]
    if dirty:
        lines.append(text("made_dirty"))
    return lines


def _stale(frames: Frames) -> list[str]:
    """Return which runs the newest command found stale, and kept, by what has changed."""
    lines, again = [], run_again(frames.root, frames.manifest, "--stale", "rerun")
    for reason, run_ids in islice(frames.stale.items(), MOST_REASONS):
        runs = frames.runs[frames.runs["run_id"].isin(run_ids)]
        names = ", ".join(runs["activation_label"].astype(str).unique())
        counts = {"n": len(runs), "total": len(frames.runs)}
        said = _cut(in_language(Text(reason, change_in_korean(reason))))
        lines.append(text("stale", **counts, names=names, reason=said, command=again))
    if more := len(frames.stale) - len(lines):
        lines.append(text("stale_for_others", n=more))
    return lines


def best_results(frames: Frames, by: Sequence[str] | None = None) -> Table:
    """Return a row per activation, depth and whatever else makes a row: its best arm.

    The best arm is chosen by mean validation accuracy over seeds, among all that was tried for the
    row; its test accuracy is read once, with its interval. Where a row predicts numbers it is the
    loss, and R² stands beside it. Every column is about the n runs of that
    arm, and every setting that was chosen has a column. `by` replaces the columns that make a row.
    Of an experiment that trains nothing it is the table of `run_counts`.
    """
    runs = frames.runs
    if runs.empty or runs["num_steps"].max() == 0:
        return run_counts(frames, by)
    by = list(by) if by is not None else _row_axes(runs)
    chosen, best = _chosen_settings(runs, by), _best_arms(runs, by)
    dead, learned = _dead_at_end(frames, best.values()), _learned_at_end(frames, best.values())
    columns = [axis_name(axis) for axis in by]
    measured = measured_of(best.values())
    columns += [metric.heading for metric in measured]
    columns += [text(f"column_{name}") for name in ("n", "diverged")]
    columns += chosen.values()
    columns += [text("column_dead")] if len(dead) else []
    columns += map(_learned_words, learned)
    rows = []
    for key, _ in _groups(runs, by):
        row = [*map(_cell, key)]
        if key in best:
            arm = best[key]
            row += [metric.cell(arm) for metric in measured]
            row += [f"{len(arm)}", str(Counter(arm["status"])["diverged"])]
            row += [_setting(arm, column) for column in chosen]
            row += [_share(dead.reindex(arm["run_id"]), len(arm))] if len(dead) else []
            row += [_span(layers, arm["run_id"]) for layers in learned.values()]
        rows.append([*row, *["—"] * (len(columns) - len(row))])
    tuned = [heading for column, heading in chosen.items() if _is_tuned(runs, by, column)]
    has_edge = any(arm["at_edge"].iloc[0] for arm in best.values())
    note = _how_chosen(measured, tuned, has_edge, len(dead) > 0, list(learned))
    return Table(columns, rows, note)


def run_counts(frames: Frames, by: Sequence[str] | None = None) -> Table:
    """Return how many runs each row of `best_results` was chosen from, and how they ended."""
    runs = frames.runs
    if runs.empty:
        return Table([], [])
    by = list(by) if by is not None else _row_axes(runs)
    rows = [[*map(_cell, key), *_status_cells(group)] for key, group in _groups(runs, by)]
    columns = [axis_name(axis) for axis in by]
    columns += [text(f"column_{name}") for name in ("runs", "done", "diverged", "failed")]
    return Table(columns, rows)


def _row_axes(runs: pd.DataFrame) -> list[str]:
    first, *optional = ROW_AXES
    return [first, *(axis for axis in optional if runs[axis].nunique(dropna=False) > 1)]


def _groups(runs: pd.DataFrame, by: Sequence[str]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield the key and the runs of each row, in order."""
    groups = runs.groupby(list(by), observed=True, dropna=False, sort=True)
    for key, group in islice(groups, MOST_ROWS):
        yield (key if isinstance(key, tuple) else (key,)), group


def _status_cells(group: pd.DataFrame) -> list[str]:
    counts = Counter(group["status"])
    lost = counts["failed"] + counts["interrupted"]
    return [f"{n:,}" for n in (len(group), counts["done"], counts["diverged"], lost)]


def _chosen_settings(runs: pd.DataFrame, by: Sequence[str]) -> dict[str, str]:
    """Return what is chosen for a row: column of `runs` → heading.

    Besides learning rate and initializer these are the settings that differ between runs and make
    no row. The settings of a single optimizer have a column each.
    """
    found = {name: axis_name(name) for name in ("learning_rate", "initializer_label")}
    for axis in ARM:
        if axis in (*by, *found) or runs[axis].nunique(dropna=False) == 1:
            continue
        if axis == "optimizer_label" and runs["optimizer"].nunique() == 1:
            settings = [column for column in runs if str(column).startswith("optimizer.")]
            varying = [column for column in settings if runs[column].nunique(dropna=False) > 1]
            found |= {str(key): _words(str(key).partition(".")[2]) for key in varying}
        else:
            found[axis] = axis_name(axis)
    return {column: heading for column, heading in found.items() if column not in by}


def _is_tuned(runs: pd.DataFrame, by: Sequence[str], column: str) -> bool:
    """Return whether more than one value of a setting was tried for some row."""
    return any(group[column].nunique(dropna=False) > 1 for _, group in _groups(runs, by))


def _how_chosen(
    measured: Sequence[Measured],
    tuned: Sequence[str],
    has_edge: bool,
    has_dead: bool,
    learned: Sequence[str],
) -> str:
    """Return the sentences below the table of best results; `tuned` are the headings tried."""
    names = [name if name[-1] == "s" else text("several", name=name) for name in tuned] or [""]
    *most, last = names
    tried = text("and_last", most=", ".join(most), last=last) if most else last
    sentences = [
        words("best_of", tried=tried) if tried else words("nothing_tuned")
        for words in words_of(measured)
    ]
    sentences += [words("about_columns") for words in words_of(measured)[:1]]
    if regression_text in words_of(measured):
        sentences.append(regression_text("about_loss"))
    if has_dead:
        sentences.append(text("about_dead"))
    if learned:
        words = ", ".join(map(_learned_words, learned))
        sentences.append(text("about_learned", names=words.capitalize()))
    if has_edge:
        sentences.append(text("at_edge"))
    return " ".join(sentences)


def _setting(arm: pd.DataFrame, column: str) -> str:
    value = arm[column].iloc[0]
    if column == "learning_rate":
        return f"{value:g}{'*' if arm['at_edge'].iloc[0] else ''}"
    return f"{value:g}" if isinstance(value, float) and value == value else _cell(value)


def _best_arms(runs: pd.DataFrame, by: Sequence[str]) -> dict[Any, pd.DataFrame]:
    """Return, for each row, the scored runs of its best arm at that arm's best learning rate."""
    rates = best_learning_rates(runs, ARM)
    order = rates.sort_values("validation", ascending=False, kind="stable")
    chosen = order.drop_duplicates(list(by))
    merged = runs.merge(
        chosen[[*ARM, "learning_rate", "at_edge"]], on=[*ARM, "learning_rate"], how="inner"
    )
    scored = merged[goodness(merged).notna()]
    # runs that were only measured otherwise are one training, not more seeds
    return dict(_groups(scored.drop_duplicates([*ARM, "seed"]), by))


def _dead_at_end(frames: Frames, arms: Iterable[pd.DataFrame]) -> pd.Series[float]:
    """Return the share of dead units over all layers at each run's last probe, if any was made."""
    run_ids = [run_id for arm in arms for run_id in arm["run_id"]]
    dead = frames.read("layers", run_ids=run_ids, steps="last", quantity=["dead_fraction"])
    dead = dead[dead["step"] > 0] if len(dead) else dead
    return dead.groupby(dead["run_id"].astype(str))["value"].mean()


def _learned_at_end(
    frames: Frames, arms: Iterable[pd.DataFrame]
) -> dict[str, dict[str, list[float]]]:
    """Return, for each parameter that activations learned, the layers' values by run.

    They are those of a run's last probe.
    """
    run_ids = [run_id for arm in arms for run_id in arm["run_id"]]
    last = frames.read("layers", run_ids=run_ids, steps="last")
    found: dict[str, dict[str, list[float]]] = {}
    for run_id, quantity, value in last[["run_id", "quantity", "value"]].itertuples(index=False):
        if quantity.startswith("learned_") and not quantity.endswith(("_minimum", "_maximum")):
            found.setdefault(quantity, {}).setdefault(str(run_id), []).append(value)
    return found


def _span(layers: Mapping[str, Sequence[float]], run_ids: Iterable[str]) -> str:
    """Return the mean over the runs' layers with the smallest and largest."""
    values = [value for run_id in run_ids for value in layers.get(run_id, ())]
    if not values:
        return "—"
    return f"{sum(values) / len(values):.3g} ({min(values):.3g} … {max(values):.3g})"


def _share(shares: pd.Series[float], n: int) -> str:
    """Return the mean of the n runs' shares; of fewer runs it says of how many."""
    known = shares.dropna()
    if known.empty:
        return "—"
    return percent(float(known.mean())) + (f" (n = {len(known)})" if len(known) < n else "")


def sessions(frames: Frames) -> list[Session]:
    """Return the commands that made the runs, oldest first; of very many the newest."""
    counts = Counter(frames.runs["session"].fillna("unknown"))
    if not counts and frames.manifest:
        return [_session(frames, str(frames.manifest.get("session")), 0, frames.manifest)]
    newest = sorted(counts.items())[-MOST_SESSIONS:]
    return [_session(frames, name, n, frames.store.manifest_of(name)) for name, n in newest]


def _session(frames: Frames, name: str, n: int, manifest: Mapping[str, Any]) -> Session:
    command = run_again(frames.root, manifest) if manifest.get("command") else "unknown"
    return Session(name, n, manifest, command)


def studies(frames: Frames) -> list[tuple[str, Table]]:
    """Return a heading and a table for each kind of rows that studies made."""
    found = []
    # a manifest may name the part of a fleet: rows of runs are none of a study
    tables = {name: columns for name, columns in TABLES.items() if "run_id" not in columns}
    for name, columns in tables.items() if frames.studies else ():
        rows = frames.studied(name)
        if len(rows):
            first = rows.head(MOST_STUDIED).itertuples(index=False)
            cells = [[_shown(value) for value in row] for row in first]
            found.append((_study(name), Table(list(columns), cells)))
    return found


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return text("yes" if value else "no")
    return f"{value:.6g}" if isinstance(value, float) and value == value else _cell(value)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _learned_words(quantity: str) -> str:
    return text("column_learned", name=_words(quantity.removeprefix("learned_")))


def _study(table: str) -> str:
    key = f"study_{table}"
    return text(key) if key in text else table.capitalize()


def _cell(value: object) -> str:
    return "—" if pd.isna(value) else str(value)  # type: ignore[call-overload]
