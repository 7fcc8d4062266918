"""The glossary: what the terms of the page mean in both languages, and links to them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from markupsafe import Markup, escape

from relu_exp.evidence.data.language import LANGUAGES
from relu_exp.evidence.data.texts import Text, entry, read_texts
from relu_exp.evidence.page.words import WORDS

__all__ = ["GLOSSARY", "TERMS", "Term", "explain"]


class Term(NamedTuple):
    """A term of the page and what it means."""

    term: Text
    meaning: Text


GLOSSARY: Mapping[str, Mapping[str, Term]] = {
    topic: {id: entry(Term, values, f"glossary.yaml: {id}") for id, values in terms.items()}
    for topic, terms in read_texts(__package__, "glossary.yaml").items()
}
"""Topic → name → term, in the order of the file; `words_story.yaml` has `glossary_TOPIC`."""
TERMS: Mapping[str, Term] = {id: term for terms in GLOSSARY.values() for id, term in terms.items()}


def explain(key: str, *ids: str) -> Markup:
    """Return a text of the page in both languages, with links from terms to the glossary.

    Of each term named the first occurrence is linked, with its meaning for who points at it; a term
    that the text does not have is not. The text has nothing to fill in.
    """
    spans = [
        Markup('<span class="t" lang="{}">{}</span>').format(language, _linked(text, place, ids))
        for place, (language, text) in enumerate(zip(LANGUAGES, WORDS[key], strict=True))
    ]
    return Markup("").join(spans)


def _linked(text: str, place: int, ids: tuple[str, ...]) -> Markup:
    known = {TERMS[id].term[place].lower(): id for id in ids}
    # of two terms of which one begins with the other the longer is meant
    choices = "|".join(re.escape(word) for word in sorted(known, key=len, reverse=True))
    plural = r"s?\b" if place == 0 else ""
    parts: list[Markup] = []
    for part in re.split(rf"(?i)((?:{choices}){plural})", text):
        id = known.pop(part.lower(), None) or known.pop(part.lower().removesuffix("s"), None)
        if id is None:
            parts.append(escape(part))
            continue
        link = Markup('<a class="term" href="#term-{}" title="{}">{}</a>')
        parts.append(link.format(id, TERMS[id].meaning[place], part))
    return Markup("").join(parts)
