"""Watching a training: what is measured is the loop's own, and the loop is not changed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import relu_exp
from relu_exp.cli import main
from relu_exp.core.schema import UsageError

pytestmark = pytest.mark.usefixtures("one_thread")


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3)
    )


def data() -> tuple[Tensor, Tensor]:
    draws = torch.Generator().manual_seed(1)
    return torch.randn(32, 6, generator=draws), torch.randint(0, 3, (32,), generator=draws)


def train(model: Any, optimizer: Any, steps: int, fails_at: int = -1) -> list[float]:
    losses = []
    x, y = data()
    for step in range(steps):
        if step == fails_at:
            raise KeyError("the loop's own error")
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def hooks(model: nn.Module, optimizer: Any) -> int:
    held = [*model._forward_hooks, *model._forward_pre_hooks]
    return (
        len(held)
        + len(optimizer._optimizer_step_pre_hooks)
        + len(optimizer._optimizer_step_post_hooks)
    )


@pytest.mark.parametrize("is_compiled", [False, True])
def test_a_watched_training_is_the_same_and_every_nth_update_is_measured(is_compiled: bool) -> None:
    alone = network()
    losses = train(alone, torch.optim.SGD(alone.parameters(), lr=0.1), 7)
    watched = network()
    called = torch.compile(watched, backend="eager") if is_compiled else watched
    optimizer = torch.optim.SGD(watched.parameters(), lr=0.1)
    with relu_exp.watch(called, optimizer, every=3) as seen:
        assert train(called, optimizer, 7) == losses
    assert seen.notes == []
    assert list(seen.tables) == [0, 3, 6]
    assert hooks(watched, optimizer) == hooks(alone, optimizer) == 0
    for one, other in zip(alone.parameters(), watched.parameters(), strict=True):
        assert torch.equal(one, other)
    assert [layer.function for layer in seen.layers] == ["relu", "tanh"]
    assert {row["step"] for row in seen.rows()} == {0, 3, 6}
    assert seen.findings == []
    assert "step 6" in str(seen)


def test_what_is_measured_is_what_the_loop_computes() -> None:
    model = network().double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    kept: dict[str, Tensor] = {}
    x, y = data()
    with relu_exp.watch(model, optimizer) as seen:
        before = model[0].weight.detach().clone()
        h = model[1].register_forward_hook(lambda m, i, o: (o.retain_grad(), kept.update(a=o))[0])
        F.cross_entropy(model(x.double()), y).backward()
        h.remove()
        optimizer.step()
    values = seen.layers[0].values
    grad, weight = kept["a"].grad, model[0].weight
    assert grad is not None
    assert weight.grad is not None
    assert values["activation_grad_norm"] == pytest.approx(float(grad.norm()), rel=1e-12)
    assert values["weight_grad_norm"] == pytest.approx(float(weight.grad.norm()), rel=1e-12)
    ratio = float((weight.detach() - before).norm() / before.norm())
    assert values["update_ratio"] == pytest.approx(ratio, rel=1e-5)


def test_an_error_of_the_loop_leaves_the_network_free_and_the_rows_there() -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters())
    with pytest.raises(KeyError), relu_exp.watch(model, optimizer, every=2) as seen:
        train(model, optimizer, 5, fails_at=3)
    assert hooks(model, optimizer) == 0
    assert list(seen.tables) == [0, 2]


def test_an_error_inside_the_network_ends_the_seeing() -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters())
    with relu_exp.watch(model, optimizer) as seen:
        with pytest.raises(RuntimeError):
            model(torch.zeros(2, 5))
        assert train(model, optimizer, 1)
    assert hooks(model, optimizer) == 0
    assert len(torch.overrides._get_current_function_mode_stack()) == 0
    assert len(seen.notes) <= 1


def test_the_numbers_go_to_tensorboard_if_asked() -> None:
    class Board:
        def __init__(self) -> None:
            self.rows: list[tuple[str, float, int]] = []

        def add_scalar(self, name: str, value: float, step: int) -> None:
            self.rows.append((name, value, step))

    model, board = network(), Board()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with relu_exp.watch(model, optimizer, every=2, tensorboard=board):
        train(model, optimizer, 3)
    assert {step for _, _, step in board.rows} == {0, 2}
    assert "update_ratio/0" in {name for name, _, _ in board.rows}
    assert all(math.isfinite(value) for _, value, _ in board.rows)


@pytest.mark.parametrize(("optimizer", "every"), [(3, 1), (None, 0)])
def test_what_cannot_be_watched_is_one_line(optimizer: Any, every: int) -> None:
    with pytest.raises(UsageError, match="watch"):
        relu_exp.watch(network(), optimizer, every=every)


def test_an_optimizer_of_another_network_is_one_line() -> None:
    with pytest.raises(UsageError, match="made for another network"):
        relu_exp.watch(network(), torch.optim.SGD(network().parameters(), lr=0.1))


def test_a_folder_for_tensorboard_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    (tmp_path / "file").write_text("")
    model = network()
    with pytest.raises(UsageError, match="cannot be written"):
        relu_exp.watch(
            model, torch.optim.SGD(model.parameters(), lr=0.1), tensorboard=tmp_path / "file"
        )


def test_a_training_without_an_update_has_an_empty_frame_with_its_columns() -> None:
    model = network()
    with relu_exp.watch(model, torch.optim.SGD(model.parameters(), lr=0.1)) as seen:
        pass
    assert seen.frame().columns.tolist()[:3] == ["step", "layer", "name"]


# What a training shows ---------------------------------------------------------------------


def test_an_update_larger_than_the_weights_is_told_at_its_step() -> None:
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=10.0)
    with relu_exp.watch(model, optimizer, every=2) as seen:
        train(model, optimizer, 1)
        optimizer.param_groups[0]["lr"] = 1e-6
        train(model, optimizer, 4)
    step, finding = seen.first_seen["update_too_large"]
    assert step == 0
    assert finding.values["rate"] == 10.0
    assert "update_too_large" in {each.kind for each in seen.tables[0].findings}
    assert "update_too_large" not in {each.kind for each in seen.findings}
    assert "first seen at step 0: One update at a learning rate of 10" in str(seen)
    assert "first seen at step 0: One update at a learning rate of 10" in seen._repr_html_()


def test_the_update_of_the_last_weights_counts_too() -> None:
    model = nn.Sequential(nn.Linear(6, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e4)
    with relu_exp.watch(model, optimizer) as seen:
        train(model, optimizer, 1)
    assert [each.kind for each in seen.findings] == ["update_too_large"]


def test_numbers_that_stop_being_finite_are_told_at_their_step() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    with relu_exp.watch(model, optimizer, every=2) as seen:
        train(model, optimizer, 3)
        with torch.no_grad():
            model[3].weight[0, 0] = math.nan
        train(model, optimizer, 3)
    assert {kind: step for kind, (step, _) in seen.first_seen.items()} == {"not_finite": 4}
    assert [each.kind for each in seen.findings] == ["not_finite"]


def watched_on(model: nn.Module, x: Tensor) -> list[str]:
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    with relu_exp.watch(model, optimizer) as seen:
        F.cross_entropy(model(x), data()[1]).backward()
        optimizer.step()
    assert seen.notes == []
    return [each.kind for each in seen.findings]


def test_unscaled_inputs_are_told_from_the_first_batch() -> None:
    pixels = 255 * torch.rand(32, 6, generator=torch.Generator().manual_seed(2))
    assert watched_on(network(), pixels)[:1] == ["inputs_unscaled"]
    assert watched_on(network(), pixels / 255) == []


def test_inputs_that_the_network_scales_itself_are_healthy_in_a_training() -> None:
    torch.manual_seed(0)
    pixels = 255 * torch.rand(32, 6)
    inside = nn.Sequential(
        nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU()
    )
    assert watched_on(nn.Sequential(inside, nn.Linear(16, 3)), pixels) == []


def test_between_two_measurements_the_network_has_no_hook_and_no_mode() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with relu_exp.watch(model, optimizer, every=3):
        train(model, optimizer, 1)
        assert not model._forward_hooks
        assert not model._forward_pre_hooks
        assert not torch.overrides._get_current_function_mode_stack()
        train(model, optimizer, 2)
        assert model._forward_hooks


# The command ------------------------------------------------------------------------------

BUILD = """
from torch import nn
def build():
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
def lazy():
    return nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, 3))
