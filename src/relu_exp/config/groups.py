"""Configuration groups: their options are the registries' entries and the presets in `configs/`.

Hydra composes all options of a command at once. `GlobalHydra` is not thread-safe: compose in the
main process only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from relu_exp.config.files import shipped
from relu_exp.config.quoting import quoted
from relu_exp.core.launchers import LAUNCHERS
from relu_exp.core.registry import Registry
from relu_exp.core.run_keys import RUN_KEYS
from relu_exp.core.schema import PARTS

__all__ = ["GROUPS", "Option", "compose_options", "option_names", "registries"]

GROUPS = (*PARTS, "launcher")


@dataclass(frozen=True)
class Option:
    """One option of a group: a name in its registry, and settings that differ from the defaults."""

    name: str
    settings: Mapping[str, Any]


@cache
def registries() -> Mapping[str, Registry[Any]]:
    """Return the registry behind each group of a run's configuration."""
    # loads torch, which takes a second
    from relu_exp.engine.activations import ACTIVATIONS
    from relu_exp.engine.data.datasets import DATASETS
    from relu_exp.engine.initializers import INITIALIZERS
    from relu_exp.engine.networks import NETWORKS
    from relu_exp.engine.optimizers import OPTIMIZERS

    entries = (ACTIVATIONS, INITIALIZERS, NETWORKS, DATASETS, OPTIMIZERS)
    return dict(zip(PARTS, entries, strict=True))


def option_names(group: str) -> list[str]:
    """Return the names of a group's options, registry first."""
    entries = LAUNCHERS if group == "launcher" else registries()[group]
    return list(dict.fromkeys([*entries, *_presets(group)]))


def _presets(group: str) -> list[str]:
    return sorted(path.stem for path in (shipped("configs") / group).glob("*.yaml"))


def compose_options(
    wanted: Iterable[tuple[str, str]],
) -> tuple[dict[str, Any], dict[tuple[str, str], Option]]:
    """Return the defaults by dotted key, and the options behind existing (group, name) pairs.

    The options of the defaults are always included.
    """
    defaults, options = _compose(tuple(sorted({*wanted})))
    return dict(defaults), dict(options)


@cache
def _compose(
    pairs: tuple[tuple[str, str], ...],
) -> tuple[dict[str, Any], dict[tuple[str, str], Option]]:
    for group, registry in registries().items():
        for name in registry:
            ConfigStore.instance().store(group=group, name=name, node={"name": name})
    # the package's own launchers have files that explain their defaults
    for name in LAUNCHERS.keys() - {*_presets("launcher")}:
        ConfigStore.instance().store(group="launcher", name=name, node={"name": name})
    with initialize_config_dir(str(shipped("configs")), version_base="1.3"):
        # each option in its own Hydra package, so that they do not override each other
        side_by_side = [
            f"+{group}@options.{place}={quoted(name)}" for place, (group, name) in enumerate(pairs)
        ]
        config = compose("base", side_by_side, return_hydra_config=True)
    chosen = {group: config.hydra.runtime.choices[group] for group in GROUPS}
    nodes = {(group, name): config[group] for group, name in chosen.items()}
    nodes |= {pair: config.options[str(place)] for place, pair in enumerate(pairs)}
    options = {pair: _option(OmegaConf.to_container(node)) for pair, node in nodes.items()}
    own = {key.written: key.default for key in RUN_KEYS.values()}
    return {**own, **_dotted(config), **chosen}, options


def _option(node: Any) -> Option:
    return Option(node["name"], {key: value for key, value in node.items() if key != "name"})


def _dotted(config: Any) -> dict[str, Any]:
    """Return the plain defaults by dotted key."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if key in (*GROUPS, "hydra", "options"):
            continue
        if not OmegaConf.is_dict(value):
            flat[key] = value
            continue
        inner: Any = OmegaConf.to_container(value)
        flat |= {f"{key}.{name}": item for name, item in inner.items()}
    return flat
