"""The explorer in a real browser, on the page of a sweep of one's own: what is drawn and saved."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from page_reader import Reader, needs_chromium, playwright

from relu_exp.core.schema import Choice, histogram_edges
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.report import report
from relu_exp.evidence.report.report import build

import synthetic

axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python"
)

pytestmark = needs_chromium

HE = Choice("he_normal", (("gain", 2**0.5), ("mode", "fan_in")))
XAVIER = Choice("xavier_normal", (("gain", 1.0), ("mode", "average")))
LARGE = Choice("normal", (("std", 1.0),))
RUNS = synthetic.configs(
    ("sigmoid", "tanh", "relu"), (XAVIER, HE, LARGE), (2, 6), (0.01, 0.1), (0, 1), width=24
)
EVERY_LABEL = "() => [...document.querySelectorAll('.side .panels text, .side .canvas text')]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the results of a sweep of one's own, with its report."""
    folder = tmp_path_factory.mktemp("results") / "own"
    titles = {"title": "My <b>sweep</b>", "title_ko": "내 실험"}
    synthetic.write(folder, RUNS, figures=["loss_curves"], **titles)
    build(folder)
    return folder


class Viewer(Reader):
    """Somebody who opens the explorer at its settings, and bears no message at all."""

    def open(self, a: str, b: str = "", width: int = 1280, **options: Any) -> Any:
        sides = f"a=own~{a}" + (f"&b=own~{b}" if b else "&compare=no")
        return super().open(f"#explorer?{sides}", width, **options)

    def note(self, kind: str, text: str) -> None:
        self.complaints.append(text)


@pytest.fixture
def reader(browser: Any, folder: Path) -> Iterator[Viewer]:
    reader = Viewer(browser, folder)
    yield reader
    reader.leave()


def mean_shares(folder: Path, activation: str, initializer: str, depth: int, layer: int) -> Any:
    """Return the mean share of activations in each bin at step 0, from the tables."""
    ids = [
        run.run_id
        for run in RUNS
        if (run.activation.name, run.initializer.name, run.depth, run.learning_rate)
        == (activation, initializer, depth, 0.1)
    ]
    rows = Frames.open(folder).read("histograms", run_ids=ids, steps=(0,), kind=["activation"])
    counts = [row / row.sum() for row in rows[rows["layer"] == layer]["counts"]]
    assert len(counts) == 2
    return np.mean(counts, axis=0)


def numbers_in(texts: list[str]) -> list[float]:
    return [float(text.replace("−", "-")) for text in texts]


def ticks(page: Any, layer: int = 1) -> list[float]:
    """Return the numbers on the horizontal axis of a layer's histogram."""
    found = page.locator(f".side .panel[data-layer='{layer}'] text.tick[text-anchor=middle]")
    return numbers_in(found.all_text_contents())


def saved(page: Any, kind: str) -> bytes:
    with page.expect_download() as download:
        page.locator(f"[data-save={kind}]").click()
    return Path(download.value.path()).read_bytes()


def test_the_range_is_the_activations_own(reader: Viewer) -> None:
    page = reader.open("tanh~Xavier~2~0.1~~0")
    assert (min(ticks(page)), max(ticks(page))) == (-1, 1)
    page.locator(".side select[data-axis=activation]").first.select_option("sigmoid")
    page.wait_for_timeout(50)
    assert (min(ticks(page)), max(ticks(page))) == (0, 1)
    page.locator(".side select[data-axis=activation]").first.select_option("ReLU")
    page.wait_for_timeout(50)
    assert min(ticks(page)) == 0
    assert max(ticks(page)) > 1
    # all layers share one range
    assert ticks(page, 1) == ticks(page, 2)


def test_the_upper_end_of_relu_is_that_of_its_data(reader: Viewer, folder: Path) -> None:
    page = reader.open("ReLU~He~2~0.1~~0")
    drawn = page.evaluate(
        """() => {
            const { setting } = { setting: Runs.experiments[0].settings.find((each) =>
                each.value("activation") === "ReLU" && each.value("initializer") === "He"
                && each.value("depth") === "2" && each.value("learning_rate") === "0.1") };
            const { low, wide, first, last } = Histograms.scale(setting, "activation");
            return [low + first * wide, low + (last + 1) * wide];
        }"""
    )
    shares = np.max(
        [mean_shares(folder, "relu", "he_normal", 2, layer) for layer in (1, 2)], axis=0
    )
    assert drawn[0] == pytest.approx(-0.025)
    if shares[-1] >= 5e-4:
        assert drawn[1] == pytest.approx(4.525)
    else:
        last = np.flatnonzero(shares[1:-1] >= 5e-4)[-1]
        edge = histogram_edges("activation")[int(last) + 1]
        assert edge <= drawn[1] <= edge + 0.051


