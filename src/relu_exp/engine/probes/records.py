"""The tables of a fleet, collected as columns while it trains."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relu_exp.core.schema import METRICS, SPLITS, TABLES, Choice, RunConfig
from relu_exp.engine.activations import value_and_derivative
from relu_exp.engine.networks import num_parameters

__all__ = ["Records"]

Columns = dict[str, list[Any]]


class Records:
    """The rows of every table; those of `runs` are added when training ends."""

    def __init__(self) -> None:
        """Start with no rows."""
        self.tables: dict[str, Columns] = {
            name: {column: [] for column in columns} for name, columns in TABLES.items()
        }

    def _extend(self, table: str, **columns: Sequence[Any]) -> None:
        for column, values in columns.items():
            self.tables[table][column].extend(values)

    def curve(
        self,
        ids: Sequence[str],
        step: int,
        split: str,
        loss: Tensor,
        accuracy: Tensor,
        r2: Tensor | None = None,
    ) -> None:
        """Add loss, accuracy and R² (runs,) of a split at a step; NaN: there is none."""
        self._extend(
            "curves",
            run_id=ids,
            step=[step] * len(ids),
            split=[split] * len(ids),
            loss=loss.tolist(),
            accuracy=_known(accuracy.tolist()),
            r2=[None] * len(ids) if r2 is None else _known(r2.tolist()),
        )

    def last_evaluations(self) -> dict[str, dict[str, float]]:
        """Return run id → loss, accuracy and R² of every split at its last evaluation."""
        curves = self.tables["curves"]
        found: dict[str, dict[str, float]] = {}
        columns = (curves[name] for name in ("run_id", "split", *METRICS))
        for run_id, split, *values in zip(*columns, strict=True):
            if split != "batch":
                each = {
                    f"final_{split}_{metric}": value
                    for metric, value in zip(METRICS, values, strict=True)
                }
                found.setdefault(run_id, {}).update(each)
        return found

    def layers(self, ids: Sequence[str], step: int, values: Mapping[str, Tensor]) -> None:
        """Add quantity → values (runs, layers) at a step."""
        for quantity, tensor in values.items():
            runs, layers = tensor.shape
            self._extend(
                "layers",
                run_id=[run_id for run_id in ids for _ in range(layers)],
                step=[step] * (runs * layers),
                layer=list(range(1, layers + 1)) * runs,
                quantity=[quantity] * (runs * layers),
                value=tensor.flatten().tolist(),
            )

    def histograms(
        self,
        ids: Sequence[str],
        step: int,
        layer: int,
        kind: str,
        n: Tensor,
        extent: tuple[Tensor, Tensor, Tensor],
    ) -> None:
        """Add a layer's (from 1) counts (runs, bins + 2) at a step, with `summaries.Extent`."""
        minimum, maximum, mean = extent
        self._extend(
            "histograms",
            run_id=ids,
            step=[step] * len(ids),
            layer=[layer] * len(ids),
            kind=[kind] * len(ids),
            counts=n.tolist(),
            minimum=minimum.tolist(),
            maximum=maximum.tolist(),
            mean=mean.tolist(),
        )

    def dead(self, ids: Sequence[str], step: int, layer: int, dead: Tensor) -> None:
        """Add which units (runs, units) of a layer (from 1) are dead, for runs that have any."""
        packed = np.packbits(dead.cpu().numpy(), axis=1)
        rows = [(ids[run], packed[run].tobytes()) for run in torch.nonzero(dead.any(1))[:, 0]]
        self._extend(
            "dead_units",
            run_id=[run_id for run_id, _ in rows],
            step=[step] * len(rows),
            layer=[layer] * len(rows),
            num_units=[dead.shape[1]] * len(rows),
            mask=[mask for _, mask in rows],
        )

    def predictions(self, run_id: str, values: Mapping[str, Sequence[float]]) -> None:
        """Add quantity → predicted values per layer of a run."""
        for quantity, each in values.items():
            self._extend(
                "predictions",
                run_id=[run_id] * len(each),
                layer=range(1, len(each) + 1),
                quantity=[quantity] * len(each),
                value=each,
            )

    def function(self, choice: Choice) -> None:
        """Add an activation's values and derivatives on a grid that includes 0."""
        x = torch.linspace(-6, 6, 601, dtype=torch.float64)
        value, derivative = value_and_derivative(choice, x)
        self._extend(
            "functions",
            activation=[choice.name] * len(x),
            activation_settings=[json.dumps(choice.as_dict(), sort_keys=True)] * len(x),
            x=x.tolist(),
            value=value.tolist(),
            derivative=derivative.tolist(),
        )

    def finish(
        self,
        runs: Sequence[RunConfig],
        diverged_at: Mapping[int, int],
        seconds: float,
        device: str,
    ) -> dict[str, Columns]:
        """Add the table `runs` and return all tables.

        Args:
            runs: the fleet's runs of equal shape.
            diverged_at: index of a run that diverged → the step at which it did.
            seconds: the time of one run.
            device: where the fleet was trained.
        """
        size = num_parameters(runs[0])
        unknown = dict.fromkeys(
            f"final_{split}_{metric}" for split in SPLITS[1:] for metric in METRICS
        )
        evaluations = self.last_evaluations()
        rows = [
            {
                **run.as_row(),
                "status": "diverged" if index in diverged_at else "done",
                "diverged_at": diverged_at.get(index),
                "error": None,
                **unknown,
                **({} if index in diverged_at else evaluations.get(run.run_id, {})),
                "num_parameters": size,
                "seconds": seconds,
                "device": device,
            }
            for index, run in enumerate(runs)
        ]
        self.tables["runs"] = {column: [row[column] for row in rows] for column in rows[0]}
        return self.tables


def _known(values: Sequence[float]) -> list[float | None]:
    """Return values with None for those that there are none of."""
    return [None if value != value else value for value in values]
