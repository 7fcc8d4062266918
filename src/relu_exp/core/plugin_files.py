"""Plugins named by a path, `--plugin ../mine.py`: the module that stands in that file or folder."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from pathlib import Path

from relu_exp.core.plugin_code import SourceReader
from relu_exp.core.schema import UsageError

__all__ = ["absolute", "import_file", "is_path"]


def is_path(plugin: str) -> bool:
    """Return whether a plugin is named by a path rather than as a module."""
    return plugin.endswith(".py") or "/" in plugin or os.sep in plugin


def absolute(plugin: str) -> str:
    """Return the name under which processes in other folders find a plugin."""
    return str(Path(plugin).resolve()) if is_path(plugin) else plugin


def import_file(plugin: str) -> None:
    """Import a Python file, or a package's folder, unless it was imported before.

    Modules beside it can be imported by it.

    Raises:
        UsageError: there is no such file, it is not Python, or the folder is no package.
    """
    path = Path(plugin).resolve()
    source = path / "__init__.py" if path.is_dir() else path
    if not source.is_file():
        problem = "a folder without __init__.py" if path.is_dir() else "no such file"
        raise UsageError(problem)
    if source.suffix != ".py":
        raise UsageError("not a Python file (its name must end in .py)")
    name = _module_name(path, source)
    if name in sys.modules:
        return
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    folders = [str(path)] if path.is_dir() else None
    spec = importlib.util.spec_from_file_location(
        name,
        source,
        loader=SourceReader(name, str(source)),
        submodule_search_locations=folders,
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise


def _module_name(path: Path, source: Path) -> str:
    """Return the file's own name, or one with a hash where another module has that name."""
    name = path.name if path.is_dir() else path.stem
    if name.isidentifier():
        loaded = sys.modules.get(name)
        if loaded is not None:
            origin = getattr(loaded, "__file__", None)
        else:
            spec = importlib.util.find_spec(name)
            origin = str(source) if spec is None else spec.origin
        if origin is not None and Path(origin).resolve() == source:
            return name
    return f"{path.stem}_{hashlib.sha256(str(source).encode()).hexdigest()[:8]}".replace(".", "_")
