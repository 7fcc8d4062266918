"""The fast parts: equal to the plain formula, and to the bit the same in every fleet."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from relu_exp.engine.activations import ACTIVATIONS
from relu_exp.engine.ops.kernels import (
    RULES,
    Elementwise,
    conv2d,
    convolutions,
    dense,
    grouped_convolution,
    linear,
    zero_gradient_units,
)
from relu_exp.engine.ops.layout import stacked
from relu_exp.engine.ops.samples import Samples

pytestmark = pytest.mark.usefixtures("one_thread")

DEFAULTS = {name: dict(ACTIVATIONS.resolve(name, {}).settings) for name in RULES}


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def grads_of(output: Tensor, *inputs: Tensor) -> list[Tensor]:
    weights = draw(*output.shape, seed=9)
    return [output, *torch.autograd.grad((output * weights).sum(), inputs, allow_unused=True)]


@pytest.mark.parametrize("name", RULES)
def test_a_fast_rule_equals_its_formula_forward_and_backward(name: str) -> None:
    phi = Elementwise(name, (DEFAULTS[name],) * 3)
    W, b = draw(3, 12, 8).requires_grad_(), draw(3, 12, 1, seed=1).requires_grad_()
    h, skip = draw(3, 8, 20, seed=2).requires_grad_(), draw(3, 12, 20, seed=3).requires_grad_()
    fast = grads_of(dense(h, W, b, phi, skip), h, W, b, skip)
    plain = grads_of(phi.plain(torch.baddbmm(b, W, h) + skip), h, W, b, skip)
    for ours, theirs in zip(fast, plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", RULES)
def test_a_fast_derivative_equals_the_formulas(name: str) -> None:
    phi = Elementwise(name, (DEFAULTS[name],))
    z = torch.linspace(-30, 30, 400).reshape(1, 4, 100)
    expected = torch.autograd.grad(phi.plain(p := z.clone().requires_grad_()).sum(), p)[0]
    a = phi.forward_(stacked(z.clone()))
    torch.testing.assert_close(phi.derivative(z, a), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", RULES)
def test_zero_gradient_units_have_a_zero_derivative_on_every_sample(name: str) -> None:
    phi = Elementwise(name, (DEFAULTS[name],) * 2)
    z = draw(2, 6, 10) * 3
    z[:, 0], z[0, 1], z[1, 2, 3:] = -500.0, 500.0, -500.0
    if phi.zero_gradient_units is None:  # its output rounds, so the pre-activations are needed
        assert name == "elu"
        return
    found = phi.zero_gradient_units(phi.plain(z))
    torch.testing.assert_close(found, zero_gradient_units(phi.derivative(z, phi.plain(z))))
    assert bool(found[0, 0]) == (name not in ("identity", "leaky_relu"))


def test_an_elu_unit_far_below_zero_is_not_dead() -> None:
    phi = Elementwise("elu", ({"alpha": 1.0},))
    z = torch.full((1, 1, 4), -40.0)
    assert bool((phi.derivative(z, phi.forward_(stacked(z.clone()))) > 0).all())


@pytest.mark.equal_bits
@given(
    st.sampled_from(sorted(RULES)),
    st.integers(1, 5),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 40),
    st.booleans(),
    st.integers(0, 40),
)
@settings(max_examples=150)
def test_bits_do_not_depend_on_the_fleet(
    name: str, runs: int, out: int, into: int, samples: int, is_shared: bool, num_used: int
) -> None:
    phi = Elementwise(name, (DEFAULTS[name],) * runs)
    W, b = draw(runs, out, into), draw(runs, out, 1, seed=1)
    labels = torch.zeros(1, samples, dtype=torch.int64)
    shared, own = draw(1, into, samples, seed=2), draw(runs, into, samples, seed=3)
    background = draw(into, seed=4)
    shared[0, num_used:] = background[num_used:, None]

    def through(part: slice, phi: Elementwise) -> list[Tensor]:
        w, c = W[part].clone().requires_grad_(), b[part].clone().requires_grad_()
        if is_shared:
            x = Samples(shared, labels, (len(w),)).with_background(background, [num_used])
            output = dense(x, w, c, phi)
            return [output, *torch.autograd.grad(output.sum(), (w, c))]
        h = own[part].clone().requires_grad_()
        output = dense(h, w, c, phi)
        return [output, *torch.autograd.grad(output.sum(), (h, w, c))]

    together = through(slice(0, runs), phi)
    for run in range(runs):
        alone = through(slice(run, run + 1), phi.keep([run]))
        for ours, theirs in zip(together, alone, strict=True):
            assert torch.equal(ours[run : run + 1], theirs)


@pytest.mark.parametrize(("out", "samples"), [(12, 20), (10, 20), (12, 5)])
@pytest.mark.parametrize("fused_update", [False, True])
def test_what_is_only_background_is_left_out_and_changes_nothing(
    out: int, samples: int, fused_update: bool
) -> None:
    inputs, background, phi = draw(2, 24, samples), draw(24, seed=1), Elementwise("tanh", ({},) * 3)
    inputs[0, 9:], inputs[1, 18:] = background[9:, None], background[18:, None]
    labels, sizes = torch.zeros(2, samples), (2, 1)

    def step(x: Samples) -> list[Tensor]:
        W, b = draw(3, out, 24, seed=2).requires_grad_(), draw(3, out, 1, seed=3).requires_grad_()
        a = dense(x, W, b, phi, fused_update=fused_update)
        value = a.detach().clone()
        (a * draw(3, out, samples, seed=4)).sum().backward()
        return [value, *([W.detach(), b.detach()] if fused_update else [W.grad, b.grad])]

    plain = Samples(inputs, labels, sizes)
    x = plain.with_background(background, [9, 18])
    assert x.num_active_features == (24, 24)
    for ours, theirs in zip(step(x), step(plain), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_runs_of_several_seeds_get_their_own_inputs() -> None:
    x = Samples(draw(2, 8, 6), torch.tensor([[1] * 6, [2] * 6]), (1, 2))
    W, b = draw(3, 4, 8), draw(3, 4, 1)
    torch.testing.assert_close(linear(x, W, b), torch.baddbmm(b, W, x.run_inputs()))
    assert x.run_labels()[:, 0].tolist() == [1, 2, 2]


def test_a_fleets_convolutions_are_those_of_each_run() -> None:
    h, W, b = draw(2, 3, 1, 6, 6), draw(2, 4, 1, 3, 3), draw(2, 4, 1)
    z = conv2d(h, W, b, padding=1)
    assert z.shape == (2, 3, 4, 6, 6)
    expected = torch.nn.functional.conv2d(h[1], W[1], b[1, :, 0], padding=1)
    torch.testing.assert_close(z[1], expected)


def test_one_grouped_convolution_is_the_convolutions_of_all_runs() -> None:
    h, W, b = (
        draw(*shape).requires_grad_() for shape in ((3, 5, 2, 6, 6), (3, 4, 2, 3, 3), (3, 4))
    )
    grouped = grads_of(grouped_convolution(h, W, b, 1), h, W, b)
    apart = grads_of(convolutions(h, W, b, 1), h, W, b)
    for ours, theirs in zip(grouped, apart, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("width", [12, 10])
@pytest.mark.parametrize("sizes", [None, (2, 1)])
def test_the_way_back_takes_the_step_that_the_gradients_say(
    width: int, sizes: tuple[int, ...] | None
) -> None:
    phi = Elementwise("tanh", ({},) * 3)
    inputs = draw(2 if sizes else 3, 8, 20, seed=2)
    h = Samples(inputs, torch.zeros(2, 20), sizes) if sizes else inputs
    skip, rates = draw(3, width, 20, seed=3), draw(3, 1, 1, seed=4)

    def step(fused_update: bool) -> list[Tensor]:
        W, b = draw(3, width, 8).requires_grad_(), draw(3, width, 1, seed=1).requires_grad_()
        loss = rates * dense(h, W, b, phi, skip, fused_update) * draw(3, width, 20, seed=9)
        loss.sum().backward()
        if fused_update:
            assert W.grad is None
            return [W.detach(), b.detach()]
        return [each.detach() - each.grad for each in (W, b)]

    for stepped, expected in zip(step(fused_update=True), step(fused_update=False), strict=True):
        torch.testing.assert_close(stepped, expected, rtol=1e-5, atol=1e-5)
