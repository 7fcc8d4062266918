"""Registries: a mapping from a name to an entry with its settings and its reference."""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import inspect
import json
import math
import operator
import re
import reprlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from relu_exp.core import plugin_files
from relu_exp.core.plugin_code import registering_module, watch_imports
from relu_exp.core.schema import Choice, Scalar, UsageError

__all__ = [
    "COLOR",
    "ENTRY_POINT_GROUP",
    "Label",
    "Named",
    "Registry",
    "Setting",
    "entries_of_script",
    "experiment_dir",
    "experiment_folders",
    "label_of",
    "load_plugins",
    "named_plugins",
    "nearest",
    "note_entry",
    "printable",
    "settings_of",
    "shown",
    "summary_of",
]

ENTRY_POINT_GROUP = "relu_exp.plugins"


_SYNONYMS = {
    "swish": ("silu",),
    "sigmoidal": ("sigmoid",),
    "logistic": ("sigmoid",),
    "linear": ("identity",),
    "none": ("identity",),
    "lrelu": ("leaky_relu",),
    "leakyrelu": ("leaky_relu",),
    "heaviside": ("step",),
    "kaiming_normal": ("he_normal",),
    "kaiming_uniform": ("he_uniform",),
    "kaiming": ("he_normal", "he"),
    "he": ("he_normal",),
    "glorot_normal": ("xavier_normal",),
    "glorot_uniform": ("xavier_uniform",),
    "glorot": ("xavier_normal", "xavier"),
    "xavier": ("xavier_normal",),
    "gaussian": ("normal",),
    "zero": ("zeros",),
    "default": ("torch_default",),
    "cnn": ("small_cnn",),
    "resnet": ("small_resnet", "residual_mlp"),
    "rms": ("rmsprop",),
}
"""What people type → the names that it may have here."""


def nearest(value: str, valid: Iterable[str]) -> str:
    """Return `` (did you mean X?)`` for the closest valid name, or nothing when none is close.

    A synonym is said to be one: `` (swish is silu)``. PyTorch's trailing underscore is left out.
    """
    by_plain_name = {name.casefold(): name for name in valid}
    plain = value.casefold().rstrip("_").replace("-", "_")
    for name in _SYNONYMS.get(plain, ()):
        if name in by_plain_name:
            return f" ({plain} is {name})"
    close = difflib.get_close_matches(value.casefold(), by_plain_name, n=1, cutoff=0.5)
    return f" (did you mean {by_plain_name[close[0]]}?)" if close else ""


def shown(value: object) -> str:
    """Return `value` for one line of an error: printable, and cut when it is long."""
    words: dict[object, str] = {None: "null", True: "true", False: "false"}
    text = value if isinstance(value, str) else _BRIEF.repr(value)
    text = words[value] if value is None or isinstance(value, bool) else text
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= 60 else f"{text[:40]}…{text[-10:]}"


def printable(text: str) -> str:
    """Return text in which unsafe characters are replaced by `�`: see `_HIDDEN`."""
    return _HIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)


