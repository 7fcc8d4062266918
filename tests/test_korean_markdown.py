"""README.md and claims.md in Korean: whole, with Korean pictures, and English where asked for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from small_page import write_small_page

from relu_exp.core.schema import UsageError
from relu_exp.evidence.page import markdown
from relu_exp.evidence.page.markdown import build_korean_claims, build_korean_index
from relu_exp.evidence.report.report import build_index
from relu_exp.evidence.report.verdict_pages import Judged
from relu_exp.session.reporting import judge

from planted_claims import CLAIMS, write_planted

ENGLISH = re.compile(r"[A-Za-z]{2,}(?: [A-Za-z]+){2,}")
"""Three words or more."""


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return write_small_page(tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def claims(judged: Judged) -> str:
    return build_korean_claims(judged).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def index(judged: Judged) -> str:
    path = build_korean_index(judged.root, judged.summary, judged.evidence.at)
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return write_planted(tmp_path_factory.mktemp("planted"))


def pictures(text: str) -> set[str]:
    """Return the pictures that a page links or shows."""
    found = re.findall(r'\]\(([^)#]+)\)|src(?:set)?="([^"]*)"', text)
    return {name for pair in found for name in pair if name.endswith((".png", ".svg"))}


def english(text: str) -> list[str]:
    """Return lines with English in them that is neither a command, an address nor quoted."""
    plain = re.sub(r"`[^`]*`|\]\([^)]*\)|<[^>]*>|“[^”]*”|relu-exp [^가-힣\n]*", "", text)
    cited = ("- 문헌", "- 문서의 해당 부분")
    lines = [line for line in plain.splitlines() if not line.startswith(cited)]
    return [line for line in lines if ENGLISH.search(line)]


def test_the_claims_are_korean(judged: Judged, claims: str) -> None:
    for _, _, part in judged.words["groups"]:
        for one in part:
            assert f'<a id="{one.claim.id}"></a>\n\n### {one.mark} ' in claims
    assert english(claims.split("## 문서 정오표")[0]) == []
    assert "\n## 모든 판정\n" in claims
    assert "\n- 다시 실행하기: `relu-exp run " in claims
    assert f"미판정 {judged.summary['counts']['not decided']}" in claims


def test_the_index_is_korean(judged: Judged, index: str) -> None:
    assert english(index.split("## 실험")[0]) == []
    assert f"주장 {judged.summary['total']}가지](claims.md)" in index
    assert "| 실험 | 질문 | 실행 |" in index
    assert "요청한 실행은 24개이다." in index
    shown = pictures(index)
    assert len(shown) == 2 * len(judged.words["overview"]) > 0
    assert {name.rpartition("-ko")[2] for name in shown} == {".png", "-dark.png"}
    assert not [name for name in shown if not (judged.root / name).is_file()]


def test_a_claim_has_a_korean_picture_and_a_table_of_its_settings(planted: Judged) -> None:
    text = build_korean_claims(planted).read_text(encoding="utf-8")
    assert all(f'<a id="{claim.id}"></a>' in text for claim in CLAIMS)
    shown = pictures(text)
    assert "claims/true-ko.svg" in shown
    assert not [name for name in shown if not (planted.root / name).is_file()]
    (one,) = [each for _, _, part in planted.words["groups"] for each in part if each.map]
    section = text.split(f'<a id="{one.claim.id}"></a>')[1].split("<a id=")[0]
    head, _, whole, *rows = [line for line in section.splitlines() if line.startswith("|")]
    assert head.startswith("| 조건 | 판정 | 효과, 95% 구간 | ")
    assert whole.startswith("| 전체 | 조건부 | ")
    assert len(rows) == len(one.verdict.settings) > 1
    assert all(row.count(" | ") == 4 for row in rows)


def test_judging_writes_the_pages_in_the_language_asked_for(tmp_path: Path) -> None:
    written = write_small_page(tmp_path)
    build_index(tmp_path, written.summary, written.evidence.at)
    pages = (tmp_path / "README.md", tmp_path / "claims.md")
    before = [page.read_bytes() for page in pages]
    judge(tmp_path, "ko")
    assert pages[0].read_text().startswith("# 결과\n")
    assert "\n## 모든 판정\n" in pages[1].read_text()
    judge(tmp_path)
    assert [page.read_bytes() for page in pages] == before


def test_a_page_that_cannot_be_written_is_one_clear_line(
    judged: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(markdown, "replace_text", full)
    with pytest.raises(UsageError, match=r"cannot be written to .*README.md: No space left"):
        build_korean_index(judged.root)
