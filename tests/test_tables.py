"""Data of one's own: found out of a file as they are, or refused in one line."""

from __future__ import annotations

import csv
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from relu_exp.cli import main
from relu_exp.core.schema import Choice, UsageError
from relu_exp.engine.data.datasets import DATASETS, load, shape_of
from relu_exp.engine.data.tables import forget_tables
from relu_exp.engine.networks import layers_of
from relu_exp.engine.training import train_fleet
from relu_exp.evidence.figures.slices import _stem
from relu_exp.results.store import Store

import oracle
from configs import make_run

pytestmark = pytest.mark.usefixtures("one_thread")

NAMES = ("setosa", "versicolor", "virginica")
Rows = list[list[Any]]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, and forget the files of other tests."""
    monkeypatch.chdir(tmp_path)
    forget_tables()


def choose(**settings: Any) -> Choice:
    return DATASETS.resolve("table", settings)


def rows(size: int = 60) -> Rows:
    draws = np.random.default_rng(size)
    return [[round(draws.normal(), 3), 2000 + k % 7, NAMES[k % 3]] for k in range(size)]


def write(file: str, content: Rows, head: str = "length,year,species", sep: str = ",") -> None:
    with Path(file).open("w", newline="", encoding="utf-8") as out:
        csv.writer(out, delimiter=sep).writerows([head.split(","), *content])


def pixels(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def save_images(folder: str, images: np.ndarray[Any, Any], suffix: str = "png") -> None:
    for place, image in enumerate(images):
        file = Path(folder) / ("cat", "dog")[place % 2] / f"{place:03}.{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)


@pytest.mark.parametrize("format", ["csv", "tsv", "semicolons", "cp949", "parquet", "npz"])
def test_every_format_gives_the_same_samples(format: str) -> None:
    content, file = rows(), f"나의 자료.{format}"
    expected = np.array([row[:2] for row in content], dtype=np.float64)
    if format == "tsv":
        write(file, content, sep="\t")
    elif format == "parquet":
        columns = zip(*content, strict=True)
        names = ("length", "year", "species")
        parquet.write_table(pa.table(dict(zip(names, columns, strict=True))), file)
    elif format == "npz":
        np.savez(file, samples=expected, species=np.array([row[2] for row in content]))
    else:
        file = "나의 자료.csv"
        write(file, content, sep=";" if format == "semicolons" else ",")
    if format == "cp949":
        text = Path(file).read_text(encoding="utf-8").replace("length", "길이")
        Path(file).write_bytes(text.encode("cp949"))
    shape, data = shape_of(choose(path=file)), load(choose(path=file, scaling="none"))
    assert (shape.num_features, shape.num_classes, shape.num_train) == (2, 3, 48)
    assert shape.image_shape is None
    assert [len(part) for part in data.splits.values()] == [48, 6, 6]
    parts = data.splits.values()
    found = torch.cat([torch.column_stack([part.inputs, part.labels]) for part in parts])
    labels = np.array([NAMES.index(row[2]) for row in content])
    wanted = np.column_stack([expected, labels]).astype(np.float32)
    assert sorted(map(tuple, found.tolist())) == sorted(map(tuple, wanted.tolist()))
    assert all(part.labels.bincount().tolist() == [len(part) // 3] * 3 for part in parts)


def test_each_column_is_scaled_by_its_own_numbers() -> None:
    write("my.csv", [[*row[:2], 7, row[2]] for row in rows()], "length,year,same,species")
    train = load(choose(path="my.csv")).train.inputs
    assert torch.allclose(train.mean(0), torch.zeros(3), atol=1e-6)
    assert torch.allclose(train.std(0, correction=0), torch.tensor([1.0, 1.0, 0.0]), atol=1e-6)
    unit = load(choose(path="my.csv", scaling="minmax")).train.inputs
    assert unit.amin(0).tolist() == [0, 0, 0]
    assert unit.amax(0).tolist() == [1, 1, 0]


def test_each_channel_of_images_is_scaled_by_its_own_numbers() -> None:
    np.savez("my.npz", images=pixels(60, 5, 7, 3) // (1, 2, 4), y=np.arange(60) % 2)
    train = load(choose(path="my.npz")).train.inputs.reshape(-1, 3, 35)
    assert torch.allclose(train.mean((0, 2)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(train.std((0, 2), correction=0), torch.ones(3), atol=1e-5)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [([3, 1, 7], 3), ([True, False, True], 2), ([0.0, 1.0, 2.0], 3), (["b", "a", "나"], 3)],
)
def test_labels_are_numbered_in_their_order(labels: list[Any], classes: int) -> None:
    y = pa.array([labels[k % 3] for k in range(60)])
    parquet.write_table(pa.table({"x": np.arange(60.0), "y": y}), "my.parquet")
    data = load(choose(path="my.parquet", scaling="none"))
    assert data.num_classes == classes
    order = sorted(set(labels))
    for part in data.splits.values():
        for x, label in zip(part.inputs[:, 0].tolist(), part.labels.tolist(), strict=True):
            assert order[label] == labels[int(x) % 3]


def test_columns_are_chosen_by_name() -> None:
    write("my.csv", [[k, *row] for k, row in enumerate(rows())], "id,length,year,kind")
    assert shape_of(choose(path="my.csv", label="kind")).num_features == 3
    assert shape_of(choose(path="my.csv", label="kind", ignore="id")).num_features == 2
    chosen = choose(path="my.csv", label="kind", features=["length"])
    assert shape_of(chosen).num_features == 1
    assert DATASETS.resolve("table", chosen.as_dict()) == chosen


@pytest.mark.parametrize(
    ("changes", "settings", "says"),
    [
        ({}, {"label": "specie"}, r"dataset.label=specie: my.csv has no such column \(did you mean "
         r"species\?\); columns: length, year, species"),
        ({}, {"ignore": "yaer"}, r"no such column \(did you mean year\?\)"),
        ({"head": "length,year,kind"}, {}, "which column holds the labels\\? .*dataset.label=NAME; "
         "columns: length, year, kind"),
        ({"head": "length,class,species"}, {}, "which column holds the labels"),
        ({"head": ",year,species"}, {}, "column 1 has no name; .*index=False"),
        ({"head": "year,year,species"}, {}, "two columns 'year'"),
        ({"head": "1.5,2000,3"}, {}, "its first line holds numbers .*add a line of names"),
        ({(4, 0): ""}, {}, "my.csv: row 5, column 'length' is empty"),
        ({(4, 0): "nan"}, {}, "my.csv: row 5, column 'length' is nan; expected a finite number"),
        ({(4, 1): "1e39"}, {}, r"row 5, column 'year' is 1e\+39; expected a finite number"),
        ({(4, 0): "n/a"}, {}, "my.csv: row 5, column 'length' is 'n/a'; expected a number"),
        ({(4, 2): ""}, {}, "my.csv: row 5, column 'species' is empty"),
        ({}, {"label": "length"}, "row 1, column 'length' is .*, which is no class"),
        ({(4, 2): "x,y"}, {}, "9 samples of 4 classes: too few"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_from_is_one_line(
    changes: dict[Any, Any], settings: dict[str, Any], says: str
) -> None:
    content = rows(9 if changes.get(4, 2) else 30)
    head = changes.pop("head", "length,year,species")
    for (row, column), value in changes.items():
        content[row][column] = value
    write("my.csv", content, head)
    with pytest.raises(UsageError, match=says) as caught:
        shape_of(choose(path="my.csv", **settings))
    assert "\n" not in str(caught.value)


def test_a_column_of_text_is_refused_with_a_hint() -> None:
    write("my.csv", [[("red", "blue")[k % 2], k, k % 3] for k in range(30)], "color,size,y")
    with pytest.raises(
        UsageError, match=r"'color' holds text \(red, blue\): .*dataset.ignore=color"
    ):
        shape_of(choose(path="my.csv"))
    assert shape_of(choose(path="my.csv", ignore="color")).num_features == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a,y\n1,2,3\n", "my.csv cannot be read as csv: .*Expected 2 columns, got 3"),
        (b"", "my.csv cannot be read as csv: Empty"),
        (b"a,y\n", "my.csv has no rows"),
        (b"a,y\n1,0\n2,0\n3,0\n", "every label is 0"),
        (b"a,y\n1,0\n2,1\n3,0\n4,1\n5,0\n", "too few to train, validate and test"),
        (b"\xff\xfe\x00", "my.csv cannot be read as csv"),
    ],
)
def test_a_damaged_file_is_one_line(content: bytes, says: str) -> None:
    Path("my.csv").write_bytes(content)
    with pytest.raises(UsageError, match=says) as caught:
        shape_of(choose(path="my.csv"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (None, "needs dataset.path=FILE: a CSV"),
        ("flwoers.csv", r"no such file in .* \(did you mean flowers.csv\?\)"),
        ("꽃들.csv", r"\(did you mean 꽃.csv\?\)"),
        ("nowhere/a.csv", "there is no folder .*nowhere"),
        ("flowers.xlsx", "none that is read: name a CSV"),
        ("pipe.csv", "pipe.csv is neither a file nor a folder$"),
        ("object.npz", "object.npz cannot be read as npz: .*allow_pickle"),
        ("text.npz", "it is not an NPZ file"),
        ("text.parquet", "cannot be read as parquet"),
        ("empty", "holds no folders"),
        ("a" * 300, "is no path|no such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(path: str | None, says: str) -> None:
    for name in ("flowers.csv", "꽃.csv", "flowers.xlsx", "text.npz", "text.parquet"):
        Path(name).write_text("x")
    Path("empty").mkdir()
    os.mkfifo("pipe.csv")
    np.savez("object.npz", x=np.array([[{}]] * 9, dtype=object), y=np.arange(9) % 2)
    with pytest.raises(UsageError, match=says) as caught:
        shape_of(choose(path=path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "found"),
    [
        ((40, 8, 8), (1, 8, 8)),
        ((40, 10, 12, 3), (3, 10, 12)),
        ((40, 3, 10, 12), (3, 10, 12)),
        ((40, 4, 4, 1), (1, 4, 4)),
    ],
)
def test_arrays_of_images_are_known_by_their_shape(
    shape: tuple[int, ...], found: tuple[int, int, int]
) -> None:
    images = pixels(*shape)
    np.savez("my.npz", images=images, label=np.arange(40) % 2)
    choice = choose(path="my.npz", scaling="none")
    assert shape_of(choice).image_shape == found
    if shape[-1] == found[0]:
        images = images.transpose(0, 3, 1, 2)
    train = load(choice).train.inputs.reshape(-1, *found)
    assert any(
        torch.equal(train[0], torch.tensor(image).float().reshape(found)) for image in images
    )


def test_arrays_that_could_be_either_are_refused() -> None:
    np.savez("my.npz", images=pixels(40, 3, 9, 3), label=np.arange(40) % 2)
    with pytest.raises(UsageError, match=r"images has shape \(40, 3, 9, 3\); expected"):
        shape_of(choose(path="my.npz"))
    np.savez("far.npz", images=pixels(40, 8), label=[0.0, np.inf, 1e30, 1.0] * 10)
    with pytest.raises(UsageError, match="row 2, label is inf, which is no class"):
        shape_of(choose(path="far.npz"))
    np.savez("two.npz", a=pixels(40, 8), b=pixels(40, 8), label=np.arange(40) % 2)
    with pytest.raises(UsageError, match=r"dataset.features=NAME; arrays: a \(40, 8\), b"):
        shape_of(choose(path="two.npz"))
    assert shape_of(choose(path="two.npz", features="b")).num_features == 8


def test_a_test_set_of_its_own_stays_one() -> None:
    images, labels = pixels(100, 8, 8), np.arange(100)[:, None] % 2
    np.savez("k.npz", x_train=images[:80], y_train=labels[:80], x_test=images[80:],
             y_test=labels[80:])  # fmt: skip
    data = load(choose(path="k.npz", scaling="none"))
    assert [len(part) for part in data.splits.values()] == [72, 8, 20]
    assert torch.equal(data.test.inputs, torch.tensor(images[80:]).flatten(1).float())
    write("train.csv", rows(60))
    write("test.csv", rows(15))
    data = load(choose(path="train.csv", test_path="test.csv", scaling="none"))
    assert [len(part) for part in data.splits.values()] == [54, 6, 15]
    assert torch.allclose(data.test.inputs[:, 0], torch.tensor([row[0] for row in rows(15)]))
    write("other.csv", [[1, 2, "rose"]])
    with pytest.raises(
        UsageError, match=r"other.csv: the label of row 1 is 'rose', which train.csv"
    ):
        shape_of(choose(path="train.csv", test_path="other.csv"))


def test_columns_of_a_test_set_are_found_by_their_names() -> None:
    write("train.csv", rows(60))
    swapped = [[year, kind, length] for length, year, kind in rows(15)]
    write("test.csv", swapped, "year,species,length")
    data = load(choose(path="train.csv", test_path="test.csv", scaling="none"))
    expected = torch.tensor([[float(each) for each in row[:2]] for row in rows(15)])
    assert torch.allclose(data.test.inputs, expected)
    write("other.csv", rows(15), "length,age,species")
    with pytest.raises(
        UsageError, match=r"other.csv has no column 'year', which train.csv learns from"
    ):
        shape_of(choose(path="train.csv", test_path="other.csv"))
    write("more.csv", [[1, *row] for row in rows(15)], "id,length,year,species")
    with pytest.raises(UsageError, match=r"train.csv has no column 'id', which more.csv"):
        shape_of(choose(path="train.csv", test_path="more.csv"))
    data = load(choose(path="train.csv", test_path="more.csv", features=["year"], scaling="none"))
    assert torch.allclose(data.test.inputs, expected[:, 1:])


def test_labels_that_differ_only_in_spaces_are_not_two_classes() -> None:
    content = rows(60)
    content[7][2] += " "
    write("my.csv", content)
    with pytest.raises(
        UsageError, match=r"my.csv: the labels '(\w+)' and '\1 ' differ only in the spaces"
    ):
        shape_of(choose(path="my.csv"))


def test_spaces_around_its_name_hide_no_column_of_labels() -> None:
    write("my.csv", rows(60), "length,year,species ")
    assert shape_of(choose(path="my.csv")).num_features == 2


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("channels", [1, 3])
def test_folders_of_images_are_classes(suffix: str, channels: int) -> None:
    images = pixels(40, 8, 12, channels)
    save_images("내 사진", images[..., 0] if channels == 1 else images, suffix)
    choice = choose(path="내 사진", scaling="none")
    assert shape_of(choice).image_shape == (channels, 8, 12)
    data = load(choice)
    assert data.num_classes == 2
    if suffix == "png":
        for image, label in zip(data.train.inputs, data.train.labels, strict=True):
            same = (images.transpose(0, 3, 1, 2).reshape(40, -1) == image.numpy()).all(1)
            assert same.argmax() % 2 == label
            assert same.any()


def test_images_of_two_sizes_or_of_none_are_one_line() -> None:
    save_images("pics", pixels(20, 8, 8))
    Image.fromarray(pixels(9, 8)).save("pics/dog/zzz.png")
    with pytest.raises(UsageError, match=r"cat/000.png has 8 × 8 pixels and dog/zzz.png 9 × 8"):
        shape_of(choose(path="pics"))
    Path("pics/dog/zzz.png").write_bytes(b"no image")
    with pytest.raises(UsageError, match=r"zzz.png"):
        shape_of(choose(path="pics"))


def test_what_makes_a_run_is_the_path_and_not_the_folder_it_starts_from() -> None:
    write("my.csv", rows())

    def run_id(**settings: Any) -> str:
        return replace(make_run(), dataset=choose(**settings)).run_id

    assert run_id(path="my.csv") == run_id(path="my.csv", root="/elsewhere")
    ids = [run_id(path="my.csv"), run_id(path="other.csv"), run_id(path="my.csv", label="year")]
    assert len({*ids, run_id(path="my.csv", ignore="year")}) == 4


def test_home_folders_and_roots_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    write("data/my.csv", rows())
    monkeypatch.setenv("HOME", str(tmp_path))
    choices = [choose(path="~/data/my.csv"), choose(path="my.csv", root="data"),
               choose(path=str(tmp_path / "data" / "my.csv"))]  # fmt: skip
    assert [shape_of(choice).num_train for choice in choices] == [48] * 3
    # a process that works elsewhere finds what was named from here
    recorded = choose(path="data/my.csv")
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    assert shape_of(recorded).num_train == 48


def test_workers_train_on_files_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("꽃.csv", "풀 둘.csv"):
        write(name, rows())
    words = ["run", "dataset=table", 'dataset.path="꽃.csv","풀 둘.csv"']
    words += [
        "dataset.features=[length,year]",
        "depth=1",
        "width=8",
        "num_steps=4",
        "seed=0",
        "activation=relu",
    ]
    words += ["initializer=he_normal", "learning_rate=0.1", "--workers", "2", "--device", "cpu"]
    assert main(words) == 0, capsys.readouterr().err
    found = [
        row for part in Store(Path("results/default")).read("runs") for row in part.to_pylist()
    ]
    assert [row["status"] for row in found] == ["done", "done"]
    text = Path("results/default/report.md").read_text(encoding="utf-8")
    assert "table 꽃.csv" in text
    assert "table 풀 둘.csv" in text


def test_a_file_that_changes_between_two_commands_of_one_process_is_seen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def said(*more: str) -> str:
        words = ("activation=relu", "initializer=he_normal", "depth=1", "width=4", "num_steps=2")
        words += ("learning_rate=0.1", "seed=0", "batch_size=8", "probes.num_samples=8")
        data = ("dataset=table", "dataset.path=mine.csv")
        assert main(["run", *words, *data, "--workers", "1", *more]) == 0
        out, err = capsys.readouterr()
        return out + err

    write("mine.csv", rows(60))
    said()
    assert "1 finished" in said("--plan")
    # other sizes: the layout itself has changed
    write("mine.csv", rows(90))
    assert "1 stale" in said("--plan")
    assert "stale (data of table " in said()
    said("--stale", "rerun")
    assert "1 finished" in said("--plan")
    assert len(load(choose(path="mine.csv")).train) == 72


def test_figures_of_two_files_have_two_names_whatever_the_script() -> None:
    stems = {_stem("dataset_label", f"table {name}.csv") for name in ("꽃", "풀", "a")}
    assert len(stems) == 3
    assert "-table_a.csv" in stems
    assert all(stem.isascii() for stem in stems)


@pytest.mark.parametrize("shape", [(8, 8), (32, 32, 3), (15, 20, 3), (17, 16)])
def test_the_small_cnn_of_images_of_any_shape_equals_a_lone_module(shape: tuple[int, ...]) -> None:
    np.savez("my.npz", images=pixels(60, *shape), label=np.arange(60) % 3)
    keys: dict[str, Any] = {"network": "small_cnn", "depth": 3, "width": None, "batch_size": 4}
    run = make_run(**keys, dataset="table", dataset__path="my.npz", evaluation_steps=())
    expected, _ = oracle.train(run)
    curves = train_fleet([run])["curves"]
    assert list(curves["loss"]) == pytest.approx(expected, rel=1e-3)


def test_images_too_small_to_be_halved_twice_are_one_line() -> None:
    np.savez("my.npz", images=pixels(60, 3, 9), label=np.arange(60) % 3)
    with pytest.raises(UsageError, match=r"images of 3 × 9 are too small for network=small_cnn"):
        layers_of(make_run(network="small_cnn", dataset="table", dataset__path="my.npz"))
    np.savez("enough.npz", images=pixels(60, 4, 9), label=np.arange(60) % 3)
    run = make_run(network="small_cnn", dataset="table", dataset__path="enough.npz")
    assert layers_of(run)[2].fan_in == 16 * 1 * 2


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10", "lost"])
def test_a_plan_says_what_is_not_there(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["run", f"dataset={name}", "seed=0", "--plan", "--device", "cpu"]
    if name == "lost":  # a plugin's
        lost = replace(DATASETS["moons"], read=_lost, is_bundled=False)
        monkeypatch.setitem(DATASETS._entries, "lost", lost)
    else:
        words.append("dataset.root=empty")
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert "not" in err
    assert "time" not in out
    if name != "lost":
        assert main([*words, "dataset.download=true"]) == 0
        assert f"{name} is not there: the first run downloads it" in capsys.readouterr().out
        assert not Path("empty").exists()


def _lost(**_: Any) -> Any:
    raise UsageError("the points are not there")
