"""Figures: each draws what applies, says why where it does not, and stays readable."""

import dataclasses
import re
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from relu_exp.core.plugin_loading import load_plugins
from relu_exp.core.schema import Choice, UsageError
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.language import language
from relu_exp.evidence.data.statistics import summarize
from relu_exp.evidence.figures import FIGURES, RC, DoesNotApply, draw
from relu_exp.evidence.figures.histograms import AT_MOST
from relu_exp.evidence.figures.limits import spread
from relu_exp.evidence.figures.lines import interval_words
from relu_exp.evidence.figures.slices import slices, split, with_pairs
from relu_exp.evidence.figures.style import looks, plain
from relu_exp.results.store import Store

import synthetic

HE = Choice("he_normal", (("gain", 2**0.5), ("mode", "fan_in")))
SMALL = Choice("normal", (("std", 0.01),))


def sweep(root, **axes):
    return Frames.open(synthetic.write(root, synthetic.configs(**axes)))


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    names = ("sigmoid", "relu", "prelu")
    runs = synthetic.configs(names, learning_rates=(0.1, 1.0), seeds=(0, 1, 2))
    root = tmp_path_factory.mktemp("sweep")
    return Frames.open(synthetic.write(root, runs, failed=[runs[0].run_id]))


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_of_a_sweep_is_complete_and_readable(frames, name):
    drawings = list(draw(name, frames))
    assert drawings
    assert len({drawing.name for drawing in drawings}) == len(drawings)
    for drawing in drawings:
        assert drawing.name.isascii()
        assert drawing.title
        assert drawing.caption.endswith(".")
        assert "redraw: relu-exp report " in drawing.small_print
        if drawing.num_seeds:
            assert "n = " in drawing.small_print
            assert "mnist5k" in drawing.small_print
        assert set(drawing.run_ids) <= set(frames.runs["run_id"])
        assert_nothing_leaves_the_page(drawing.figure)


def assert_nothing_leaves_the_page(figure):
    """Check that all text lies on the page, and that no heading lies on another."""
    with mpl.rc_context(RC):
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw(renderer)
        drawn = [*figure.texts, *figure.legends]
        for axes in figure.axes:
            drawn += [*axes.texts, axes.xaxis, axes.yaxis]
        for artist in drawn:
            box = artist.get_tightbbox(renderer)
            if box is not None and box.width > 0 and artist.axes in (None, *visible(figure)):
                assert box.x0 >= 0, artist
                assert box.y0 >= 0, artist
                assert box.x1 <= figure.bbox.x1, artist
                assert box.y1 <= figure.bbox.y1, artist
        headings = [text for text in figure.texts if text.get_text().strip()]
        boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in headings]
        for place, (one, box) in enumerate(boxes):
            for other, around in boxes[place + 1 :]:
                assert not box.overlaps(around), (one, other)


def visible(figure):
    return [axes for axes in figure.axes if axes.get_visible()]


def share_outside(figure):
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    return [text for text in texts if text.endswith("outside")]


@pytest.mark.parametrize(
    ("name", "axes", "says"),
    [
        ("accuracy_by_depth", {"depths": (2,)}, "only one depth"),
        ("learning_rate_sensitivity", {"learning_rates": (0.1,)}, "only one learning rate"),
        ("dead_fraction", {"num_steps": 0, "probe_steps": (0,)}, "dead units were not probed"),
        ("accuracy_map", {"num_steps": 0}, "no run was trained"),
        ("histogram_grid", {"probe_steps": ()}, "no histograms were probed"),
        ("gradient_by_layer", {"probe_steps": (1,)}, "not probed before the first update"),
        ("loss_curves", {"num_steps": 0}, "no loss was recorded"),
    ],
)
def test_a_figure_that_does_not_apply_says_why(tmp_path, name, axes, says):
    frames = sweep(
        tmp_path, **{"depths": (2, 3), "seeds": (0,), "learning_rates": (0.1, 1.0), **axes}
    )
    with pytest.raises(DoesNotApply, match=says):
        list(draw(name, frames))


