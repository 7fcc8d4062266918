"""Errata: what the documents get wrong as written, each with the right statement and its source.

The errata of each document are in a YAML file named after it.
"""

from __future__ import annotations

from dataclasses import dataclass

from relu_exp.evidence.data.texts import Text, entry, read_texts

__all__ = ["ERRATA", "Erratum"]

DOCUMENTS = ("D0", "D1", "D2", "D3", "D4")


@dataclass(frozen=True)
class Erratum:
    """One mistake: where it is, what is written (paraphrased), what is right, by whom.

    `claim` is the claim that tests it, None where no computation is needed.
    """

    document: str
    section: str
    written: Text
    right: Text
    source: str
    claim: str | None = None


def _errata(document: str) -> list[Erratum]:
    """Read the errata of a document."""
    name = f"{document}.yaml"
    return [
        entry(Erratum, {"document": document, **values}, f"{name}: erratum {number}")
        for number, values in enumerate(read_texts(__package__, name), 1)
    ]


ERRATA: tuple[Erratum, ...] = tuple(one for document in DOCUMENTS for one in _errata(document))
