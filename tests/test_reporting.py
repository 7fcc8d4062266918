"""Reports beside training: one process builds them in turn, and what ails it is said."""

import os
import signal

import pytest

from relu_exp.core.schema import Choice, UsageError
from relu_exp.session.reporting import Reports, judge, report

import synthetic

HE = Choice("he_normal", (("gain", 2**0.5), ("mode", "fan_in")))
SMALL = synthetic.configs(("relu",), (HE,), (2,), (0.1,), (0,))


@pytest.fixture
def roots(tmp_path):
    made = [tmp_path / name for name in ("first", "second", "third")]
    for root in made:
        synthetic.write(root, SMALL, figures=["function_curves"])
    return made


def test_all_are_built_and_told_of_in_turn(roots, capsys):
    with Reports(()) as reports:
        for root in roots:
            reports.begin(root)
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("report: ")]
    assert told == [f"report: {root / 'report.html'}" for root in roots]
    assert all((root / "figures" / "function_curves.png").is_file() for root in roots)


def test_results_that_cannot_be_read_are_an_error_of_the_command(roots, capsys):
    missing = roots[0].with_name("missing")
    reports = Reports(())
    reports.begin(roots[0])
    reports.begin(missing)
    with pytest.raises(UsageError, match="missing does not exist"), reports:
        pass
    assert str(roots[0] / "report.html") in capsys.readouterr().out
    assert reports.builder is not None
    reports.builder[0].join(10)
    assert not reports.builder[0].is_alive()


def test_a_builder_that_died_is_noticed(roots):
    reports = Reports(())
    reports.begin(roots[0])
    assert reports.builder is not None
    os.kill(reports.builder[0].pid, signal.SIGKILL)
    reports.begin(roots[1])
    with pytest.raises(RuntimeError, match="builds reports has died"), reports:
        pass


def test_what_is_told_of_a_report_is_in_its_language(roots, capsys):
    synthetic.write(roots[0], SMALL, failed=[SMALL[0].run_id])
    report(roots[0])
    english = capsys.readouterr()
    assert english.out.splitlines()[-1] == f"report: {roots[0] / 'report.html'}"
    assert all(line.startswith("note: ") for line in english.err.splitlines())
    report(roots[0], language="ko")
    korean = capsys.readouterr()
    assert korean.out.splitlines()[-1] == f"보고서: {roots[0] / 'report.html'}"
    assert korean.err.startswith("참고: ")
    assert "note: " not in korean.err


def test_what_is_told_of_claims_is_in_the_language_of_the_page(roots, capsys):
    results = roots[0].parent
    written = judge(results, "ko")
    claims, page = capsys.readouterr().out.splitlines()
    assert claims.startswith(f"주장: {results / 'claims.md'} (")
    assert f"미판정 {sum(row['verdict'] == 'not decided' for row in written.values())})" in claims
    assert page == f"한 페이지로 모두 보기: {results / 'report.html'}"
    judge(results)
    claims, page = capsys.readouterr().out.splitlines()
    assert claims.startswith(f"claims: {results / 'claims.md'} (")
    assert claims.endswith(" not decided)")
    assert page == f"all on one page: {results / 'report.html'}"
