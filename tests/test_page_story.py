"""The story, the slides and the glossary in a real browser: by keyboard, by link and on paper."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_reader import Reader, playwright
from test_page_browser import KEPT, axe, pytestmark
from test_story import starts

from relu_exp.evidence.claims.registry import find_claim
from relu_exp.evidence.page.page import build_page
from relu_exp.evidence.page.starts import EXPERIMENT
from relu_exp.evidence.page.story import ASKED
from relu_exp.evidence.report.verdict_pages import build

import synthetic
from planted_claims import CLAIMS, RUNS

assert pytestmark  # skips the tests where there is no Chromium

OUTCOMES = ("near_zero", "at_ends", "between", "shrinks", "stays")
"""What the planted layers do, which are random networks as the story has them."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return results with the runs of the story, and claims of every verdict."""
    root = tmp_path_factory.mktemp("story")
    synthetic.write(root / EXPERIMENT, starts())
    synthetic.write(root / "planted", RUNS, budget="quick")
    picture = root / "planted" / "figures" / "loss_curves-best_rate.png"
    picture.parent.mkdir()
    picture.write_bytes(b"")
    picture.with_suffix(".svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 200"><path d="M0 0h9"/></svg>'
    )
    build_page(build(root, [*CLAIMS, *(find_claim(asked.claim) for asked in ASKED)]))
    return root


class Visitor(Reader):
    """A reader who may begin on a slide, where the explorer is out of sight."""

    def open(self, hash: str = "", width: int = 1280, until: str = "body", **options: Any) -> Any:
        page = super().open(hash, width, until, **options)
        page.wait_for_selector(".side .panel", state="attached")
        return page


@pytest.fixture
def reader(browser: Any, results: Path) -> Iterator[Reader]:
    reader = Visitor(browser, results)
    yield reader
    reader.leave()


def shown(page: Any, selector: str) -> list[str]:
    """Return the ids of what is visible."""
    found: list[str] = page.eval_on_selector_all(
        selector, "all => all.filter(each => each.checkVisibility()).map(each => each.id)"
    )
    return found


def place(page: Any) -> str:
    found: str = page.evaluate("location.hash.split('?')[0]")
    return found


def told(page: Any) -> str:
    found: str = page.locator("#announce").inner_text()
    return found


# The story


def test_arrow_keys_lead_from_step_to_step(reader: Reader) -> None:
    page = reader.open("#story-1?lang=en")
    for key, step in (("ArrowRight", 2), ("ArrowRight", 3), ("ArrowLeft", 2), ("ArrowLeft", 1)):
        page.keyboard.press(key)
        playwright.expect(page.locator(".story .step.current")).to_have_id(f"story-{step}")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("location.hash").startswith("#story-1")
    # elsewhere arrows move what they always move
    page.locator("#filters input[name=q]").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("location.hash").startswith("#story-1")


def test_each_step_has_a_link_and_is_shown_alone(reader: Reader) -> None:
    for number in range(1, 6):
        page = reader.open(f"#story-{number}")
        assert shown(page, ".step") == [f"story-{number}"]
        assert (
            page.locator(".steps [aria-current=step]")
            .inner_text()
            .startswith(
                page.locator(f"#story-{number} h3").inner_text().split(". ")[1].split(" #")[0]
            )
        )
        page.context.close()
    assert shown(reader.open(), ".step") == ["story-1"]


def test_nothing_is_told_before_the_reader_has_predicted(reader: Reader) -> None:
    page = reader.open("#story-4")
    step = page.locator("#story-4")
    assert not step.locator(".reveal").is_visible()
    assert "0.5" not in step.inner_text()
    step.locator("button[data-option=shrinks]").click()
    assert step.locator(".reveal").is_visible()
    assert "As you predicted." in step.inner_text()
    assert "standard deviation" in step.locator(".outcome").inner_text()
    assert told(page) == step.locator(".outcome").inner_text()
    assert step.locator("svg path").count() == 5
    heights = step.locator("svg").evaluate_all("all => all.map(each => each.clientHeight)")
    assert min(heights) > 40
    link = step.locator(".reveal a", has_text="sink towards 0")
    link.click()
    page.wait_for_timeout(200)
    assert place(page) == "#xavier-starves-relu"
    assert page.locator("#xavier-starves-relu h4").is_visible()


