"""The folder of a reproduction: claims decided at a larger budget are not written over."""

from __future__ import annotations

from pathlib import Path

from relu_exp.core.schema import BUDGETS, UsageError
from relu_exp.evidence.report.saved_verdicts import Origin, origin, read_verdicts

__all__ = ["folder_for", "larger"]


def folder_for(results: Path, budget: str) -> Path:
    """Return the folder that a reproduction writes to, and say so where it is another one.

    It is `results`, or the folder named for the budget inside it where `results` holds claims that
    were decided at a larger budget.

    Raises:
        UsageError: that folder is a link, or holds an experiment of that name.
    """
    kept = larger(results, budget)
    if kept is None:
        return results
    beside = results / budget
    if beside.is_symlink():
        raise UsageError(
            f"{beside} is a link, and results are only written inside {results}: "
            "name the folder itself"
        )
    if (beside / "parts").is_dir():
        raise UsageError(
            f"{beside} holds the results of an experiment of that name: "
            f"--results names another folder than {results}"
        )
    commit = f" of commit {kept.commit[:10]}" if kept.commit else ""
    print(
        f"{results} holds the results of the {kept.budget} budget{commit}, and they stay: "
        f"those of the {budget} budget go to {beside}"
    )
    return beside


def larger(results: Path, budget: str) -> Origin | None:
    """Return what the claims in a folder rest on if it is a larger budget, else None.

    Verdicts that cannot be read count for nothing: a reproduction writes them again.
    """
    try:
        found = origin(read_verdicts(results))
    except UsageError:
        return None
    if found is None or BUDGETS.index(found.budget) <= BUDGETS.index(budget):
        return None
    return found
