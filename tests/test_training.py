"""A fleet's numbers: equal to a lone PyTorch run's, and independent of the fleet."""

from __future__ import annotations

import dataclasses
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from relu_exp.core.run_keys import SCHEDULES
from relu_exp.core.schema import TABLES, Choice, UsageError
from relu_exp.engine import optimizers, training
from relu_exp.engine.activations import ACTIVATIONS
from relu_exp.engine.fleet import batches
from relu_exp.engine.networks import NETWORKS, Network
from relu_exp.engine.ops import compiled
from relu_exp.engine.training import train_fleet

import oracle
from configs import make_run
from fleets import FLEETS as DIVERGING
from fleets import NUM_STEPS, bits, fleet

pytestmark = pytest.mark.usefixtures("one_thread")


def rows(tables: dict[str, dict[str, list[Any]]], name: str, run_id: str) -> list[dict[str, Any]]:
    """Return a run's rows of a table, without what may differ between fleets."""
    columns = {key: values for key, values in tables[name].items() if key != "seconds"}
    every = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    for row in every:
        # nan (an update's ratio to zero weights) equals itself here
        row.update({key: "nan" for key, value in row.items() if value != value})
    return [row for row in every if row["run_id"] == run_id]


def batch_losses(tables: dict[str, dict[str, list[Any]]], run_id: str) -> list[float]:
    curve = [row for row in rows(tables, "curves", run_id) if row["split"] == "batch"]
    return [row["loss"] for row in sorted(curve, key=lambda row: row["step"])]


VARIANTS: list[dict[str, Any]] = [
    *({"activation": name} for name in ACTIVATIONS if name in oracle.MODULES),
    {"activation": "leaky_relu", "activation__negative_slope": 0.3},
    {"activation": "elu", "activation__alpha": 0.5},
    {"activation": "prelu", "activation__per": "network"},
    {"activation": "prelu", "activation__per": "unit", "optimizer__weight_decay": 0.1},
    {"initializer": "xavier_normal", "activation": "tanh"},
    {"initializer": "lecun_normal", "activation": "selu"},
    {"initializer": "normal", "initializer__std": 0.1},
    {"optimizer__momentum": 0.9},
    {"optimizer__weight_decay": 0.01, "optimizer__momentum": 0.5},
    {"optimizer": "adam", "learning_rate": 1e-3},
    {"optimizer": "adam", "optimizer__weight_decay": 0.01, "learning_rate": 1e-3},
    {"optimizer": "adamw", "learning_rate": 1e-3},
    {"optimizer": "adamw", "optimizer__weight_decay": 0.5, "activation": "prelu"},
    {"optimizer": "rmsprop", "learning_rate": 1e-3},
    {"optimizer": "rmsprop", "learning_rate": 1e-3, "optimizer__momentum": 0.9},
    {"optimizer": "rmsprop", "learning_rate": 1e-3, "optimizer__weight_decay": 0.1},
    {"gradient_clip": 0.3},
    {"gradient_clip": 0.3, "optimizer__momentum": 0.9, "optimizer__weight_decay": 0.01},
    {"gradient_clip": 0.3, "optimizer": "adam", "learning_rate": 1e-3},
    *({"schedule": name, "learning_rate": 0.3} for name in SCHEDULES),
    {"schedule": "warm_up_cosine", "optimizer": "adamw", "learning_rate": 1e-3},
    {"schedule": "step", "optimizer__momentum": 0.9},
    {"network": ("mlp", {"widths": [40, 20, 10]}), "depth": 3, "width": None},
    {
        "network": ("mlp", {"widths": [9, 30]}),
        "depth": 2,
        "width": None,
        "activation": ("prelu", {"per": "unit"}),
        "optimizer": "adamw",
    },
    {"network__normalization": "batch"},
    {"network__normalization": "batch", "optimizer__momentum": 0.9, "batch_size": 7},
    {"network__normalization": "layer", "optimizer": "adamw", "learning_rate": 1e-3},
    {"network__normalization": "layer", "optimizer__weight_decay": 0.1},
    {"network__normalization": "layer", "activation": "tanh", "gradient_clip": 0.3},
    {"network__dropout": 0.5},
    {"network__dropout": 0.2, "network__normalization": "batch", "activation": "prelu"},
    {"depth": 0},
    {"depth": 1, "width": 7, "batch_size": 5},
    {"network": "residual_mlp", "depth": 5},
    {"network": "residual_mlp", "depth": 6, "activation": "gelu"},
    {"network": "residual_mlp", "network__normalization": "layer", "depth": 5},
    {"network": "residual_mlp", "network__normalization": "layer", "depth": 6},
    {"dataset": "digits"},
    {"dataset__num_train": 40, "batch_size": 64},
    {"dataset__task": "parity", "network__output": "sigmoid"},
    {"dataset__task": "parity", "network__output": "tanh"},
    {"dataset__task": "parity", "network__output": "linear"},
    *(
        {"dataset": "friedman1", "network__output": "regression", **keys}
        for keys in (
            {},
            {"dataset__num_train": 40, "batch_size": 64, "activation": "tanh", "depth": 3},
            {"optimizer": "adamw", "network__normalization": "batch", "learning_rate": 1e-3},
            {"network__normalization": "layer", "network__dropout": 0.2, "gradient_clip": 0.3},
            {"network": "residual_mlp", "depth": 5, "activation": "gelu"},
            {"network": "residual_mlp", "network__normalization": "layer", "depth": 4},
            {"depth": 0, "optimizer__momentum": 0.9, "schedule": "cosine"},
        )
    ),
    {"dataset": "diabetes", "network__output": "regression", "optimizer": "adam"},
]


