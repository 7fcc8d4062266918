"""Configuration: experiments, budgets and overrides become validated sweeps of runs.

This is the only room that knows Hydra, and of Hydra it uses two things: the grammar of overrides
(`grammar`) and the composition of groups (`groups`). The product of the axes is its own.
"""

from relu_exp.config.assembly import sweeps
from relu_exp.config.files import BUDGETS, Experiment, experiment_names, experiments, is_shipped
from relu_exp.config.groups import GROUPS, option_names, registries
from relu_exp.config.sweep import LauncherConfig, Sweep

__all__ = [
    "BUDGETS",
    "GROUPS",
    "Experiment",
    "LauncherConfig",
    "Sweep",
    "experiment_names",
    "experiments",
    "is_shipped",
    "option_names",
    "registries",
    "sweeps",
]
