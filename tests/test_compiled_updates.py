"""The compiled updates have the bits of PyTorch's operations, but for its square roots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from relu_exp.engine.ops import compiled, compiled_updates
from relu_exp.engine.ops.layout import stacked
from relu_exp.engine.optimizers import OPTIMIZERS

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(compiled.library() is None, reason="no C compiler, or no BLAS to call"),
]

SETTINGS: dict[str, tuple[str, dict[str, float]]] = {
    "momentum": ("sgd", {"momentum": 0.9}),
    "decay": ("sgd", {"weight_decay": 1e-3}),
    "momentum and decay": ("sgd", {"momentum": 0.3, "weight_decay": 0.1}),
    "clipped": ("sgd", {"gradient_clip": 0.1}),
    "adam": ("adam", {}),
    "adam with decay": ("adam", {"beta1": 0.0, "weight_decay": 0.01}),
    "adamw": ("adamw", {"weight_decay": 0.1}),
    "rmsprop": ("rmsprop", {}),
    "rmsprop with momentum": ("rmsprop", {"momentum": 0.9, "weight_decay": 0.01}),
}


RUNS = (0, 1, 2)


def trained(name: str, settings: dict[str, float], runs: Sequence[int] = RUNS) -> list[Tensor]:
    """Return the parameters of runs, and what the optimizer remembers, after some steps."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((3, 13, 37), (3, 13, 1), (3, 4, 2, 5, 5), (3, 1, 1))
    index = torch.tensor(runs)
    parameters = [stacked(torch.randn(shape, generator=generator)[index]) for shape in shapes]
    optimizer = OPTIMIZERS[name].make(torch.tensor([0.3, 1e-3, 1e-9])[index], **settings)
    for scale in (1.0, 1e-3, 1e-12, 0.0, 1.0, 1e3, 1e-30):
        gradients = [scale * torch.randn(shape, generator=generator)[index] for shape in shapes]
        optimizer.step(gradients, parameters, num_decaying=2)
    state: Any = vars(optimizer).values()
    kept = [tensor for each in state if isinstance(each, list) for tensor in each]
    return [each.detach() for each in (*parameters, *kept)]


@pytest.mark.parametrize(("name", "settings"), SETTINGS.values(), ids=SETTINGS)
def test_an_update_is_that_of_the_formula(
    name: str, settings: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = trained(name, settings)
    monkeypatch.setenv(compiled.OFF, "off")
    theirs = trained(name, settings)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.isfinite(one).all()
        if name == "sgd":
            assert torch.equal(one, other)
        else:
            assert torch.allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.equal_bits
@pytest.mark.parametrize(("name", "settings"), SETTINGS.values(), ids=SETTINGS)
def test_an_update_of_a_run_has_the_bits_that_it_has_alone(
    name: str, settings: dict[str, float]
) -> None:
    for together, alone in zip(trained(name, settings), trained(name, settings, [2]), strict=True):
        assert torch.equal(together[2:], alone)


@pytest.mark.parametrize("has_kernels", [True, False])
def test_what_a_kernel_cannot_read_is_left_to_the_formula(
    has_kernels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    w, rates = torch.ones(2, 3, 4), torch.ones(2)
    if not has_kernels:
        monkeypatch.setenv(compiled.OFF, "off")
    for g in (torch.ones(2, 4, 3).transpose(1, 2), torch.ones(2, 3, 4, dtype=torch.float64)):
        assert not compiled_updates.sgd(w, g, None, rates, 0.0, 0.0)
    assert compiled_updates.sgd(w, torch.ones(2, 3, 4), None, rates, 0.0, 0.0) is has_kernels
    assert torch.equal(w, torch.zeros(2, 3, 4) if has_kernels else torch.ones(2, 3, 4))
