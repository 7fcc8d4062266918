"""The documents by their names: title, kind, year and address, as far as the texts give them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from relu_exp.evidence.data.texts import Text, entry, read_texts

__all__ = ["DOCUMENTS", "Document", "title_of"]


class Document(NamedTuple):
    """A text whose claims are tested."""

    title: str
    kind: Text
    year: str = ""
    address: str = ""


DOCUMENTS: Mapping[str, Document] = {
    id: entry(Document, values, f"documents.yaml: {id}")
    for id, values in read_texts(__package__, "documents.yaml").items()
}
"""What the claims of the package were taken from, by the short name that claims use."""


def title_of(id: str) -> str:
    """Return a document's title; of one that is not known, such as a plugin's, its short name."""
    return DOCUMENTS[id].title if id in DOCUMENTS else id
