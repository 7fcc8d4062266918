"""Reading: the text of a file, of standard input, or of an HTML page without its markup."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

from relu_exp.core.naming import shown
from relu_exp.core.schema import UsageError

__all__ = ["read_document"]

MOST_BYTES = 5_000_000
"""Room for a thick book."""
_ENCODINGS = ("utf-8-sig", "cp949")
_IS_HTML = re.compile(r"\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|body)\b", re.I | re.S)
_BLOCK = re.compile(
    "p|div|[uod]l|d[td]|br|hr|t[rdh]|table|section|article|header|footer|main|pre|blockquote|"
    "h[1-6]|fig(?:ure|caption)|title"
)
_HIDDEN = {"script", "style", "template", "noscript", "svg", "head"}


def read_document(name: str) -> str:
    """Return the text of a file, or of standard input where its name is `-`.

    Raises:
        UsageError: there is no such file, it is no text, it has no text in it, or it is too long.
    """
    what = "standard input" if name == "-" else shown(name)
    content = _content(name, what)
    if len(content) > MOST_BYTES:
        raise UsageError(f"{what} is too long: at most {MOST_BYTES // 1_000_000} MB are checked")
    text = _decoded(content, what)
    if name.lower().endswith((".html", ".htm", ".xhtml")) or _IS_HTML.match(text):
        text = _without_tags(text)
    if not text.strip():
        raise UsageError(f"{what} is empty: there is no text to check in it")
    return text


def _content(name: str, what: str) -> bytes:
    if name == "-":
        if sys.stdin is None:
            raise UsageError("there is no standard input")
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    path = Path(name)
    if path.is_dir():
        raise UsageError(f"{what} is a folder: name a text, Markdown or HTML file, or - for stdin")
    if not path.exists():
        raise UsageError(
            f"{what}: there is no such file; name a text, Markdown or HTML file, or - for stdin"
        )
    if not path.is_file():
        raise UsageError(f"{what} is no regular file; give its text to `relu-exp check -`")
    with path.open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _decoded(content: bytes, what: str) -> str:
    """Return bytes as text in UTF-8, UTF-16 with its mark, or the old encoding of Korean."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings: tuple[str, ...] = ("utf-16",)
    else:
        encodings = _ENCODINGS if b"\0" not in content else ()
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not re.search("[\x00-\x08\x0e-\x1a\x1c-\x1f]", text):
            return text
    raise UsageError(
        f"{what} is no text: save it as plain text, Markdown or HTML in UTF-8 (of a PDF or a "
        "slide, copy the text and give it to `relu-exp check -`)"
    )


def _without_tags(text: str) -> str:
    parser = _Text()
    parser.feed(text)
    parser.close()
    return "".join(parser.pieces)


class _Text(HTMLParser):
    """Collects what a reader of a page sees, a block in a paragraph and an item after a bullet."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body":
            self._hidden.clear()  # of a head that nobody closed
        if tag in _HIDDEN:
            self._hidden.append(tag)
        elif tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.pieces.append("\n\n# ")
        elif tag == "li":
            self.pieces.append("\n- ")
        elif _BLOCK.fullmatch(tag):
            self.pieces.append("\n\n" if tag != "br" else "\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:
            while self._hidden.pop() != tag:
                pass
        elif _BLOCK.fullmatch(tag):
            self.pieces.append("\n\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(re.sub(r"\s+", " ", data))