def test_a_bar_that_towers_over_the_rest_has_its_share_written_on_it(
    reader: Viewer, folder: Path
) -> None:
    page = reader.open("ReLU~He~2~0.1~~0", "tanh~N(0, 1)~6~0.1~~0")
    relu, tanh = page.locator(".side").all()
    for layer in (1, 2):
        spikes = relu.locator(f".panel[data-layer='{layer}'] .spike")
        assert spikes.count() == 1
        assert float(spikes.get_attribute("data-value")) == 0
        zeros = mean_shares(folder, "relu", "he_normal", 2, layer)[1 + 30]
        assert float(spikes.text_content().rstrip("%")) == pytest.approx(100 * zeros, abs=0.06)
    ends = tanh.locator(".panel[data-layer='1'] .spike")
    assert [float(each.get_attribute("data-value")) for each in ends.all()] == [-1, 1]
    shares = mean_shares(folder, "tanh", "normal", 6, 1)
    for each, share in zip(ends.all(), (shares[1 + 10], shares[1 + 50]), strict=True):
        assert float(each.text_content().rstrip("%")) == pytest.approx(100 * share, abs=0.06)
    label = tanh.locator(".panel[data-layer='1']").get_attribute("aria-label")
    assert "of the values at −1" in label
    assert "mean" in label


def test_a_layer_has_its_mean_spread_and_zeros_in_words(reader: Viewer, folder: Path) -> None:
    page = reader.open("ReLU~Xavier~6~0.1~~0")
    frames = Frames.open(folder)
    ids = [run.run_id for run in RUNS
           if (run.activation.name, run.initializer.name, run.depth, run.learning_rate)
           == ("relu", "xavier_normal", 6, 0.1)]  # fmt: skip
    table = frames.read("layers", run_ids=ids, steps=(0,))
    means = table.groupby(["quantity", "layer"], observed=True)["value"].mean()
    for layer in (1, 6):
        said = page.locator(f".panel[data-layer='{layer}'] .said").all_text_contents()
        mean, spread = numbers_in(said[0].split(" ± "))
        assert mean == pytest.approx(means["activation_mean", layer], abs=0.006)
        assert spread == pytest.approx(means["activation_std", layer], rel=0.06)
        assert said[1] == "zero " + said[1].removeprefix("zero ")
        zeros = float(said[1].removeprefix("zero ").rstrip("%"))
        assert zeros == pytest.approx(100 * means["zero_fraction", layer], abs=0.06)


def test_the_facts_of_the_step_that_is_shown_follow_the_slider(reader: Viewer) -> None:
    page = reader.open("ReLU~He~2~0.01~~0")
    now = page.locator(".side .now").first
    before = now.inner_text()
    assert re.search(r"updates\s+0\s+training loss\s+2\.3", before)
    assert "dead units" in before
    page.locator(".side input[data-axis=step]").first.press("End")
    after = now.inner_text()
    assert re.search(r"updates\s+256", after)
    assert after != before


def test_the_csv_has_the_numbers_that_were_measured(reader: Viewer, folder: Path) -> None:
    page = reader.open("tanh~He~2~0.1~~0", "ReLU~N(0, 1)~6~0.1~~0")
    text = saved(page, "csv").decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["setting"] for row in rows} == {"A", "B"}
    assert {row["seeds"] for row in rows} == {"0–1"}
    for letter, key in (("A", ("tanh", "he_normal", 2)), ("B", ("relu", "normal", 6))):
        for layer in (1, 2):
            bins = [
                row
                for row in rows
                if row["setting"] == letter
                and row["layer"] == str(layer)
                and row["quantity"] == "share of activations"
            ]
            shares = [float(row["value"]) for row in bins]
            assert sum(shares) == pytest.approx(1, abs=1e-9)
            np.testing.assert_allclose(shares, mean_shares(folder, *key, layer), atol=1.01e-4)
            edges = histogram_edges("activation")
            assert [float(row["from"]) for row in bins[1:]] == pytest.approx(edges)
            assert [float(row["to"]) for row in bins[:-1]] == pytest.approx(edges)
    losses = [row for row in rows if row["setting"] == "A" and row["quantity"] == "train loss"]
    assert [int(row["update"]) for row in losses] == list(synthetic.EVALUATION_STEPS)


