"""Measured quantities hold over the whole range of float32: they agree with float64.

Where a result lies beyond float32 it is infinite, which says that it overflowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from relu_exp.core.schema import HISTOGRAM_BINS, QUANTITIES
from relu_exp.engine.fleet.batches import Batches
from relu_exp.engine.fleet.stack import build
from relu_exp.engine.probes.measurements import (
    MEASUREMENTS,
    Probe,
    measure,
    update_ratio,
)
from relu_exp.engine.probes.summaries import histogram
from relu_exp.engine.training import train_fleet
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.explorer.compression import log_codes
from relu_exp.evidence.export import export
from relu_exp.evidence.figures import draw
from relu_exp.results.store import Store

import synthetic
from configs import make_run

pytestmark = pytest.mark.usefixtures("one_thread")

EXPONENTS = st.integers(-30, 30)
Array = NDArray[np.float64]


def spread(weight_grad: Array) -> float:
    apart = np.linalg.norm(weight_grad - weight_grad.mean(0))
    whole = np.linalg.norm(weight_grad)
    return float(apart / whole) if whole else 0.0


def rank(a: Array) -> float:
    centered = a - a.mean(1, keepdims=True)
    if not centered.any():
        return 0.0
    eigenvalues = np.linalg.eigvalsh(centered @ centered.T / np.abs(centered).max() ** 2)
    return float(eigenvalues.sum() ** 2 / (eigenvalues**2).sum())


@dataclass(frozen=True)
class Exact:
    """A probe of one run in float64, without the run axis."""

    z: Array
    a: Array
    derivative: Array
    activation_grad: Array
    weight_grad: Array
    saturated_below: float

    def as_probe(self) -> Probe:
        z, a, derivative, activation_grad, weight_grad = (
            torch.from_numpy(each).float()[None]
            for each in (self.z, self.a, self.derivative, self.activation_grad, self.weight_grad)
        )
        below = torch.full((1, 1, 1), self.saturated_below)
        return Probe(z, a, derivative, activation_grad, weight_grad, below)


REFERENCES: Mapping[str, Callable[[Exact], float]] = {
    "preactivation_mean": lambda probe: probe.z.mean(),
    "preactivation_std": lambda probe: probe.z.std(),
    "activation_mean": lambda probe: probe.a.mean(),
    "activation_std": lambda probe: probe.a.std(),
    "activation_sample_std": lambda probe: (
        probe.a.std(1).dot(probe.a.std(1)) ** 0.5 / len(probe.a) ** 0.5
    ),
    "activation_unit_mean_rms": lambda probe: np.linalg.norm(probe.a.mean(1)) / len(probe.a) ** 0.5,
    "saturated_fraction": lambda probe: (np.abs(probe.derivative) <= probe.saturated_below).mean(),
    "zero_fraction": lambda probe: (probe.a == 0).mean(),
    "dead_on_probe_fraction": lambda probe: (probe.derivative == 0).all(1).mean(),
    "weight_grad_norm": lambda probe: np.linalg.norm(probe.weight_grad),
    "activation_grad_norm": lambda probe: np.linalg.norm(probe.activation_grad),
    "weight_grad_spread": lambda probe: spread(probe.weight_grad),
    "effective_rank": lambda probe: rank(probe.a),
}
"""Every registered measurement in float64, by its definition."""


def test_every_measurement_is_compared_with_float64() -> None:
    assert set(REFERENCES) == set(MEASUREMENTS)
    # of the two that are no function of a probe, one is below and one counts units
    assert set(QUANTITIES) - set(REFERENCES) == {"update_ratio", "dead_fraction"}


def drawn(draws: np.random.Generator, *shape: int, exponent: int) -> Array:
    """Return normal numbers times a power of ten, as float32 has them."""
    values = draws.standard_normal(shape) * 10.0**exponent
    return values.astype(np.float32).astype(np.float64)


@given(
    EXPONENTS,
    EXPONENTS,
    EXPONENTS,
    EXPONENTS,
    st.integers(1, 9),
    st.integers(2, 40),
    st.integers(0, 99),
)
def test_every_quantity_agrees_with_float64(
    signal: int, slope: int, gradient: int, weight: int, units: int, samples: int, seed: int
) -> None:
    draws = np.random.default_rng(seed)
    z = drawn(draws, units, samples, exponent=signal)
    derivative = drawn(draws, units, samples, exponent=slope)
    # a dead unit now and then, and zeros among the others
    derivative[draws.random(units) < 0.3] = 0
    derivative[draws.random((units, samples)) < 0.2] = 0
    a = (np.maximum(z, 0) + np.where(draws.random(z.shape) < 0.5, z * 0.1, 0)).astype(np.float32)
    exact = Exact(
        z=z,
        a=a.astype(np.float64),
        derivative=derivative,
        activation_grad=drawn(draws, units, samples, exponent=gradient),
        weight_grad=drawn(draws, units, 7, exponent=weight),
        saturated_below=float(np.float32(0.3 * 10.0**slope)),
    )
    found = {name: float(value) for name, value in measure([exact.as_probe()]).items()}
    means = ("activation_mean", "activation_unit_mean_rms")
    largest = {"preactivation_mean": np.abs(z).max(), **dict.fromkeys(means, np.abs(exact.a).max())}
    for name, reference in REFERENCES.items():
        expected = float(reference(exact))
        # means cancel, and so do equal gradients
        least = 1e-6 * largest.get(name, 0.0) + (1e-6 if name == "weight_grad_spread" else 0)
        assert found[name] == pytest.approx(expected, rel=1e-3, abs=least), name


@given(EXPONENTS, EXPONENTS, st.integers(0, 99))
def test_the_size_of_an_update_agrees_with_float64(weight: int, change: int, seed: int) -> None:
    draws = np.random.default_rng(seed)
    before = drawn(draws, 5, 7, exponent=weight)
    after = (before + drawn(draws, 5, 7, exponent=change)).astype(np.float32).astype(np.float64)
    expected = np.linalg.norm(after - before) / np.linalg.norm(before)
    tensors = (torch.from_numpy(each).float()[None] for each in (before, after))
    (found,) = update_ratio(*tensors).tolist()
    if expected > torch.finfo(torch.float32).max:
        assert found == np.inf
    else:
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-44)


@pytest.mark.parametrize("kind", HISTOGRAM_BINS)
@given(exponent=EXPONENTS, seed=st.integers(0, 99))
def test_a_histogram_counts_every_value_and_knows_its_ends(
    kind: str, exponent: int, seed: int
) -> None:
    values = drawn(np.random.default_rng(seed), 6, 11, exponent=exponent)
    tensor = torch.from_numpy(values).float()[None]
    low, high, _ = HISTOGRAM_BINS[kind]
    counted, extent = histogram(tensor, kind)
    counts = counted[0].tolist()
    assert sum(counts) == values.size
    if exponent:
        assert counts[0] == (values < low).sum()
        assert counts[-1] == (values >= high).sum()
    minimum, maximum, mean = (float(each) for each in extent)
    assert (minimum, maximum) == (values.min(), values.max())
    assert mean == pytest.approx(values.mean(), rel=1e-4, abs=1e-6 * np.abs(values).max())


def test_what_float32_cannot_hold_is_infinite() -> None:
    large = torch.full((1, 4, 8), 3e38)
    grads = torch.full((1, 4, 7), torch.inf)
    probe = Probe(large, large, torch.ones_like(large), large, grads, torch.ones(1, 1, 1))
    found = {name: float(value) for name, value in measure([probe]).items()}
    for name in ("activation_grad_norm", "weight_grad_norm"):
        assert found[name] == np.inf
    for name in ("preactivation_mean", "activation_mean"):
        # a sum in float64, of the compiled kernels, holds it
        assert found[name] in (np.inf, np.float32(3e38))


# Gradients that vanish over many layers -------------------------------------------------------

RUN = {
    "activation": "sigmoid",
    "initializer": "torch_default",
    "depth": 25,
    "width": 100,
    "num_steps": 0,
    "probe_steps": (0,),
    "evaluation_steps": (0,),
}


def exact_norms() -> list[float]:
    """Return the gradient norm of every hidden layer's weights, in float64 by autograd."""
    run = make_run(**RUN)
    stack, batches = build([run]), Batches(run, "cpu", 64)
    weights = [W[0].detach().double().requires_grad_() for W in stack.weights]
    samples = batches.probe([run.seed])
    h = samples.inputs[0].double()
    for index, (W, b) in enumerate(zip(weights, stack.biases, strict=True)):
        h = W @ h + b[0].detach().double()
        h = h if index == len(weights) - 1 else torch.sigmoid(h)
    loss = torch.nn.functional.cross_entropy(h.T, samples.run_labels()[0])
    return [float(grad.norm()) for grad in torch.autograd.grad(loss, weights[:-1])]


