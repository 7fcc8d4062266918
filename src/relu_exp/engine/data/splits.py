"""The training, validation and test splits of a data set: stratified, drawn once and scaled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from relu_exp.core.schema import UsageError
from relu_exp.engine.data.arrays import as_inputs, as_labels, digest_of
from relu_exp.engine.data.image_files import Arrays
from relu_exp.engine.streams import stream

__all__ = ["Data", "Layout", "SortedData", "Split", "split", "stratified_order"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Layout:
    """The size and shape of a data set, known before it is read.

    `sizes` holds the numbers of samples for training, validation and test. If the data set comes
    with its own test set (`given_test`), those samples are last; otherwise all three are drawn.
    Inputs with a `value_range` (lowest, highest) are scaled, others are used as they are.
    """

    num_features: int
    num_classes: int
    sizes: tuple[int, int, int]
    image_shape: tuple[int, int, int] | None = None
    given_test: bool = False
    value_range: tuple[float, float] | None = None


@dataclass(frozen=True)
class Split:
    """Inputs (samples, features) float32 and labels (samples,) int64, both contiguous."""

    inputs: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def with_features(self, order: Tensor) -> Split:
        """Return the samples with their features in another order."""
        return Split(self.inputs[:, order], self.labels)

    def num_active_features(self, background: Tensor) -> Tensor:
        """Return the number of features up to the last one that is not background: (samples,)."""
        differs = (self.inputs != background).flip(1)
        last = differs.shape[1] - differs.byte().argmax(1)
        return last.where(differs.any(1), 0)


@dataclass(frozen=True)
class Data:
    """The three splits, the same for every seed; images are flattened (channel, row, column).

    `content` is a digest of all samples and labels before they were split and scaled.
    """

    train: Split
    validation: Split
    test: Split
    num_classes: int
    image_shape: tuple[int, int, int] | None
    content: str = ""

    @property
    def splits(self) -> Mapping[str, Split]:
        """The splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @cached_property
    def sorted_by_sparsity(self) -> SortedData | None:
        """The samples with sparse features last; None if no feature is mostly background.

        A feature's background is its smallest value in the training set, as at an image's border.
        Features that are background in at least half of the training samples come last, the
        sparsest at the very end.
        """
        background = self.train.inputs.amin(0)
        num_active = (self.train.inputs != background).sum(0)
        order = num_active.clamp(max=len(self.train) // 2).argsort(descending=True, stable=True)
        if num_active.min() > len(self.train) // 2:
            return None
        splits = {name: part.with_features(order) for name, part in self.splits.items()}
        background = background[order]
        active = {name: part.num_active_features(background) for name, part in splits.items()}
        return SortedData(order, background, splits, active)


@dataclass(frozen=True)
class SortedData:
    """A data set with its features sorted by sparsity: mostly background ones are last.

    `order` (features,) holds the original index of each feature; `background` (features,) and
    `splits` are in that order. `num_active_features` (samples,), for every split, counts a sample's
    features up to the last one that is not background.
    """

    order: Tensor
    background: Tensor
    splits: Mapping[str, Split]
    num_active_features: Mapping[str, Tensor]


def split(name: str, arrays: Arrays, layout: Layout, scaling: str, task: str) -> Data:
    """Return the splits of a data set; those that are drawn are stratified by class.

    The draw does not depend on a run's seed, so that all runs share the same test samples.

    Args:
        name: the data set's name, for error messages.
        arrays: all inputs (samples, ...) and labels (samples,).
        layout: their expected size and shape.
        scaling: `standard` (one mean and one standard deviation of all training inputs) or
            `unit` (the value range becomes 0 to 1).
        task: `classes`, or `parity` (the labels modulo 2).

    Raises:
        UsageError: the arrays do not match the layout.
    """
    inputs = as_inputs(name, arrays[0])
    labels = as_labels(name, arrays[1], layout.num_classes)
    _check(name, inputs, labels, layout)
    _, num_validation, num_test = layout.sizes
    num_drawn = len(labels) - (num_test if layout.given_test else 0)
    order = stratified_order(torch.from_numpy(labels[:num_drawn].copy()), stream(0, "split"))
    validation, rest = np.split(order.numpy(), [num_validation])
    if layout.given_test:
        test, train = np.arange(num_drawn, len(labels)), rest
    else:
        test, train = np.split(rest, [num_test])
    validation, test, train = _with_every_class(labels, validation, test, train, layout)
    offset, unit = _scale(inputs[train], layout, scaling)

    def take(indices: Array) -> Split:
        rows = inputs[indices].reshape(len(indices), -1).astype(np.float32)
        rows -= np.float32(offset)
        rows /= np.float32(unit)
        classes = labels[indices].astype(np.int64)
        if task == "parity":
            classes %= 2
        return Split(torch.from_numpy(rows), torch.from_numpy(classes))

    num_classes = 2 if task == "parity" else layout.num_classes
    parts = (take(train), take(validation), take(test))
    return Data(*parts, num_classes, layout.image_shape, digest_of(inputs, labels))


def stratified_order(labels: Tensor, generator: torch.Generator) -> Tensor:
    """Return a random order of the samples in which every prefix is stratified by class.

    The sample of rank k = 0, 1, … among the n of its class gets the position (k + ½)/n; the first
    sample of each class comes before all others; ties are broken at random.
    """
    shuffled = torch.randperm(len(labels), generator=generator)
    position = torch.empty(len(labels), dtype=torch.float64)
    for label in torch.unique(labels):
        places = (labels[shuffled] == label).nonzero().flatten()
        position[places] = (torch.arange(len(places)) + 0.5).double() / len(places)
        position[places[0]] = 0.0
    return shuffled[position.argsort(stable=True)]


def _scale(inputs: Array, layout: Layout, scaling: str) -> tuple[float, float]:
    """Return the offset to subtract from the inputs and the unit to divide them by."""
    if layout.value_range is None:
        return 0.0, 1.0
    low, high = layout.value_range
    if scaling == "unit":
        return low, high - low
    mean = float(inputs.mean(dtype=np.float64))
    # in pieces, because the squares of a large set would take eight times its memory
    pieces = np.array_split(inputs, 1 + inputs.size // 10**7)
    squares = sum(float(np.square(piece - mean, dtype=np.float64).sum()) for piece in pieces)
    return mean, math.sqrt(squares / inputs.size) or 1.0


def _with_every_class(
    labels: Array, validation: Array, test: Array, train: Array, layout: Layout
) -> tuple[Array, Array, Array]:
    """Return the splits with a sample of every class that there is in the training set.

    Rare classes may have fallen to validation and test alone; their sample changes places with one
    of the commonest class. The authors' own test set stays as it is.
    """
    drawn = [validation] if layout.given_test else [validation, test]
    for part in drawn:
        for at, sample in enumerate(part):
            if labels[sample] in labels[train]:
                continue
            commonest = np.bincount(labels[train]).argmax()
            place = int(np.flatnonzero(labels[train] == commonest)[-1])
            part[at], train[place] = train[place], sample
    return validation, test, train


def _check(name: str, inputs: Array, labels: Array, layout: Layout) -> None:
    found = (len(inputs), len(labels), math.prod(inputs.shape[1:]))
    expected = (sum(layout.sizes), sum(layout.sizes), layout.num_features)
    if found != expected:
        raise UsageError(
            f"dataset {name} holds {found[0]} inputs and {found[1]} labels of {found[2]} features; "
            f"expected {expected[0]} of {expected[2]}"
        )
    if missing := set(range(layout.num_classes)) - set(labels.tolist()):
        raise UsageError(f"dataset {name} has no sample of class {min(missing)}")
