"""The compiled kernels against the formulas in float64, PyTorch's operations and a lone run."""

from __future__ import annotations

import ctypes
import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from relu_exp.engine.activations import ACTIVATIONS
from relu_exp.engine.fleet.compiled_mlp import KINDS, CompiledMlp
from relu_exp.engine.fleet.fused_mlp import FusedMlp
from relu_exp.engine.ops import compiled
from relu_exp.engine.ops.kernels import RULES, Elementwise
from relu_exp.engine.ops.layout import new_stack, placed, stacked
from relu_exp.engine.ops.samples import Samples
from relu_exp.engine.training import train_fleet

from configs import make_run

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(compiled.library() is None, reason="no C compiler, or no BLAS to call"),
]

RUNS, FEATURES, CLASSES, SIZES = 3, 16, 4, (2, 1)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def activation(name: str) -> Elementwise:
    settings = dict(ACTIVATIONS.resolve(name, {}).settings)
    key = KINDS[name][1]
    # every run with a setting of its own
    return Elementwise(
        name, tuple({**settings, key: 0.1 + 0.2 * run} if key else settings for run in range(RUNS))
    )


def parameters(widths: list[int]) -> tuple[list[Tensor], list[Tensor]]:
    sizes = list(pairwise([FEATURES, *widths, CLASSES]))
    weights = [stacked(draw(RUNS, out, into, seed=out) / into**0.5) for into, out in sizes]
    return weights, [stacked(draw(RUNS, out, 1, seed=out + 1)) for _, out in sizes]


def batch(samples: int, by_sample: bool = True, has_background: bool = False) -> Samples:
    inputs = draw(len(SIZES), FEATURES, samples, seed=100)
    if by_sample:
        inputs = placed(inputs.transpose(1, 2).contiguous().transpose(1, 2))
    labels = torch.randint(
        CLASSES, (len(SIZES), samples), generator=torch.Generator().manual_seed(5)
    )
    x = Samples(inputs, labels, SIZES)
    if not has_background:
        return x
    background = draw(FEATURES, seed=7)
    for group, active in enumerate((9, 16)):
        x.inputs[group, active:] = background[active:, None]
    x = x.with_background(background, (9, 16))
    # rounded up to more than there are: as many as were stated
    return Samples(x.inputs, x.labels, SIZES, (9, 16), background)


def kernel(weights: list[Tensor], biases: list[Tensor], phi: Elementwise, n: int) -> CompiledMlp:
    buffers = [new_stack(W, W.shape[1], n) for W in weights]
    return CompiledMlp(weights, biases, phi, n, buffers)


def take_step(
    weights: list[Tensor], biases: list[Tensor], phi: Elementwise, x: Samples, rates: Tensor
) -> Tensor:
    return kernel(weights, biases, phi, x.labels.shape[1]).take_steps([x], rates[None])[0]


