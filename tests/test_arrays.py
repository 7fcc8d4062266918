"""Samples from a plugin: what looks like an array is taken, all else is refused in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from relu_exp.core.schema import UsageError
from relu_exp.engine.data.arrays import as_inputs, as_labels, as_named_labels
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
        np.array(["ant", "bee", "cat", "bee"], dtype="S"),
        np.array(CLASSES, dtype=object),
        np.array(CLASSES, dtype=np.float16),
        pd.Series(CLASSES, dtype="Int64"),
        pd.Series(["ant", "bee", "cat", "bee"], dtype="category"),
        pd.DataFrame({"kind": CLASSES}),
        pd.DataFrame({"kind": ["ant", "bee", "cat", "bee"]}),
        torch.tensor(CLASSES, dtype=torch.bfloat16),
        np.ma.masked_array(CLASSES, [False] * 4),
        ["9", "10", "11", "10"],
    ],
    ids=lambda labels: f"{type(labels).__name__}-{getattr(labels, 'dtype', '')}",
)
def test_labels_of_any_kind_are_classes(labels: Any) -> None:
    found = as_labels("mine", labels, 3)
    assert found.tolist() == CLASSES
    assert found.dtype == np.int64


@pytest.mark.parametrize(
    "labels",
    [
        [True, False],
        np.array([[True], [False]]),
        torch.tensor([True, False]),
        pd.Series([True, False], dtype="boolean"),
        pd.Series([True, False], dtype=object),
    ],
    ids=lambda labels: f"{type(labels).__name__}-{getattr(labels, 'dtype', '')}",
)
def test_truth_values_are_two_classes(labels: Any) -> None:
    assert as_labels("mine", labels, 2).tolist() == [1, 0]


def test_names_of_classes_are_kept_in_the_order_of_their_numbers() -> None:
    numbers, names = as_named_labels("mine", ["cat", "ant", "bée", "ant"], 3)
    assert [names[number] for number in numbers] == ["cat", "ant", "bée", "ant"]
    numbers, names = as_named_labels("mine", ["10", "9", "11"], 3)
    assert (numbers.tolist(), names) == ([1, 0, 2], ("9", "10", "11"))
    assert as_named_labels("mine", CLASSES, 3)[1] == ()


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 1, 3], "label of sample 2 is 3; expected whole numbers from 0 to 2"),
        ([0, -1], "label of sample 1 is -1"),
        ([0, 0.5, 1], "label of sample 1 is 0.5; .* 0 to 2; numbers to predict are .* num_targets"),
        (np.array([0, pd.NA], dtype=object), r"label of sample 1 is missing \(<NA>\)"),
        ([0, float("nan")], "label of sample 1 is nan"),
        ([[0, 1, 1], [1, 0, 0]], r"label of sample 0 is \[0, 1, 1\]"),
        (["a", "b", "c", "d"], r"4 names \(a, b, c, d\); expected 3"),
        (np.zeros((2, 2, 2)), "labels have shape"),
        ([[0], [1, 2]], "labels cannot be an array: sample 1 holds 2 values, and sample 0 1"),
        (["a", "b"], r"2 names \(a, b\); expected 3"),
        (["b", "a", "b "], "labels 'b' and 'b ' differ only in the spaces around them"),
        (["a", None, "b"], r"label of sample 1 is missing \(None\)"),
        (pd.Series(["a", np.nan, "b"]), r"label of sample 1 is missing \(nan\)"),
        (pd.Series([0, None, 1], dtype="Int64"), "label of sample 1 is nan; .* 0 to 2$"),
        (["a", "", "b"], r"label of sample 1 is missing \(empty\)"),
        (np.array(["a", 1, "b"], dtype=object), "label of sample 1 is 1; expected a name as"),
        (np.array([1, "b"], dtype=object), "label of sample 1 is 'b'; expected a whole number"),
        ([1, 2, 3], r"label of sample 2 is 3; .* 0 to 2, or names: labels.astype\(str\)"),
        ([0, 1 + 0j], "labels of type complex128 are not class labels"),
        (np.array(["2026-01-01"], dtype="M8[D]"), r"type datetime64\[D\] are not class labels"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), r"labels have shape \(1, 2\)"),
        ([], r"labels have shape \(0,\)"),
        (None, "labels are of type NoneType; expected an array, a tensor, a data frame"),
        (np.ma.masked_array([0, 1], [False, True]), "labels are masked at sample 1: fill or drop"),
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
        torch.tensor([[1, 2], [3, 4]], dtype=torch.bfloat16),
        [torch.tensor([1, 2]), torch.tensor([3, 4])],
        pd.Series([[1, 2], [3, 4]]),
        pd.DataFrame({"x": [1, 3], "y": ["2", "4"]}),
        pd.DataFrame({"x": [1, 3], "y": [2, 4]}, dtype="Float32"),
        np.array([["1", "2"], ["3", "4"]]),
        np.ma.masked_array([[1, 2], [3, 4]], np.zeros((2, 2), bool)),
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
        ([[1.0, float("nan")], [float("inf"), 1]], r"is nan \(and 1 more are not valid\)"),
        (np.array([[1, np.inf]], dtype=np.float16), "column 1 is inf.*float16 ends at 65,504"),
        (np.zeros((1, 2, 3)) + np.nan, r"sample 0, value \(0, 0\) is nan \(and 5 more"),
        (np.zeros((0, 2)), r"shape \(0, 2\); expected"),
        (np.zeros((2, 0)), r"shape \(2, 0\); expected"),
        ([[1, 2], [3]], "inputs cannot be an array: sample 1 holds 1 values, and sample 0 2"),
        ([[10**400, 1]], "sample 0, column 0 is 1000.*; expected a number"),
        ({"x": [1]}, "inputs are of type dict; expected an array"),
        (iter([[1], [2]]), "inputs are of type list_iterator; expected an array"),
        (sparse.csr_array(np.eye(3)), r"inputs are sparse \(csr_array\): pass inputs.toarray\(\)"),
        (torch.eye(3).to_sparse(), r"inputs are sparse \(Tensor\): pass inputs.to_dense\(\)"),
        (np.ma.masked_array([[1, 2]], [[False, True]]), "inputs are masked at sample 0, column 1"),
        (np.array([["2026-01-01"]], dtype="M8[D]"), "column 0 is 2026-01-01"),
        (pd.DataFrame({"when": pd.to_datetime(["2026-01-01"])}), "column 'when' is 2026-01-01"),
        (pd.DataFrame({"x": pd.array([None], "Int64")}), "column 'x' is nan"),
    ],
)
def test_inputs_that_are_no_numbers_are_named(inputs: Any, words: str) -> None:
    with pytest.raises(UsageError, match=f"dataset mine: .*{words}"):
        as_inputs("mine", inputs)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_rare_class_is_in_the_training_set(number: int) -> None:
    labels = np.array([0] * (50 - number) + [1] * 50 + [2] * number)
    layout = Layout(1, 3, (60, 20, 20))
    data = split("mine", (np.arange(100.0)[:, None], labels), layout, "none", "classes")
    assert set(data.train.labels.tolist()) == {0, 1, 2}
    every = torch.cat([part.inputs for part in data.splits.values()])
    assert sorted(every[:, 0].tolist()) == list(range(100))


def test_training_gets_the_sample_of_a_class_that_fell_to_validation_and_no_class_is_lost() -> None:
    # more classes than samples of the commonest: every exchange must leave the others whole
    labels = np.array([0, 0, 0, 0, 1, 2, 3, 4])
    data = split("mine", (np.arange(8.0)[:, None], labels), Layout(1, 5, (5, 2, 1)), "none", "")
    assert set(data.train.labels.tolist()) == {0, 1, 2, 3, 4}


def test_a_class_that_only_the_given_test_set_has_is_named() -> None:
    layout = Layout(1, 3, (60, 20, 20), given_test=True)
    labels = np.array([0, 1] * 40 + [2] * 20)
    with pytest.raises(UsageError, match="mine: class 2 has samples in the given test set only"):
        split("mine", (np.arange(100.0)[:, None], labels), layout, "none", "classes")


LABELS = np.arange(100) % 2
WIDE = np.zeros((100, 8, 8, 3))


@pytest.mark.parametrize(
    ("inputs", "labels", "layout", "words"),
    [
        (np.ones((100, 1)), LABELS[:99], {}, "100 inputs and 99 labels; expected one label"),
        (np.ones((99, 1)), LABELS[:99], {}, r"99 samples; .* 100 \(training 60, validation 20"),
        (np.ones((100, 2)), LABELS, {}, "a sample has 2 features; its layout says 1"),
        (
            np.ones((100, 1)),
            LABELS * 2,
            {"num_classes": 3},
            "no sample of class 1; .*num_classes=3",
        ),
        (np.ones((100, 1)), LABELS * 0, {}, "no sample of class 1"),
        (
            WIDE,
            LABELS,
            {"num_features": 192, "image_shape": (3, 8, 8)},
            r"shape \(8, 8, 3\); its layout says \(3, 8, 8\) .*inputs.transpose\(0, 3, 1, 2\)",
        ),
        (
            WIDE.reshape(100, 6, 32),
            LABELS,
            {"num_features": 192, "image_shape": (3, 8, 8)},
            r"images have shape \(6, 32\)",
        ),
    ],
)
def test_samples_that_do_not_fit_their_layout_are_named(
    inputs: Any, labels: Any, layout: dict[str, Any], words: str
) -> None:
    made = Layout(**{"num_features": 1, "num_classes": 2, "sizes": (60, 20, 20), **layout})
    with pytest.raises(UsageError, match=f"dataset mine.*{words}"):
        split("mine", (inputs, labels), made, "none", "classes")


@pytest.mark.parametrize("shape", [(64,), (8, 8), (1, 8, 8), (8, 8, 1)])
def test_gray_images_need_no_axis_of_channels(shape: tuple[int, ...]) -> None:
    layout = Layout(64, 2, (60, 20, 20), image_shape=(1, 8, 8))
    images = np.arange(6400).reshape(100, *shape)
    train = split("mine", (images, LABELS), layout, "none", "classes").train.inputs
    assert (train[:, 1:] - train[:, :-1] == 1).all()


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ({"num_classes": 1}, "num_classes=1 is not valid: at least 1 feature and 2 classes"),
        ({"num_features": 0}, "num_features=0 .*is not valid"),
        ({"sizes": (60, 0, 20)}, r"sizes=\(60, 0, 20\) is not valid"),
        ({"sizes": (60, 20)}, r"sizes=\(60, 20\) is not valid"),
        ({"sizes": (1, 20, 20)}, "1 training samples and num_classes=2 is not valid"),
        ({"image_shape": (3, 2, 2)}, "makes 12 features, and num_features is 1"),
    ],
)
def test_a_layout_that_no_data_can_have_is_refused(layout: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Layout(**{"num_features": 1, "num_classes": 2, "sizes": (60, 20, 20), **layout})


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_what_is_not_finite_is_found_in_every_split(part: str) -> None:
    inputs, layout = np.arange(100.0)[:, None], Layout(1, 2, (60, 20, 20))
    data = split("mine", (inputs, LABELS), layout, "none", "classes")
    sample = int(data.splits[part].inputs[3].item())
    inputs[sample] = np.nan
    with pytest.raises(UsageError, match=f"dataset mine: sample {sample}, column 0 is nan"):
        split("mine", (inputs, LABELS), layout, "none", "classes")


def test_names_of_columns_and_classes_come_along() -> None:
    frame = pd.DataFrame({"x": np.arange(100), "y": 0})
    names = np.array(["ant", "bee"])[LABELS]
    layout = Layout(2, 2, (60, 20, 20))
    data = split("mine", (frame, names), layout, "none", "classes")  # type: ignore[arg-type]
    assert (data.columns, data.class_names) == (("x", "y"), ("ant", "bee"))
    parity = split("mine", (frame, names), layout, "none", "parity")  # type: ignore[arg-type]
    assert parity.class_names == ("even", "odd")
