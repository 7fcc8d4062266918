"""Sections of documents and sources as they are cited in Korean."""

from __future__ import annotations

from relu_exp.evidence.data.texts import as_text, read_texts

__all__ = ["source_ko"]

_SOURCES = [as_text(each, "sources.yaml") for each in read_texts(__package__, "sources.yaml")]


def source_ko(text: str) -> str:
    """Return a section of a document or a source with its words in Korean; names stay."""
    for english, korean in _SOURCES:
        text = text.replace(english, korean)
    return text