_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that control a terminal or the direction of writing, and lone surrogates."""


_BRIEF = reprlib.Repr()
_BRIEF.maxlong = _BRIEF.maxother = 60


@dataclass(frozen=True)
class Setting:
    """One setting of a registry entry: its default, what it means and which values are valid.

    The type of `default` is the type of the setting. `None` as a default means that the value is
    optional; `kind` then names its type. `words` are valid besides values of the type. `otherwise`
    gives the value where none is given, if it is only known then. A text that `is_list` may also be
    given as a list, which becomes JSON. Of a setting that `came_later`, the default is left out of
    choices: results were written before there was the setting, and their runs are the same ones.
    """

    default: Scalar
    help: str = ""
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    choices: tuple[Scalar, ...] | None = None
    kind: type | None = None
    words: tuple[str, ...] = ()
    otherwise: Callable[[], Scalar] | None = None
    is_list: bool = False
    came_later: bool = False

    def check(self, name: str, value: object) -> Scalar:
        """Return `value` in the setting's own type.

        Raises:
            UsageError: the value has the wrong type, is not finite or is out of range.
        """
        if value is None and self.default is None:
            return self.otherwise() if self.otherwise else None
        if isinstance(value, list) and self.is_list:
            return json.dumps([str(item) for item in value], ensure_ascii=False)
        if isinstance(value, str) and value in self.words:
            return value
        kind = self.kind or type(self.default)
        checked = _cast(name, value, kind, self.choices, self.words)
        if isinstance(checked, (int, float)) and not isinstance(checked, bool):
            self._check_range(name, checked)
        return checked

    @property
    def limits(self) -> str:
        """What is valid, in words, as in `above 0 and at most 1`; empty: all of its type."""
        if self.choices is not None:
            return f"one of {', '.join(map(shown, self.choices))}"
        return " and ".join(words for words, _, _ in self._bounds())

    def _bounds(self) -> list[tuple[str, float, Callable[[float, float], bool]]]:
        """Return each bound that is stated: in words, its value, and what must hold of it."""
        bounds: list[tuple[str, float | None, Callable[[float, float], bool]]] = [
            ("above", self.above, operator.gt),
            ("at least", self.at_least, operator.ge),
            ("below", self.below, operator.lt),
            ("at most", self.at_most, operator.le),
        ]
        return [
            (f"{word} {bound:,}" if isinstance(bound, int) else f"{word} {bound:g}", bound, holds)
            for word, bound, holds in bounds
            if bound is not None
        ]

    def _check_range(self, name: str, value: float) -> None:
        is_finite = isinstance(value, int) or math.isfinite(value)
        if not is_finite or not all(holds(value, bound) for _, bound, holds in self._bounds()):
            words = [*([] if is_finite else ["finite"]), *([self.limits] if self.limits else [])]
            raise UsageError(
                f"{name}={shown(value)} is not valid: it must be {' and '.join(words)}"
            )


def _cast(
    name: str,
    value: object,
    kind: type,
    choices: tuple[Scalar, ...] | None,
    also: tuple[str, ...],
) -> Scalar:
    """Return `value` as `kind`, accepting only what loses nothing (1 → 1.0, but not 2.5 → 2)."""
    if choices is not None:
        if value in choices:
            return value
        valid = [str(choice) for choice in choices]
        raise UsageError(
            f"{name}={shown(value)} is not valid: choose from {', '.join(valid)}"
            f"{nearest(shown(value), valid)}"
        )
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is float and is_number:
        return _as_float(value)  # type: ignore[arg-type]
    if kind is int and is_number and (isinstance(value, int) or value.is_integer()):  # type: ignore[attr-defined]
        return int(value)  # type: ignore[call-overload, no-any-return]
    if kind is bool and isinstance(value, bool):
        return value
    if kind is str and isinstance(value, (str, int, float)):
        return str(value)
    words = {float: "a number", int: "a whole number", bool: "true or false", str: "text"}
    kinds = " or ".join([words[kind], *also])
    guess = nearest(shown(value), also)
    raise UsageError(f"{name}={shown(value)} is not valid: it must be {kinds}{guess}")


def _as_float(value: float) -> float:
    try:
        return float(value) + 0.0  # -0.0 becomes 0.0, which is written in the same way
    except OverflowError:  # a whole number of more than 308 digits
        return math.inf


COLOR = re.compile("#[0-9a-fA-F]{6}")
"""A color as entries and manifests write it."""


@dataclass(frozen=True)
class Label:
    """How an entry is shown: its name in print, the same in Korean if it differs, and its color.

    Raises:
        UsageError: a name cannot be printed or is too long, or the color is not `#rrggbb`.
    """

    en: str
    ko: str = ""
    color: str = ""

    def __post_init__(self) -> None:
        for text in (self.en, self.ko):
            # between two dollar signs a figure would read a formula
            if len(text) > 60 or not text.isprintable() or "$" in text:
                raise UsageError(
                    f"label={shown(text)!r} is not valid: at most 60 printable characters, "
                    "none of them a dollar sign"
                )
        if self.color and not COLOR.fullmatch(self.color):
            raise UsageError(f"color={shown(self.color)!r} is not valid: write it as #rrggbb")

    def as_dict(self) -> dict[str, str]:
        """Return what is stated, as manifests hold it."""
        return {key: value for key, value in vars(self).items() if value}


def label_of(
    function: Callable[..., Any], en: str = "", ko: str = "", color: str = ""
) -> Label | None:
    """Return how a registered function is shown: as stated, or by a tidy form of its name.

    Returns:
        None where nothing is stated of what comes with the package: `evidence` knows its names.
    """
    if not (en or ko or color) and function.__module__.startswith("relu_exp."):
        return None
    return Label(en or function.__name__.replace("_", " "), ko, color)


class Named(Protocol):
    """What every registry entry has."""

    @property
    def name(self) -> str:
        """What it is called in configurations."""

    @property
    def settings(self) -> Mapping[str, Setting]:
        """Its settings by name."""

    @property
    def summary(self) -> str:
        """What it is, in a line."""

    @property
    def reference(self) -> str:
        """Where it was published."""


E_ = TypeVar("E_", bound=Named)
F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Registry(Mapping[str, E_]):
    """Entries of one kind by name; an unknown name is an error with the nearest guess."""

    kind: str
    _entries: dict[str, E_] = field(default_factory=dict)
    _plugins: dict[str, str] = field(default_factory=dict)

    def add(self, entry: E_) -> E_:
        """Register an entry under its name.

        Raises:
            UsageError: the name is taken.
        """
        if entry.name in self._entries:
            raise UsageError(f"{self.kind} {entry.name} is registered twice: choose another name")
        self._entries[entry.name] = entry
        self._plugins[entry.name] = registering_module()
        return entry

    def plugin_of(self, name: str) -> str:
        """Return the module that registered an entry; empty if it comes with the package."""
        return self._plugins.get(name, "")

    def register(self, make: Callable[[F], E_]) -> Callable[[F], F]:
        """Return a decorator that adds the entry which `make` returns for the decorated function.

        The decorator raises a UsageError if the entry's name is taken.
        """

        def decorate(function: F) -> F:
            entry = self.add(make(function))
            note_entry(f"{self.kind} {entry.name}", function.__module__)
            return function

        return decorate

    def __getitem__(self, name: str) -> E_:
        if name not in self._entries:
            raise UsageError(
                f"unknown {self.kind} {shown(name)!r}{nearest(name, self._entries)}; "
                f"valid: {', '.join(self._entries)}"
            )
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def resolve(self, name: str, settings: Mapping[str, object]) -> Choice:
        """Return the choice of entry `name` with defaults filled in and every setting checked.

        The default of a setting that came later is left out.

        Raises:
            UsageError: the entry or a setting is unknown, or a value is not valid.
        """
        entry = self[name]
        for key in settings:
            if key not in entry.settings:
                valid = ", ".join(entry.settings) or "none"
                raise UsageError(
                    f"{self.kind}.{key} does not belong to {name}"
                    f"{nearest(key, entry.settings)}; settings of {name}: {valid}"
                )
        values = {
            key: setting.check(f"{self.kind}.{key}", settings.get(key, setting.default))
            for key, setting in entry.settings.items()
        }
        stated = {
            key: value
            for key, value in values.items()
            if not entry.settings[key].came_later or value != entry.settings[key].default
        }
        return Choice(name, tuple(sorted(stated.items())))


def summary_of(function: Callable[..., Any]) -> str:
    """Return the first line of a function's docstring, or its name if it has none."""
    return (function.__doc__ or function.__name__).strip().splitlines()[0]


def settings_of(
    function: Callable[..., Any], stated: Mapping[str, Setting], skip: Iterable[str] = ()
) -> dict[str, Setting]:
    """Return the settings of a registered function: its keyword defaults, refined by `stated`."""
    found = {
        name: Setting(parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.default is not inspect.Parameter.empty and name not in set(skip)
    }
    return {**found, **stated}


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
