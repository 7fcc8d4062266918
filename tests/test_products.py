"""Products of stacked matrices: whatever their sizes, and wherever they are stored."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from relu_exp.engine.fleet.stack import build
from relu_exp.engine.ops import products
from relu_exp.engine.ops.layout import aligned, kept, new_stack, padded, placed, stacked
from relu_exp.engine.ops.products import Multiplication, add_product_, product
from relu_exp.engine.ops.samples import (
    Samples,
    shared_gradient,
    shared_product,
    subtract_shared_gradient_,
)

from configs import make_run

pytestmark = pytest.mark.usefixtures("one_thread")

SIZES = st.integers(1, 13)
LINE = 64


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def begin_aligned(stack: Tensor) -> bool:
    return not any(part.data_ptr() % LINE for part in stack)


@given(SIZES, SIZES, SIZES, st.booleans())
def test_every_runs_matrix_begins_where_a_lone_one_does(
    runs: int, m: int, n: int, is_transposed: bool
) -> None:
    matrices = draw(runs, n, m).transpose(1, 2) if is_transposed else draw(runs, m, n)
    found = placed(matrices)
    assert torch.equal(found, matrices)
    assert begin_aligned(found)
    assert placed(found).data_ptr() == found.data_ptr()
    # the same call as for a run alone: equal strides within the run, whatever the fleet
    assert placed(matrices[:1].clone()).stride()[1:] == found.stride()[1:]


@given(SIZES, SIZES, SIZES)
def test_the_padding_of_a_stack_holds_numbers_and_may_be_computed_with(
    runs: int, m: int, n: int
) -> None:
    matrices = draw(runs, m, n)
    stack = stacked(matrices.clone())
    assert torch.isfinite(padded(stack)).all()
    assert padded(stack).numel() % 64 == 0
    padded(stack).mul_(2)
    assert torch.equal(stack, 2 * matrices)
    assert torch.equal(kept(stack, torch.tensor([runs - 1])), stack[-1:])


def test_what_begins_elsewhere_is_moved_and_so_is_its_gradient() -> None:
    x = draw(3, 5).requires_grad_()
    moved = aligned(x[1:, :3])
    assert moved.data_ptr() % LINE == 0
    assert torch.equal(moved, x[1:, :3])
    moved.sum().backward()
    assert torch.equal(x.grad[1:, :3], torch.ones(2, 3))


@given(SIZES, SIZES, SIZES, SIZES)
@settings(max_examples=60)
def test_products_are_those_of_every_run(runs: int, m: int, k: int, n: int) -> None:
    A, B = draw(runs, m, k).double(), draw(runs, n, k, seed=1).double().transpose(1, 2)
    expected = torch.stack([a @ b for a, b in zip(A, B, strict=True)])
    torch.testing.assert_close(product(A, B), expected)
    W = stacked(draw(runs, m, n, seed=2).double())
    before = W.clone()
    add_product_(W, A, B, alpha=-1)
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
    x = plain.with_background(background, [min(num_used, features)] * 2)
    W, dz = draw(3, out, features, seed=2).double(), draw(3, out, samples, seed=3).double()
    X = x.run_inputs()
    torch.testing.assert_close(shared_product(W, plain), W @ X)
    expected = dz @ X.transpose(1, 2)
    torch.testing.assert_close(shared_gradient(dz, x), expected)
    stored = stacked(W.clone())
    subtract_shared_gradient_(stored, dz, x)
    torch.testing.assert_close(stored, W - expected)


@pytest.fixture
def unknown_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_has_equal_bits", {})
    monkeypatch.setattr(products, "_num_uses", products.Counter())


@pytest.mark.usefixtures("unknown_shapes")
@pytest.mark.parametrize("alpha", [None, -1.0])
def test_a_batched_call_with_other_bits_is_found_and_not_taken(
    alpha: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def imprecise(self: Multiplication) -> None:
        value = torch.einsum("rmk,rkn->rmn", self.A.double(), self.B.double()).float()
        self.C.copy_(value if self.alpha is None else self.C + self.alpha * value)

    monkeypatch.setattr(Multiplication, "_batched", imprecise)
    A, B = stacked(draw(3, 5, 40)), stacked(draw(3, 40, 7, seed=1))
    start = stacked(draw(3, 5, 7, seed=2))
    results = []
    for _ in range(5):
        C = stacked(start.clone())
        results.append(Multiplication(C, A, B, alpha)().clone())
    assert Multiplication(C, A, B, alpha).is_batched is False
    for run in range(3):
        alone = stacked(start[run : run + 1].clone())
        Multiplication(
            alone, stacked(A[run : run + 1].clone()), stacked(B[run : run + 1].clone()), alpha
        )()
        assert all(torch.equal(result[run], alone[0]) for result in results)


@pytest.mark.usefixtures("unknown_shapes")
def test_a_batched_call_with_the_same_bits_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Multiplication, "_batched", Multiplication._run_by_run)
    A, B = stacked(draw(3, 5, 4)), stacked(draw(3, 4, 7, seed=1))
    C = new_stack(A, 5, 7)
    for _ in range(3):
        Multiplication(C, A, B)()
    assert Multiplication(C, A, B).is_batched is True


def test_parameters_are_stacks_also_those_of_runs_that_stay() -> None:
    stack = build([make_run(width=13, seed=seed) for seed in range(3)])
    for parameter in (*stack.parameters(), *stack.keep([0, 2]).parameters()):
        assert begin_aligned(parameter.detach())


@pytest.mark.usefixtures("unknown_shapes")
def test_the_plan_says_which_path_a_shape_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    alone, _ = products.paths([(1, 5, 40, 7), (3, 5, 40, 7)])
    assert (alone.is_batched, alone.slowdown) == (True, 1.0)

    def imprecise(self: Multiplication) -> None:
        self.C.copy_(torch.bmm(self.A.double(), self.B.double()).float())

    monkeypatch.setattr(Multiplication, "_batched", imprecise)
    products._has_equal_bits.clear()
    (path,) = products.paths([(3, 5, 40, 7)] * 2)
    assert (path.shape, path.is_batched) == ((3, 5, 40, 7), False)
    assert path.slowdown > 0
