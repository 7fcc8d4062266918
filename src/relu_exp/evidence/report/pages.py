"""Pages: templates filled and escaped, files that appear whole."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from relu_exp.evidence.data.language import current_language
from relu_exp.evidence.report.words import text as report_text
from relu_exp.results.atomic import write_text

__all__ = [
    "as_json",
    "asset",
    "escape_markdown",
    "hangul_font",
    "markdown_code",
    "render",
    "replace_text",
]


def render(name: str, words: Mapping[str, Any], package: str = __package__) -> str:
    """Return a template of a package, filled with words; those of an HTML page are escaped.

    In templates `t` returns a text of the report by its key, in the language that is written now.
    """
    is_html = name.endswith(".html")
    environment = Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=is_html,  # noqa: S701 - Markdown is escaped by its own filter
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals |= {
        "t": _html_text if is_html else report_text,
        "language": current_language(),
    }
    environment.filters |= {
        "md": escape_markdown,
        "code": _html_code if is_html else markdown_code,
        "runs": _runs,
    }
    rendered: str = environment.get_template(f"{name}.j2").render(**words)
    return rendered


def escape_markdown(value: object) -> str:
    """Return text that Markdown shows as it is, on one line and inside a table's cell too."""
    text = " ".join(str(value).split())
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", text)


def markdown_code(value: object) -> str:
    """Return text as a span of code that nothing in it can end, on one line."""
    text = " ".join(str(value).split()).replace("|", "\\|")
    longest = max(map(len, re.findall("`+", text)), default=0)
    if not longest:
        return f"`{text}`"
    ticks = "`" * (longest + 1)
    return f"{ticks} {text} {ticks}"


def _runs(n: int) -> str:
    return report_text("counted_runs", n=n)


def _html_text(key: str, /, **values: object) -> Markup:
    """Return a text of the report for HTML; values are escaped."""
    template = Markup(report_text.template(key, **values))  # noqa: S704 - a text of this package
    return template.format(**values)


def _html_code(value: object) -> Markup:
    return Markup("<code>{}</code>").format(value)


def asset(name: str, package: str = __package__) -> Markup:
    """Return a script or a style sheet of a package, unchanged."""
    text = files(package).joinpath("assets", name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 - a file of this package


def as_json(value: Any) -> Markup:
    """Return JSON that is safe in a script element: no text in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704 - escaped above


def hangul_font() -> str:
    """Return the font of Korean pages in base64, for readers whose system has no such letters."""
    font = files(__package__).joinpath("assets", "hangul.woff2")
    return base64.b64encode(font.read_bytes()).decode()


def replace_text(target: Path, text: str) -> None:
    """Write a file atomically.

    Raises:
        OSError: the file cannot be written.
    """
    write_text(target, text)
