"""The page for a reader of Korean: no place and no name of a part of it is left in English."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markupsafe import escape
from small_page import write_small_page
from test_korean_notes import CLAIMS, COMMITTED, latin

from relu_exp.evidence.claims.korean import rule_in_korean
from relu_exp.evidence.page.korean import place_ko
from relu_exp.evidence.page.page import build_page

ENGLISH = re.compile(r"[A-Za-z]{2,}(?:[ ,:;]+[A-Za-z]+)+[ ,:;]+[A-Za-z]{2,}")
"""Three words or more."""


class Names(HTMLParser):
    """What a page's parts are called where nothing puts another language in its place."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: set[str] = set()
        self.named_by: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attrs}
        self.ids.add(values.get("id", ""))
        self.named_by += values.get("aria-labelledby", "").split()
        if "data-label" not in values:  # which is named anew in each language
            self.found.append(values.get("aria-label", ""))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    judged = write_small_page(tmp_path_factory.mktemp("results"), "ko")
    return build_page(judged, "ko").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def names(page: str) -> Names:
    found = Names()
    found.feed(page)
    return found


def test_rules_are_as_full_as_in_english(page: str) -> None:
    assert len(CLAIMS) > 60
    for claim in CLAIMS.values():
        assert str(escape(rule_in_korean(claim.rule))) in page, claim.id


def test_what_parts_are_called_is_korean_or_changes_with_the_language(names: Names) -> None:
    assert len(names.found) > 100
    assert not [name for name in names.found if ENGLISH.search(name)]


def test_what_names_a_part_is_on_the_page(names: Names) -> None:
    assert any(name.startswith("asked-") for name in names.named_by)
    assert {*names.named_by} <= names.ids


def test_a_place_of_a_committed_verdict_is_korean() -> None:
    saved = json.loads(Path(COMMITTED).read_text(encoding="utf-8"))
    places = {place_ko(cell["where"]) for row in saved for cell in row["cells"]}
    assert len(places) > 100
    assert not {place: latin(place) for place in places if latin(place)}
