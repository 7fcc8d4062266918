"""Provenance: what a result must be traced by, and which code made its numbers."""

from __future__ import annotations

import hashlib
import importlib.metadata
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from relu_exp.schema import SCHEMA_VERSION

__all__ = ["changes", "engine_code", "fingerprint"]


@cache
def engine_code() -> str:
    """Return a hash of the engine's sources: of every file that can change a run's numbers."""
    digest = hashlib.sha256()
    for path in sorted((Path(__file__).parent / "engine").glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def fingerprint() -> dict[str, str]:
    """Return what the numbers of a run depend on beside its configuration and the machine."""
    return {
        "engine code": engine_code()[:16],
        "torch": importlib.metadata.version("torch"),
        "schema": str(SCHEMA_VERSION),
    }


def changes(manifest: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return what has changed since a manifest was written that may change a run's numbers.

    As in `torch 2.10.0 → 2.11.0`. What a manifest does not say counts as changed.

    Args:
        manifest: that of the session which trained the run; None where it is lost.
    """
    then = (manifest or {}).get("fingerprint")
    now = fingerprint()
    if not isinstance(then, Mapping):
        return ("engine code unknown",)
    return tuple(
        f"{key} {then.get(key, 'unknown')} → {value}"
        for key, value in now.items()
        if then.get(key) != value
    )
