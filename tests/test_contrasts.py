"""Contrasts: tuned, paired and judged as claims are, and refused in one line where they cannot."""

from __future__ import annotations

import io
import math
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from planted_runs import GELU, RELU, SIGMOID, TANH, Truth, plant, runs

from relu_exp.cli import main
from relu_exp.config import sweeps
from relu_exp.core.contrasts import contrast_of, metric_of
from relu_exp.core.schema import Choice, RunConfig, UsageError
from relu_exp.evidence.claims.arms import at_best_rate, ratios
from relu_exp.evidence.claims.judging import judge
from relu_exp.evidence.claims.registry import Evidence, find_claim
from relu_exp.evidence.contrasts.contrast import Contrasted
from relu_exp.evidence.contrasts.printing import contrast_in, printed
from relu_exp.evidence.contrasts.table import as_frame
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.language import language
from relu_exp.evidence.report.report import build

from planted_claims import verdict_of

ACCURACY = {"relu": 0.9, "gelu": 0.94, "tanh": 0.9, "sigmoid": 0.8}
TIME = {"relu": 50.0, "gelu": 30.0, "tanh": 50.0, "sigmoid": 900.0}


def truth(config: RunConfig) -> Truth:
    name = config.activation.name
    off = 0.02 if config.learning_rate != 0.1 else 0.0
    lost = 20 if name == "tanh" and config.seed == 1 else None
    return Truth(accuracy=ACCURACY[name] - off, time=TIME[name], diverged_at=lost)


def arms(num_seeds: int = 8, **groups: object) -> list[RunConfig]:
    return [
        run
        for activation in (RELU, GELU, TANH, SIGMOID)
        for run in runs(num_seeds, (0.03, 0.1, 0.3), activation=activation, **groups)
    ]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plant(tmp_path_factory.mktemp("contrast") / "cmp", arms(), truth)


def found(folder: Path, **given: object) -> Contrasted:
    return contrast_in(Frames.open(folder), given)[0]


def by_arm(found: Contrasted) -> dict[str, object]:
    return {row.arm: row for row in found.rows}


def test_arms_are_better_worse_and_diverge_apart(planted: Path) -> None:
    rows = by_arm(found(planted, margin=0.02))
    assert {name: row.name for name, row in rows.items()} == {
        "ReLU": "reference",
        "GELU": "better",
        "tanh": "no difference",
        "sigmoid": "worse",
    }
    assert rows["tanh"].failed == {"first": (1, 8), "second": (0, 8)}
    assert rows["tanh"].verdict.num_seeds == rows["tanh"].level.n == 7
    assert rows["GELU"].rate == 0.1
    assert not rows["GELU"].at_edge


def test_a_difference_within_the_noise_is_not_decided_and_says_how_many_seeds(
    tmp_path: Path,
) -> None:
    few = [run for run in arms(3) if run.activation in (RELU, TANH)]
    folder = plant(tmp_path / "few", few, lambda run: replace(truth(run), diverged_at=None))
    row = by_arm(found(folder, margin=0.004))["tanh"]
    assert row.name == "not decided"
    assert row.verdict.seeds_needed is None or row.verdict.seeds_needed > 3


def test_the_direction_follows_the_metric(planted: Path) -> None:
    rows = by_arm(found(planted, metric="updates:train_loss<0.5"))
    assert rows["GELU"].name == "better"
    assert rows["GELU"].verdict.effect < 1
    assert rows["sigmoid"].name == "worse"
    loss = by_arm(found(planted, metric="loss"))
    assert loss["sigmoid"].name == "worse"
    assert loss["sigmoid"].verdict.effect > 0


def test_a_time_that_never_came_stays_a_bound(planted: Path) -> None:
    row = by_arm(found(planted, metric="updates:train_loss<0.5"))["sigmoid"]
    assert row.verdict.bound == "lower"
    assert math.isinf(row.verdict.high)
    assert math.isinf(row.level.mean)
    assert "more than" in printed(planted, {"metric": "updates:train_loss<0.5"}, "table", "en")
    assert "not reached" in printed(planted, {"metric": "updates:train_loss<0.5"}, "table", "en")


def test_a_claim_rewritten_as_a_contrast_gives_the_same_numbers(tmp_path: Path) -> None:
    """Of accuracy at each width: the settings of the claim are rows of the contrast."""
    made = [
        run
        for width in (4, 32)
        for activation in (RELU, TANH, SIGMOID)
        for run in runs(6, (0.03, 0.1, 0.3), activation=activation, width=width)
    ]
    plant(tmp_path / "simple-networks", made, lambda run: replace(truth(run), diverged_at=None))
    claim = find_claim("relu-worse-on-simple-networks")
    assert claim.rule.threshold == 0.01
    by_seed = replace(claim.rule, over="seed", set_of=1)
    verdict = judge(claim.effects(Evidence(tmp_path)), by_seed)
    here = found(
        tmp_path / "simple-networks",
        arm="activation",
        against="relu",
        by="width",
        margin=0.01,
    )
    rows = {(row.arm, row.where["width"]): row.verdict for row in here.rows}
    assert len(verdict.settings) == 4
    for setting in verdict.settings:
        row = rows[setting.where["rival"], int(setting.where["width"])]
        assert (row.effect, row.low, row.high) == (setting.effect, setting.low, setting.high)
        assert row.num_seeds == setting.num_seeds


