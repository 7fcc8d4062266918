"""The comparison of two result sets in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from relu_exp.core.naming import printable

__all__ = ["as_text"]

_MOST_VALUES = 8


def as_text(found: Mapping[str, Any]) -> str:
    """Return what `comparison.changes` found, as lines for a reader."""
    lines = [
        f"{'before' if side == 'before' else 'after':8}{_size(found[side])}"
        for side in ("before", "after")
    ]
    changed = [line for part in (_made, _experiments, _verdicts, _effects) for line in part(found)]
    lines += changed or ["", "The same: configurations, versions, final numbers and verdicts."]
    return "".join(f"{printable(line)}\n" for line in lines)


def _size(side: Mapping[str, Any]) -> str:
    counts = [
        f"{side[key]:,} {key if side[key] != 1 else key[:-1]}"
        for key in ("experiments", "runs", "verdicts")
    ]
    return f"{side['results']}: {', '.join(counts)}"


def _made(found: Mapping[str, Any]) -> Iterator[str]:
    if found["versions"]:
        yield from ("", "Made by")
    for change in found["versions"]:
        was, is_ = (_listed(change[side]) or "nothing" for side in ("was", "is"))
        yield f"  {change['field']}: {was} → {is_}"


def _experiments(found: Mapping[str, Any]) -> Iterator[str]:
    for side in ("removed", "added"):
        if names := found[f"experiments_{side}"]:
            yield from ("", f"Experiments {side}: {', '.join(names)}")
    for experiment in found["experiments"]:
        yield from ("", f"Experiment {experiment['name']}")
        yield from (f"  {line}" for line in _experiment(experiment))


def _experiment(changed: Mapping[str, Any]) -> Iterator[str]:
    if runs := changed.get("runs"):
        yield (
            f"runs: {runs['was']:,} → {runs['is']:,} ({runs['added']:,} added, "
            f"{runs['removed']:,} removed)"
        )
    for axis in changed.get("axes", ()):
        words = [f"{side} {_listed(axis[side])}" for side in ("added", "removed") if axis[side]]
        yield f"{axis['axis']}: {'; '.join(words)}"
    for ending in changed.get("endings", ()):
        yield f"ended otherwise: {ending['runs']:,} {ending['was']} → {ending['is']}"
    if numbers := changed.get("numbers"):
        largest = "".join(
            f", {key.removeprefix('largest_change_of_').replace('_', ' ')} by {value:.3g} at most"
            for key, value in numbers.items()
            if key.startswith("largest_change_of_")
        )
        yield (
            f"final numbers: other in {numbers['changed']:,} of {numbers['common']:,} common runs"
            f"{largest}"
        )


def _listed(values: Sequence[str]) -> str:
    shown = ", ".join(values[:_MOST_VALUES])
    more = len(values) - _MOST_VALUES
    return f"{shown} and {more:,} more" if more > 0 else shown


def _verdicts(found: Mapping[str, Any]) -> Iterator[str]:
    if changed := found["verdicts"]:
        yield from ("", f"Verdicts: {len(changed)} of {_num_claims(found)} changed")
    for change in found["verdicts"]:
        was, is_ = change["was"], change["is"]
        yield f"  {change['claim']}: {was['verdict']} → {is_['verdict']}"
        yield f"    {change['statement']}"
        if effects := _moved(change):
            yield f"    {effects}"


def _num_claims(found: Mapping[str, Any]) -> int:
    return max(int(found["before"]["verdicts"]), int(found["after"]["verdicts"]))


def _effects(found: Mapping[str, Any]) -> Iterator[str]:
    if found["effects_apart"]:
        yield from ("", "Effects whose 95% intervals do not overlap")
    for change in found["effects_apart"]:
        yield f"  {change['claim']}: {_moved(change)}"


def _moved(change: Mapping[str, Any]) -> str:
    """Return an effect before and after, with interval and seeds; nothing for an exact claim."""
    if change["was"]["effect"] is None and change["is"]["effect"] is None:
        return ""
    was, is_ = (_effect(change[side], change["unit"]) for side in ("was", "is"))
    claimed = (
        f"; threshold {change['threshold']:.3g}{change['unit']}" if change["threshold"] else ""
    )
    return f"effect {was} → {is_}{claimed}"


def _effect(side: Mapping[str, Any], unit: str) -> str:
    if side["effect"] is None:
        return "none"
    text = f"{side['effect']:.3g}{unit}"
    if side["low"] is not None and side["high"] is not None:
        text += f" [{side['low']:.3g}, {side['high']:.3g}]"
    return f"{text} ({side['seeds']} seed{'' if side['seeds'] == 1 else 's'})"
