"""Questions: their numbers come from the runs, and nothing is said where none were made."""

from __future__ import annotations

from pathlib import Path

import pytest

from relu_exp.evidence.claims.arms import at_best_rate
from relu_exp.evidence.claims.registry import Evidence, all_claims
from relu_exp.evidence.data.texts import Text
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
