"""Measurements against an independent NumPy pass and slow, plain counting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from relu_exp.core.schema import HISTOGRAM_BINS, QUANTITIES, RunConfig, histogram_edges
from relu_exp.engine.fleet.batches import Batches
from relu_exp.engine.probes.measurements import MEASUREMENTS
from relu_exp.engine.probes.summaries import histogram
from relu_exp.engine.streams import stream
from relu_exp.engine.training import train_fleet

import oracle
from configs import make_run

pytestmark = pytest.mark.usefixtures("one_thread")


def values(tables: dict[str, Any], quantity: str, step: int = 0) -> list[float]:
    table = tables["layers"]
    rows = zip(table["step"], table["layer"], table["quantity"], table["value"], strict=True)
    found = {layer: value for at, layer, name, value in rows if (at, name) == (step, quantity)}
    return [found[layer] for layer in sorted(found)]


def numpy_pass(run: RunConfig) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """Forward and backward over the probe batch in float64: z, a, dL/da, dL/dW of each layer."""
    x = Batches(run, "cpu", 64).probe([run.seed])
    h, y = x.inputs[0].double().numpy(), x.labels[0].numpy()
    weights = [layer.weight.detach().double().numpy() for layer in oracle.make_network(run).linears]
    weights[0] = weights[0][:, oracle.load(run.dataset).sorted_by_sparsity.order]
    phi = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0)}[run.activation.name]
    slope = {"tanh": lambda z: 1 - np.tanh(z) ** 2, "relu": lambda z: 1.0 * (z > 0)}
    zs, activations = [], [h]
    for W in weights[:-1]:
        zs.append(W @ activations[-1])
        activations.append(phi(zs[-1]))
    logits = weights[-1] @ activations[-1]
    p = np.exp(logits - logits.max(0))
    p /= p.sum(0)
    p[y, np.arange(len(y))] -= 1
    delta, by_a, by_W = p / len(y), [], []
    for index in range(len(zs) - 1, -1, -1):
        grad = weights[index + 1].T @ delta
        delta = grad * slope[run.activation.name](zs[index])
        by_a.insert(0, grad)
        by_W.insert(0, delta @ activations[index].T)
    return zs, activations[1:], by_a, by_W


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("initializer", ["xavier_normal", "he_normal"])
def test_statistics_agree_with_a_numpy_pass(activation: str, initializer: str) -> None:
    run = make_run(
        activation=activation, initializer=initializer, depth=3, num_steps=0, probe_steps=(0,)
    )
    tables = train_fleet([run, make_run(seed=1, activation=activation, num_steps=0)][:1])
    zs, activations, by_a, by_W = numpy_pass(run)
    expected = {
        "preactivation_mean": [z.mean() for z in zs],
        "preactivation_std": [z.std() for z in zs],
        "activation_mean": [a.mean() for a in activations],
        "activation_std": [a.std() for a in activations],
        "activation_sample_std": [np.sqrt(a.var(1).mean()) for a in activations],
        "activation_unit_mean_rms": [np.sqrt((a.mean(1) ** 2).mean()) for a in activations],
        "zero_fraction": [(a == 0).mean() for a in activations],
        "activation_grad_norm": [np.linalg.norm(grad) for grad in by_a],
        "weight_grad_norm": [np.linalg.norm(grad) for grad in by_W],
        "weight_grad_spread": [
            np.linalg.norm(grad - grad.mean(0)) / np.linalg.norm(grad)
            for grad in (grad[:, :: -(-grad.shape[1] // 256)] for grad in by_W)
        ],
        "effective_rank": [
            np.linalg.eigvalsh(np.cov(a)).sum() ** 2 / (np.linalg.eigvalsh(np.cov(a)) ** 2).sum()
            for a in activations
        ],
    }
    if activation == "relu":
        expected["saturated_fraction"] = expected["zero_fraction"]
        expected["dead_on_probe_fraction"] = [(z <= 0).all(1).mean() for z in zs]
    else:
        expected["saturated_fraction"] = [(1 - a**2 <= 0.05).mean() for a in activations]
    for quantity, each in expected.items():
        assert values(tables, quantity) == pytest.approx(each, rel=1e-4, abs=1e-6), quantity


def test_dead_units_are_dead_on_every_training_sample() -> None:
    run = make_run(
        depth=3, width=24, learning_rate=3.0, num_steps=3, probe_steps=(3,), probe_samples=16
    )
    tables = train_fleet([run])
    network = oracle.train(run)[1]
    h = oracle.load(run.dataset).train.inputs
    expected = []
    with torch.no_grad():
        for linear in list(network.linears)[:-1]:
            z = linear(h)
            expected.append((z <= 0).all(0))
            h = torch.relu(z)
    assert values(tables, "dead_fraction", 3) == pytest.approx(
        [dead.float().mean().item() for dead in expected]
    )
    assert any(0 < dead.float().mean() < 1 for dead in expected)
    rows = tables["dead_units"]
    for layer, size, mask in zip(rows["layer"], rows["num_units"], rows["mask"], strict=True):
        bits = np.unpackbits(np.frombuffer(mask, np.uint8))[:size]
        assert bits.tolist() == expected[layer - 1].int().tolist()


def test_dead_on_the_training_set_implies_dead_on_the_probe_batch() -> None:
    steps = (0, 1, 2, 4)
    run = make_run(
        learning_rate=1.0, num_steps=4, probe_steps=steps, evaluation_steps=steps, depth=4
    )
    tables = train_fleet([run])
    for step in steps:
        pairs = zip(
            values(tables, "dead_fraction", step),
            values(tables, "dead_on_probe_fraction", step),
            strict=True,
        )
        assert all(dead <= on_probe for dead, on_probe in pairs)


@pytest.mark.parametrize("activation", ["relu", "elu", "gelu"])
def test_what_is_evaluated_does_not_depend_on_what_is_probed(activation: str) -> None:
    alone, beside = (
        train_fleet([make_run(activation=activation, depth=3, probe_steps=steps)])
        for steps in ((), (4,))
    )
    assert alone["curves"]["loss"] == beside["curves"]["loss"]
    assert alone["curves"]["accuracy"] == beside["curves"]["accuracy"]


def test_dead_units_are_searched_where_a_probe_meets_an_evaluation() -> None:
    run = make_run(num_steps=8, probe_steps=(0, 1, 8), evaluation_steps=(1, 2, 8))
    found = zip(*(train_fleet([run])["layers"][key] for key in ("step", "quantity")), strict=True)
    assert {step for step, quantity in found if quantity == "dead_fraction"} == {1, 8}


def test_the_update_ratio_is_that_of_the_update_made() -> None:
    run = make_run(num_steps=1, probe_steps=(0, 1), learning_rate=0.1)
    before = [layer.weight.detach().clone() for layer in oracle.make_network(run).linears]
    after = [layer.weight.detach() for layer in oracle.train(run)[1].linears]
    expected = [
        float((new - old).norm() / old.norm()) for old, new in zip(before, after, strict=True)
    ]
    tables = train_fleet([run])
    assert values(tables, "update_ratio", 0) == pytest.approx(expected[:-1], rel=1e-3)
    assert values(tables, "update_ratio", 1) == []


@pytest.mark.parametrize("kind", HISTOGRAM_BINS)
def test_histograms_count_every_value_once(kind: str) -> None:
    # halves of a bin keep clear of the edges, where float32 and float64 may disagree
    generator = torch.Generator().manual_seed(0)
    edges = np.array(histogram_edges(kind))
    width = edges[1] - edges[0]
    bins = torch.randint(-30, len(edges) + 30, (3, 500), generator=generator)
    x = (edges[0] + (bins.double() + 0.5) * width).float()
    counts, _ = histogram(x, kind)
    assert counts.sum(1).tolist() == [500] * 3
    for row, ours in zip(x.double().numpy(), counts.tolist(), strict=True):
        inside = np.histogram(row, edges)[0].tolist()
        assert ours == [int((row < edges[0]).sum()), *inside, int((row >= edges[-1]).sum())]


def test_histograms_take_what_has_no_place() -> None:
    x = torch.tensor([[float("nan"), float("inf"), -float("inf"), 0.0, 1e30]])
    counts = histogram(x, "activation")[0][0]
    assert (counts[0], counts[-1], counts.sum()) == (1, 3, 5)


@pytest.mark.parametrize(("kind", "values"), [("activation", (-1, 0, 1)), ("preactivation", (0,))])
def test_pile_ups_sit_in_the_middle_of_a_bin(kind: str, values: tuple[int, ...]) -> None:
    edges = np.array(histogram_edges(kind))
    middles = (edges[1:] + edges[:-1]) / 2
    for value in values:
        assert np.abs(middles - value).min() < 1e-9


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu"])
@pytest.mark.parametrize(("initializer", "rank"), [("constant", 1), ("zeros", 0), ("he_normal", 3)])
def test_equal_units_have_rank_one_and_equal_gradients(
    activation: str, initializer: str, rank: int
) -> None:
    run = make_run(activation=activation, initializer=initializer, num_steps=0, probe_steps=(0,))
    tables = train_fleet([run])
    ranks, spreads = values(tables, "effective_rank"), values(tables, "weight_grad_spread")
    if rank == 3:
        assert min(ranks) > 1.5
        assert min(spreads) > 0.5
    else:
        assert ranks == pytest.approx([rank] * 2, abs=1e-4)
        assert spreads == pytest.approx([0, 0], abs=1e-5)


def test_the_effective_rank_of_many_samples_is_that_of_evenly_many() -> None:
    run = make_run(num_steps=0, probe_steps=(0,), probe_samples=600)
    tables = train_fleet([run])
    for found, a in zip(values(tables, "effective_rank"), numpy_pass(run)[1], strict=True):
        spectrum = np.linalg.eigvalsh(np.cov(a[:, ::3]))
        assert found == pytest.approx(spectrum.sum() ** 2 / (spectrum**2).sum(), rel=1e-4)


def test_gradients_that_all_but_vanished_still_differ() -> None:
    run = make_run(activation="tanh", initializer="normal", depth=16, num_steps=0, probe_steps=(0,))
    tables = train_fleet([run])
    assert max(values(tables, "weight_grad_norm")) < 1e-18
    assert min(values(tables, "weight_grad_spread")) > 0.5


def test_every_quantity_of_the_schema_is_measured() -> None:
    assert {*MEASUREMENTS, "dead_fraction", "update_ratio"} == set(QUANTITIES)


def test_probe_batches_come_from_the_training_set_and_stay_the_same() -> None:
    run = make_run(dataset__num_train=100, probe_samples=20)
    batches = Batches(run, "cpu", 64)
    probe = batches.probe([run.seed])
    data = oracle.load(run.dataset)
    own = data.train.inputs[oracle.own_training_set(run)][:, data.sorted_by_sparsity.order]
    order = torch.randperm(100, generator=stream(run.seed, "probe"))[:20]
    assert torch.equal(probe.inputs[0].T, own[order])
    assert torch.equal(batches.probe([run.seed]).inputs, probe.inputs)
