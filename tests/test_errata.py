"""Errata: the numbers in them, computed again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from relu_exp.evidence.claims.errata import ERRATA, Erratum

Array = NDArray[np.float64]
WIDTH = 100


def erratum(document: str, written: str) -> Erratum:
    """Return the erratum of a document whose English paraphrase holds some words."""
    (found,) = [one for one in ERRATA if one.document == document and written in one.written.en]
    return found


def relu(x: Array) -> Array:
    return np.maximum(x, 0.0)


def relu_slope(x: Array) -> Array:
    return (x > 0).astype(float)


def tanh_slope(x: Array) -> Array:
    return 1 - np.tanh(x) ** 2


def factor_a_layer(
    function: Callable[[Array], Array], slope: Callable[[Array], Array], std: float, depth: int
) -> float:
    """Return by what a gradient's size is multiplied from one layer to the one before it.

    The geometric mean over twenty networks of equal width before training.
    """
    logs = []
    for seed in range(20):
        generator = np.random.default_rng(seed)
        weights = [generator.normal(0, std, (WIDTH, WIDTH)) for _ in range(depth)]
        signal, slopes = generator.standard_normal((WIDTH, 32)), []
        for weight in weights:
            slopes.append(slope(weight @ signal))
            signal = function(weight @ signal)
        first = gradient = generator.standard_normal((WIDTH, 32))
        for weight, each in zip(reversed(weights), reversed(slopes), strict=True):
            gradient = weight.T @ (gradient * each)
        logs.append(np.log(np.linalg.norm(gradient) / np.linalg.norm(first)) / depth)
    return float(np.exp(np.mean(logs)))


def test_gradients_of_tanh_grow_where_its_outputs_saturate() -> None:
    found = factor_a_layer(np.tanh, tanh_slope, 1.0, depth=20)
    right = erratum("D2", "tanh's outputs gather").right
    assert f"about {found:.1f} times a layer" in right.en
    assert f"약 {found:.1f}배" in right.ko


def test_gradients_of_relu_vanish_by_the_weights_alone() -> None:
    default = factor_a_layer(relu, relu_slope, (3 * WIDTH) ** -0.5, depth=20)
    right = erratum("D0", "Tens of layers").right
    assert f"about {default:.2f} times a layer" in right.en
    assert f"약 {default:.2f}배" in right.ko
    # He's weights lose nothing in the mean square; of single networks a little at forty layers
    assert factor_a_layer(relu, relu_slope, (2 / WIDTH) ** 0.5, depth=40) == pytest.approx(
        1, abs=0.01
    )
    small = factor_a_layer(relu, relu_slope, 0.01, depth=20)
    right = erratum("D4", "in place of the sigmoid").right
    assert f"about {small:.2f} times a layer" in right.en
    assert f"약 {small:.2f}배" in right.ko


def test_the_slopes_of_rrelu_in_tests_are_those_of_pytorch_and_the_paper() -> None:
    right = erratum("D1", "RReLU").right
    pytorch, paper = -float(F.rrelu(torch.tensor([-1.0]))), 1 / ((3 + 8) / 2)
    for text in right:
        assert f"{pytorch:.3f}" in text
        assert f"1 / 5.5 = {paper:.3f}" in text


def test_the_second_derivative_of_elu_jumps_by_what_is_said() -> None:
    sides = []
    for x in (-1e-9, 1e-9):
        point = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(F.elu(point), point, create_graph=True)
        assert float(slope.detach()) == pytest.approx(1)
        (second,) = torch.autograd.grad(slope, point) if slope.requires_grad else (0.0,)
        sides.append(float(second))
    right = erratum("D2", "ELU with α = 1").right
    assert f"from {sides[0]:.0f} to {sides[1]:.0f}" in right.en
    assert f"{sides[0]:.0f}에서 {sides[1]:.0f}으로" in right.ko
