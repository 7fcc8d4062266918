"""Regressions: against a lone PyTorch loop, in fleets, from a file of one's own to the report."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import r2_score

import relu_exp
from relu_exp.cli import main
from relu_exp.config import fitted, sweeps
from relu_exp.core.schema import Choice, RunConfig, UsageError
from relu_exp.engine.data.datasets import DATASETS, load, train_indices
from relu_exp.engine.data.notes import notes
from relu_exp.engine.data.splits import Layout, split
from relu_exp.engine.data.tables import forget_tables
from relu_exp.engine.networks import layers_of, output_for
from relu_exp.engine.training import train_fleet
from relu_exp.evidence.contrasts.asked import by_default
from relu_exp.evidence.contrasts.contrast import contrasted
from relu_exp.evidence.contrasts.table import FORMATS
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.statistics import best_learning_rates, goodness
from relu_exp.evidence.report.summary import best_results

import oracle
from configs import make_run

pytestmark = pytest.mark.usefixtures("one_thread")

SPLITS = ("train", "validation", "test")
TABLE = ("dataset=table", "dataset.path=houses.csv", "dataset.label=price")
NUMBERS = "dataset.task=regression"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, and forget the files of other tests."""
    monkeypatch.chdir(tmp_path)
    forget_tables()


def houses(size: int = 80) -> list[dict[str, Any]]:
    draws = np.random.default_rng(size)
    areas, ages = draws.uniform(40, 200, size), draws.uniform(0, 60, size)
    return [
        {
            "area": round(area, 2),
            "age": round(age, 1),
            "price": round(1500 * area - 400 * age + 5000 * draws.normal(), 2),
            "rent": round(9 * area + 20 * draws.normal(), 2),
        }
        for area, age in zip(areas, ages, strict=True)
    ]


def write(rows: list[dict[str, Any]], file: str = "houses.csv") -> None:
    with Path(file).open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def table(**settings: Any) -> Choice:
    return DATASETS.resolve("table", {"path": "houses.csv", "task": "regression", **settings})


def regression(dataset: str | Choice, **keys: Any) -> RunConfig:
    """Return a run that predicts the numbers of a data set."""
    chosen = dataset if isinstance(dataset, str) else (dataset.name, dataset.as_dict())
    return make_run(**{"dataset": chosen, "network__output": "regression", **keys})


def row_of(tables: dict[str, dict[str, list[Any]]], run: RunConfig) -> dict[str, Any]:
    place = tables["runs"]["run_id"].index(run.run_id)
    return {name: values[place] for name, values in tables["runs"].items()}


def predicted(run: RunConfig, network: torch.nn.Module, split: str) -> tuple[Any, Any]:
    """Return what a network makes of a split, and its targets."""
    part = getattr(load(run.dataset), split)
    inputs, targets = part.inputs, part.labels
    if split == "train":
        own = oracle.own_training_set(run)
        inputs, targets = inputs[own], targets[own]
    network.eval()
    with torch.no_grad():
        found = network(inputs.to(next(network.parameters()).dtype))
    return found.numpy(), targets.numpy()


# The engine ---------------------------------------------------------------------------------


@pytest.mark.parametrize("targets", ["price", '["price", "rent"]'])
@pytest.mark.parametrize("network", ["mlp", "residual_mlp"])
def test_loss_and_r2_are_those_of_a_lone_module_and_of_scikit_learn(
    network: str, targets: str
) -> None:
    write(houses())
    choice = table(label=targets, ignore="rent" if targets == "price" else None)
    runs = [
        regression(choice, network=network, num_steps=20, depth=3, seed=seed, batch_size=16)
        for seed in (0, 1)
    ]
    tables = train_fleet(runs)
    for run in runs:
        losses, module = oracle.train(run, torch.float64)
        batches = [
            loss
            for run_id, name, loss in zip(
                *(tables["curves"][key] for key in ("run_id", "split", "loss")), strict=True
            )
            if run_id == run.run_id and name == "batch"
        ]
        assert batches == pytest.approx(losses, rel=1e-3)
        row = row_of(tables, run)
        for name in SPLITS:
            outputs, y = predicted(run, module, name)
            assert outputs.shape == y.shape == (len(y), 2 if targets[0] == "[" else 1)
            assert row[f"final_{name}_loss"] == pytest.approx(np.square(outputs - y).mean(), 1e-3)
            assert row[f"final_{name}_r2"] == pytest.approx(r2_score(y, outputs), abs=1e-3)
            assert row[f"final_{name}_accuracy"] is None


