"""Comparison: what changed between two result sets, by their manifests, runs and verdicts."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from relu_exp.core.run_keys import RUN_KEYS
from relu_exp.core.schema import PARTS, UsageError
from relu_exp.evidence.compare.comparison_text import as_text
from relu_exp.evidence.compare.verdict_changes import effects_apart, verdict_changes
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.report.saved_verdicts import read_verdicts
from relu_exp.results.store import Store

__all__ = ["changes", "compare"]

_FINAL = ("final_train_loss", "final_test_loss", "final_test_accuracy")
_LARGEST = ("final_test_accuracy", "final_test_loss")
"""The number whose largest change is named: where runs have no accuracy it is the loss."""
_NONE = "none"
_CONFIGURED = (*PARTS, *RUN_KEYS)

Verdicts = Mapping[str, Mapping[str, Any]]
"""Claim → its row in verdicts.json."""


@dataclass(frozen=True)
class ResultSet:
    """Experiments by name, each with its newest manifest and its runs, and verdicts by claim."""

    root: Path
    manifests: Mapping[str, Mapping[str, Any]]
    runs: Mapping[str, pd.DataFrame]
    verdicts: Verdicts


def compare(before: Path, after: Path, *, as_json: bool = False) -> str:
    """Return what changed from one result set to another, as text or as JSON.

    Each is the folder of one experiment, or of several.

    Raises:
        UsageError: one of them is no result set, is damaged, or they have nothing in common.
    """
    found = changes(before, after)
    if as_json:
        return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return as_text(found)


def changes(before: Path, after: Path) -> dict[str, Any]:
    """Return what changed as plain data; empty lists and mappings where nothing did.

    Raises:
        UsageError: see `compare`.
    """
    roots = _matched(before, after)
    one, other = (_open(root, name) for root, name in roots)
    common = [name for name in one.manifests if name in other.manifests]
    return {
        "before": _size(one),
        "after": _size(other),
        "versions": _version_changes(one, other),
        "experiments_removed": sorted({*one.manifests} - {*other.manifests}),
        "experiments_added": sorted({*other.manifests} - {*one.manifests}),
        "experiments": [
            found
            for name in common
            if (found := {"name": name, **_run_changes(name, one, other)}) != {"name": name}
        ],
        "verdicts": verdict_changes(one.verdicts, other.verdicts),
        "effects_apart": effects_apart(one.verdicts, other.verdicts),
    }


# What is compared ---------------------------------------------------------------------------


def _matched(before: Path, after: Path) -> list[tuple[Path, str | None]]:
    """Return both folders, each with the experiment to compare if it holds several."""
    alone = [_is_experiment(root) for root in (before, after)]
    if alone[0] == alone[1]:
        return [(before, None), (after, None)]
    name = (before if alone[0] else after).resolve().name
    several = after if alone[0] else before
    if not ((several / name).is_dir() and _is_experiment(several / name)):
        raise UsageError(f"{several} holds no {name} to compare with")
    return [
        (root, None if is_alone else name)
        for root, is_alone in zip((before, after), alone, strict=True)
    ]


def _is_experiment(root: Path) -> bool:
    """Return whether a folder holds one experiment, perhaps its manifests only."""
    if not root.is_dir():
        raise UsageError(f"{root} does not exist: `relu-exp run` writes results to results/")
    return any((root / folder).is_dir() for folder in ("parts", "manifests"))


def _open(root: Path, only: str | None) -> ResultSet:
    if _is_experiment(root):
        name = root.resolve().name
        folders = {name: root}
        verdicts: Verdicts = _about(name, read_verdicts(root.resolve().parent))
    else:
        folders = {
            folder.name: folder
            for folder in sorted(root.iterdir())
            if folder.is_dir() and _is_experiment(folder)
        }
        verdicts = read_verdicts(root)
    if only is not None:
        folders, verdicts = {only: folders[only]}, _about(only, verdicts)
    if not folders and not verdicts:
        raise UsageError(f"{root} holds no results: run an experiment first, `relu-exp run`")
    manifests, runs = {}, {}
    for name, folder in folders.items():
        store = Store(folder)
        manifests[name] = store.latest_manifest() or {}
        if store.part_ids():
            runs[name] = Frames.open(folder).runs
    return ResultSet(root, manifests, runs, verdicts)


def _about(name: str, verdicts: Verdicts) -> Verdicts:
    """Return the verdicts that rest on an experiment."""
    return {claim: row for claim, row in verdicts.items() if name in row["experiments"]}


def _size(found: ResultSet) -> dict[str, Any]:
    return {
        "results": str(found.root),
        "experiments": len(found.manifests),
        "runs": sum(len(_asked(name, found)) for name in found.manifests),
        "verdicts": len(found.verdicts),
    }


def _asked(name: str, found: ResultSet) -> dict[str, None]:
    """Return the ids of an experiment's runs: those asked for, or else those that are there."""
    asked = found.manifests[name].get("run_ids")
    ids = found.runs[name]["run_id"] if asked is None and name in found.runs else asked or ()
    return dict.fromkeys(ids)


