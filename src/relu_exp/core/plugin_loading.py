"""Plugins: what the user names is imported, and what it registers is remembered."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections.abc import Iterable
from pathlib import Path

from relu_exp.core import plugin_files
from relu_exp.core.naming import shown
from relu_exp.core.plugin_code import watch_imports
from relu_exp.core.schema import UsageError

__all__ = [
    "ENTRY_POINT_GROUP",
    "entries_of_script",
    "experiment_dir",
    "experiment_folders",
    "load_plugins",
    "named_plugins",
    "note_entry",
]

ENTRY_POINT_GROUP = "relu_exp.plugins"

_EXPERIMENT_FOLDERS: list[Path] = []


def experiment_dir(folder: Path | str) -> None:
    """Let every `*.yaml` of a folder be an experiment that is run by its name.

    Raises:
        UsageError: there is no such folder, or no experiment in it.
    """
    path = Path(folder).resolve()
    if not any(path.glob("*.yaml")):
        raise UsageError(f"experiment_dir({shown(str(folder))!r}): no *.yaml there")
    if path not in _EXPERIMENT_FOLDERS:
        _EXPERIMENT_FOLDERS.append(path)


def experiment_folders() -> tuple[Path, ...]:
    """Return the folders that plugins added."""
    return tuple(_EXPERIMENT_FOLDERS)


_NAMED_PLUGINS: list[str] = []
_is_loading = False
_OF_SCRIPT: dict[str, str] = {}
"""Entry → module, of entries that neither this package nor a plugin registered."""


def note_entry(entry: str, module: str) -> None:
    """Remember an entry, such as `activation bent`, if neither package nor plugin registers it."""
    if module and not (_is_loading or module.startswith("relu_exp.")):
        _OF_SCRIPT[entry] = module


def entries_of_script() -> tuple[str, ...]:
    """Return the entries that this process has and a worker process would not load."""
    return tuple(_OF_SCRIPT)


def named_plugins() -> tuple[str, ...]:
    """Return the plugins that the user named in this process, as they were written."""
    return tuple(_NAMED_PLUGINS)


def load_plugins(modules: Iterable[str] = ()) -> None:
    """Import installed entry points and what the user names, which register themselves.

    Plugins are named as modules, or by the path of a file or of a package's folder.

    Raises:
        UsageError: a plugin cannot be imported.
    """
    watch_imports()
    named = list(modules)
    # without --plugin, code that happens to be in the current folder must not run
    if named and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    if named:
        importlib.invalidate_caches()
    global _is_loading
    _is_loading = True
    try:
        for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
            try:
                point.load()
            except (Exception, SystemExit) as error:
                raise UsageError(f"installed plugin {point.name}: {_cause(error)}") from error
        for plugin in named:
            _load_plugin(plugin)
            if plugin not in _NAMED_PLUGINS:
                _NAMED_PLUGINS.append(plugin)
    finally:
        _is_loading = False


def _load_plugin(plugin: str) -> None:
    """Import one plugin that the user named.

    Raises:
        UsageError: it cannot be imported.
    """
    try:
        if plugin_files.is_path(plugin):
            plugin_files.import_file(plugin)
            return
        module = importlib.import_module(plugin)
        if module.__spec__ is not None and module.__spec__.origin is None:
            raise UsageError("a folder without __init__.py")
    except UsageError as error:
        raise UsageError(f"--plugin {plugin}: {error}") from error
    except (Exception, SystemExit) as error:
        reason = _cause(error)
        if isinstance(error, ModuleNotFoundError) and error.name == plugin:
            reason = (
                f"there is no module {plugin} here or among the installed packages; a file is "
                "named by its path, as in ../mine.py"
            )
        raise UsageError(f"--plugin {plugin}: {reason}") from error
    for entry, name in list(_OF_SCRIPT.items()):
        if name == plugin:  # the script imported it first
            del _OF_SCRIPT[entry]


def _cause(error: BaseException) -> str:
    """Return why a module could not be imported."""
    if isinstance(error, SystemExit):
        return f"it ends the program when it is imported (SystemExit: {error})"
    return f"{type(error).__name__}: {error}"