@pytest.mark.parametrize("name", RULES)
def test_every_fast_activation_has_a_kernel_with_its_values_and_slopes(name: str) -> None:
    number, key = KINDS[name]
    setting = 0.7 if key else 0.0
    z = torch.cat([draw(1003) * scale for scale in (1e-6, 1e-2, 1, 10)] + [torch.zeros(1)])
    found = compiled.library()
    assert found is not None
    a = z.clone()
    found.functions.values(number, compiled.pointer(a), len(a), ctypes.c_float(setting))
    point = z.double().requires_grad_()
    exact = ACTIVATIONS[name].function(
        point, **({key: float(torch.tensor(setting))} if key else {})
    )
    assert torch.allclose(a.double(), exact, rtol=4e-7, atol=1e-30)
    slope, ones = a.clone(), torch.ones_like(a)
    found.functions.slopes(
        number, compiled.pointer(slope), compiled.pointer(ones), len(a), ctypes.c_float(setting)
    )
    derivative = torch.autograd.grad(exact.sum(), point)[0]
    away = z != 0  # where ReLU and its kin have a corner
    assert torch.allclose(slope.double()[away], derivative[away], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", RULES)
def test_what_is_no_number_stays_none(name: str) -> None:
    found = compiled.library()
    assert found is not None
    a = torch.tensor([math.nan, math.inf, -math.inf, 1.0])
    expected = ACTIVATIONS[name].function(a.clone())
    setting = ACTIVATIONS.resolve(name, {}).as_dict().get(KINDS[name][1], 0.0)
    found.functions.values(KINDS[name][0], compiled.pointer(a), 4, ctypes.c_float(setting))
    assert torch.equal(torch.isnan(a), torch.isnan(expected)) or name == "step"
    assert torch.allclose(a[1:], expected[1:], atol=1e-6, equal_nan=True)


def test_a_sigmoid_far_out_is_0_also_where_denormal_numbers_are_kept() -> None:
    torch.set_flush_denormal(False)
    a = torch.tensor([-87.0, -89.0, -200.0, math.nan])
    found = compiled.library()
    assert found is not None
    found.functions.values(KINDS["sigmoid"][0], compiled.pointer(a), 4, ctypes.c_float(0))
    assert float(a[0]) > 0
    assert a[1:3].tolist() == [0, 0]
    assert a[3].isnan()


@pytest.mark.parametrize("has_background", [False, True])
@pytest.mark.parametrize("by_sample", [False, True])
@pytest.mark.parametrize("samples", [20, 7, 1])
@pytest.mark.parametrize("widths", [[], [8], [10, 13, 5]])
@pytest.mark.parametrize("name", RULES)
def test_a_compiled_pass_updates_as_the_stack_does(
    name: str,
    widths: list[int],
    samples: int,
    by_sample: bool,
    has_background: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    phi, x = activation(name), batch(samples, by_sample, has_background)
    trained = []
    for switch in ("on", "off"):
        monkeypatch.setenv(compiled.OFF, switch)
        weights, biases = parameters(widths)
        mlp = FusedMlp(weights, biases, phi, x)
        assert (mlp.compiled is not None) is (switch == "on")
        outputs = mlp.forward(x).clone()
        mlp.backward(stacked(0.01 * draw(RUNS, CLASSES, samples, seed=3)), x)
        trained.append([outputs, *weights, *biases])
    for ours, theirs in zip(*trained, strict=True):
        assert torch.isfinite(ours).all()
        assert torch.allclose(ours, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("has_background", [False, True])
@pytest.mark.parametrize("name", RULES)
def test_a_compiled_step_is_a_step_of_gradient_descent_in_float64(
    name: str, has_background: bool
) -> None:
    phi, x, rates = activation(name), batch(20, True, has_background), torch.tensor([0.1, 0.2, 0.3])
    weights, biases = parameters([10, 13])
    exact = [each.double().requires_grad_() for each in (*weights, *biases)]
    losses, accuracies = [], []
    for run, group in enumerate((0, 0, 1)):
        h = x.inputs[group].double()
        for layer in range(3):
            h = exact[layer][run] @ h + exact[3 + layer][run]
            if layer < 2:
                h = ACTIVATIONS[name].function(h, **phi.settings[run])
        losses.append(F.cross_entropy(h.T, x.labels[group]))
        accuracies.append((h.argmax(0) == x.labels[group]).double().mean())
    (torch.stack(losses) * rates).sum().backward()
    stated = torch.stack([torch.stack(losses), torch.stack(accuracies)]).detach()
    grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in exact]
    mlp = kernel(weights, biases, phi, 20)
    numbers, by_outputs = mlp.losses(x, rates)
    assert torch.allclose(numbers.double(), stated, rtol=1e-5)
    for ours, theirs in zip(mlp.gradients(by_outputs, x), grads, strict=True):
        assert torch.allclose(ours.double(), theirs, rtol=1e-5, atol=1e-6)
    assert torch.equal(take_step(weights, biases, phi, x, rates), numbers)
    for ours, theirs, grad in zip((*weights, *biases), exact, grads, strict=True):
        assert torch.allclose(ours.double(), (theirs - grad).detach(), rtol=1e-5, atol=1e-6)


def test_of_equal_logits_the_first_class_counts() -> None:
    weights, biases = parameters([])
    for each in (*weights, *biases):
        each.zero_()
    x = batch(20)
    loss, accuracy = take_step(weights, biases, activation("relu"), x, torch.zeros(RUNS))
    assert torch.allclose(loss, torch.full((RUNS,), math.log(CLASSES)))
    shares = [(x.labels[group] == 0).float().mean() for group in (0, 0, 1)]
    assert torch.allclose(accuracy, torch.stack(shares))


def test_a_run_that_is_no_number_harms_no_other() -> None:
    weights, biases = parameters([8])
    weights[0][1, 0, 0] = math.nan
    x, alone = batch(20), [each.clone() for each in (*weights, *biases)]
    numbers = take_step(weights, biases, activation("relu"), x, torch.full((RUNS,), 0.1))
    assert torch.isfinite(numbers[0]).tolist() == [True, False, True]
    for ours, theirs in zip((*weights, *biases), alone, strict=True):
        assert torch.isfinite(ours[[0, 2]]).all()
        assert not torch.equal(ours[0], theirs[0])


@pytest.mark.equal_bits
@pytest.mark.parametrize("samples", [33, 1])
def test_a_run_of_a_kernel_has_the_bits_that_it_has_alone(samples: int) -> None:
    phi, x = activation("elu"), batch(samples)
    weights, biases = parameters([10, 13])
    single = [[stacked(each[2:].clone()) for each in these] for these in (weights, biases)]
    rates = torch.tensor([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]])
    together = kernel(weights, biases, phi, samples).take_steps([x, x], rates)
    x_alone = Samples(placed(x.inputs[1:]), x.labels[1:], (1,))
    alone = kernel(*single, phi.keep([2]), samples).take_steps([x_alone] * 2, rates[:, 2:])
    assert torch.equal(together[:, :, 2:], alone)
    for ours, theirs in zip((*weights, *biases), (*single[0], *single[1]), strict=True):
        assert torch.equal(ours[2:], theirs)


@pytest.mark.equal_bits
def test_steps_taken_in_a_row_have_the_bits_of_steps_taken_one_by_one() -> None:
    phi, batches = activation("relu"), [batch(20), batch(20, has_background=True), batch(20)]
    rates = torch.tensor([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1], [0.0, 0.1, 0.5]])
    (weights, biases), others = parameters([10, 13]), parameters([10, 13])
    numbers = kernel(weights, biases, phi, 20).take_steps(batches, rates)
    for x, rate, found in zip(batches, rates, numbers, strict=True):
        assert torch.equal(take_step(*others, phi, x, rate), found)
    for ours, theirs in zip((*weights, *biases), (*others[0], *others[1]), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", sorted(set(RULES) - {"elu"}))
def test_an_evaluation_finds_the_units_without_a_slope(name: str) -> None:
    phi, x = activation(name), batch(50)
    weights, biases = parameters([10, 13])
    biases[0][:, 2], biases[1][1, 3] = -100, -200  # dead, or far out on a sigmoid
    outputs, flat = CompiledMlp(weights, biases, phi, 50).evaluate(x)
    h = x.run_inputs()
    for layer in range(3):
        h = weights[layer] @ h + biases[layer]
        if layer < 2:
            h = phi.forward_(stacked(h))
            find = phi.zero_gradient_units
            assert find is not None
            assert torch.equal(flat[layer], find(h))
    assert torch.allclose(outputs, h, rtol=1e-5, atol=1e-5)
    assert bool(flat[0].any()) is (name in ("step", "sigmoid", "tanh", "relu"))


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "leaky_relu", "elu"])
def test_a_training_has_the_same_curves_and_layers_without_kernels(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(
        activation=name,
        depth=3,
        width=20,
        num_steps=30,
        learning_rate=0.05,
        probe_steps=(0, 30),
        evaluation_steps=(0, 30),
    )
    with_kernels = train_fleet([run])
    monkeypatch.setenv(compiled.OFF, "off")
    without = train_fleet([run])
    for table, column in (("curves", "loss"), ("layers", "value")):
        ours, theirs = (torch.tensor(each[table][column]) for each in (with_kernels, without))
        assert len(ours) == len(theirs) > 0
        assert torch.allclose(ours, theirs, rtol=2e-3, atol=1e-5)
    assert with_kernels["dead_units"] == without["dead_units"]


def test_the_kernels_are_built_once_and_again_if_the_file_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls: list[Path] = []
    build = compiled._compile
    monkeypatch.setattr(
        compiled, "_compile", lambda compiler, out: (calls.append(out), build(compiler, out))
    )
    built = compiled._built()
    assert compiled._built() == built
    assert len(calls) == 1
    built.write_bytes(b"half a file")
    assert compiled._loaded.__wrapped__() is not None
    assert len(calls) == 2


@pytest.mark.parametrize("compiler", ["false", "no-such-compiler"])
def test_where_nothing_can_be_compiled_pytorch_computes(
    compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CC", compiler)
    assert compiled._loaded.__wrapped__() is None


def test_a_folder_that_cannot_be_written_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "relu-exp").write_text("a file where the folder would be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert compiled._loaded.__wrapped__() is None


def test_what_others_could_have_written_is_not_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    built = compiled._built()
    built.chmod(0o666)
    with pytest.raises(PermissionError, match="others may write"):
        compiled._built()
    assert compiled._loaded.__wrapped__() is None
    built.chmod(0o644)
    built.parent.chmod(0o777)
    assert compiled._loaded.__wrapped__() is None
