"""Names that people type and read: the nearest valid one, and what can be printed."""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Iterable

__all__ = ["nearest", "printable", "shown"]

_SYNONYMS = {
    "swish": ("silu",),
    "sigmoidal": ("sigmoid",),
    "logistic": ("sigmoid",),
    "linear": ("identity",),
    "none": ("identity",),
    "lrelu": ("leaky_relu",),
    "leakyrelu": ("leaky_relu",),
    "heaviside": ("step",),
    "kaiming_normal": ("he_normal",),
    "kaiming_uniform": ("he_uniform",),
    "kaiming": ("he_normal", "he"),
    "he": ("he_normal",),
    "glorot_normal": ("xavier_normal",),
    "glorot_uniform": ("xavier_uniform",),
    "glorot": ("xavier_normal", "xavier"),
    "xavier": ("xavier_normal",),
    "gaussian": ("normal",),
    "zero": ("zeros",),
    "default": ("torch_default",),
    "cnn": ("small_cnn",),
    "resnet": ("small_resnet", "residual_mlp"),
    "rms": ("rmsprop",),
}
"""What people type → the names that it may have here."""


def nearest(value: str, valid: Iterable[str]) -> str:
    """Return `` (did you mean X?)`` for the closest valid name, or nothing when none is close.

    A synonym is said to be one: `` (swish is silu)``. PyTorch's trailing underscore is left out.
    """
    by_plain_name = {name.casefold(): name for name in valid}
    plain = value.casefold().rstrip("_").replace("-", "_")
    for name in _SYNONYMS.get(plain, ()):
        if name in by_plain_name:
            return f" ({plain} is {name})"
    close = difflib.get_close_matches(value.casefold(), by_plain_name, n=1, cutoff=0.5)
    return f" (did you mean {by_plain_name[close[0]]}?)" if close else ""


def shown(value: object) -> str:
    """Return `value` for one line of an error: printable, and cut when it is long."""
    words: dict[object, str] = {None: "null", True: "true", False: "false"}
    text = value if isinstance(value, str) else _BRIEF.repr(value)
    text = words[value] if value is None or isinstance(value, bool) else text
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= 60 else f"{text[:40]}…{text[-10:]}"


def printable(text: str) -> str:
    """Return text in which unsafe characters are replaced by `�`: see `_HIDDEN`."""
    return _HIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that control a terminal or the direction of writing, and lone surrogates."""


_BRIEF = reprlib.Repr()
_BRIEF.maxlong = _BRIEF.maxother = 60
