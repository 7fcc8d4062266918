"""Places, values and rules in words: what the page says where results have names of code."""

from __future__ import annotations

from collections.abc import Mapping

from relu_exp.evidence.claims.answers.places import in_words, label_words
from relu_exp.evidence.claims.answers.words_of import own_words
from relu_exp.evidence.claims.registry import Claim
from relu_exp.evidence.data.language import language

__all__ = ["holds_ko", "label_en", "label_ko", "place_en", "place_ko"]


def place_ko(where: Mapping[str, str], besides: str = "") -> str:
    """Return a setting of a grid, without the axis `besides`, in Korean."""
    with language("ko"):
        return in_words({axis: (value,) for axis, value in where.items() if axis != besides})


def place_en(where: Mapping[str, str], besides: str = "") -> str:
    """Return a setting of a grid, without the axis `besides`, in English."""
    with language("en"):
        return in_words({axis: (value,) for axis, value in where.items() if axis != besides})


def label_ko(label: str) -> str:
    """Return a value of a table's axis in Korean; a name that Korean writes alike stays."""
    with language("ko"):
        return label_words(label)


def label_en(label: str) -> str:
    """Return a value of a table's axis in English, without names that only code uses."""
    with language("en"):
        return label_words(label)


def holds_ko(claim: Claim) -> str:
    """Return in Korean what a claim's rule asks: the sentence that is true where it holds."""
    return own_words(claim).holds.ko
