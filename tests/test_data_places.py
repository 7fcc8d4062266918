"""Where the files of well-known data sets are searched, and how they are read."""

import gzip
import pickle
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from relu_exp import cli
from relu_exp.core.absent_data import AbsentDataError
from relu_exp.core.schema import UsageError
from relu_exp.engine.data import datasets
from relu_exp.engine.data.datasets import DATASETS, Layout
from relu_exp.results.store import Store

CLOTHES = """
title: Clothes
question: Does it run?
overrides:
  dataset: fashion_mnist
  initializer: he_normal
  activation: relu
  depth: 1
  width: 8
  num_steps: 6
  batch_size: 32
  learning_rate: 0.1
sweep: {seed: range(3)}
figures: [loss_curves]
"""


@pytest.fixture
def said(capsys, tmp_path, monkeypatch):
    """Return a function that runs a command line in a folder with an experiment and no data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RELU_EXP_DATA", str(tmp_path / "data"))
    Path("clothes.yaml").write_text(CLOTHES)

    def run(*words):
        code = cli.main([*words, *(["--workers", "1"] if words[0] == "run" else [])])
        return code, *capsys.readouterr()

    return run


def write_images(folder, label=None, counts=(30, 20)):
    """Write four small IDX files; every label is `label`, or they take turns."""
    folder.mkdir(parents=True)
    for split, count in zip(("train", "t10k"), counts, strict=True):
        pixels = np.random.default_rng(0).integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 10 if label is None else [label] * count
        for kind, array in (("images-idx3", pixels), ("labels-idx1", np.array(labels, np.uint8))):
            header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            file = folder / f"{split}-{kind}-ubyte.gz"
            file.write_bytes(gzip.compress(header + array.tobytes(), 1))


@pytest.fixture
def small_fashion(monkeypatch):
    """Let fashion_mnist have 50 images, and lie in no folder of this machine's packages."""
    layout = Layout(784, 10, (20, 10, 20), given_test=True, value_range=(0, 255))
    entry = replace(DATASETS["fashion_mnist"], layout=lambda **_: layout)
    monkeypatch.setitem(DATASETS._entries, "fashion_mnist", entry)
    places = "relu_exp.engine.data.places.INSTALLED"
    monkeypatch.setattr(places, Path("/nowhere"))
    yield
    datasets.forget()


def listed(said):
    _, out, _ = said("list", "datasets")
    return {line.split("\t")[1]: line.split("\t")[-1] for line in out.splitlines()}


@pytest.mark.parametrize("folder", ["FashionMNIST/raw", "FashionMNIST", "fashion-mnist"])
def test_images_in_the_data_folder_are_found_listed_and_trained_on(
    said, small_fashion, tmp_path, folder
):
    remedy = (
        "`apt install dataset-fashion-mnist`, or set RELU_EXP_DATA to the folder that holds "
        "FashionMNIST"
    )
    assert listed(said)["fashion_mnist"] == f"no: {remedy}"
    code, _, err = said("run", "clothes.yaml")
    assert code == 2
    assert "FashionMNIST is not in " in err
    assert "`apt install dataset-fashion-mnist`" in err
    write_images(tmp_path / "data" / folder)
    assert listed(said)["fashion_mnist"] == f"yes, in {tmp_path / 'data' / folder}"
    code, _, err = said("run", "clothes.yaml", "dataset.num_train=15")
    assert code == 0, err
    ends = Store(Path("results/clothes")).ends().values()
    assert [end.status for end in ends] == ["done"] * 3
    assert all('"data":' in end.made_from for end in ends)
    code, out, _ = said("run", "clothes.yaml", "dataset.num_train=15", "--plan")
    assert "0 new, 3 finished" in out
    # other content, other digest
    labels = tmp_path / "data" / folder / "train-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(labels.read_bytes()))
    content[-2:] = content[-1], content[-2]
    labels.write_bytes(gzip.compress(bytes(content), 1))
    code, out, _ = said("run", "clothes.yaml", "dataset.num_train=15", "--plan")
    assert "3 stale" in out


def test_files_of_the_same_names_in_the_data_folder_are_not_taken_for_each_other(
    said, small_fashion, tmp_path
):
    write_images(tmp_path / "data" / "MNIST" / "raw", label=1)
    with pytest.raises(AbsentDataError, match="FashionMNIST is not in"):
        DATASETS["fashion_mnist"].read()
    write_images(tmp_path / "data" / "FashionMNIST" / "raw", label=2)
    assert {*DATASETS["mnist"].read()[1]} == {1}
    assert {*DATASETS["fashion_mnist"].read()[1]} == {2}


class _Opened:
    def __reduce__(self):
        return Path.touch, (Path("opened"),)


def test_pickles_that_are_not_the_authors_are_never_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    names = [f"data_batch_{number}" for number in range(1, 6)]
    for name in [*names, "test_batch", "batches.meta"]:
        (folder / name).write_bytes(pickle.dumps(_Opened()))
    with pytest.raises(UsageError, match=r"CIFAR10 in .* is damaged") as caught:
        DATASETS["cifar10"].read(root=str(tmp_path))
    assert not isinstance(caught.value, AbsentDataError)
    assert not Path("opened").exists()
    pickle.loads((folder / "test_batch").read_bytes())
    assert Path("opened").exists()  # it would have been
