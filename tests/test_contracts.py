"""What every registry entry must hold: a new one is tested by being registered."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from relu_exp.core import naming
from relu_exp.core.schema import TABLES, UsageError
from relu_exp.engine.activations import ACTIVATIONS, gain, value_and_derivative
from relu_exp.engine.data.datasets import DATASETS, load, shape_of
from relu_exp.engine.initializers import INITIALIZERS, Fan, draw_weights
from relu_exp.engine.networks import NETWORKS, forward_flops, layers_of
from relu_exp.engine.optimizers import OPTIMIZERS
from relu_exp.engine.training import train_fleet

from configs import REGISTRIES, make_run

pytestmark = pytest.mark.usefixtures("one_thread")

ENTRIES = [(kind, name) for kind, registry in REGISTRIES.items() for name in registry]


@pytest.mark.parametrize(("kind", "name"), ENTRIES, ids=str)
def test_an_entry_says_what_it_is_and_where_it_comes_from(kind: str, name: str) -> None:
    entry = REGISTRIES[kind][name]
    assert entry.name == name
    assert entry.summary
    assert len(entry.reference) > 10
    assert all(setting.help for setting in entry.settings.values()), "a setting has no help"


@pytest.mark.parametrize(("kind", "name"), ENTRIES, ids=str)
def test_defaults_are_valid_and_wrong_settings_are_not(kind: str, name: str) -> None:
    registry = REGISTRIES[kind]
    choice = registry.resolve(name, {})
    assert registry.resolve(name, choice.as_dict()) == choice
    with pytest.raises(UsageError, match="does not belong to"):
        registry.resolve(name, {"no_such_setting": 1})


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_elementwise_finite_and_has_its_derivative(name: str) -> None:
    choice = ACTIVATIONS.resolve(name, {})
    x = torch.cat([torch.linspace(-50, 50, 401), torch.tensor([1e4, -1e4])]).double()
    value, derivative = value_and_derivative(choice, x)
    assert value.isfinite().all()
    assert derivative.isfinite().all()
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(value_and_derivative(choice, x[order])[0], value[order])
    smooth = (x.abs() > 0.2) & (x.abs() < 20)
    step = 1e-6
    slope = (value_and_derivative(choice, x + step)[0] - value) / step
    torch.testing.assert_close(derivative[smooth], slope[smooth], atol=1e-4, rtol=1e-4)
    assert 0 < gain(choice) < 10


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_trains_in_a_fleet_as_alone(name: str) -> None:
    keys: dict[str, Any] = {"activation": name, "num_steps": 3, "probe_steps": (0, 3)}
    runs = [make_run(seed=seed, **keys) for seed in (0, 1)]
    together, alone = train_fleet(runs), train_fleet(runs[1:])
    assert together["runs"]["final_test_loss"][1] == alone["runs"]["final_test_loss"][0]
    assert together["runs"]["status"] == ["done", "done"]


@pytest.mark.parametrize("name", INITIALIZERS)
@pytest.mark.parametrize("shape", [(6, 4), (5, 3, 3, 3)])
def test_an_initializer_keeps_the_shape_and_its_draw(name: str, shape: tuple[int, ...]) -> None:
    z = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    before = z.clone()
    weights = draw_weights(INITIALIZERS.resolve(name, {}), z, Fan(27, 45, 1.4))
    assert weights.shape == z.shape
    assert weights.dtype == z.dtype
    assert weights.isfinite().all()
    assert torch.equal(z, before)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_an_initializer_trains(name: str) -> None:
    assert train_fleet([make_run(initializer=name)])["runs"]["status"] == ["done"]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_trains_with_every_table_filled(name: str) -> None:
    entry = NETWORKS[name]
    keys: dict[str, Any] = {"network": name, "depth": 3, "batch_size": 4, "num_steps": 1}
    if entry.fixed_depth is not None:
        keys |= {"depth": entry.fixed_depth, "width": None}
    run = make_run(
        **keys, probe_steps=(0, 1), probe_samples=4, evaluation_steps=(1,), dataset__num_train=12
    )
    assert forward_flops(run) > 0
    assert sum(layer.is_used for layer in layers_of(run)) == run.depth + 1
    tables = train_fleet([run])
    for table in ("runs", "curves", "layers", "histograms", "functions"):
        lengths = {len(values) for key, values in tables[table].items() if key in TABLES[table]}
        assert lengths == {max(lengths)} != {0}
    assert set(tables["layers"]["layer"]) == set(range(1, run.depth + 1))
    missing = {"fleet_id", "session", "made_from"}
    assert set(TABLES["runs"]) - set(tables["runs"]) <= missing


@pytest.mark.parametrize(
    ("network", "dataset", "says"),
    [
        ("small_cnn", "moons", "network=small_cnn needs images and moons has none: choose digits"),
        ("document_cnn", "moons", "needs images of 28 × 28 with 1 channel and moons has none"),
        ("document_cnn", "digits", "and digits has 8 × 8 with 1 channel: .*network=small_cnn"),
        ("document_cnn", "cifar10", "and cifar10 has 32 × 32 with 3 channels: "),
    ],
)
def test_a_network_whose_images_are_missing_says_so(network: str, dataset: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        layers_of(make_run(network=network, dataset=dataset))


@pytest.mark.parametrize("name", ["mnist5k", "digits", "gaussian", "moons"])
def test_a_data_set_that_ships_trains(name: str) -> None:
    assert train_fleet([make_run(dataset=name)])["runs"]["status"] == ["done"]


@pytest.mark.parametrize("name", DATASETS)
def test_a_data_set_says_its_shape_and_is_there_or_says_what_to_do(name: str) -> None:
    choice = DATASETS.resolve(name, {})
    reason = ""
    try:
        shape = shape_of(choice)
        data = load(choice)
    except UsageError as error:
        reason = str(error)
    if reason:
        assert "dataset.root=" in reason or "dataset.path=" in reason
        assert "\n" not in reason
        return
    assert data.train.inputs.shape == (shape.num_train, shape.num_features)
    if shape.num_targets:
        assert data.train.labels.shape == (shape.num_train, shape.num_targets)
    else:
        assert set(data.train.labels.tolist()) == set(range(shape.num_classes))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_lowers_the_loss(name: str) -> None:
    run = make_run(optimizer=name, learning_rate=0.01, num_steps=60, evaluation_steps=(0, 60))
    tables = train_fleet([run])
    curve = [
        loss
        for split, loss in zip(tables["curves"]["split"], tables["curves"]["loss"], strict=True)
        if split == "train"
    ]
    assert curve[-1] < 0.8 * curve[0]


@pytest.mark.parametrize(
    ("registry", "word", "guess"),
    [
        (ACTIVATIONS, "swish", "swish is silu"),
        (ACTIVATIONS, "LeakyReLU", "leakyrelu is leaky_relu"),
        (INITIALIZERS, "kaiming_normal_", "kaiming_normal is he_normal"),
        (INITIALIZERS, "glorot-uniform", "glorot_uniform is xavier_uniform"),
    ],
)
def test_the_names_of_other_libraries_are_recognized(registry, word, guess):
    with pytest.raises(UsageError, match=guess):
        registry[word]


def test_every_synonym_leads_to_an_entry():
    known = {name for each in (ACTIVATIONS, INITIALIZERS, NETWORKS, OPTIMIZERS) for name in each}
    assert {names[0] for names in naming._SYNONYMS.values()} <= known