# Versions -----------------------------------------------------------------------------------


def _version_changes(one: ResultSet, other: ResultSet) -> list[dict[str, Any]]:
    """Return the versions that made the common experiments, where they differ: field, was, is."""
    common = [name for name in one.manifests if name in other.manifests]
    then, now = (_versions(found.manifests[name] for name in common) for found in (one, other))
    return [
        {"field": field, "was": then.get(field, []), "is": now.get(field, [])}
        for field in {**then, **now}
        if then.get(field) != now.get(field)
    ]


def _versions(manifests: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for manifest in manifests:
        dirty = " with uncommitted changes" if manifest.get("dirty") else ""
        fields = {
            "commit": f"{(manifest.get('commit') or 'unknown')[:12]}{dirty}",
            "budget": manifest.get("budget") or "none",
            "device": manifest.get("device", "unknown"),
            "machine": ", ".join(map(str, (manifest.get("machine") or {}).values())),
            "python": manifest.get("python", "unknown"),
            "schema version": str(manifest.get("schema_version", "unknown")),
            **(manifest.get("fingerprint") or {}),
            **(manifest.get("packages") or {}),
        }
        for field, value in fields.items():
            found.setdefault(field, set()).add(value)
    return {field: sorted(values) for field, values in found.items()}


# Runs ---------------------------------------------------------------------------------------


def _run_changes(name: str, one: ResultSet, other: ResultSet) -> dict[str, Any]:
    """Return what changed of one experiment: runs, values of axes, endings and final numbers."""
    then, now = _asked(name, one), _asked(name, other)
    found: dict[str, Any] = {}
    if then.keys() != now.keys():
        found["runs"] = {
            "was": len(then),
            "is": len(now),
            "added": len(now.keys() - then.keys()),
            "removed": len(then.keys() - now.keys()),
        }
        found["axes"] = _axis_changes(_values(name, one), _values(name, other))
    if name in one.runs and name in other.runs:
        found |= _outcome_changes(one.runs[name], other.runs[name])
    return found


def _values(name: str, found: ResultSet) -> dict[str, list[str]]:
    """Return the values of everything configured, in the order of the sweep."""
    if name not in found.runs:
        return {
            axis: list(labels) for axis, labels in (found.manifests[name].get("axes") or {}).items()
        }
    runs = found.runs[name]
    found_values = {}
    for column in map(str, runs):
        if column in _CONFIGURED or _is_setting(column):
            shown = dict.fromkeys(map(_shown, runs[column].drop_duplicates()))
            # a setting that is missing belongs to another choice of its group
            found_values[column] = [v for v in shown if v != _NONE or column in _CONFIGURED]
    return found_values


def _is_setting(column: str) -> bool:
    return column.partition(".")[0] in PARTS and "." in column


def _shown(value: object) -> str:
    if (isinstance(value, float) and math.isnan(value)) or value is pd.NA or value is None:
        return _NONE
    return f"{value:g}" if isinstance(value, float) else str(value)


def _axis_changes(
    then: Mapping[str, Sequence[str]], now: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    found = []
    for axis in {**then, **now}:
        was, is_ = then.get(axis, []), now.get(axis, [])
        added = [value for value in is_ if value not in was]
        removed = [value for value in was if value not in is_]
        if added or removed:
            found.append({"axis": axis, "added": added, "removed": removed})
    return found


def _outcome_changes(then: pd.DataFrame, now: pd.DataFrame) -> dict[str, Any]:
    """Return how the status of common runs changed, and how many have other final numbers."""
    both = then.merge(now, on="run_id", suffixes=("_was", "_is"))
    found: dict[str, Any] = {}
    ended = both[both["status_was"] != both["status_is"]]
    if len(ended):
        pairs = Counter(zip(ended["status_was"], ended["status_is"], strict=True))
        found["endings"] = [
            {"was": was, "is": is_, "runs": number} for (was, is_), number in pairs.most_common()
        ]
    columns = [column for column in _FINAL if f"{column}_was" in both]
    apart = {column: (both[f"{column}_was"] - both[f"{column}_is"]).abs() for column in columns}
    moved = pd.DataFrame(apart).gt(0).any(axis=1)
    if moved.any():
        found["numbers"] = {"common": len(both), "changed": int(moved.sum())}
        # a difference of infinite losses is none
        largest = {name: apart[name].max() for name in _LARGEST if apart[name].notna().any()}
        for name, value in islice(largest.items(), 1):
            found["numbers"][f"largest_change_of_{name.removeprefix('final_')}"] = float(value)
    return found
