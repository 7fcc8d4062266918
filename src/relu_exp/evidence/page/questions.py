"""Questions that students ask, and what answers each: numbers, claims and the explorer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from relu_exp.evidence.data.texts import Text, as_text, entry, read_texts

__all__ = ["QUESTIONS", "Question", "View"]

FIELDS = ("experiment", "activation", "initializer", "depth", "learning_rate", "variant", "step")
"""The choices of one side of the explorer, in the order in which an address lists them."""


@dataclass(frozen=True)
class View:
    """One side of the explorer, as its controls name it."""

    experiment: str
    activation: str
    initializer: str
    depth: int
    learning_rate: float = 0.1
    variant: str = ""
    step: int = 0

    @property
    def address(self) -> str:
        """The side as part of an address of the page."""
        return "~".join(f"{getattr(self, name)}" for name in FIELDS)


@dataclass(frozen=True)
class Question:
    """A question, and what answers it.

    `says` is the answer in a line: `{He|20}` stands for the number of a row and a column of the
    table, `{order|4}` for all numbers of a column, the smallest first. Without it, or without the
    numbers that it names, the answer of the first claim is said.
    `measure` is one of `answers.MEASURES`; its numbers come from the runs of `experiment`, and of
    `also` where that was run, that have what `keep` says, in a table of `rows` by `columns`.
    `views` are the explorer's sides.
    """

    text: Text
    claims: Sequence[str]
    measure: str
    experiment: str
    rows: str
    columns: str
    keep: Mapping[str, object] = field(default_factory=dict)
    views: Sequence[View] = ()
    says: Text | None = None
    also: str = ""


def _question(values: dict[str, Any], where: str) -> Question:
    """Return a question from its entry in the file."""
    views = [entry(View, view, f"{where}: view") for view in values.get("views", ())]
    says = as_text(values["says"], f"{where}: says") if "says" in values else None
    return entry(Question, {**values, "views": views, "says": says}, where)


QUESTIONS: tuple[Question, ...] = tuple(
    _question(values, f"questions.yaml: question {number}")
    for number, values in enumerate(read_texts(__package__, "questions.yaml"), 1)
)