ROUNDING = torch.finfo(torch.float32).eps


def bounds(exact: list[float], others: list[list[float]]) -> list[float]:
    """Return how far float32 losses may be from those in float64, step by step.

    How far other trainings of the run have come apart so far, in float32 or nudged by a rounding,
    says how much this training amplifies one.
    """
    apart = [max(abs(each[at] - loss) for each in others) for at, loss in enumerate(exact)]
    return [
        20 * max(apart[: at + 1]) + 100 * ROUNDING * (1 + loss) for at, loss in enumerate(exact)
    ]


@pytest.mark.parametrize("keys", VARIANTS, ids=str)
def test_a_stacked_run_equals_a_lone_module(keys: dict[str, Any]) -> None:
    runs = [make_run(num_steps=12, seed=seed, **keys) for seed in (3, 4)]
    tables = train_fleet(runs)
    for run in runs:
        exact, best = oracle.train(run, torch.float64)
        others = [oracle.train(run), *(oracle.train(run, torch.float64, n) for n in (1, 2))]
        bound = bounds(exact, [losses for losses, _ in others])
        for loss, expected, most in zip(
            batch_losses(tables, run.run_id), exact, bound, strict=True
        ):
            assert abs(loss - expected) <= most
        if run.network["output"] != "logits":
            continue
        (row,) = rows(tables, "runs", run.run_id)
        for split in ("train", "validation", "test"):
            expected, accuracy = oracle.evaluate(run, best, split)
            losses = [oracle.evaluate(run, network, split)[0] for _, network in others]
            (most,) = bounds([expected], [[loss] for loss in losses])
            assert abs(row[f"final_{split}_loss"] - expected) <= most
            assert row[f"final_{split}_accuracy"] == pytest.approx(accuracy, abs=0.005)


@given(st.floats(1e-3, 1e3), st.integers(1, 20))
def test_each_runs_gradient_is_clipped_as_pytorch_clips_one(clip: float, num_runs: int) -> None:
    draws = torch.Generator().manual_seed(num_runs)
    shapes = [(num_runs, 7, 5), (num_runs, 7), (num_runs, 1)]
    grads = [torch.randn(shape, generator=draws) for shape in shapes]
    clipped = optimizers._clipped(grads, clip)
    for run in range(num_runs):
        lone = [nn.Parameter(torch.zeros(grad[run].shape)) for grad in grads]
        for parameter, grad in zip(lone, grads, strict=True):
            parameter.grad = grad[run].clone()
        nn.utils.clip_grad_norm_(lone, clip)
        for parameter, grad in zip(lone, clipped, strict=True):
            torch.testing.assert_close(grad[run], parameter.grad)


