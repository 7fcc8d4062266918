"""One reason why a network does not learn, in words of both languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from relu_exp.inspection.sentences import WORDS, Sentence

__all__ = ["Finding"]


@dataclass(frozen=True)
class Finding:
    """One reason why a network does not learn.

    Attributes:
        kind: its name, as `gradient_vanishes`.
        text: what was found, in one sentence.
        number: the number that it rests on.
        layers: names of the layers.
        helps: what helps, with the measurement that supports it.
        claim: id of the claim that tested it (`relu-exp claim ID`); empty if none did.
        values: further numbers of the sentence.
    """

    kind: str
    number: float
    layers: tuple[str, ...]
    claim: str = ""
    values: Mapping[str, object] = field(default_factory=dict)
    helps: Sentence = field(default_factory=Sentence)

    @property
    def remedy(self) -> str:
        """What helps, in the language that is written now; empty if nothing was tried."""
        return str(self.helps)

    @property
    def text(self) -> str:
        """What was found, in one sentence, in the language that is written now."""
        shown = ", ".join(self.layers[:3])
        if len(self.layers) > 3:
            shown = f"{self.layers[0]} … {self.layers[-1]}"
        return WORDS(self.kind, number=self.number, layers=shown, **self.values)

    def __str__(self) -> str:
        return " ".join(part for part in (self.text, self.remedy) if part)
