"""Inspections: equal to the engine and to autograd, without a trace, with the right finding."""

from __future__ import annotations

import copy
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import relu_exp
from relu_exp.core.schema import UsageError
from relu_exp.engine.activations import largest_derivative
from relu_exp.engine.fleet.batches import Batches
from relu_exp.engine.fleet.stack import build
from relu_exp.engine.probes.measurements import measure, take_probe
from relu_exp.engine.probes.observing import SATURATED
from relu_exp.evidence.claims.registry import all_claims
from relu_exp.evidence.data.texts import read_texts
from relu_exp.inspection import diagnosis
from relu_exp.inspection.inspecting import Report

from configs import make_run

pytestmark = pytest.mark.usefixtures("one_thread")


class Columns(nn.Module):
    """One of our fleets' networks as a module: a sample is a column, as in the engine."""

    def __init__(self, stack: Any, phi: Any) -> None:
        super().__init__()
        self.W = nn.ParameterList(W[0].detach().clone() for W in stack.weights)
        self.b = nn.ParameterList(b[0].detach().clone() for b in stack.biases)
        self.phi = phi

    def forward(self, h: Tensor) -> Tensor:
        for W, b in zip(self.W[:-1], self.b, strict=False):
            h = self.phi(torch.matmul(W, h) + b)
        return (torch.matmul(self.W[-1], h) + self.b[-1]).T


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh", "gelu"])
def test_on_an_mlp_of_ours_it_equals_the_engine_bit_for_bit(activation: str) -> None:
    run = make_run(activation=activation, depth=4, width=32, dataset="digits")
    stack, x = build([run]), Batches(run, "cpu", 64).probe([run.seed])
    below = torch.tensor([SATURATED * largest_derivative(run.activation)])
    expected = measure(take_probe(stack, x, below))
    phi = {"gelu": F.gelu}.get(activation) or getattr(torch, activation)
    network = Columns(stack, phi)
    batch = (x.inputs[0], x.labels[0])
    report = relu_exp.inspect(network, batch, loss=F.cross_entropy)
    assert report.unseen == []
    for quantity, values in expected.items():
        found = [layer.values[quantity] for layer in report.layers]
        assert found == values[0].tolist(), quantity


def plain(*functions: Any, width: int = 40, bias: bool = True, start: Any = None) -> nn.Sequential:
    """Return a dense network of 20 inputs and 5 outputs."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for index, function in enumerate(functions):
        layers += [nn.Linear(20 if index == 0 else width, width, bias=bias), function]
    network = nn.Sequential(*layers, nn.Linear(width, 5))
    for module in network:
        if isinstance(module, nn.Linear) and start is not None:
            start(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


def batch(n: int = 64) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(1)
    return torch.randn(n, 20, generator=draws), torch.randint(0, 5, (n,), generator=draws)


def test_on_a_plain_loop_it_equals_autograd_in_float64() -> None:
    network, (x, y) = plain(nn.Tanh(), nn.ReLU(), nn.SiLU()).double(), batch()
    report = relu_exp.inspect(network, (x, y))
    kept = []
    h = x.double()
    for module in network:
        h = module(h)
        if not isinstance(module, nn.Linear):
            h.retain_grad()
            kept.append(h)
    F.cross_entropy(h, y).backward()
    for layer, linear, a in zip(report.layers, list(network)[::2], kept, strict=False):
        values = layer.values
        assert values["activation_std"] == pytest.approx(
            float(a.detach().std(correction=0)), rel=1e-12
        )
        assert values["activation_grad_norm"] == pytest.approx(float(a.grad.norm()), rel=1e-12)
        weight: Any = linear.weight
        assert values["weight_grad_norm"] == pytest.approx(float(weight.grad.norm()), rel=1e-12)


class Everywhere(nn.Module):
    """Nonlinearities of every way of writing them."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs = nn.Linear(20, 24)
        self.blocks = nn.ModuleList(nn.Linear(24, 24) for _ in range(9))
        self.relu = nn.ReLU(inplace=True)
        self.beta = nn.Parameter(torch.tensor(1.5))
        self.outputs = nn.Linear(24, 5)

    def forward(self, x: Tensor) -> Tensor:
        f = iter(self.blocks)
        h = self.relu(self.inputs(x))
        h = h + self.relu(next(f)(h))
        h = F.gelu(next(f)(h))
        h = next(f)(h).sigmoid()
        h = next(f)(h)
        h.tanh_()
        h = next(f)(h)
        h = h * torch.sigmoid(self.beta * h)
        h = next(f)(h)
        h = torch.where(h > 0, h, 0.1 * h)
        h = torch.sin(3 * next(f)(h))
        h = F.leaky_relu(next(f)(h), 0.2, True)
        h = next(f)(h).clamp(min=0)
        return self.outputs(h)


