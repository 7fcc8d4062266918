"""The language of a report: whole in Korean, in figures too, and unchanged in English."""

from __future__ import annotations

import re
import string
from html import unescape
from importlib.resources import files
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from matplotlib.text import Text as DrawnText

from relu_exp.cli import main
from relu_exp.config.files import Experiment, experiments, read_experiment
from relu_exp.core.run_keys import RUN_KEYS
from relu_exp.core.schema import PARTS, Choice, UsageError
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.labels import axis_name
from relu_exp.evidence.data.language import Words, current_language, language
from relu_exp.evidence.figures import FIGURES, DoesNotApply, draw
from relu_exp.evidence.figures.words import text as figure_words
from relu_exp.evidence.report.report import Built, build
from relu_exp.evidence.report.words import text as report_words
from relu_exp.results.store import Store
from relu_exp.session.words import text as session_words

import synthetic

FILES = {"report": report_words, "figures": figure_words, "session": session_words}
TEXTS = [
    pytest.param(words, key, id=f"{name}-{key}")
    for name, words in FILES.items()
    for key in words.texts
]
NAMES = {
    *("ReLU", "PReLU", "sigmoid", "He", "MLP", "SGD", "N", "mnist5k", "slope", "n", "x86", "T00"),
    *("Python", "torch", "relu", "exp", "cpu", "Linux", "UTC", "PNG", "SVG", "Parquet"),
    *("Kaplan", "Meier", "float32", "float64", "t", "x", "k", "L2", "ValueError", "no", "numbers"),
}
"""What a Korean report writes in Latin letters: names, and the error that was planted."""
HE = Choice("he_normal", (("gain", 2**0.5), ("mode", "fan_in")))
SMALL = Choice("normal", (("std", 0.01),))
RUNS = [
    *synthetic.configs(("sigmoid", "relu"), (SMALL, HE), (2, 5), (0.1, 3.0), (0, 1, 2)),
    *synthetic.configs(("prelu",), (HE,), (2,), (0.1,), (0, 1, 2), ("mlp", "residual_mlp")),
]


def hangul(text: str) -> bool:
    return any("가" <= sign <= "힣" for sign in text)


def english(text: str) -> set[str]:
    """Return the words in Latin letters that are neither names nor commands nor figures' names."""
    text = re.sub(r"relu-exp (run|report)\b[^:<\n]*?(?= \||[.)]?$|[.)] )", "", text, flags=re.M)
    text = text.replace("%p", "")
    for name in (*FIGURES, "learned_slope", *synthetic.FUNCTIONS):
        text = text.replace(name, "") if "_" in name else text
    return {*re.findall(r"[A-Za-z][A-Za-z0-9]*", text)} - NAMES


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = synthetic.write(tmp_path_factory.mktemp("results") / "default", RUNS[:-1])
    synthetic.write(found, RUNS[:-1], failed=[RUNS[0].run_id])
    manifest = {
        "title": "A title in English",
        "title_ko": "제목",
        "question_ko": "질문인가?",
        "question": "A question in English?",
        "dirty": True,
        "figures": ["accuracy_map"],
    }
    synthetic.write_manifest(Store(found), [run.run_id for run in RUNS], **manifest)
    return found


@pytest.fixture(scope="module")
def korean(root: Path) -> Built:
    return build(root, language="ko")


@pytest.mark.parametrize(("words", "key"), TEXTS)
def test_each_text_is_in_both_languages_with_the_same_places(words: Words, key: str) -> None:
    text = words.texts[key]
    parsed = [[*string.Formatter().parse(each)] for each in text]
    places = [{(name, spec) for _, name, spec, _ in parts if name} for parts in parsed]
    assert places[0] == places[1]
    assert not hangul(text.en)
    if re.search("[A-Za-z]{4}", "".join(literal for literal, *_ in parsed[0])):
        assert hangul(text.ko)
    assert not key.endswith("_one") or key.removesuffix("_one") in words


@pytest.mark.parametrize("name", [*RUN_KEYS, *PARTS])
def test_what_configures_a_run_has_a_name_in_both_languages(name: str) -> None:
    assert not hangul(axis_name(name))
    with language("ko"):
        assert hangul(axis_name(name))
        assert axis_name(f"{name}_label" if name in PARTS else name) == axis_name(name)


def test_figures_can_draw_every_korean_syllable() -> None:
    font = files("relu_exp.evidence.figures").joinpath("assets", "hangul.ttf")
    known = {*map(chr, TTFont(str(font)).getBestCmap())}
    words = "".join(text.ko for text in figure_words.texts.values())
    words += "".join(key.label_ko for key in RUN_KEYS.values())
    assert {sign for sign in words if "가" <= sign <= "힣"} <= known


