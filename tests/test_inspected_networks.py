"""Networks as people have them: each is seen whole, left as it was, and gets the right finding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils.checkpoint import checkpoint

import relu_exp
from relu_exp.core.schema import UsageError
from relu_exp.evidence.data.language import language

pytestmark = pytest.mark.usefixtures("one_thread")


class Convolutions(nn.Module):
    """A usual small CNN, with functions for all that has no weights."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one, self.two = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
        self.dense, self.out = nn.Linear(16 * 8 * 8, 32), nn.Linear(32, 10)
        self.dropout = nn.Dropout(0.3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.one(x)), 2)
        x = F.max_pool2d(F.relu(self.two(x)), 2)
        return self.out(self.dropout(F.relu(self.dense(torch.flatten(x, 1)))))


def images(n: int = 8) -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(1)
    x = torch.randn(n, 3, 32, 32, generator=draws)
    return x, torch.randint(0, 10, (n,), generator=draws)


def vectors() -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(1)
    x = torch.randn(64, 20, generator=draws)
    return x, torch.randint(0, 5, (64,), generator=draws)


def dense() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(20, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 5)
    )


def numbers(network: nn.Module) -> list[Tensor]:
    return [each.detach().clone() for each in [*network.parameters(), *network.buffers()]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_cnn_is_seen_channel_by_channel_also_in_half_precision(dtype: torch.dtype) -> None:
    network = Convolutions().to(dtype)
    before = numbers(network)
    report = relu_exp.inspect(network, images())
    assert [(layer.label, layer.num_units) for layer in report.layers] == [
        ("one → relu", 8),
        ("two → relu", 16),
        ("dense → relu", 32),
    ]
    assert report.findings == []
    assert report.unseen == []
    assert all(map(torch.equal, before, numbers(network)))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_loader_draws_no_random_number_that_a_training_would_have_had(num_workers: int) -> None:
    data = torch.utils.data.TensorDataset(*images(32))
    options: Any = {"multiprocessing_context": "fork"} if num_workers else {}
    loader = torch.utils.data.DataLoader(
        data, batch_size=8, shuffle=True, num_workers=num_workers, **options
    )
    network, state = Convolutions(), torch.get_rng_state()
    assert relu_exp.inspect(network, loader).findings == []
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("is_training", [False, True])
def test_a_transformer_block_is_seen_whole(norm_first: bool, is_training: bool) -> None:
    torch.manual_seed(0)
    block = nn.TransformerEncoderLayer(
        32, 4, 64, activation="gelu", batch_first=True, norm_first=norm_first
    )
    network = nn.Sequential(block, nn.Linear(32, 10)).train(is_training)
    report = relu_exp.inspect(network, (torch.randn(4, 16, 32), torch.randint(0, 10, (4, 16))))
    assert [layer.label for layer in report.layers] == ["0.linear1 → gelu"]
    assert report.unseen == []
    assert report.findings == []


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_compiled_network_is_inspected_before_and_after_it_has_run(backend: str) -> None:
    compiled: Any = torch.compile(Convolutions(), backend=backend)
    first = relu_exp.inspect(compiled.eval(), images())
    compiled(images()[0])
    again = relu_exp.inspect(compiled, images())
    assert len(first.layers) == 3
    assert [layer.values for layer in first.layers] == [layer.values for layer in again.layers]


def test_outputs_that_start_at_zero_are_no_illness() -> None:
    network = dense()
    nn.init.zeros_(network[-1].weight)
    assert relu_exp.inspect(network, vectors()).findings == []
    for module in network[:-1]:
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.weight)
    assert relu_exp.inspect(network, vectors()).findings[0].kind == "identical"


def test_the_gradient_comes_before_half_a_layer_that_is_dead() -> None:
    # PyTorch's own initialization: fit for a few layers, and too small for twelve
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for index in range(12):
        layers += [nn.Conv2d(16 if index else 3, 16, 3, padding=1), nn.ReLU()]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))
    with torch.no_grad():
        network[8].bias[:9] = -10.0
    kinds = [finding.kind for finding in relu_exp.inspect(network, images()).findings]
    assert kinds == ["gradient_vanishes", "dead"]


def test_a_large_input_is_the_reason_and_not_what_it_saturates() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        *[nn.Linear(20, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 5)]
    )
    x, y = vectors()
    report = relu_exp.inspect(network, (x * 255, y))
    assert report.layers[0].values["saturated_fraction"] > 0.5
    assert [finding.kind for finding in report.findings] == ["inputs_unscaled"]


class Forgetful(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.out = nn.Linear(20, 8), nn.Linear(8, 8), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.relu(self.one(x)))


