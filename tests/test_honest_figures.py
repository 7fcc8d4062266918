"""What figures must not do: join what diverged, cut a curve away, hide a series, be half empty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from relu_exp.core.schema import Choice
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.labels import label_choices
from relu_exp.evidence.data.language import language
from relu_exp.evidence.figures import Drawing, draw
from relu_exp.evidence.figures.loss import _loss_limits
from relu_exp.evidence.figures.style import levels, steps_axis

import synthetic

XAVIER = Choice("xavier_normal", (("gain", 1.0),))
HE = Choice("he_normal", (("gain", 2**0.5), ("mode", "fan_in")))
SMALL, UNIT = (Choice("normal", (("std", std),)) for std in (0.01, 1.0))
RATES = (0.01, 0.1, 1.0)


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    """Return a sweep in which every run at the largest rate diverged."""
    runs = synthetic.configs(("tanh", "relu"), (XAVIER, HE), (2, 5), RATES, (0, 1, 2))
    whole = Frames.open(synthetic.write(tmp_path_factory.mktemp("honest"), runs))
    is_lost = whole.runs["learning_rate"] == 1.0
    return whole.showing(whole.runs.assign(status=is_lost.map({True: "diverged", False: "done"})))


def joined(axes: Axes) -> Iterator[Line2D]:
    """Yield the lines that join points."""
    for line in axes.lines:
        if line.get_linestyle() not in ("None", "") and len(line.get_xdata()) > 1:
            yield line


def crosses(drawing: Drawing) -> list[float]:
    """Return where along x the crosses of a drawing are."""
    lines = [line for axes in drawing.figure.axes for line in axes.lines]
    return [float(x) for line in lines if line.get_marker() == "x" for x in line.get_xdata()]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("learning_rate_sensitivity", "learning_rate_sensitivity_accuracy"),
        ("learning_rate_sensitivity", "learning_rate_sensitivity_loss"),
        ("dead_fraction", "dead_fraction_by_learning_rate"),
    ],
)
def test_no_line_leads_to_a_rate_at_which_most_runs_diverged(
    frames: Frames, name: str, stem: str
) -> None:
    (drawing,) = [each for each in draw(name, frames) if each.name == stem]
    drawn = [x for axes in drawing.figure.axes for line in joined(axes) for x in line.get_xdata()]
    assert drawn
    assert max(drawn) < 0.5
    marked = crosses(drawing)
    assert marked
    assert min(marked) > 0.5


def test_runs_that_diverged_have_no_end_of_training_by_layer(frames: Frames) -> None:
    drawings = {each.name: each for each in draw("dead_fraction", frames)}
    by_layer = next(each for name, each in drawings.items() if "by_layer" in name)
    assert "12 runs diverged: they have no end of training, and are left out." in by_layer.caption


def test_the_star_of_the_map_is_explained_in_the_picture(frames: Frames) -> None:
    # of two rates the best is always an edge
    two = frames.showing(frames.runs[frames.runs["learning_rate"] < 0.5])
    (drawing,) = draw("accuracy_map", two)
    written = [each.get_text() for each in drawing.figure.findobj(Text)]
    assert any(words.endswith("*") for words in written)
    assert "* smallest or largest rate tried" in written


def label(*gains: float, name: str = "he_normal") -> list[str]:
    choices = [(name, json.dumps({"gain": gain})) for gain in gains]
    return [*label_choices(choices).values()]


def test_a_gain_is_a_multiple_of_the_published_one() -> None:
    assert label(2**0.5, 2 * 2**0.5, 4 * 2**0.5) == ["He", "2 × He", "4 × He"]
    assert label(1.0, 4.0, name="xavier_normal") == ["Xavier", "4 × Xavier"]
    assert label(2**0.5, 1.2452) == ["He", "He (gain=1.2452)"]
    assert label(4.0, name="xavier_normal") == ["Xavier"]
    with language("ko"):
        assert label(1.0, 4.0, name="xavier_uniform") == ["Xavier 균등", "4 × Xavier 균등"]


def test_initializers_have_one_order_whatever_the_order_of_the_sweep(tmp_path: Path) -> None:
    for number, order in enumerate(([HE, UNIT, XAVIER, SMALL], [XAVIER, SMALL, UNIT, HE])):
        runs = synthetic.configs(("tanh",), order, (2,), (0.1,), (0,))
        opened = Frames.open(synthetic.write(tmp_path / str(number), runs))
        found = [str(each) for each in levels(opened.runs, "initializer_label")]
        assert found == ["N(0, 0.01²)", "N(0, 1)", "Xavier", "He"]


def test_a_curve_that_ends_is_not_cut_away_and_one_that_diverged_does_not_squeeze_it(
    frames: Frames,
) -> None:
    values = pd.DataFrame(
        {
            "arm": ["a", "a", "b", "b", "c", "c"],
            "step": [0, 10] * 3,
            "mean": [2.3, 0.1, 2000.0, 10.0, 1e9, 1e12],
        }
    )
    low, high = _loss_limits(values, values[values["arm"] != "c"])
    assert low < 0.1
    assert 2000.0 < high < 1e6


def test_every_series_of_the_legend_has_marks_of_its_own(frames: Frames) -> None:
    for drawing in draw("loss_curves", frames):
        for axes in drawing.figure.axes:
            for line in joined(axes):
                assert line.get_markersize() > 2
                assert line.get_marker() not in ("None", "", None)


def test_the_axis_of_updates_begins_where_losses_do() -> None:
    axes = Figure().subplots()
    steps_axis(axes, 1000, 10)
    places = axes.transData.transform([(x, 1) for x in (0, 10, 1000)])[:, 0]
    # little room before the first evaluation, most of it where there are losses
    assert (places[1] - places[0]) < 0.25 * (places[2] - places[0])
    assert [*axes.get_xticks()] == [0, 10, 100, 1000]


def test_a_histogram_says_what_is_outside_only_where_something_is(frames: Frames) -> None:
    written = [
        each.get_text()
        for drawing in draw("histogram_grid", frames)
        for each in drawing.figure.findobj(Text)
    ]
    assert not [words for words in written if words.startswith("0% outside")]
    assert written
