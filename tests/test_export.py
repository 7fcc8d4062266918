"""Exports: what other programs read is what was measured, and nothing is half written."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from relu_exp.cli import main
from relu_exp.core.schema import HISTOGRAM_BINS, Choice, UsageError, histogram_edges
from relu_exp.evidence.data.frames import Frames, unpack
from relu_exp.evidence.export import export, tables
from relu_exp.evidence.export.events import run_names
from relu_exp.results.store import Store

import synthetic

LEAKY = [Choice("leaky_relu", (("negative_slope", slope),)) for slope in (0.01, 0.2)]
SETTINGS = {
    "activations": ("relu", *LEAKY),
    "initializers": (Choice("normal", (("std", 0.5),)),),
    "depths": (2,),
    "learning_rates": (0.1, 9.0),
    "seeds": (0, 1),
    "probe_steps": (0, 16),
    "num_steps": 16,
}
NAMED = "leaky_relu,negative_slope=0.2,learning_rate=0.1,seed=1"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = synthetic.configs(**SETTINGS)  # type: ignore[arg-type]
    folder = tmp_path_factory.mktemp("results") / "default"
    synthetic.write(folder, runs, failed=[runs[0].run_id], fleet_size=5)
    # the last run is no part of what the newest command asked for
    synthetic.write_manifest(Store(folder), [run.run_id for run in runs[:-1]])
    return folder


@pytest.fixture(scope="module")
def frames(root: Path) -> Frames:
    return Frames.open(root)


@pytest.fixture(scope="module")
def shown(root: Path) -> dict[str, EventAccumulator]:
    """What TensorBoard's own reader finds in every run's folder."""
    folder = export(root, "tensorboard", root.parent / "events")
    found = {
        place.name: EventAccumulator(str(place), size_guidance={"scalars": 0, "histograms": 0})
        for place in folder.iterdir()
    }
    for events in found.values():
        events.Reload()
    return found


@pytest.fixture(scope="module")
def csv(root: Path) -> dict[str, pd.DataFrame]:
    folder = export(root, "csv", root.parent / "tables")
    return {path.stem: pd.read_csv(path) for path in folder.iterdir()}


def test_every_run_has_a_folder_that_says_which_it_is(
    frames: Frames, shown: dict[str, EventAccumulator]
) -> None:
    assert len(shown) == len(frames.runs) == 11
    assert NAMED in shown
    assert "relu,learning_rate=9,seed=0" in shown


def test_tensorboard_reads_the_curves_that_were_measured(
    frames: Frames, shown: dict[str, EventAccumulator]
) -> None:
    for name, run_id in zip(run_names(frames.runs), frames.runs["run_id"], strict=True):
        curves = frames.curves[frames.curves["run_id"] == run_id]
        told = {tag for tag in shown[name].Tags()["scalars"] if tag.startswith("loss/")}
        assert told == {f"loss/{split}" for split in curves["split"].unique()}
        for split, rows in curves.groupby("split", observed=True):
            for metric in ("loss", "accuracy"):
                read = [(one.step, one.value) for one in shown[name].Scalars(f"{metric}/{split}")]
                assert [step for step, _ in read] == rows["step"].tolist()
                np.testing.assert_allclose([value for _, value in read], rows[metric], rtol=1e-6)


def test_tensorboard_reads_the_layers_that_were_measured(
    frames: Frames, shown: dict[str, EventAccumulator]
) -> None:
    run_id = dict(zip(run_names(frames.runs), frames.runs["run_id"], strict=True))[NAMED]
    layers = frames.layers[frames.layers["run_id"] == run_id]
    assert len(layers)
    for (quantity, layer), rows in layers.groupby(["quantity", "layer"], observed=True):
        read = shown[NAMED].Scalars(f"{quantity}/layer_{layer:02}")
        assert [one.step for one in read] == rows["step"].tolist()
        np.testing.assert_allclose([one.value for one in read], rows["value"], rtol=1e-6)


def test_tensorboard_reads_the_histograms_that_were_counted(
    frames: Frames, shown: dict[str, EventAccumulator]
) -> None:
    names = dict(zip(frames.runs["run_id"], run_names(frames.runs), strict=True))
    assert len(frames.histograms)
    for run_id, step, layer, kind, counts, *found in frames.histograms.itertuples(index=False):
        minimum, maximum, mean = found
        (one,) = shown[names[run_id]].Histograms(f"{kind}/layer_{layer:02}")
        assert one.step == step
        histogram = one.histogram_value
        assert histogram.num == sum(counts)
        filled = np.flatnonzero(counts)
        assert histogram.bucket == list(counts[filled[0] : filled[-1] + 1])
        assert (histogram.min, histogram.max) == (minimum, maximum)
        assert histogram.sum / histogram.num == pytest.approx(mean)
        limits = histogram.bucket_limit
        assert len(limits) == len(histogram.bucket)
        assert limits == sorted(limits)
        assert limits[0] >= minimum
        assert limits[-1] >= maximum
        inner = [*histogram_edges(kind)][filled[0] : filled[-1]]
        assert list(limits[:-1]) == pytest.approx(inner)


def of_kind(layers: pd.DataFrame, quantity: str, layer: int) -> float:
    (value,) = layers[(layers["quantity"] == quantity) & (layers["layer"] == layer)]["value"]
    return float(value)


@pytest.mark.parametrize("is_old", [False, True])
def test_the_range_of_a_histogram_is_the_datas_however_far_it_reaches(
    tmp_path: Path, is_old: bool
) -> None:
    from relu_exp.engine.training import train_fleet

    from configs import make_run

    run = make_run(initializer=("normal", {"std": 20.0}), num_steps=0, probe_steps=(0,))
    columns = train_fleet([run])
    columns["runs"] |= {"fleet_id": ["f"], "session": [synthetic.SESSION], "made_from": [None]}
    root = tmp_path / "default"
    synthetic.write(root, [run])
    store = Store(root)
    store.write_part("fleet000000", columns)
    if is_old:
        path = store.parts / "fleet000000" / "histograms.parquet"
        pq.write_table(pq.read_table(path).drop_columns(["minimum", "maximum", "mean"]), path)
    layers = Frames.open(root).layers
    (folder,) = export(root, "tensorboard", tmp_path / "events").iterdir()
    events = EventAccumulator(str(folder))
    events.Reload()
    largest = 0.0
    for kind, layer in itertools.product(HISTOGRAM_BINS, range(1, run.depth + 1)):
        (one,) = events.Histograms(f"{kind}/layer_{layer:02}")
        histogram = one.histogram_value
        mean, std = (of_kind(layers, f"{kind}_{name}", layer) for name in ("mean", "std"))
        found = histogram.sum / histogram.num
        assert found == pytest.approx(mean)
        assert histogram.sum_squares / histogram.num - found**2 == pytest.approx(std**2, rel=1e-3)
        # without the columns that came later, the bins are all that is known of the ends
        assert (histogram.max > 10) is not is_old
        largest = max(largest, histogram.max)
    assert is_old or largest > 1e5


def test_tensorboard_reads_the_settings_of_a_run(shown: dict[str, EventAccumulator]) -> None:
    (content,) = shown[NAMED].PluginTagToContent("hparams").values()
    told = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
    assert told["activation"].string_value == "leaky_relu"
    assert told["activation.negative_slope"].number_value == 0.2
    assert told["depth"].number_value == 2
    assert told["status"].string_value == "done"


def test_a_run_that_failed_has_its_settings_and_nothing_else(
    shown: dict[str, EventAccumulator],
) -> None:
    events = shown["relu,learning_rate=0.1,seed=0"]
    assert events.Tags()["scalars"] == events.Tags()["histograms"] == []
    assert events.PluginTagToContent("hparams")


def test_names_are_told_apart_and_fit_into_a_file_system(frames: Frames) -> None:
    twice = pd.concat([frames.runs, frames.runs], ignore_index=True)
    twice["run_id"] = [f"{n:016}" for n in range(len(twice))]
    names = run_names(twice)
    assert len(set(names)) == len(names)
    odd = frames.runs.assign(activation=["../a b" * 100 + str(n) for n in range(len(frames.runs))])
    names = run_names(odd)
    assert len(set(names)) == len(names)
    assert all("/" not in name and len(name.encode()) < 256 for name in names)


@pytest.mark.parametrize("table", ["curves", "layers", "predictions"])
def test_csv_has_the_rows_that_were_measured(
    table: str, frames: Frames, csv: dict[str, pd.DataFrame]
) -> None:
    expected = getattr(frames, table)
    assert list(csv[table].columns) == list(expected.columns)
    texts = dict.fromkeys(expected.select_dtypes("category").columns, str)
    pd.testing.assert_frame_equal(csv[table], expected.astype(texts), check_dtype=False)


def test_csv_has_a_column_for_every_setting_of_a_run(
    frames: Frames, csv: dict[str, pd.DataFrame]
) -> None:
    runs = csv["runs"]
    assert runs["run_id"].tolist() == frames.runs["run_id"].tolist()
    assert set(runs["activation.negative_slope"].dropna()) == {0.01, 0.2}
    assert runs["status"].tolist() == frames.runs["status"].tolist()
    assert set(runs["status"]) == {"done", "failed"}


def test_csv_has_every_count_of_a_histogram_beside_its_edges(
    frames: Frames, csv: dict[str, pd.DataFrame], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = ["run_id", "step", "layer", "kind"]
    bins = csv["histograms"]
    assert (bins["count"] > 0).all()
    totals = bins.groupby(keys)["count"].sum()
    expected = frames.histograms.assign(count=frames.histograms["counts"].map(sum))
    expected = expected.astype({"run_id": str, "kind": str}).set_index(keys)["count"]
    pd.testing.assert_series_equal(
        totals, expected.sort_index(), check_dtype=False, check_index_type=False
    )
    assert {-np.inf, -0.05, 0.05} <= set(bins.loc[bins["kind"] == "preactivation", "low"])
    monkeypatch.setattr(tables, "_HISTOGRAMS", 7)
    pieces = pd.read_csv(export(frames.root, "csv", tmp_path / "out") / "histograms.csv")
    pd.testing.assert_frame_equal(
        pieces.sort_values([*keys, "low"], ignore_index=True),
        bins.sort_values([*keys, "low"], ignore_index=True),
    )


def test_csv_names_every_dead_unit(frames: Frames, csv: dict[str, pd.DataFrame]) -> None:
    masks = frames.dead_units
    assert len(masks)
    expected = {
        (run_id, step, layer, unit)
        for run_id, step, layer, num_units, mask in masks.itertuples(index=False)
        for unit in np.flatnonzero(unpack(mask, num_units)) + 1
    }
    found = csv["dead_units"][["run_id", "step", "layer", "unit"]]
    assert set(found.itertuples(index=False, name=None)) == expected


def test_several_experiments_have_a_folder_each(root: Path, tmp_path: Path) -> None:
    results = tmp_path / "results"
    for name in ("one", "two"):
        synthetic.write(results / name, synthetic.configs(seeds=(0,), learning_rates=(0.1,))[:2])
    assert export(results, "csv") == results / "csv"
    assert (results / "csv" / "two" / "runs.csv").exists()
    # what was written is no experiment
    (results / "two" / "parts").rename(tmp_path / "away")
    with pytest.raises(UsageError, match="not empty"):
        export(results, "csv")
    assert export(results, "tensorboard") == results / "tensorboard"
    assert [path.name for path in (results / "tensorboard").iterdir()] == ["one"]


def test_an_export_is_the_same_bytes_again(root: Path, tmp_path: Path) -> None:
    for kind in ("csv", "tensorboard"):
        one, two = (export(root, kind, tmp_path / f"{kind}{n}") for n in (1, 2))
        files = [path.relative_to(one) for path in one.rglob("*") if path.is_file()]
        assert files
        assert all((one / file).read_bytes() == (two / file).read_bytes() for file in files)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--to", "tensorbord"], "(did you mean tensorboard?); valid: csv, tensorboard"),
        ([], "--to"),
        (["--to", "csv", "--out", "full"], "full is not empty: delete it, or choose another"),
        (["--to", "csv", "--out", "full/file"], "full/file is a file"),
        (["--to", "csv", "--out", "full/file/x"], "full/file/x cannot be written"),
        (["--to", "csv", "--out", "/proc/x"], "/proc/x cannot be written"),
    ],
    ids=str,
)
def test_what_cannot_be_written_is_one_line(
    words: list[str],
    says: str,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    assert main(["export", str(root), *words]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert says in err
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "file"]


def test_an_export_that_breaks_off_leaves_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tables, "_units", interrupted)
    assert main(["export", str(root), "--to", "csv", "--out", str(tmp_path / "out")]) == 130
    assert capsys.readouterr().err == "relu-exp: interrupted: nothing was written\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("absent", "kind", "code", "says"),
    [
        ("tensorboard", "tensorboard", 2, "pip install tensorboard"),
        ("torch", "tensorboard", 0, ""),
        ("torch", "csv", 0, ""),
        ("tensorboard", "csv", 0, ""),
    ],
)
def test_an_export_needs_only_what_it_says(
    absent: str, kind: str, code: int, says: str, root: Path, tmp_path: Path
) -> None:
    program = f"""
import sys
class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] == {absent!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from relu_exp import cli
sys.exit(cli.main(["export", {str(root)!r}, "--to", {kind!r}, "--out", {str(tmp_path / "out")!r}]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert done.stderr.count("\n") == (1 if says else 0)


def test_settings_of_several_types_or_of_any_size_are_text(tmp_path: Path) -> None:
    huge = 10**40
    choices = [Choice("relu", (("a", value),)) for value in (1.5, "wide", huge)]
    runs = synthetic.configs(**SETTINGS | {"activations": choices})  # type: ignore[arg-type]
    synthetic.write(tmp_path / "default", runs)
    folder = export(tmp_path / "default", "csv", tmp_path / "csv")
    written = pd.read_csv(folder / "runs.csv", dtype=str)
    assert {*written["activation.a"]} == {"1.5", "wide", str(huge)}
