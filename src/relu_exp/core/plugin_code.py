"""The code of plugins: which module registered an entry, and a digest of all that it imports."""

from __future__ import annotations

import ast
import hashlib
import sys
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, FrameType, ModuleType

__all__ = ["SourceReader", "code_of", "registering_module", "watch_imports"]

_SOURCES: dict[str, bytes] = {}
"""Module → the source that this process imported, which may have changed on the disk since."""


class SourceReader(SourceFileLoader):
    """Compiles a module from its source and remembers it.

    Cached bytecode is not used: Python knows it by date and size, so it may be of another source.
    """

    def get_code(self, fullname: str) -> CodeType:
        """Return the module's code, compiled from the source that is remembered."""
        path = self.get_filename(fullname)
        _SOURCES[fullname] = self.get_data(path)
        code_of.cache_clear()
        code: CodeType = self.source_to_code(_SOURCES[fullname], path)
        return code


class _Finder(MetaPathFinder):
    """Lets `SourceReader` import whatever is neither installed nor part of the package."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target)
        if spec and type(spec.loader) is SourceFileLoader and _is_own(fullname, spec.origin):
            spec.loader = SourceReader(fullname, spec.loader.path)
        return spec


def watch_imports() -> None:
    """Remember the source of every module that is imported from now on and is not installed."""
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    # just before the usual finder, so that finders ahead of it stay ahead
    places = [place for place, finder in enumerate(sys.meta_path) if finder is PathFinder]
    sys.meta_path.insert(places[0] if places else len(sys.meta_path), _Finder())


def registering_module() -> str:
    """Return the module outside the package that registers an entry now; empty if there is none.

    It is the one being imported, also if it calls a function of another module that registers the
    entry; else the one whose code is running.
    """
    caller, frame = "", sys._getframe(1)
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if frame.f_code.co_name == "<module>" and _is_imported(frame):
            return "" if _is_package(name) else name
        if not (caller or _is_package(name)):
            caller = name
        frame = frame.f_back  # type: ignore[assignment]
    return caller


def _is_imported(frame: FrameType) -> bool:
    """Return whether the code of a module runs because it is being imported."""
    back = frame.f_back
    return back is not None and back.f_globals.get("__name__") == "importlib._bootstrap"


def _is_package(name: str) -> bool:
    return name.partition(".")[0] == "relu_exp"


@cache
def code_of(module: str) -> str:
    """Return a digest of a module and of what it imports, at any depth: 16 hexadecimal digits.

    That is, of every module of its own top-level package, and of every other that is not installed,
    as it was imported by this process, or else as it is now. Compiled modules count by their bytes.
    Empty if the module has no file.
    """
    found: dict[str, bytes] = {}
    due, top = [module], module.partition(".")[0]
    while due:
        name = due.pop()
        if name in found:
            continue
        spec = _spec(name)
        if spec is None or not _is_own(name, spec.origin, top):
            continue
        found[name] = _content(name, spec)
        is_package = spec.submodule_search_locations is not None
        for each in (name, *_imports(found[name], name, is_package)):
            due += _up(each)
    if module not in found:
        return ""
    digest = hashlib.sha256()
    for name, content in sorted(found.items()):
        digest.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return digest.hexdigest()[:16]


def _spec(name: str) -> ModuleSpec | None:
    """Return where a module is, without importing anything."""
    loaded = sys.modules.get(name)
    spec = getattr(loaded, "__spec__", None)
    if isinstance(spec, ModuleSpec):
        return spec
    if file := getattr(loaded, "__file__", None):  # a script
        return ModuleSpec(name, None, origin=str(file))
    parent = name.rpartition(".")[0]
    above = _spec(parent) if parent else None
    if parent and (above is None or above.submodule_search_locations is None):
        return None
    path = above.submodule_search_locations if above else None
    try:
        return PathFinder.find_spec(name, path)
    except (ImportError, ValueError):
        return None


def _content(name: str, spec: ModuleSpec) -> bytes:
    """Return what a module's code is; nothing for a package without a file of its own."""
    if name in _SOURCES:
        return _SOURCES[name]
    try:
        return Path(spec.origin or "").read_bytes()
    except OSError:
        return b""


def _is_own(name: str, origin: str | None, top: str = "") -> bool:
    """Return whether a module belongs to a plugin of this top-level name, or is not installed."""
    first = name.partition(".")[0]
    if _is_package(name) or first in sys.stdlib_module_names:
        return False
    return first == top or not {"site-packages", "dist-packages"} & {*Path(origin or "").parts}


def _up(name: str) -> list[str]:
    """Return a module's name and those of the packages that it lies in."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _imports(source: bytes, name: str, is_package: bool) -> Iterator[str]:
    """Yield the names that a module imports anywhere; of `from a import b` both `a` and `a.b`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError):  # compiled, or not imported yet
        return
    package = name if is_package else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (base, node.module) if part)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            function, first = node.func, node.args[0]
            called = getattr(function, "attr", getattr(function, "id", ""))
            named = first.value if isinstance(first, ast.Constant) else None
            if called in ("import_module", "__import__") and isinstance(named, str):
                yield f"{package}{named}" if named.startswith(".") else named
