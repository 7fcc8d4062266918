"""A reader's own text on the page: marked as `relu-exp check` marks it, and nothing leaves."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from page_reader import Reader, needs_chromium, playwright
from small_page import write_small_page

from relu_exp.evidence.check import check_text
from relu_exp.evidence.claims.errata import ERRATA, Erratum
from relu_exp.evidence.claims.mentions import claims_of, errata_of, sentences_of
from relu_exp.evidence.claims.mentions.sentences import PATTERNS, RULES
from relu_exp.evidence.claims.registry import all_claims, find_claim
from relu_exp.evidence.page.words import WORDS
from relu_exp.evidence.report.saved_verdicts import read_verdicts

pytestmark = needs_chromium

ROOT = Path(__file__).parents[1]
PLANTED = yaml.safe_load((ROOT / "tests/planted_texts.yaml").read_text(encoding="utf-8"))
DOCUMENTS = Path(os.environ.get("RELU_EXP_DOCUMENTS") or ROOT.parent / "shared/documents")
STRANGE = [
    "",
    "\n\n",
    "(" * 5000,
    "a." * 5000,
    "ReLU " * 3000,
    "\t- ReLU\x85is fast\u2028a \U0001f600 (b. c) \U0001f600.) x. y\x1c- z \ufeffq.",
    "\r\n① 렐루는 빠르다.\n⑩ 열",
    "  - item\n\t\t1) inner\n   (2) third\n＃ no\n## Title ##\n１．하나다.둘이다.(셋)",
]
SPACES = [chr(code) for code in range(0x110000) if chr(code).isspace()]


def mixtures() -> Iterator[str]:
    """Yield texts of pieces that splitting and matching look at, in any order."""
    draw = random.Random(0)
    rules = [text for _, text in PLANTED["makes"]]
    pieces = [
        *SPACES,
        *"()[]?!.,:;…。#*-•①'\"”’`$\\{}",
        "\n",
        "\r\n",
        "\n\n",
        "\U0001f600",
        "\u0307",
    ]
    pieces += ["e.g.", "vs.", "3.", "다.", "[1]", "ReLU", "렐루는", "tanh", "한", "i̇", "İ", *rules]
    for _ in range(300):
        yield "".join(draw.choice(pieces) for _ in range(40))


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_page(tmp_path_factory.mktemp("check")).root


def numbers(errata: list[Erratum]) -> list[int]:
    return [ERRATA.index(each) for each in errata]


def by_python(text: str) -> list[Any]:
    return [
        [each.line, each.text, [*each.context], claims_of(each), numbers(errata_of(each))]
        for each in sentences_of(text)
    ]


BY_SCRIPT = """texts => texts.map(text => [...mentions.sentencesOf(text)].map(each => {
    const marks = mentions.marksOf(each);
    return [each.line, each.text, each.context, marks.claims, marks.errata];
}))"""


def agree(page: Any, texts: list[str]) -> int:
    """Check that the page marks texts as Python does, and return how many marks there are."""
    found = page.evaluate(BY_SCRIPT, texts)
    expected = [by_python(text) for text in texts]
    for text, ours, theirs in zip(texts, expected, found, strict=True):
        assert theirs == ours, text[:200]
    return sum(len(each[3]) + len(each[4]) for text in expected for each in text)


def test_the_page_marks_sentences_as_python_does(reader: Reader) -> None:
    page = reader.open("#check")
    texts = [text for _, text in PLANTED["makes"]] + PLANTED["makes_none"]
    texts += [text for claim in all_claims() for text in (claim.statement, claim.statement_ko)]
    texts += [text for erratum in ERRATA for text in (*erratum.written, *erratum.right)]
    assert agree(page, texts) > 300
    # and where one stands under another
    assert agree(page, ["\n".join(texts), "# ReLU\n\n" + "\n\n".join(texts), " ".join(texts)]) > 500


def test_the_page_splits_any_text_as_python_does(reader: Reader) -> None:
    page = reader.open("#check")
    agree(page, [*STRANGE, *mixtures()])
    agree(page, [path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("docs/*.md"))])


@pytest.mark.skipif(not DOCUMENTS.is_dir(), reason=f"there is no {DOCUMENTS}")
def test_the_page_marks_the_documents_as_python_does(reader: Reader) -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted(DOCUMENTS.glob("*.txt"))]
    assert agree(reader.open("#check"), texts) > 100


def test_spaces_and_ends_of_lines_are_those_of_python() -> None:
    every = "".join(map(chr, range(0x110000)))
    assert re.findall(f"[{RULES['space']}]", every) == SPACES
    signs = "".join(f"x{each}" for each in SPACES) + "x\r\nx"
    assert PATTERNS["line_end"].split(signs) == signs.splitlines()


@pytest.mark.parametrize("language", ["en", "ko"])
def test_marks_have_verdict_answer_correction_and_a_link(
    reader: Reader, results: Path, language: str
) -> None:
    page = reader.open(f"#?lang={language}")
    text = WORDS["check_example"][language == "ko"]
    page.locator("#check-try").click()
    page.wait_for_selector(".marked")
    assert page.locator("#check-text").input_value() == text
    expected = check_text(text, read_verdicts(results))
    assert len(expected) >= 4
    shown = page.locator(".marked").all()
    for node, checked in zip(shown, expected, strict=True):
        said = node.inner_text()
        assert checked.sentence.text in said
        for mark in checked.marks:
            assert mark.claim is not None
            statement = mark.claim.statement_ko if language == "ko" else mark.claim.statement
            assert node.locator(f"a[href='#{mark.claim.id}']").inner_text() == statement
            answer = mark.answer.ko if language == "ko" else mark.answer.en
            assert answer
            assert answer in said
            for right, _ in mark.corrections:
                assert right[language == "ko"] in said
    assert any(mark.corrections for each in expected for mark in each.marks)
    summary = page.locator("#check-summary")
    assert str(len(expected)) in summary.inner_text()
    assert summary.get_attribute("aria-live") == "polite"
    link = page.locator(".marked a").first
    id = (link.get_attribute("href") or "")[1:]
    link.click()
    assert page.locator(f"[id='{id}'] > details.evidence").get_attribute("open") is not None
    # the sentences stay, and switch to the other language
    other = "en" if language == "ko" else "ko"
    page.locator("#language").select_option(other)
    assert WORDS["mark_measured"][other == "ko"] in page.locator(".marked").first.inner_text()


def test_a_text_is_pasted_and_checked_by_keyboard_alone(reader: Reader) -> None:
    page = reader.open("#check", permissions=["clipboard-read", "clipboard-write"])
    box = page.get_by_label("Text to check")
    box.focus()
    page.keyboard.insert_text("ReLU converges six times faster than tanh.")
    page.keyboard.press("Control+Enter")
    playwright.expect(page.locator("#check-summary")).to_contain_text("One sentence makes a claim")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "check-now"
    box.fill("Hello there.")
    page.locator("#check-now").press("Enter")
    playwright.expect(page.locator("#check-summary")).to_have_text(
        "No sentence makes a claim that is tested here."
    )
    assert page.locator("#check-found").inner_text() == "Hello there."
    page.locator("#check-clear").press("Enter")
    assert box.input_value() == ""
    assert page.evaluate("document.activeElement.id") == "check-text"
    page.locator("#check-now").press("Enter")
    playwright.expect(page.locator("#check-summary")).to_contain_text("There is no text")
    # a paste is checked at once
    page.evaluate("navigator.clipboard.writeText('A dead ReLU neuron never recovers.')")
    box.focus()
    page.keyboard.press("Control+V")
    playwright.expect(page.locator(".marked")).to_have_count(1)


def test_text_stays_text_and_only_marked_sentences_can_be_shown(reader: Reader) -> None:
    page = reader.open("#check")
    page.locator("#check-text").fill(
        "Plain words. ReLU <img src=x onerror=alert(1)> converges six times faster than tanh."
    )
    page.locator("#check-now").click()
    assert "<img src=x" in page.locator(".marked").inner_text()
    assert page.locator("#check-found img").count() == 0
    plain = page.locator("#check-found .plain")
    assert plain.is_visible()
    page.locator("#check-only").check()
    assert not plain.is_visible()


FILES = {
    "post.md": b"# ReLU\n\n- converges six times faster than tanh\n",
    "old.txt": "렐루는 tanh보다 6배 빠르게 수렴한다.".encode("cp949"),
    "wide.txt": "ReLU converges six times faster than tanh.".encode("utf-16"),
    "page.html": b"<html><head><title>x</title></head><body><script>1</script><h2>ReLU</h2><ul>"
    b"<li>It <b>converges</b> six times\nfaster than tanh.</li></ul></body></html>",
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_chosen_or_dropped(reader: Reader, name: str) -> None:
    page = reader.open("#check")
    marked = page.locator(".marked a[href='#relu-six-times-faster']")
    page.get_by_label("Choose a file").set_input_files(
        {"name": name, "mimeType": "text/plain", "buffer": FILES[name]}
    )
    playwright.expect(marked).to_have_count(1)
    page.locator("#check-clear").click()
    playwright.expect(marked).to_have_count(0)
    page.locator("#check-text").evaluate(
        """(box, [name, bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], name));
            for (const kind of ["dragover", "drop"]) {
                const options = { dataTransfer: data, bubbles: true, cancelable: true };
                if (box.dispatchEvent(new DragEvent(kind, options))) throw new Error(kind);
            }
        }""",
        [name, [*FILES[name]]],
    )
    playwright.expect(marked).to_have_count(1)


def test_what_is_no_text_is_said_so(reader: Reader) -> None:
    page = reader.open("#check")
    for name, content, said in (
        ("slides.pdf", b"%PDF-1.4\n\x00\x01\xff\xfe", "slides.pdf is no text"),
        ("long.txt", b"a" * 500_001, "too long"),
        ("empty.txt", b" \n", "There is no text"),
    ):
        page.locator("#check-file").set_input_files(
            {"name": name, "mimeType": "text/plain", "buffer": content}
        )
        playwright.expect(page.locator("#check-summary")).to_contain_text(said)
        assert page.locator(".marked").count() == 0


def test_nothing_of_a_text_is_kept_or_put_into_the_address(reader: Reader) -> None:
    page = reader.open("#check")
    page.locator("#check-try").click()
    page.wait_for_selector(".marked")
    page.wait_for_timeout(300)
    assert page.evaluate("decodeURIComponent(location.hash)") == "#check"
    kept = page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    )
    assert "ReLU" not in kept
    page.reload()
    page.wait_for_selector(".side .panel")
    assert page.locator("#check-text").input_value() == ""
    # a browser that checks spelling may send what is written
    assert page.locator("#check-text").get_attribute("spellcheck") == "false"


def test_a_long_text_leaves_the_page_usable_and_the_last_check_counts(reader: Reader) -> None:
    page = reader.open("#check")
    long = "\n".join(text for _, text in PLANTED["makes"]) * 40
    said = page.evaluate(
        """text => new Promise((done) => {
            const box = document.querySelector("#check-text"), said = [];
            const summary = document.querySelector("#check-summary");
            const press = () => document.querySelector("#check-now").click();
            const watch = new MutationObserver(() => {
                said.push(summary.textContent);
                if (said.length === 2) { box.value = "Hello."; press(); }
                if (summary.textContent.startsWith("No")) setTimeout(() => done(said), 500);
            });
            watch.observe(summary, { childList: true });
            box.value = text;
            press();
        })""",
        long,
    )
    # it let the page work twice, and went no further once there was another text
    assert [text[:8] for text in said] == ["Checking", "Checking", "No sente"]
    assert page.locator("#check-found").inner_text() == "Hello."


@pytest.mark.parametrize(
    ("language", "theme", "width"), [("en", "dark", 1024), ("ko", "light", 360)]
)
def test_axe_finds_nothing_in_a_checked_text(
    reader: Reader, language: str, theme: str, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = reader.open(f"#check?lang={language}", width=width, color_scheme=theme)
    page.locator("#check-try").click()
    page.wait_for_selector(".marked")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = axe.Axe().run(page, context="section.check").response["violations"]
    assert [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found] == []


def test_every_claim_that_is_marked_is_on_the_page(reader: Reader) -> None:
    page = reader.open()
    claims = page.evaluate("Object.keys(checked.claims)")
    assert set(claims) == {claim.id for claim in all_claims()}
    assert find_claim(claims[0]).statement == page.evaluate(
        "id => checked.claims[id].statement[0]", claims[0]
    )
    missing = [id for id in claims if not page.locator(f"section.claim[id='{id}']").count()]
    assert missing == []
