"""Initializers: the formulas against torch.nn.init, by sampling and by closed forms."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from relu_exp.engine.activations import ACTIVATIONS
from relu_exp.engine.fleet.stack import build
from relu_exp.engine.initializers import INITIALIZERS, Fan, draw_weights, weight_variance

from configs import make_run

SHAPE = (300, 500)
FAN = Fan(fan_in=500, fan_out=300, activation_gain=5 / 3)


def drawn(name: str, **settings: Any) -> Tensor:
    z = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
    return draw_weights(INITIALIZERS.resolve(name, settings), z, FAN)


def torchs(initialize: Any, **settings: Any) -> Tensor:
    return initialize(torch.empty(SHAPE), generator=torch.Generator().manual_seed(2), **settings)


@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("normal", {"std": 0.3}, lambda: torchs(nn.init.normal_, std=0.3)),
        ("uniform", {"bound": 0.2}, lambda: torchs(nn.init.uniform_, a=-0.2, b=0.2)),
        ("xavier_normal", {}, lambda: torchs(nn.init.xavier_normal_)),
        ("xavier_uniform", {}, lambda: torchs(nn.init.xavier_uniform_)),
        ("xavier_uniform", {"gain": 2}, lambda: torchs(nn.init.xavier_uniform_, gain=2)),
        (
            "xavier_normal",
            {"gain": "activation"},
            lambda: torchs(nn.init.xavier_normal_, gain=5 / 3),
        ),
        ("he_normal", {}, lambda: torchs(nn.init.kaiming_normal_, nonlinearity="relu")),
        ("he_uniform", {}, lambda: torchs(nn.init.kaiming_uniform_, nonlinearity="relu")),
        (
            "he_normal",
            {"mode": "fan_out"},
            lambda: torchs(nn.init.kaiming_normal_, mode="fan_out", nonlinearity="relu"),
        ),
        ("lecun_normal", {}, lambda: torchs(nn.init.kaiming_normal_, nonlinearity="linear")),
        ("torch_default", {}, lambda: torchs(nn.init.kaiming_uniform_, a=math.sqrt(5))),
    ],
    # the name of a lambda holds its address, and pytest-xdist wants the same in every process
    ids=lambda value: "pytorch" if callable(value) else str(value),
)
def test_samples_have_the_distribution_of_pytorchs(
    name: str, settings: dict[str, Any], expected: Any
) -> None:
    ours, theirs = drawn(name, **settings).flatten(), expected().flatten()
    levels = torch.linspace(0.001, 0.999, 41)
    spread = theirs.std()
    torch.testing.assert_close(
        torch.quantile(ours, levels) / spread,
        torch.quantile(theirs, levels) / spread,
        atol=0.06,
        rtol=0.02,
    )


@pytest.mark.parametrize("name", INITIALIZERS)
def test_the_variance_that_theory_uses_is_that_of_the_weights(name: str) -> None:
    choice = INITIALIZERS.resolve(name, {})
    stated = weight_variance(choice, ACTIVATIONS.resolve("relu", {}), 500, 300)
    if stated is None:
        assert drawn(name).unique().numel() == 1
    else:
        assert drawn(name).square().mean().item() == pytest.approx(stated, rel=0.02)


def test_fan_average_he_is_sqrt_two_times_xavier() -> None:
    torch.testing.assert_close(
        drawn("he_normal", mode="fan_avg"), math.sqrt(2) * drawn("xavier_normal")
    )


@pytest.mark.parametrize("shape", [(40, 40), (20, 50), (50, 20), (8, 3, 3, 3)])
def test_orthogonal_has_orthonormal_rows_or_columns(shape: tuple[int, ...]) -> None:
    z = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    matrix = draw_weights(INITIALIZERS.resolve("orthogonal", {}), z, FAN).flatten(1)
    small = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    torch.testing.assert_close(small @ small.T, torch.eye(len(small)), atol=1e-5, rtol=0)


def test_normal_and_uniform_of_a_seed_share_their_luck() -> None:
    normal, uniform = drawn("xavier_normal").flatten(), drawn("xavier_uniform").flatten()
    assert uniform[normal.argsort()].diff().min() > -1e-6


def test_an_offset_puts_hidden_biases_on_both_sides_of_zero_and_nothing_else() -> None:
    plain = make_run(initializer="xavier_normal", depth=2, width=50, activation="tanh")
    run = make_run(initializer=("offset_xavier", {"offset": 3.0}), depth=2, width=50)
    offset, still = (build([each]) for each in (run, plain))
    for ours, theirs in zip(offset.weights, still.weights, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    *hidden, output = offset.biases
    for biases in hidden:
        assert set(biases.flatten().tolist()) == {-3.0, 3.0}
    assert not output.any()
