"""What is damaged, stale or odd about data, said in Korean with the same numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_korean_notes import numbers

from relu_exp.evidence.claims.judging import judge_all
from relu_exp.evidence.claims.korean import change_in_korean, data_note_in_korean, in_korean
from relu_exp.evidence.claims.registry import Claim, Evidence
from relu_exp.evidence.claims.verdicts import Verdict
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.language import language
from relu_exp.evidence.report.summary import remarks

import synthetic
from planted_claims import CLAIMS, RUNS


def opens(evidence: Evidence) -> NoReturn:
    """Read what a claim reads first; nothing is damaged where this goes on."""
    assert not evidence["planted"].curves.empty
    raise AssertionError("the results could be read")


READS = replace(CLAIMS[0], id="reads", effects=opens)


def judged(root: Path, claim: Claim = READS) -> Verdict:
    return judge_all(root, [claim])[claim.id]


def table(root: Path, name: str) -> Path:
    return root / "planted" / "parts" / "fleet000000" / f"{name}.parquet"


def manifest(root: Path) -> Path:
    return next((root / "planted" / "manifests").glob("*.json"))


def change_manifest(root: Path, **fields: object) -> None:
    path = manifest(root)
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def out_of_range(root: Path) -> None:
    rows = pq.read_table(table(root, "curves"))
    field = rows.schema.field("step")
    wrong = pa.array([-1, *rows["step"].to_pylist()[1:]], field.type)
    place = rows.schema.get_field_index("step")
    pq.write_table(rows.set_column(place, field, wrong), table(root, "curves"))


def twice(root: Path) -> None:
    rows = pq.read_table(table(root, "runs"))
    pq.write_table(rows.take([0, *range(rows.num_rows)]), table(root, "runs"))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no Parquet": (lambda root: table(root, "runs").write_bytes(b"x" * 999), "Parquet 파일이 아니"),
    "cut": (lambda root: table(root, "runs").write_bytes(b""), "Parquet 파일의 크기가 0바이트"),
    "short": (lambda root: table(root, "runs").write_bytes(b"abc"), "크기가 3바이트로"),
    "lost": (lambda root: table(root, "curves").unlink(), "파일이 없음"),
    "twice": (twice, "runs 표에 겹치는 행이 1개"),
    "range": (out_of_range, "curves 표의 step 열: 범위를 벗어남"),
    "empty manifest": (lambda root: manifest(root).write_text(""), "있어야 할 값이 없음"),
    "cut manifest": (lambda root: manifest(root).write_text('{"a": "b'), "문자열이 끝나지 않음"),
    "no key": (lambda root: manifest(root).write_text("{1}"), "있어야 할 키가 없음"),
    "no comma": (lambda root: manifest(root).write_text("[1 2]"), "있어야 할 쉼표가 없음"),
    "more": (lambda root: manifest(root).write_text("{} {}"), "JSON 뒤에 다른 내용"),
    "bytes": (lambda root: manifest(root).write_bytes(b"\xff"), "0번째 바이트 0xff"),
    "list": (lambda root: manifest(root).write_text("[]"), "키와 값으로 된 객체가 아님"),
    "field": (lambda root: change_manifest(root, looks=0), "looks의 값이 올바르지 않음"),
    "version": (lambda root: change_manifest(root, schema_version=99), "표 형식 99판"),
    "others": (lambda root: change_manifest(root, run_ids=["0" * 16]), "요청한 실행이 하나도 없다"),
}


@pytest.mark.parametrize(("damage", "said"), DAMAGE.values(), ids=DAMAGE)
def test_results_that_cannot_be_read_are_told_in_korean(
    damage: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    synthetic.write(tmp_path / "planted", RUNS)
    damage(tmp_path)
    verdict = judged(tmp_path)
    assert verdict.name == "not decided"
    assert verdict.text.startswith("The results cannot be used: ")
    assert verdict.text_ko.startswith("결과를 쓸 수 없다. ")
    assert said in verdict.text_ko
    assert "원문" not in verdict.text_ko
    assert numbers(verdict.text_ko) == numbers(verdict.text)


def test_what_a_library_says_is_quoted_and_what_to_run_is_not(tmp_path: Path) -> None:
    synthetic.write(tmp_path / "planted", RUNS)

    def fails(_: Evidence) -> NoReturn:
        raise KeyError("no. Such column")

    verdict = judged(tmp_path, replace(READS, effects=fails))
    said, _, command = verdict.text_ko.partition(" 다음 명령으로 실행한다: ")
    assert said == "판정하다가 오류가 났다(오류 메시지 원문: “KeyError: 'no. Such column'”)."
    assert command.startswith("relu-exp run ")
    assert in_korean("The results cannot be used: Nobody knows. Run relu-exp run signals.") == (
        "결과를 쓸 수 없다. 오류 메시지 원문: “Nobody knows”. 다음 명령으로 실행한다: relu-exp run "
        "signals."
    )


CHANGES = {
    "engine code unknown": "엔진 코드(만들 때의 기록 없음)",
    "engine code 1f0c1f0c → 94ab94ab": "엔진 코드 1f0c1f0c → 94ab94ab",
    "torch 2.10.0+cpu → 2.11.0": "torch 2.10.0+cpu → 2.11.0",
    "schema 6 → 7": "표 형식 6 → 7",
    "plugin my.own-one unknown → 94ab": "플러그인 my.own-one 알 수 없음 → 94ab",
    "data of mnist5k 1f0c → unknown": "mnist5k 데이터 1f0c → 알 수 없음",
    "measurement sharpness, which they lack": "측정값 sharpness 추가",
}


def test_changes_that_make_runs_stale_are_named_in_korean() -> None:
    assert {en: change_in_korean(en) for en in CHANGES} == CHANGES
    # several of them stand in one list
    assert change_in_korean(", ".join([*CHANGES, "3 more"])) == ", ".join(
        [*CHANGES.values(), "외 3개"]
    )


@pytest.mark.parametrize("num_stale", [1, 2])
def test_a_claim_and_a_report_tell_stale_runs_in_korean(num_stale: int, tmp_path: Path) -> None:
    stale = {"measurement sharpness, which they lack": [run.run_id for run in RUNS[:num_stale]]}
    synthetic.write(tmp_path / "planted", RUNS, stale=stale, session="later")
    verdict = judged(tmp_path, CLAIMS[0])
    made_before = f"가운데 {num_stale}개는 다음 변경 이전에 만든 것이다: 측정값 sharpness 추가. "
    assert made_before in verdict.notes_ko[0]
    assert numbers(verdict.notes_ko[0]) == numbers(verdict.notes[0])
    with language("ko"):
        assert any("이전에 만든 것이다: 측정값 sharpness 추가." in line
                   for line in remarks(Frames.open(tmp_path / "planted")))  # fmt: skip
    assert any("made before measurement sharpness, which they lack." in line
               for line in remarks(Frames.open(tmp_path / "planted")))  # fmt: skip


NOTES = {
    "inputs of own are not standardized: feature 'age' has a standard deviation of 1,234; "
    "dataset.scaling=standardize changes that": "own의 입력을 표준화하지 않았다. 특성 'age'의 "
    "표준편차가 1,234이다. dataset.scaling=standardize로 표준화할 수 있다",
    "the test split of own has no sample of classes 1 (a), 2 (b) and 3 more: its accuracy is that "
    "of the other classes": "own의 테스트 데이터에 샘플이 없는 클래스가 있다(1 (a), 2 (b) 외 3개). "
    "정확도는 나머지 클래스에 대한 것이다",
    "targets of own are standardized: mean 1.5 and standard deviation 2e-05, and 2 more of the "
    "training samples; a prediction × standard deviation + mean is in their own units, and so is "
    "√loss × standard deviation, the root mean square error": "own의 목푯값을 학습 샘플의 평균과 "
    "표준편차로 표준화했다(평균 1.5, 표준편차 2e-05, 외 2개). 예측값 × 표준편차 + 평균이 본래 "
    "단위의 값이고, √손실 × 표준편차가 본래 단위의 평균제곱근 오차이다",
    "inputs of own lie between -3 and 4, outside the value_range of its layout, 0 to 1": "own의 "
    "입력값은 -3~4로, 데이터 구성에 적힌 value_range(0~1)를 벗어난다",
}


def test_notes_on_data_are_in_a_korean_report_and_others_stay(tmp_path: Path) -> None:
    assert {en: data_note_in_korean(en) for en in NOTES} == NOTES
    assert data_note_in_korean("a plugin's own") == "a plugin's own"
    synthetic.write(tmp_path / "planted", RUNS, data_notes=[*NOTES])
    with language("ko"):
        lines = remarks(Frames.open(tmp_path / "planted"))
    assert [f"데이터에 관한 참고: {korean}." for korean in NOTES.values()] == [
        line for line in lines if line.startswith("데이터")
    ]
