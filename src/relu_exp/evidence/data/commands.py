"""Commands as they are printed: they work when pasted into a shell in the current folder."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from relu_exp.core.arguments import is_experiment, is_experiment_file
from relu_exp.core.plugin_files import absolute, is_path
from relu_exp.core.plugin_loading import named_plugins

__all__ = [
    "DEFAULT_RESULTS",
    "about_results",
    "called_here",
    "here",
    "overrides_of",
    "plugins_of",
    "report_again",
    "run_again",
    "run_words",
    "seeds",
]

DEFAULT_RESULTS = "results"
"""The folder of results that commands use where none is named."""
INSPECT = "relu_exp.inspect(model, batch).to_results(folder)"
"""What made an inspection that no command made: a network that Python holds."""
_MOST_CHARACTERS = 10_000
"""Of the overrides that a claim's command repeats: a page has a command for each claim."""


def here(path: Path) -> str:
    """Return a path as it is written in the current folder."""
    whole, folder = Path(os.path.abspath(path)), Path.cwd()
    return str(whole.relative_to(folder)) if whole.is_relative_to(folder) else str(whole)


def called_here(experiment: str) -> str:
    """Return what `run` takes for an experiment: its file in this folder, or else its name."""
    file = f"{experiment}.yaml"
    return file if Path(file).is_file() else experiment


def about_results(
    *words: str, results: Path, plugins: Iterable[str] = (), option: str = "--results"
) -> str:
    """Return a command that works on a folder of results, with every plugin in use.

    Args:
        words: the command, without the folder; `relu-exp` goes before it.
        results: the folder; where it is the default it goes without saying.
        plugins: besides those that the user named.
        option: what the folder is given as; empty where it is an argument.
    """
    place = here(results)
    folder = [] if place == DEFAULT_RESULTS else [option, place]
    # one plugin may be named in two ways
    named = {absolute(plugin): plugin for plugin in [*plugins, *named_plugins()]}
    given = [word for plugin in named.values() for word in ("--plugin", plugin)]
    return shlex.join(["relu-exp", *words, *(word for word in folder if word), *given])


def report_again(root: Path, manifest: Mapping[str, Any], *more: str) -> str:
    """Return the command that makes the report of an experiment again; `more` are its options."""
    plugins = plugins_of(root, manifest)
    return about_results("report", *more, results=root, plugins=plugins, option="")


def run_again(root: Path, manifest: Mapping[str, Any], *more: str, leave: str = "") -> str:
    """Return the command that made an experiment's results.

    Args:
        root: the folder of the results.
        manifest: what is known of the command.
        more: words to add.
        leave: how words begin that are left out.
    """
    if manifest.get("is_inspection"):
        return str(manifest.get("command") or INSPECT)
    words = [w for w in run_words(root, manifest) if not (leave and w.startswith(leave))]
    plugins = plugins_of(root, manifest)
    return about_results(*words, *more, results=root.parent, plugins=plugins)


def run_words(root: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Return `run` and what it was given, without plugins; files as they are reached from here."""
    words, _ = _split(manifest)
    then = _folder(root, manifest)
    return [_reached(word, then) if is_experiment_file(word) else word for word in words]


def overrides_of(manifest: Mapping[str, Any]) -> list[str]:
    """Return the `KEY=VALUE` of the command that made results; none where they fill pages."""
    words, _ = _split(manifest)
    found = [word for word in words[1:] if not is_experiment(word)]
    return found if sum(map(len, found)) <= _MOST_CHARACTERS else []


def plugins_of(root: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Return the plugins of the command that made results, as they are reached from here."""
    _, plugins = _split(manifest)
    then = _folder(root, manifest)
    return [_reached_plugin(plugin, then) for plugin in plugins]


def _split(manifest: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return a recorded command's words after `relu-exp`, and its plugins."""
    try:
        words = shlex.split(str(manifest.get("command") or ""))
    except ValueError:  # no command that a shell could have taken
        words = []
    words = words[1:] if len(words) > 1 else ["run"]
    plugins = []
    while "--plugin" in words[:-1]:
        place = words.index("--plugin")
        plugins.append(words[place + 1])
        del words[place : place + 2]
    return words, plugins


def _folder(root: Path, manifest: Mapping[str, Any]) -> Path:
    """Return the folder in which the command was given; without a record it is this one."""
    folder = manifest.get("folder")
    return Path(os.path.abspath(root / folder)) if isinstance(folder, str) else Path.cwd()


def _reached(path: str, then: Path) -> str:
    return path if then == Path.cwd() else here(then / path)


def _reached_plugin(plugin: str, then: Path) -> str:
    if is_path(plugin):
        return _reached(plugin, then)
    for found in (then / f"{plugin}.py", then / plugin):
        if then != Path.cwd() and found.exists():
            return here(found) if is_path(here(found)) else f"./{here(found)}"
    return plugin


def seeds(first: int, count: int) -> str:
    """Return the override for so many seeds, from a sweep's own first one on."""
    return f"seed=range({count})" if first == 0 else f"seed=range({first},{first + count})"
