"""The compiled probe against autograd's and against a lone run's."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from relu_exp.core.schema import RunConfig
from relu_exp.engine.activations import largest_derivative
from relu_exp.engine.fleet import compiled_mlp
from relu_exp.engine.fleet.batches import Batches
from relu_exp.engine.fleet.stack import Stack, build
from relu_exp.engine.ops import compiled
from relu_exp.engine.ops.kernels import RULES
from relu_exp.engine.probes import compiled_probe, layer_statistics, measurements
from relu_exp.engine.probes.compiled_probe import probe
from relu_exp.engine.probes.layer_statistics import LayerStatistics
from relu_exp.engine.probes.observing import SATURATED

from configs import make_run

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(compiled.library() is None, reason="no C compiler, or no BLAS to call"),
]

Probed = Callable[..., LayerStatistics]


def fleet(**keys: Any) -> list[RunConfig]:
    keys = {"dataset": "digits", "depth": 3, "width": 20, "initializer": "he_normal", **keys}
    return [make_run(**keys, seed=seed) for seed in (0, 0, 1)]


def probed(runs: list[RunConfig], change: Callable[[Stack], None] | None = None) -> LayerStatistics:
    stack, batches = build(runs), Batches(runs[0], "cpu", 64)
    if change:
        with torch.no_grad():
            change(stack)
    below = torch.tensor([SATURATED * largest_derivative(run.activation) for run in runs])
    x = batches.probe([run.seed for run in runs])
    return layer_statistics.layer_statistics(stack, x, below)


@pytest.fixture
def by_autograd(monkeypatch: pytest.MonkeyPatch) -> Probed:
    def without_kernels(*arguments: Any) -> LayerStatistics:
        with monkeypatch.context() as patch:
            patch.setenv(compiled.OFF, "off")
            return probed(*arguments)

    return without_kernels


@pytest.fixture
def num_probes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows with every call of the kernel."""
    calls: list[int] = []

    def counted(*arguments: Any) -> Any:
        calls.append(1)
        return probe(*arguments)

    monkeypatch.setattr(layer_statistics.compiled_probe, "probe", counted)
    return calls


def assert_equal(ours: LayerStatistics, theirs: LayerStatistics, rtol: float = 1e-4) -> None:
    assert list(ours.values) == list(theirs.values)
    for quantity, values in theirs.values.items():
        assert torch.allclose(ours.values[quantity], values, rtol=rtol, atol=1e-6), quantity
    for one, other in zip(ours.histograms, theirs.histograms, strict=True):
        assert list(one) == list(other)
        for kind, (counts, extent) in other.items():
            assert torch.equal(one[kind][0].sum(1), counts.sum(1))
            # a value at the border of two bins may be in either
            assert int((one[kind][0] - counts).abs().sum()) <= counts.sum() // 500
            for end, expected in zip(one[kind][1], extent, strict=True):
                assert torch.allclose(end, expected, rtol=1e-4, atol=1e-6)
    for found, expected in zip(ours.zero_gradient, theirs.zero_gradient, strict=True):
        assert torch.equal(found, expected)


SHAPES: dict[str, dict[str, Any]] = {
    "one layer": {"depth": 1},
    "narrow below wide": {"network": ("mlp", {"widths": [5, 90, 7]}), "width": None},
    "wider than the batch": {"width": 130},
    "more features than are read of a row": {"dataset": "mnist5k", "depth": 2},
}


