"""What verdicts say in Korean: whole, with the same numbers, by a catalogue that is all used."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

import relu_exp
from relu_exp.evidence.claims.answers.places import PLACE_VALUES
from relu_exp.evidence.claims.korean import (
    in_korean,
    measure_in_korean,
    paper_in_korean,
    rule_in_korean,
    with_korean,
)
from relu_exp.evidence.claims.korean.templates import FILES, Template, catalogue
from relu_exp.evidence.claims.registry import Claim, Literature, all_claims
from relu_exp.evidence.claims.verdicts import Rule, Verdict
from relu_exp.evidence.data.labels import NAMES
from relu_exp.evidence.report.looks import LOOKS

SOURCE = Path(relu_exp.__file__).parent
COMMITTED = SOURCE.parents[1] / "results" / "verdicts.json"
CLAIMS = {
    one.id: one for one in all_claims() if one.effects.__module__.startswith("relu_exp.evidence.")
}
WORDS = {
    *("ReLU", "ELU", "PReLU", "RReLU", "GELU", "Leaky", "tanh", "He", "Xavier", "SGD", "Adam"),
    *("MLP", "CNN", "CPU", "PyTorch", "Linux", "XOR", "D1", "N", "E", "W", "w", "x", "n", "z"),
    *("CIFAR", "MNIST", "Fashion", "CIFAR-10", "conv7", "fc1", "max", "exp", "float64", "float32"),
    *("digits", "mnist5k", "cifar10", "moons", "fan", "fan_in", "nn", "torch", "F", "min", "p"),
    "Holm",
    *("Sigmoid", "Tanh", "Clevert", "Unterthiner", "Hochreiter", "relu", "clamp", "maximum"),
    *("where", "leaky_relu", "x86_64", "L1", "Xu", "ImageNet"),
}
"""What Korean texts of verdicts write in Latin letters: names, formulas and functions."""
NUMBERS_IN_WORDS = {
    r"\bseven tenths\b|십분의 칠": "0.7",
    r"\bnine tenths\b|십분의 구": "0.9",
    r"\btenth\b|십분의 일": "0.1",
    r"\bthree quarters\b|사분의 삼": "0.75",
    r"\bquarter\b|사분의 일": "0.25",
    r"\bhalf a (?:percentage )?point\b|\bhalf\b|절반": "0.5",
    r"\ba percentage point\b": "1",
    r"\bzeros?\b": "0",
    r"\b(?:two|twice|twofold)\b|\b두(?= )": "2",
    r"\bfour\b|\b네(?= )": "4",
    r"\bfive\b|\b다섯(?= )": "5",
    r"\bnine\b|\b아홉(?= )": "9",
    r"\b(?:ten|tenfold)\b|\b열(?= )": "10",
    r"\btwenty\b|\b스무(?= )": "20",
}
"""Numbers that rules write in words in either language, and that the other may write in digits."""


def rows() -> list[dict[str, Any]]:
    """Return the committed verdicts whose rule has not been amended since."""
    saved = json.loads(COMMITTED.read_text(encoding="utf-8"))
    return [one for one in saved if one["rule"]["reason"] == CLAIMS[one["claim"]].rule.reason]


def numbers(text: str) -> Counter[str]:
    """Return the numbers of a text; 1.2 million is 120만."""
    text = re.sub(r"([\d.]+) million", lambda found: f"{float(found[1]) * 100:.0f}", text)
    return Counter(re.findall(r"(?<![A-Za-z_\d])\d+(?:[.,]\d+)*", text))


def said_as_words(text: str) -> Counter[str]:
    """Return the numbers that English says as words, and Korean in digits: zeros, and twice He."""
    zeros = re.findall(r"\bzeros?\b|\bcentered\b", text)
    return Counter({"0": len(zeros), "2": text.count("twice He")})


def has_numbers(english: str, korean: str) -> bool:
    """Return whether Korean has the numbers of English, and no others but those said as words."""
    there, here = numbers(english), numbers(korean)
    return there <= here and here - there <= said_as_words(english)


def latin(text: str) -> set[str]:
    """Return the words in Latin letters that are no names."""
    text = re.sub(r"\d+e[-−+]?\d+", "", text)
    text = re.sub(
        r"relu-exp run [a-z-]+( --[a-z]+ [a-z]+)*|cifar-10-batches-py|RELU_EXP_DATA", "", text
    )
    experiments = {name for one in CLAIMS.values() for name in one.experiments}
    for name in sorted(experiments, key=len, reverse=True):
        text = text.replace(f"{name}의 실행", "").replace(f"{name} 실험", "")
    return {*re.findall(r"[A-Za-z][A-Za-z0-9_]*", text)} - WORDS


def in_digits(text: str) -> str:
    """Return a rule with every number in digits."""
    for words, digits in NUMBERS_IN_WORDS.items():
        text = re.sub(words, digits, text)
    return text


def check(english: str, korean: str) -> None:
    assert korean, f"no Korean of: {english}"
    assert has_numbers(english, korean), (english, korean)
    assert not latin(korean), (english, korean)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["claim"])
def test_a_committed_verdict_is_whole_in_korean(row: dict[str, Any]) -> None:
    for text in (row["says"], row["scope"], *row["notes"]):
        if text:
            check(text, in_korean(text))


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=lambda claim: claim.id)
def test_a_reason_and_what_papers_found_have_their_korean(claim: Claim) -> None:
    if claim.rule.reason:
        note = f"Rule of version 2, since 2026-11-26 ({claim.rule.reason}): the runs are younger."
        check(note, in_korean(note))
    for paper in claim.literature:
        korean = paper_in_korean(paper)
        assert korean is not None, paper
        assert has_numbers(f"{paper.reference}{paper.found}", f"{korean.reference}{korean.found}")
        assert re.search("[가-힣]", korean.found)
        assert korean.known in ("직접 확인", "재인용")


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=lambda claim: claim.id)
def test_a_rule_is_whole_in_korean(claim: Claim) -> None:
    rule, korean = claim.rule, rule_in_korean(claim.rule)
    measured = "" if rule.is_exact else f"; measured as {rule.measure}"
    check(in_digits(f"{rule.says}{measured}"), in_digits(korean))
    assert re.search(r"다(; 측정량: .+)?$", korean)
    assert ("; 측정량: " in korean) != rule.is_exact
    for drawn in (rule.part_measure, "" if rule.is_exact else rule.measure):
        assert bool(measure_in_korean(drawn)) == bool(drawn)


def test_every_korean_rule_belongs_to_a_claim_and_others_have_none() -> None:
    assert {one.en for one in catalogue()["rule"]} == {one.rule.says for one in CLAIMS.values()}
    known = next(one.rule for one in CLAIMS.values() if not one.rule.is_exact)
    for other in (Rule("m", "of a plugin", 1.0), Rule("of a plugin", known.says, 1.0)):
        assert rule_in_korean(other) == ""


@pytest.mark.parametrize(
    ("english", "korean"),
    [
        (
            "At one shared rate: more than 1.38×.",
            "공통 학습률 하나에서: 1.38×보다 크다.",
        ),
        (
            "No finished run with depth=41. Run relu-exp run depth-limit.",
            "depth=41인 끝난 실행이 없다. 다음 명령으로 실행한다: relu-exp run depth-limit.",
        ),
        (
            "In 13 of 96 comparisons neither arrived: left out.",
            "비교 96건 가운데 13건에서는 둘 다 도달하지 못해 제외했다.",
        ),
        (
            "Left out, as two layers fail too: Xavier with SGD.",
            "두 층도 학습되지 않아 제외한 조건: Xavier + SGD.",
        ),
        (
            "supported on its own (p = 0.03), but not after correcting for 52 claims (Holm: p = 1)",
            "따로 보면 맞음(p = 0.03), 주장 52개에 대해 보정하면 판단할 수 없다(Holm: p = 1)",
        ),
        ("2 of 9 runs of mine diverged. More is not known.", ""),
        (
            "Not judged on photographs, as in the cited setting: convergence-cifar has not been "
            "run: relu-exp run convergence-cifar.",
            "인용된 실험처럼 사진으로는 판정하지 않았다. convergence-cifar 실험을 "
            "아직 실행하지 않았다. 실행하는 명령: relu-exp run convergence-cifar.",
        ),
        (
            "Not judged on clothes: convergence-fashion was not run, because its data are not on "
            "the machine: fashion_mnist (`apt install a-package`, or set X to the folder that "
            "holds a-folder). With them, relu-exp run convergence-fashion runs it.",
            "옷 이미지로는 판정하지 않았다. 필요한 데이터가 컴퓨터에 없어 "
            "convergence-fashion 실험을 실행하지 않았다: fashion_mnist(`apt install a-package` "
            "명령으로 설치, 또는 a-folder 폴더가 들어 있는 폴더를 환경 변수 X에 지정). "
            "데이터를 갖춘 뒤 실행하는 명령: relu-exp run convergence-fashion.",
        ),
        (
            "mnist5k; mlp of width 100, depth 1, 4; he_normal; sgd, batches of 64; 400, "
            "1400 updates",
            "mnist5k; MLP, 너비 100, 깊이 1, 4; He 초기화; SGD, 배치 크기 64; 업데이트 400, 1400회",
        ),
        (
            "Of 12 settings the effect is surely above 0 in none and surely below in 2; its size "
            "is surely below 0.02 in 11 and surely above in none. The largest is 0.0071.",
            "조건 12개 가운데 효과가 확실히 0보다 큰 것은 없고 확실히 작은 것은 2개이다. 크기가 "
            "확실히 0.02보다 작은 것은 11개이고 확실히 큰 것은 없다. 가장 큰 값은 0.0071이다.",
        ),
        (
            "Test accuracy of the network as given (chance is 10%), claimed above 0.2 in every "
            "setting: holds in none of 5 settings, fails in 5.",
            "문서에 적힌 대로 만든 신경망의 테스트 정확도(무작위 추측은 10%). 주장하는 값은 모든 "
            "조건에서 0.2 초과이다. 조건 5개 가운데 성립하는 것은 없고 5개에서 성립하지 않는다.",
        ),
        (
            "A unit was dead at some probe in none of 88 runs, where ReLU ended with 7% of its "
            "units dead.",
            "실행 88개 가운데 죽은 유닛이 측정된 것은 없다. 같은 조건에서 ReLU는 학습이 끝났을 때 "
            "유닛의 7%가 죽어 있었다.",
        ),
        (
            "Best validated learning rates (arms): 0.1 (2); none of them the last one tried.",
            "검증 정확도가 가장 높은 학습률(실험군 수): 0.1 (2). 마지막으로 시도한 "
            "값인 실험군은 없다.",
        ),
        ("A sentence of somebody else.", ""),
    ],
)
def test_other_situations_have_templates_and_other_sentences_none(
    english: str, korean: str
) -> None:
    assert in_korean(english) == korean


def test_a_verdict_keeps_korean_that_it_has_and_a_place_for_each_note() -> None:
    found = with_korean(
        Verdict("not decided", "x", text_ko="가", notes=("b", "2 of 9 runs of a diverged."))
    )
    assert (found.text_ko, found.scope_ko) == ("가", "")
    assert found.notes_ko == ("", "a의 실행 9개 가운데 2개가 발산했다.")
    assert paper_in_korean(Literature("A 2015", "something else", "read")) is None


@cache
def constants() -> tuple[str, ...]:
    """Return the strings that code composes what verdicts say of."""
    files = [
        *(SOURCE / "evidence" / "claims").rglob("*.py"),
        SOURCE / "evidence/data/statistics.py",
    ]
    files += (SOURCE / "engine" / "studies").glob("*.py")
    # what makes results unusable or stale, and what is said of data
    files += (SOURCE / "results").glob("*.py")
    files += [SOURCE / "evidence/data/soundness.py", SOURCE / "evidence/data/frames.py"]
    files += [SOURCE / "engine/made_from.py", SOURCE / "engine/data/notes.py"]
    files += [SOURCE / "core/schema.py"]
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in files]
    found = {
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    absent = (SOURCE / "evidence/claims/absent.yaml").read_text(encoding="utf-8")
    return (*found, " ".join(absent.split()))


@cache
def said() -> tuple[str, ...]:
    saved = json.loads(COMMITTED.read_text(encoding="utf-8"))
    texts = [text for row in saved for text in (row["says"], row["scope"], *row["notes"])]
    places = [
        f"{key} {value}" for row in saved for c in row["cells"] for key, value in c["where"].items()
    ]
    return (*texts, *places)


def is_used(template: Template) -> bool:
    """Return whether verdicts say it, or each of its pieces is in the code."""
    if any(re.search(template.pattern, text) for text in said()):
        return True
    return all(
        num_parts(piece.split()) <= MOST_PARTS for piece, *_ in Formatter().parse(template.en)
    )


MOST_PARTS = 4
"""Strings of the code that a piece between two values may be put together from."""


def num_parts(words: list[str]) -> int:
    """Return the fewest strings of the code that some words are put together from, about."""
    if not words:
        return 0
    for end in range(len(words), 0, -1):
        part = " ".join(words[:end]).strip(" :;,.()[]")
        if any(part in text or f"{part[:1].upper()}{part[1:]}" in text for text in constants()):
            return 1 + num_parts(words[end:])
    return MOST_PARTS + 1


@pytest.mark.parametrize("kind", sorted({*catalogue()} - {"paper", "foreign", "rule"}))
def test_no_entry_is_dead(kind: str) -> None:
    names = {*PLACE_VALUES, *NAMES}
    assert not [one.en for one in catalogue()[kind] if not is_used(one) and one.en not in names]


def test_entries_stand_once_and_words_of_verdicts_agree_with_the_pages() -> None:
    for kind, templates in catalogue().items():
        assert not [en for en, n in Counter(one.en for one in templates).items() if n > 1], kind
    assert {one.en: one.ko for one in catalogue()["verdict"]} == {
        name: look.word.ko for name, look in LOOKS.items()
    }
    folder = SOURCE / "evidence" / "claims" / "korean"
    assert {path.stem for path in folder.glob("*.yaml")} == {*FILES}


def test_a_template_with_other_values_in_korean_is_refused() -> None:
    with pytest.raises(ValueError, match="other values"):
        Template.read("{n} runs", "실행 {m}개")
