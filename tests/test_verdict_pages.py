"""The verdicts in words: complete, escaped, the same bytes again, and never half written."""

from __future__ import annotations

import csv
import html
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from relu_exp.cli import main
from relu_exp.core.schema import UsageError
from relu_exp.evidence.claims.korean import rule_in_korean
from relu_exp.evidence.claims.registry import all_claims, find_claim
from relu_exp.evidence.claims.verdicts import Rule, Verdict
from relu_exp.evidence.page.page import build_page
from relu_exp.evidence.report import verdict_pages
from relu_exp.evidence.report.judged_claims import shown_effect
from relu_exp.evidence.report.looks import standardized
from relu_exp.evidence.report.report import build_index
from relu_exp.evidence.report.verdict_pages import Judged, build, read_verdicts

import synthetic
from planted_claims import CLAIMS, RULE, RUNS, write_planted


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return write_planted(tmp_path_factory.mktemp("results"))


def test_every_claim_has_a_section_with_all_that_is_asked_for(judged: Judged) -> None:
    text = judged.markdown.read_text()
    for claim in CLAIMS:
        assert f'<a id="{claim.id}"></a>' in text
    for word in (
        "렐루가 더 빠르다.",
        "D2 (2.3), D4 (2)",
        "a scope",
        "above &lt;1.1&gt;; in the mean over settings; measured as a ratio",
        "Somebody 2015",
        "second-hand",
        "claims/true.png",
        "2 runs",
        "relu-exp run planted --budget quick",
        "owhere has not been run",
        "Made at the quick budget",
        "How often verdicts would be wrong",
    ):
        assert word in text


def test_the_summary_counts_and_puts_the_surprising_first(judged: Judged) -> None:
    summary = judged.summary
    assert summary["sentence"] == (
        "1 supported, 1 refuted, 1 conditional, 1 inconclusive, 1 not decided"
    )
    assert [one.claim.id for one in summary["surprising"]] == ["exact", "divided"]


def test_text_is_escaped(judged: Judged) -> None:
    text = judged.markdown.read_text()
    assert "<b>fails" not in text
    assert "<statement>" not in text
    assert "&lt;1.1&gt;" in text
    assert r"of true \| &amp; more" in text


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("relu-exp run 'a`<b>.yaml'", "again: `` relu-exp run 'a`<b>.yaml' --claim "),
        ("relu-exp run 'a", "again: `relu-exp run planted --claim "),
    ],
)
def test_a_command_cannot_end_its_span_of_code(tmp_path: Path, command: str, shown: str) -> None:
    synthetic.write(tmp_path / "planted", RUNS, command=command)
    lines = build(tmp_path, CLAIMS[:1]).markdown.read_text().splitlines()
    (line,) = [line for line in lines if "again: " in line]
    assert shown in line
    assert line.endswith(" ``" if "``" in shown else "`")


def test_a_claims_command_repeats_what_the_recorded_one_set(tmp_path: Path) -> None:
    claim = replace(CLAIMS[0], experiments=("planted", "other", "third", "unrun"))
    several = "relu-exp run planted third depth=2 'seed=range(2)' --budget quick --plugin json"
    for name, command in (
        ("planted", several),
        ("third", several),
        ("other", "relu-exp run other"),
    ):
        budget = "quick" if command is several else None
        synthetic.write(tmp_path / name, RUNS, command=command, budget=budget)
    (line,) = [line for line in build(tmp_path, [claim]).markdown.read_text().splitlines()
               if "again: " in line]  # fmt: skip
    place = f"--results {tmp_path} --plugin json"
    assert line.endswith(
        f"again: `relu-exp run planted third depth=2 'seed=range(2)' --budget quick {place} && "
        f"relu-exp run other {place} && "
        f"relu-exp run unrun --budget quick --claim true {place}`"
    )


def test_overrides_that_fill_pages_are_left_out(tmp_path: Path) -> None:
    synthetic.write(tmp_path / "planted", RUNS, command=f"relu-exp run x {'depth=2 ' * 2000}")
    (line,) = [line for line in build(tmp_path, CLAIMS[:1]).markdown.read_text().splitlines()
               if "again: " in line]  # fmt: skip
    assert "again: `relu-exp run planted --claim true " in line


CHANGED = "data of mnist5k 1f0c1f0c → 94ab94ab"


