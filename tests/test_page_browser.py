"""The page in a real browser: used by mouse, keyboard and link, and checked for accessibility.

Screenshots and what was timed are left in build/page/ for people to look at.
"""

from __future__ import annotations

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from page_reader import Reader, needs_chromium, playwright
from planted_layers import write_learning

from relu_exp.cli import main
from relu_exp.evidence.explorer import packing
from relu_exp.evidence.page.page import build_page
from relu_exp.evidence.report.verdict_pages import build

axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python"
)

pytestmark = needs_chromium

KEPT = Path(__file__).parents[1] / "build" / "page"
TITLE = "</script><script>document.title = 'taken'</script><b>Bold</b>"
SWEEP = f"""
title: "{TITLE}"
question: Does it open?
overrides: {{width: 8, num_steps: 8, batch_size: 16, dataset: digits, dataset.num_train: 64,
  evaluations.steps: powers_of_two}}
sweep:
  activation: [relu, tanh]
  initializer: [small_normal, unit_normal, xavier_normal, he_normal]
  depth: [2, 3]
  learning_rate: [0.01, 0.1]
  seed: range(2)
exclude:
  - {{activation: tanh, initializer: unit_normal}}
figures: [loss_curves]
"""
NAME = "default"
"""Of the sweep's file and folder: the explorer opens with the experiment of this name."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of two small sweeps, trained and reported as a user would."""
    folder = tmp_path_factory.mktemp("browser")
    (folder / f"{NAME}.yaml").write_text(SWEEP)
    root = folder / "results"
    options = ["--results", str(root), "--workers", "1", "--device", "cpu"]
    assert main(["run", str(folder / f"{NAME}.yaml"), *options]) == 0
    small = ["depth=5,20", "width=16", "seed=range(3)", "probes.num_samples=32"]
    assert main(["run", "vanishing-gradients", *small, *options]) == 0
    assert main(["report", str(root)]) == 0
    return root


def shown_rows(page: Any) -> list[str]:
    rows: list[str] = page.eval_on_selector_all(
        "#table tbody tr", "rows => rows.filter(row => !row.hidden).map(row => row.dataset.id)"
    )
    return rows


def hash_of(page: Any) -> str:
    page.wait_for_timeout(250)
    found: str = page.evaluate("decodeURIComponent(location.hash.replaceAll('+', ' '))")
    return found


def test_a_link_to_a_claim_opens_it_and_the_others_stay_closed(reader: Reader) -> None:
    page = reader.open("#gradients-vanish-with-depth")
    assert page.locator("#gradients-vanish-with-depth .command").is_visible()
    assert page.locator("details.evidence[open]").count() == 1


def test_titles_stay_text(reader: Reader) -> None:
    page = reader.open()
    assert "taken" not in page.title()
    assert page.locator("b", has_text="Bold").count() == 0
    assert page.locator(".side option", has_text="<b>Bold</b>").count() >= 1


def test_the_table_is_filtered_searched_and_sorted_by_keyboard(reader: Reader) -> None:
    page = reader.open()
    every = len(shown_rows(page))
    page.locator("#filters select[name=topic]").focus()
    page.keyboard.press("ArrowDown")
    formulas = shown_rows(page)
    assert 0 < len(formulas) < every
    assert f"{len(formulas)} of {every} claims" in page.locator("#count").inner_text()
    page.locator("#filters button[type=reset]").press("Enter")
    playwright.expect(page.locator("#table tr[hidden]")).to_have_count(0)
    page.locator("#filters input[name=q]").press_sequentially("vanish")
    assert "gradients-vanish-with-depth" not in formulas
    assert "gradients-vanish-with-depth" in shown_rows(page)
    page.locator("#filters input[name=q]").fill("no such words")
    assert page.locator("#none").is_visible()
    page.locator("#filters input[name=q]").fill("")
    head = page.locator("#table th[data-key=claim]")
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    first = page.locator("#table tbody th").first.inner_text()
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert page.locator("#table tbody th").first.inner_text() > first


def test_a_row_leads_to_its_claim_and_a_count_to_its_rows(reader: Reader) -> None:
    page = reader.open("#?lang=ko")
    page.locator("#table tr[data-id=gradients-vanish-with-depth] a").click()
    assert page.locator("#gradients-vanish-with-depth h4").is_visible()
    assert page.evaluate("location.hash").startswith("#gradients-vanish-with-depth")
    # the place has changed and the language has not
    assert page.evaluate("document.documentElement.lang") == "ko"
    page.locator(".tally a.not-decided").click()
    playwright.expect(page.locator(".tally a.not-decided")).to_have_attribute(
        "aria-current", "true"
    )
    found = {
        page.locator(f'tr[data-id="{id}"]').get_attribute("data-verdict") for id in shown_rows(page)
    }
    assert found == {"not decided"}


