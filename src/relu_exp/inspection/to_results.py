"""An inspection as an ordinary result folder: one run without an update, and what was measured."""

from __future__ import annotations

import hashlib
import json
import math
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from relu_exp.core.naming import printable
from relu_exp.core.run_keys import RUN_KEYS
from relu_exp.core.schema import SCHEMA_VERSION, TABLES, Choice, RunConfig, UsageError
from relu_exp.inspection.batches import Batch
from relu_exp.inspection.measuring import Measured
from relu_exp.inspection.report import Table
from relu_exp.inspection.trace import tensors_in
from relu_exp.results.provenance import describe_machine
from relu_exp.results.store import Columns, Store, new_session

__all__ = ["digest_of", "num_samples", "write_results"]

OWN = "own"
"""Name of what a network brings itself: its initializer, its batch, its mixed activations."""
_FIGURES = (
    *("histogram_grid", "preactivation_grid"),
    *("signal_by_layer", "unit_signal_by_layer", "gradient_by_layer"),
)


def digest_of(model: nn.Module, batch: Batch) -> str:
    """Return 16 hexadecimal digits of the content of a network and a batch."""
    digest = hashlib.sha256()
    tensors = [
        *model.parameters(),
        *model.buffers(),
        *tensors_in([batch.args, batch.kwargs, batch.target]),
    ]
    for tensor in tensors:
        digest.update(f"{tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(_bytes(tensor))
    return digest.hexdigest()[:16]


def _bytes(tensor: Tensor) -> bytes:
    plain = tensor.detach().cpu().contiguous().flatten()
    return plain.view(torch.uint8).numpy().tobytes() if plain.numel() else b""


def write_results(folder: str | Path, table: Table, model: nn.Module, batch: Batch) -> Path:
    """Add an inspection to a result folder and return the folder.

    The run is done, has made no update, and is named after the content of network and batch: the
    same network on the same batch is the same run. Its learning rate is the default of a run and
    means nothing, because nothing is updated.

    Raises:
        UsageError: the folder cannot be written, or holds results of an experiment.
    """
    layers, device = table.layers, _device(model)
    run = _run(table, digest_of(model, batch), num_samples(batch))
    session, started = new_session(), datetime.now(UTC).isoformat(timespec="seconds")
    store = Store(Path(folder))
    store.open()
    part_id = f"inspection-{run.run_id}"
    before = store.latest_manifest() or {}
    if before and not before.get("is_inspection"):
        raise UsageError(
            f"{folder} holds results of an experiment: choose another folder for an inspection"
        )
    columns = _columns(run, layers, table.predictions)
    row = {
        **run.as_row(),
        "status": "done",
        "num_parameters": sum(each.numel() for each in model.parameters()),
        "seconds": 0.0,
        "device": device,
        "fleet_id": part_id,
        "session": session,
        "made_from": json.dumps({}),
    }
    columns["runs"] = {column: [row.get(column)] for column in TABLES["runs"]}
    run_ids = list(dict.fromkeys([*(before.get("run_ids") or []), run.run_id]))
    store.write_part(part_id, columns)
    store.write_manifest(
        {
            "schema_version": SCHEMA_VERSION,
            "session": session,
            "started": started,
            "command": _command(),
            "experiment": Path(folder).name,
            "title": "Inspection of one's own network",
            "title_ko": "내 신경망 살펴보기",
            "question": "What do the layers of this network do on one batch?",
            "figures": list(_FIGURES),
            "thresholds": {},
            "axes": {},
            "labels": _labels(run, before.get("labels") or {}),
            "is_inspection": True,
            "budget": None,
            "run_ids": run_ids,
            "device": device,
            **describe_machine(),
        }
    )
    return store.root


def _run(table: Table, digest: str, num_samples: int) -> RunConfig:
    layers = table.layers
    functions = {layer.function for layer in layers}
    widths = {layer.num_units for layer in layers}
    return RunConfig(
        activation=Choice(_printed(functions.pop()) if len(functions) == 1 else OWN),
        initializer=Choice(OWN),
        network=Choice(_printed(table.name), (("inspected", digest), ("mode", table.mode))),
        dataset=Choice(OWN),
        optimizer=Choice("none"),
        depth=len(layers),
        width=widths.pop() if len(widths) == 1 else None,
        learning_rate=float(RUN_KEYS["learning_rate"].default),
        batch_size=num_samples,
        num_steps=0,
        seed=0,
        probe_samples=num_samples,
        probe_steps=(0,),
        evaluation_steps=(0,),
    )


def _columns(
    run: RunConfig, layers: Sequence[Measured], predictions: dict[str, list[float]]
) -> dict[str, Columns]:
    """Return the tables `layers`, `histograms` and `predictions`."""
    measured = [
        (number, quantity, value)
        for number, layer in enumerate(layers, start=1)
        for quantity, value in layer.values.items()
        if not math.isnan(value)
    ]
    counted = [
        (number, kind, counts)
        for number, layer in enumerate(layers, start=1)
        for kind, counts in layer.counts.items()
    ]
    predicted = [
        (number, quantity, value)
        for quantity, values in predictions.items()
        for number, value in enumerate(values, start=1)
    ]
    return {
        "layers": {
            **_keys(run, len(measured), with_step=True),
            "layer": [each[0] for each in measured],
            "quantity": [each[1] for each in measured],
            "value": [each[2] for each in measured],
        },
        "histograms": {
            **_keys(run, len(counted), with_step=True),
            "layer": [each[0] for each in counted],
            "kind": [each[1] for each in counted],
            "counts": [list(each[2].counts) for each in counted],
            "minimum": [each[2].minimum for each in counted],
            "maximum": [each[2].maximum for each in counted],
            "mean": [each[2].mean for each in counted],
        },
        "predictions": {
            **_keys(run, len(predicted), with_step=False),
            "layer": [each[0] for each in predicted],
            "quantity": [each[1] for each in predicted],
            "value": [each[2] for each in predicted],
        },
    }


def _keys(run: RunConfig, count: int, *, with_step: bool) -> dict[str, list[Any]]:
    return {"run_id": [run.run_id] * count, **({"step": [0] * count} if with_step else {})}


def _labels(run: RunConfig, before: Mapping[str, Any]) -> dict[str, dict[str, dict[str, str]]]:
    """Return what the names of the run, and of those before it, are called in print."""
    own = {
        "activation": {"en": "its own activations", "ko": "자체 활성화 함수"},
        "initializer": {"en": "weights as they are", "ko": "있는 그대로의 가중치"},
        "dataset": {"en": "its own batch", "ko": "자체 배치"},
    }
    labels = {group: {OWN: words} for group, words in own.items()}
    labels["network"] = {
        **(before.get("network") or {}),
        run.network.name: {"en": run.network.name, "ko": run.network.name},
    }
    labels["optimizer"] = {"none": {"en": "no update", "ko": "업데이트 없음"}}
    return labels


def num_samples(batch: Batch) -> int:
    """Return the length of the first tensor of a batch, at least 1."""
    tensors = tensors_in([batch.args, batch.kwargs])
    return max(tensors[0].shape[0] if tensors and tensors[0].dim() else 1, 1)


def _printed(name: str) -> str:
    return printable(name)[:200] or OWN


def _device(model: nn.Module) -> str:
    return next((each.device.type for each in model.parameters()), "cpu")


def _command() -> str:
    """Return the command that is running; empty where Python calls this itself."""
    return shlex.join(["relu-exp", *sys.argv[1:]]) if sys.argv[1:2] == ["inspect"] else ""
