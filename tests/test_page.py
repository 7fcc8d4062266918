"""The page: complete, in both languages, escaped, offline, the same bytes again."""

from __future__ import annotations

import json
import math
import re
import string
from base64 import b64decode
from io import BytesIO
from typing import Any

import pytest
from fontTools.ttLib import TTFont
from markupsafe import escape

from relu_exp.core.schema import UsageError
from relu_exp.evidence.claims.errata import ERRATA
from relu_exp.evidence.claims.korean import rule_in_korean
from relu_exp.evidence.claims.registry import all_claims
from relu_exp.evidence.claims.sources import source_ko
from relu_exp.evidence.claims.topics.leaks import DEPENDS, NEARLY_ALWAYS
from relu_exp.evidence.claims.verdicts import Rule, SettingVerdict, Verdict
from relu_exp.evidence.page import page as page_module
from relu_exp.evidence.page.documents import DOCUMENTS, title_of
from relu_exp.evidence.page.interval_axes import distance_bar, interval_axis
from relu_exp.evidence.page.korean import holds_ko
from relu_exp.evidence.page.page import build_page
from relu_exp.evidence.page.words import WORDS
from relu_exp.evidence.report.pages import asset, hangul_font
from relu_exp.evidence.report.verdict_pages import Judged

import synthetic
from planted_claims import CLAIMS, RULE, RUNS, write_planted

HOSTILE = "</script><script>alert('title')</script><img src=x onerror=alert(1)> \u2028 & more"


