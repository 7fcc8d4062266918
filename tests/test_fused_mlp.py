"""The fused MLP: the same bits as its layers one by one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from relu_exp.engine.activations import ACTIVATIONS
from relu_exp.engine.fleet.fused_mlp import FusedMlp
from relu_exp.engine.ops import compiled
from relu_exp.engine.ops.kernels import RULES, Elementwise, dense, linear
from relu_exp.engine.ops.layout import stacked
from relu_exp.engine.ops.samples import Samples

pytestmark = pytest.mark.usefixtures("one_thread")

RUNS, FEATURES, SIZES = 3, 16, (2, 1)


@pytest.fixture(autouse=True)
def nothing_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.OFF, "off")


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def batch(step: int, samples: int) -> Samples:
    labels = torch.zeros(len(SIZES), samples, dtype=torch.int64)
    return Samples(draw(len(SIZES), FEATURES, samples, seed=100 + step), labels, SIZES)


def parameters(widths: list[int]) -> tuple[list[Tensor], list[Tensor]]:
    sizes = list(zip([FEATURES, *widths], [*widths, 3], strict=False))
    weights = [
        stacked(draw(RUNS, out, into, seed=out).div_(into)).requires_grad_() for into, out in sizes
    ]
    biases = [draw(RUNS, out, 1, seed=out + 1).requires_grad_() for _, out in sizes]
    return weights, biases


def layers(weights: list[Tensor], biases: list[Tensor], phi: Elementwise, x: Samples) -> Tensor:
    h: Tensor | Samples = x
    for W, b in zip(weights[:-1], biases[:-1], strict=True):
        h = dense(h, W, b, phi, fused_update=True)
    return linear(h, weights[-1], biases[-1], fused_update=True)


def trained(widths: list[int], phi: Elementwise, is_fused: bool, samples: int = 20) -> list[Tensor]:
    weights, biases = parameters(widths)
    mlp = FusedMlp(weights, biases, phi, batch(0, samples))
    outputs = []
    for step in range(4):
        x = batch(step, samples)
        z = mlp(x) if is_fused else layers(weights, biases, phi, x)
        outputs.append(z.detach().clone())
        torch.autograd.backward(z.square().mean((1, 2)), torch.tensor([0.01, 0.02, 0.03]))
    return [*outputs, *weights, *biases]


@pytest.mark.equal_bits
@pytest.mark.parametrize("samples", [20, 7, 1])
@pytest.mark.parametrize("widths", [[8], [8, 8, 8], [10, 13, 5], [50, 50]])
@pytest.mark.parametrize("name", RULES)
def test_a_fused_mlp_trains_as_its_layers_do_one_by_one(
    name: str, widths: list[int], samples: int
) -> None:
    phi = Elementwise(name, (dict(ACTIVATIONS.resolve(name, {}).settings),) * RUNS)
    fused, separate = trained(widths, phi, True, samples), trained(widths, phi, False, samples)
    for ours, theirs in zip(fused, separate, strict=True):
        assert torch.isfinite(ours).all()
        assert torch.equal(ours, theirs)


def test_every_run_of_a_fused_mlp_keeps_its_own_slope() -> None:
    phi = Elementwise("leaky_relu", tuple({"negative_slope": 0.1 * run} for run in range(RUNS)))
    for ours, theirs in zip(trained([8], phi, True), trained([8], phi, False), strict=True):
        assert torch.isfinite(ours).all()
        assert torch.equal(ours, theirs)


def test_a_pass_whose_activations_were_overwritten_has_no_backward_pass() -> None:
    weights, biases = parameters([8])
    mlp = FusedMlp(weights, biases, Elementwise("relu", ({},) * RUNS), batch(0, 20))
    first = mlp(batch(0, 20))
    mlp(batch(1, 20))
    with pytest.raises(RuntimeError, match="overwritten"):
        first.sum().backward()