def test_thresholds_that_are_not_stated_are_not_drawn(tmp_path):
    root = synthetic.write(tmp_path, synthetic.configs(seeds=(0,)), thresholds={})
    with pytest.raises(DoesNotApply, match="no thresholds"):
        list(draw("steps_to_threshold", Frames.open(root)))


@pytest.mark.parametrize("name", FIGURES)
def test_a_single_run_is_drawn_without_an_interval_and_says_so(tmp_path, name):
    frames = sweep(
        tmp_path, activations=("relu",), initializers=(HE,), depths=(2,), width=None,
        learning_rates=(1.0,), seeds=(0,),
    )  # fmt: skip
    try:
        drawings = list(draw(name, frames))
    except DoesNotApply:
        return
    for drawing in drawings:
        assert "95%" not in drawing.caption
        if drawing.num_seeds:
            assert "n = 1 seed " in drawing.small_print


def test_two_seeds_are_shown_as_they_are_and_not_as_an_interval(tmp_path):
    frames = sweep(tmp_path, seeds=(0, 1), depths=(2,))
    for drawing in draw("loss_curves", frames):
        assert "no interval" in drawing.caption


def test_an_unknown_figure_is_guessed(frames):
    with pytest.raises(UsageError, match="did you mean histogram_grid"):
        list(draw("histogram_gird", frames))


def test_the_figure_of_the_documentation_is_drawn(frames, tmp_path, monkeypatch):
    page = (Path(__file__).parents[1] / "docs" / "add-a-figure.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "weights_move.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(FIGURES, "_entries", dict(FIGURES._entries))
    load_plugins(["weights_move"])
    (drawing,) = draw("update_ratio_by_step", frames)
    assert_nothing_leaves_the_page(drawing.figure)


def test_no_panel_of_a_histogram_tells_of_nothing_outside(frames):
    for drawing in draw("histogram_grid", frames):
        assert not [told for told in share_outside(drawing.figure) if str(told).startswith("0%")]


def test_the_share_outside_is_what_the_counts_say(tmp_path):
    wild = Choice("normal", (("std", 1.0),))
    frames = sweep(
        tmp_path, activations=("relu",), initializers=(wild,), depths=(2,), seeds=(0,),
        learning_rates=(0.1,),
    )  # fmt: skip
    counts = frames.read("histograms", steps=(0,), kind=["activation"]).sort_values("layer")
    (drawing,) = draw("histogram_grid", frames)
    bars = [axes.patches[0].get_data() for axes in drawing.figure.axes]
    told = share_outside(drawing.figure)
    assert len(bars) == 2
    for (values, edges, _), text, column in zip(bars, told, counts["counts"], strict=True):
        inside = values.sum()
        assert np.isclose(edges[0], -0.075) or edges[0] < 0
        assert column[-1] / column.sum() <= 1 - inside + 1e-12
        assert text == f"{1 - inside:.0%} outside"


def test_many_combinations_are_cut_to_a_few_and_the_caption_says_so(tmp_path):
    frames = sweep(
        tmp_path, activations=("sigmoid", "tanh", "relu", "elu"), depths=(2, 3, 5), seeds=(0,),
        learning_rates=(0.1,),
    )  # fmt: skip
    drawings = list(draw("histogram_grid", frames))
    assert len(drawings) == 4 <= AT_MOST
    assert {drawing.name for drawing in drawings} == {
        f"activation_histograms-{name}-depth5" for name in ("sigmoid", "tanh", "ReLU", "ELU")
    }
    assert "4 of 12 combinations of activation and depth are drawn" in drawings[0].caption
    with language("ko"):
        korean = next(draw("histogram_grid", frames))
    assert "활성화 함수·깊이의 조합 12개 가운데 4개" in korean.caption


def test_an_activation_looks_the_same_in_every_figure_and_like_no_other(tmp_path):
    slopes = [Choice("leaky_relu", (("negative_slope", slope),)) for slope in (0.01, 0.2, 0.5)]
    runs = sweep(
        tmp_path, activations=("sigmoid", "tanh", "relu", "elu", "step", *slopes),
        initializers=(HE,), depths=(2,), seeds=(0,), learning_rates=(0.1,),
    ).runs  # fmt: skip
    found = looks(runs)
    assert len({(str(look.line), look.marker, look.color) for look in found.values()}) == 8
    assert len({(str(look.line), look.marker) for look in found.values()}) == 8
    assert looks(runs[runs["activation"] == "relu"])["ReLU"] == found["ReLU"]


@pytest.mark.parametrize(
    ("change", "stems"),
    [
        ({"width": None, "network": Choice("document_cnn")}, ["-plain_MLP", "-document_CNN"]),
        ({"width": 7}, ["-width7", "-width32"]),
        ({"dataset": Choice("näme |<>")}, ["-mnist5k", "-n_me_9f9647d6"]),
        ({"depth": 0}, [""]),
    ],
)
@pytest.mark.parametrize("name", FIGURES)
def test_whatever_else_varies_gets_a_drawing_of_its_own(tmp_path, name, change, stems):
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1, 1.0), (0,))
    runs += [dataclasses.replace(run, **change) for run in runs]
    frames = Frames.open(synthetic.write(tmp_path, runs))
    try:
        names = [drawing.name for drawing in draw(name, frames)]
    except DoesNotApply:
        return
    assert len(set(names)) == len(names)
    if name == "learning_rate_sensitivity":
        assert [one for one in names if "accuracy" in one] == [
            f"learning_rate_sensitivity_accuracy{stem}" for stem in stems
        ]


