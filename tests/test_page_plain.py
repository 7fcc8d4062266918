"""The page on paper, without JavaScript and in narrow windows: what matters can be read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from page_reader import Reader, needs_chromium, playwright
from small_page import write_small_page

from relu_exp.evidence.claims.errata import ERRATA
from relu_exp.evidence.claims.registry import all_claims
from relu_exp.evidence.page.questions import QUESTIONS
from relu_exp.evidence.page.words import WORDS

pytestmark = needs_chromium

MOST_PAGES = 40


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_page(tmp_path_factory.mktemp("plain")).root


def unread(page: Any, selector: str) -> list[str]:
    """Return the texts of what a selector finds and nobody sees."""
    found: list[str] = page.locator(selector).evaluate_all(
        "all => all.filter(each => !each.checkVisibility()).map(each => each.textContent)"
    )
    return found


# Paper --------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "ko"])
def test_all_that_matters_is_printed_on_at_most_forty_pages(reader: Reader, language: str) -> None:
    page = reader.open(f"#?lang={language}", color_scheme="dark")
    printed = page.pdf(format="A4")
    num_pages = len(re.findall(rb"/Type\s*/Page\b", printed))
    assert 5 < num_pages <= MOST_PAGES


def test_paper_has_answers_pictures_errata_and_method_and_no_controls(reader: Reader) -> None:
    page = reader.open(color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    shown = page.locator("main").inner_text()
    for claim in all_claims():
        assert claim.statement in shown
        section = page.locator(f"section.claim[id='{claim.id}']")
        assert section.locator(".found").is_visible()
        assert section.locator(".says .verdict").is_visible()
    for erratum in ERRATA:
        assert " ".join(erratum.right.en.split()) in " ".join(shown.split())
    assert WORDS["method_rule"].en in shown
    assert page.locator(".question .short").first.is_visible()
    pictures = page.locator(".overview .paper[lang=en]")
    assert pictures.count() == 4
    for picture in pictures.all():
        assert picture.is_visible()
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300
    for hidden in (".bar", "#explorer", "#check-body", "#filters", "#table", ".evidence", ".copy"):
        assert not any(each.is_visible() for each in page.locator(f"main {hidden}").all()), hidden
    # dark on screen and dark on white on paper
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert ink == "rgb(0, 0, 0)"


def test_what_is_opened_for_paper_is_closed_after_it(reader: Reader) -> None:
    page = reader.open()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.remarks[open]").count() == 1
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.remarks[open]").count() == 0


# Without JavaScript -------------------------------------------------------------------------


@pytest.mark.parametrize("width", [360, 1024])
def test_without_javascript_everything_but_what_needs_it_is_read(
    reader: Reader, width: int
) -> None:
    page = reader.open(width=width, until="h1", java_script_enabled=False)
    # Playwright finds no text in a noscript element
    assert "need JavaScript" in page.locator(".plain-word").first.inner_text()
    assert "Checking a text needs JavaScript" in page.locator(".needs-script").inner_text()
    for claim in all_claims():
        assert page.locator(f"section.claim[id='{claim.id}'] .found").is_visible()
    assert page.locator("#table tbody tr").count() == len([*all_claims()])
    assert (
        unread(page, "#table tbody th a .t[lang=en], table.errata td .t[lang=en]:not(.head .t)")
        == []
    )
    assert page.locator(".question").count() > len(QUESTIONS) / 2
    pictures = page.locator(".overview .paper[lang=en]")
    assert pictures.count() == 4
    assert all(each.bounding_box()["width"] > 200 for each in pictures.all())
    for useless in ("#explorer", "#filters", "#language", "#theme", "button.copy", "#check-body"):
        assert not any(each.is_visible() for each in page.locator(useless).all()), useless
    closed = page.locator("[id='relu-converges-faster-than-sigmoid'] > details")
    assert not closed.locator(".command").is_visible()
    closed.locator("summary").first.click()
    assert closed.locator(".command").is_visible()


def test_without_javascript_the_other_language_is_chosen_and_kept(reader: Reader) -> None:
    page = reader.open(until="h1", java_script_enabled=False)
    page.get_by_role("radio", name="한국어").check()
    assert "가지" in page.locator("h1").inner_text()
    assert page.locator("h1 .t[lang=en]").is_hidden()
    assert page.locator(".overview .paper[lang=ko]").first.is_visible()
    assert not page.locator(".overview .paper[lang=en]").first.is_visible()
    assert (
        unread(page, "#table tbody th a .t[lang=ko], table.errata td .t[lang=ko]:not(.head .t)")
        == []
    )
    # a place on the page is no other page
    page.locator("nav a[href='#errata']").click()
    assert "정오표" in page.locator("#errata").inner_text()
    page.get_by_role("radio", name="English").check()
    assert "claims" in page.locator("h1").inner_text()


def test_with_javascript_nothing_says_that_it_is_missing(reader: Reader) -> None:
    page = reader.open()
    assert page.locator(".plain-word").count() == 0
    assert page.locator("input[name=plain-language]").count() == 0
    playwright.expect(page.locator(".overview .paper").first).to_be_hidden()


# Narrow windows -----------------------------------------------------------------------------


@pytest.mark.parametrize("width", [360, 768, 1024])
def test_contents_filters_and_effects_are_not_cut_off(reader: Reader, width: int) -> None:
    page = reader.open(width=width)
    page.eval_on_selector_all(".question", "all => all.forEach((each) => { each.open = true; })")
    ends = page.evaluate(
        """() => {
            const end = (selector) => Math.max(...[...document.querySelectorAll(selector)]
                .filter((each) => each.checkVisibility())
                .map((each) => each.getBoundingClientRect().right));
            const nav = document.querySelector(".bar nav").getBoundingClientRect().right;
            const main = document.querySelector("#verdicts").getBoundingClientRect().right;
            return [end(".bar nav a") - nav, end("#filters select") - main,
                    end("#table .c-effect") - main, end(".answer td") - main];
        }"""
    )
    assert max(ends) < 1, ends


def test_what_the_explorer_left_out_stands_behind_words_of_both_languages(
    browser: Any, results: Path, tmp_path: Path
) -> None:
    whole = (results / "report.html").read_text(encoding="utf-8")
    assert whole.count('"left_out":[]') == 1
    changed = whole.replace('"left_out":[]', '"left_out":["some-experiment"]')
    (tmp_path / "report.html").write_text(changed, encoding="utf-8")
    reader = Reader(browser, tmp_path)
    for language, words in (("en", "Left out for size: some"), ("ko", "뺀 실험: some")):
        page = reader.open(f"#?lang={language}")
        assert words in page.locator("#left-out").inner_text()
    assert reader.complaints == []
