"""Activation functions: the formulas against PyTorch's modules and closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from relu_exp.core.schema import UsageError
from relu_exp.engine.activations import ACTIVATIONS, gain, largest_derivative, value_and_derivative

from oracle import MODULES

X = torch.linspace(-8, 8, 161, dtype=torch.float64)


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name in MODULES])
def test_values_and_derivatives_are_pytorchs(name: str) -> None:
    choice = ACTIVATIONS.resolve(name, {})
    module = MODULES[name](choice.as_dict()).double()
    x = X.clone().requires_grad_()
    expected = module(x)
    (slope,) = torch.autograd.grad(expected.sum(), x)
    value, derivative = value_and_derivative(choice, X)
    torch.testing.assert_close(value, expected.detach(), atol=1e-7, rtol=1e-7)
    away_from_kink = X != 0
    torch.testing.assert_close(
        derivative[away_from_kink], slope[away_from_kink], atol=1e-7, rtol=1e-7
    )


def test_step_jumps_at_zero_and_has_no_slope() -> None:
    value, derivative = value_and_derivative(ACTIVATIONS.resolve("step", {}), X)
    assert torch.equal(value, (X >= 0).double())
    assert not derivative.any()


def test_rrelu_is_random_in_training_and_its_mean_in_evaluation() -> None:
    choice = ACTIVATIONS.resolve("rrelu", {"lower": 0.1, "upper": 0.3})
    function = ACTIVATIONS["rrelu"].function
    value, _ = value_and_derivative(choice, X)
    torch.testing.assert_close(value, torch.where(X > 0, X, 0.2 * X))
    ends = [
        function(X, **choice.as_dict(), noise=torch.full_like(X, share)) for share in (0.0, 1.0)
    ]
    torch.testing.assert_close(ends[0], torch.where(X > 0, X, 0.1 * X))
    torch.testing.assert_close(ends[1], torch.where(X > 0, X, 0.3 * X))


@given(st.floats(0, 0.99))
def test_a_leak_below_one_is_the_larger_of_two_lines(negative_slope: float) -> None:
    choice = ACTIVATIONS.resolve("leaky_relu", {"negative_slope": negative_slope})
    value, _ = value_and_derivative(choice, X)
    torch.testing.assert_close(value, torch.maximum(X, negative_slope * X))
    assert gain(choice) == pytest.approx(math.sqrt(2 / (1 + negative_slope**2)), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    # 1/√E[tanh²] = 1.5925, the gain 5/3 of torch.nn.init is a convention
    [("identity", 1.0), ("relu", math.sqrt(2)), ("step", math.sqrt(2)), ("tanh", 1.59254)],
)
def test_gains_keep_the_second_moment(name: str, expected: float) -> None:
    assert gain(ACTIVATIONS.resolve(name, {})) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("name", "expected"), [("sigmoid", 0.25), ("tanh", 1.0), ("relu", 1.0)])
def test_the_largest_derivative_is_the_textbooks(name: str, expected: float) -> None:
    assert largest_derivative(ACTIVATIONS.resolve(name, {})) == pytest.approx(expected, rel=1e-4)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"did you mean leaky_relu\?"):
        ACTIVATIONS.resolve("leaky_rely", {})
    with pytest.raises(UsageError, match=r"did you mean negative_slope\?"):
        ACTIVATIONS.resolve("leaky_relu", {"negative_slop": 0.1})