def test_every_way_of_writing_a_nonlinearity_is_seen() -> None:
    torch.manual_seed(0)
    report = relu_exp.inspect(Everywhere(), batch())
    names = [
        "relu",
        "relu",
        "gelu",
        "sigmoid",
        "tanh",
        "swish",
        "where",
        "sin",
        "leaky_relu",
        "clamp",
    ]
    assert [layer.function for layer in report.layers] == names
    assert report.unseen == []
    zeros = [layer.values["zero_fraction"] for layer in report.layers]
    assert zeros[0] > 0.2
    assert all(share == 0 for share in zeros[2:-1])
    assert report.layers[6].values["saturated_fraction"] == 0


def signed_root(x: Tensor) -> Tensor:
    return x.sign() * (x.abs() + 1).sqrt() - x.sign()


class WithOwn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(20, 16), nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.two(signed_root(self.one(x)))


def test_a_function_of_ones_own_is_a_layer_under_its_name() -> None:
    report = relu_exp.inspect(WithOwn(), batch(), activations=[signed_root])
    assert [layer.label for layer in report.layers] == ["one → signed_root"]
    assert report.layers[0].values["activation_grad_norm"] > 0


def test_what_is_not_seen_is_listed() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.out, self.unused = nn.LSTM(5, 8), nn.Linear(8, 5), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.lstm(x.reshape(-1, 4, 5))[0][:, -1])

    report = relu_exp.inspect(Recurrent(), batch())
    assert any("lstm (LSTM)" in line for line in report.unseen)
    assert "unused (ReLU): not called in this pass" in report.unseen


def snapshot(network: nn.Module) -> list[Any]:
    return [
        torch.get_rng_state(),
        random.getstate(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
        [module.training for module in network.modules()],
        [(p.detach().clone(), p.grad, p.requires_grad, p._version) for p in network.parameters()],
        [(b.clone(), id(b), b._version) for b in network.buffers()],
        [sorted(module.__dict__) for module in network.modules()],
        [
            len(module._forward_hooks) + len(module._forward_pre_hooks)
            for module in network.modules()
        ],
    ]


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return bool(torch.equal(one, other))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@pytest.mark.parametrize("mode", ["train", "eval"])
@pytest.mark.parametrize("kind", ["float32", "bfloat16", "compiled"])
def test_nothing_is_changed(mode: str, kind: str) -> None:
    torch.manual_seed(0)
    network: Any = nn.Sequential(
        nn.Linear(20, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 5)
    )
    if kind == "bfloat16":
        network = network.bfloat16()
    getattr(network, mode)()
    next(network.parameters()).grad = torch.ones(16, 20).to(next(network.parameters()).dtype)
    network[4].weight.requires_grad_(False)
    called = torch.compile(network, backend="eager") if kind == "compiled" else network
    before = snapshot(network)
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad])
    report = relu_exp.inspect(called, batch(), optimizer=optimizer)
    assert report.mode == {"train": "training", "eval": "evaluation"}[mode]
    (finding,) = (each for each in report.findings if each.kind == "frozen")
    assert "gradient" in finding.remedy
    report.try_("he_normal")
    assert len(report.layers) == 1
    assert same(before, snapshot(network))
    assert not optimizer.state


