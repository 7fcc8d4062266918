"""Theory of residual networks against simulation, and none where it does not hold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import relu_exp
from relu_exp.inspection import mean_field, measuring
from relu_exp.inspection.seeing import Seeing

pytestmark = pytest.mark.usefixtures("one_thread")

WIDTH, DEPTH, DRAWS = 512, 6, 4
FUNCTIONS = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}


class Residual(nn.Module):
    """Dense residual blocks of several kinds, float64, of one seed."""

    def __init__(self, kind: str, phi: Any, seed: int, width: int = WIDTH) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.kind, self.phi = kind, phi
        self.inputs, self.outputs = nn.Linear(30, width), nn.Linear(width, 10)
        self.one = nn.ModuleList(nn.Linear(width, width) for _ in range(DEPTH))
        self.two = nn.ModuleList(nn.Linear(width, width) for _ in range(DEPTH))
        if kind not in ("two products", "in place", "after"):
            self.two = nn.ModuleList()
        self.norm = nn.LayerNorm(width)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.in_features**-0.5)
                nn.init.normal_(module.bias, std=0.2)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        phi, h = self.phi, self.inputs(x)
        for index, one in enumerate(self.one):
            if self.kind == "one product":
                h = h + phi(one(h))
            elif self.kind == "two products":
                h = h + self.two[index](phi(one(h)))
            elif self.kind == "in place":
                branch = self.two[index](phi(one(h)))
                branch += h
                h = branch
            elif self.kind == "before":
                h = h + one(phi(h))
            elif self.kind == "every other":
                h = h + phi(one(h)) if index % 2 else phi(one(h))
            elif self.kind == "after":
                h = phi(h + self.two[index](phi(one(h))))
            elif self.kind == "same weights":
                h = h + phi(self.one[0](h))
            elif self.kind == "skipped twice":
                h = h + phi(one(h)) + h
            elif self.kind == "normalized":
                h = h + phi(one(self.norm(h)))
            elif self.kind == "scaled":
                h = h + 0.1 * phi(one(h))
        return self.outputs(h)


def inspected(kind: str, phi: Any, seed: int, width: int = WIDTH) -> Any:
    network = Residual(kind, phi, seed, width)
    # samples of different sizes, each with a gradient of the same size
    x = torch.randn(64, 30, dtype=torch.float64) * torch.linspace(0.5, 2, 64)[:, None]
    signs = torch.randn(64, 10, dtype=torch.float64)
    return relu_exp.inspect(network, (x, None), loss=lambda out, _: (out * signs).sum())


@pytest.mark.parametrize("phi", FUNCTIONS)
@pytest.mark.parametrize(
    "kind", ["one product", "two products", "in place", "before", "every other"]
)
def test_theory_of_residual_networks_is_what_draws_of_width_512_give(kind: str, phi: str) -> None:
    """The geometric mean of four draws is within 6% of theory in every layer, one within 15%.

    The mean of the activations is within a tenth of their spread, one within a fifth.
    """
    ratios: dict[str, list[Any]] = {}
    for seed in range(DRAWS):
        report = inspected(kind, FUNCTIONS[phi], seed)
        assert len(report.layers) == DEPTH
        assert set(report.predictions) == {
            "preactivation_std",
            "activation_mean",
            "activation_std",
            "gradient_factor",
        }
        values = {
            name: np.array([layer.values[name] for layer in report.layers])
            for name in report.layers[0].values
        }
        theory = {name: np.array(each) for name, each in report.predictions.items()}
        grads = values["activation_grad_norm"]
        back = np.cumprod(theory["gradient_factor"][::-1])[::-1]
        for name in ("preactivation_std", "activation_std"):
            ratios.setdefault(name, []).append(np.log(values[name] / theory[name]))
        ratios.setdefault("gradient", []).append(np.log(grads / grads[-1] / back))
        shift = (values["activation_mean"] - theory["activation_mean"]) / theory["activation_std"]
        ratios.setdefault("mean", []).append(shift)
    for name, each in ratios.items():
        on_average, at_most = (0.1, 0.2) if name == "mean" else (0.06, 0.15)
        assert np.abs(np.mean(each, axis=0)).max() < on_average, name
        assert np.abs(each).max() < at_most, name


def test_theory_comes_closer_the_wider_the_network_is() -> None:
    def distance(width: int) -> float:
        found = []
        for seed in range(6):
            report = inspected("one product", torch.relu, seed, width)
            theory = report.predictions["preactivation_std"]
            found += [
                math.log(layer.values["preactivation_std"] / expected) ** 2
                for layer, expected in zip(report.layers, theory, strict=True)
            ]
        return math.sqrt(sum(found) / len(found))

    # the deviation is of the order of 1/√width
    assert distance(512) < 0.6 * distance(64)


@pytest.mark.parametrize("kind", ["after", "same weights", "skipped twice", "normalized", "scaled"])
def test_there_is_no_theory_where_it_does_not_hold(kind: str) -> None:
    report = inspected(kind, torch.relu, 0, width=64)
    assert report.layers
    assert report.predictions == {}


def test_a_network_with_a_second_head_has_no_theory() -> None:
    class TwoHeads(Residual):
        def forward(self, x: Tensor) -> Tensor:
            h = self.inputs(x)
            middle = h + torch.relu(self.one[0](h))
            return self.outputs(middle + torch.relu(self.one[1](middle))) + self.head(middle)

    network = TwoHeads("one product", torch.relu, 0, 64)
    network.head = nn.Linear(64, 10).double()
    x = torch.randn(8, 30, dtype=torch.float64)
    report = relu_exp.inspect(network, (x, None), loss=lambda out, _: out.sum())
    assert report.predictions == {}


def test_of_a_plain_chain_it_is_the_engines_recursion() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        *(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 64), nn.Tanh()),
        *(nn.Linear(64, 32), nn.GELU(), nn.Linear(32, 10)),
    )
    seeing, x = Seeing(network), torch.randn(16, 30)
    seeing.feed([x])
    with seeing:
        network(x)
    seeing.finish()
    chain = measuring.predict(seeing.layers, seeing.uses)
    graph = mean_field.predict(seeing.layers, seeing.uses, measuring._gain, measuring._on_cpu)
    assert set(chain) == set(graph)
    for name, values in chain.items():
        assert graph[name] == pytest.approx(values, rel=1e-12), name