def test_a_claim_that_rests_on_stale_runs_says_so_and_how_to_train_them_again(
    tmp_path: Path,
) -> None:
    ids = [run.run_id for run in RUNS]
    more = {"stale": {CHANGED: ids[:1], "nothing of these": ["unknown"]}, "session": "later"}
    command = "relu-exp run planted depth=2"
    synthetic.write(tmp_path / "planted", RUNS, command=command, **more)
    apart = replace(
        CLAIMS[0], id="apart", effects=lambda _: replace(CLAIMS[0].effects(_), run_ids=ids[1:])
    )
    made = build(tmp_path, [*CLAIMS[:1], apart])
    notes = {id: found["notes"] for id, found in read_verdicts(tmp_path).items()}
    again = f"{command} --stale rerun --results {tmp_path}"
    line = (
        "1 of 2 runs of planted that it rests on is stale: made before "
        f"{CHANGED}. To train it again: {again}"
    )
    assert notes["true"][0] == line
    assert not any("stale" in note for note in notes["apart"])
    build_index(tmp_path, made.summary, made.evidence.at)
    assert "1 is stale." in (tmp_path / "README.md").read_text()
    page = html.unescape(build_page(made).read_text())
    for text in (made.markdown.read_text().replace("\\", ""), page):
        assert line in text
        assert "Some runs of planted are stale" in text


def test_runs_that_were_trained_again_are_no_longer_stale(tmp_path: Path) -> None:
    ids = [run.run_id for run in RUNS]
    synthetic.write(tmp_path / "planted", RUNS, stale={CHANGED: ids})
    build(tmp_path, CLAIMS[:1])
    assert "stale" not in (tmp_path / "claims.md").read_text()


def test_the_map_of_a_conditional_claim_is_drawn(judged: Judged) -> None:
    text = judged.markdown.read_text()
    assert re.search(r"\| depth 2 \| ✓ 2\.07×", text)
    assert re.search(r"\| depth 9 \| ✗ 0\.51", text)
    assert "Holds at" not in text


def test_claims_that_contradict_each_other_stand_side_by_side(judged: Judged) -> None:
    assert judged.markdown.read_text().count("- Another claim on the same evidence") == 2


def test_the_tables_hold_every_verdict(judged: Judged) -> None:
    root = judged.root
    with (root / "verdicts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "claim", "verdict", "effect", "low", "high", "num_seeds", "experiment", "scope",
        "answer", "answer_ko",
    ]  # fmt: skip
    assert all(row["answer"].endswith(".") and row["answer_ko"].endswith(".") for row in rows)
    assert [row["claim"] for row in rows] == [claim.id for claim in CLAIMS]
    assert (rows[1]["effect"], rows[1]["verdict"]) == ("", "refuted")
    read = read_verdicts(root)
    assert read["true"]["num_runs"] == 2
    assert (read["divided"]["rule"]["need"], read["exact"]["rule"]["need"]) == ("mean", "every")
    assert read["open"]["low"] is None
    assert read["divided"]["cells"][0]["where"] == {"depth": "2", "rate": "0.1"}
    json.loads((root / "verdicts.json").read_text(), parse_constant=pytest.fail)


def test_the_same_results_give_the_same_bytes(judged: Judged) -> None:
    before = {path: path.read_bytes() for path in judged.paths}
    again = build(judged.root, CLAIMS)
    assert {path: path.read_bytes() for path in again.paths} == before
    assert not [path for path in judged.root.iterdir() if path.name.startswith(".")]


def test_the_index_begins_with_the_summary(judged: Judged) -> None:
    build_index(judged.root, judged.summary)
    text = (judged.root / "README.md").read_text()
    assert text.index("1 supported, 1 refuted") < text.index("planted/report.md")
    assert "claims.md#exact" in text
    assert "(report.html)" in text


def test_a_place_that_cannot_be_written_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(verdict_pages, "replace_text", full)
    with pytest.raises(UsageError, match=r"cannot be written to .*: No space left"):
        build(tmp_path, CLAIMS[:2])


def test_damaged_verdicts_say_how_to_write_them_again(tmp_path: Path) -> None:
    assert read_verdicts(tmp_path) == {}
    (tmp_path / "verdicts.json").write_text("[{")
    with pytest.raises(UsageError, match="relu-exp report"):
        read_verdicts(tmp_path)


def test_the_standardized_effect_is_the_distance_in_half_widths() -> None:
    rule = Rule(measure="m", says="s", threshold=1.0, claimed_side="below")
    assert standardized(Verdict("supported", "", 0.4, 0.2, 0.6), rule) == pytest.approx((2, 3, 4))
    ratio = replace(RULE, threshold=1.0)
    assert standardized(Verdict("supported", "", 4.0, 2.0, 8.0), ratio) == pytest.approx((1, 2, 3))
    # a count's bounds lie where they lie, not at equal distances from it
    share = Rule(measure="m", says="s", threshold=0.9)
    found = standardized(Verdict("refuted", "", 0.2, 0.0, 0.8), share)
    assert found == pytest.approx((-2.25, -1.75, -0.25))
    assert standardized(Verdict("supported", ""), rule) is None