def test_the_first_batch_of_a_loader_is_taken_and_its_order_kept() -> None:
    x, y = batch()
    generator = torch.Generator().manual_seed(3)
    data = torch.utils.data.TensorDataset(x, y)
    loader = torch.utils.data.DataLoader(data, batch_size=8, shuffle=True, generator=generator)
    state = generator.get_state()
    report = relu_exp.inspect(plain(nn.ReLU()), loader)
    assert torch.equal(generator.get_state(), state)
    assert report.layers[0].num_units == 40


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (torch.zeros(2, 20), "the target is missing"),
        (3, "a batch is"),
        ((torch.zeros(2, 20), torch.zeros(3)), "pass loss="),
    ],
)
def test_a_batch_that_does_not_fit_is_one_line(data: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        relu_exp.inspect(plain(nn.ReLU()), data)


# Planted illnesses ------------------------------------------------------------------------


def normal(std: float) -> Any:
    return lambda weight: nn.init.normal_(weight, std=std)


def dying() -> nn.Module:
    network = plain(*[nn.ReLU() for _ in range(3)])
    nn.init.constant_(network[2].bias, -10.0)
    return network


class Detached(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = plain(nn.ReLU(), nn.ReLU()), nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.body(x).detach()))


def frozen() -> nn.Module:
    network = plain(nn.ReLU(), nn.ReLU(), start=nn.init.kaiming_normal_)
    network[2].weight.requires_grad_(False)
    return network


