"""Measured quantities hold over the whole range of float32: they agree with float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from relu_exp.engine.probes.measurements import Probe, measure

pytestmark = pytest.mark.usefixtures("one_thread")

EXPONENTS = st.integers(-30, 30)
Array = NDArray[np.float64]


def spread(weight_grad: Array) -> float:
    apart = np.linalg.norm(weight_grad - weight_grad.mean(0))
    whole = np.linalg.norm(weight_grad)
    return float(apart / whole) if whole else 0.0


def rank(a: Array) -> float:
    centered = a - a.mean(1, keepdims=True)
    eigenvalues = np.linalg.eigvalsh(centered @ centered.T / np.abs(centered).max() ** 2)
    return float(eigenvalues.sum() ** 2 / (eigenvalues**2).sum())


@given(EXPONENTS, EXPONENTS, EXPONENTS, st.integers(1, 9), st.integers(2, 40), st.integers(0, 99))
def test_every_quantity_agrees_with_float64(
    signal: int, gradient: int, weight: int, units: int, samples: int, seed: int
) -> None:
    draws = np.random.default_rng(seed)

    def drawn(*shape: int, exponent: int) -> Array:
        values = draws.standard_normal(shape) * 10.0**exponent
        return values.astype(np.float32).astype(np.float64)

    z = drawn(units, samples, exponent=signal)
    a = np.maximum(z, 0) + z * 0.1
    a = a.astype(np.float32).astype(np.float64)
    by_activation = drawn(units, samples, exponent=gradient)
    by_weight = drawn(units, 7, exponent=weight)
    tensors = [torch.from_numpy(each).float()[None] for each in (z, a, by_activation, by_weight)]
    z_, a_, by_activation_, by_weight_ = tensors
    probe = Probe(
        z=z_,
        a=a_,
        derivative=torch.ones_like(a_),
        activation_grad=by_activation_,
        weight_grad=by_weight_,
        saturated_below=torch.full((1, 1, 1), 0.05),
    )
    found = {name: float(value) for name, value in measure([probe]).items()}
    largest = np.abs(z).max()
    assert found["preactivation_mean"] == pytest.approx(z.mean(), rel=1e-4, abs=1e-6 * largest)
    assert found["activation_mean"] == pytest.approx(a.mean(), rel=1e-4, abs=1e-6 * largest)
    assert found["preactivation_std"] == pytest.approx(z.std(), rel=1e-5)
    assert found["activation_std"] == pytest.approx(a.std(), rel=1e-5)
    assert found["activation_grad_norm"] == pytest.approx(np.linalg.norm(by_activation), rel=1e-5)
    assert found["weight_grad_norm"] == pytest.approx(np.linalg.norm(by_weight), rel=1e-5)
    assert found["weight_grad_spread"] == pytest.approx(spread(by_weight), rel=1e-4, abs=1e-6)
    assert found["effective_rank"] == pytest.approx(rank(a), rel=1e-3)


def test_gradients_that_vanish_over_many_layers_are_not_zero() -> None:
    from relu_exp.engine.training import train_fleet

    from configs import make_run

    run = make_run(
        activation="sigmoid",
        initializer="torch_default",
        depth=25,
        num_steps=0,
        probe_steps=(0,),
        evaluation_steps=(0,),
    )
    layers = train_fleet([run])["layers"]
    norms = [
        value
        for value, name in zip(layers["value"], layers["quantity"], strict=True)
        if name == "weight_grad_norm"
    ]
    assert len(norms) == 25
    assert 0 < norms[0] < 1e-15 < norms[-1]
    assert norms[1:] == sorted(norms[1:])
