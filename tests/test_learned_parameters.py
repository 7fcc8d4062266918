"""What an activation learns is measured by layer and step, as the oracle has it, and shown."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from relu_exp.core.schema import RunConfig
from relu_exp.core.settings import Setting
from relu_exp.engine.activations import ACTIVATIONS, register
from relu_exp.engine.fleet.stack import build as build_stack
from relu_exp.engine.training import train_fleet
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.export import export
from relu_exp.evidence.report.report import build
from relu_exp.evidence.report.summary import best_results
from relu_exp.results.store import Store

import oracle
import synthetic
from configs import make_run

pytestmark = pytest.mark.usefixtures("one_thread")

STEPS = 6


def prelu(per: str, **keys: object) -> RunConfig:
    settings = {
        "activation": ("prelu", {"per": per}),
        "depth": 3,
        "num_steps": STEPS,
        "probe_steps": (0, 2, STEPS),
        "learning_rate": 0.03,
    }
    return make_run(**{**settings, **keys})


def layers_of(runs: list[RunConfig]) -> pd.DataFrame:
    return pd.DataFrame(train_fleet(runs)["layers"])


def slopes(run: RunConfig, num_steps: int) -> list[torch.Tensor]:
    """Return the slopes of each layer after so many updates, by PyTorch's own modules."""
    _, network = oracle.train(make_run_like(run, num_steps))
    assert isinstance(network, oracle.Mlp)
    found = []
    for module in network.activations:
        assert isinstance(module, nn.PReLU)
        found.append(module.weight.detach())
    return found


def make_run_like(run: RunConfig, num_steps: int) -> RunConfig:
    return prelu(str(run.activation["per"]), num_steps=num_steps, probe_steps=())


@pytest.mark.parametrize("per", ["network", "layer", "unit"])
def test_the_learned_slopes_are_those_of_a_network_of_modules(per: str) -> None:
    run = prelu(per)
    # beside another run, which learns other slopes
    layers = layers_of([run, prelu(per, learning_rate=0.01)])
    own = layers[layers["run_id"] == run.run_id]
    for step in run.probe_steps:
        here = own[own["step"] == step].pivot(index="layer", columns="quantity", values="value")
        expected = slopes(run, step)
        means = [float(slope.mean()) for slope in expected]
        np.testing.assert_allclose(here["learned_slope"], means, rtol=1e-4)
        if step:
            assert not np.allclose(here["learned_slope"], 0.25, atol=1e-5)
        assert ("learned_slope_minimum" in here) is (per == "unit")
        if per == "unit":
            ends = [(float(slope.min()), float(slope.max())) for slope in expected]
            found = here[["learned_slope_minimum", "learned_slope_maximum"]]
            np.testing.assert_allclose(found, ends, rtol=1e-4)


def test_an_activation_that_learns_nothing_has_no_such_rows() -> None:
    layers = layers_of([prelu("layer", activation="leaky_relu")])
    assert not layers["quantity"].str.startswith("learned_").any()


@pytest.fixture
def beta(monkeypatch: pytest.MonkeyPatch) -> str:
    """Register an activation of somebody else's that learns `beta`."""
    monkeypatch.setattr(ACTIVATIONS, "_entries", dict(ACTIVATIONS._entries))

    @register(
        formula="x σ(βx)",
        reference="made up",
        settings={"first": Setting(1.5, "first value of beta")},
        trained=("beta", "first"),
    )
    def steep(x: torch.Tensor, beta: float = 1.0) -> torch.Tensor:
        """Swish whose steepness is learned."""
        return x * torch.sigmoid(beta * x)

    return "steep"


def test_a_parameter_of_a_plugin_has_its_own_name(beta: str) -> None:
    layers = layers_of([prelu("layer", activation=beta)])
    found = layers[layers["quantity"] == "learned_beta"].groupby("step")["value"]
    assert found.count().to_dict() == {0: 3, 2: 3, STEPS: 3}
    assert set(found.get_group(0)) == {1.5}
    assert not np.allclose(found.get_group(STEPS), 1.5, atol=1e-5)


def test_slopes_are_in_the_table_of_the_report_and_in_exports(tmp_path: Path) -> None:
    root = tmp_path / "default"
    runs = [prelu("layer", seed=seed) for seed in (0, 1)]
    runs.append(prelu("layer", activation="relu"))
    synthetic.write(root, [synthetic.configs()[0]])
    store = Store(root)
    for number, fleet in enumerate((runs[:2], runs[2:])):
        columns = train_fleet(fleet)
        size = len(fleet)
        columns["runs"] |= {"fleet_id": ["f"] * size, "session": [synthetic.SESSION] * size}
        columns["runs"]["made_from"] = [None] * size
        store.write_part(f"fleet{number:06d}", columns)
    synthetic.write_manifest(store, [run.run_id for run in runs], figures=["function_curves"])
    frames = Frames.open(root)
    table = best_results(frames)
    cells = {row["activation"]: row["learned slope"] for row in table.as_dicts()}
    layers = frames.layers
    last = layers[(layers["quantity"] == "learned_slope") & (layers["step"] == STEPS)]["value"]
    assert len(last) == 6
    expected = f"{last.mean():.3g} ({last.min():.3g} … {last.max():.3g})"
    assert cells == {"PReLU": expected, "ReLU": "—"}
    assert "Learned slope: mean over layers and runs" in table.note
    assert expected in build(root).markdown.read_text()
    csv = pd.read_csv(export(root, "csv") / "layers.csv")
    assert (csv["quantity"] == "learned_slope").sum() == 2 * 3 * 3


@pytest.mark.parametrize("network", ["mlp", "residual_mlp", "small_cnn"])
@pytest.mark.parametrize("per", ["network", "layer", "unit"])
def test_every_parameter_that_is_trained_is_counted(per: str, network: str) -> None:
    run = prelu(per, network=network, num_steps=0, probe_steps=())
    (found,) = train_fleet([run])["runs"]["num_parameters"]
    stack = build_stack([run])
    assert found == sum(each.numel() for each in stack.parameters())
    # the same network without learned parameters
    plain = prelu(per, network=network, activation="relu", num_steps=0, probe_steps=())
    (fewer,) = train_fleet([plain])["runs"]["num_parameters"]
    units = sum(layer.shape[0] for layer in stack.hidden)
    assert found - fewer == {"network": 1, "layer": len(stack.hidden), "unit": units}[per]


def test_a_network_of_modules_has_as_many_parameters() -> None:
    for per in ("network", "layer", "unit"):
        run = prelu(per, num_steps=0, probe_steps=())
        (found,) = train_fleet([run])["runs"]["num_parameters"]
        assert found == sum(each.numel() for each in oracle.make_network(run).parameters())
