"""Figures for slides and papers: files of the size asked for, with letters large enough."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from planted_runs import HE, RELU, SIGMOID, XAVIER, Truth, plant, runs

from relu_exp.cli import main
from relu_exp.core.schema import UsageError
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.language import language
from relu_exp.evidence.figures import FIGURES, DoesNotApply, draw
from relu_exp.evidence.figures.printing import (
    FORMATS,
    SIZES,
    Size,
    _scale,
    printing,
    save_printed,
)
from relu_exp.evidence.report.figure_files import write_claims, write_figures

import synthetic

NAMES = ("loss_curves", "histogram_grid", "accuracy_map", "layers_picture")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("printed") / "sweep"
    synthetic.write(place, synthetic.configs(seeds=(0, 1)), figures=NAMES)
    for path in (place / "parts").glob("*/histograms.parquet"):
        # the same once more, as if probed after 16 updates
        table = pq.read_table(path)
        steps = pa.array([16] * table.num_rows, table.schema.field("step").type)
        later = table.set_column(
            table.schema.get_field_index("step"), table.schema.field("step"), steps
        )
        pq.write_table(pa.concat_tables([table, later]), path)
        path.with_name("SHA256SUMS").unlink(missing_ok=True)
    return place


def letters(figure: Figure, scale: float) -> float:
    """Return the smallest letters of a figure in print, in points."""
    shown = [one for one in figure.findobj(Text) if one.get_text() and one.get_visible()]
    return min(one.get_size() for one in shown) * scale


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", sorted(FIGURES))
def test_every_letter_is_large_enough_and_the_figure_fits(root: Path, name: str, size: str) -> None:
    place: Size = SIZES[size]
    with printing(place):
        try:
            drawings = list(draw(name, Frames.open(root)))
        except DoesNotApply:
            return
        for drawing in drawings:
            scale = _scale(drawing.figure, place)
            width, _ = drawing.figure.get_size_inches() * scale
            assert letters(drawing.figure, scale) >= place.least - 1e-6, drawing.name
            assert width <= place.width + 1e-6, drawing.name


def test_the_sizes_are_those_that_readers_need() -> None:
    assert {name: size.least for name, size in SIZES.items()} == {
        "slide": 14.0,
        "column": 8.0,
        "page": 8.0,
    }


def test_a_pdf_is_one_page_of_its_size_with_fonts_and_hangul_embedded(
    root: Path, tmp_path: Path
) -> None:
    with language("ko"), printing(SIZES["column"]):
        drawing = next(draw("loss_curves", Frames.open(root)))
        path = save_printed(drawing.figure, tmp_path / "figure", "pdf", SIZES["column"])
    content = path.read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    (box,) = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", content)
    assert float(box[0]) == pytest.approx(3.35 * 72, abs=0.1)
    assert len(re.findall(rb"/Type /Page\b", content)) == 1
    names = {*re.findall(rb"/BaseFont /(\S+)", content)}
    assert any(b"DejaVu" in name for name in names)
    assert any(b"Hangul" in name for name in names)
    # a font of each name is in the file: nothing is left to the reader's system
    assert len(re.findall(rb"/FontFile2 \d+ 0 R", content)) >= 2


def test_a_picture_has_the_pixels_and_an_svg_the_points_of_its_size(
    root: Path, tmp_path: Path
) -> None:
    with printing(SIZES["page"]):
        drawing = next(draw("loss_curves", Frames.open(root)))
        png, svg = (
            save_printed(drawing.figure, tmp_path / "figure", kind, SIZES["page"])
            for kind in ("png", "svg")
        )
    with Image.open(png) as picture:
        assert picture.width == pytest.approx(7 * 300, abs=1)
    head = svg.read_text()[:2000]
    assert float(re.findall(r'width="([\d.]+)pt"', head)[0]) == pytest.approx(7 * 72, abs=0.1)
    assert "<text" not in svg.read_text()


def test_files_are_written_from_the_command_line(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {*root.iterdir()}
    command = ["report", str(root), "--figures", "svg", "--size", "slide", "--language", "ko"]
    assert main(command) == 0
    assert {*root.iterdir()} - before == {root / "print"}
    names = {path.name for path in (root / "print").glob("*.svg")}
    assert {"loss_curves-best_rate-slide.svg", "accuracy_map-slide.svg"} <= names
    assert f"그림 {len(names)}개, {root / 'print'}" in capsys.readouterr().out
    captions = (root / "print" / "captions.md").read_text()
    assert all(f"## {name}" in captions for name in names)
    assert "학습 손실" in captions


def test_histograms_of_any_probed_step_and_layers(root: Path, tmp_path: Path) -> None:
    paths = write_figures(root, "png", "page", step=16, layers=[1, 2])
    assert paths
    assert all(path.name.startswith("activation_histograms-step16-") for path in paths)
    captions = (root / "print" / "captions.md").read_text()
    assert "Activations after 16 updates" in captions
    for wrong, words in (
        ({"step": 7}, r"--step 7: sweep has no histogram there; probed: 0, 16"),
        ({"layers": [9]}, r"--layers 9: sweep has no histogram there; probed: 1, 2, 3, 4, 5"),
    ):
        with pytest.raises(UsageError, match=words):
            write_figures(root, "png", "page", **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--figures pfd", "--figures pfd is not valid (did you mean pdf?); valid: pdf, png, svg"),
        ("--figures pdf --size slides", "--size slides is not valid (did you mean slide?)"),
        ("--figures pdf --language kr", "--language kr is not valid"),
        ("--figures pdf --layers 1,x", "--layers 1,x is not valid"),
        ("--size slide", "--size is about files of figures: add --figures"),
        ("--step 3", "--step is about files of figures: add --figures"),
    ],
)
def test_wrong_values_get_one_clear_line(
    root: Path, words: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(root), *words.split()]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error
    assert len(error.strip().splitlines()) == 1


def test_the_pictures_of_claims_are_written_too(tmp_path: Path) -> None:
    configs = runs(4, (0.1, 0.2), activation=RELU, initializer=HE, depth=1)
    configs += runs(4, (0.1, 0.2), activation=RELU, initializer=XAVIER, depth=1)
    configs += runs(4, (0.1, 0.2), activation=SIGMOID, initializer=XAVIER, depth=1)
    plant(tmp_path / "small-init-depth", configs, lambda _: Truth(20.0))
    assert [path.name for path in write_claims(tmp_path, "pdf", "slide", "ko")] == [
        "he-beats-xavier-for-relu-slide.pdf"
    ]
    assert FORMATS == ("pdf", "png", "svg")