class Residual(nn.Module):
    def __init__(self, depth: int, scale: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inputs, self.outputs = nn.Linear(20, 40), nn.Linear(40, 5)
        self.blocks = nn.ModuleList(nn.Linear(40, 40) for _ in range(depth))
        for block in self.blocks:
            nn.init.normal_(block.weight, std=scale / 40**0.5)

    def forward(self, x: Tensor) -> Tensor:
        h = self.inputs(x)
        for block in self.blocks:
            h = h + F.relu(block(h))
        return self.outputs(h)


def half() -> nn.Module:
    network = plain(*[nn.Sigmoid() for _ in range(4)], start=nn.init.xavier_normal_)
    with torch.no_grad():
        network[-1].weight.mul_(1e-4)
    return network.half()


ILL = [
    (
        "too small",
        lambda: plain(*[nn.Tanh() for _ in range(6)], start=normal(0.01)),
        "signal_vanishes",
    ),
    (
        "too large",
        lambda: plain(*[nn.ReLU() for _ in range(6)], start=normal(1.0)),
        "signal_explodes",
    ),
    ("dead", dying, "dead"),
    ("saturated", lambda: plain(*[nn.Tanh() for _ in range(4)], start=normal(2.0)), "saturated"),
    ("detached", Detached, "no_gradient"),
    ("frozen", frozen, "frozen"),
    ("residuals", lambda: Residual(20, 2.0), "signal_explodes"),
    (
        "deep sigmoid",
        lambda: plain(*[nn.Sigmoid() for _ in range(25)], width=100, start=nn.init.xavier_normal_),
        "gradient_vanishes",
    ),
    (
        "constant",
        lambda: plain(nn.Tanh(), nn.Tanh(), start=lambda w: nn.init.constant_(w, 0.1)),
        "identical",
    ),
    (
        "nan",
        lambda: plain(nn.ReLU(), start=lambda w: nn.init.constant_(w, float("nan"))),
        "not_finite",
    ),
    ("half", half, "gradient_underflows"),
]


@pytest.mark.parametrize(("build_it", "kind"), [each[1:] for each in ILL], ids=[e[0] for e in ILL])
def test_the_first_finding_names_the_illness(build_it: Any, kind: str) -> None:
    report: Report = relu_exp.inspect(build_it(), batch())
    found = report.findings
    assert 1 <= len(found) <= 3
    assert found[0].kind == kind, str(report)
    assert found[0].remedy
    assert found[0].text in str(report)


def test_bfloat16_that_loses_updates_is_found() -> None:
    network = plain(nn.ReLU(), nn.ReLU(), start=nn.init.kaiming_normal_).bfloat16()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    report = relu_exp.inspect(network, batch(), optimizer=optimizer)
    assert report.findings[0].kind == "updates_lost"
    again = plain(nn.ReLU(), nn.ReLU(), start=nn.init.kaiming_normal_)
    optimizer = torch.optim.SGD(again.parameters(), lr=1e-1)
    healthy = relu_exp.inspect(again, batch(), optimizer=optimizer)
    assert healthy.findings == []
    weight = again[0].weight.detach().clone()
    F.cross_entropy(again(batch()[0]), batch()[1]).backward()
    optimizer.step()
    ratio = float((again[0].weight.detach() - weight).norm() / weight.norm())
    assert healthy.layers[0].values["update_ratio"] == pytest.approx(ratio, rel=1e-4)


def resnet() -> tuple[nn.Module, Any]:
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    images = torch.randn(4, 3, 64, 64), torch.randint(0, 10, (4,))
    return torchvision.models.resnet18(num_classes=10), images


def transformer() -> tuple[nn.Module, Any]:
    torch.manual_seed(0)
    block = nn.TransformerEncoderLayer(32, 4, 64, activation="gelu", batch_first=True)
    network = nn.Sequential(nn.Embedding(50, 32), block, nn.Linear(32, 50))
    return network, (torch.randint(0, 50, (4, 16)), torch.randint(0, 50, (4, 16)))


HEALTHY = {
    "he": lambda: (plain(*[nn.ReLU()] * 6, width=100, start=nn.init.kaiming_normal_), batch()),
    "tanh": lambda: (plain(*[nn.Tanh()] * 6, start=nn.init.xavier_normal_), batch()),
    "default": lambda: (plain(nn.ReLU(), nn.ReLU()), batch()),
    "swish": lambda: (Everywhere(), batch()),
    "residual": lambda: (Residual(8, 0.3), batch()),
    "resnet18": resnet,
    "transformer": transformer,
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_network_has_no_finding(name: str) -> None:
    network, data = HEALTHY[name]()
    report = relu_exp.inspect(network, data)
    assert report.findings == [], str(report)
    assert report.unseen == []
    assert len(report.layers) == {"resnet18": 17, "transformer": 1}.get(name, len(report.layers))


def test_theory_explains_the_deep_sigmoid_network_and_a_remedy_is_measured() -> None:
    network = plain(*[nn.Sigmoid() for _ in range(25)], width=100, start=nn.init.xavier_normal_)
    before = copy.deepcopy(network.state_dict())
    report = relu_exp.inspect(network, batch())
    (finding, *_) = report.findings
    assert finding.number == pytest.approx(0.25, abs=0.05)
    assert "it, not a bug" in finding.text
    assert "with xavier_normal(gain=6) it would be" in finding.remedy
    again = report.try_("xavier_normal", gain=6)
    assert 0.7 < again.number_of("gradient_vanishes") < 1.2
    assert all(torch.equal(network.state_dict()[key], before[key]) for key in before)
    with pytest.raises(UsageError, match="kaiming_normal is he_normal"):
        report.try_("kaiming_normal")


def test_theory_is_for_dense_layers_only() -> None:
    assert relu_exp.inspect(plain(nn.ReLU(), nn.Tanh()), batch()).predictions
    assert relu_exp.inspect(Residual(3, 0.3), batch()).predictions
    assert not relu_exp.inspect(*resnet()).predictions


def test_theory_explains_residuals_that_explode() -> None:
    (finding, *_) = relu_exp.inspect(Residual(20, 2.0), batch()).findings
    assert finding.kind == "signal_explodes"
    assert "the initialization does it, not a bug" in finding.text


def test_a_report_shows_itself(tmp_path: Any) -> None:
    report = relu_exp.inspect(plain(nn.ReLU(), nn.Tanh()), batch())
    text, page = str(report), report._repr_html_()
    assert "0 → relu" in text
    assert "<td>0 → relu</td>" in page
    frame = report.frame()
    assert set(frame["layer"]) == {1, 2}
    report.csv(tmp_path / "all.csv")
    assert len((tmp_path / "all.csv").read_text().splitlines()) == len(frame) + 1


def test_findings_have_texts_in_both_languages_and_claims_that_exist() -> None:
    texts = read_texts("relu_exp.inspection", "findings.yaml")
    assert all(set(text) == {"en", "ko"} for text in texts.values())
    known = {claim.id for claim in all_claims()}
    source = Path(diagnosis.__file__).read_text(encoding="utf-8")
    named = set(re.findall(r'"([a-z]+(?:-[a-z]+){2,})"', source))
    assert named
    assert named <= known
