"""`check`: which sentences of a text make which claims, and what is said about them."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from relu_exp.cli import main
from relu_exp.evidence.check import check_text
from relu_exp.evidence.claims.mentions import claims_of, errata_of, sentences_of
from relu_exp.evidence.claims.mentions.matching import plain, rules_of_claims, rules_of_errata
from relu_exp.evidence.claims.registry import Claim, all_claims

PLANTED = yaml.safe_load((Path(__file__).parent / "planted_texts.yaml").read_text("utf-8"))
CLAIMS = list(all_claims())


def marked(text: str) -> list[str]:
    return [id for sentence in sentences_of(text) for id in claims_of(sentence)]


# Rules --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("id", "text"), PLANTED["makes"])
def test_a_sentence_that_makes_a_claim_is_marked(id: str, text: str) -> None:
    assert id in marked(text)


@pytest.mark.parametrize("text", PLANTED["makes_none"])
def test_a_sentence_that_denies_or_only_touches_a_claim_is_not(text: str) -> None:
    assert marked(text) == []


@pytest.mark.parametrize("claim", CLAIMS, ids=[claim.id for claim in CLAIMS])
def test_a_claim_s_own_statement_makes_it_in_both_languages(claim: Claim) -> None:
    assert claim.id in marked(claim.statement)
    assert claim.id in marked(claim.statement_ko)


def test_few_marks_of_the_claims_own_statements_are_of_other_claims() -> None:
    found = [(c.id, id) for c in CLAIMS for t in (c.statement, c.statement_ko) for id in marked(t)]
    others = [pair for pair in found if pair[0] != pair[1]]
    assert len(others) <= len(found) / 10, others


def test_every_claim_has_rules_and_no_rule_is_of_another() -> None:
    assert {*rules_of_claims()} == {claim.id for claim in CLAIMS}


def all_patterns() -> list[str]:
    every = [*rules_of_claims().values(), *(rules for _, rules in rules_of_errata())]
    return [p.pattern for rules in every for r in rules for p in (*r.all, *r.about, *r.none)]


def test_patterns_mean_the_same_in_javascript() -> None:
    for pattern in all_patterns():
        # \b and \w know only ASCII letters there; (?P and lookbehind may not be known at all
        assert not re.search(r"\\[a-zA-Z]|(?<!\\)\(\?(?![:=!])", pattern), pattern
        assert not re.search("<[a-z_]+>", pattern), f"a shorthand is left: {pattern}"


@pytest.mark.skipif(not shutil.which("node"), reason="there is no node")
def test_javascript_finds_what_python_finds() -> None:
    texts = [plain(text) for _, text in PLANTED["makes"]]
    patterns = sorted({*all_patterns()})
    script = (
        "const [ps, ts] = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        "console.log(JSON.stringify(ps.map(p => ts.map(t => new RegExp(p, 'u').test(t)))))"
    )
    done = subprocess.run(
        ["node", "-e", script], input=json.dumps([patterns, texts]), capture_output=True, text=True
    )
    assert json.loads(done.stdout) == [[bool(re.search(p, t)) for t in texts] for p in patterns]


# Sentences ----------------------------------------------------------------------------------


def test_a_text_is_split_into_sentences_with_their_lines() -> None:
    text = (
        "# Title\n\nOne by Xu et al. 2015. Two (as e.g. here). A slope of 0.5.\n\n셋이다.넷이다.\n"
    )
    found = [(each.line, each.text) for each in sentences_of(text)]
    assert found == [
        (1, "Title"),
        (3, "One by Xu et al. 2015."),
        (3, "Two (as e.g. here)."),
        (3, "A slope of 0.5."),
        (5, "셋이다."),
        (5, "넷이다."),
    ]


def test_a_sentence_may_be_broken_over_lines_and_lines_of_a_slide_are_not_joined() -> None:
    broken = "ReLU converges faster than tanh does in every network that we\nhave trained so far.\n"
    (sentence,) = sentences_of(broken)
    assert (sentence.line, sentence.text) == (1, " ".join(broken.split()))
    assert len([*sentences_of("- ReLU is fast\n- tanh is slow\nSigmoid\nTanh")]) == 4


def test_an_item_is_about_what_introduces_its_list() -> None:
    text = "Sigmoid is old.\n\nReLU has advantages:\n\n- converges six times faster than tanh\n"
    assert "relu-six-times-faster" in marked(text)
    assert "relu-six-times-faster" not in marked(text.replace("ReLU has", "Adam has"))


def test_the_nearest_function_counts() -> None:
    text = "# ReLU\n\nText.\n\n# Tanh\n\nIt is zero-centered.\n"
    assert marked(text) == ["tanh-outputs-centred"]


@pytest.mark.parametrize("text", ["", "\n\n", "(" * 5000, "a." * 5000, "ReLU " * 3000, "\\" * 3000])
def test_any_text_is_split_and_matched(text: str) -> None:
    assert marked(text) == []


# Errata -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("ELU was proposed by Xu et al. in 2015.", "Clevert"),
        ("렐루는 0에서 불연속이다.", "continuous everywhere"),
        ("ReLU의 x = 0에서의 미분값은 1이다.", "subgradient"),
        ("텐서플로에서는 tf.contrib.xavier_initializer를 쓴다.", "GlorotNormal"),
        ("tanh의 도함수는 모든 구간에서 1보다 작다.", "tanh′(0) = 1"),
    ],
)
def test_a_mistake_of_the_documents_is_corrected(text: str, right: str) -> None:
    (found,) = check_text(text, {})
    assert any(right in each.en for mark in found.marks for each, _ in mark.corrections)


def test_errata_are_not_found_where_nothing_is_wrong() -> None:
    for text in PLANTED["makes_none"]:
        assert not [each for sentence in sentences_of(text) for each in errata_of(sentence)]


# The command --------------------------------------------------------------------------------

VERDICTS = [
    {
        "claim": "relu-six-times-faster",
        "group": "C",
        "verdict": "refuted",
        "answer": "It is 1.1 times as fast.",
        "answer_ko": "1.1배 빠르다.",
        "rule": {},
    }
]
TEXT = "# ReLU\n\nReLU converges six times faster than tanh.\n\nNothing else.\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "post.md").write_text(TEXT, encoding="utf-8")
    (tmp_path / "results").mkdir()
    return tmp_path


@pytest.fixture
def judged(here: Path) -> Path:
    from relu_exp.evidence.report.saved_verdicts import of_claim

    claim = next(each for each in CLAIMS if each.id == VERDICTS[0]["claim"])
    row = {**of_claim(claim, {}), "statement": claim.statement, **VERDICTS[0]}
    row["rule"] = of_claim(claim, {})["rule"]
    (here / "results/verdicts.json").write_text(json.dumps([row]), encoding="utf-8")
    return here


def test_a_marked_sentence_has_verdict_answer_and_correction(judged, capsys):
    assert main(["check", "post.md"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "line 3: ReLU converges six times faster than tanh." in out
    assert "✗ refuted" in out
    assert "It is 1.1 times as fast." in out
    assert "compares with tanh only" in out
    assert "Nothing else" not in out


def test_korean_is_korean(judged, capsys):
    assert main(["check", "post.md", "--language", "ko", "--format", "markdown"]) == 0
    out = capsys.readouterr().out
    assert "✗ **틀림**: 확률적 경사하강법에서" in out
    assert "1.1배 빠르다." in out


@pytest.mark.parametrize("format", ["text", "markdown"])
def test_a_source_is_cited_in_the_language_that_is_written(here, capsys, format):
    (here / "elu.txt").write_text("ELU는 Xu 등이 제안했다.", encoding="utf-8")
    said = {}
    for language in ("en", "ko"):
        assert main(["check", "elu.txt", "--language", language, "--format", format]) == 0
        said[language] = " ".join(capsys.readouterr().out.split())
    assert "title page and abstract (read)" in said["en"]
    assert "표지와 초록 (직접 확인)" in said["ko"]
    assert "title page" not in said["ko"]


def test_json_has_both_languages(judged, capsys):
    assert main(["check", "post.md", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    by_claim = {mark["claim"]: mark for mark in row["marks"]}
    mark = by_claim["relu-six-times-faster"]
    assert (row["line"], mark["verdict"], mark["answer_ko"]) == (3, "refuted", "1.1배 빠르다.")
    assert mark["corrections"][0]["right_ko"]
    assert by_claim["relu-converges-faster-than-tanh"]["verdict"] is None


def test_without_verdicts_a_mark_has_its_claim(here, capsys, monkeypatch):
    monkeypatch.setattr("relu_exp.evidence.check.checking.COMMITTED", here / "none")
    assert main(["check", "post.md"]) == 0
    out, err = capsys.readouterr()
    assert "no verdict" in out
    assert "relu-six-times-faster" in out
    assert "relu-exp reproduce" in err


def test_standard_input_and_html_are_read(here, capsys, monkeypatch):
    html = (
        "<html><head><title>x</title><style>p {}</style></head><body><script>1</script>"
        "<h2>ReLU</h2><ul><li>It <b>converges</b> six times\n"
        "faster than tanh.</li></ul></body></html>"
    )
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(html.encode()), "utf-8"))
    assert main(["check", "-", "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["sentence"] == "It converges six times faster than tanh."


def test_a_file_in_the_old_encoding_of_korean_is_read(here, capsys):
    (here / "old.txt").write_bytes("렐루는 tanh보다 6배 빠르게 수렴한다.".encode("cp949"))
    assert main(["check", "old.txt", "--format", "json"]) == 0
    assert "relu-six-times-faster" in capsys.readouterr().out


def test_a_mistake_that_is_no_claim_is_a_correction(here, capsys):
    (here / "old.md").write_text("Use tf.contrib.xavier_initializer.", encoding="utf-8")
    assert main(["check", "old.md"]) == 0
    out = capsys.readouterr().out
    assert "! correction" in out
    assert "GlorotNormal" in out


def test_damaged_verdicts_are_one_line(here, capsys):
    (here / "results/verdicts.json").write_text("[1]", encoding="utf-8")
    assert main(["check", "post.md"]) == 2
    assert "is damaged" in capsys.readouterr().err


def test_a_text_without_claims_says_so(here, capsys):
    (here / "plain.txt").write_text("Hello.", encoding="utf-8")
    assert main(["check", "plain.txt"]) == 0
    assert "No sentence makes a claim" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.txt", None, "there is no such file"),
        ("results", None, "is a folder"),
        ("empty.txt", b" \n", "is empty"),
        ("slides.pdf", b"%PDF-1.4\n\x00\x01\xff\xfe", "is no text"),
        ("bad.txt", b"abc\xff\xff\xff", "is no text"),
        ("long.txt", b"a" * 5_000_001, "is too long"),
    ],
)
def test_what_cannot_be_read_is_one_line(here, capsys, name, content, said):
    if content is not None:
        (here / name).write_bytes(content)
    assert main(["check", name]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert said in err


def test_unknown_options_are_one_line(here, capsys):
    assert main(["check", "post.md", "--format", "jsn"]) == 2
    assert "did you mean json?" in capsys.readouterr().err
    assert main(["check"]) == 2


def test_control_characters_of_a_text_reach_no_terminal(here, capsys):
    (here / "evil.txt").write_text(
        "ReLU \u202e converges six times faster than tanh [red]x.", "utf-8"
    )
    assert main(["check", "evil.txt"]) == 0
    out = capsys.readouterr().out
    assert "\u202e" not in out
    assert "[red]x" in out