def test_a_wrong_prediction_is_said_to_be_wrong_and_the_right_one_is_marked(
    reader: Reader,
) -> None:
    page = reader.open("#story-2")
    step = page.locator("#story-2")
    step.locator("button[data-option=between]").click()
    assert told(page).startswith("Not as you predicted. They pile up at −1 and 1.")
    assert step.locator(".measured").get_attribute("data-option") == "at_ends"
    # the first prediction counts
    step.locator("button[data-option=at_ends]").click(force=True)
    assert "Not as you predicted." in step.inner_text()
    assert step.locator("button[aria-pressed=true]").get_attribute("data-option") == "between"


def test_the_story_is_told_by_keyboard_and_back_goes_back(reader: Reader) -> None:
    page = reader.open("#story-1")
    for number, outcome in enumerate(OUTCOMES, 1):
        button = page.locator(f"#story-{number} button[data-option={outcome}]")
        button.focus()
        page.keyboard.press("Enter")
        assert page.locator(f"#story-{number} .reveal").is_visible()
        # the keyboard's place is kept, and is seen
        assert button.evaluate("node => node === document.activeElement")
        assert button.evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
        if number < 5:
            page.locator(f"#story-{number} .next").press("Enter")
            page.wait_for_function(
                "id => document.activeElement.id === id", arg=f"story-{number + 1}"
            )
    assert page.locator("#story-score").inner_text() == "5 of 5 predicted"
    page.go_back()
    page.wait_for_function("location.hash.startsWith('#story-4')")
    playwright.expect(page.locator("#story-4")).to_be_visible()
    assert shown(page, ".step") == ["story-4"]
    assert page.locator("#story-4 .reveal").is_visible()


def test_the_story_is_korean_too(reader: Reader) -> None:
    page = reader.open("#story-1?lang=ko")
    page.locator("#story-1 button", has_text="0에 모인다").click()
    assert told(page).startswith("예상대로다. 0에 모인다. 마지막인 5층에서 출력의")
    said = page.locator(".story").inner_text()
    assert not re.search(r"\b(the|of|is|are|with|from)\b", said), said


def test_the_explorer_opens_with_the_step_of_the_story(reader: Reader) -> None:
    page = reader.open("#story-5")
    page.locator("#story-5 button[data-option=grows]").click()
    page.locator("#story-5 .inside a").click()
    page.wait_for_timeout(300)
    side = page.locator(".side").first
    assert side.locator("select[data-axis=initializer]").input_value() == "He"
    playwright.expect(side.locator(".panel")).to_have_count(5)


# Slides


def test_slides_are_moved_through_by_keys(reader: Reader) -> None:
    page = reader.open()
    every = page.locator("section.claim").evaluate_all("all => all.map(each => each.id)")
    page.locator("#slides-enter").press("Enter")
    page.wait_for_selector("html.slides")
    assert shown(page, "section.claim, section.story, #table") == [every[0]]
    assert place(page) == "#slides"
    for key, number in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", -1),
                        ("ArrowRight", -1), ("Home", 0), ("ArrowLeft", 0)):  # fmt: skip
        page.keyboard.press(key)
        page.wait_for_timeout(60)
        assert shown(page, "section.claim") == [every[number]], key
        assert (
            f"{every.index(every[number]) + 1} / {len(every)}"
            in page.locator("#slides-bar output").inner_text()
        )
    page.keyboard.press("End")
    page.wait_for_timeout(60)
    assert place(page) == f"#slide-{every[-1]}"
    page.keyboard.press("Escape")
    page.wait_for_function("!document.documentElement.classList.contains('slides')")
    assert place(page) == f"#{every[-1]}"
    assert page.locator("#table").is_visible()
    assert not page.locator("#slides-bar").is_visible()


def test_a_slide_tells_its_verdict_on_a_key_or_a_click(reader: Reader) -> None:
    page = reader.open("#slide-true")
    claim = page.locator("section.claim#true")
    answer = claim.locator(".found")
    assert shown(page, "section.claim") == ["true"]
    assert not answer.is_visible()
    assert claim.locator("h4").evaluate("node => parseFloat(getComputedStyle(node).fontSize)") > 30
    page.keyboard.press(" ")
    assert answer.is_visible()
    assert told(page) == answer.inner_text()
    assert claim.locator(".verdict").first.is_visible()
    picture = claim.locator("img")
    playwright.expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    assert not claim.locator("dl").first.is_visible()
    page.locator("#slide-tell").click()
    assert not answer.is_visible()
    claim.locator("h4").click()
    assert answer.is_visible()
    page.locator("#slides-bar [data-move='1']").click()
    assert shown(page, "section.claim") != ["true"]


