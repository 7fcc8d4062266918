"""Everything that an extension imports, from one place.

    from relu_exp.plugins import Setting, activation, claim

A name is imported from its own module when it is first asked for: a claim does not load torch, an
activation function does not load pandas. The pages `docs/add-a-*.md` show how each is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from relu_exp.core.naming import nearest

if TYPE_CHECKING:
    from relu_exp.core.absent_data import AbsentDataError
    from relu_exp.core.launchers import LAUNCHERS, Launcher, launcher
    from relu_exp.core.plugin_loading import experiment_dir
    from relu_exp.core.schema import QUANTITIES, TABLES, UsageError
    from relu_exp.core.settings import Setting
    from relu_exp.engine.activations import register as activation
    from relu_exp.engine.data.datasets import Layout
    from relu_exp.engine.data.datasets import register as dataset
    from relu_exp.engine.initializers import Fan
    from relu_exp.engine.initializers import register as initializer
    from relu_exp.engine.networks import Layer, Pass
    from relu_exp.engine.networks import register as network
    from relu_exp.engine.optimizers import OPTIMIZERS, Optimizer, OptimizerEntry
    from relu_exp.engine.probes.measurements import Probe
    from relu_exp.engine.probes.measurements import register as measurement
    from relu_exp.engine.probes.summaries import norm
    from relu_exp.engine.streams import stream
    from relu_exp.evidence.claims.arms import (
        at_best_rate,
        choose,
        differences,
        pairs,
        ratios,
        scope_of,
        scored,
        timed,
    )
    from relu_exp.evidence.claims.probes import layer_factor, probed
    from relu_exp.evidence.claims.registry import Evidence, Literature, MissingRunsError, claim
    from relu_exp.evidence.claims.verdicts import Effects, Rule
    from relu_exp.evidence.data.frames import Frames
    from relu_exp.evidence.data.statistics import summarize
    from relu_exp.evidence.figures import DoesNotApply, Drawing, Sheet, figure, finished, looks
    from relu_exp.evidence.figures.style import levels
    from relu_exp.launchers.local import paced
    from relu_exp.launchers.task import mark_lost, ready, train_and_save

_MODULES = {
    # module below relu_exp: what is taken from it; `new=old` where a name says too little alone
    "core.absent_data": "AbsentDataError",
    "core.launchers": "LAUNCHERS Launcher launcher",
    "core.plugin_loading": "experiment_dir",
    "core.settings": "Setting",
    "core.schema": "QUANTITIES TABLES UsageError",
    "engine.activations": "activation=register",
    "engine.data.datasets": "Layout dataset=register",
    "engine.initializers": "Fan initializer=register",
    "engine.networks": "Layer Pass network=register",
    "engine.optimizers": "OPTIMIZERS Optimizer OptimizerEntry",
    "engine.probes.measurements": "Probe measurement=register",
    "engine.probes.summaries": "norm",
    "engine.streams": "stream",
    "evidence.claims.arms": "at_best_rate choose differences pairs ratios scope_of scored timed",
    "evidence.claims.probes": "layer_factor probed",
    "evidence.claims.registry": "Evidence Literature MissingRunsError claim",
    "evidence.claims.verdicts": "Effects Rule",
    "evidence.data.frames": "Frames",
    "evidence.data.statistics": "summarize",
    "evidence.figures": "DoesNotApply Drawing Sheet figure finished looks",
    "evidence.figures.style": "levels",
    "launchers.local": "paced",
    "launchers.task": "ready train_and_save mark_lost",
}
_PLACES = {
    name: (f"relu_exp.{module}", old or name)
    for module, names in _MODULES.items()
    for name, _, old in (word.partition("=") for word in names.split())
}

__all__ = [
    "LAUNCHERS",
    "OPTIMIZERS",
    "QUANTITIES",
    "TABLES",
    "AbsentDataError",
    "DoesNotApply",
    "Drawing",
    "Effects",
    "Evidence",
    "Fan",
    "Frames",
    "Launcher",
    "Layer",
    "Layout",
    "Literature",
    "MissingRunsError",
    "Optimizer",
    "OptimizerEntry",
    "Pass",
    "Probe",
    "Rule",
    "Setting",
    "Sheet",
    "UsageError",
    "activation",
    "at_best_rate",
    "choose",
    "claim",
    "dataset",
    "differences",
    "experiment_dir",
    "figure",
    "finished",
    "initializer",
    "launcher",
    "layer_factor",
    "levels",
    "looks",
    "mark_lost",
    "measurement",
    "network",
    "norm",
    "paced",
    "pairs",
    "probed",
    "ratios",
    "ready",
    "scope_of",
    "scored",
    "stream",
    "summarize",
    "timed",
    "train_and_save",
]

if not TYPE_CHECKING:  # else a type checker would take every name for one that is here

    def __getattr__(name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if name not in _PLACES:
            # an AttributeError would come out of `from ... import` without its guess
            raise ImportError(f"relu_exp.plugins has no {name}{nearest(name, _PLACES)}")
        module, attribute = _PLACES[name]
        found = globals()[name] = getattr(import_module(module), attribute)
        return found


def __dir__() -> list[str]:
    return sorted(_PLACES)
