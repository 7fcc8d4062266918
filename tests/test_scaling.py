"""Scaling of inputs: by the training samples, in every data set, and no other run is renamed."""

import json
from dataclasses import replace

import numpy as np
import pytest

from relu_exp.core.schema import RunConfig, UsageError
from relu_exp.engine.data import datasets, scaling
from relu_exp.engine.data.datasets import DATASETS, load
from relu_exp.engine.data.splits import Layout, split
from relu_exp.session.verify.retraining import trainable

from configs import make_run

GENERATOR = np.random.default_rng(0)
FEATURES = GENERATOR.normal([0, 5e4, -3, 7], [1, 1200, 0.01, 0], (140, 4))
LABELS = np.arange(140) % 2
MOONS = "392d967af8751da0"


def splits(inputs=FEATURES, how="none", **layout):
    layout = Layout(**{"num_features": 4, "num_classes": 2, "sizes": (100, 20, 20), **layout})
    return split("mine", (inputs, LABELS), layout, how, "classes")


def test_inputs_are_as_they_are_unless_somebody_asks():
    data = splits()
    every = np.concatenate([part.inputs.numpy() for part in data.splits.values()])
    assert {row.tobytes() for row in every} == {
        row.tobytes() for row in FEATURES.astype(np.float32)
    }


@pytest.mark.parametrize("piece", [1, 10**7])
def test_standardized_features_have_mean_0_and_variance_1_in_training(monkeypatch, piece):
    monkeypatch.setattr(scaling, "_PIECE", piece)
    raw, data = splits(FEATURES.astype(np.float64)), splits(how="standardize")
    train = data.train.inputs.double().numpy()
    assert train[:, :3].mean(0) == pytest.approx(0, abs=1e-6)
    assert train[:, :3].std(0) == pytest.approx(1, abs=1e-6)
    # the test samples are scaled by what was measured on the training samples
    mean, std = raw.train.inputs.double().numpy().mean(0), raw.train.inputs.double().numpy().std(0)
    expected = (raw.test.inputs.double().numpy() - mean)[:, :3] / std[:3]
    assert data.test.inputs.numpy()[:, :3] == pytest.approx(expected, abs=1e-4)


def test_a_constant_feature_is_0_in_training_and_where_it_differs():
    # 0.1 has no exact mean: rounding alone would give it a deviation
    inputs = np.full((140, 1), 0.1)
    order = splits(np.arange(140.0)[:, None], num_features=1)
    differs = order.test.inputs[0].int().item()
    inputs[differs] = 9
    for how in ("standardize", "minmax"):
        data = splits(inputs, how, num_features=1)
        assert all((part.inputs == 0).all() for part in data.splits.values())


def test_small_differences_of_large_numbers_keep_their_digits():
    inputs = 1.7e9 + GENERATOR.normal(size=(140, 1))
    train = splits(inputs, "standardize", num_features=1).train.inputs.double()
    assert len(train.unique()) == 100
    assert train.std(correction=0).item() == pytest.approx(1, abs=1e-6)


def test_pixels_of_a_channel_share_its_scale():
    images = GENERATOR.normal(size=(140, 2, 3, 3)) * np.array([1, 50])[None, :, None, None]
    images[:, 0, 0, 0] = 0  # a border
    layout = {"num_features": 18, "image_shape": (2, 3, 3)}
    data = splits(images, "standardize", **layout).train.inputs.reshape(-1, 2, 9).double()
    assert data.mean((0, 2)).tolist() == pytest.approx([0, 0], abs=1e-6)
    assert data.std((0, 2), correction=0).tolist() == pytest.approx([1, 1], abs=1e-6)
    assert data[:, 0, 0].unique().numel() == 1


def test_minmax_puts_each_training_feature_between_0_and_1():
    train = splits(how="minmax").train.inputs[:, :3]
    assert train.amin(0).tolist() == [0, 0, 0]
    assert train.amax(0).tolist() == [1, 1, 1]


def test_what_overflows_by_scaling_is_named():
    inputs = np.full((140, 1), 1e-30) * np.arange(140)[:, None]
    order = splits(np.arange(140.0)[:, None], num_features=1)
    far = order.test.inputs[0].int().item()
    inputs[far] = 1e30
    with pytest.raises(UsageError, match=f"mine: sample {far}, column 0 is inf once .*standardize"):
        splits(inputs, "standardize", num_features=1)


@pytest.mark.parametrize("name", ["mnist5k", "digits", "gaussian", "moons"])
def test_every_data_set_can_be_standardized(name):
    train = load(DATASETS.resolve(name, {"scaling": "standardize"})).train.inputs.double()
    assert train.mean().item() == pytest.approx(0, abs=1e-6)
    assert train.std(correction=0).item() == pytest.approx(1, abs=1e-3)


def test_images_can_come_as_they_are():
    data = load(DATASETS.resolve("digits", {"scaling": "none"}))
    assert (data.train.inputs.min(), data.train.inputs.max()) == (0, 16)


def with_dataset(name, **settings):
    return replace(make_run(), dataset=DATASETS.resolve(name, settings))


def test_the_default_renames_no_run_and_any_other_does():
    # pinned before there was the setting
    assert with_dataset("moons").run_id == MOONS
    assert with_dataset("moons", scaling="none") == with_dataset("moons")
    assert with_dataset("moons", scaling="standardize").run_id != MOONS
    assert "scaling" not in json.loads(with_dataset("moons").as_row()["dataset_settings"])


@pytest.mark.parametrize("settings", [{}, {"scaling": "minmax"}])
def test_a_run_of_any_scaling_can_be_trained_from_its_row(settings):
    run = with_dataset("moons", num_samples=100, **settings)
    assert trainable(RunConfig.from_row(run.as_row())) == run


def test_a_data_set_keeps_a_setting_of_its_own_that_is_called_scaling():
    try:

        @datasets.register(Layout(1, 2, (10, 2, 2)), reference="made up")
        def scales_itself(scaling=3.0):
            """Its own scale."""
            return np.arange(14.0)[:, None] * scaling, np.arange(14) % 2

        choice = DATASETS.resolve("scales_itself", {"scaling": 2.0})
        assert choice["scaling"] == 2.0
        every = [part.inputs for part in load(choice).splits.values()]
        assert sorted(np.concatenate(every)[:, 0].tolist()) == [2.0 * at for at in range(14)]
    finally:
        DATASETS._entries.pop("scales_itself", None)
