"""The pictures of claims: what they draw of the judged runs, their versions and their words.

That each claim's picture draws the judged runs is checked wherever a claim is judged:
`planted_claims.check_picture`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.lines import Line2D
from planted_runs import HE, RELU, SIGMOID, TANH, XAVIER, Truth, plant, runs

from relu_exp.core.schema import RunConfig
from relu_exp.evidence.claims.registry import Claim, Evidence, all_claims, find_claim
from relu_exp.evidence.claims.shown import EFFECT, OWN, Shown
from relu_exp.evidence.claims.verdicts import Effects
from relu_exp.evidence.data.language import LANGUAGES, language
from relu_exp.evidence.figures import RC
from relu_exp.evidence.figures.dark import DARK_PAGE, dark_svg, darkened
from relu_exp.evidence.figures.files import save_svg
from relu_exp.evidence.figures.judged import draw_judged
from relu_exp.evidence.figures.judged_words import axis_title, value_words
from relu_exp.evidence.figures.values import DIVERGED, NOT_REACHED, values_of
from relu_exp.evidence.page.page import build_page
from relu_exp.evidence.report import claim_pictures
from relu_exp.evidence.report.claim_pictures import draw_claim
from relu_exp.evidence.report.verdict_pages import build

import synthetic
from planted_claims import CLAIMS, RUNS

SPEED = "relu-converges-faster-than-sigmoid"
OWN_CLAIMS = [one for one in all_claims() if one.effects.__module__.startswith("relu_exp.")]
WITHOUT = {
    *("relu-definition", "leaky-relu-definition", "leaky-relu-derivative-is-max"),
    *("saturating-derivatives-below-one", "tanh-from-sigmoid", "elu-definition"),
    *("linear-layers-collapse", "step-does-not-train", "pytorch-examples", "cnn-shapes"),
    *("initializer-formulas", "identical-weights-stay-identical"),
}
"""Claims of computed cases, which no run was judged for."""
TIMES = {"sigmoid": 100.0, "tanh": 40.0, "relu": 20.0}


def convergence(root: Path, *, fails: str = "") -> Evidence:
    """Write convergence-speed; at 0.2 the activation that `fails` diverges, 0.8 never arrives."""

    def truth(run: RunConfig) -> Truth:
        name = run.activation.name
        slow = 50 if run.learning_rate == 0.8 else 1
        is_lost = name == fails and run.learning_rate == 0.2
        return Truth(TIMES[name] * slow, diverged_at=0 if is_lost else None)

    configs: list[RunConfig] = []
    for activation, initializer in ((SIGMOID, XAVIER), (TANH, XAVIER), (RELU, HE)):
        for depth in (1, 4):
            more: dict[str, Any] = {"activation": activation, "initializer": initializer}
            configs += runs(4, (0.1, 0.2, 0.8), depth=depth, **more)
    plant(root / "convergence-speed", configs, truth)
    return Evidence(root)


def drawn_lines(claim: Claim, evidence: Evidence) -> list[list[Line2D]]:
    """Return the lines of each panel that stand for data."""
    effects = claim.effects(evidence)
    drawing = draw_claim(claim, evidence, effects)
    assert drawing is not None
    return [
        [line for line in axes.lines if len(np.atleast_1d(line.get_xdata()))]
        for axes in drawing.figure.axes
    ]


def test_every_claim_about_runs_or_times_has_a_picture_and_no_other() -> None:
    assert {one.id for one in OWN_CLAIMS if one.figure is None} == WITHOUT
    for one in OWN_CLAIMS:
        assert one.figure is None or isinstance(one.figure, Shown), one.id
        assert (one.rule.kind == "cases") == (one.id in WITHOUT), one.id


@pytest.mark.parametrize("claim", [one for one in OWN_CLAIMS if one.figure], ids=lambda one: one.id)
def test_what_a_picture_says_is_said_in_both_languages(claim: Claim) -> None:
    shown = claim.figure
    assert isinstance(shown, Shown)
    for name in LANGUAGES:
        with language(name):
            words = [value_words(shown)]
            words += [axis_title(axis) for axis in (shown.x, shown.columns, shown.rows) if axis]
            for each in words:
                assert bool(re.search("[가-힣]", each)) == (name == "ko"), (claim.id, each)


def test_every_claim_with_a_picture_is_judged_in_a_test() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_claims_*.py"))
    assert [one.id for one in OWN_CLAIMS if one.figure and f'"{one.id}"' not in tests] == []


def test_the_claim_s_activations_thresholds_and_depths_are_drawn_and_nothing_else(
    tmp_path: Path,
) -> None:
    evidence, claim = convergence(tmp_path), find_claim(SPEED)
    effects = claim.effects(evidence)
    drawing = draw_claim(claim, evidence, effects)
    assert drawing is not None
    judged = evidence["convergence-speed"].runs
    judged = judged[judged["activation"].isin(["sigmoid", "relu"])]
    assert {*drawing.run_ids} == {*judged["run_id"]} == {*effects.run_ids}
    (legend,) = drawing.figure.legends
    names = [each.get_text() for each in legend.get_texts()]
    assert names == ["sigmoid", "ReLU", "half or more never arrived"]
    titles = [axes.get_title() for axes in drawing.figure.axes]
    assert titles == ["≤ 1", "≤ 0.5", "≤ 0.2"] * 2


def test_a_line_is_the_mean_of_what_the_claim_measures(tmp_path: Path) -> None:
    evidence, claim = convergence(tmp_path), find_claim(SPEED)
    effects = claim.effects(evidence)
    assert isinstance(claim.figure, Shown)
    frames = evidence["convergence-speed"]
    here = frames.runs[frames.runs["run_id"].isin(effects.run_ids)]
    values = values_of(frames, here, claim.figure, effects)
    arm = values[(values["activation"] == "relu") & (values["depth"] == 1)]
    arm = arm[(arm["threshold"] == 1.0) & (arm["learning_rate"] == 0.1)]
    wanted = float(np.exp(np.log(arm["value"]).mean()))
    first = drawn_lines(claim, evidence)[0]
    heights = [line.get_ydata()[0] for line in first if line.get_xdata()[0] == pytest.approx(0.1)]
    assert any(height == pytest.approx(wanted) for height in heights)


def accuracies(root: Path, **means: float) -> tuple[Evidence, Effects]:
    """Write runs of two rates, the second of which halves the accuracies, as effects of a claim."""
    made = [run for one in (RELU, TANH) for run in runs(4, (0.1, 0.2), activation=one)]

    def truth(run: RunConfig) -> Truth:
        mean = means[run.activation.name]
        return Truth(accuracy=mean if run.learning_rate == 0.1 else mean / 2)

    evidence = Evidence(plant(root / "some", made, truth).parent)
    found = evidence["some"].runs
    return evidence, Effects(found.assign(effect=0.0), run_ids=found["run_id"].tolist())


def test_the_best_of_the_arm_that_others_are_judged_by_is_a_line_across(tmp_path: Path) -> None:
    evidence, effects = accuracies(tmp_path, relu=0.9, tanh=0.6)
    shown = Shown("test_accuracy", x="learning_rate", share=True, best="ReLU")
    drawing = draw_judged("some", {"some": evidence["some"]}, shown, effects)
    assert drawing is not None
    (axes,) = drawing.figure.axes
    (across,) = [line for line in axes.lines if line.get_linestyle() == ":"]
    assert list(across.get_ydata()) == pytest.approx([0.9, 0.9], abs=0.01)
    assert "Dotted: ReLU at its best learning rate." in drawing.caption


def test_shares_that_are_close_fill_the_axis(tmp_path: Path) -> None:
    evidence, effects = accuracies(tmp_path, relu=0.93, tanh=0.91)
    shown = Shown("test_accuracy", x="activation_label", share=True)
    for only, low in (({"learning_rate": 0.1}, 0.85), ({}, -0.05)):
        drawing = draw_judged(
            "some", {"some": evidence["some"]}, replace(shown, only=only), effects
        )
        assert drawing is not None
        (axes,) = drawing.figure.axes
        assert axes.get_ylim()[0] > low
        assert (axes.get_ylim()[0] < 0) == (not only)


def test_the_limit_of_the_rule_is_within_the_axis_of_shares_that_are_close(tmp_path: Path) -> None:
    evidence, effects = accuracies(tmp_path, relu=0.93, tanh=0.91)
    shown = Shown(
        "test_accuracy", x="activation_label", share=True, line=0.2, only={"learning_rate": 0.1}
    )
    drawing = draw_judged("some", {"some": evidence["some"]}, shown, effects)
    assert drawing is not None
    (axes,) = drawing.figure.axes
    assert axes.get_ylim()[0] < 0.2


def test_no_line_leads_to_runs_that_diverged_or_never_arrived(tmp_path: Path) -> None:
    evidence, claim = convergence(tmp_path, fails="relu"), find_claim(SPEED)
    effects = claim.effects(evidence)
    assert isinstance(claim.figure, Shown)
    frames = evidence["convergence-speed"]
    values = values_of(frames, frames.runs, claim.figure, effects)
    lost = values[values["mark"] != ""]
    assert {*lost.loc[lost["learning_rate"] == 0.2, "mark"]} == {DIVERGED}
    assert {*lost.loc[lost["learning_rate"] == 0.8, "mark"]} == {NOT_REACHED}
    blue = "#0072B2"
    for panel in drawn_lines(claim, evidence):
        joined = [
            line for line in panel if line.get_color() == blue and line.get_linestyle() == "-"
        ]
        assert [x for line in joined for x in line.get_xdata()] == [0.1]
        marks = {
            line.get_marker(): [*line.get_xdata()]
            for line in panel
            if line.get_color() == blue and line.get_linestyle() == "None"
        }
        assert marks["x"] == [0.2]
        assert marks["^"] == [0.8]


def test_the_dark_version_of_a_file_is_that_of_the_figure(tmp_path: Path) -> None:
    evidence, claim = convergence(tmp_path), find_claim(SPEED)
    drawing = draw_claim(claim, evidence, claim.effects(evidence))
    assert drawing is not None
    with mpl.rc_context(RC):
        light = save_svg(drawing.figure, tmp_path / "light.svg")
        dark = save_svg(darkened(drawing.figure), tmp_path / "dark.svg")
    colors = re.compile(r"(?<=: )#[0-9a-f]{6}\b")
    assert DARK_PAGE in dark
    assert {*colors.findall(dark_svg(light))} == {*colors.findall(dark)}


def test_the_page_has_each_picture_in_both_languages_and_makes_it_dark(tmp_path: Path) -> None:
    # its rule was never amended: planted runs are older than the amended ones
    id = "he-beats-xavier-for-relu"
    configs = runs(4, (0.1, 0.2), activation=RELU, initializer=HE, depth=1)
    configs += runs(4, (0.1, 0.2), activation=RELU, initializer=XAVIER, depth=1)
    plant(tmp_path / "small-init-depth", configs, lambda _: Truth(20.0))
    claims = [find_claim(id), find_claim("relu-definition"), find_claim("activation-ranking")]
    judged = build(tmp_path, claims)
    page = build_page(judged).read_text()
    for version in ("", "-ko", "-dark", "-ko-dark"):
        assert (tmp_path / "claims" / f"{id}{version}.svg").is_file()
    assert (tmp_path / "claims" / f"{id}.png").is_file()
    for version in ("", "-ko"):
        assert f'"claims/{id}{version}.png":"' in page
    # of what was not judged, or not by runs, nothing is drawn
    assert len([*(tmp_path / "claims").iterdir()]) == 5
    (image,) = re.findall(rf'<img data-picture="claims/{id}.png"[^>]*>', page)
    assert "data-versions" in image
    assert 'data-ko="학습 손실이 … 이하가 될 때까지의 업데이트 횟수(학습률별).' in image
    assert "판정에 쓰인 실행 16개만 그렸다." in page
    assert f"(claims/{id}.png)" in judged.markdown.read_text()
    assert '"#ffffff":"#0d1117"' in page


def test_a_subset_is_said_to_be_one(tmp_path: Path) -> None:
    evidence, claim = convergence(tmp_path), find_claim(SPEED)
    assert isinstance(claim.figure, Shown)
    effects = claim.effects(evidence)
    part = replace(claim, figure=replace(claim.figure, only={"depth": 4}))
    drawing = draw_claim(part, evidence, effects)
    assert drawing is not None
    assert len(drawing.run_ids) == len(effects.run_ids) / 2
    assert "Drawn are 24 of the 48 runs that were judged: depth 4." in drawing.caption


def test_values_of_a_claim_are_its_own_or_read_from_its_runs() -> None:
    for one in OWN_CLAIMS:
        if isinstance(one.figure, Shown):
            assert (one.figure.value == "updates") == bool(one.figure.thresholds), one.id
            assert bool(one.figure.words) or one.figure.value not in (OWN, EFFECT), one.id


def test_a_picture_that_cannot_be_drawn_is_missed_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ValueError("no such thing")

    monkeypatch.setattr(claim_pictures, "draw_claim", fails)
    synthetic.write(tmp_path / "planted", RUNS)
    judged = build(tmp_path, CLAIMS)
    said = [each for each in judged.words["remarks"] if "ValueError" in each.en]
    assert said
    assert all("drawing it failed with ValueError: no such thing" in each.en for each in said)
    assert all("ValueError" in each.ko and "그림 없음" in each.ko for each in said)
