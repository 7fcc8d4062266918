"""The maximum over squares against PyTorch's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from relu_exp.engine.ops import compiled
from relu_exp.engine.ops.pooling import max_pool


@pytest.mark.parametrize("shape", [(2, 3, 4, 8, 6), (2, 3, 5, 7), (1, 1, 2, 2), (2, 1, 3, 9)])
@pytest.mark.parametrize("has_ties", [False, True])
@pytest.mark.parametrize("kernels", ["on", "off"])
def test_values_and_gradients_are_those_of_pytorch(
    shape: tuple[int, ...], has_ties: bool, kernels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(compiled.OFF, kernels)
    maps = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    maps = (maps.clamp_min(0) if has_ties else maps).requires_grad_()
    ours = max_pool(maps)
    theirs = F.max_pool2d(maps.flatten(0, -4), 2, 2).reshape(ours.shape)
    assert torch.equal(ours, theirs)
    weights = torch.rand(ours.shape, generator=torch.Generator().manual_seed(1))
    found, expected = (
        torch.autograd.grad((weights * pooled).sum(), maps)[0] for pooled in (ours, theirs)
    )
    assert torch.equal(found, expected)


def test_what_is_no_number_stays_none() -> None:
    maps = torch.zeros(1, 1, 2, 4)
    maps[0, 0, 1, 2] = torch.nan
    assert torch.equal(max_pool(maps).isnan(), torch.tensor([[[[False, True]]]]))


def test_maps_may_lie_in_any_order() -> None:
    maps = torch.randn(2, 3, 4, 8, 6, generator=torch.Generator().manual_seed(0))
    turned = maps.transpose(1, 2).contiguous().transpose(1, 2)
    assert torch.equal(max_pool(turned), max_pool(maps))