def test_a_claim_about_updates_gives_the_same_numbers_where_rates_are_the_same(
    tmp_path: Path,
) -> None:
    made = [run for activation in (RELU, SIGMOID) for run in runs(6, (0.1,), activation=activation)]
    fast = {"relu": 30.0, "sigmoid": 60.0}
    plant(tmp_path / "convergence-speed", made, lambda run: Truth(time=fast[run.activation.name]))
    frames = Frames.open(tmp_path / "convergence-speed")
    verdict = verdict_of("relu-converges-faster-than-sigmoid", Evidence(tmp_path))
    row = by_arm(found(frames.root, metric="updates:train_loss<0.5"))["sigmoid"].verdict
    (setting,) = [one for one in verdict.settings if one.where["threshold"] == "0.5"]
    assert (row.effect, row.low, row.high) == (setting.effect, setting.low, setting.high)
    same = ratios(
        frames,
        at_best_rate(frames.runs, ["activation"]),
        "activation",
        "sigmoid",
        "relu",
        [0.5],
    )
    assert len(same) == row.num_seeds == 6


def test_holm_counts_every_row(tmp_path: Path) -> None:
    """An arm that is decided alone may be undecided among many, whose number is corrected for."""
    slopes = [Choice("leaky_relu", (("negative_slope", 0.01 * k),)) for k in range(1, 12)]

    def rises(run: RunConfig) -> Truth:
        return Truth(accuracy=0.85 + 0.2 * run.activation.as_dict().get("negative_slope", 0.0))

    def arm(one: Choice) -> list[RunConfig]:
        return runs(4, (0.1,), activation=one)

    every = [run for one in (RELU, *slopes) for run in arm(one)]
    rows = [
        row
        for row in found(plant(tmp_path / "many", every, rises)).rows
        if row.name == "not decided" and row.verdict.p_value < 0.05
    ]
    assert rows
    slope = next(one for one in slopes if rows[0].arm.endswith(f"={one['negative_slope']:g})"))
    alone = found(plant(tmp_path / "alone", [*arm(RELU), *arm(slope)], rises)).rows[1]
    assert alone.verdict.p_value == rows[0].verdict.p_value
    assert alone.name in ("better", "no difference")


def test_every_other_setting_is_tuned_on_validation_and_named(tmp_path: Path) -> None:
    made = [run for batch in (16, 32) for run in arms(4, batch_size=batch)]

    def better_with_few(run: RunConfig) -> Truth:
        off = 0.1 if (run.batch_size == 16) == (run.activation.name == "gelu") else 0.0
        return Truth(accuracy=ACCURACY[run.activation.name] - off)

    folder = plant(tmp_path / "tuned", made, better_with_few)
    rows = by_arm(found(folder))
    assert {name: row.tuned["batch_size"] for name, row in rows.items()} == {
        "ReLU": 16,
        "GELU": 32,
        "tanh": 16,
        "sigmoid": 16,
    }
    assert "batch size" in printed(folder, {}, "markdown", "en")
    # compared by batch size, nothing but the rate is tuned
    apart = found(folder, by="batch_size")
    assert len(apart.rows) == 8
    assert not any(row.tuned for row in apart.rows)


def test_a_setting_that_runs_leave_out_is_an_arm_named_none(tmp_path: Path) -> None:
    """A setting that came later is not in the rows of runs that have its default."""
    plain, normed = (
        Choice("mlp", (*settings, ("output", "logits")))
        for settings in ((), (("normalization", "batch"),))
    )
    made = [run for network in (plain, normed) for run in runs(4, (0.1,), network=network)]
    folder = plant(tmp_path / "norm", made, lambda run: Truth(accuracy=0.9))
    key = "network.normalization"
    rows = found(folder, arm=[key], against={key: "none"}).rows
    assert [row.arm for row in rows] == ["none", "batch"]


def test_csv_holds_the_numbers_and_the_others_are_escaped(planted: Path) -> None:
    frame = pd.read_csv(io.StringIO(printed(planted, {}, "csv", "ko")))
    with language("ko"):
        expected = as_frame(found(planted))
    pd.testing.assert_frame_equal(frame, expected, check_dtype=False)
    assert r"\%" in printed(planted, {}, "latex", "en")
    assert r"\toprule" in printed(planted, {}, "latex", "ko")
    assert "더 좋음" in printed(planted, {"margin": 0.02}, "table", "ko")


