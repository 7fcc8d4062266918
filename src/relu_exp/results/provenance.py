"""Provenance: the code, package versions, commit and machine that produced a result."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from relu_exp.core.schema import SCHEMA_VERSION
from relu_exp.results import machine

__all__ = [
    "changes",
    "describe_machine",
    "differences",
    "engine_code",
    "fingerprint",
    "hash_of",
    "parsed",
    "working_diff",
]

_PACKAGES = ("relu-exp", "torch", "torchvision", "numpy", "scipy", "pandas", "hydra-core")

_MOST_DIFF_BYTES = 1_000_000


@cache
def engine_code() -> str:
    """Return a hash of the engine's source files, which determine a run's numbers."""
    return hash_of("engine/**/*.py", "engine/**/*.[ch]")


def hash_of(*patterns: str) -> str:
    """Return a hash of the package's source files that match the patterns."""
    digest = hashlib.sha256()
    for pattern in patterns:
        for path in sorted(Path(__file__).parents[1].glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def _versions() -> Mapping[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def fingerprint() -> dict[str, str]:
    """Return what a run's numbers depend on apart from its configuration and the machine."""
    return {
        "engine code": engine_code()[:16],
        "torch": _versions().get("torch", ""),
        "schema": str(SCHEMA_VERSION),
    }


def changes(manifest: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Return the changes since a manifest was written that may affect a run's numbers.

    For example `torch 2.10.0 → 2.11.0`. Anything missing in the manifest counts as changed.

    Args:
        manifest: of the session that trained the run; None if it is missing.
    """
    then = (manifest or {}).get("fingerprint")
    now = fingerprint()
    if not isinstance(then, Mapping):
        return ("engine code unknown",)
    return differences(then, now)


def parsed(made_from: str | None) -> dict[str, str]:
    """Return what a row's `made_from` says: a plugin's name, or `data` → digest.

    Whatever is no digest is left out: rows may come from anybody, and reasons are printed.
    """
    try:
        found = json.loads(made_from or "{}")
    except (ValueError, RecursionError):
        return {}
    pairs = found.items() if isinstance(found, dict) else ()
    return {
        key: text
        for key, text in pairs
        if isinstance(text, str) and re.fullmatch("[0-9a-f]{0,64}", text)
    }


def differences(then: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Return what is not as it was, for example `plugin bent 1f0c… → 94ab…`.

    What is not known counts as changed: what was not written down, or has no digest now.
    """
    return tuple(
        f"{name} {then.get(name) or 'unknown'} → {digest or 'unknown'}"
        for name, digest in now.items()
        if not digest or then.get(name) != digest
    )


def describe_machine() -> dict[str, Any]:
    """Return the commit, dirty flag, fingerprint, package versions and machine."""
    is_tracked = _is_tracked()
    changed = _changed("status", "--porcelain") if is_tracked else None
    return {
        "commit": _git("rev-parse", "HEAD") if is_tracked else None,
        "dirty": bool(changed) if changed is not None else None,
        "fingerprint": fingerprint(),
        "packages": dict(_versions()),
        "python": sys.version.split()[0],
        "machine": machine.describe(),
    }


def working_diff() -> str | None:
    """Return the diff of the working tree against its commit for `git apply`, or None.

    Untracked files are named at the end, and a diff of more than a megabyte is cut.
    """
    if not _is_tracked():
        return None
    diff, status = (
        _changed("diff", "--no-ext-diff", "--no-color", "HEAD"),
        _changed("status", "--porcelain"),
    )
    unknown = [line[3:] for line in (status or "").splitlines() if line.startswith("??")]
    if not diff and not unknown:
        return None
    text = f"{diff or ''}\n"
    if len(text) > _MOST_DIFF_BYTES:
        text = f"{text[:_MOST_DIFF_BYTES]}\n# cut: {len(text):,} characters in all\n"
    return text + "".join(f"# not tracked: {name}\n" for name in unknown[:1000])


def _changed(*words: str) -> str | None:
    # files in results/ are output and do not make the code dirty
    return _git(*words, "--", ":/", ":(exclude,top)results")


def _is_tracked() -> bool:
    """Return whether git tracks this file: an installed package may lie in another repository."""
    return _git("ls-files", "--error-unmatch", Path(__file__).name) is not None


def _git(*words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", *words],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip("\n")
