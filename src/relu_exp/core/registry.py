"""Registries: a mapping from a name to an entry with its settings and its reference.

What entries are made of are modules of their own: `naming`, `settings`, `labels`, `plugin_loading`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from relu_exp.core.naming import nearest, shown
from relu_exp.core.plugin_code import registering_module
from relu_exp.core.plugin_loading import note_entry
from relu_exp.core.schema import Choice, UsageError
from relu_exp.core.settings import Setting

__all__ = ["Named", "Registry"]


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
