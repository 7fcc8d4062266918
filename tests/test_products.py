"""Products of stacked matrices: whatever their sizes, and wherever they are stored."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from relu_exp.engine.fleet.stack import build
from relu_exp.engine.ops.products import (
    VECTOR,
    Samples,
    in_whole_vectors,
    product,
    shared_gradient,
    shared_product,
    subtract_product_,
    subtract_shared_gradient_,
)

from configs import make_run

pytestmark = pytest.mark.usefixtures("one_thread")

SIZES = st.integers(1, 13)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def begins(stack: Tensor) -> set[int]:
    """Return where in memory the rows of a stack begin; its columns, if those are in one piece."""
    rows = stack if stack.stride(2) == 1 else stack.transpose(1, 2)
    offset, (of_run, of_row, _) = rows.storage_offset(), rows.stride()
    return {
        offset + run * of_run + row * of_row
        for run in range(rows.shape[0])
        for row in range(rows.shape[1])
    }


@given(SIZES, SIZES, SIZES, st.booleans())
def test_every_row_begins_with_a_vector(runs: int, m: int, n: int, is_transposed: bool) -> None:
    stack = draw(runs, n, m).transpose(1, 2) if is_transposed else draw(runs, m, n)
    stored = in_whole_vectors(stack)
    assert torch.equal(stored, stack)
    assert not any(place % VECTOR for place in begins(stored))
    again = in_whole_vectors(stored)
    assert again.data_ptr() == stored.data_ptr()
    assert again.stride() == stored.stride()


@given(SIZES, SIZES, SIZES, SIZES)
@settings(max_examples=60)
def test_products_are_those_of_every_run(runs: int, m: int, k: int, n: int) -> None:
    A, B = draw(runs, m, k).double(), draw(runs, n, k, seed=1).double().transpose(1, 2)
    expected = torch.stack([a @ b for a, b in zip(A, B, strict=True)])
    torch.testing.assert_close(product(A, B), expected)
    W = in_whole_vectors(draw(runs, m, n, seed=2).double())
    before = W.clone()
    subtract_product_(W, A, B)
    torch.testing.assert_close(W, before - expected)


@given(SIZES, SIZES, SIZES, st.integers(0, 12))
@settings(max_examples=60)
def test_shared_products_are_those_of_every_run(
    out: int, features: int, samples: int, num_used: int
) -> None:
    background = draw(features, seed=1).double()
    inputs = draw(2, features, samples).double()
    inputs[:, num_used:] = background[num_used:, None]
    plain = Samples(inputs, torch.zeros(2, samples), (2, 1))
    x = plain.reaching([min(num_used, features)] * 2, background)
    W, dz = draw(3, out, features, seed=2).double(), draw(3, out, samples, seed=3).double()
    X = x.run_inputs()
    torch.testing.assert_close(shared_product(W, plain), W @ X)
    expected = dz @ X.transpose(1, 2)
    torch.testing.assert_close(shared_gradient(dz, x), expected)
    stored = in_whole_vectors(W.clone())
    subtract_shared_gradient_(stored, dz, x)
    torch.testing.assert_close(stored, W - expected)


def test_weights_are_stored_in_whole_vectors_also_those_of_runs_that_stay() -> None:
    stack = build([make_run(width=13, seed=seed) for seed in range(3)])
    for W in (*stack.weights, *stack.keep([0, 2]).weights):
        assert not any(place % VECTOR for place in begins(W))