def test_every_slider_changes_the_picture_and_the_address(reader: Reader) -> None:
    page = reader.open()
    timings = {}
    for axis in ("depth", "learning_rate", "step"):
        slider = page.locator(f".side input[data-axis={axis}]").first
        slider.press("End")
        slider.press("Home")
        before = page.evaluate("document.querySelector('.side .charts').innerHTML")
        # what the reader waits for: from the event to the new picture
        timings[axis] = page.evaluate(
            """axis => {
                const slider = document.querySelector(`.side input[data-axis=${axis}]`);
                slider.value = slider.max;
                const start = performance.now();
                slider.dispatchEvent(new Event("input"));
                slider.getBoundingClientRect();
                return performance.now() - start;
            }""",
            axis,
        )
        after = page.evaluate("document.querySelector('.side .charts').innerHTML")
        assert after != before, axis
    assert page.locator(".side").first.locator(".panel").count() == 3
    assert "a=default~ReLU~Xavier~3~0.1~~8" in hash_of(page)
    KEPT.mkdir(parents=True, exist_ok=True)
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    (KEPT / "timings.json").write_text(json.dumps({"first paint, ms": paint, **timings}, indent=1))


def test_what_is_learned_is_drawn_and_what_is_too_large_is_named(
    browser: Any, tmp_path: Path
) -> None:
    write_learning(tmp_path)
    build_page(build(tmp_path, []))
    reader = Reader(browser, tmp_path)
    page = reader.open("#explorer?a=default~PReLU~He~2~0.01~~256&b=default~ReLU~He~2~0.01~~256")
    learns, other = page.locator(".side").all()
    page.wait_for_selector("[data-chart=learned] svg")
    label = learns.locator("[data-chart=learned] svg").get_attribute("aria-label")
    assert label == "slope: -0.224 in layer 1, -0.474 in layer 2"
    assert "Signal by layer: > 10³² in layer 2" in learns.locator(".facts").inner_text()
    assert not other.locator("[data-chart=learned]").is_visible()
    assert "10³²" not in other.locator(".facts").inner_text()
    learns.locator("details.numbers summary").click()
    page.wait_for_selector(".side td")
    assert "slope" in learns.locator("details.numbers table").inner_text()
    assert reader.complaints == []


def test_what_was_not_run_is_greyed_and_the_nearest_is_offered(reader: Reader) -> None:
    page = reader.open("#explorer?a=default~tanh~Xavier~2~0.1~~0")
    side = page.locator(".side").first
    option = side.locator("select[data-axis=initializer] option", has_text="N(0, 1)")
    assert "not run" in option.inner_text()
    side.locator("select[data-axis=initializer]").select_option("N(0, 1)")
    assert side.locator(".absent").is_visible()
    assert "off" in side.locator(".charts").get_attribute("class")
    side.locator(".absent button").click()
    assert not side.locator(".absent").is_visible()
    side.locator("button[data-preset=large]").click()
    assert "ReLU~N(0, 1)" in hash_of(page).split("a=")[1].split("&")[0]


