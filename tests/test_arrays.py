"""Samples from a plugin: what looks like an array is taken, all else is refused in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from relu_exp.core.schema import UsageError
from relu_exp.engine.data.arrays import as_inputs, as_labels
from relu_exp.engine.data.splits import Layout, split

CLASSES = [0, 1, 2, 1]


@pytest.mark.parametrize(
    "labels",
    [
        CLASSES,
        np.array(CLASSES, dtype=np.uint8),
        np.array(CLASSES, dtype=np.float64),
        np.array(CLASSES)[:, None],
        np.eye(3)[CLASSES],
        np.eye(3, dtype=bool)[CLASSES],
        torch.tensor(CLASSES),
        torch.tensor(CLASSES, dtype=torch.float32, requires_grad=True),
        pd.Series(CLASSES, index=[9, 8, 7, 6]),
        pd.Series(["ant", "bee", "cat", "bee"]),
        ["ant", "bee", "cat", "bee"],
        np.array(["ant", "bee", "cat", "bee"], dtype=object),
    ],
    ids=lambda labels: f"{type(labels).__name__}-{getattr(labels, 'dtype', '')}",
)
def test_labels_of_any_kind_are_classes(labels: Any) -> None:
    found = as_labels("mine", labels, 3)
    assert found.tolist() == CLASSES
    assert found.dtype == np.int64


def test_truth_values_are_two_classes() -> None:
    assert as_labels("mine", [True, False], 2).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 1, 3], "label of sample 2 is 3; expected whole numbers from 0 to 2"),
        ([0, -1], "label of sample 1 is -1"),
        ([0, 0.5], "label of sample 1 is 0.5"),
        ([0, float("nan")], "label of sample 1 is nan"),
        ([[0, 1, 1], [1, 0, 0]], r"label of sample 0 is \[0, 1, 1\]"),
        (["a", "b", "c", "d"], r"4 names \(a, b, c, d, ...\); expected 3"),
        (np.zeros((2, 2, 2)), "labels have shape"),
        ([[0], [1, 2]], "labels cannot be converted to an array"),
    ],
)
def test_labels_that_are_no_classes_are_named(labels: Any, words: str) -> None:
    with pytest.raises(UsageError, match=f"dataset mine: .*{words}"):
        as_labels("mine", labels, 3)


@pytest.mark.parametrize(
    "inputs",
    [
        [[1, 2], [3, 4]],
        torch.tensor([[1.0, 2], [3, 4]], requires_grad=True),
        pd.DataFrame({"x": [1, 3], "y": [2.0, 4.0]}),
        np.array([[1, 2], [3, 4]], dtype=object),
        np.array([[1, 2], [3, 4]], dtype=np.float16),
    ],
    ids=lambda inputs: type(inputs).__name__,
)
def test_inputs_of_any_kind_are_numbers(inputs: Any) -> None:
    assert as_inputs("mine", inputs).tolist() == [[1, 2], [3, 4]]


HALF = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([[1.0, 2.0], [3.0, float("nan")]], "sample 1, column 1 is nan"),
        ([[1.0, float("inf")]], "sample 0, column 1 is inf"),
        ([[1.0, 1e39]], r"sample 0, column 1 is 1e\+39.*up to 3.4e\+38"),
        (pd.DataFrame({"x": [1, 2], "y": [0, np.nan]}), "sample 1, column 'y' is nan"),
        (pd.DataFrame({"x": [1, 2], "y": ["0", "wide"]}), "sample 1, column 'y' is 'wide'"),
        (HALF.astype(complex), "complex128 are not real numbers"),
        ([1.0, 2.0], r"shape \(2,\); expected \(samples, features\)"),
    ],
)
def test_inputs_that_are_no_numbers_are_named(inputs: Any, words: str) -> None:
    with pytest.raises(UsageError, match=f"dataset mine: .*{words}"):
        as_inputs("mine", inputs)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_rare_class_is_in_the_training_set(number: int) -> None:
    labels = np.array([0] * (50 - number) + [1] * 50 + [2] * number)
    layout = Layout(1, 3, (60, 20, 20))
    data = split("mine", (np.arange(100.0)[:, None], labels), layout, "standard", "classes")
    assert set(data.train.labels.tolist()) == {0, 1, 2}
    every = torch.cat([part.inputs for part in data.splits.values()])
    assert sorted(every[:, 0].tolist()) == list(range(100))


def test_a_class_that_is_not_there_is_named() -> None:
    layout = Layout(1, 3, (60, 20, 20))
    with pytest.raises(UsageError, match="no sample of class 1"):
        split("mine", (np.ones((100, 1)), np.arange(100) % 2 * 2), layout, "standard", "classes")