def test_the_svg_stands_alone_and_says_what_it_shows(reader: Viewer) -> None:
    page = reader.open("tanh~He~2~0.1~~0", "ReLU~N(0, 1)~6~0.1~~0", color_scheme="dark")
    drawn = page.locator(".side .panel").all_text_contents()
    text = saved(page, "svg").decode()
    svg = ElementTree.fromstring(text)
    texts = [node.text or "" for node in svg.iter("{http://www.w3.org/2000/svg}text")]
    whole = " ".join(texts)
    for words in ("Setting A: tanh · He", "Setting B: ReLU · N(0, 1)", "after 0 updates",
                  "experiment own", "seeds 0–1", "training loss", "Signal by layer"):  # fmt: skip
        assert words in whole, words
    for label in drawn[:2]:
        assert label.startswith("layer ")
    # nothing is left to a style sheet, and no text is small
    assert "var(" not in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    for node in svg.iter("{http://www.w3.org/2000/svg}text"):
        assert re.fullmatch(r"#[0-9a-f]{6}", node.attrib["fill"])
        assert float(node.attrib["font-size"].removesuffix("px")) >= 11
    page_color = next(svg.iter("{http://www.w3.org/2000/svg}rect")).attrib["fill"]
    assert page_color == "#0d1117"


def test_the_png_is_a_picture_of_twice_the_size(reader: Viewer) -> None:
    page = reader.open("sigmoid~Xavier~2~0.1~~0")
    svg = ElementTree.fromstring(saved(page, "svg").decode())
    png = saved(page, "png")
    assert png.startswith(b"\x89PNG")
    size = [int.from_bytes(png[16 + 4 * place : 20 + 4 * place], "big") for place in (0, 1)]
    assert size == [int(2 * float(svg.attrib[name])) for name in ("width", "height")]


def test_back_undoes_what_was_chosen(reader: Viewer) -> None:
    page = reader.open("ReLU~He~2~0.1~~0", "tanh~He~2~0.1~~0")
    activation = page.locator(".side select[data-axis=activation]").first
    activation.select_option("sigmoid")
    page.wait_for_timeout(250)
    page.locator("#kind").select_option("preactivation")
    page.wait_for_timeout(250)
    page.go_back()
    playwright.expect(page.locator("#kind")).to_have_value("activation")
    playwright.expect(activation).to_have_value("sigmoid")
    page.go_back()
    playwright.expect(activation).to_have_value("ReLU")
    page.go_forward()
    playwright.expect(activation).to_have_value("sigmoid")


def test_a_slider_is_moved_by_keyboard_and_says_where_it_is(reader: Viewer) -> None:
    page = reader.open("ReLU~He~2~0.1~~0")
    slider = page.locator(".side input[data-axis=step]").first
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "1"
    page.keyboard.press("End")
    assert slider.get_attribute("aria-valuetext") == "256"
    assert page.evaluate("document.activeElement.dataset.axis") == "step"


def test_the_copied_link_shows_the_same(reader: Viewer) -> None:
    page = reader.open("ReLU~He~2~0.1~~0", permissions=["clipboard-read", "clipboard-write"])
    page.locator(".side select[data-axis=initializer]").first.select_option("Xavier")
    page.locator("#copy-link").click()
    page.wait_for_timeout(100)
    link = page.evaluate("navigator.clipboard.readText()")
    again = reader.browser.new_page()
    again.goto(link)
    again.wait_for_selector(".side .panel")
    shown = ["document.querySelector('#sides').innerHTML"] * 2
    assert page.evaluate(shown[0]) == again.evaluate(shown[1])
    assert again.locator(".side select[data-axis=initializer]").first.input_value() == "Xavier"