def embedded(page: str, name: str) -> Any:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.S)
    assert found is not None
    return json.loads(found[1])


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return write_planted(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def page(judged: Judged) -> str:
    probed = synthetic.configs(("relu",), depths=(2,), learning_rates=(0.1,), seeds=(0, 1))
    synthetic.write(judged.root / "hostile", probed, title=HOSTILE, question=HOSTILE)
    return build_page(judged).read_text()


def test_every_claim_has_a_section_and_a_row(page: str) -> None:
    for claim in CLAIMS:
        assert f'<section class="claim" id="{claim.id}"' in page
        assert f'<tr data-id="{claim.id}"' in page
    for word in (
        "렐루가 더 빠르다.",
        '활성화 함수, 가중치 초기화</cite> (<span class="t" lang="en">2.3</span>',
        "a scope",
        "Somebody 2015",
        "second-hand",
        "relu-exp run planted --budget quick",
        "owhere has not been run",
        RUNS[0].run_id,
    ):
        assert word in page


def test_the_budget_of_an_experiment_is_in_each_language(page: str) -> None:
    assert (
        '<span class="t" lang="en">quick</span><span class="t" lang="ko">간단(quick)</span>' in page
    )


def test_a_picture_is_embedded_once_with_its_size_and_what_it_shows(page: str) -> None:
    path = "claims/true.png"
    assert list(embedded(page, "pictures")["packed"]) == [path, "claims/true-ko.png"]
    (image,) = re.findall(rf'<img data-picture="{path}"[^>]*>', page)
    assert re.search(r'width="[1-9]\d+" height="[1-9]\d+"', image)
    assert 'alt="Training loss, ' in image
    assert 'data-ko="학습 손실, ' in image


def test_the_intervals_show_each_part_once(page: str) -> None:
    korean = '<span class="t" lang="ko">깊이'
    number = r'<td class="nowrap">{} <span class="t" lang="en">{}'
    for depth, shown in ((2, number.format("✓", r"2\.07")), (9, number.format("✗", r"0\.51"))):
        part = (
            rf"at depth {depth} for rate 0\.1</span>{korean} {depth}, rate 0\.1</span></th>{shown}"
        )
        assert len(re.findall(part, page)) == 1
    # a map would say the numbers of the intervals again
    assert '<table class="map">' not in page
    section = page[page.index('<section class="claim" id="divided"') :].split("</section>")[0]
    assert section.count("<circle") == 1
    assert '✗ <span class="t" lang="en">0.517× [' in section
    assert "0.517배 [" in section


def test_a_rule_says_in_both_languages_where_it_must_hold(page: str) -> None:
    for words in ("in the mean over settings", "조건들의 평균에서"):
        assert page.count(f">{words}</span>") == 1  # of the one claim that has a grid


def test_a_plugin_s_rule_is_said_in_korean_as_what_it_asks(page: str) -> None:
    for claim in CLAIMS:
        assert rule_in_korean(claim.rule) == ""
        assert f'<span class="t" lang="ko">{escape(holds_ko(claim))}</span>' in page


def test_the_table_of_effects_names_its_quantity_in_each_language_that_knows_it(
    judged: Judged, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    english = f'<span class="t" lang="en">: {RULE.measure}</span>'
    num_tables = page.count(english)
    assert num_tables > 0
    assert page.count(f"{english}</caption>") == num_tables
    monkeypatch.setattr(page_module, "measure_in_korean", {RULE.measure: "어떤 비"}.get)
    known = f'{english}<span class="t" lang="ko">: 어떤 비</span></caption>'
    assert build_page(judged).read_text().count(known) == num_tables


def test_claims_that_contradict_each_other_stand_side_by_side(page: str) -> None:
    assert page.count('<aside class="other">') == 2


def test_text_from_outside_stays_text(page: str) -> None:
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "<b>fails" not in page
    titles = [experiment["title"] for experiment in embedded(page, "explored")["experiments"]]
    assert HOSTILE in titles


def test_a_claim_s_picture_comes_before_its_rule_and_without_scripts_is_a_link(page: str) -> None:
    section = page[page.index('<section class="claim" id="true"') :].split("</section>")[0]
    assert section.index("<figure>") < section.index("<dt>")
    link = re.search(r'<noscript><p class="small"><a href="([^"]+)">(.*?)</a>', section)
    assert link is not None
    assert link[1] == "claims/true.png"
    assert "claims/true.png beside this page" in link[2]
    assert "claims/true.png 파일" in link[2]


def test_the_page_needs_no_network(page: str) -> None:
    assert re.findall(r"""(?:src|href)=["']?(https?:|//)""", page) == []
    assert "url(http" not in page
    assert "default-src 'none'" in page


def test_the_table_begins_with_what_surprises_and_says_it_in_words(page: str) -> None:
    table = page[page.index('<table id="table">') :].split("</table>")[0]
    found = re.findall(r'data-verdict="([^"]*)"', table)
    assert found == sorted(found, key=page_module.SURPRISE.index)
    assert found[0] == "refuted"
    assert table.count('<td class="c-found"><span class="t" lang="en">') == len(CLAIMS)


def test_every_claim_opens_with_its_answer_and_keeps_the_rest_closed(page: str) -> None:
    for claim in CLAIMS:
        section = page[page.index(f'<section class="claim" id="{claim.id}"') :]
        before, _, rest = section.partition('<details class="evidence">')
        assert '<p class="found"><strong>' in before
        assert "</section>" not in before
        assert "<dt>" not in before
        assert "<dt>" in rest.split("</section>")[0]


def test_a_document_has_its_title_and_another_ones_its_short_name() -> None:
    assert title_of("D2").startswith("심층")
    assert title_of("P1") == "P1"
    for document in DOCUMENTS.values():
        assert all(document.kind)


def test_a_source_names_what_was_computed_here_with_its_particle() -> None:
    text = "abstract (read); slopes computed here: relu-exp run formulas"
    assert source_ko(text) == "초록 (직접 확인); 기울기는 여기서 계산함: relu-exp run formulas"


def test_sources_of_errata_have_no_english_words_in_korean() -> None:
    common = re.compile(r"\b(here|the|of|and|but|its|read|section|for|spelling|paragraph)\b")
    for erratum in ERRATA:
        for text in (erratum.source, erratum.section):
            if " and Randomized" not in text:  # a heading of the document
                said = re.sub(r"relu-exp \w+ [\w-]+", "", source_ko(text))
                assert not common.search(said), said


def test_sections_of_documents_have_no_english_words_in_korean() -> None:
    common = re.compile(r"\b(opening|drawbacks|advantages|note|footnote|Sigmoid|and)\b")
    for claim in all_claims():
        for source in claim.sources:
            assert not common.search(source_ko(source.section)), source.section


def test_english_sentences_of_the_results_are_hidden_from_korean_readers(page: str) -> None:
    shown = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.S)
    korean = re.sub(r'<(\w+) class="t" lang="en">.*?</\1>', "", shown, flags=re.S)
    korean = re.sub(r'<p lang="en">.*?</p>', "", korean, flags=re.S)  # of a plugin
    for sentence in (RULE.says, "a ratio: 2.07", "is not decided", "a scope", "calls"):
        assert sentence not in re.sub(r'alt="[^"]*"', "", korean)


def test_every_word_is_in_both_languages_with_the_same_places() -> None:
    for key, (english, korean) in WORDS.items():
        assert english
        assert korean
        places = [{name for _, name, _, _ in string.Formatter().parse(text) if name}
                  for text in (english, korean)]  # fmt: skip
        assert places[0] == places[1], key


def test_every_word_that_the_scripts_ask_for_exists() -> None:
    for name in (*page_module.SCRIPTS, page_module.LAST_SCRIPT):
        script = asset(name, page_module.__package__)
        for key in re.findall(r'\bword\("(\w+)"[,)]', script):
            assert key in WORDS, f"{name}: {key}"


def test_the_embedded_font_has_every_korean_syllable(page: str) -> None:
    font = BytesIO(b64decode(hangul_font()))
    known = TTFont(font).getBestCmap()
    words = page.replace("가-힣", "")  # a range of letters in patterns, which nobody reads
    assert {sign for sign in words if "가" <= sign <= "힣"} <= set(map(chr, known))


def test_the_language_asked_for_comes_first(judged: Judged) -> None:
    korean = build_page(judged, "ko").read_text()
    assert '<html lang="ko">' in korean
    assert "<title>활성화 함수" in korean
    assert "주장: 1.1배 초과" in korean
    with pytest.raises(UsageError, match=r"--language kr is not valid.*valid: en, ko"):
        build_page(judged, "kr")


def test_the_same_results_give_the_same_bytes(judged: Judged, page: str) -> None:
    assert build_page(judged).read_text() == page


def test_a_place_that_cannot_be_written_is_one_clear_line(
    judged: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(page_module, "replace_text", full)
    with pytest.raises(UsageError, match=r"cannot be written to .*report\.html: No space left"):
        build_page(judged)


def test_an_interval_axis_places_effects_on_a_scale_with_their_threshold() -> None:
    cells = tuple(
        SettingVerdict({"depth": str(depth)}, effect, effect / 1.2, effect * 1.2, 5, "supported")
        for depth, effect in ((2, 2.0), (5, 4.0))
    )
    axis = interval_axis(Verdict("supported", "", 2.8, 2.4, 3.3, 5, settings=cells), RULE)
    assert axis is not None
    first, second, whole = axis.bars
    assert axis.threshold < first.low < first.middle < first.high < second.high
    assert (first.where, whole.where) == ({"depth": "2"}, {})
    # a ratio's scale is one of factors: twice as much is as far from 2 to 4 as anywhere
    assert second.middle - first.middle == pytest.approx(2 * (whole.middle - first.middle), rel=0.1)
    assert axis.shade == (axis.threshold, 100.0)
    assert all(0 <= place <= 100 for place, _ in axis.ticks)
    assert len(axis.ticks) >= 2


def test_an_axis_of_ratios_has_more_ticks_than_the_one_power_of_ten_on_it() -> None:
    rule = Rule("m", "s", 6.0, ratio=True)
    found = Verdict("refuted", "", 0.6, 0.35, 0.9, 8)
    axis = interval_axis(found, rule)
    assert axis is not None
    assert {"0.5", "1", "5"} <= {text for _, text in axis.ticks}


def test_a_huge_interval_is_cut_and_says_so() -> None:
    rule = Rule(measure="m", says="s", threshold=1.0)
    cell = SettingVerdict({"depth": "2"}, 1.1, -1000.0, 1000.0, 2, "inconclusive")
    verdict = Verdict("inconclusive", "", 1.2, -math.inf, math.inf, 2, settings=(cell,))
    axis = interval_axis(verdict, rule)
    assert axis is not None
    assert [bar.is_cut for bar in axis.bars] == [(True, True), (True, True)]
    assert axis.bars[0].middle != axis.threshold


def test_parts_that_are_counted_are_drawn_by_what_each_is_measured_by() -> None:
    cells = tuple(
        SettingVerdict({"part": name}, mean, mean - 0.01, mean + 0.01, 8, "inconclusive")
        for name, mean in (("a", 0.08), ("b", -0.02))
    )
    verdict = Verdict("refuted", "", 0.5, 0.0, 0.8, 8, settings=cells)
    axis = interval_axis(verdict, NEARLY_ALWAYS)
    assert axis is not None
    assert [bar.where for bar in axis.bars] == [{"part": "a"}, {"part": "b"}]
    assert axis.limit == NEARLY_ALWAYS.part_threshold == 0.05
    first, second = axis.bars
    # apart on a scale of their own, not side by side on one that reaches to 90%
    assert first.middle > axis.threshold + 10
    assert second.middle < axis.threshold - 10
    # where sizes are judged, settings and the largest of them lie on one scale
    either = interval_axis(verdict, DEPENDS)
    assert either is not None
    assert (either.measure, either.limit) == (DEPENDS.measure, DEPENDS.threshold)


def test_an_exact_claim_has_neither_axis_nor_distance() -> None:
    rule = Rule("m", "a formula")
    assert interval_axis(Verdict("supported", ""), rule) is None
    assert distance_bar(Verdict("supported", ""), rule) is None


def test_the_distance_is_on_the_side_that_speaks_for_the_claim() -> None:
    below = Rule(measure="m", says="s", threshold=1.0, claimed_side="below")
    for_it = distance_bar(Verdict("supported", "", 0.4, 0.2, 0.6), below)
    against = distance_bar(Verdict("refuted", "", 1.6, 1.4, 1.8), below)
    assert for_it is not None
    assert against is not None
    assert against.middle < 50 < for_it.low
