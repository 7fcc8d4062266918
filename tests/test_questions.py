"""Questions: their numbers come from the runs, and nothing is said where none were made."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from relu_exp.evidence.claims.arms import at_best_rate
from relu_exp.evidence.claims.registry import Evidence, all_claims
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.texts import Text
from relu_exp.evidence.page import answers
from relu_exp.evidence.page.answers import MEASURES, answer
from relu_exp.evidence.page.questions import QUESTIONS, Question, View
from relu_exp.evidence.page.words import WORDS

import synthetic


def asked(measure: str, rows: str = "activation_label") -> Question:
    return Question(Text("Why?", "왜?"), (), measure, "tiny", rows, "depth")


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    runs = synthetic.configs(("relu", "tanh"), depths=(2, 3), learning_rates=(0.1, 1.0))
    synthetic.write(tmp_path / "tiny", runs)
    return Evidence(tmp_path)


@pytest.mark.parametrize("measure", ["signal", "gradient", "dead", "accuracy", "updates"])
def test_a_table_has_a_number_for_every_arm(evidence: Evidence, measure: str) -> None:
    found = answer(evidence, asked(measure))
    assert found is not None
    assert found.heads == ["2", "3"]
    assert [name for name, _ in found.lines] == ["ReLU", "tanh"]
    runs = evidence["tiny"].runs
    assert found.num_seeds == runs["seed"].nunique()


def test_the_number_is_the_mean_over_seeds(evidence: Evidence) -> None:
    found = answer(evidence, asked("accuracy"))
    assert found is not None
    runs = evidence["tiny"].runs
    here = at_best_rate(runs, ["activation", "depth", "initializer_label"])
    here = here[(here["activation"] == "relu") & (here["depth"] == 2)]
    means = here.groupby("initializer_label", observed=True)["final_validation_accuracy"].mean()
    here = here[here["initializer_label"] == means.idxmax()]
    first = found.lines[0][1][0]
    assert first is not None
    mean = 100 * here["final_test_accuracy"].mean()
    assert float(first.text.rstrip("%")) == pytest.approx(mean, rel=0.06)


def test_an_answer_in_a_line_has_the_numbers_of_the_table(evidence: Evidence) -> None:
    says = Text("With ReLU {ReLU|2}; {order|3}.", "ReLU {ReLU|2}, {order|3}.")
    found = answer(evidence, replace(asked("updates"), says=says))
    assert found is not None
    (_, relu), (_, tanh) = found.lines
    assert relu[0] is not None
    assert relu[1] is not None
    assert tanh[1] is not None
    few = sorted([(relu[1].mean, f"ReLU {relu[1].text}"), (tanh[1].mean, f"tanh {tanh[1].text}")])
    line = ", ".join(words for _, words in few)
    assert found.says == Text(f"With ReLU {relu[0].text}; {line}.", f"ReLU {relu[0].text}, {line}.")
    assert found.asked == {("ReLU", "2"), ("ReLU", "3"), ("tanh", "3")}


@pytest.mark.parametrize("place", ["{ELU|2}", "{ReLU|7}", "{order|7}"])
def test_an_answer_in_a_line_is_not_said_without_its_numbers(
    evidence: Evidence, place: str
) -> None:
    found = answer(evidence, replace(asked("accuracy"), says=Text(place, place)))
    assert found is not None
    assert found.says is None
    assert not found.asked


def test_every_question_has_an_answer_in_a_line_with_the_same_numbers_in_both_languages() -> None:
    for question in QUESTIONS:
        assert question.says is not None
        english, korean = (sorted(re.findall(r"{[^}]+}", text)) for text in question.says)
        assert english == korean != []


def test_units_of_a_run_that_diverged_or_does_not_learn_do_not_count_as_dead(
    tmp_path: Path,
) -> None:
    runs = synthetic.configs(("relu",), depths=(2,), learning_rates=(0.1,))
    synthetic.write(tmp_path / "tiny", runs)
    evidence = Evidence(tmp_path)
    before = answer(evidence, asked("dead"))
    assert before is not None
    assert before.lines[0][1][0] is not None
    frames = evidence["tiny"]
    frames.runs.loc[:, "final_validation_accuracy"] = 0.9
    assert answer(evidence, asked("dead_of_learners")) is not None
    frames.runs.loc[:, "final_validation_accuracy"] = 0.1
    assert answer(evidence, asked("dead_of_learners")) is None
    frames.runs.loc[:, "status"] = "diverged"
    assert answer(evidence, asked("dead")) is None


def test_units_that_come_back_are_counted_one_by_one_over_both_experiments(
    evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthetic.write(tmp_path / "more", synthetic.configs(("relu",)))

    def came_back(frames: Frames, name: str) -> pd.DataFrame:
        ever, revived = {"tiny": (30, 10), "more": (10, 0)}[name]
        row = {"optimizer": "SGD", "place": "deeper", "seed": 0, "ever": ever, "revived": revived}
        return pd.DataFrame([row])

    monkeypatch.setattr(answers, "came_back", came_back)
    question = replace(asked("revived"), rows="optimizer", columns="place", also="more")
    for also, share, of in (("more", "25%", 40), ("", "33%", 30), ("not-run", "33%", 30)):
        found = answer(evidence, replace(question, also=also))
        assert found is not None
        [(name, [number])] = found.lines
        assert (name, number.text, number.interval) == ("SGD", share, f"n = {of}")


def test_without_runs_there_is_no_answer(evidence: Evidence, tmp_path: Path) -> None:
    assert answer(Evidence(tmp_path / "nowhere"), asked("accuracy")) is None
    text = Text("Q", "Q")
    nobody = Question(text, (), "accuracy", "tiny", "depth", "width", {"activation": "elu"})
    assert answer(evidence, nobody) is None


def test_questions_name_what_there_is() -> None:
    known = {claim.id for claim in all_claims()}
    for question in QUESTIONS:
        assert {*question.claims} <= known
        assert question.measure in MEASURES
        assert f"asks_{question.measure}" in WORDS
        for axis in (question.rows, question.columns):
            assert f"axis_{axis.removesuffix('_label')}" in WORDS


def test_a_view_is_written_as_the_explorer_reads_it() -> None:
    assert View("signals", "ReLU", "He", 20).address == "signals~ReLU~He~20~0.1~~0"