@pytest.mark.parametrize("width", [360, 1024, 2560])
def test_text_can_be_read_and_targets_be_hit(reader: Viewer, width: int) -> None:
    page = reader.open("ReLU~N(0, 1)~6~0.1~~0", "tanh~He~6~0.1~~0", width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.evaluate(
        f"({EVERY_LABEL})().map((node) => [parseFloat(getComputedStyle(node).fontSize)"
        " * node.getScreenCTM().a, node.textContent])"
    )
    assert len(sizes) > 50
    assert [each for each in sizes if each[0] < 10.99] == []
    targets = page.eval_on_selector_all(
        ".explorer button, .explorer select, .explorer input, .explorer summary",
        """nodes => nodes.filter((node) => node.checkVisibility()).map((node) => {
            const { width, height } = node.getBoundingClientRect();
            return [Math.min(width, height), node.outerHTML.slice(0, 80)];
        })""",
    )
    assert [each for each in targets if each[0] < 24] == []


@pytest.mark.parametrize("width", [360, 1280])
def test_labels_of_a_histogram_stay_within_it(reader: Viewer, width: int) -> None:
    page = reader.open("ReLU~N(0, 1)~6~0.1~~0", "tanh~N(0, 1)~6~0.1~~0", width=width)
    beyond = page.evaluate(
        """() => [...document.querySelectorAll(".panels svg")].flatMap((svg) => {
            const { left, right } = svg.getBoundingClientRect();
            return [...svg.querySelectorAll("text")].filter((text) => {
                const box = text.getBoundingClientRect();
                return box.left < left - 4 || box.right > right + 8;
            }).map((text) => text.textContent);
        })"""
    )
    assert beyond == []


def test_a_report_in_korean_has_a_korean_explorer(
    browser: Any, folder: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copytree(folder, tmp_path / "own"))
    build(own, language="ko")
    reader = Viewer(browser, own)
    page = reader.open("tanh~He~2~0.1~~0", color_scheme="dark")
    section = page.locator("section.explorer").inner_text()
    assert "탐색기" in section
    assert "포화" in page.locator(".side .panels").first.inner_text() or "1층" in section
    assert page.locator(".panel[data-layer='1'] .name").first.text_content() == "1층"
    for english in ("Setting", "Step", "layer", "updates", "Height", "seeds"):
        assert english not in section
    assert page.locator("#kind option").first.inner_text() == "활성값"
    assert "설정 A: tanh" in saved(page, "svg").decode()
    page.context.close()
    assert reader.complaints == []


def test_a_report_says_what_it_left_out(
    browser: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Path(shutil.copytree(folder, tmp_path / "own"))
    monkeypatch.setattr(report, "MOST_EXPLORED", 6000)
    build(own)
    page = Viewer(browser, own).open("ReLU~He~2~0.1~~0")
    said = page.locator(".side .omitted").first.inner_text()
    assert said.startswith("Left out to keep this page small: pre-activations")
    assert "relu-exp export" in said
    page.context.close()
    monkeypatch.setattr(report, "MOST_EXPLORED", 10)
    built = build(own)
    html = built.html.read_text()
    assert "The explorer of the layers is left out" in html
    assert "explored" not in html
    assert "explorer of" not in built.markdown.read_text()


def test_a_report_without_histograms_has_no_explorer(tmp_path: Path) -> None:
    runs = synthetic.configs(("relu",), (HE,), (2,), (0.1,), (0, 1), probe_steps=())
    synthetic.write(tmp_path / "bare", runs, figures=["loss_curves"])
    built = build(tmp_path / "bare")
    assert "explorer" not in built.html.read_text()
    assert "explorer" not in built.markdown.read_text()


def test_while_training_goes_on_the_report_says_when_the_explorer_comes(
    folder: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copytree(folder, tmp_path / "own"))
    html = build(own, reload_seconds=5).html.read_text()
    assert "is added when training has ended" in html
    assert "explored" not in html


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_the_report(reader: Viewer, theme: str) -> None:
    page = reader.open("ReLU~He~2~0.1~~0", "tanh~He~2~0.1~~0", color_scheme=theme)
    for summary in page.locator(".explorer summary").all():
        summary.click()
    found = axe.Axe().run(page, context="section.explorer").response["violations"]
    assert [
        (each["id"], each["help"], [node["html"][:160] for node in each["nodes"]][:4])
        for each in found
    ] == []