def test_an_effect_without_an_interval_is_shown_without() -> None:
    assert shown_effect(Verdict("supported", "", 0.5, num_seeds=1)) == "0.5"
    assert shown_effect(Verdict("supported", "")) == ""


def test_claims_are_listed_with_their_verdicts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"claim": "relu-computes-faster", "verdict": "conditional"}]
    (tmp_path / "verdicts.json").write_text(json.dumps(rows))
    assert main(["list", "claims", "--results", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if "\trelu-computes-faster\t" in line]
    assert line.split("\t")[2:4] == ["F Cost", "conditional"]
    assert len(lines) == len(list(all_claims()))


def test_a_claim_is_shown_with_its_rule_and_evidence(
    judged: Judged, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = [row for row in read_verdicts(judged.root).values() if row["cells"]]
    rows = [{**row, "claim": "relu-computes-faster"}]
    (tmp_path / "verdicts.json").write_text(json.dumps(rows))
    assert main(["claim", "relu-computes-faster", "--results", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    for word in (
        "순전파",
        "D3 (",
        "at least 1.1 times",
        "conditional",
        "depth 9",
        "--budget quick",
    ):
        assert word in told


def test_a_claim_is_shown_in_korean_alone(
    judged: Judged, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = [row for row in read_verdicts(judged.root).values() if row["cells"]]
    cell = {"where": {"function": "elu"}, "verdict": "supported", "effect": 2.0}
    cells = [{**cell, "low": 1.5, "high": 2.5}, {**cell, "effect": None, "low": None, "high": None}]
    said = {"answer": "An answer.", "answer_ko": "답이다.", "says_ko": "근거이다."}
    noted = {"notes": ["A note.", "Another."], "notes_ko": ["참고할 점이다.", ""]}
    rows = [{**row, **said, **noted, "claim": "relu-computes-faster", "cells": cells}]
    (tmp_path / "verdicts.json").write_text(json.dumps(rows))
    command = ["claim", "relu-computes-faster", "--results", str(tmp_path), "--language"]
    assert main([*command, "ko"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for line in (
        f"규칙        {rule_in_korean(find_claim('relu-computes-faster').rule)}",
        "판정        조건부",
        "답          답이다.",
        "근거        근거이다.",
        "조건        ELU: 맞음, 2배 [1.5, 2.5]",
        "            ELU: 맞음",
        "참고        참고할 점이다.",
        "            Another.",
    ):
        assert line in lines
    told = "\n".join(lines)
    for english in ("An answer.", "A note.", "cheaper", "conditional", "verdict ", "(read)"):
        assert english not in told
    assert main([*command, "kr"]) == 2
    assert "--language kr is not valid (did you mean ko?)" in capsys.readouterr().err


def test_a_claim_in_korean_without_a_verdict_says_how_to_get_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["claim", "relu-computes-faster", "--language", "ko", "--results", str(tmp_path)]
    assert main(command) == 0
    assert f"`relu-exp reproduce --results {tmp_path}` 명령은" in capsys.readouterr().out
    rows = [{"claim": "relu-computes-faster", "verdict": "of another version"}]
    (tmp_path / "verdicts.json").write_text(json.dumps(rows))
    assert main(command) == 0
    assert "판정        of another version" in capsys.readouterr().out


def test_without_a_language_a_claim_is_shown_in_both(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["claim", "relu-computes-faster", "--results", str(tmp_path)]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert told.startswith("claim       relu-computes-faster\n            ReLU is cheaper ")
    assert "\n            ReLU는 순전파와 역전파 모두" in told
    assert "\nmeasure     time of the other function over ReLU's\n" in told
    assert main([*command, "--language", "en"]) == 0
    assert capsys.readouterr().out == told


def test_a_claim_without_a_verdict_says_how_to_get_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["claim", "relu-computes-faster", "--results", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert f"`relu-exp reproduce --results {tmp_path}` decides every claim" in told
    assert "relu-exp run cost" in told


def test_an_unknown_claim_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["claim", "relu-computes-fastr"]) == 2
    assert "did you mean relu-computes-faster?" in capsys.readouterr().err


def test_report_decides_the_claims_on_what_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    synthetic.write(tmp_path / "convergence-speed", RUNS, figures=["loss_curves"])
    assert main(["report", str(tmp_path)]) == 0
    assert "not decided" in capsys.readouterr().out
    found = read_verdicts(tmp_path)
    assert list(found) == [claim.id for claim in all_claims()]
    assert "claims.md" in (tmp_path / "README.md").read_text()
