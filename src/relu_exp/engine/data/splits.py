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
from relu_exp.engine.data.arrays import (
    as_inputs,
    as_named_labels,
    columns_of,
    digest_of,
    where,
)
from relu_exp.engine.data.image_files import Arrays
from relu_exp.engine.data.scaling import Scaling, fit
from relu_exp.engine.data.targets import as_targets, check_finite, standardizing
from relu_exp.engine.streams import stream

__all__ = ["Data", "Layout", "SortedData", "Split", "split", "stratified_order"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Layout:
    """The size and shape of a data set, known before it is read.

    `sizes` holds the numbers of samples for training, validation and test. If the data set comes
    with its own test set (`given_test`), those samples are last; otherwise all three are drawn.
    Inputs with a `value_range` (lowest, highest) are scaled, all by the same numbers; with
    `by_feature`, each feature, of images each channel, is scaled by its own. Others are used as
    they are, unless `dataset.scaling` says otherwise. A regression has no classes, but
    `num_targets` numbers to predict for each sample.

    Raises:
        UsageError: no data set can look like this.
    """

    num_features: int
    num_classes: int
    sizes: tuple[int, int, int]
    image_shape: tuple[int, int, int] | None = None
    given_test: bool = False
    value_range: tuple[float, float] | None = None
    by_feature: bool = False
    num_targets: int = 0

    def __post_init__(self) -> None:
        if self.num_targets < 0 or (self.num_targets and self.num_classes):
            raise UsageError(
                f"a layout of num_classes={self.num_classes} and num_targets={self.num_targets} is "
                "not valid: a data set has classes, or targets with num_classes=0"
            )
        if self.num_targets and self.sizes and min(self.sizes) < 2:
            raise UsageError(
                f"a layout of sizes={self.sizes} is not valid: targets need at least 2 samples for "
                "training, validation and test, or they have no variance"
            )
        if (self.num_classes < 2 and not self.num_targets) or self.num_features < 1:
            raise UsageError(
                f"a layout of num_features={self.num_features} and num_classes={self.num_classes} "
                "is not valid: at least 1 feature and 2 classes are needed to learn anything"
            )
        if len(self.sizes) != 3 or min(self.sizes) < 1:
            raise UsageError(
                f"a layout of sizes={self.sizes} is not valid: it takes three numbers of samples "
                "for training, validation and test, each at least 1"
            )
        if self.sizes[0] < self.num_classes:
            raise UsageError(
                f"a layout of {self.sizes[0]} training samples and num_classes={self.num_classes} "
                "is not valid: each class needs a training sample"
            )
        if self.image_shape and math.prod(self.image_shape) != self.num_features:
            raise UsageError(
                f"a layout of image_shape={self.image_shape} is not valid: that makes "
                f"{math.prod(self.image_shape)} features, and num_features is {self.num_features}"
            )


@dataclass(frozen=True)
class Split:
    """Inputs (samples, features) float32 and labels (samples,) int64, both contiguous.

    In place of labels a regression has targets (samples, targets) float32, standardized.
    """

    inputs: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def strata(self) -> Tensor:
        """The classes that draws are stratified by, int64 (samples,); targets are in one."""
        if self.labels.is_floating_point():
            return torch.zeros(len(self.labels), dtype=torch.int64)
        return self.labels

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

    Features and classes have names where the data set gives them: `columns`, `class_names`.
    `content` is a digest of all samples and labels before they were split and scaled, and `extent`
    the smallest and largest of their inputs. Targets times the `unit` of their scaling, plus its
    `offset`, are in units of their own.
    """

    train: Split
    validation: Split
    test: Split
    num_classes: int
    image_shape: tuple[int, int, int] | None
    columns: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    content: str = ""
    extent: tuple[float, float] | None = None
    targets: Scaling | None = None

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
        arrays: all inputs (samples, ...) and labels (samples,) or targets (samples, targets).
        layout: their expected size and shape.
        scaling: one of `SCALINGS` or, with a value range, of `OF_A_RANGE`.
        task: `classes`, `parity` (the labels modulo 2) or `regression`.

    Raises:
        UsageError: the arrays are no samples or do not match the layout, or are too large once
            they are scaled.
    """
    inputs = as_inputs(name, arrays[0])
    class_names: tuple[str, ...] = ()
    if layout.num_targets:
        labels = as_targets(name, arrays[1], layout.num_targets)
        strata = np.zeros(len(labels), np.int64)
    else:
        labels, class_names = as_named_labels(name, arrays[1], layout.num_classes)
        strata = labels
    _check(name, inputs, strata, layout)
    _, num_validation, num_test = layout.sizes
    num_drawn = len(labels) - (num_test if layout.given_test else 0)
    order = stratified_order(torch.from_numpy(strata[:num_drawn].copy()), stream(0, "split"))
    validation, rest = np.split(order.numpy(), [num_validation])
    if layout.given_test:
        test, train = np.arange(num_drawn, len(labels)), rest
    else:
        test, train = np.split(rest, [num_test])
    validation, test, train = _with_every_class(name, strata, validation, test, train, layout)
    targets = standardizing(name, labels[train]) if layout.num_targets else None
    scales = fit(inputs[train], scaling, layout.value_range, layout.image_shape)
    columns = columns_of(arrays[0])

    def take(indices: Array) -> Split:
        rows = scales.apply(inputs[indices].reshape(len(indices), -1))
        if not np.isfinite(rows).all():
            at, feature = (int(index) for index in np.argwhere(~np.isfinite(rows))[0])
            raise UsageError(
                f"dataset {name}: {where((int(indices[at]), feature), columns)} is "
                f"{rows[at, feature]} once dataset.scaling={scaling} has divided it: it is too far "
                "from the training samples"
            )
        if targets is not None:
            scaled = targets.apply(labels[indices])
            check_finite(f"dataset {name}: a standardized target of sample", scaled, first=0)
            return Split(torch.from_numpy(rows), torch.from_numpy(scaled))
        classes = labels[indices]
        if task == "parity":
            classes %= 2
        return Split(torch.from_numpy(rows), torch.from_numpy(classes))

    num_classes = 2 if task == "parity" else layout.num_classes
    class_names = ("even", "odd") if task == "parity" else class_names
    return Data(
        train=take(train),
        validation=take(validation),
        test=take(test),
        num_classes=num_classes,
        image_shape=layout.image_shape,
        columns=columns,
        class_names=class_names,
        content=digest_of(inputs, labels),
        extent=(float(inputs.min()), float(inputs.max())),
        targets=targets,
    )


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


def _with_every_class(
    name: str, labels: Array, validation: Array, test: Array, train: Array, layout: Layout
) -> tuple[Array, Array, Array]:
    """Return the splits with a sample of every class in the training set.

    Rare classes may have fallen to validation and test alone; their sample changes places with one
    of the commonest class. The authors' own test set stays as it is.
    """
    missing = set(range(layout.num_classes)) - set(labels[train].tolist())
    for part in [validation] if layout.given_test else [validation, test]:
        for at in np.flatnonzero(np.isin(labels[part], list(missing))):
            sample = part[at]
            if labels[sample] not in missing:
                continue
            commonest = np.bincount(labels[train]).argmax()
            place = int(np.flatnonzero(labels[train] == commonest)[-1])
            part[at], train[place] = train[place], sample
            missing.remove(int(labels[sample]))
    if missing:
        raise UsageError(
            f"dataset {name}: class {min(missing)} has samples in the given test set only; "
            "training needs at least one"
        )
    return validation, test, train


def _check(name: str, inputs: Array, labels: Array, layout: Layout) -> None:
    if len(inputs) != len(labels):
        raise UsageError(
            f"dataset {name} holds {len(inputs):,} inputs and {len(labels):,} labels; "
            "expected one label for each input"
        )
    if len(inputs) != sum(layout.sizes):
        train, validation, test = layout.sizes
        raise UsageError(
            f"dataset {name} holds {len(inputs):,} samples; its layout asks for "
            f"{sum(layout.sizes):,} (training {train:,}, validation {validation:,}, test {test:,})"
        )
    if math.prod(inputs.shape[1:]) != layout.num_features:
        raise UsageError(
            f"dataset {name}: a sample has {math.prod(inputs.shape[1:]):,} features; its layout "
            f"says {layout.num_features:,}"
        )
    _check_images(name, inputs.shape[1:], layout.image_shape)
    if missing := set(range(layout.num_classes)) - set(labels.tolist()):
        raise UsageError(
            f"dataset {name} has no sample of class {min(missing)}; its layout says "
            f"num_classes={layout.num_classes}, numbered from 0 without gaps"
        )


def _check_images(
    name: str, shape: tuple[int, ...], image_shape: tuple[int, int, int] | None
) -> None:
    """Raise a UsageError if images are not flat and their axes are others than the layout's."""
    if image_shape is None or len(shape) == 1:
        return
    if [size for size in shape if size > 1] != [size for size in image_shape if size > 1]:
        is_last = shape == (*image_shape[1:], image_shape[0])
        hint = ": channels come first, inputs.transpose(0, 3, 1, 2)" if is_last else ""
        raise UsageError(
            f"dataset {name}: images have shape {shape}; its layout says {image_shape} for "
            f"channels, rows and columns{hint}"
        )