def test_a_report_compares_arms_by_itself_from_three_seeds_on(
    planted: Path, tmp_path: Path
) -> None:
    built = build(planted)
    assert planted / "figures" / "contrast_forest.svg" in built.figures
    page = built.html.read_text()
    assert 'id="contrast-table"' in page
    assert "Every arm against ReLU" in built.markdown.read_text()
    two = plant(tmp_path / "two", arms(2), lambda run: replace(truth(run), diverged_at=None))
    built = build(two)
    assert not any(path.name.startswith("contrast") for path in built.figures)
    assert not any("contrast" in warning for warning in built.warnings)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"arm": "activaton", "against": "relu"}, r"unknown key 'activaton' \(did you mean activ"),
        ({"arm": "activation", "against": "rellu"}, r"activation=rellu \(did you mean relu\?\)"),
        ({"arm": "activation"}, "without --against"),
        ({"arm": "seed", "against": "0"}, "seeds are what arms are paired by"),
        ({"arm": "learning_rate", "against": "0.1"}, "learning_rate is tuned"),
        ({"arm": "activation,initializer", "against": "relu"}, "1 values and arm 2 keys"),
        ({"metric": "acuracy"}, r"did you mean accuracy\?"),
        ({"metric": "updates:train_loss>0.5"}, "a loss falls"),
        ({"metric": "updates:train_loss<0"}, "no threshold"),
        ({"margin": "-1"}, "it must be above 0"),
        ({"margin": "0.5", "metric": "updates:train_loss<0.5"}, "a ratio above 1"),
        ({"by": "activation"}, "both as an arm and under by"),
        ({"arm": "depth", "against": "1"}, "one arm only"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(
    planted: Path, given: dict[str, str], says: str
) -> None:
    with pytest.raises(UsageError, match=says) as error:
        found(planted, **given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"arm": "activation", "against": "rellu"}, "activation=rellu인 것이 없다 (혹시 relu?)"),
        ({"arm": "activation", "against": "logistic"}, "(logistic = sigmoid)"),
        ({"arm": "depth", "against": "1"}, "비교할 상대가 없다"),
        ({"metric": "r2"}, "클래스를 고르므로 R²가 없다"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_korean(
    planted: Path, given: dict[str, str], says: str
) -> None:
    with language("ko"), pytest.raises(UsageError, match=re.escape(says)):
        found(planted, **given)


def test_several_arms_are_no_reference(tmp_path: Path) -> None:
    leaks = [Choice("leaky_relu", (("negative_slope", slope),)) for slope in (0.01, 0.1)]
    made = [run for one in (RELU, *leaks) for run in runs(3, (0.1,), activation=one)]
    folder = plant(tmp_path / "leaks", made, lambda run: Truth())
    with pytest.raises(UsageError, match="is several arms: leaky ReLU"):
        found(folder, arm="activation", against="leaky_relu")
    named = found(folder, arm="activation", against="leaky ReLU (negative_slope=0.1)")
    assert named.reference == "leaky ReLU (negative_slope=0.1)"


EXPERIMENT = """
title: Is mine better?
sweep: {activation: [relu, gelu], seed: [0, 1, 2]}
overrides: {depth: 1, num_steps: 10}
contrast: %s
"""


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ("{arm: [activation], against: {activation: relu}}", ""),
        ("{arm: [activation], against: {activation: rel}}", r"not run \(did you mean relu\?\)"),
        ("{arm: [activation], aganst: {activation: relu}}", r"did you mean against\?"),
        ("{arm: [activatoin], against: {activatoin: relu}}", r"did you mean activation\?"),
        ("{arm: [activation], against: {}}", "against has no activation"),
        ("{against: {activation: relu}}", "has no arm"),
        ("[activation]", "is not a mapping"),
        ("{arm: [activation], against: {activation: relu}, margin: no}", "margin no is not valid"),
    ],
)
def test_a_contrast_is_validated_when_the_sweep_is_composed(
    tmp_path: Path, stated: str, says: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(EXPERIMENT % stated)
    if not says:
        (sweep,) = sweeps([str(file)])
        assert sweep.contrast == contrast_of(sweep.contrast.as_json())
        # an arm that the command line leaves out is no mistake of the file
        assert sweeps([str(file)], ["activation=gelu"])[0].contrast == sweep.contrast
        return
    with pytest.raises(UsageError, match=says) as error:
        sweeps([str(file)])
    assert "/mine.yaml: " in str(error.value)
    assert "\n" not in str(error.value)


def test_what_an_experiment_states_is_what_its_report_compares(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        EXPERIMENT % "{arm: [activation], against: {activation: gelu}, margin: 0.9, metric: loss}"
    )
    results = tmp_path / "results"
    arguments = [str(file), "dataset=moons", "width=4", "--results", str(results)]
    assert main(["run", *arguments, "--workers", "1"]) == 0
    assert "Every arm against GELU" in (results / "mine" / "report.md").read_text()
    capsys.readouterr()
    assert main(["contrast", str(results / "mine")]) == 0
    printed_table = capsys.readouterr().out
    assert "fixed in the experiment before its runs" in printed_table
    assert "no difference that matters" in printed_table
    assert main(["contrast", str(results / "mine"), "--format", "cvs"]) == 2
    assert "did you mean csv?" in capsys.readouterr().err


def test_a_metric_is_read_as_it_is_written() -> None:
    metric = metric_of("updates:validation_accuracy>=0.9")
    assert (metric.split, metric.curve, metric.threshold) == ("validation", "accuracy", 0.9)