def test_where_every_run_diverged_the_figures_of_accuracy_say_so(tmp_path):
    frames = sweep(
        tmp_path, activations=("relu",), initializers=(HE,), depths=(9,), seeds=(0,),
        learning_rates=(1.0, 5.0),
    )  # fmt: skip
    with pytest.raises(DoesNotApply, match="every run diverged"):
        list(draw("learning_rate_sensitivity", frames))
    assert list(draw("loss_curves", frames))


def add_lost(root, lost, status, asked):
    """Add runs that ended before they had measured anything, to a sweep of the runs `asked`."""
    tables = synthetic.empty_tables()
    for run in lost:
        synthetic.add_rows(
            tables["runs"], **run.as_row(), status=status, session=synthetic.SESSION,
            diverged_at=0 if status == "diverged" else None,
        )  # fmt: skip
    Store(root).write_part("lost", tables)
    synthetic.write_manifest(Store(root), [run.run_id for run in asked])
    return Frames.open(root)


def names_of(name, frames):
    try:
        return {drawing.name for drawing in draw(name, frames)}
    except DoesNotApply:
        return set()


@pytest.mark.parametrize("rates", [(0.1,), (0.1, 1.0)])
@pytest.mark.parametrize("status", ["diverged", "interrupted"])
@pytest.mark.parametrize("name", FIGURES)
def test_a_slice_in_which_no_run_measured_anything_keeps_no_other_from_being_drawn(
    tmp_path, name, status, rates
):
    runs = synthetic.configs(("sigmoid", "relu"), (HE,), (2, 3), rates, (0,))
    lost = [dataclasses.replace(run, optimizer=Choice("adam")) for run in runs]
    root = synthetic.write(tmp_path, runs)
    expected = names_of(name, Frames.open(root))
    found = names_of(name, add_lost(root, lost, status, [*runs, *lost]))
    assert expected <= {one.replace("-SGD", "") for one in found}


@pytest.mark.parametrize("name", ["learning_rate_sensitivity", "loss_curves"])
def test_a_drawing_without_a_finite_loss_says_that_runs_diverged_and_nothing_of_seeds(
    tmp_path, name
):
    runs = synthetic.configs(("sigmoid", "relu"), (HE,), (2,), (0.1, 1.0), (0, 1, 2))
    lost = [dataclasses.replace(run, optimizer=Choice("adam")) for run in runs]
    frames = add_lost(synthetic.write(tmp_path, runs), lost, "diverged", [*runs, *lost])
    found = [one for one in draw(name, frames) if "Adam" in one.name and "accuracy" not in one.name]
    assert found
    for drawing in found:
        assert "diverged" in drawing.caption
        assert "seed" not in drawing.caption
        assert_nothing_leaves_the_page(drawing.figure)


