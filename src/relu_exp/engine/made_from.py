"""What a run is made from beside its configuration and the package: plugins' code, and data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from relu_exp.core.lines import one_line
from relu_exp.core.plugin_code import code_of
from relu_exp.core.registry import Registry
from relu_exp.core.schema import PARTS, Choice, RunConfig, UsageError
from relu_exp.engine.activations import ACTIVATIONS
from relu_exp.engine.data import datasets
from relu_exp.engine.initializers import INITIALIZERS
from relu_exp.engine.networks import NETWORKS
from relu_exp.engine.optimizers import OPTIMIZERS
from relu_exp.engine.probes import measurements
from relu_exp.results.provenance import differences

__all__ = ["DATA", "Content", "changes_of", "made_from", "not_measured", "plugins_of", "read_again"]

DATA = "data"
"""The key of the data's digest, beside the names of plugins."""

_REGISTRIES: tuple[Registry[Any], ...] = (
    ACTIVATIONS,
    INITIALIZERS,
    NETWORKS,
    datasets.DATASETS,
    OPTIMIZERS,
)


class Content(NamedTuple):
    """The digest of a data set's content; where it could not be read, the problem in a line."""

    digest: str = ""
    problem: str = ""


def made_from(run: RunConfig) -> dict[str, str]:
    """Return what a run is made from here and now: the name of a plugin, or `data` → digest.

    Plugins count as this process imported them, the data as it loaded them.

    Raises:
        UsageError: the data are missing or damaged.
    """
    return {**plugins_of(run), DATA: datasets.load(run.dataset).content}


def plugins_of(run: RunConfig) -> dict[str, str]:
    """Return the digests of the plugins that registered the entries and measurements of a run."""
    return {**_measuring(), **_chosen(run)}


def _chosen(run: RunConfig) -> dict[str, str]:
    pairs = zip(_REGISTRIES, PARTS, strict=True)
    return _codes(registry.plugin_of(getattr(run, part).name) for registry, part in pairs)


def _measuring() -> dict[str, str]:
    return _codes(measurements.plugins())


def _codes(modules: Iterable[str]) -> dict[str, str]:
    return {f"plugin {module}": code_of(module) for module in sorted({*modules} - {""})}


def changes_of(run: RunConfig, then: Mapping[str, str], content: str = "") -> tuple[str, ...]:
    """Return what has changed since a run was made, as `provenance.differences` does.

    A plugin that only measures is compared if the run was measured by it, data if their digest was
    written down.

    Args:
        run: the run.
        then: what it was made from.
        content: the digest of its data now; empty: not known, or not to be compared.
    """
    measuring = {name: code for name, code in _measuring().items() if name in then}
    now, was = {**measuring, **_chosen(run)}, dict(then)
    if content and DATA in was:
        name = f"data of {run.dataset.name}"
        now[name], was[name] = content, was[DATA]
    return differences(was, now)


def not_measured(run: RunConfig, then: Mapping[str, str]) -> tuple[str, ...]:
    """Return the measurements that were added since a run was made, and that it would take.

    Its numbers are the same with and without them. Nothing is known of runs whose making was not
    written down.

    Args:
        run: the run.
        then: what it was made from.
    """
    if DATA not in then or not run.probe_steps:
        return ()
    modules = {quantity: measurements.plugin_of(quantity) for quantity in measurements.MEASUREMENTS}
    return tuple(
        f"measurement {quantity}, which they lack"
        for quantity, module in modules.items()
        if module and f"plugin {module}" not in then
    )


def read_again(choices: Iterable[Choice]) -> dict[Choice, Content]:
    """Return the content now of those data sets that may have changed; nothing is downloaded.

    They are read even if this process has loaded them before, and not kept.
    """
    found: dict[Choice, Content] = {}
    for choice in dict.fromkeys(choices):
        if datasets.may_change(choice):
            if not found:
                datasets.forget()
            found[choice] = _content(choice)
    if found:
        datasets.forget()
    return found


def _content(choice: Choice) -> Content:
    settings = choice.as_dict()
    if "download" in settings:
        settings["download"] = False
    try:
        here = replace(choice, settings=tuple(sorted(settings.items())))
        return Content(digest=datasets.load(here).content)
    except UsageError as error:
        return Content(problem=str(error))
    except Exception as error:  # of a plugin
        reason = f"{type(error).__name__}: {one_line(error)}"
        return Content(problem=f"{choice.name} cannot be read: {reason}")
