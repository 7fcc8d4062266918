"""Texts: the words that readers see, in English and Korean, from the package's YAML files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple, TypeVar, get_type_hints

import yaml

__all__ = ["Text", "as_text", "entry", "read_texts", "texts_of"]

Entry = TypeVar("Entry")


class Text(NamedTuple):
    """A text in each language of the page."""

    en: str
    ko: str


@cache
def read_texts(package: str, name: str) -> Any:
    """Return the content of a YAML file of one of the package's folders."""
    return yaml.safe_load(files(package).joinpath(name).read_text(encoding="utf-8"))


def texts_of(package: str, name: str) -> dict[str, Text]:
    """Return the texts of a YAML file that maps keys to texts.

    Raises:
        ValueError: a text is not whole.
    """
    return {
        key: as_text(value, f"{name}: {key}") for key, value in read_texts(package, name).items()
    }


def as_text(value: object, where: str) -> Text:
    """Return a mapping from languages to strings as a text; `where` names it in an error.

    Raises:
        ValueError: a language is missing, empty or unknown.
    """
    return entry(Text, value, where)


def entry(kind: type[Entry], value: object, where: str) -> Entry:
    """Return a mapping as a dataclass or named tuple, whose fields of type `Text` become texts.

    Raises:
        ValueError: a key is missing or unknown, or a string is empty or no string.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: not a mapping")
    known = get_type_hints(kind)
    if unknown := [key for key in value if key not in known]:
        raise ValueError(f"{where}: unknown key {unknown[0]!r}; valid: {', '.join(known)}")
    if missing := [key for key in _required(kind) if key not in value]:
        raise ValueError(f"{where}: {missing[0]} is missing")
    found = dict(value)
    for key, each in value.items():
        if known[key] is Text:
            found[key] = as_text(each, f"{where}: {key}")
        elif known[key] is str and not (isinstance(each, str) and each):
            raise ValueError(f"{where}: {key} must be a text, in quotes where YAML reads a number")
    return kind(**found)


def _required(kind: Any) -> list[str]:
    """Return the fields without a default."""
    if issubclass(kind, tuple):
        return [name for name in kind._fields if name not in kind._field_defaults]
    return [
        field.name
        for field in fields(kind)
        if field.default is MISSING and field.default_factory is MISSING
    ]