def test_back_leaves_the_slides_and_a_filter_chooses_them(reader: Reader) -> None:
    page = reader.open("#verdicts?verdict=refuted")
    refuted = page.eval_on_selector_all(
        "#table tbody tr:not([hidden])", "rows => rows.map(row => row.dataset.id)"
    )
    page.locator("#slides-enter").click()
    page.wait_for_selector("html.slides")
    assert page.locator("#slides-bar output").inner_text() == f"1 / {len(refuted)}"
    assert shown(page, "section.claim")[0] in refuted
    # who wants all of them gets them, from the slide that is shown
    every = page.locator("section.claim").count()
    page.locator("#slides-all", has_text=f"all {every}").click()
    assert page.locator("#slides-bar output").inner_text().endswith(f" / {every}")
    assert not page.locator("#slides-all").is_visible()
    page.go_back()
    page.wait_for_function("!document.documentElement.classList.contains('slides')")
    assert page.locator("#table").is_visible()
    # what was closed is closed again
    assert page.locator("details.evidence[open]").count() == 0
    other = next(one.id for one in CLAIMS if one.id not in refuted)
    page = reader.open(f"#slide-{other}?verdict=refuted")
    assert shown(page, "section.claim") == [other]


def test_slides_are_printed_one_page_a_claim(reader: Reader) -> None:
    page = reader.open("#slide-open", color_scheme="dark")
    page.wait_for_timeout(300)
    paper = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", paper)) == page.locator("section.claim").count()


def test_the_language_changes_on_a_slide(reader: Reader) -> None:
    page = reader.open("#slide-true?lang=ko")
    page.keyboard.press("Enter")
    assert page.locator("section.claim#true h4").inner_text().startswith("렐루가 더 빠르다.")
    assert page.locator("#slide-tell").inner_text() == "판정"


# The glossary, and all of it


def test_the_method_leads_to_the_glossary_and_a_term_to_its_meaning(reader: Reader) -> None:
    page = reader.open("#method")
    page.locator("[aria-labelledby=method] a[href='#glossary']").first.click()
    assert page.locator("#glossary").is_visible()
    term = page.locator("#questions ~ p a.term >> visible=true").first
    term.click()
    page.wait_for_timeout(200)
    meaning = page.locator(place(page))
    assert meaning.is_visible()
    assert term.inner_text().rstrip("s") in meaning.inner_text()
    page.go_back()
    page.wait_for_timeout(200)
    assert place(page) == "#glossary"


def test_without_scripts_nothing_is_empty_and_a_word_says_what_is_missing(
    browser: Any, results: Path
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((results / "report.html").as_uri())
    assert page.locator(".plain-word").inner_text().startswith("Without JavaScript")
    for hidden in ("#slides-enter", "#filters", "#explorer", ".predict button", "#language"):
        assert not page.locator(hidden).first.is_visible(), hidden
    for step in page.locator(".step").all():
        assert step.locator(".outcome").is_visible()
        assert re.search(r"\d", step.locator(".outcome").inner_text())
        assert "predicted" not in step.inner_text()
    assert page.locator("#glossary").is_visible()
    context.close()


@pytest.mark.parametrize(("language", "theme"), [("en", "dark"), ("ko", "light")])
def test_axe_finds_nothing_in_what_was_opened(reader: Reader, language: str, theme: str) -> None:
    page = reader.open(f"#story-3?lang={language}", color_scheme=theme)
    page.locator("#story-3 .predict button").first.click()
    check = axe.Axe()
    found = check.run(page, context=".story").response["violations"]
    found += check.run(page, context=".glossary").response["violations"]
    page.goto(f"{page.url.split('#')[0]}#slide-true?lang={language}")
    page.wait_for_selector("html.slides")
    page.keyboard.press(" ")
    found += check.run(page).response["violations"]
    said = [(each["id"], [node["html"][:200] for node in each["nodes"]][:4]) for each in found]
    assert said == []


@pytest.mark.parametrize("width", [360, 1024])
def test_no_step_slide_or_term_is_wider_than_the_window(reader: Reader, width: int) -> None:
    KEPT.mkdir(parents=True, exist_ok=True)
    for language, theme in itertools.product(("en", "ko"), ("light", "dark")):
        page = reader.open(f"#story-2?lang={language}", width=width, color_scheme=theme)
        page.locator("#story-2 .predict button").first.click()
        for hash in ("story-2", "glossary", "slide-true"):
            page.goto(f"{page.url.split('#')[0]}#{hash}?lang={language}")
            page.wait_for_timeout(150)
            if hash == "slide-true":
                page.keyboard.press(" ")
                page.wait_for_timeout(150)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, hash
            page.screenshot(path=KEPT / f"{width}-{language}-{theme}-{hash}.png")
        page.context.close()
