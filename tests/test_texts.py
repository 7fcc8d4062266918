"""Texts: whole in both languages, once each, and part of the package."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

import relu_exp
from relu_exp.config.files import experiments
from relu_exp.evidence.claims.errata import ERRATA
from relu_exp.evidence.claims.registry import all_claims
from relu_exp.evidence.data.texts import Text, as_text, entry, read_texts, texts_of
from relu_exp.evidence.figures.words import text as figure_words
from relu_exp.evidence.page.questions import QUESTIONS
from relu_exp.evidence.page.words import WORDS
from relu_exp.evidence.report.looks import LOOKS
from relu_exp.evidence.report.words import text as report_words

ROOT = Path(relu_exp.__file__).parent
OTHER_WORDS = (
    "그래디언트",
    "훈련",
    "뉴런",
    "렐루",
    "리키",
    "갱신",
    "표본",
    "폭발",
    "경사 하강",
    "파이토치",
    "텐서플로",
    "습니다",
    "세요",
)
"""Korean texts use 기울기, 학습, 유닛, ReLU, Leaky ReLU, 업데이트, 샘플 and 경사하강법, write the
names of libraries in Latin letters, and end their sentences in -다."""
CLAIMS = [one for one in all_claims() if one.effects.__module__.startswith("relu_exp.")]
FILES = sorted((ROOT / "evidence").rglob("*.yaml"))


@dataclass(frozen=True)
class Planted:
    text: Text
    name: str
    count: int = 0


def keys(node: yaml.Node) -> list[list[str]]:
    """Return the keys of each mapping in a file."""
    if isinstance(node, yaml.MappingNode):
        inside = [found for _, value in node.value for found in keys(value)]
        return [[key.value for key, _ in node.value], *inside]
    if isinstance(node, yaml.SequenceNode):
        return [found for value in node.value for found in keys(value)]
    return []


def hangul(text: str) -> bool:
    return any("가" <= sign <= "힣" for sign in text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_key_stands_twice(path: Path) -> None:
    for found in keys(yaml.compose(path.read_text(encoding="utf-8"))):
        assert len(found) == len(set(found)), found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_texts_are_found_in_the_package(path: Path) -> None:
    folder = ".".join(("relu_exp", *path.parent.relative_to(ROOT).parts))
    assert files(folder).joinpath(path.name).is_file()
    assert read_texts(folder, path.name)


def test_errata_and_questions_are_written_in_the_language_they_name() -> None:
    texts = [text for one in ERRATA for text in (one.written, one.right)]
    for text in [*texts, *(question.text for question in QUESTIONS)]:
        assert hangul(text.ko), text
        assert not hangul(text.en), text


def test_korean_has_one_word_for_one_thing_and_one_register() -> None:
    texts = [text for one in ERRATA for text in (one.written, one.right)]
    texts += [*(question.text for question in QUESTIONS), *WORDS.values()]
    texts += texts_of("relu_exp.evidence.report", "conditions.yaml").values()
    texts += [*report_words.texts.values(), *figure_words.texts.values()]
    texts += [text for look in LOOKS.values() for text in (look.word, look.meaning)]
    asked = [text for each in experiments() for text in (each.title_ko, each.question_ko)]
    for korean in [*(text.ko for text in texts), *(one.statement_ko for one in CLAIMS), *asked]:
        plain = korean.replace("서브그래디언트", "")
        assert not [word for word in OTHER_WORDS if word in plain], korean


def test_each_claim_is_stated_in_one_korean_sentence() -> None:
    for one in CLAIMS:
        assert hangul(one.statement_ko), one.id
        assert re.search(r"다(\.|: tanh\(x\) = 2σ\(2x\) − 1\.)$", one.statement_ko), one.id


def test_no_erratum_or_question_stands_twice() -> None:
    assert len({one.right for one in ERRATA}) == len(ERRATA)
    assert len({question.text for question in QUESTIONS}) == len(QUESTIONS)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ({"en": "a"}, "here: ko is missing"),
        ({"en": "a", "ko": ""}, "here: ko must be a text"),
        ({"en": "a", "ko": "가", "de": "a"}, "here: unknown key 'de'; valid: en, ko"),
        ({"en": 4.2, "ko": "가"}, "here: en must be a text, in quotes"),
        ("a", "here: not a mapping"),
    ],
)
def test_a_text_that_is_not_whole_is_named(value: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        as_text(value, "here")


def test_an_entry_is_checked_with_its_texts() -> None:
    text = {"en": "a", "ko": "가"}
    assert entry(Planted, {"text": text, "name": "n"}, "x") == Planted(Text("a", "가"), "n")
    with pytest.raises(ValueError, match="x: name is missing"):
        entry(Planted, {"text": text}, "x")
    with pytest.raises(ValueError, match="x: text: ko is missing"):
        entry(Planted, {"text": {"en": "a"}, "name": "n"}, "x")
    with pytest.raises(ValueError, match="x: unknown key 'nme'"):
        entry(Planted, {"text": text, "nme": "n"}, "x")


def test_an_update_has_one_korean_word() -> None:
    # what readers write and look for, who may use either
    others = ("mentions", "synonyms")
    words = [path for path in ROOT.rglob("*.yaml") if not {path.parent.name, path.stem} & {*others}]
    words += [*ROOT.rglob("*.py"), *ROOT.rglob("*.js"), *ROOT.parents[1].glob("experiments/*.yaml")]
    assert len(words) > 100
    assert [path.name for path in words if "갱신" in path.read_text(encoding="utf-8")] == []
    assert "업데이트" in figure_words.texts["updates"].ko