def test_classes_have_no_r2_and_minibatches_of_numbers_have_none() -> None:
    tables = train_fleet([make_run(dataset="digits", dataset__num_train=50)])
    assert {*tables["curves"]["r2"]} == {None}
    assert None not in tables["curves"]["accuracy"]
    curves = pd.DataFrame(train_fleet([regression("diabetes")])["curves"])
    assert curves["accuracy"].isna().all()
    assert curves.loc[curves["split"] == "batch", "r2"].isna().all()
    assert curves.loc[curves["split"] != "batch", "r2"].notna().all()


@pytest.mark.equal_bits
@pytest.mark.parametrize("num_targets", [1, 2, 5])
def test_a_regression_has_in_any_fleet_the_bits_that_it_has_alone(num_targets: int) -> None:
    draws = np.random.default_rng(3)
    names = [f"y{number}" for number in range(num_targets)]
    rows = [
        {"a": draws.normal(), "b": draws.normal(), **{name: draws.normal() for name in names}}
        for _ in range(200)
    ]
    write(rows)
    choice = table(label=json.dumps(names))
    runs = [
        regression(choice, seed=seed, learning_rate=rate, evaluation_steps=(0, 4), batch_size=17)
        for seed in range(2)
        for rate in (0.01, 0.05, 1e30, 0.2)
    ]
    together = train_fleet(runs)
    assert "diverged" in together["runs"]["status"]
    for run in runs:
        alone = train_fleet([run])
        for name in ("runs", "curves"):
            both = []
            for tables in (together, alone):
                columns = {k: v for k, v in tables[name].items() if k != "seconds"}
                every = zip(*columns.values(), strict=True)
                place = list(columns).index("run_id")
                both.append([repr(row) for row in every if row[place] == run.run_id])
            assert both[0] == both[1]


@pytest.mark.parametrize("name", ["diabetes", "friedman1"])
def test_targets_are_standardized_by_the_training_samples_alone(name: str) -> None:
    data = load(DATASETS.resolve(name, {}))
    assert data.targets is not None
    assert data.train.labels.double().mean() == pytest.approx(0, abs=1e-6)
    assert data.train.labels.double().std(correction=0) == pytest.approx(1, abs=1e-6)
    assert abs(float(data.test.labels.mean())) > 1e-6
    raw = DATASETS[name].read()[1]
    whole = torch.cat([part.labels for part in data.splits.values()]).double().numpy()
    back = np.sort((whole * data.targets.unit + data.targets.offset).ravel())
    assert back == pytest.approx(np.sort(raw), rel=1e-5, abs=1e-4)


def test_a_smaller_training_set_is_a_part_of_a_larger_one() -> None:
    small, large = (DATASETS.resolve("diabetes", {"num_train": size}) for size in (50, 100))
    chosen = [{*train_indices(choice, 7).tolist()} for choice in (small, large)]
    assert len(chosen[0]) == 50
    assert chosen[0] < chosen[1]


def test_friedmans_function_is_his() -> None:
    inputs, targets = DATASETS["friedman1"].read(num_samples=50, noise=0.0)
    x = inputs.T
    expected = 10 * np.sin(np.pi * x[0] * x[1]) + 20 * (x[2] - 0.5) ** 2 + 10 * x[3] + 5 * x[4]
    assert targets == pytest.approx(expected)
    assert ((inputs >= 0) & (inputs < 1)).all()


def test_a_constant_split_has_no_r2() -> None:
    rows = houses(40)
    write(rows)
    write([{**row, "price": 7.0} for row in rows[:4]], "test.csv")
    run = regression(table(label="price", test_path="test.csv"))
    row = row_of(train_fleet([run]), run)
    assert row["final_test_r2"] is None
    assert math.isfinite(row["final_test_loss"])
    assert row["final_validation_r2"] is not None


def test_a_note_leads_back_to_the_targets_own_units() -> None:
    write(houses())
    choice = table(label="price")
    data = load(choice)
    assert data.targets is not None
    (note,) = notes(choice)
    assert f"mean {data.targets.offset[0]:.6g} and standard deviation" in note
    assert f"{data.targets.unit[0]:.6g} of" in note


