"""The table of verdicts: found by the readers' own words, and Back undoes a choice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from page_reader import Reader, needs_chromium, playwright
from small_page import write_small_page

from relu_exp.evidence.page.page import build_page
from relu_exp.evidence.page.synonyms import IDLE, SYNONYMS
from relu_exp.evidence.report.verdict_pages import build

import synthetic
from planted_claims import CLAIMS, RUNS

pytestmark = needs_chromium

WORDS = (
    *("그래디언트", "기울기 소실", "초기값", "렐루", "뉴런", "카이밍", "오버피팅"),
    *("neuron", "vanishing", "exploding", "dying", "kaiming", "gradients"),
)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_page(tmp_path_factory.mktemp("search")).root


def shown(page: Any) -> Any:
    return page.locator("#table tbody tr:not([hidden])")


def test_synonyms_are_beginnings_of_words_in_lower_case_and_stand_once() -> None:
    stems = [stem for group in SYNONYMS for stem in group]
    assert all(stem == stem.lower().strip() and " " not in stem for stem in stems)
    assert len(stems) == len(set(stems))
    assert all(len(group) > 1 or group[0].isascii() for group in SYNONYMS)
    assert not {*IDLE} & {*stems}
    assert all(word == word.lower() for word in IDLE)


def test_claims_are_found_by_words_that_mean_the_same_in_both_languages(reader: Reader) -> None:
    page = reader.open()
    every = shown(page).count()
    for word in WORDS:
        page.locator("#filters input[name=q]").fill(word)
        assert 0 < shown(page).count() < every, word
    found = {}
    for word in ("렐루", "ReLU", "죽은 뉴런", "dead unit"):
        page.locator("#filters input[name=q]").fill(word)
        found[word] = shown(page).evaluate_all("all => all.map(each => each.dataset.id)")
    assert set(found["렐루"]) >= set(found["ReLU"])
    assert "dead-units-never-recover" in found["죽은 뉴런"]
    assert "dead-units-never-recover" in found["dead unit"]
    page.locator("#filters input[name=q]").fill("no such words")
    playwright.expect(shown(page)).to_have_count(0)
    playwright.expect(page.locator("#none")).to_be_visible()
    playwright.expect(page.locator("#none-but-others")).to_be_hidden()


def test_the_search_is_reached_from_the_bar(reader: Reader) -> None:
    page = reader.open()
    page.locator("header nav a[href='#search']").click()
    field = page.locator("#filters input[name=q]")
    playwright.expect(field).to_be_focused()
    playwright.expect(field).to_be_in_viewport()


def test_a_word_that_only_the_whole_claim_has_is_found(reader: Reader) -> None:
    page = reader.open()
    lines = page.locator("#table tbody").inner_text().lower()
    assert "rightmost" not in lines
    section = (
        "document.querySelector('section.claim .rule') ?? document.querySelector('section.claim')"
    )
    wanted = page.evaluate(f"{section}.closest('section').id")
    page.evaluate(f"{section}.append(' rightmost ')")
    page.locator("#filters input[name=q]").fill("rightmost")
    assert shown(page).evaluate_all("all => all.map(each => each.dataset.id)") == [wanted]


def test_back_undoes_a_choice_and_all_of_a_typed_search(reader: Reader) -> None:
    page = reader.open()
    every = shown(page).count()
    page.locator("#filters select[name=topic]").select_option("A")
    formulas = shown(page).count()
    assert 0 < formulas < every
    page.locator("#filters input[name=q]").press_sequentially("leaky")
    few = shown(page).count()
    assert 0 < few < formulas
    page.locator("#filters select[name=verdict]").select_option("supported")
    assert shown(page).count() <= few
    page.go_back()
    playwright.expect(shown(page)).to_have_count(few)
    assert page.locator("#filters input[name=q]").input_value() == "leaky"
    page.go_back()
    playwright.expect(shown(page)).to_have_count(formulas)
    assert page.locator("#filters input[name=q]").input_value() == ""
    page.go_back()
    playwright.expect(shown(page)).to_have_count(every)
    page.go_forward()
    playwright.expect(shown(page)).to_have_count(formulas)


def test_a_phone_shows_what_was_measured_beside_each_claim(browser: Any, tmp_path: Path) -> None:
    synthetic.write(tmp_path / "planted", RUNS, budget="quick")
    build_page(build(tmp_path, CLAIMS))
    reader = Reader(browser, tmp_path)
    page = reader.open(width=360, until="h1")
    effects = page.locator("#table tbody .c-effect:not(.none)")
    assert effects.count() > 0
    assert effects.first.is_visible()
    # a dash says nothing
    assert not page.locator("#table tbody .c-effect.none").first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    reader.leave()


FIRST = {
    "six": "relu-six-times-faster",
    "ten layers": "sigmoid-fails-beyond-nine-layers",
    "sigmoid network": "sigmoid-fails-beyond-nine-layers",
    "Is Xavier bad for ReLU?": "xavier-starves-relu",
    "die": "leaky-relu-prevents-dying",
    "dead units learning rate": "high-learning-rate-kills-half",
    "recover": "dead-units-never-recover",
    "best activation": "activation-ranking",
    "여섯 배": "relu-six-times-faster",
    "10층 시그모이드": "sigmoid-fails-beyond-nine-layers",
    "자비에 렐루 나쁜가": "xavier-starves-relu",
    "죽은 유닛은 다시 살아나는가?": "dead-units-never-recover",
    "제일 좋은 활성화 함수": "activation-ranking",
}
"""What students type, and the claim that they should see first."""

CARDS = {
    "batch norm": (
        "Does batch normalization make the start irrelevant?",
        "Normalization and the start",
    ),
    "배치 정규화": ("배치 정규화를 쓰면", "정규화와 초기화"),
    "come back": ("Does a dead unit ever come back?", "Units that come back"),
}
"""What is asked, and the question and the experiment that answer it."""


@pytest.fixture(scope="module")
def committed(browser: Any) -> Any:
    page = browser.new_context(viewport={"width": 1024, "height": 768}, locale="en-US").new_page()
    page.goto((Path(__file__).parents[1] / "results" / "report.html").as_uri())
    playwright.expect(shown(page)).to_have_count(63)
    yield page
    page.context.close()


@pytest.mark.parametrize("query", FIRST)
def test_a_students_words_lead_to_the_right_claim_first(committed: Any, query: str) -> None:
    committed.locator("#filters input[name=q]").fill(query)
    assert shown(committed).first.get_attribute("data-id") == FIRST[query]


@pytest.mark.parametrize("query", CARDS)
def test_questions_and_experiments_are_found_too(committed: Any, query: str) -> None:
    committed.locator("#language").select_option("en" if query.isascii() else "ko")
    committed.locator("#filters input[name=q]").fill(query)
    question, experiment = CARDS[query]
    for kind, title in (("question", question), ("experiment", experiment)):
        playwright.expect(committed.locator(f"#found-{kind}")).to_contain_text(title)
    committed.locator("#found-question a").first.click()
    playwright.expect(committed.locator("details.question:target")).to_have_attribute("open", "")
    committed.locator("#filters input[name=q]").fill("")
    playwright.expect(committed.locator("#found-question")).to_be_hidden()


def test_a_search_for_nothing_known_says_what_to_do(committed: Any) -> None:
    committed.locator("#filters input[name=q]").fill("quantum chromodynamics")
    playwright.expect(committed.locator("#none")).to_be_visible()
    committed.locator("#filters button[type=reset]").click()
    playwright.expect(shown(committed)).to_have_count(63)
