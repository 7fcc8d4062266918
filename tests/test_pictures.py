"""The pictures for a first look: what they draw, the size of letters, their dark version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from relu_exp.core.schema import Choice
from relu_exp.evidence.claims.registry import find_claim
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.figures import RC, draw
from relu_exp.evidence.figures.dark import DARK_PAGE, darkened, on_dark
from relu_exp.evidence.figures.pictures import LETTERS, WIDTH
from relu_exp.evidence.page.page import build_page
from relu_exp.evidence.report.report import build_index
from relu_exp.evidence.report.verdict_pages import build

import synthetic

HE = Choice("he_normal", (("gain", 2**0.5), ("mode", "fan_in")))
STARTS = (Choice("normal", (("std", 0.01),)), Choice("normal", (("std", 1.0),)), HE)
PICTURES = ("layers_picture", "dead_picture", "loss_picture")


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Frames:
    runs = synthetic.configs(("tanh", "relu"), STARTS, (2, 5), (0.1, 1.0), (0, 1), width=100)
    # the last tick of the losses is the end of their axis
    runs = [replace(run, num_steps=400) for run in runs]
    return Frames.open(synthetic.write(tmp_path_factory.mktemp("pictures"), runs))


def written(figure: Figure) -> list[str]:
    return [each.get_text() for each in figure.findobj(Text) if each.get_text()]


@pytest.mark.parametrize("name", PICTURES)
def test_letters_are_large_enough_on_a_phone(frames: Frames, name: str) -> None:
    for drawing in draw(name, frames):
        width, _ = 72 * drawing.figure.get_size_inches()
        assert width == pytest.approx(WIDTH)
        sizes = {each.get_size() for each in drawing.figure.findobj(Text) if each.get_text()}
        # in a window of 300 pixels, the narrowest place on the page, they are 11 pixels high
        assert min(sizes) == LETTERS
        assert LETTERS * 300 / WIDTH >= 11


@pytest.mark.parametrize("name", PICTURES)
def test_no_letter_is_cut_off_at_the_edge_of_a_picture(frames: Frames, name: str) -> None:
    for drawing in draw(name, frames):
        with mpl.rc_context(RC):
            canvas = FigureCanvasAgg(drawing.figure)
            canvas.draw()
        pixels = np.asarray(canvas.buffer_rgba())[..., :3]
        for edge in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
            assert (edge == edge[0]).all()


def test_arms_that_train_longer_are_in_the_same_picture(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    runs = synthetic.configs(("tanh", "relu"), (HE,), (5,), (0.1, 1.0), (0, 1), width=100)
    longer = [
        replace(run, num_steps=2 * run.num_steps) if run.activation.name == "tanh" else run
        for run in runs
    ]
    place = synthetic.write(tmp_path_factory.mktemp("longer"), longer)
    (drawing,) = draw("loss_picture", Frames.open(place))
    assert {"tanh", "ReLU"} <= set(written(drawing.figure))


def test_histograms_have_a_row_for_each_start_and_say_which_are_too_small(frames: Frames) -> None:
    tanh, relu = draw("layers_picture", frames)
    for drawing in (tanh, relu):
        words = written(drawing.figure)
        for expected in ("too small: N(0, 0.01²)", "too large: N(0, 1)", "He", "layer 5"):
            assert expected in words
        assert len(drawing.figure.axes) == 3 * 5
        depths = frames.runs.set_index("run_id").loc[[*drawing.run_ids], "depth"]
        assert set(depths) == {5}


def test_where_most_runs_diverged_dead_units_are_a_cross_beside_the_line(tmp_path: Path) -> None:
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1, 0.5, 1.0), (0, 1), width=4)
    lost = [run.run_id for run in runs if run.learning_rate == 1.0]
    whole = Frames.open(synthetic.write(tmp_path, runs))
    changed = whole.runs.assign(
        status=whole.runs["status"].mask(whole.runs["run_id"].isin(lost), "diverged"),
        final_validation_accuracy=0.9,
    )
    (drawing,) = draw("dead_picture", whole.showing(changed))
    drawn = {line.get_marker(): list(line.get_xdata()) for line in drawing.figure.axes[0].lines}
    assert drawn["o"] == [0.1, 0.5]
    assert drawn["x"] == [1.0]
    assert "most runs diverged" in written(drawing.figure)
    assert "40%, as texts say" in written(drawing.figure)
    assert "most no longer learn" not in written(drawing.figure)


def test_where_most_networks_no_longer_learn_dead_units_are_hollow(tmp_path: Path) -> None:
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1, 0.5, 1.0), (0, 1), width=4)
    whole = Frames.open(synthetic.write(tmp_path, runs))
    learns = whole.runs["learning_rate"].eq(0.1)
    changed = whole.runs.assign(final_validation_accuracy=learns.map({True: 0.9, False: 0.1}))
    (drawing,) = draw("dead_picture", whole.showing(changed))
    line, hollow, *_ = drawing.figure.axes[0].lines
    assert list(line.get_xdata()) == [0.1, 0.5, 1.0]
    assert (hollow.get_markerfacecolor(), list(hollow.get_xdata())) == ("white", [0.5, 1.0])
    assert "most no longer learn" in written(drawing.figure)


def test_losses_are_those_of_the_deepest_networks_at_their_best_rates(frames: Frames) -> None:
    few = frames.showing(frames.runs[frames.runs["initializer"].eq("he_normal")])
    (drawing,) = draw("loss_picture", few)
    runs = few.runs.set_index("run_id").loc[[*drawing.run_ids]]
    assert set(runs["depth"]) == {5}
    assert runs.groupby("activation")["learning_rate"].nunique().eq(1).all()
    (axes,) = drawing.figure.axes
    curves = few.read("curves", run_ids=[*drawing.run_ids], split=["train"])
    begin = np.exp(np.log(curves.loc[curves["step"] == 0, "loss"]).groupby(level=0).first())
    assert axes.get_ylim()[0] == 0
    assert axes.get_ylim()[1] >= begin.min()


@pytest.mark.parametrize("name", PICTURES)
def test_the_dark_version_leaves_nothing_dark_on_the_dark_page(frames: Frames, name: str) -> None:
    for drawing in draw(name, frames):
        figure = darkened(drawing.figure)
        with mpl.rc_context(RC):
            figure.canvas.draw()
        assert mpl.colors.to_hex(figure.get_facecolor()) == DARK_PAGE
        for each in figure.findobj(Text):
            if each.get_text():
                assert min(mpl.colors.to_rgb(each.get_color())) > 0.6, each


CLAIMS = (
    "xavier-spreads-tanh",
    "he-preserves-relu",
    "high-learning-rate-kills-half",
    "relu-converges-faster-than-sigmoid",
)


def test_the_overview_stands_on_the_index_and_in_the_page_with_all_its_versions(
    tmp_path: Path,
) -> None:
    runs = synthetic.configs(("tanh", "relu"), STARTS, (2, 5), (0.1,), (0, 1), width=100)
    for name in ("activation-histograms", "dying-relu"):
        synthetic.write(tmp_path / name, runs)
    judged = build(tmp_path, [find_claim(id) for id in CLAIMS])
    stems = [picture.stem for picture in judged.words["overview"]]
    # convergence-speed was not run
    assert stems == ["overview/layers-1", "overview/layers-2", "overview/dead-units"]
    assert [each.judged.claim.id for each in judged.words["overview"]] == [*CLAIMS[:3]]
    index = build_index(tmp_path, judged.summary).read_text()
    page = build_page(judged).read_text()
    for stem in stems:
        assert f'srcset="{stem}-dark.png"' in index
        for version in ("", "-dark", "-ko", "-ko-dark"):
            assert (tmp_path / f"{stem}{version}.png").is_file()
            # a dark one is made from the light one where it is shown
            assert (f'"{stem}{version}.png":"' in page) == ("dark" not in version)
    for id in CLAIMS[:3]:
        assert f"(claims.md#{id})" in index
        assert f'<a href="#{id}">' in page.split("</header>")[1]
    light, dark = ((tmp_path / f"{stems[0]}{end}.svg").read_text() for end in ("", "-dark"))
    assert DARK_PAGE in dark
    assert DARK_PAGE not in light
    korean = {each.title.ko for each in judged.words["overview"]}
    assert "학습 전 활성값: tanh, 은닉층 5개" in korean


@pytest.mark.parametrize("color", ["#0072B2", "#8C2D5A", "#4B6A1E", "#1B3A6B"])
def test_a_series_on_the_dark_page_is_light_enough_and_keeps_its_hue(color: str) -> None:
    light, plain = on_dark(color), mpl.colors.to_rgba(color)
    assert sum(light[:3]) > sum(plain[:3])
    assert np.argmax(light[:3]) == np.argmax(plain[:3])
    assert light[3] == plain[3]
