"""Configuration: experiments, budgets and overrides become validated sweeps of runs.

Only this package uses Hydra, and only two parts of it: the grammar of overrides (`grammar`) and the
composition of groups (`groups`). `expansion` multiplies the axes itself.
"""

from relu_exp.config.assembly import sweeps
from relu_exp.config.files import (
    BUDGETS,
    Experiment,
    experiment_names,
    experiments,
    find_experiment,
    is_shipped,
)
from relu_exp.config.groups import GROUPS, option_names, registries
from relu_exp.config.regressions import fitted
from relu_exp.config.sweep import LauncherConfig, Sweep

__all__ = [
    "BUDGETS",
    "GROUPS",
    "Experiment",
    "LauncherConfig",
    "Sweep",
    "experiment_names",
    "experiments",
    "find_experiment",
    "fitted",
    "is_shipped",
    "option_names",
    "registries",
    "sweeps",
]
