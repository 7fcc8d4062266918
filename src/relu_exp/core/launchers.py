"""The registry of launchers, which train fleets here or elsewhere; imported only when used.

Settings that every launcher has are in `COMMON`; their defaults, with a comment each, are in
`configs/launcher/`.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from relu_exp.core.labels import summary_of
from relu_exp.core.registry import Registry
from relu_exp.core.schema import UsageError
from relu_exp.core.settings import Setting, settings_of

__all__ = ["COMMON", "LAUNCHERS", "Launch", "Launcher", "launcher"]

Launch: TypeAlias = Callable[..., None]
"""`launch(fleets, job, num_workers, callback, train=None, **settings)`; see `launchers.local`."""

COMMON: Mapping[str, Setting] = {
    "num_workers": Setting(
        None, "fleets (slurm: jobs) under way at once", kind=int, at_least=1, at_most=10_000
    ),
    "fleet_size": Setting(None, "runs that train together", kind=int, at_least=1, at_most=100_000),
    "checkpoint_seconds": Setting(
        None, "seconds between two checkpoints of a fleet", kind=float, at_least=0
    ),
}


@dataclass(frozen=True)
class Launcher:
    """A launcher: a function by its place, `module:function`, and the settings of its own."""

    name: str
    target: str
    summary: str
    reference: str
    own: Mapping[str, Setting] = field(default_factory=dict)
    requires: str = ""
    """The package that it needs beside what everybody has, also the name of the extra."""
    is_elsewhere: bool = False
    """Whether fleets may train on other machines, whose cores and devices are not known here."""

    @property
    def settings(self) -> Mapping[str, Setting]:
        """Every setting: the common ones, then its own."""
        return {**COMMON, **self.own}

    def check(self) -> None:
        """Raise a UsageError when what it needs is not installed."""
        if self.requires and importlib.util.find_spec(self.requires) is None:
            raise UsageError(
                f"launcher={self.name} needs the package {self.requires}: "
                f"pip install 'relu-exp[{self.name}]', or leave launcher={self.name} out"
            )

    def launch(self, *arguments: Any, **settings: Any) -> None:
        """Train fleets, with the launcher's own settings as keywords.

        Raises:
            UsageError: what it needs is not installed, or no cluster answers.
        """
        self.check()
        module, _, function = self.target.partition(":")
        launch: Launch = getattr(importlib.import_module(module), function)
        launch(*arguments, **settings)


LAUNCHERS: Registry[Launcher] = Registry("launcher")


def launcher(
    *,
    reference: str,
    settings: Mapping[str, Setting] | None = None,
    requires: str = "",
    is_elsewhere: bool = False,
) -> Callable[[Launch], Launch]:
    """Register the decorated function under its own name.

    Its keyword defaults are its settings, its docstring's first line its summary.

    Args:
        reference: where what it uses was published.
        settings: limits and help of its settings.
        requires: the package that it needs beside what everybody has.
        is_elsewhere: whether fleets may train on other machines.
    """
    return LAUNCHERS.register(
        lambda launch: Launcher(
            name=launch.__name__,
            target=f"{launch.__module__}:{launch.__name__}",
            summary=summary_of(launch),
            reference=reference,
            own=settings_of(launch, settings or {}, skip=("train",)),
            requires=requires,
            is_elsewhere=is_elsewhere,
        )
    )


LAUNCHERS.add(
    Launcher(
        name="local",
        target="relu_exp.launchers.local:launch",
        summary="this machine: processes of one thread, or the GPU",
        reference="Python's multiprocessing, with a fork server",
    )
)

_RETRIES = Setting(
    3, "times a fleet whose node or process was lost starts again", at_least=0, at_most=1000
)

LAUNCHERS.add(
    Launcher(
        name="ray",
        target="relu_exp.launchers.ray:launch",
        summary="a Ray cluster: each fleet a task, trained again when its node is lost",
        reference="Moritz et al. 2018, Ray: A Distributed Framework for Emerging AI Applications",
        requires="ray",
        is_elsewhere=True,
        own={
            "address": Setting(
                None, "auto or HOST:PORT of a cluster; null: one on this machine", kind=str
            ),
            "results": Setting(
                "driver",
                "driver: parts come back to this machine; shared: nodes write where all see them",
                choices=("driver", "shared"),
            ),
            "max_retries": _RETRIES,
            "gpus": Setting(1.0, "share of a GPU that a fleet takes on cuda", above=0, at_most=1.0),
        },
    )
)

LAUNCHERS.add(
    Launcher(
        name="slurm",
        target="relu_exp.launchers.slurm:launch",
        summary="a Slurm cluster: array jobs, each a group of fleets, resubmitted when lost",
        reference="Yoo, Jette, Grondona 2003, SLURM; submitit by Meta Research",
        requires="submitit",
        is_elsewhere=True,
        own={
            "cluster": Setting(
                "slurm", "slurm, or local: jobs as processes here", choices=("slurm", "local")
            ),
            "partition": Setting(None, "queue of the jobs", kind=str),
            "account": Setting(None, "whom the jobs are charged to", kind=str),
            "time_limit": Setting(240, "minutes of a job", at_least=1, at_most=1_000_000),
            "cpus": Setting(1, "cores of a job, each at one fleet", at_least=1, at_most=1024),
            "gpus": Setting(1, "GPUs of a job on cuda", at_least=1, at_most=64),
            "memory_gb": Setting(None, "memory of a job", kind=float, above=0),
            "fleets_per_job": Setting(8, "fleets of a job", at_least=1, at_most=100_000),
            "max_retries": _RETRIES,
        },
    )
)