class TakesDictionary(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = dense()

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        outputs = self.net(batch["x"])
        return {"loss": F.cross_entropy(outputs, batch["y"]), "logits": outputs}


def test_a_network_may_take_its_dictionary_whole() -> None:
    x, y = vectors()
    plain = relu_exp.inspect(dense(), (x, y))
    for data in ({"x": x, "y": y}, ({"x": x, "y": y}, y)):
        assert relu_exp.inspect(TakesDictionary(), data).loss == plain.loss


def test_what_fails_in_the_network_is_one_line_with_its_cause() -> None:
    class Failing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.no_such_method()  # type: ignore[operator]

    with pytest.raises(UsageError, match="the network fails on this batch") as it:
        relu_exp.inspect(Failing(), vectors())
    assert isinstance(it.value.__cause__, AttributeError)


class Checkpointed(nn.Module):
    def __init__(self, is_reentrant: bool | None, is_from_data: bool = False) -> None:
        super().__init__()
        self.net, self.is_reentrant, self.is_from_data = dense(), is_reentrant, is_from_data

    def forward(self, x: Tensor) -> Tensor:
        if not self.is_from_data:
            x = self.net[1](self.net[0](x))
        block = self.net[:4] if self.is_from_data else self.net[2:4]
        if self.is_reentrant is not None:
            x = checkpoint(block, x, use_reentrant=self.is_reentrant)
        else:
            x = block(x)
        return self.net[4](x)


@pytest.mark.parametrize("is_reentrant", [False, True])
def test_a_checkpointed_block_is_measured_as_a_plain_one(is_reentrant: bool) -> None:
    plain = relu_exp.inspect(Checkpointed(None), vectors())
    report = relu_exp.inspect(Checkpointed(is_reentrant), vectors())
    assert [each.values for each in report.layers] == [each.values for each in plain.layers]
    assert report.layers[0].values["activation_grad_norm"] > 0
    network, (x, y) = Checkpointed(is_reentrant), vectors()
    F.cross_entropy(network(x), y).backward()  # as before, also after an inspection
    assert network.net[2].weight.grad is not None


def test_a_reentrant_checkpoint_of_the_data_trains_nothing_inside() -> None:
    (finding, *_) = relu_exp.inspect(Checkpointed(True, is_from_data=True), vectors()).findings
    assert (finding.kind, finding.layers) == ("no_gradient", ("net.0", "net.2"))


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
def test_a_network_of_torch_jit_says_that_it_is_not_seen_and_keeps_its_buffers() -> None:
    made = nn.Sequential(nn.Linear(20, 40), nn.BatchNorm1d(40), nn.ReLU(), nn.Linear(40, 5))
    network: Any = torch.jit.script(made)
    before = numbers(network)
    report = relu_exp.inspect(network, vectors())
    assert report.layers == []
    assert any("torch.jit" in each for each in report.unseen)
    assert all(map(torch.equal, before, numbers(network)))


class Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.sign()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        return grad


class FlatSign(Sign):
    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        return torch.zeros_like(grad)


class Binary(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.net, self.function = dense(), function

    def forward(self, x: Tensor) -> Tensor:
        return self.net[4](self.function.apply(self.net[0](x)))


def test_a_straight_through_estimator_is_not_dead_and_a_flat_function_is() -> None:
    assert relu_exp.inspect(Binary(Sign), vectors()).findings == []
    assert relu_exp.inspect(Binary(FlatSign), vectors()).findings[0].kind == "dead"


def test_a_few_samples_do_not_say_that_half_of_the_units_are_dead() -> None:
    network, (x, y) = dense(), vectors()
    with torch.no_grad():
        network[2].bias[:25] = -10.0
    assert [each.kind for each in relu_exp.inspect(network, (x, y)).findings] == ["dead"]
    assert relu_exp.inspect(network, (x[:16], y[:16])).findings == []


def test_what_kills_a_layer_comes_first_and_its_gradient_of_zero_is_no_finding_more() -> None:
    # as a rate that is too large leaves it
    network = dense()
    with torch.no_grad():
        network[2].weight.mul_(1e4)
        network[2].bias.fill_(-1e6)
    found = relu_exp.inspect(network, vectors()).findings
    assert [each.kind for each in found] == ["dead", "signal_explodes"]
    assert found[0].text.startswith("100% of the units of 2 → relu are")


def test_the_largest_of_several_shares_is_said_to_be_that() -> None:
    network = dense()
    with torch.no_grad():
        network[0].bias[:24] = -10.0
        network[2].bias[:30] = -10.0
    (finding, *_) = relu_exp.inspect(network, vectors()).findings
    assert finding.text.startswith("Up to 75% of the units of 0 → relu, 2 → relu are")
    with language("ko"):
        assert "유닛 최대 75%가 죽어" in finding.text


class Logarithm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.log(x)


def test_a_forgotten_activation_is_found_and_a_factorized_layer_is_not_one() -> None:
    torch.manual_seed(0)
    layers = [nn.Linear(20, 40), nn.ReLU(), nn.Linear(40, 30), nn.Linear(30, 5)]
    (finding,) = relu_exp.inspect(nn.Sequential(*layers), vectors()).findings
    assert (finding.kind, finding.layers, finding.number) == ("linear", ("2", "3"), 1)
    layers[2:] = [nn.Linear(40, 4), nn.Linear(4, 5)]
    assert relu_exp.inspect(nn.Sequential(*layers), vectors()).findings == []


def test_a_forgotten_activation_in_the_head_of_a_cnn_is_found() -> None:
    network = Convolutions()
    network.out = nn.Sequential(nn.Linear(32, 32), nn.Linear(32, 10))  # type: ignore[assignment]
    (finding,) = relu_exp.inspect(network, images()).findings
    assert (finding.kind, finding.layers) == ("linear", ("out.0", "out.1"))


def test_what_is_not_finite_is_named_and_not_the_gradients_that_inherit_it() -> None:
    network, (x, y) = dense(), vectors()
    logarithm = nn.Sequential(network, Logarithm())
    assert relu_exp.inspect(logarithm, (x, y)).findings[0].layers == ("the loss",)
    with torch.no_grad():
        network[4].weight[0, 0] = torch.nan
    assert relu_exp.inspect(network, (x, y)).findings[0].layers == ("4",)


def test_a_network_without_a_nonlinearity_is_not_called_healthy(tmp_path: Path) -> None:
    report = relu_exp.inspect(nn.Linear(20, 5), vectors())
    assert "No nonlinearity was seen: nothing was measured." in str(report)
    assert "Nothing found" not in str(report)
    assert "No nonlinearity was seen" in report.save(tmp_path / "page.html").read_text()


def test_an_update_that_float32_loses_too_needs_a_larger_rate() -> None:
    network = dense()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-8)
    (finding,) = relu_exp.inspect(network, vectors(), optimizer=optimizer).findings
    assert finding.kind == "updates_lost"
    assert finding.remedy.endswith("too: raise the learning rate.")


def test_weights_under_a_spectral_norm_are_seen_without_a_complaint() -> None:
    network = dense()
    spectral_norm(network[2])
    report = relu_exp.inspect(network, vectors())
    assert [layer.label for layer in report.layers] == [
        "0 → relu",
        "2.parametrizations.weight.original → relu",
    ]
    assert report.unseen == []
    assert report.findings == []


def test_weights_that_are_not_used_are_named_in_both_languages() -> None:
    report = relu_exp.inspect(Forgetful(), vectors())
    assert report.unseen == ["two (Linear): its weights are not used in this pass"]
    with language("ko"):
        assert report.unseen == ["two (Linear): 이번 계산에서 가중치가 쓰이지 않았다"]


def test_an_optimizer_of_another_network_is_one_line() -> None:
    other = torch.optim.SGD(dense().parameters(), lr=0.1)
    with pytest.raises(UsageError, match="another network"):
        relu_exp.inspect(dense(), vectors(), optimizer=other)


def test_weights_that_the_optimizer_does_not_have_are_found() -> None:
    network = dense()
    optimizer = torch.optim.SGD(network[:4].parameters(), lr=0.1)
    (finding,) = relu_exp.inspect(network, vectors(), optimizer=optimizer).findings
    assert finding.kind == "left_out"
    assert finding.layers == ("4",)
    assert "make the optimizer after" in finding.remedy


def test_findings_are_written_in_the_language_of_the_moment() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(*[each for _ in range(8) for each in (nn.Linear(20, 20), nn.Sigmoid())])
    x, _ = vectors()
    (finding, *_) = relu_exp.inspect(network, (x, x[:, 0].long() * 0)).findings
    assert finding.kind == "gradient_vanishes"
    assert "theory for these weights says" in str(finding)
    assert "Measured on a copy" in str(finding)
    with language("ko"):
        assert "이 가중치에 대한 이론값" in str(finding)
        assert "사본에서 잰 값" in str(finding)


def test_relu6_is_a_rectifier_that_may_be_zero_half_of_the_time() -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU6(), nn.Hardtanh(0, 1)]
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * 30 * 30, 10))
    report = relu_exp.inspect(network, images())
    assert [layer.function for layer in report.layers] == ["relu6", "clamp"]
    assert report.layers[0].values["zero_fraction"] > 0.4
    assert report.findings == []
    both_sides = relu_exp.inspect(nn.Sequential(nn.Linear(20, 5), nn.Hardtanh()), vectors())
    assert both_sides.layers[0].is_saturating


class Encoder(nn.Module):
    """A frozen encoder, whose layer PyTorch runs as one function if nobody looks, and a head."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1).requires_grad_(False)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            h = self.encoder(x)
        return self.head(h.mean(1))  # type: ignore[no-any-return]


@pytest.mark.parametrize("module", [nn.LSTM, nn.GRU, nn.RNN])
def test_what_runs_inside_one_function_is_listed_and_says_what_to_do(module: Any) -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.head = module(4, 8, batch_first=True), nn.Linear(8, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.cell(x)[0][:, -1])  # type: ignore[no-any-return]

    batch = torch.randn(8, 5, 4), torch.randint(0, 3, (8,))
    (unseen,) = relu_exp.inspect(Recurrent(), batch).unseen
    assert unseen.startswith(f"cell ({module.__name__}): its nonlinearities run inside")
    assert "inspect a copy" in unseen


def test_an_encoder_is_seen_also_where_it_would_run_as_one_function() -> None:
    batch = torch.randn(8, 5, 16), torch.randint(0, 3, (8,))
    report = relu_exp.inspect(Encoder().eval(), batch)
    assert [layer.label for layer in report.layers] == ["encoder.layers.0.linear1 → relu"]
