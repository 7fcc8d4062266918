"""Refused commands: one that saved nothing leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from relu_exp.core.schema import UsageError
from relu_exp.results.store import Store

__all__ = ["no_folders_if_refused", "no_manifest_if_refused"]


@contextmanager
def no_folders_if_refused(store: Store) -> Iterator[None]:
    """Delete the folders that a command makes if it is refused before it saves anything."""
    made = [folder for folder in _folders(store) if not folder.exists()]
    try:
        yield
    except UsageError:
        if store.root in made and not (_saved(store) or _names(store.manifests)):
            # what is in the place of the results may be a file, whose error is the one to show
            with suppress(OSError):
                (store.root / ".lock").unlink(missing_ok=True)
        for folder in reversed(made):
            # what is not empty is still needed
            with suppress(OSError):
                folder.rmdir()
        raise


@contextmanager
def no_manifest_if_refused(store: Store) -> Iterator[None]:
    """Delete the manifest of a command that is refused before it saves anything.

    Otherwise the newest manifest would ask for runs that were never begun, and a report on the
    runs of earlier commands would find none of them. The caller holds the lock of the results.
    """
    manifests, saved = _names(store.manifests), _saved(store)
    try:
        yield
    except UsageError:
        if _saved(store) == saved:
            for path in _names(store.manifests) - manifests:
                path.unlink(missing_ok=True)
        raise


def _folders(store: Store) -> list[Path]:
    """Return the folders that a command may make, outer ones first."""
    inner = (store.parts, store.manifests, store.checkpoints)
    return [*reversed(store.root.parents), store.root, *inner]


def _names(folder: Path) -> set[Path]:
    return {path for path in folder.iterdir() if path.is_file()} if folder.is_dir() else set()


def _saved(store: Store) -> set[tuple[str, int]]:
    """Return the parts and checkpoints that there are, and when each was written."""
    folders = [folder for folder in (store.parts, store.checkpoints) if folder.is_dir()]
    found = (path for folder in folders for path in folder.iterdir() if path.name[0] != ".")
    return {(path.name, path.lstat().st_mtime_ns) for path in found}
