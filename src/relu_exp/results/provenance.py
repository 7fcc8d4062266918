"""Provenance: what a result must be traced by, and which code made its numbers."""

from __future__ import annotations

import hashlib
import importlib.metadata
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from relu_exp.core.schema import SCHEMA_VERSION
from relu_exp.results import machine

__all__ = ["changes", "describe_machine", "engine_code", "fingerprint", "hash_of", "working_diff"]

_PACKAGES = ("relu-exp", "torch", "torchvision", "numpy", "scipy", "pandas", "hydra-core")

_MOST_DIFF_BYTES = 1_000_000


@cache
def engine_code() -> str:
    """Return a hash of the engine's sources: of every file that can change a run's numbers."""
    return hash_of("engine/**/*.py")


def hash_of(*patterns: str) -> str:
    """Return a hash of the package's sources that match."""
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
    """Return what the numbers of a run depend on beside its configuration and the machine."""
    return {
        "engine code": engine_code()[:16],
        "torch": _versions().get("torch", ""),
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


def describe_machine() -> dict[str, Any]:
    """Return what a result must be traced by: commit, dirty flag, package versions, machine."""
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
    """Return what the working tree changes of its commit, as `git apply` takes it, or None.

    Files that git does not know are named in the end, and a diff of more than a megabyte is cut.
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
    # results/ is what a run writes: it does not make the code that wrote it dirty
    return _git(*words, "--", ":/", ":(exclude,top)results")


def _is_tracked() -> bool:
    """Return whether git knows this very file: a package may lie inside another's repository."""
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
