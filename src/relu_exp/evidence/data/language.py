"""The language of a report: which one is written now, and words in it by key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from relu_exp.core.naming import nearest
from relu_exp.core.schema import UsageError
from relu_exp.evidence.data.texts import Text, texts_of

__all__ = [
    "LANGUAGES",
    "Words",
    "check_language",
    "current_language",
    "in_language",
    "language",
    "nearest_in_words",
]

LANGUAGES: Mapping[str, str] = {"en": "English", "ko": "한국어"}
"""Every language that reports are written in, and what it calls itself."""

_CURRENT: ContextVar[str] = ContextVar("language", default="en")


def current_language() -> str:
    """Return the language that is written now; English unless `language` says otherwise."""
    return _CURRENT.get()


@contextmanager
def language(name: str) -> Iterator[None]:
    """Write in a language within the context.

    Raises:
        UsageError: there is no such language.
    """
    check_language(name)
    token = _CURRENT.set(name)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def check_language(name: str) -> None:
    """Accept a language of reports.

    Raises:
        UsageError: there is no such language.
    """
    if name not in LANGUAGES:
        raise UsageError(
            f"--language {name} is not valid{nearest(name, LANGUAGES)}; "
            f"valid: {', '.join(LANGUAGES)}"
        )


def in_language(text: Text) -> str:
    """Return a text in the language that is written now."""
    return text.ko if current_language() == "ko" else text.en


def nearest_in_words(value: str, valid: Iterable[str]) -> str:
    """Return the guess of `naming.nearest` in the language that is written now."""
    found = nearest(value, valid)
    if current_language() == "ko":
        found = re.sub(r"did you mean (.+)\?", r"혹시 \1?", found)
        found = re.sub(r"\((\S+) is (\S+)\)", r"(\1 = \2)", found)
    return found


class Words:
    """The texts of one of the package's YAML files, by key, in the language that is written now.

    Values are filled in as by `str.format`. A key that ends in `_one` stands for the key before
    this ending where the value `n` is 1.
    """

    def __init__(self, package: str, name: str) -> None:
        self.texts = texts_of(package, name)

    def __call__(self, key: str, /, **values: object) -> str:
        """Return the text of a key with values filled in."""
        return self.template(key, **values).format(**values)

    def both(self, key: str, /, **values: object) -> Text:
        """Return the text of a key in both languages, with values filled in."""
        found = []
        for name in LANGUAGES:
            with language(name):
                found.append(self(key, **values))
        return Text(*found)

    def template(self, key: str, /, **values: object) -> str:
        """Return the text of a key before values are filled in; they choose its number."""
        if values.get("n") == 1 and f"{key}_one" in self.texts:
            key = f"{key}_one"
        return in_language(self.texts[key])

    def __contains__(self, key: object) -> bool:
        """Return whether there is a text of this key."""
        return key in self.texts
