"""Mean-field theory: right against closed forms, another quadrature and real wide networks."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from relu_exp.core.schema import Choice, RunConfig
from relu_exp.engine.activations import ACTIVATIONS, value_and_derivative
from relu_exp.engine.initializers import INITIALIZERS
from relu_exp.engine.probes.theory import gaussian_nodes, predict


def gaussian_mean(function, variances):
    """Return E[f(√q z)] for each variance q."""
    x, weights = gaussian_nodes(variances)
    return (function(x) * weights).sum(dim=-1)


VARIANCES = torch.logspace(-12, 6, 73, dtype=torch.float64)


def config(activation="relu", initializer="he_normal", network="mlp", **settings):
    return RunConfig(
        activation=ACTIVATIONS.resolve(activation, settings),
        initializer=INITIALIZERS.resolve(initializer, {}),
        network=Choice(network),
        dataset=Choice("gaussian"),
        optimizer=Choice("sgd"),
        depth=3,
        width=100,
        learning_rate=0.1,
        batch_size=10,
        num_steps=0,
        seed=0,
        probe_steps=(0,),
        probe_samples=10,
        evaluation_steps=(),
    )


# Quadrature ----------------------------------------------------------------------------------

CLOSED_FORMS = {
    "E[x²] = q": (lambda x: x.square(), lambda q: q),
    "E[relu²] = q/2": (lambda x: x.relu().square(), lambda q: q / 2),
    "E[relu] = √(q/2π)": (torch.relu, lambda q: (q / (2 * math.pi)).sqrt()),
    "E[step] = 1/2": (lambda x: (x >= 0).double(), lambda q: torch.full_like(q, 0.5)),
    "E[σ] = 1/2": (torch.sigmoid, lambda q: torch.full_like(q, 0.5)),
    "E[erf²] = 2/π asin(2q/(1+2q))": (
        lambda x: torch.erf(x).square(),
        lambda q: 2 / math.pi * torch.asin(2 * q / (1 + 2 * q)),
    ),
    "E[erf′²] = 4/π /√(1+4q)": (
        lambda x: 4 / math.pi * torch.exp(-2 * x.square()),
        lambda q: 4 / math.pi / (1 + 4 * q).sqrt(),
    ),
    "E[x gelu] = q/2": (
        lambda x: x * torch.nn.functional.gelu(x),
        lambda q: q / 2,
    ),
}


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_gaussian_means_agree_with_closed_forms_at_every_variance(name):
    function, closed = CLOSED_FORMS[name]
    torch.testing.assert_close(
        gaussian_mean(function, VARIANCES), closed(VARIANCES), rtol=1e-9, atol=0
    )


@settings(max_examples=50)
@given(slope=st.floats(0, 1), log_variance=st.floats(-30, 30))
def test_leaky_relu_keeps_one_plus_slope_squared_over_two(slope, log_variance):
    q = torch.tensor(10**log_variance, dtype=torch.float64)
    leaky = ACTIVATIONS.resolve("leaky_relu", {"negative_slope": slope})
    mean = gaussian_mean(lambda x: value_and_derivative(leaky, x)[0].square(), q)
    assert mean.item() == pytest.approx(q.item() * (1 + slope**2) / 2, rel=1e-9)


@pytest.mark.parametrize("which", ["value", "derivative"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_agrees_with_adaptive_quadrature(name, which):
    choice = ACTIVATIONS.resolve(name, {})

    def square(x):
        value, derivative = value_and_derivative(choice, torch.as_tensor(x, dtype=torch.float64))
        return (value if which == "value" else derivative).square()

    for q in (1e-6, 0.3, 5.0, 400.0):
        found = gaussian_mean(square, torch.tensor(q, dtype=torch.float64)).item()
        bends = [sign * bend / math.sqrt(q) for sign in (-1, 1) for bend in (1, 5)]
        expected, _ = (
            quad(
                lambda z, q=q: float(square(math.sqrt(q) * z)) * math.exp(-z * z / 2),
                -9,
                9,
                points=[0, *(z for z in bends if abs(z) < 9)],
                limit=200,
                epsabs=0,
                epsrel=1e-7,
            )
            if found
            else (0.0, 0.0)
        )
        assert found == pytest.approx(expected / math.sqrt(2 * math.pi), rel=1e-6)


def test_no_variance_means_the_value_at_zero():
    zero = torch.zeros(2, dtype=torch.float64)
    assert gaussian_mean(torch.sigmoid, zero).tolist() == pytest.approx([0.5, 0.5], rel=1e-12)


# Against a real network ----------------------------------------------------------------------

FUNCTIONS = {
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "sigmoid": (
        lambda x: 1 / (1 + np.exp(-x)),
        lambda x: np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))) ** 2,
    ),
}
WEIGHT_STD = {
    "xavier_normal": lambda fan_in, fan_out: math.sqrt(2 / (fan_in + fan_out)),
    "he_normal": lambda fan_in, fan_out: math.sqrt(2 / fan_in),
    "normal": lambda fan_in, fan_out: 0.01,
}
WIDTHS = [600, 1200, 1200, 1000, 1200]
FANS = list(itertools.pairwise(WIDTHS))


def measured(activation, initializer, inputs):
    """Return the four quantities of every hidden layer, by NumPy alone."""
    phi, slope = FUNCTIONS[activation]
    generator = np.random.default_rng(7)
    weights, preactivations, a = [], [], inputs
    layers = []
    for fan_in, fan_out in FANS:
        std = WEIGHT_STD[initializer](fan_in, fan_out)
        weights.append(generator.normal(0, std, (fan_in, fan_out)))
        preactivations.append(a @ weights[-1])
        a = phi(preactivations[-1])
        layers.append((preactivations[-1].std(), a.mean(), a.std()))
    gradient = generator.normal(size=a.shape)
    norms = [np.linalg.norm(gradient)]
    for W, h in zip(weights[:0:-1], preactivations[:0:-1], strict=True):
        gradient = (gradient * slope(h)) @ W.T
        norms.append(np.linalg.norm(gradient))
    return np.array(layers).T, np.array(norms[::-1])


@pytest.mark.parametrize("initializer", WEIGHT_STD)
@pytest.mark.parametrize("activation", FUNCTIONS)
def test_theory_agrees_with_a_wide_network_to_three_percent(activation, initializer):
    generator = np.random.default_rng(3)
    # samples of very different length, so that the mean over samples matters
    inputs = generator.normal(size=(60, WIDTHS[0])) * generator.uniform(0.2, 3, (60, 1))
    theory = predict(
        config(activation, initializer), FANS, torch.from_numpy((inputs**2).mean(axis=1))
    )
    (preactivation_std, mean, std), norms = measured(activation, initializer, inputs)
    np.testing.assert_allclose(theory["preactivation_std"], preactivation_std, rtol=0.03)
    scale = np.hypot(mean, std)
    np.testing.assert_allclose(theory["activation_mean"] / scale, mean / scale, atol=0.03)
    np.testing.assert_allclose(theory["activation_std"], std, rtol=0.03)
    predicted = np.cumprod(theory["gradient_factor"][::-1])[::-1]
    np.testing.assert_allclose(predicted, norms / norms[-1], rtol=0.03)


# What is known of it -------------------------------------------------------------------------


def test_he_keeps_the_signal_and_the_gradient_of_relu():
    theory = predict(config("relu", "he_normal"), [(100, 100)] * 8, torch.ones(5))
    assert theory["preactivation_std"] == pytest.approx([math.sqrt(2)] * 8)
    assert theory["gradient_factor"] == pytest.approx([1] * 8)


def test_xavier_halves_the_second_moment_of_relu_in_every_layer():
    theory = predict(config("relu", "xavier_normal"), [(100, 100)] * 8, torch.ones(5))
    ratios = np.divide(theory["preactivation_std"][1:], theory["preactivation_std"][:-1])
    assert ratios == pytest.approx([math.sqrt(0.5)] * 7)
    assert theory["gradient_factor"] == pytest.approx([math.sqrt(0.5)] * 7 + [1])


def test_sigmoid_gradients_shrink_to_less_than_a_quarter_in_every_layer_under_xavier():
    theory = predict(config("sigmoid", "xavier_normal"), [(100, 100)] * 8, torch.ones(5))
    assert max(theory["gradient_factor"][:-1]) <= 0.25


def test_the_step_function_lets_no_gradient_through():
    theory = predict(config("step", "xavier_normal"), [(100, 100)] * 3, torch.ones(5))
    assert theory["gradient_factor"] == [0, 0, 1]


def test_drawn_biases_add_their_variance():
    theory = predict(config("tanh", "torch_default"), [(50, 80)], torch.tensor([0.0, 0.0]))
    assert theory["preactivation_std"] == pytest.approx([math.sqrt(1 / 150)])


@pytest.mark.parametrize(
    ("name", "slope"), [("prelu", 0.25), ("rrelu", (1 / 8 + 1 / 3) / 2), ("relu", 0)]
)
def test_prelu_has_its_first_slope_and_rrelu_its_mean(name, slope):
    theory = predict(config(name, "he_normal"), [(100, 100)] * 2, torch.ones(1))
    assert theory["preactivation_std"][1] == pytest.approx(math.sqrt(2 * (1 + slope**2)))


@pytest.mark.parametrize(
    "changes",
    [{"initializer": "zeros"}, {"initializer": "constant"}, {"network": "residual_mlp"}],
)
def test_where_theory_does_not_hold_it_is_silent(changes):
    assert predict(config(**changes), [(100, 100)] * 2, torch.ones(5)) == {}
    assert predict(config(), [], torch.ones(5)) == {}


def test_every_prediction_has_a_value_for_every_layer_and_nothing_overflows():
    for name in ACTIVATIONS:
        theory = predict(config(name, "he_normal"), [(10_000, 10)] * 100, torch.ones(2) * 1e4)
        assert set(theory) == {
            "preactivation_std",
            "activation_mean",
            "activation_std",
            "gradient_factor",
        }
        assert all(len(values) == 100 for values in theory.values())
        assert all(math.isfinite(value) for values in theory.values() for value in values)