def test_where_no_run_has_a_validation_accuracy_no_learning_rate_is_best(tmp_path):
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1, 1.0), (0,))
    tables = synthetic.empty_tables()
    for run in runs:
        synthetic.add_run(tables, run, failed=False)
    tables["runs"]["final_validation_accuracy"] = [None] * len(runs)
    Store(synthetic.write(tmp_path, runs)).write_part("fleet000000", tables)
    for name in ("loss_curves", "steps_to_threshold"):
        with pytest.raises(DoesNotApply, match="no run has a validation accuracy"):
            list(draw(name, Frames.open(tmp_path)))


@pytest.mark.parametrize("name", ["histogram_grid", "gradient_by_layer"])
def test_an_interrupted_run_does_not_stand_for_a_copy_that_was_probed(tmp_path, name):
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1,), (0, 1))
    lost = [dataclasses.replace(run, learning_rate=0.01) for run in runs]
    root = synthetic.write(tmp_path, runs)
    frames = add_lost(root, lost, "interrupted", [*lost, *runs])
    for drawing in draw(name, frames):
        assert drawing.run_ids == tuple(run.run_id for run in runs)


def test_seeds_that_are_exactly_zero_are_counted_in_the_caption(tmp_path):
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1,), range(8))
    tables = synthetic.empty_tables()
    for run in runs:
        synthetic.add_run(tables, run, failed=False)
    layers, silent = tables["layers"], {run.run_id for run in runs[:3]}
    layers["value"] = [
        0.0 if run_id in silent and layer == 2 and quantity == "activation_std" else value
        for run_id, layer, quantity, value in zip(
            layers["run_id"], layers["layer"], layers["quantity"], layers["value"], strict=True
        )
    ]
    Store(synthetic.write(tmp_path, runs)).write_part("fleet000000", tables)
    (drawing,) = draw("signal_by_layer", Frames.open(tmp_path))
    assert "geometric mean over 8 seeds" in drawing.caption
    assert "left out: at most 3 of 8 at a point." in drawing.caption
    assert "Not drawn" not in drawing.caption


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([1.0, 2.0, 3.0], "Lines are the geometric mean over 3 seeds, bands its 95% interval"),
        # a point of which all seeds are 0 is not drawn, which the caption says elsewhere
        ([0.0, 0.0, 0.0], ""),
        ([np.inf, np.nan, np.inf], ""),
        ([0.0, 0.0, 3.0], "at most 2 of 3 at a point."),
        ([0.0, 3.0], "Lines are the geometric mean over 2 seeds; "),
        ([3.0], "One seed: a point is one run, and there is no interval."),
    ],
)
def test_the_caption_counts_the_seeds_that_are_there(values, says):
    frame = pd.DataFrame({"arm": "a", "value": values})
    told = interval_words(summarize(frame, ["arm"], "value", log=True), log=True)
    assert says in told
    assert bool(told) == bool(says)
    assert ("exactly 0" in told) == (0.0 in values and any(value > 0 for value in values))


def test_axes_that_go_together_are_one_slice(tmp_path):
    wide = [
        config
        for width, depth in ((16, 2), (24, 3))
        for config in synthetic.configs(depths=(depth,), width=width, seeds=(0,))
    ]
    runs = Frames.open(synthetic.write(tmp_path, wide)).runs
    drawn = ["activation_label", "initializer_label", "learning_rate"]
    assert [part.words for part in split(runs, drawn)] == ["depth 2", "depth 3"]
    kept, sentence = slices(runs, drawn, at_most=1)
    assert (len(kept), sentence) == (1, "1 of 2 values of depth are drawn.")


