"""Findings about inputs, loss, target and update: planted illnesses, and healthy twins."""

from __future__ import annotations

import math
import warnings
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import relu_exp
from relu_exp.evidence.data.language import language
from relu_exp.inspection.inspecting import Report

pytestmark = pytest.mark.usefixtures("one_thread")


def vectors() -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(1)
    x = torch.randn(64, 20, generator=draws)
    return x, torch.randint(0, 5, (64,), generator=draws)


def numbers() -> tuple[Tensor, Tensor]:
    x, _ = vectors()
    return x, 2 * x[:, :1] + x[:, 1:2]


def network(outputs: int = 5, *end: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    hidden = [nn.Linear(20, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU()]
    return nn.Sequential(*hidden, nn.Linear(40, outputs), *end)


def kinds(report: Report) -> list[str]:
    assert all(each.remedy for each in report.findings)
    return [each.kind for each in report.findings]


# The update -------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "rate"), [(torch.optim.Adam, 10.0), (torch.optim.SGD, 100.0)])
def test_an_update_larger_than_the_weights_is_found_on_copies(make: Any, rate: float) -> None:
    model, batch = network(), vectors()
    optimizer = make(model.parameters(), lr=rate)
    before = [each.detach().clone() for each in model.parameters()]
    (finding,) = relu_exp.inspect(model, batch, optimizer=optimizer).findings
    assert (finding.kind, finding.layers) == ("update_too_large", ("0", "2", "4"))
    assert all(map(torch.equal, before, model.parameters()))
    assert not optimizer.state
    assert optimizer.param_groups[0]["lr"] == rate
    F.cross_entropy(model(batch[0]), batch[1]).backward()
    optimizer.step()
    ratios = [
        float((new - old).detach().norm() / old.norm())
        for new, old in zip(model.parameters(), before, strict=True)
        if new.dim() > 1
    ]
    assert finding.number == pytest.approx(sorted(ratios)[1], rel=1e-4)
    after = F.cross_entropy(model(batch[0]), batch[1]).item()
    assert f"to {after:.3g}, and an update at" in finding.remedy


@pytest.mark.parametrize("std", [None, 1e-4, 0.0])
def test_a_usual_rate_is_healthy_also_where_weights_start_small_or_at_zero(
    std: float | None,
) -> None:
    model = network()
    if std is not None:
        nn.init.normal_(model[4].weight, std=std)
        nn.init.normal_(model[2].weight, std=std or 0.1)
        for layer in (model[0], model[2], model[4]):
            nn.init.zeros_(layer.bias)
    optimizer = torch.optim.Adam(model.parameters())
    assert "update_too_large" not in kinds(relu_exp.inspect(model, vectors(), optimizer=optimizer))


def test_the_reason_of_a_large_update_comes_before_it() -> None:
    model = network()
    for layer in (model[0], model[2], model[4]):
        nn.init.normal_(layer.weight, std=4)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    found = kinds(relu_exp.inspect(model, vectors(), optimizer=optimizer))
    assert found[0] in ("signal_explodes", "loss_starts_high")
    assert found[-1] == "update_too_large"


# The loss ---------------------------------------------------------------------------------


def test_logits_that_explode_are_told_against_guessing() -> None:
    model, batch = network(), vectors()
    assert kinds(relu_exp.inspect(model, batch)) == []
    with torch.no_grad():
        model[4].weight.mul_(200)
    (finding,) = relu_exp.inspect(model, batch).findings
    assert (finding.kind, finding.layers) == ("loss_starts_high", ("4",))
    assert finding.number == pytest.approx(F.cross_entropy(model(batch[0]), batch[1]).item())
    assert f"log 5 = {math.log(5):.3g}" in finding.text


def test_a_weight_of_the_positive_class_is_no_start_that_is_too_high() -> None:
    x, y = vectors()
    loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(100.0))
    target = (y > 1).float()[:, None]
    assert kinds(relu_exp.inspect(network(1), (x, target), loss=loss)) == []
    model = network(1)
    with torch.no_grad():
        model[4].weight.mul_(200)
    assert kinds(relu_exp.inspect(model, (x, target), loss=loss)) == ["loss_starts_high"]


class OwnLoss(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.net = model

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        outputs = self.net(x)
        return {"loss": F.cross_entropy(outputs, labels), "logits": outputs}


@pytest.mark.parametrize("loss", [None, F.cross_entropy, nn.CrossEntropyLoss(), "lambda"])
def test_a_softmax_before_cross_entropy_is_found_however_the_loss_is_written(loss: Any) -> None:
    given = (lambda out, y: F.cross_entropy(out, y)) if loss == "lambda" else loss
    model = network(5, nn.Softmax(dim=1))
    (finding,) = relu_exp.inspect(model, vectors(), loss=given).findings
    assert finding.kind == "softmax_twice"
    assert finding.number == pytest.approx(-math.log(math.e / (math.e + 4)))
    assert float(re_of(finding.remedy)) > 2
    with language("ko"):
        assert "소프트맥스를 뺀다" in str(finding)


def re_of(remedy: str) -> str:
    return remedy.split("is then ")[1].split(" times")[0]


def answers() -> tuple[Tensor, Tensor]:
    x, y = vectors()
    return x, (y[:, None] % 2).float()


def test_a_sigmoid_before_a_loss_with_logits_is_found() -> None:
    x, y = answers()
    model = network(1, nn.Sigmoid())
    (finding,) = relu_exp.inspect(model, (x, y), loss=nn.BCEWithLogitsLoss()).findings
    assert finding.kind == "sigmoid_twice"
    share = float(y.mean())
    floor = share * math.log1p(math.exp(-1)) + (1 - share) * math.log(2)
    assert finding.number == pytest.approx(floor)
    once = F.binary_cross_entropy(model(x), y)
    assert f"the loss {once.item():.3g}, not" in finding.remedy
    assert float(re_of(finding.remedy)) > 2
    with language("ko"):
        assert "시그모이드를 뺀다" in str(finding)


def test_one_sigmoid_is_healthy_whichever_loss_has_it() -> None:
    logits, probabilities = network(1), network(1, nn.Sigmoid())
    assert kinds(relu_exp.inspect(logits, answers(), loss=nn.BCEWithLogitsLoss())) == []
    assert kinds(relu_exp.inspect(probabilities, answers(), loss=nn.BCELoss())) == []


def test_a_loss_inside_the_network_is_seen_too() -> None:
    x, y = vectors()
    ill, healthy = OwnLoss(network(5, nn.Softmax(dim=1))), OwnLoss(network())
    assert kinds(relu_exp.inspect(ill, {"x": x, "labels": y})) == ["softmax_twice"]
    assert kinds(relu_exp.inspect(healthy, {"x": x, "labels": y})) == []


def test_log_softmax_before_cross_entropy_changes_nothing_and_is_no_finding() -> None:
    model = network(5, nn.LogSoftmax(dim=1))
    assert kinds(relu_exp.inspect(model, vectors(), loss=F.cross_entropy)) == []
    assert kinds(relu_exp.inspect(model, vectors(), loss=F.nll_loss)) == []


@pytest.mark.parametrize(
    "loss", [nn.MSELoss(), F.l1_loss, nn.SmoothL1Loss(), lambda out, y: F.huber_loss(out, y)]
)
def test_shapes_that_broadcast_are_a_finding_and_no_warning(loss: Any) -> None:
    x, y = numbers()
    model = network(1)
    with warnings.catch_warnings(record=True) as noise:
        warnings.simplefilter("always")
        optimizer = torch.optim.SGD(model.parameters(), lr=100.0)
        (finding, *_) = relu_exp.inspect(model, (x, y[:, 0]), loss=loss).findings
        relu_exp.inspect(model, (x, y[:, 0]), loss=loss, optimizer=optimizer)
    assert noise == []
    assert (finding.kind, finding.number) == ("loss_broadcasts", 64 * 64)
    assert "target.reshape(64, 1)" in finding.remedy
    assert f"then {loss(model(x), y).item():.3g}, not" in finding.remedy
    best = float((y - y.T).square().mean())
    if isinstance(loss, nn.MSELoss):
        assert f"would have a loss of {best:.3g}." in finding.remedy
    assert kinds(relu_exp.inspect(model, (x, y), loss=loss)) == []


@pytest.mark.parametrize("end", [nn.Tanh(), nn.Sigmoid(), nn.ReLU()])
def test_targets_that_the_outputs_cannot_reach_are_found(end: nn.Module) -> None:
    x, y = numbers()
    (finding,) = relu_exp.inspect(network(1, end), (x, y)).findings
    lowest, highest = {"Tanh": (-1, 1), "Sigmoid": (0, 1)}.get(type(end).__name__, (0, math.inf))
    share = float(((y < lowest) | (y > highest)).float().mean())
    assert finding.kind == "target_out_of_reach"
    assert finding.number == pytest.approx(share, abs=0.06)
    floor = float(F.mse_loss(y.clamp(lowest, highest), y))
    assert f"a loss of {floor:.3g}." in finding.remedy
    squeezed = lambda out, target: F.mse_loss(out.squeeze(1), target.squeeze(1))  # noqa: E731
    assert kinds(relu_exp.inspect(network(1, end), (x, y), loss=squeezed)) == [finding.kind]
    assert kinds(relu_exp.inspect(network(1, end), (x, end(y)))) == []
    wide = lambda out, target: F.mse_loss(10 * out - 5, target)  # noqa: E731
    assert kinds(relu_exp.inspect(network(1, end), (x, y), loss=wide)) == []


# The inputs -------------------------------------------------------------------------------


def pixels() -> tuple[Tensor, Tensor]:
    x, y = vectors()
    return (255 * x.sigmoid()).round(), y


def test_unscaled_inputs_are_the_reason_and_scaled_ones_are_healthy() -> None:
    x, y = pixels()
    (finding,) = relu_exp.inspect(network(), (x, y)).findings
    assert (finding.kind, finding.layers) == ("inputs_unscaled", ("0",))
    assert finding.number == pytest.approx(float(x.square().mean().sqrt()), rel=1e-4)
    scaled = (x - x.mean()) / x.std()
    report = relu_exp.inspect(network(), (scaled, y))
    assert kinds(report) == []
    after = report.layers[0].values["preactivation_std"]
    assert f"a spread of {after:.2g}" in finding.remedy
    assert kinds(relu_exp.inspect(nn.Linear(20, 5), (x, y))) == ["inputs_unscaled"]


class Divided(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = network()

    def forward(self, x: Tensor) -> Tensor:
        return self.net((x - 127.5) / 74)


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.BatchNorm1d(20), network()),
        nn.Sequential(nn.LayerNorm(20), network()),
        nn.Sequential(nn.Linear(20, 20), nn.BatchNorm1d(20), nn.ReLU(), network()),
        Divided(),
    ],
    ids=["norm first", "layer norm first", "norm after the first weights", "divided inside"],
)
def test_a_network_that_scales_its_inputs_is_healthy(model: nn.Module) -> None:
    assert kinds(relu_exp.inspect(model, pixels())) == []


def test_numbers_of_words_are_no_unscaled_inputs() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(500, 20), network())
    ids = torch.randint(100, 500, (8, 12))
    assert kinds(relu_exp.inspect(model, (ids, ids % 5))) == []
    images = torch.randint(0, 256, (8, 3, 8, 8)).float()
    cnn = nn.Sequential(nn.Conv2d(3, 40, 3), nn.ReLU(), nn.Flatten(), nn.Linear(40 * 36, 5))
    assert kinds(relu_exp.inspect(cnn, (images, torch.arange(8) % 5))) == ["inputs_unscaled"]


def test_a_loss_that_is_not_finite_stays_first() -> None:
    x, y = pixels()
    x[0, 0] = math.inf
    assert kinds(relu_exp.inspect(network(5, nn.Softmax(dim=1)), (x, y))) == ["not_finite"]
