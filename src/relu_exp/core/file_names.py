"""File names that every system can store, so that results go from one to another."""

from __future__ import annotations

import re

__all__ = ["storable"]

_REFUSED = re.compile(r'[<>:"/\\|?*\x00-\x1f]')
"""What a name on Windows cannot hold, and what would be another folder elsewhere."""
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])", re.IGNORECASE)
"""Names of devices on Windows, whatever follows the first dot."""


def storable(name: str) -> str:
    """Return a file name that every system can store; most names are returned as they are.

    Refused characters and dots or spaces at the end become `_`, and the name of a device gets one.
    """
    safe = _REFUSED.sub("_", name)
    kept = safe.rstrip(". ")
    safe = kept + "_" * (len(safe) - len(kept))
    first, dot, rest = safe.partition(".")
    return f"{first}_{dot}{rest}" if _RESERVED.fullmatch(first.rstrip(" ")) else safe
