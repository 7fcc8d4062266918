"""Questions that students ask, each with where the page answers it: numbers, claims, explorer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from relu_exp.evidence.data.texts import Text, entry, read_texts

__all__ = ["QUESTIONS", "Question", "View"]

FIELDS = ("experiment", "activation", "initializer", "depth", "learning_rate", "variant", "step")
"""What the explorer keeps of a side, in the order of its addresses."""


@dataclass(frozen=True)
class View:
    """One side of the explorer, by the words that stand in it."""

    experiment: str
    activation: str
    initializer: str
    depth: int
    learning_rate: float = 0.1
    variant: str = ""
    step: int = 0

    @property
    def address(self) -> str:
        """The side as an address of the page names it."""
        return "~".join(f"{getattr(self, name)}" for name in FIELDS)


@dataclass(frozen=True)
class Question:
    """A question, and what answers it.

    `measure` is one of `answers.MEASURES`; its numbers come from the runs of `experiment` that
    have what `keep` says, in a table of `rows` by `columns`. `views` are the explorer's sides.
    """

    text: Text
    claims: Sequence[str]
    measure: str
    experiment: str
    rows: str
    columns: str
    keep: Mapping[str, object] = field(default_factory=dict)
    views: Sequence[View] = ()


def _question(values: dict[str, Any], where: str) -> Question:
    """Return a question from its entry in the file."""
    views = [entry(View, view, f"{where}: view") for view in values.get("views", ())]
    return entry(Question, {**values, "views": views}, where)


QUESTIONS: tuple[Question, ...] = tuple(
    _question(values, f"questions.yaml: question {number}")
    for number, values in enumerate(read_texts(__package__, "questions.yaml"), 1)
)