@pytest.mark.parametrize("keys", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("activation", sorted(RULES))
def test_it_says_what_autograd_says(
    activation: str, keys: dict[str, Any], by_autograd: Probed, num_probes: list[int]
) -> None:
    runs = fleet(**keys, activation=activation)
    ours = probed(runs)
    assert len(num_probes) == 1
    assert_equal(ours, by_autograd(runs))
    assert len(num_probes) == 1


@pytest.mark.parametrize("push", [-20.0, -60.0])
def test_gradients_of_units_far_out_are_not_lost(push: float, by_autograd: Probed) -> None:
    """Of ELU a + α is 0 there, and φ′ is not."""

    def push_out(stack: Stack) -> None:
        stack.biases[1].fill_(push)

    runs = fleet(activation="elu")
    ours, theirs = probed(runs, push_out), by_autograd(runs, push_out)
    for quantity in ("weight_grad_norm", "activation_grad_norm", "weight_grad_spread"):
        assert bool((ours.values[quantity] > 0).all())
        assert torch.allclose(ours.values[quantity], theirs.values[quantity], rtol=1e-3, atol=0)


def test_what_python_and_c_share_has_the_same_size() -> None:
    found = compiled.library()
    assert found is not None
    sizes = (ctypes.c_int * 6)()
    found.functions.mlp_sizes(sizes)
    found.functions.probe_sizes(ctypes.byref(sizes, 4 * ctypes.sizeof(ctypes.c_int)))
    layouts = (
        *(compiled_mlp._Layer, compiled_mlp._Batch, compiled_mlp._Gradients, compiled_mlp._Mlp),
        compiled_probe._Arguments,
    )
    assert [*sizes] == [*map(ctypes.sizeof, layouts), len(compiled_probe._NUMBERS)]


@pytest.mark.parametrize("activation", ["relu", "elu", "tanh", "sigmoid"])
def test_dead_and_far_units_are_the_same(activation: str, by_autograd: Probed) -> None:
    def push(stack: Stack) -> None:
        stack.biases[0][:, 2], stack.biases[1][1, 3], stack.biases[1][2, 4] = -200, -80, 30

    runs = fleet(activation=activation)
    ours = probed(runs, push)
    assert_equal(ours, by_autograd(runs, push))
    assert ours.zero_gradient[0][:, 2].all()
    assert not ours.zero_gradient[1].all()


def test_gradients_that_have_vanished_are_told_apart_from_none(by_autograd: Probed) -> None:
    def shrink(stack: Stack) -> None:
        for W in stack.weights:
            W *= 1e-8

    runs = fleet(activation="leaky_relu")
    ours = probed(runs, shrink)
    norms = ours.values["activation_grad_norm"]
    assert bool((norms > 0).all())
    assert float(norms.min()) < 1e-20
    assert torch.allclose(
        norms, by_autograd(runs, shrink).values["activation_grad_norm"], rtol=1e-4
    )


def test_what_is_no_number_in_one_run_harms_no_other() -> None:
    def spoil(stack: Stack) -> None:
        stack.weights[0][1, 0, 0] = torch.nan

    runs = fleet(activation="relu")
    ours, clean = probed(runs, spoil), probed(runs)
    for quantity, values in clean.values.items():
        assert torch.equal(ours.values[quantity][[0, 2]], values[[0, 2]])
    assert ours.values["preactivation_mean"][1].isnan().all()


@pytest.mark.equal_bits
def test_a_run_has_the_bits_that_it_has_alone() -> None:
    runs = fleet(activation="tanh")
    together, alone = probed(runs), probed(runs[2:])
    for quantity, values in alone.values.items():
        assert torch.equal(together.values[quantity][2:], values)
    for ours, theirs in zip(together.histograms, alone.histograms, strict=True):
        for kind in theirs:
            assert torch.equal(ours[kind][0][2:], theirs[kind][0])


def test_a_measurement_of_a_plugin_is_taken_beside_it(
    monkeypatch: pytest.MonkeyPatch, num_probes: list[int]
) -> None:
    def largest(probe: measurements.Probe) -> Tensor:
        return probe.z.flatten(1).amax(1)

    known = {"largest": largest, **measurements.MEASUREMENTS}
    monkeypatch.setattr(measurements, "MEASUREMENTS", known)
    found = probed(fleet())
    assert len(num_probes) == 1
    assert list(found.values) == list(known)
    of_layers = [each["preactivation"][1].maximum for each in found.histograms]
    assert torch.allclose(found.values["largest"], torch.stack(of_layers, dim=1), rtol=1e-5)


def test_other_networks_and_outputs_are_probed_by_autograd(num_probes: list[int]) -> None:
    for keys in (
        {"activation": "gelu"},
        {"network": "residual_mlp", "depth": 2},
        {"network": ("mlp", {"normalization": "batch"})},
        {"network": ("mlp", {"output": "regression"}), "dataset": "diabetes"},
    ):
        assert len(probed(fleet(**keys)).zero_gradient) == len(build(fleet(**keys)).hidden)
    assert num_probes == []