def test_an_activation_with_its_own_initializer_carries_both_names(tmp_path):
    paired = [
        config
        for name, initializer in (("sigmoid", SMALL), ("relu", HE))
        for config in synthetic.configs((name,), (initializer,), depths=(2,), seeds=(0,))
    ]
    frames = Frames.open(synthetic.write(tmp_path, paired))
    labels = with_pairs(frames).runs["activation_label"].cat.categories.tolist()
    assert labels == ["sigmoid · N(0, 0.01²)", "ReLU · He"]
    assert frames.runs["activation_label"].cat.categories.tolist() == ["sigmoid", "ReLU"]
    assert (
        with_pairs(sweep(tmp_path / "crossed", seeds=(0,))).runs["activation_label"][0] == "sigmoid"
    )


def test_the_batch_loss_stands_in_where_the_training_loss_was_seldom_evaluated(tmp_path):
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1,), (0,))
    tables = synthetic.empty_tables()
    synthetic.add_run(tables, runs[0], failed=False)
    curves = tables["curves"]
    keep = [i for i, step in enumerate(curves["step"]) if step == max(curves["step"])]
    tables["curves"] = {column: [cells[i] for i in keep] for column, cells in curves.items()}
    for step in range(30):
        synthetic.add_rows(
            tables["curves"], run_id=runs[0].run_id, step=step, split="batch",
            loss=2.0 - step / 30, accuracy=0.1,
        )  # fmt: skip
    frames = Frames.open(synthetic.write(tmp_path, runs))
    frames.store.write_part("fleet000000", tables)
    (drawing,) = draw("loss_curves", Frames.open(tmp_path))
    assert drawing.title.startswith("Batch loss")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.001, "0.001"), (2000, "2,000"), (1e-7, "10⁻⁷"), (3e-9, "3·10⁻⁹")],
)
def test_numbers_are_written_as_people_write_them(value, text):
    assert plain(value) == text


@pytest.mark.parametrize("at_most", [1, 2, 3, 5, 9])
def test_what_is_spread_keeps_the_order_and_the_last(at_most):
    kept = spread(list(range(7)), at_most)
    assert kept == sorted(set(kept))
    assert len(kept) == min(at_most, 7)
    assert kept[-1] == 6


@pytest.fixture(scope="module")
def forty(tmp_path_factory):
    """A sweep of forty slopes."""
    slopes = [Choice("leaky_relu", (("negative_slope", n / 100),)) for n in range(1, 41)]
    return sweep(
        tmp_path_factory.mktemp("forty"), activations=slopes, initializers=(HE,), depths=(2,),
        learning_rates=(0.01, 0.1, 1.0), seeds=(0,), probe_steps=(0,),
    )  # fmt: skip


@pytest.mark.parametrize(
    "name", ["learning_rate_sensitivity", "signal_by_layer", "loss_curves", "steps_to_threshold"]
)
def test_a_figure_with_forty_entries_in_its_legend_is_no_white_page(forty, name):
    for drawing in draw(name, forty):
        figure = drawing.figure
        assert_nothing_leaves_the_page(figure)
        (legend,) = figure.legends
        assert len(legend.get_texts()) >= 40
        with mpl.rc_context(RC):
            renderer = FigureCanvasAgg(figure).get_renderer()
            panels = [axes.get_window_extent(renderer) for axes in figure.axes]
            box = legend.get_window_extent(renderer)
            shown = [text for text in figure.texts if text.get_text()]
            texts = [text.get_window_extent(renderer) for text in shown]
        assert not any(box.overlaps(other) for other in [*panels, *texts])
        filled = sum(each.width * each.height for each in [*panels, box])
        assert filled > 0.55 * figure.bbox.width * figure.bbox.height


def test_series_side_by_side_stay_at_their_learning_rate(forty):
    drawing = next(draw("learning_rate_sensitivity", forty))
    (axes,) = drawing.figure.axes
    low, high = axes.get_xlim()
    lines = [line for line in axes.lines if len(line.get_xdata()) > 1]
    assert len(lines) == 40
    for line in lines:
        x = np.asarray(line.get_xdata(), dtype=float)
        assert low < x.min() < x.max() < high
        assert np.all(np.abs(np.log10(x / [0.01, 0.1, 1.0])) < 0.1)