@pytest.fixture(scope="module")
def vanishing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = make_run(**RUN)
    root = tmp_path_factory.mktemp("vanishing") / "default"
    synthetic.write(root, synthetic.configs()[:1])
    columns = train_fleet([run])
    columns["runs"] |= {"fleet_id": ["f"], "session": [synthetic.SESSION], "made_from": [None]}
    Store(root).write_part("fleet000000", columns)
    synthetic.write_manifest(Store(root), [run.run_id])
    return root


def test_gradients_that_vanish_over_many_layers_are_not_zero(vanishing: Path) -> None:
    layers = Frames.open(vanishing).read("layers", quantity=["weight_grad_norm"])
    found = layers.sort_values("layer")["value"].to_numpy()
    np.testing.assert_allclose(found, exact_norms(), rtol=1e-3)
    assert 1e-22 < found[0] < found[4] < 1e-17


def test_tables_and_tensorboard_are_given_them_as_they_are(vanishing: Path, tmp_path: Path) -> None:
    expected = exact_norms()
    csv = pd.read_csv(export(vanishing, "csv", tmp_path / "csv") / "layers.csv")
    rows = csv[csv["quantity"] == "weight_grad_norm"].sort_values("layer")
    np.testing.assert_allclose(rows["value"], expected, rtol=1e-3)
    (folder,) = export(vanishing, "tensorboard", tmp_path / "events").iterdir()
    events = EventAccumulator(str(folder))
    events.Reload()
    read = [events.Scalars(f"weight_grad_norm/layer_{n + 1:02}")[0].value for n in range(25)]
    np.testing.assert_allclose(read, expected, rtol=1e-3)


def test_they_are_drawn_on_an_axis_that_reaches_them(vanishing: Path) -> None:
    drawing = next(draw("gradient_by_layer", Frames.open(vanishing)))
    (axes,) = drawing.figure.axes
    assert axes.get_yscale() == "log"
    line = max(axes.lines, key=lambda line: len(line.get_xdata()))
    np.testing.assert_allclose(line.get_ydata(), exact_norms(), rtol=1e-3)
    assert axes.get_ylim()[0] < min(exact_norms())
    assert "Not drawn" not in drawing.caption


def test_the_explorer_codes_them_to_a_thousandth_of_a_decade() -> None:
    expected = np.array(exact_norms())
    codes = log_codes(expected)
    np.testing.assert_allclose(10 ** (codes / 1000), expected, rtol=2e-3)
    every = 10.0 ** np.arange(-30, 31)
    np.testing.assert_allclose(10 ** (log_codes(every) / 1000.0), every, rtol=2e-3)