def test_the_documents_cnn_equals_a_lone_module() -> None:
    keys = {"network": "document_cnn", "depth": 9, "width": None, "batch_size": 4, "num_steps": 2}
    run = make_run(**keys, dataset__num_train=20, evaluation_steps=())
    expected, _ = oracle.train(run)
    assert batch_losses(train_fleet([run]), run.run_id) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("dataset", ["mnist5k", "digits"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_small_cnn_equals_a_lone_module(activation: str, dataset: str) -> None:
    keys = {"network": "small_cnn", "depth": 3, "width": None, "batch_size": 4, "num_steps": 4}
    keys |= {"activation": activation, "dataset": dataset}
    run = make_run(**keys, dataset__num_train=20, evaluation_steps=())
    expected, _ = oracle.train(run)
    assert batch_losses(train_fleet([run]), run.run_id) == pytest.approx(expected, rel=1e-3)


RESNET: dict[str, Any] = {
    "network": "small_resnet",
    "depth": 7,
    "width": None,
    "dataset__num_train": 30,
    "probe_samples": 7,
}


@pytest.mark.parametrize("dataset", ["mnist5k", "digits"])
@pytest.mark.parametrize("normalization", ["batch", "none"])
def test_the_small_resnet_equals_a_lone_module(normalization: str, dataset: str) -> None:
    keys = RESNET | {"network__normalization": normalization, "dataset": dataset, "batch_size": 4}
    run = make_run(**keys, num_steps=4)
    expected, network = oracle.train(run)
    tables = train_fleet([run])
    assert batch_losses(tables, run.run_id) == pytest.approx(expected, rel=1e-3)
    loss, _ = oracle.evaluate(run, network, "test")
    assert tables["runs"]["final_test_loss"] == [pytest.approx(loss, rel=1e-3)]


BINARY: dict[str, Any] = {"dataset": "moons", "activation": "tanh", "num_steps": 30}

CNN: dict[str, Any] = {
    "network": "small_cnn",
    "depth": 3,
    "width": None,
    "dataset__num_train": 30,
    "probe_samples": 7,
}

FLEETS: list[list[dict[str, Any]]] = [
    [{"learning_rate": rate} for rate in (0.01, 0.1, 0.5)],
    [{"initializer": name} for name in ("zeros", "xavier_uniform", "orthogonal", "torch_default")],
    [{"activation": "elu", "activation__alpha": alpha} for alpha in (0.5, 1.0, 2.0)],
    [{"activation": "leaky_relu", "activation__negative_slope": a} for a in (0.01, 0.2, 0.9)],
    [{"activation": "prelu", "activation__init": first} for first in (0.0, 0.25, 1.0)],
    [{"activation": "rrelu", "seed": seed} for seed in (0, 1, 2)],
    [{"activation": "gelu", "seed": seed, "width": 13, "batch_size": 7} for seed in (0, 0, 1)],
    [{"activation": "sigmoid", "seed": s, "width": 13, "batch_size": 7} for s in (0, 1, 2)],
    [{"activation": "tanh", "seed": s, "width": 5, "depth": 1} for s in (0, 1, 2)],
    [{"seed": seed, "dataset__num_train": 50} for seed in (0, 1, 2)],
    [{"optimizer": "adam", "learning_rate": rate} for rate in (1e-4, 1e-3, 1e-2)],
    [{"optimizer": "adamw", "learning_rate": rate} for rate in (1e-4, 1e-3, 1e-2)],
    [{"optimizer": "rmsprop", "width": 13, "learning_rate": rate} for rate in (1e-3, 1e-2)],
    [{"optimizer__momentum": 0.9, "learning_rate": rate} for rate in (0.001, 0.01, 0.02)],
    [{"optimizer__momentum": 0.9, "width": 13, "seed": seed} for seed in (0, 1, 2)],
    [{"activation": "leaky_relu", "seed": s, "width": 50, "batch_size": 10} for s in (0, 1, 2)],
    [{"gradient_clip": 0.5, "activation": "prelu", "width": 13, "seed": s} for s in (0, 0, 1, 2)],
    [{"gradient_clip": 0.1, "optimizer": "adam", "seed": seed} for seed in range(17)],
    [{"schedule": "cosine", "learning_rate": rate} for rate in (0.01, 0.1, 0.5)],
    [{"schedule": "warm_up", "optimizer": "adamw", "seed": seed} for seed in (0, 1, 2)],
    [{"network": ("mlp", {"widths": [13, 7]}), "width": None, "seed": s} for s in (0, 1, 2)],
    [BINARY | {"network__output": "sigmoid", "batch_size": 20, "seed": s} for s in (0, 1, 2, 3)],
    [BINARY | {"network__output": "tanh", "batch_size": 100, "seed": s} for s in (0, 1, 2, 3)],
    [{"activation": "identity", "width": 13, "seed": s, "probe_samples": 1} for s in (0, 1, 2)],
    [{"network": "residual_mlp", "width": 9, "batch_size": 5, "seed": s} for s in (0, 1, 2)],
    [{"network": "residual_mlp", "depth": 4, "seed": seed} for seed in (0, 1, 2)],
    [{"network__normalization": "batch", "width": 13, "batch_size": 7, "seed": s} for s in (0, 1)],
    [{"network__normalization": "batch", "optimizer": "adam", "seed": s} for s in (0, 0, 1, 2)],
    [{"network__normalization": "layer", "width": 13, "batch_size": 5, "seed": s} for s in (0, 1)],
    [{"network__dropout": 0.5, "width": 13, "seed": s} for s in (0, 0, 1)],
    [CNN | {"activation": "tanh", "batch_size": 3, "seed": seed} for seed in (0, 0, 1)],
    [CNN | {"dataset": "digits", "batch_size": 3, "seed": seed} for seed in (0, 0, 1)],
    [RESNET | {"dataset": "digits", "batch_size": 3, "seed": seed} for seed in (0, 0, 1)],
]


@pytest.mark.equal_bits
@pytest.mark.parametrize("fleet", FLEETS, ids=lambda fleet: str(fleet[0]))
def test_a_run_gives_the_same_bits_in_every_fleet(fleet: list[dict[str, Any]]) -> None:
    schedule = {"num_steps": 5, "probe_steps": (0, 2, 5), "evaluation_steps": (0, 5)}
    runs = [make_run(**{**schedule, "seed": 1, **keys}) for keys in fleet]
    together = train_fleet(sorted(set(runs), key=lambda run: run.seed))
    for run in runs:
        alone = train_fleet([run])
        for table in TABLES:
            if table != "functions":
                assert rows(together, table, run.run_id) == rows(alone, table, run.run_id), table


@pytest.mark.parametrize("width", [16, 13])
def test_what_diverges_leaves_and_the_others_go_on_unchanged(width: int) -> None:
    keys: dict[str, Any] = {
        "width": width,
        "num_steps": 8,
        "evaluation_steps": (0, 4, 8),
        "probe_steps": (0, 4),
    }
    calm, wild = make_run(learning_rate=0.05, **keys), make_run(learning_rate=1e30, **keys)
    tables = train_fleet([wild, calm])
    (row,) = rows(tables, "runs", wild.run_id)
    assert row["status"] == "diverged"
    assert row["diverged_at"] in range(1, 4)
    assert row["final_test_accuracy"] is None
    steps = {entry["step"] for entry in rows(tables, "curves", wild.run_id)}
    assert max(steps) < row["diverged_at"]
    assert rows(tables, "curves", calm.run_id) == rows(train_fleet([calm]), "curves", calm.run_id)
    assert rows(tables, "runs", calm.run_id)[0]["status"] == "done"


def test_a_fleet_in_which_all_diverge_ends() -> None:
    runs = [make_run(learning_rate=rate) for rate in (1e25, 1e30)]
    assert train_fleet(runs)["runs"]["status"] == ["diverged", "diverged"]


RARE: dict[str, Any] = {
    "num_steps": 50,
    "probe_steps": (0, 1, 20, 50),
    "evaluation_steps": (0, 33, 50),
}
"""Stretches of up to twenty steps in which nothing is observed."""


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("activation", ["relu", "elu", "gelu"])
def test_measuring_changes_nothing(activation: str, optimizer: str) -> None:
    # probes of the size of a minibatch: none may take its memory
    keys = {"activation": activation, "optimizer": optimizer, "probe_samples": 16}
    measured, unmeasured = (
        train_fleet(fleet(**keys, probe_steps=steps, evaluation_steps=(*steps, NUM_STEPS)))
        for steps in (tuple(range(NUM_STEPS)), ())
    )
    for tables in (measured, unmeasured):
        columns = (tables["curves"][key] for key in ("run_id", "step", "split", "loss"))
        rows = zip(*columns, strict=True)
        seen = [repr(row[1:]) for row in rows if row[2] == "batch" or row[1] == NUM_STEPS]
        tables["seen"] = {"rows": seen}
    assert measured["seen"] == unmeasured["seen"]


@pytest.mark.parametrize("read_every", [7, 32])
@pytest.mark.parametrize("keys", DIVERGING.values(), ids=DIVERGING)
def test_how_often_losses_are_read_changes_nothing(
    keys: dict[str, Any], read_every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "_NUM_BATCH_RECORDS", 17)  # windows of three minibatches
    runs = [make_run(**{**RARE, "dataset": "digits", **keys}, learning_rate=r) for r in (3, 30)]
    runs += fleet(**{**RARE, **keys})
    steps: list[int] = []
    monkeypatch.setitem(training.READ_LOSSES_EVERY, "cpu", 1)
    expected = train_fleet(runs, "cpu", steps.append)
    assert steps == list(range(1, 51))
    assert {"done", "diverged"} <= set(expected["runs"]["status"])
    monkeypatch.setitem(training.READ_LOSSES_EVERY, "cpu", read_every)
    read_at: list[int] = []
    assert bits(train_fleet(runs, "cpu", read_at.append)) == bits(expected)
    assert {1, 20, 33, 50} <= set(read_at)
    assert len(read_at) < (14 if read_every == 7 else 8)


def test_runs_that_diverge_between_two_reads_leave_at_their_own_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = {"optimizer": ("sgd", {"momentum": 0.9, "weight_decay": 1e-3}), "depth": 3}
    rates = (0.05, 30.0, 1e9, 1e25)
    runs = [make_run(**keys, dataset="digits", num_steps=60, learning_rate=rate) for rate in rates]
    monkeypatch.setitem(training.READ_LOSSES_EVERY, "cpu", 1)
    expected = train_fleet(runs)
    assert len({*expected["runs"]["diverged_at"]}) == 4
    monkeypatch.setitem(training.READ_LOSSES_EVERY, "cpu", 60)
    assert bits(train_fleet(runs)) == bits(expected)


class Reads(TorchFunctionMode):
    """Notes where the host asks for numbers, or makes tensors of its own, in a step."""

    asking = (
        *(Tensor.item, Tensor.tolist, Tensor.cpu, Tensor.numpy, Tensor.nonzero, torch.nonzero),
        *(Tensor.__bool__, Tensor.__int__, Tensor.__float__, Tensor.__index__, torch.tensor),
    )

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Any] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in self.asking:
            self.found.append(func)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("keys", DIVERGING.values(), ids=DIVERGING)
def test_between_two_reads_the_host_asks_for_no_number(
    keys: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: dict[str, list[Any]] = {"_take_step": [], "_read_losses": []}

    def watch(name: str) -> Callable[..., Any]:
        original = getattr(training._FleetTrainer, name)

        def watched(*args: Any) -> Any:
            with Reads() as mode:
                result = original(*args)
            reads[name].append(mode.found)
            return result

        return watched

    for name in reads:
        monkeypatch.setattr(training._FleetTrainer, name, watch(name))
    # as on a GPU
    monkeypatch.setenv(compiled.OFF, "off")
    monkeypatch.setitem(batches._SKIPS_BACKGROUND, "cpu", False)
    monkeypatch.setitem(training.READ_LOSSES_EVERY, "cpu", 32)
    train_fleet([run for run in fleet(**{**RARE, **keys}) if run.learning_rate < 1])
    assert reads["_take_step"] == [[]] * (50 - 4)
    # one read for all steps since the last one; later reads are of tensors on the host
    assert [found.count(Tensor.cpu) for found in reads["_read_losses"]] == [1] * 7


def test_arms_of_a_seed_share_weight_draws_batches_and_probes() -> None:
    keys: dict[str, Any] = {"num_steps": 0, "probe_steps": (0,)}
    small = make_run(initializer="normal", initializer__std=0.001, **keys)
    large = make_run(initializer="normal", initializer__std=0.002, **keys)
    tables = train_fleet([small, large])

    def spread(run_id: str) -> float:
        (value,) = (
            row["value"]
            for row in rows(tables, "layers", run_id)
            if row["quantity"] == "preactivation_std" and row["layer"] == 1
        )
        return float(value)

    assert spread(large.run_id) == pytest.approx(2 * spread(small.run_id), rel=1e-5)


def test_a_symmetric_start_stays_symmetric() -> None:
    run = make_run(initializer="constant", num_steps=6, learning_rate=0.5)
    twin = make_run(initializer="constant", num_steps=6, learning_rate=0.5, width=1)
    losses = batch_losses(train_fleet([run]), run.run_id)
    assert len(losses) == len(batch_losses(train_fleet([twin]), twin.run_id)) == 6
    assert losses[0] == pytest.approx(math.log(10), rel=0.05)


def test_losses_of_long_runs_are_means_over_windows() -> None:
    run = make_run(num_steps=450, depth=1, width=4, batch_size=8)
    expected, _ = oracle.train(run)
    curve = batch_losses(train_fleet([run]), run.run_id)
    assert len(curve) == 150
    means = torch.tensor(expected).reshape(150, 3).mean(1)
    assert curve[:30] == pytest.approx(means[:30].tolist(), rel=1e-3)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"network": "document_cnn", "dataset": "digits"}, "28 × 28"),
        ({"network__output": "sigmoid"}, "two classes"),
    ],
)
def test_parts_that_do_not_fit_are_named(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        train_fleet([make_run(**keys)])


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_first_update_does_not_wait_for_what_the_compiler_needs(optimizer):
    program = (
        "import sys; from configs import make_run;"
        "from relu_exp.engine.training import train_fleet;"
        f"train_fleet([make_run(dataset='digits', probe_steps=(0,), optimizer={optimizer!r})]);"
        "sys.exit('sympy' in sys.modules)"
    )
    place = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run([sys.executable, "-c", program], env=place, check=False)
    assert done.returncode == 0


def test_a_network_that_does_not_say_otherwise_gets_the_pixels_in_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Tensor] = []

    def looks(net: Any, x: Any, settings: Any) -> Tensor:
        seen.append(x.run_inputs())
        return net.sequence(x)

    entry = NETWORKS["mlp"]
    monkeypatch.setitem(
        NETWORKS._entries, "looks", Network("looks", entry.layers, looks, "", "", entry.settings)
    )
    run = make_run(evaluation_steps=(0,), num_steps=0)
    looking = dataclasses.replace(run, network=Choice("looks", run.network.settings))
    plain, tables = (train_fleet([each])["curves"]["loss"] for each in (run, looking))
    pixels = oracle.load(run.dataset).validation.inputs
    assert any(torch.equal(x[0].T, pixels[: x.shape[2]]) for x in seen)
    assert tables == pytest.approx(plain, rel=1e-5)