number = 3
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_inspected.py").write_text(BUILD)
    torch.save(data(), tmp_path / "my_batch.pt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_the_command_prints_the_table(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["inspect", "my_inspected:build", "--data", "my_batch.pt", "--csv", "all.csv"]
    assert main(words) == 0, capsys.readouterr().err
    assert "0 → relu" in capsys.readouterr().out
    assert (here / "all.csv").read_text().startswith("layer,name,function")


@pytest.mark.parametrize(
    ("model", "file", "says"),
    [
        ("my_inspected:biuld", "my_batch.pt", "did you mean build?"),
        ("my_inspected", "my_batch.pt", "write module:function"),
        ("no_such_module_here:build", "my_batch.pt", "cannot be imported"),
        ("my_inspected:number", "my_batch.pt", "must be a function"),
        ("my_inspected:build", "none.pt", "there is no such file"),
        ("my_inspected:build", "code.pt", "is not a batch"),
        ("my_inspected:build", "narrow.pt", "the network fails on this batch (RuntimeError: mat1"),
        ("my_inspected:build", "classes.pt", "the loss fails on this batch (IndexError: Target 5"),
        ("my_inspected:build", "empty.pt", "the batch is empty"),
        ("my_inspected:build", "keys.pt", "the network fails on this batch (TypeError: linear()"),
        ("my_inspected:lazy", "my_batch.pt", "call it once on a batch before"),
    ],
)
def test_what_the_command_cannot_read_is_one_line(
    model: str, file: str, says: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(UsageError("code of a stranger"), here / "code.pt")
    x, y = data()
    torch.save((x[:, :4], y), here / "narrow.pt")
    torch.save((x, y.fill_(5)), here / "classes.pt")
    torch.save((x[:0], y[:0]), here / "empty.pt")
    torch.save({"x": x, "y": y}, here / "keys.pt")
    assert main(["inspect", model, "--data", file]) == 2
    assert says in capsys.readouterr().err
