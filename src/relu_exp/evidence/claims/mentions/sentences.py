"""Sentences: splits a text in Korean or English, and keeps what each sentence stands under."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from relu_exp.evidence.data.texts import read_texts

__all__ = ["PATTERNS", "RULES", "Sentence", "sentences_of"]

RULES: Mapping[str, Any] = read_texts(__package__, "sentences.yaml")


PATTERNS: Mapping[str, re.Pattern[str]] = {
    name: re.compile(pattern.replace("<space>", RULES["space"]))
    for name, pattern in RULES.items()
    if isinstance(pattern, str) and name != "space"
}


@dataclass(frozen=True)
class Sentence:
    """A sentence, the number of the line in which it begins, and its context.

    `context` holds what it stands under, nearest last: a heading, the sentence that introduces its
    list, the items above it, and the sentences just before it in its paragraph.
    """

    text: str
    line: int
    context: tuple[str, ...] = ()


@dataclass
class _Block:
    """A paragraph, a heading or an item of a list: its lines with their numbers."""

    lines: list[tuple[int, str]]
    indent: int = -1
    is_heading: bool = False


def sentences_of(text: str) -> Iterator[Sentence]:
    """Yield the sentences of a plain or Markdown text, in its order."""
    heading, lead, items = "", "", list[tuple[int, str]]()
    for block in _blocks(unicodedata.normalize("NFC", text)):
        parts = list(_split(block.lines))
        if not parts:
            continue
        said = [each for _, each in parts]
        if block.is_heading:
            heading, lead, items = said[0], "", []
        items = [(indent, item) for indent, item in items if indent < block.indent]
        above = [] if block.is_heading else [heading, lead, *(item for _, item in items)]
        for index, (line, each) in enumerate(parts):
            context = [*above, *said[max(0, index - RULES["near"]) : index]]
            yield Sentence(each, line, tuple(piece for piece in context if piece))
        if block.indent >= 0:
            items.append((block.indent, said[0]))
        elif not block.is_heading:
            lead = " ".join(said[-RULES["near"] :])


def _blocks(text: str) -> Iterator[_Block]:
    """Yield paragraphs, headings and items of lists."""
    block: _Block | None = None
    for number, line in enumerate(text.splitlines(), 1):
        item = PATTERNS["item"].match(line)
        mark = PATTERNS["heading"].match(line)
        if block and (not line.strip() or item or mark):
            yield _with_kind(block)
            block = None
        if not line.strip():
            continue
        if mark:
            yield _Block([(number, line[mark.end() :].strip(" #"))], is_heading=True)
        elif item:
            indent = len(item[1].expandtabs(4))
            block = _Block(
                [(number, line[item.end() :].strip())],
                indent,
                bool(PATTERNS["numbered"].search(item[0].strip())),
            )
        elif block:
            block.lines.append((number, line.strip()))
        else:
            indent = len(line) - len(line.lstrip())
            block = _Block([(number, line.strip())], indent or -1, is_heading=not indent)
    if block:
        yield _with_kind(block)


def _with_kind(block: _Block) -> _Block:
    """Return a block that is a heading only if it looks like one: short, and no sentence."""
    (_, first), *others = block.lines
    looks = (
        not others and _columns(first) <= RULES["title"] and not PATTERNS["no_title"].search(first)
    )
    block.is_heading = block.is_heading and looks
    if block.is_heading:
        block.indent = -1
    return block


def _split(lines: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Yield the sentences of a block, each with the number of its first line."""
    joined: list[tuple[int, str]] = []
    for number, line in lines:
        if joined and _goes_on(joined[-1][1]):
            start, before = joined[-1]
            joined[-1] = (start, f"{before}\n{line}")
        else:
            joined.append((number, line))
    for number, text in joined:
        start = 0
        for end in _ends(text):
            if piece := text[start:end].strip():
                yield number + text[:start].count("\n"), " ".join(piece.split())
            start = end


def _goes_on(before: str) -> bool:
    """Return whether a line was broken to fit, so that the next one goes on with it."""
    last = before.rsplit("\n", 1)[-1]
    return _columns(last) >= RULES["full"] and not PATTERNS["line_ended"].search(last)


def _ends(text: str) -> Iterator[int]:
    for found in PATTERNS["end"].finditer(text):
        if PATTERNS["abbreviation"].search(text[: found.end()].lower()):
            continue
        if _is_aside(text, found.end()):
            continue
        yield found.end()
    yield len(text)


def _is_aside(text: str, end: int) -> bool:
    """Return whether a place is in brackets within a sentence, which goes on after them."""
    depth = text.count("(", 0, end) - text.count(")", 0, end)
    if depth > 0:
        return ")" in text[end : end + RULES["aside"]]
    if not PATTERNS["aside_ended"].search(text[max(0, end - 3) : end]) or not text[end:].strip():
        return False
    before = text[: text.rfind("(", 0, end)].rstrip()
    return bool(before) and before[-1] not in ".!?。…]"


def _columns(line: str) -> int:
    return len(line) + len(PATTERNS["wide"].findall(line))
