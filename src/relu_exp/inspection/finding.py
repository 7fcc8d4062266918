"""One reason why a network does not learn, in words of both languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from relu_exp.inspection.sentences import WORDS, Sentence

__all__ = ["THE_LOSS", "Finding"]

THE_LOSS = "the loss"
"""Stands for the names of layers where only the loss is meant."""


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
        return WORDS(self.kind, number=self.number, layers=self._layers(), **self.values)

    def _layers(self) -> str:
        if self.layers == (THE_LOSS,):
            return WORDS("the_loss")
        named = [WORDS("layer_name", name=name) for name in self.layers]
        names = ", ".join(named) if len(named) <= 3 else f"{named[0]} … {named[-1]}"
        return WORDS("layers", names=names)

    def __str__(self) -> str:
        return " ".join(part for part in (self.text, self.remedy) if part)