def test_a_number_is_chosen_by_n() -> None:
    assert report_words("asked", n=1) == "1 run was asked for."
    assert report_words("asked", n=1200) == "1,200 runs were asked for."
    with language("ko"):
        assert report_words("asked", n=1200) == "요청한 실행은 1,200개이다."


def test_a_language_holds_within_its_context_alone() -> None:
    with pytest.raises(RuntimeError), language("ko"):
        raise RuntimeError
    assert current_language() == "en"
    with pytest.raises(UsageError, match=r"--language kr is not valid.*valid: en, ko"), \
            language("kr"):  # fmt: skip
        pass


def test_a_korean_report_has_no_english_sentence(korean: Built) -> None:
    page = unescape(korean.html.read_text())
    assert '<html lang="ko">' in page
    assert "<h1>제목</h1>" in page
    assert "질문인가?" in page
    assert "data:font/woff2" in page
    shown = re.sub(r"<style>.*?</style>|<script.*?</script>|<code>.*?</code>", "", page, flags=re.S)
    # the explorer has its words in both languages, and shows those of the page's
    shown = re.sub(r'<(\w+)[^>]*class="t" lang="en"[^>]*>.*?</\1>', "", shown, flags=re.S)
    told = [*re.findall(r'(?:alt|aria-label)="([^"]*)"', shown), re.sub("<[^>]*>", "\n", shown)]
    assert english("\n".join(told)) <= {"CSV", "Holm", "Xavier", "JavaScript"}
    plain = re.sub(r"`[^`]*`|\]\([^)]*\)|report\.html", "", unescape(korean.markdown.read_text()))
    assert english(plain) <= {"Holm"}
    assert english("\n".join(korean.warnings)) == set()
    assert english("\n".join(heading for row in korean.summary for heading in row)) == set()


def test_korean_figures_have_no_english_words(root: Path) -> None:
    with language("ko"):
        frames, reasons, drawn = Frames.open(root), [], set()
        for name in FIGURES:
            try:
                for drawing in draw(name, frames):
                    told = [each.get_text() for each in drawing.figure.findobj(DrawnText)]
                    command = re.compile(r"다시 그리는 명령:.*", re.S)
                    told = [command.sub("", each) for each in (*told, drawing.title)]
                    assert english("\n".join([*told, drawing.caption])) <= {"Holm", "MNIST"}, (
                        drawing.name
                    )
                    drawn.add(name)
            except DoesNotApply as reason:
                reasons.append(str(reason))
    assert english("\n".join(reasons)) == set()
    assert len(drawn) > 8


def test_figures_have_the_same_files_in_both_languages(root: Path) -> None:
    name, stems = "signal_by_layer", []
    for each in ("en", "ko"):
        with language(each):
            stems.append([drawing.name for drawing in draw(name, Frames.open(root))])
    assert stems[0] == stems[1]
    assert "activation_std_by_layer-plain_MLP" in stems[0]


def test_the_commands_of_a_korean_report_keep_its_language(korean: Built) -> None:
    assert "relu-exp report --language ko" in korean.markdown.read_text()


def test_english_comes_back_byte_for_byte(root: Path, korean: Built) -> None:
    assert "실행" in korean.markdown.read_text()
    build(root)
    text = (root / "report.md").read_text()
    assert "runs were asked for." in text
    assert not hangul(text)
    assert "data:font/woff2" not in (root / "report.html").read_text()


def test_one_experiment_is_reported_in_korean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = synthetic.configs(("relu",), (HE,), (2,), (0.1,), (0, 1))
    root = synthetic.write(tmp_path / "own", few, figures=["function_curves"])
    assert main(["report", str(root), "--language", "ko"]) == 0
    printed = capsys.readouterr()
    assert "활성화 함수" in printed.out
    assert '<html lang="ko">' in (root / "report.html").read_text()
    assert main(["report", str(root), "--language", "kr"]) == 2
    assert "valid: en, ko" in capsys.readouterr().err


@pytest.mark.parametrize("experiment", experiments(), ids=lambda experiment: experiment.name)
def test_each_experiment_asks_its_question_in_korean(experiment: Experiment) -> None:
    assert hangul(experiment.title_ko)
    assert experiment.question_ko.endswith(("가?", "비교한다."))


def test_an_experiment_of_ones_own_may_speak_one_language(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("title: T\nquestion: Q?\ntitle_ko: 제목\n", encoding="utf-8")
    found = read_experiment(own)
    assert (found.title_ko, found.question_ko) == ("제목", "")
    own.write_text("title: T\ntitle_ko: 3\n", encoding="utf-8")
    with pytest.raises(UsageError, match="title_ko is not text"):
        read_experiment(own)