# What is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "settings", "says"),
    [
        ({"price": "cheap"}, {}, "row 4, column 'price' is 'cheap', which is no number to predict"),
        ({"price": "nan"}, {}, "row 4, column 'price' is nan; expected a finite number"),
        ({"price": ""}, {}, "row 4, column 'price' is empty"),
        ({"price": "1e39"}, {}, "row 4, column 'price' is 1e"),
        ({}, {"task": "classes"}, "no class; .* or dataset.task=regression to predict numbers"),
        ({}, {"label": "prize"}, "no such column .did you mean price"),
        ({}, {"label": '["price", "rant"]'}, "no such column .did you mean rent"),
        ({}, {"label": '["price", "price"]'}, "names no column, or one twice"),
        ({}, {"label": '["price", "rent"]', "task": "classes"}, "need dataset.task=regression"),
    ],
)
def test_a_file_that_cannot_be_predicted_is_one_line(
    changes: dict[str, str], settings: dict[str, str], says: str
) -> None:
    rows = houses()
    rows[3] |= changes
    write(rows)
    with pytest.raises(UsageError, match=says) as caught:
        load(table(**{"label": "price", **settings}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{**row, "price": 7} for row in houses()], "the target is 7 in every training sample"),
        (houses(5), "5 samples: too few to train, validate and test on two of them each"),
    ],
)
def test_targets_without_a_variance_are_one_line(rows: list[dict[str, Any]], says: str) -> None:
    write(rows)
    with pytest.raises(UsageError, match=says):
        load(table(label="price"))


