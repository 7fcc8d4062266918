"""Experiments that were skipped because their data were not on the machine: why, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter

from relu_exp.core.absent_data import DATA_FOLDER, AbsentData
from relu_exp.evidence.data.texts import Text, texts_of

__all__ = ["why_not_run"]

_WORDS = texts_of(__package__, "absent.yaml")


def why_not_run(experiment: str, absent: Sequence[AbsentData], command: str) -> Text:
    """Return which data an experiment lacks, how to get them, and the command to run then."""
    told = (
        as_in(_WORDS["not_run"]).format(
            experiment=experiment,
            data="; ".join(_ways(each, as_in) for each in absent),
            command=command,
        )
        for as_in in (attrgetter("en"), attrgetter("ko"))
    )
    return Text(*told)


def _ways(absent: AbsentData, as_in: Callable[[Text], str]) -> str:
    """Return a data set with the ways to get it, or what its own error says."""
    values = {"package": absent.package, "folder": absent.folder, "variable": DATA_FOLDER}
    keys = [("install", absent.package), ("set_folder", absent.folder)]
    ways = [as_in(_WORDS[key]).format(**values) for key, is_known in keys if is_known]
    said = as_in(_WORDS["or"]).join(ways) or absent.message
    return f"{absent.dataset} ({said})"
