"""Experiment files: a title, a question and the axes of a sweep, read from YAML and checked."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from relu_exp.core.file_names import storable
from relu_exp.core.naming import nearest, printable, shown
from relu_exp.core.plugin_loading import experiment_folders
from relu_exp.core.schema import BUDGETS, UsageError

__all__ = [
    "BUDGETS",
    "Experiment",
    "experiment_names",
    "experiments",
    "find_experiment",
    "is_shipped",
    "read_experiment",
    "shipped",
]

_FIELDS = (
    "title",
    "title_ko",
    "question",
    "question_ko",
    "overrides",
    "sweep",
    "zip",
    "exclude",
    "budgets",
    "figures",
    "studies",
    "contrast",
)
_MAY_BE_EMPTY = ("question", "title_ko", "question_ko")
_SKIP = "skip"
"""Stands for what an experiment changes at a budget that leaves it out."""
_MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class Experiment:
    """The content of an experiment file: dotted keys, and values as YAML gives them, unchecked."""

    name: str
    path: Path
    title: str
    question: str
    overrides: Mapping[str, object]
    sweep: Mapping[str, object]
    zips: tuple[tuple[str, ...], ...]
    excludes: tuple[Mapping[str, object], ...]
    budgets: Mapping[str, Mapping[str, object]]
    skipped_in: frozenset[str]
    """Budgets that the experiment is not part of: in so little time it may decide nothing."""
    figures: tuple[str, ...]
    studies: tuple[str, ...] = ()
    title_ko: str = ""
    question_ko: str = ""
    contrast: object = None
    """As YAML gives it, unchecked."""

    @property
    def trains(self) -> bool:
        """Whether the experiment has runs; one with studies only has none."""
        return not self.studies or bool(self.overrides or self.sweep)


def shipped(folder: str) -> Path:
    """Return a data folder of the package: inside the wheel, or beside the sources."""
    package = Path(__file__).resolve().parents[1]
    inside = package / folder
    return inside if inside.is_dir() else package.parents[1] / folder


@cache
def _files(folder: Path) -> Mapping[str, Path]:
    """Return the experiment files of a folder by name, `default` first."""
    paths = sorted(folder.glob("*.yaml"), key=lambda path: (path.stem != "default", path.stem))
    return {_folder_name(path.stem): path for path in paths}


def is_shipped(name: str) -> bool:
    """Return whether an experiment of that name comes with the package."""
    return name in _files(shipped("experiments"))


def _known() -> Mapping[str, Path]:
    """Return the files of the experiments that have a name: the package's, then plugins'.

    Raises:
        UsageError: a plugin's experiment has a name that is taken.
    """
    found = dict(_files(shipped("experiments")))
    for folder in experiment_folders():
        for name, path in _files(folder).items():
            if name in found:
                raise UsageError(
                    f"{path}: there is an experiment {name} already, {found[name]}: "
                    "choose another name"
                )
            found[name] = path
    return found


def experiment_names() -> tuple[str, ...]:
    """Return the names of the experiments: the package's, `default` first, then plugins'."""
    return tuple(_known())


def experiments() -> list[Experiment]:
    """Return the experiments that have a name, `default` first."""
    return [find_experiment(name) for name in experiment_names()]


def find_experiment(name: str) -> Experiment:
    """Return the experiment with this name, or the one in the file with this path.

    Raises:
        UsageError: there is no such experiment or file, or it is not an experiment.
    """
    if not name.isprintable():
        raise UsageError(f"{shown(name)} contains an unprintable character")
    if path := _known().get(name):
        return read_experiment(path)
    if name.endswith((".yaml", ".yml")) or "/" in name or "\\" in name:
        return read_experiment(Path(name))
    names = experiment_names()
    here = [f"{name}{ending}" for ending in (".yaml", ".yml") if Path(f"{name}{ending}").is_file()]
    guess = f" (did you mean {here[0]}?)" if here else nearest(name, names)
    raise UsageError(
        f"unknown experiment {shown(name)!r}{guess}; valid: {', '.join(names)}, "
        "or the path of a YAML file"
    )


def read_experiment(path: Path) -> Experiment:
    """Return the experiment in a YAML file.

    Raises:
        UsageError: the file cannot be read, is not YAML or is not an experiment.
    """
    try:
        content = _read_yaml(path)
        return _experiment(path, content)
    except UsageError as error:
        # "a.yaml is a folder", but "a.yaml: unknown figure 'x'"
        joint = " " if str(error).startswith(("is ", "cannot ")) else ": "
        raise UsageError(f"{shown(str(path))}{joint}{error}") from error.__cause__


def _read_yaml(path: Path) -> object:
    try:
        if not path.exists():
            raise UsageError("no such file")
        if not path.is_file():
            raise UsageError("is a folder" if path.is_dir() else "is not a file")
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(f"is too large for an experiment (more than {_MOST_BYTES:,} bytes)")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError("is not a text file in UTF-8") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"cannot be read ({reason})") from error
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  (a SafeLoader)
    except _UnsupportedError as error:
        raise UsageError(str(error)) from error
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        problem = shown((error.problem or error.context or "malformed").splitlines()[0])
        raise UsageError(f"is not valid YAML ({line}{problem})") from error
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise UsageError(f"is not valid YAML ({shown(str(error).splitlines()[0])})") from error


class _UnsupportedError(Exception):
    """Valid YAML that an experiment file may not hold."""


class _Loader(yaml.SafeLoader):
    """Loads plain data only: no tags, no duplicate keys, and no aliases, which may grow huge.

    A plain value is a number, true, false or null only where the command line reads it as such.
    What YAML 1.1 alone takes for one (`010` is 8, `1:30` is 90, `NO` is false) is text.
    """

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as the base class declares it

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise _UnsupportedError(
                f"line {mark.line + 1}: YAML anchors and aliases are not supported here: "
                "write the values out"
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                problem = f"the key {key} appears twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep=deep)


for _tag, _form, _first in (
    ("null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", "true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", "[-+]?(?:0|[1-9][0-9]*)", [*"-+0123456789"]),
    ("float", r"[-+]?(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)", [*"-+.0123456789"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_form})$"), _first)


def _experiment(path: Path, content: object) -> Experiment:
    if not isinstance(content, dict):
        kinds = {list: "a list", type(None): "empty", str: "text"}
        kind = kinds.get(type(content), "a single value")
        raise UsageError(f"is not an experiment: it is {kind}, not a mapping with a title")
    for key in content:
        if key not in _FIELDS:
            name = shown(key)
            raise UsageError(
                f"is not an experiment: unknown key {name!r}{nearest(name, _FIELDS)}; "
                f"valid: {', '.join(_FIELDS)}"
            )
    if "title" not in content:
        raise UsageError("is not an experiment: it has no title")
    overrides = _mapping("overrides", content.get("overrides"))
    sweep = _mapping("sweep", content.get("sweep"))
    stated = _budgets(content.get("budgets"))
    for name, values in stated.items():
        if isinstance(values, str) and values != _SKIP:
            raise UsageError(f"budgets.{name} is neither a mapping nor {_SKIP}: {shown(values)}")
    budgets = {
        name: _mapping(f"budgets.{name}", values)
        for name, values in stated.items()
        if values != _SKIP
    }
    _check_fetches_nothing([overrides, sweep, *budgets.values()])
    for key in overrides.keys() & sweep.keys():
        raise UsageError(f"{key} is both under overrides and under sweep")
    return Experiment(
        name=_folder_name(path.stem),
        path=path,
        title=_text("title", content["title"]),
        question=_text("question", content.get("question", "")),
        overrides=overrides,
        sweep=sweep,
        zips=_zips(content.get("zip")),
        excludes=tuple(
            _mapping("an item of exclude", item)
            for item in _list("exclude", content.get("exclude"))
        ),
        budgets=budgets,
        skipped_in=frozenset(stated) - frozenset(budgets),
        figures=tuple(_text("figures", item) for item in _list("figures", content.get("figures"))),
        studies=tuple(_text("studies", item) for item in _list("studies", content.get("studies"))),
        title_ko=_text("title_ko", content.get("title_ko", "")),
        question_ko=_text("question_ko", content.get("question_ko", "")),
        contrast=content.get("contrast"),
    )


def _check_fetches_nothing(layers: Iterable[Mapping[str, object]]) -> None:
    """Raise a UsageError if a file asks for a download; only the command line may."""
    for layer in layers:
        if layer.get("dataset.download", False) is not False:
            raise UsageError(
                "dataset.download belongs on the command line: an experiment file may not download"
            )


def _folder_name(stem: str) -> str:
    """Return the name of the results folder for a file name: one that every system can store.

    It has no leading dots, with which it would be hidden.
    """
    return storable(stem.lstrip(".") or "experiment")


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not (value.strip() or name in _MAY_BE_EMPTY):
        raise UsageError(f"{name} is not text: {shown(value)}")
    text = " ".join(value.split())
    if printable(text) != text:
        raise UsageError(f"{name} contains an unprintable character: {shown(text)}")
    return text


def _list(name: str, value: object) -> list[object]:
    if value is not None and not isinstance(value, list):
        raise UsageError(f"{name} is not a list: {shown(value)}")
    return value or []


def _mapping(name: str, value: object, prefix: str = "") -> dict[str, object]:
    """Return a mapping with nested mappings flattened to dotted keys."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UsageError(f"{name} is not a mapping from keys to values: {shown(value)}")
    flat: dict[str, object] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise UsageError(f"{name} has the key {shown(key)}, which is not text")
        inner = (
            _mapping(name, item, f"{prefix}{key}.")
            if isinstance(item, dict)
            else {f"{prefix}{key}": item}
        )
        for dotted in inner.keys() & flat.keys():
            raise UsageError(f"{name} has the key {dotted} twice")
        flat |= inner
    return flat


def _budgets(value: object) -> dict[str, object]:
    if value is not None and not isinstance(value, dict):
        raise UsageError(f"budgets is not a mapping: {shown(value)}")
    for name in value or {}:
        if name not in BUDGETS:
            raise UsageError(
                f"unknown budget {shown(name)!r}{nearest(shown(name), BUDGETS)}; "
                f"valid: {', '.join(BUDGETS)}"
            )
    return value or {}


def _zips(value: object) -> tuple[tuple[str, ...], ...]:
    zips = []
    seen: set[str] = set()
    for item in _list("zip", value):
        keys = tuple(_text("zip", key) for key in _list("an item of zip", item))
        if len(keys) < 2:
            raise UsageError("an item of zip must name two or more keys that vary together")
        for key in keys:
            if key in seen:
                raise UsageError(f"zip has the key {key} twice")
            seen.add(key)
        zips.append(keys)
    return tuple(zips)
