"""Summaries of a probe's tensors: the kernels and PyTorch's operations against float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from relu_exp.core.schema import HISTOGRAM_BINS
from relu_exp.engine.ops import compiled
from relu_exp.engine.probes import summaries

pytestmark = pytest.mark.usefixtures("one_thread")

SHAPES = [(3, 5, 7), (1, 1, 1), (2, 100, 64), (4, 1, 33), (2, 17, 1)]


@pytest.fixture(params=["on", "off"], autouse=True)
def switch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(compiled.OFF, request.param)
    return str(request.param)


def draw(*shape: int, scale: float = 1.0, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("shape", SHAPES)
def test_norms_neither_underflow_nor_overflow(shape: tuple[int, ...], scale: float) -> None:
    x, y = draw(*shape, scale=scale), draw(*shape, scale=scale, seed=1)
    exact = x.double().flatten(1).norm(dim=1)
    assert torch.allclose(summaries.norm(x).double(), exact, rtol=1e-5)
    exact = (x - y).double().flatten(1).norm(dim=1)
    assert torch.allclose(summaries.norm_of_difference(x, y).double(), exact, rtol=1e-5)


@pytest.mark.parametrize("shift", [0.0, 100.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_moments_are_those_of_their_definitions(shape: tuple[int, ...], shift: float) -> None:
    x = draw(*shape) + shift
    exact, found = x.double(), summaries.moments(x)
    of_units = exact.mean(2)
    expected = [
        exact.mean((1, 2)),
        exact.flatten(1).std(1, correction=0),
        (exact - of_units[..., None]).square().mean((1, 2)).sqrt(),
        of_units.square().mean(1).sqrt(),
    ]
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.allclose(ours.double(), theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_shares_are_counts(shape: tuple[int, ...]) -> None:
    a = draw(*shape).clamp(min=0)
    derivative = (a > 0).float() * draw(*shape, seed=1)
    derivative[:, 0] = 0
    limits = torch.linspace(0.1, 0.5, shape[0]).reshape(-1, 1, 1)
    found = summaries.shares(derivative, a, limits)
    expected = [
        (derivative.abs() <= limits).float().mean((1, 2)),
        (derivative == 0).all(2).float().mean(1),
        (a == 0).float().mean((1, 2)),
    ]
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("most", [3, 1000])
@pytest.mark.parametrize("scale", [1e-25, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_spread_is_the_distance_of_rows_from_their_mean(
    shape: tuple[int, ...], scale: float, most: int
) -> None:
    rows = draw(*shape, scale=scale)
    step = max(1, -(-shape[2] // most))
    exact = rows.double()[:, :, ::step]
    distance = (exact - exact.mean(1, keepdim=True)).flatten(1).norm(dim=1)
    expected = distance / exact.flatten(1).norm(dim=1)
    assert torch.allclose(summaries.spread(rows, most).double(), expected, rtol=1e-4, atol=1e-6)


def test_rows_that_are_equal_or_nothing_have_no_spread() -> None:
    equal = draw(2, 1, 9).expand(2, 4, 9).contiguous()
    equal[1] = 0
    assert summaries.spread(equal, 100).abs().max() < 1e-6


@pytest.mark.parametrize("most", [5, 1000])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("shape", [(3, 5, 7), (2, 100, 64), (2, 20, 300), (1, 3, 3)])
def test_an_effective_rank_is_the_participation_ratio_of_the_covariance(
    shape: tuple[int, ...], scale: float, most: int
) -> None:
    a = draw(*shape, scale=scale) + scale
    exact = a.double()[:, :, :: -(-shape[2] // most)]
    for run, found in enumerate(summaries.effective_rank(a, most).tolist()):
        eigenvalues = torch.linalg.eigvalsh(torch.atleast_2d(exact[run].cov()) / scale**2)
        expected = float(eigenvalues.sum() ** 2 / eigenvalues.square().sum())
        assert found == pytest.approx(expected, rel=1e-4)


def test_what_does_not_vary_or_is_no_number_has_no_rank() -> None:
    a = draw(5, 4, 30)
    alone = summaries.effective_rank(a[4:], 256)
    a[0], a[1], a[2, 1, 7], a[3, 0, 0] = 0, a[1, :, :1].clone(), math.inf, math.nan
    found = summaries.effective_rank(a, 256)
    assert found[:4].tolist() == [0, 0, 0, 0]
    assert torch.equal(found[4:], alone)


@pytest.mark.parametrize("kind", HISTOGRAM_BINS)
@pytest.mark.parametrize("shape", SHAPES)
def test_histograms_count_every_value_once(kind: str, shape: tuple[int, ...]) -> None:
    low, high, bins = HISTOGRAM_BINS[kind]
    values = draw(*shape, scale=5)
    counts, extent = summaries.histogram(values, kind)
    assert counts.dtype == torch.int32
    assert counts.sum(1).tolist() == [values[0].numel()] * shape[0]
    scaled = (values - low) * torch.tensor(bins / (high - low))
    for run in range(shape[0]):
        places = 1 + scaled[run].floor().clamp(-1, bins).long().flatten()
        assert torch.equal(counts[run].long(), torch.bincount(places, minlength=bins + 2))
    assert torch.equal(extent.minimum, values.flatten(1).amin(1))
    assert torch.equal(extent.maximum, values.flatten(1).amax(1))
    assert torch.allclose(extent.mean, values.flatten(1).mean(1), atol=1e-6)


def test_what_is_no_number_is_counted_above_and_shown() -> None:
    values = torch.zeros(3, 20)
    values[0, 3], values[1, 4], values[1, 5] = math.nan, math.inf, -math.inf
    counts, extent = summaries.histogram(values, "activation")
    assert counts[:, -1].tolist() == [1, 1, 0]
    assert counts[:, 0].tolist() == [0, 1, 0]
    assert torch.isnan(extent.minimum).tolist() == [True, False, False]
    assert torch.isnan(extent.maximum).tolist() == [True, False, False]
    assert extent.minimum[1] == -math.inf
    assert torch.isnan(summaries.norm(values)).tolist() == [True, False, False]
    assert summaries.norm(values)[1] == math.inf
    assert torch.isnan(summaries.moments(values[:, None]).mean).tolist() == [True, True, False]


@pytest.mark.equal_bits
@pytest.mark.parametrize("name", ["norm", "moments", "histogram", "spread"])
def test_a_run_has_the_same_summary_in_any_fleet(name: str) -> None:
    summary = {
        "norm": lambda x: (summaries.norm(x),),
        "moments": summaries.moments,
        "histogram": lambda x: (lambda found: (found[0], *found[1]))(
            summaries.histogram(x, "activation")
        ),
        "spread": lambda x: (summaries.spread(x, 5),),
    }[name]
    x = draw(5, 13, 29)
    for together, alone in zip(summary(x), summary(x[3:4].clone()), strict=True):
        assert torch.equal(together[3:4], alone)


def test_float64_keeps_its_precision() -> None:
    x = draw(2, 3, 4).double() + 1e-12
    assert summaries.norm(x).dtype == torch.float64
    assert torch.allclose(summaries.norm(x), x.flatten(1).norm(dim=1), rtol=1e-14)
