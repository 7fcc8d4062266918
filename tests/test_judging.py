"""Judging: planted results get the verdicts they deserve, and nothing takes it down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pytest

from relu_exp.core.schema import Choice
from relu_exp.evidence.claims.judging import _with_seeds, can_decide, count, judge, judge_all
from relu_exp.evidence.claims.registry import Claim, Evidence, MissingRunsError, Source
from relu_exp.evidence.claims.verdicts import Effects, Rule, SettingVerdict, Verdict
from relu_exp.results.store import Store

import synthetic
from planted_claims import EXACT, exact

HE = Choice("he_normal", (("gain", 2**0.5), ("mode", "fan_in")))
RUNS = synthetic.configs(("sigmoid", "relu"), (HE,), (2,), (0.1,), range(8), probe_steps=())
RULE = Rule(measure="loss of sigmoid over ReLU", says="above 1.1", threshold=1.1, ratio=True)


def planted(
    id: str,
    effects: Callable[[Evidence], Effects],
    rule: Rule = RULE,
    experiments: tuple[str, ...] = ("planted",),
) -> Claim:
    return Claim(
        id=id,
        group="C",
        statement=f"The statement of {id}.",
        statement_ko="심어 둔 주장.",
        sources=(Source("D2", "2.3"),),
        experiments=experiments,
        rule=rule,
        effects=effects,
    )


def slower(evidence: Evidence) -> Effects:
    """Compare final training losses, seed by seed."""
    runs = evidence["planted"].runs
    loss = runs.pivot(index="seed", columns="activation", values="final_train_loss")
    effects = (loss["sigmoid"] / loss["relu"]).rename("effect").reset_index()
    return Effects(effects, scope="planted", run_ids=list(runs["run_id"]))


def faster(evidence: Evidence) -> Effects:
    runs = evidence["planted"].runs
    loss = runs.pivot(index="seed", columns="activation", values="final_train_loss")
    effects = (loss["relu"] / loss["sigmoid"]).rename("effect").reset_index()
    return Effects(effects, scope="planted")


def raising(error: Exception) -> Callable[[Evidence], Effects]:
    def effects(evidence: Evidence) -> Effects:
        raise error

    return effects


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("judging")
    synthetic.write(root / "planted", RUNS, budget="standard")
    return root


def test_planted_results_get_the_verdicts_they_deserve(results: Path) -> None:
    claims = [
        planted("true", slower),
        planted("false", faster),
        planted("formula", lambda _: exact(True, "It holds."), EXACT, ()),
    ]
    verdicts = judge_all(results, claims)
    assert list(verdicts) == ["true", "false", "formula"]
    assert [verdict.name for verdict in verdicts.values()] == ["supported", "refuted", "supported"]
    assert verdicts["true"].num_seeds == 8


def test_runs_that_are_missing_are_said_with_the_command_that_makes_them(results: Path) -> None:
    claims = [
        planted("unrun", lambda evidence: slower(evidence) if evidence["other"] else slower, RULE),
        planted("part", raising(MissingRunsError("no run at depth 20"))),
    ]
    verdicts = judge_all(results, claims)
    assert {verdict.name for verdict in verdicts.values()} == {"not decided"}
    assert "relu-exp run other" in verdicts["unrun"].text
    how = f"relu-exp run planted --claim part --results {results}"
    assert verdicts["part"].text == f"No run at depth 20. Run {how}."


def test_an_experiment_in_a_file_of_this_folder_is_run_from_its_file(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("other.yaml").write_text("question: Not run yet?")
    claims = [
        planted("unrun", lambda evidence: slower(evidence) if evidence["other"] else slower, RULE)
    ]
    assert "relu-exp run other.yaml" in judge_all(results, claims)["unrun"].text
    assert Evidence(results).run("planted").startswith("relu-exp run planted ")


def test_a_mistake_in_one_claim_is_a_line_and_spares_the_others(results: Path) -> None:
    claims = [planted("broken", raising(KeyError("depth\nwidth"))), planted("true", slower)]
    verdicts = judge_all(results, claims)
    assert verdicts["broken"].name == "not decided"
    assert "KeyError" in verdicts["broken"].text
    assert "\n" not in verdicts["broken"].text
    assert verdicts["true"].name == "supported"


def test_results_of_another_schema_or_damaged_decide_nothing(tmp_path: Path) -> None:
    synthetic.write(tmp_path / "planted", RUNS, schema_version=99)
    (verdict,) = judge_all(tmp_path, [planted("true", slower)]).values()
    assert verdict.name == "not decided"
    assert "schema version 99" in verdict.text
    damaged = tmp_path / "damaged"
    synthetic.write(damaged / "planted", RUNS)
    next((damaged / "planted" / "parts").glob("*/runs.parquet")).write_bytes(b"nothing")
    (verdict,) = judge_all(damaged, [planted("true", slower)]).values()
    assert verdict.name == "not decided"
    assert "damaged" in verdict.text


def test_failed_and_missing_runs_are_told_beside_the_verdict(tmp_path: Path) -> None:
    root = tmp_path / "planted"
    synthetic.write(root, RUNS, failed=[RUNS[0].run_id])
    asked = [*(run.run_id for run in RUNS), "0" * 16]
    synthetic.write_manifest(Store(root), asked)
    (verdict,) = judge_all(tmp_path, [planted("true", slower)]).values()
    told = " ".join(verdict.notes)
    assert "1 of 17 runs of planted failed" in told
    assert "1 of 17 runs of planted have not been run" in told
    assert verdict.num_seeds == 7


@pytest.mark.parametrize(
    ("version", "since", "expected"),
    [
        (1, date(2100, 1, 1), "supported"),  # a rule that was never amended needs no date
        (2, date(2100, 1, 1), "not decided"),
        (2, datetime(2000, 1, 1, 12), "supported"),
    ],
)
def test_a_rule_amended_after_the_runs_decides_nothing(
    results: Path, version: int, since: date, expected: str
) -> None:
    rule = replace(RULE, version=version, since=since, reason="It was ill-posed")
    (verdict,) = judge_all(results, [planted("amended", slower, rule)]).values()
    assert verdict.name == expected
    said = " ".join([verdict.text, *verdict.notes])
    assert ("version 2: It was ill-posed" in said) == (expected == "not decided")
    assert ("the runs are younger" in said) == (version == 2 and expected == "supported")


def test_one_seed_decides_nothing_statistical(tmp_path: Path) -> None:
    synthetic.write(tmp_path / "planted", [run for run in RUNS if run.seed == 0])
    (verdict,) = judge_all(tmp_path, [planted("true", slower)]).values()
    assert verdict.name == "inconclusive"
    assert can_decide(planted("true", slower), {"planted": 1}) == "planted has one seed"
    assert can_decide(planted("true", slower), {"planted": 2}) is None
    assert can_decide(planted("true", slower), {}) == "planted is not run"
    assert can_decide(planted("exact", slower, EXACT), {"planted": 1}) is None


def test_budgets_that_differ_are_told(results: Path, tmp_path: Path) -> None:
    synthetic.write(tmp_path / "planted", RUNS, budget="quick")
    synthetic.write(tmp_path / "second", RUNS[:1], budget="standard")
    claim = planted("true", slower, RULE, ("planted", "second"))
    (verdict,) = judge_all(tmp_path, [claim]).values()
    assert "planted at quick budget, second at standard budget" in verdict.notes[-1]


def test_the_verdicts_are_counted_with_none_left_out() -> None:
    assert count([judge(exact(True), EXACT)] * 2) == {
        "supported": 2,
        "refuted": 0,
        "conditional": 0,
        "inconclusive": 0,
        "not decided": 0,
    }


def test_statistical_claims_are_corrected_for_their_number(results: Path) -> None:
    def barely(evidence: Evidence) -> Effects:
        effects = [0.01, 0.02, 0.03, 0.1, 0.2, 0.3, 0.45, 0.45]
        return Effects(pd.DataFrame({"seed": range(8), "effect": effects}))

    rule = Rule(measure="a difference", says="above 0", threshold=0.0)
    alone = judge_all(results, [planted("alone", barely, rule)])["alone"]
    assert alone.name == "supported"
    verdicts = judge_all(results, [planted(f"claim-{n}", barely, rule) for n in range(3)])
    assert {verdict.name for verdict in verdicts.values()} == {"inconclusive"}


def test_what_does_not_matter_in_the_setting_that_decides_is_said_of_that_setting() -> None:
    whole = Verdict("refuted", "Found.", equivalent=True)
    assert _with_seeds(whole).text == "Found. That is no difference that matters."
    setting = SettingVerdict({"depth": "2"}, 1.0, 0.9, 1.1, 8, "inconclusive")
    one = Verdict("inconclusive", "Found.", equivalent=True, settings=(setting,), place="depth 2")
    assert _with_seeds(one).text == "Found. In that setting there is no difference that matters."
