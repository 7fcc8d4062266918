"""Exports: results in the formats of other programs, each written whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from relu_exp.core.naming import nearest
from relu_exp.core.schema import UsageError
from relu_exp.evidence.data.frames import Frames, find_results

__all__ = ["KINDS", "export"]

KINDS: Mapping[str, str] = {
    "csv": "relu_exp.evidence.export.tables",
    "tensorboard": "relu_exp.evidence.export.events",
}
"""What can be written → the module whose `write(frames, folder)` writes one experiment."""


def export(results: Path, kind: str, out: Path | None = None) -> Path:
    """Write the results of one experiment, or of all in a folder, in another form.

    Args:
        results: the folder of one experiment, or of several: each then has a folder in `out`.
        kind: one of `KINDS`.
        out: where to; `results/KIND` unless given. It must be empty, or not there.

    Returns:
        The folder that was written.

    Raises:
        UsageError: there is no such kind, a package is missing, there are no results or they are
            damaged, or the folder is not empty or cannot be written.
    """
    if kind not in KINDS:
        raise UsageError(
            f"--to {kind} is not valid{nearest(kind, KINDS)}; valid: {', '.join(KINDS)}"
        )
    write: Callable[[Frames, Path], None] = import_module(KINDS[kind]).write
    folders = find_results(results)
    target = results / kind if out is None else out
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file: choose another folder with --out DIR")
    unfinished = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    missing = [folder for folder in target.parents if not folder.exists()]
    try:
        if target.is_dir() and any(target.iterdir()):
            raise UsageError(f"{target} is not empty: delete it, or choose another with --out DIR")
        unfinished.mkdir(parents=True)
        for folder in folders:
            one_folder = unfinished if folder == results else unfinished / folder.name
            one_folder.mkdir(exist_ok=True)
            write(Frames.open(folder), one_folder)
        os.replace(unfinished, target)
    except OSError as error:
        raise UsageError(
            f"{target} cannot be written: {error.strerror or error}; "
            "choose another place with --out DIR"
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        if not target.exists():
            # innermost first; what is not empty is somebody else's
            for folder in missing:
                with suppress(OSError):
                    folder.rmdir()
    return target