@pytest.mark.parametrize(
    ("targets", "says"),
    [
        (["a", "b", "c", "d", "e", "f"], "targets of type .* are no numbers: the first is 'a'"),
        ([1, 2, 3, math.inf, 5, 6], "the target of sample 3 is inf"),
        ([[1, 2]] * 6, r"targets have shape \(6, 2\); expected \(samples, 1\) or \(samples,\)"),
        ([1, 2, 3, None, 5, 6], "the target of sample 3 is nan|targets are no numbers"),
    ],
)
def test_targets_of_a_function_of_ones_own_are_checked(targets: Any, says: str) -> None:
    layout = Layout(2, 0, (2, 2, 2), num_targets=1)
    with pytest.raises(UsageError, match=says):
        split("mine", (np.ones((6, 2)), np.array(targets)), layout, "none", "classes")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"num_classes": 3, "num_targets": 1}, "classes, or targets with num_classes=0"),
        ({"num_classes": 0, "num_targets": -1}, "classes, or targets with num_classes=0"),
        ({"num_classes": 0, "num_targets": 1, "sizes": (5, 1, 5)}, "at least 2 samples"),
        ({"num_classes": 0}, "at least 1 feature and 2 classes"),
    ],
)
def test_a_layout_has_classes_or_targets(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Layout(**{"num_features": 2, "sizes": (5, 5, 5), **fields})


def test_arrays_of_numbers_are_predicted_too() -> None:
    draws = np.random.default_rng(0)
    np.savez("own.npz", x=draws.normal(size=(40, 3)), y=draws.normal(size=(40, 2)))
    data = load(table(path="own.npz"))
    assert data.train.labels.shape == (32, 2)
    assert data.train.labels.dtype == torch.float32
    np.savez("own.npz", x=draws.normal(size=(40, 3)), y=np.array(["a", "b"] * 20))
    forget_tables()
    with pytest.raises(UsageError, match="no numbers to predict"):
        load(table(path="own.npz", scaling="none"))


@pytest.mark.parametrize(
    ("dataset", "output", "says"),
    [
        ("diabetes", "logits", "is for classes and diabetes has numbers to predict"),
        ("diabetes", "sigmoid", "is for classes and diabetes has numbers to predict"),
        ("digits", "regression", "needs numbers to predict and digits has classes"),
    ],
)
def test_an_output_that_does_not_fit_the_data_is_one_line(
    dataset: str, output: str, says: str
) -> None:
    (sweep,) = sweeps([], [f"dataset={dataset}", f"network.output={output}", "seed=0"])
    with pytest.raises(UsageError, match=says):
        sweep.runs()


def test_the_output_is_a_regression_where_none_is_given_and_the_data_are_numbers() -> None:
    (sweep,) = sweeps([], ["dataset=diabetes,digits", "activation=relu", "seed=0"])
    outputs = {run.dataset.name: run.network["output"] for run in sweep.runs()}
    assert outputs == {"diabetes": "regression", "digits": "logits"}
    plain = make_run(dataset="diabetes").network
    assert output_for(plain, make_run(dataset="digits").dataset) is plain
    assert layers_of(regression("diabetes"))[-1].shape[0] == 1


CONTRAST = "{arm: activation, against: relu%s}"


@pytest.mark.parametrize(
    ("contrast", "overrides", "says"),
    [
        (CONTRAST % ", metric: accuracy", [], "contrast.metric=accuracy does not apply"),
        (CONTRAST % ", metric: 'updates:train_accuracy>0.5'", [], "contrast.metric=updates:"),
        (CONTRAST % "", ["thresholds.train_accuracy=0.5"], "thresholds.train_accuracy does not"),
    ],
)
def test_an_accuracy_asked_of_numbers_is_one_line(
    contrast: str, overrides: list[str], says: str
) -> None:
    sweep = experiment(contrast, overrides)
    with pytest.raises(UsageError, match=says):
        fitted(sweep, sweep.runs())


def test_numbers_are_compared_by_loss_and_timed_by_loss_alone() -> None:
    sweep = experiment(CONTRAST % "", [])
    found = fitted(sweep, sweep.runs())
    assert found.contrast is not None
    assert (found.contrast.metric, found.contrast.margin) == ("loss", 0.01)
    assert [*found.thresholds] == ["train_loss"]
    margin = experiment(CONTRAST % ", margin: 0.2", [])
    stated = fitted(margin, margin.runs()).contrast
    assert stated is not None
    assert (stated.metric, stated.margin) == ("loss", 0.2)
    classes = experiment(CONTRAST % "", ["dataset=digits"])
    assert fitted(classes, classes.runs()) is classes


def experiment(contrast: str, overrides: list[str]) -> Any:
    Path("mine.yaml").write_text(
        "title: mine\nquestion: which?\nfigures: [loss_curves]\n"
        "overrides: {dataset: diabetes, num_steps: 20, depth: 1}\n"
        f"sweep: {{activation: [relu, tanh], seed: [0]}}\ncontrast: {contrast}\n"
    )
    (sweep,) = sweeps(["mine.yaml"], overrides)
    return sweep


# What is made of it -------------------------------------------------------------------------


SWEEP = (
    *TABLE, NUMBERS, "dataset.ignore=rent", "activation=relu,tanh", "initializer=he_normal",
    "depth=2", "width=8", "batch_size=16", "learning_rate=0.01,0.1,30", "num_steps=40",
    "seed=range(3)",
)  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return results of a file of one's own, some of whose runs diverge."""
    folder = tmp_path_factory.mktemp("regression")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write(houses(120))
        assert main(["run", *SWEEP, "--results", "res"]) in (0, None)
    return folder / "res" / "default"


def test_the_best_rate_has_the_lowest_validation_loss(results: Path) -> None:
    runs = Frames.open(results).runs
    assert (runs["status"] == "diverged").any()
    assert goodness(runs[runs["status"] == "done"]).max() == -runs["final_validation_loss"].min()
    best = best_learning_rates(runs, ["activation"]).set_index("activation")["learning_rate"]
    for name, group in runs[runs["status"] == "done"].groupby("activation"):
        means = group.groupby("learning_rate")["final_validation_loss"].mean()
        assert best[str(name)] == means.idxmin()


@pytest.mark.parametrize(
    ("language", "words", "none"),
    [
        ("en", ("validation loss", "test R² (95% interval)", "lowest mean validation loss"),
         "accuracy_map`: these runs predict numbers, which have no accuracy"),
        ("ko", ("검증 손실", "테스트 R²(95% 신뢰구간)", "평균 검증 손실이 가장 낮은"),
         "수를 예측하는 실행이라서 정확도가 없다"),
    ],
)  # fmt: skip
def test_a_report_says_loss_and_r2_and_no_accuracy(
    results: Path, language: str, words: tuple[str, ...], none: str
) -> None:
    assert main(["report", str(results), "--language", language]) in (0, None)
    report = (results / "report.md").read_text(encoding="utf-8")
    for each in (*words, none):
        assert each in report
    table_lines = [line for line in report.splitlines() if line.startswith("| ")]
    assert not any(bad in line for line in table_lines for bad in ("nan", "inf", "| 0.0% | 0.0%"))
    page = (results / "report.html").read_text(encoding="utf-8")
    assert words[1] in page
    drawn = {path.stem for path in (results / "figures").glob("*.png")}
    assert {"learning_rate_sensitivity_loss", "contrast_forest"} <= drawn
    assert not any("accuracy" in name for name in drawn)


def test_arms_are_compared_by_loss_and_by_r2(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = relu_exp.open(results)
    by_loss = relu_exp.contrast(opened, arm="activation", against="relu")
    assert {*by_loss["metric"]} == {"loss"}
    by_r2 = relu_exp.contrast(opened, arm="activation", against="relu", metric="r2")
    runs = opened.runs
    for _, row in by_r2.iterrows():
        is_own = runs["activation_label"] == row["arm"]
        own = runs[is_own & (runs["learning_rate"] == row["learning_rate"])]
        assert row["level"] == pytest.approx(own["final_test_r2"].mean())
        assert row["margin"] == 0.01
    losses, shares = (each.set_index("arm")["effect"]["tanh"] for each in (by_loss, by_r2))
    assert losses * shares < 0  # a smaller loss is a larger R²
    for metric in ("accuracy", "updates:train_accuracy>0.5"):
        with pytest.raises(UsageError, match="predict numbers, which have no accuracy"):
            relu_exp.contrast(opened, arm="activation", against="relu", metric=metric)
    for format in ("table", "markdown", "latex"):
        assert main(["contrast", str(results), "--metric", "r2", "--format", format]) in (0, None)
        assert "R" in capsys.readouterr().out


def test_classes_have_no_r2_to_be_compared_by(tmp_path: Path) -> None:
    words = ["dataset=digits", "dataset.num_train=60", "activation=relu,tanh", "seed=range(3)"]
    words += ["initializer=he_normal", "learning_rate=0.1", "num_steps=5", "width=4", "depth=1"]
    found = relu_exp.run("default", *words, results=str(tmp_path / "res"))
    with pytest.raises(UsageError, match="choose classes, which have no R²"):
        relu_exp.contrast(found, arm="activation", against="relu", metric="r2")


def test_tables_are_sound_exported_and_compared(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(results), "--rows"]) in (0, None)
    assert "all sound" in capsys.readouterr().out
    assert main(["verify", str(results), "--sample", "1", "--seed", "0"]) in (0, None)
    out = tmp_path / "out"
    assert main(["export", str(results), "--to", "csv", "--out", str(out)]) in (0, None)
    curves = pd.read_csv(next(out.rglob("curves.csv")))
    assert curves["accuracy"].isna().all()
    assert curves.loc[curves["split"] == "test", "r2"].notna().any()
    assert main(["compare", str(results), str(results)]) in (0, None)


def test_of_classes_and_numbers_each_row_has_what_it_has(tmp_path: Path) -> None:
    words = ["dataset=digits,diabetes", "activation=relu,tanh", "initializer=he_normal", "depth=1"]
    words += ["width=4", "learning_rate=0.1", "num_steps=5", "seed=range(3)"]
    found = relu_exp.run("default", *words, results=str(tmp_path / "res"))
    best = best_results(found.frames)
    assert len(best.rows) == 4
    for row in best.as_dicts():
        is_number = row["data"] == "diabetes"
        assert (row["validation"] == "—") == (row["test (95% interval)"] == "—") == is_number
        assert (row["test loss (95% interval)"] == "—") == (row["validation loss"] == "—")
        assert (row["test R² (95% interval)"] == "—") != is_number
    by_accuracy = relu_exp.contrast(found)
    assert ({*by_accuracy["metric"]}, {*by_accuracy["dataset"]}) == ({"accuracy"}, {"digits"})
    by_loss = relu_exp.contrast(found, metric="loss")
    assert {*by_loss["dataset"]} == {"digits", "diabetes"}
    noted = FORMATS["table"](contrasted(found.frames, by_default(found.frames)), "by_itself")
    assert "6 runs that predict numbers have no accuracy and are left out" in noted
