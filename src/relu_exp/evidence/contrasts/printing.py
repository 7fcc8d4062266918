"""A contrast of a folder's results as it is asked for in words, and as it is printed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from relu_exp.core.contrasts import Contrast, contrast_of
from relu_exp.core.naming import nearest
from relu_exp.core.schema import UsageError
from relu_exp.evidence.contrasts.asked import asked, by_default, default_metric, settings_of
from relu_exp.evidence.contrasts.contrast import Contrasted, contrasted
from relu_exp.evidence.contrasts.table import FORMATS
from relu_exp.evidence.data.frames import Frames, find_results
from relu_exp.evidence.data.language import language as writing_in

__all__ = ["contrast_in", "printed"]


def printed(results: Path, given: Mapping[str, Any], format: str, language: str) -> str:
    """Return a contrast of the results of one experiment in a format and a language.

    Raises:
        UsageError: the results cannot be read or compared so, or there is no such format.
    """
    if format not in FORMATS:
        raise UsageError(
            f"--format {format} is not valid{nearest(format, FORMATS)}; valid: {', '.join(FORMATS)}"
        )
    folders = find_results(results)
    if folders != [results]:
        names = ", ".join(folder.name for folder in folders[:12])
        raise UsageError(f"{results} holds several experiments: name one of {names}")
    with writing_in(language):
        found, origin = contrast_in(Frames.open(results), given)
        return FORMATS[format](found, origin)


def contrast_in(frames: Frames, given: Mapping[str, Any]) -> tuple[Contrasted, str]:
    """Return a contrast of results, and who chose it: a key of the words of contrasts.

    What `given` leaves out is what the experiment states, or else what a report would choose.
    Lists may be written with commas.

    Raises:
        UsageError: it is not valid, or the results cannot be compared so.
    """
    stated = asked(frames)
    base = stated or by_default(frames)
    words = {key: _split(value) if key in _LISTS else value for key, value in given.items()}
    if "arm" in words and "against" not in words:
        raise UsageError("an arm without --against: say what the arms are compared with")
    if not words:
        if base is None:
            raise UsageError(f"{frames.root} has no two arms that were trained")
        return contrasted(frames, base), "stated" if stated else "by_itself"
    chosen = _merged(base, words, settings_of(frames.runs), default_metric(frames))
    return contrasted(frames, chosen), "chosen_later"


_LISTS = ("arm", "against", "by")


def _split(value: Any) -> Any:
    """Return the items of `a,b`; commas within brackets, as in a label, part nothing."""
    if not isinstance(value, str):
        return value
    items, depth = [""], 0
    for letter in value:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            items.append("")
        else:
            items[-1] += letter
    return [item.strip() for item in items if item.strip()]


def _merged(
    base: Contrast | None, words: Mapping[str, Any], settings: list[str], metric: str
) -> Contrast:
    content = base.as_json() if base else {}
    if "arm" in words:
        # other arms are another question: nothing of the first one is kept but its by
        content = {"by": [key for key in content.get("by", []) if key not in words["arm"]]}
    if "metric" in words:
        content.pop("margin", None)
    return contrast_of({"metric": metric, **content, **words}, settings)