def test_histograms_that_do_not_fit_are_not_called_unmeasured(
    browser: Any, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = packing.choices
    monkeypatch.setattr(
        packing, "choices", lambda *args, **more: [replace(next(whole(*args, **more)), kinds=())]
    )
    root = Path(shutil.copytree(results, tmp_path / "results"))
    # in this process: others would not know of what is patched here
    build_page(build(root))
    page = Reader(browser, root).open()
    panel = page.locator(".side .panel").first
    assert panel.locator(".outside").text_content().startswith("left out to keep the page small")
    page.context.close()


def test_training_is_played_to_its_end(reader: Reader) -> None:
    page = reader.open()
    page.locator("#play").click()
    playwright.expect(page.locator("#play")).to_have_attribute("aria-pressed", "true")
    for step in page.locator(".side input[data-axis=step]").all():
        playwright.expect(step).to_have_attribute("aria-valuetext", "8", timeout=30_000)
    playwright.expect(page.locator("#play")).to_have_attribute("aria-pressed", "false")


def test_language_and_theme_are_switched(reader: Reader) -> None:
    page = reader.open(color_scheme="light")
    white = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").select_option("dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != white
    page.locator("#language").select_option("ko")
    assert "가지" in page.locator("h1").inner_text()
    assert page.locator("#filters select[name=verdict] option").nth(1).inner_text() == "맞음"
    assert page.title().startswith("활성화")
    assert "lang=ko" in hash_of(page)
    page.locator("#language").select_option("en")
    assert "claims" in page.locator("h1").inner_text()


def test_a_korean_browser_gets_korean_unless_the_address_says_otherwise(reader: Reader) -> None:
    page = reader.open(locale="ko-KR")
    assert "가지" in page.locator("h1").inner_text()
    page.locator("#language").select_option("en")
    assert "claims" in page.locator("h1").inner_text()
    assert "lang=en" in hash_of(page)
    assert "claims" in reader.open("#?lang=en", locale="ko-KR").locator("h1").inner_text()
    assert "claims" in reader.open(locale="fr-FR").locator("h1").inner_text()


def test_a_command_is_copied(reader: Reader) -> None:
    page = reader.open(permissions=["clipboard-read", "clipboard-write"])
    page.locator("#gradients-vanish-with-depth > details > summary").click()
    row = page.locator("#gradients-vanish-with-depth .command")
    row.locator("button").click()
    assert page.evaluate("navigator.clipboard.readText()") == row.locator("code").inner_text()
    assert "Copied" in page.locator("#announce").inner_text()


def test_a_link_shows_the_same_view(reader: Reader) -> None:
    page = reader.open("#explorer?lang=ko")
    page.locator("#filters select[name=verdict]").select_option("not decided")
    page.locator("#table th[data-key=verdict] button").click()
    page.locator(".side select[data-axis=activation]").last.select_option("tanh")
    page.locator("#kind").select_option("preactivation")
    page.wait_for_timeout(300)
    address = page.evaluate("location.hash")
    again = reader.open(address)
    views = [
        (
            shown_rows(each),
            each.evaluate("document.documentElement.lang"),
            each.evaluate("document.querySelector('#sides').innerHTML"),
            each.locator(".side select[data-axis=activation]").last.input_value(),
        )
        for each in (page, again)
    ]
    assert views[0] == views[1]
    assert views[1][1:4:2] == ("ko", "tanh")


def test_a_link_to_what_is_not_here_shows_the_page_all_the_same(reader: Reader) -> None:
    page = reader.open("#nowhere?verdict=maybe&sort=<b>&a=x~y&lang=xx&b=default~a~b~c~d~e~f")
    assert page.locator("#none").is_hidden()
    assert page.locator(".side .absent").first.is_hidden()


def test_pictures_are_unpacked_when_they_come_into_view(reader: Reader) -> None:
    page = reader.open("#gradients-vanish-with-depth")
    picture = page.locator("#gradients-vanish-with-depth img")
    picture.scroll_into_view_if_needed()
    playwright.expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    assert len(picture.get_attribute("alt")) > 40


@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("ko", "dark")])
def test_axe_finds_nothing(reader: Reader, language: str, theme: str) -> None:
    page = reader.open(f"#?lang={language}", color_scheme=theme)
    # what is out of sight is laid out late and would not be looked at
    page.add_style_tag(content="section.claim { content-visibility: visible !important; }")
    found = axe.Axe().run(page).response["violations"]
    told = [
        (each["id"], each["help"], [node["html"][:160] for node in each["nodes"]][:4])
        for each in found
    ]
    assert told == []


@pytest.mark.parametrize("width", [360, 1024, 2560])
def test_nothing_is_wider_than_the_window(reader: Reader, width: int) -> None:
    page = reader.open(width=width)
    KEPT.mkdir(parents=True, exist_ok=True)
    for language, theme in itertools.product(("en", "ko"), ("light", "dark")):
        page.emulate_media(color_scheme=theme)
        page.locator("#language").select_option(language)
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (language, theme)
        for place in ("answer", "explorer"):
            page.locator(f"#{place}").evaluate("node => node.scrollIntoView()")
            page.screenshot(path=KEPT / f"{width}-{language}-{theme}-{place}.png")


def test_korean_is_no_row_of_boxes(reader: Reader) -> None:
    page = reader.open("#?lang=ko")
    page.wait_for_timeout(500)
    # where the system has no Korean font the embedded one is in force by now
    looks = page.evaluate(
        """() => ["가", "나"].map(sign => {
            const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
            canvas.width = canvas.height = 24;
            pen.font = "20px " + getComputedStyle(document.body).fontFamily;
            pen.fillText(sign, 0, 20);
            return canvas.toDataURL();
        })"""
    )
    assert looks[0] != looks[1]
