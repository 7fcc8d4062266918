"""The ways to train the reference work, and how large a sample each is measured on."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.child import Question
from benchmarks.work import NUM_STEPS, WORKS

__all__ = ["WAYS", "Chosen", "Way", "chosen", "missing"]


@dataclass(frozen=True)
class Way:
    """One way: its program in `benchmarks.peers`, the packages it needs, and its samples.

    `runs` and `steps` are by work; a work that `runs` leaves out is not measured unless asked for,
    and then as large as W2. Ways that stack runs take `size` of them at a time.
    """

    title: str
    program: str
    runs: Mapping[str, int]
    packages: tuple[str, ...] = ()
    steps: Mapping[str, int] = field(default_factory=dict)
    size: int | None = None

    def question(self, work: str, size: int | None, num_runs: int | None, num_steps: int | None):
        """Return what to ask the program, with the user's numbers where there are any."""
        return Question(
            WORKS[work],
            num_runs or self.runs.get(work) or min(self.runs.values()),
            num_steps or self.steps.get(work, NUM_STEPS),
            size=size or self.size,
        )


# 160 runs are two seeds whole: ten fleets of the default size, five for each of two workers
_FLEETS = 160

WAYS: Mapping[str, Way] = {
    "fleet": Way("relu-exp", "fleet", {"W1": _FLEETS, "W2": _FLEETS, "W3": _FLEETS, "W4": 5120}),
    "unmeasured": Way("relu-exp, unmeasured", "unmeasured", {"W1": _FLEETS}),
    "plain": Way("plain `nn.Sequential` loop", "plain", {"W1": 24, "W2": 16, "W3": 16}),
    "vmap": Way(
        "`torch.func.vmap`", "vmap", {"W1": 64}, steps={"W1": 10, "W2": 4, "W3": 4}, size=64
    ),
    "jax": Way(
        "JAX `jit(scan(vmap))`",
        "jax_scan",
        {"W1": 64, "W2": 64, "W3": 64},
        ("jax", "jaxlib"),
        {"W1": 16, "W2": 6, "W3": 6},
        size=64,
    ),
    "hydra": Way(
        "Hydra joblib launcher",
        "hydra_joblib",
        {"W1": 12},
        ("hydra_plugins.hydra_joblib_launcher",),
    ),
    "ray": Way("Ray Tune", "ray_tune", {"W1": 12}, ("ray",)),
    "lightning": Way("Lightning Trainer", "lightning_trainer", {"W1": 12}, ("lightning",)),
    "process": Way("one process per run", "process", {"W1": 4}),
}


@dataclass(frozen=True)
class Chosen:
    """A way as the user named it: `jax`, or `jax:32` for stacks of 32."""

    name: str
    size: int | None

    @property
    def way(self) -> Way:
        """The way itself."""
        return WAYS[self.name]

    @property
    def label(self) -> str:
        """The way's name, with the size where the user gave one."""
        return self.name if self.size is None else f"{self.name}:{self.size}"

    @property
    def title(self) -> str:
        """The way in words, with the size where runs are stacked."""
        size = self.size or self.way.size
        return self.way.title + (f", {size} at a time" if size else "")


def chosen(words: str) -> list[Chosen]:
    """Return the ways of a comma-separated list.

    Raises:
        ValueError: a way is unknown or its size is not a number.
    """
    found = []
    for word in words.split(","):
        name, _, size = word.partition(":")
        if name not in WAYS or (size and not size.isdecimal()):
            raise ValueError(f"{word} is not a way; valid: {', '.join(WAYS)}, or jax:32 and so on")
        found.append(Chosen(name, int(size) if size else None))
    return found


def missing(way: Way) -> list[str]:
    """Return the packages that a way needs and that are not installed."""
    return [package for package in way.packages if not _is_installed(package)]


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False
