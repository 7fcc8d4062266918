"""Studies: computations and timings that train no fleet; their tables are like a fleet's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from relu_exp.core.registry import Registry
from relu_exp.core.schema import SCHEMA_VERSION
from relu_exp.core.settings import Setting
from relu_exp.engine.studies import (
    checks,
    formula_checks,
    network_checks,
    symmetry_checks,
    timings,
)
from relu_exp.results.provenance import engine_code
from relu_exp.results.store import Columns

__all__ = ["STUDIES", "Study", "part_of"]


@dataclass(frozen=True)
class Study:
    """A registered study: `make(device, budget)` returns tables of `schema.TABLES` as columns.

    `device` is `cpu` or `cuda`, `budget` quick, standard, full or None.
    """

    name: str
    make: Callable[[str, str | None], Mapping[str, Columns]]
    summary: str
    reference: str = ""
    settings: Mapping[str, Setting] = field(default_factory=dict)


STUDIES: Registry[Study] = Registry("study")
STUDIES.add(
    Study(
        "formulas",
        lambda device, budget: checks.study(
            formula_checks.CHECKS | network_checks.CHECKS | symmetry_checks.CHECKS
        ),
        "every formula of the documents, checked by computation",
    )
)
STUDIES.add(
    Study(
        "timings",
        timings.study,
        "what activations cost, alone and in a network, by torch.utils.benchmark",
    )
)


def part_of(name: str, device: str, budget: str | None) -> str:
    """Return the name of a study's part; a part of that name need not be computed again.

    The name depends on everything that may change the results: the engine's code, PyTorch's
    version, the schema, the device and the budget.

    Raises:
        UsageError: there is no such study; the message names the nearest.
    """
    words = [
        name,
        device,
        budget,
        SCHEMA_VERSION,
        torch.__version__,
        engine_code(),
        STUDIES[name].name,
    ]
    return f"study-{name}-{hashlib.sha256(repr(words).encode()).hexdigest()[:16]}"
