"""`check` on the five documents, where they are: what it finds, and what it marks wrongly.

They are in `../shared/documents`, or in the folder that RELU_EXP_DOCUMENTS names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from relu_exp.evidence.claims.mentions import Sentence, claims_of, errata_of, sentences_of
from relu_exp.evidence.claims.mentions.matching import rules_of_errata
from relu_exp.evidence.claims.registry import all_claims

ROOT = Path(__file__).parents[1]
DOCUMENTS = Path(os.environ.get("RELU_EXP_DOCUMENTS") or ROOT.parent / "shared/documents")
LABELS = yaml.safe_load((ROOT / "tests/labels_of_documents.yaml").read_text(encoding="utf-8"))


def numbered(text: str) -> Iterator[tuple[str, Sentence]]:
    """Yield each sentence with its line and its number among those that begin there."""
    line = number = 0
    for sentence in sentences_of(text):
        number = number + 1 if sentence.line == line else 1
        line = sentence.line
        yield f"{line}.{number}", sentence


def test_labels_name_claims():
    known = {claim.id for claim in all_claims()}
    for labels in LABELS.values():
        for words in labels.values():
            assert {word for each in words.split() for word in each.strip("~").split("/")} <= known


@pytest.mark.skipif(not DOCUMENTS.is_dir(), reason=f"there is no {DOCUMENTS}")
def test_sentences_of_the_documents_are_found_and_few_marks_are_wrong(capsys):
    missed, wrong = [], []
    num_labels = num_marks = 0
    for key, labels in LABELS.items():
        (path,) = DOCUMENTS.glob(f"*{key}.txt")
        sentences = dict(numbered(path.read_text(encoding="utf-8")))
        assert {str(place) for place in labels} <= {*sentences}, path
        for place, sentence in sentences.items():
            words = labels.get(float(place), labels.get(place, "")).split()
            found = claims_of(sentence)
            valid = {id for word in words for id in word.strip("~").split("/")}
            needed = [word.split("/") for word in words if not word.startswith("~")]
            num_marks += len(found)
            num_labels += len(needed)
            wrong += [f"{key} {place}: {id}" for id in found if id not in valid]
            missed += [f"{key} {place}: {ids}" for ids in needed if not {*ids} & {*found}]
    recall, error = 1 - len(missed) / num_labels, len(wrong) / num_marks
    with capsys.disabled():
        print(
            f"\nfound {recall:.1%} of {num_labels} claims; {error:.1%} of {num_marks} marks wrong"
        )
    assert recall >= 0.9, missed
    assert error <= 0.1, wrong


@pytest.mark.skipif(not DOCUMENTS.is_dir(), reason=f"there is no {DOCUMENTS}")
@pytest.mark.parametrize(("document", "key"), [*enumerate(LABELS)])
def test_every_erratum_with_rules_is_found_in_its_document(document: int, key: str):
    (path,) = DOCUMENTS.glob(f"*{key}.txt")
    sentences = sentences_of(path.read_text(encoding="utf-8"))
    found = [erratum for sentence in sentences for erratum in errata_of(sentence)]
    own = [each for each, _ in rules_of_errata() if each.document == f"D{document}"]
    assert [each.written.en for each in own if each not in found] == []