def test_forty_variants_are_told_apart_by_their_color(forty):
    assert len({look.color for look in looks(forty.runs).values()}) == 40


def test_a_short_legend_stands_beside_its_panels(frames):
    for drawing in draw("learning_rate_sensitivity", frames):
        (legend,) = drawing.figure.legends
        with mpl.rc_context(RC):
            renderer = FigureCanvasAgg(drawing.figure).get_renderer()
            right = max(axes.get_window_extent(renderer).x1 for axes in drawing.figure.axes)
            assert legend.get_window_extent(renderer).x0 > right


def rewritten(root, runs, table, change):
    """Write runs whose rows of one table were changed, each as a mapping."""
    tables = synthetic.empty_tables()
    for run in runs:
        synthetic.add_run(tables, run, failed=False)
    columns = tables[table]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    rows = [{**row, **change(row)} for row in rows]
    tables[table] = {column: [row[column] for row in rows] for column in columns}
    Store(synthetic.write(root, runs)).write_part("fleet000000", tables)
    return Frames.open(root)


def test_values_that_overflowed_are_named_in_the_caption(tmp_path):
    runs = synthetic.configs(("relu", "tanh"), (HE,), (2,), (0.1,), (0, 1))
    one = runs[0].run_id

    def overflow(row):
        is_it = (row["run_id"], row["layer"], row["quantity"]) == (one, 2, "activation_std")
        return {"value": np.inf} if is_it else {}

    (drawing,) = draw("signal_by_layer", rewritten(tmp_path, runs, "layers", overflow))
    assert "Not drawn, because beyond the range of float32 in some layers: ReLU." in drawing.caption


@pytest.mark.parametrize(("factor", "is_cut"), [(1.0, False), (1e-9, True)])
def test_losses_too_small_for_the_axis_are_counted_out_loud(tmp_path, factor, is_cut):
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1,), (0,))

    def shrink(row):
        return {"loss": row["loss"] * factor} if row["step"] == 256 else {}

    (drawing,) = draw("loss_curves", rewritten(tmp_path, runs, "curves", shrink))
    assert ("Losses below 8·10⁻⁷ are cut off." in drawing.caption) is is_cut


def test_learned_parameters_are_drawn_by_layer_at_the_best_rate(tmp_path):
    frames = sweep(
        tmp_path, activations=("prelu", "relu"), initializers=(HE,), depths=(3,),
        learning_rates=(0.01, 0.1), seeds=(0, 1),
    )  # fmt: skip
    (drawing,) = draw("learned_parameters", frames)
    assert drawing.title == "Learned slope during training, by layer: PReLU"
    shown = frames.runs[frames.runs["run_id"].isin(drawing.run_ids)]
    assert set(shown["activation"]) == {"prelu"}
    assert shown["learning_rate"].nunique() == 1
    (axes,) = drawing.figure.axes
    assert [text.get_text() for text in drawing.figure.legends[0].get_texts()] == [
        "layer 1", "layer 2", "layer 3",
    ]  # fmt: skip
    for layer, line in enumerate(axes.lines, start=1):
        expected = 0.25 + 0.001 * layer * np.array(synthetic.PROBE_STEPS)
        np.testing.assert_allclose(line.get_ydata(), expected)


def test_where_nothing_was_learned_no_parameter_is_drawn(tmp_path):
    with pytest.raises(DoesNotApply, match="no activation learned a parameter"):
        list(draw("learned_parameters", sweep(tmp_path, seeds=(0,), depths=(2,))))


def test_a_caption_tells_repeats_from_seeds_and_that_points_differ_in_their_number() -> None:
    frame = pd.DataFrame(
        {"arm": ["a"] * 4 + ["b"] * 3, "value": [1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0]}
    )
    summary = summarize(frame, ["arm"], "value")
    assert "the mean over 3–4 seeds, bars its" in interval_words(summary, band=False, over="seeds")
    assert "the mean over 3–4 repeats, bars" in interval_words(summary, band=False, over="repeats")
    equal = summary[summary["n"] == 4]
    assert "the mean over 4 repeats, bars" in interval_words(equal, band=False, over="repeats")
