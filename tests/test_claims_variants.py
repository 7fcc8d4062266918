"""Claims about leaks: planted differences get their verdicts; two rivals share one evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from planted_runs import HE, RELU, XAVIER, Truth, plant, runs

from relu_exp.core.schema import Choice, RunConfig
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError, find_claim
from relu_exp.evidence.claims.verdicts import Verdict

from planted_claims import verdict_of

PRELU = Choice("prelu", (("init", 0.25), ("per", "unit")))
RRELU = Choice("rrelu", (("lower", 0.125), ("upper", 0.333333)))
SEEDS = 12

Heights = Callable[[RunConfig, float], float]


def leaky(slope: float) -> Choice:
    return Choice("leaky_relu", (("negative_slope", slope),))


def images(count: int) -> Choice:
    return Choice("mnist5k", (("num_train", float(count)),))


def write(
    root: Path,
    height: Heights,
    *,
    leaks: tuple[float, ...] = (0.01, 0.2, 0.8),
    sizes: tuple[int, ...] = (200, 4000),
    variants: Callable[[RunConfig], Truth] | None = None,
    num_seeds: int = SEEDS,
) -> Evidence:
    """Write leaks and small-data: test accuracy by leak, 0 for ReLU; the larger rate is worse."""

    def truth(run: RunConfig) -> Truth:
        name = run.activation.name
        if variants is not None and run.dataset["num_train"] is not None:
            found = variants(run)
        else:
            slope = run.activation.as_dict().get("negative_slope", 0.0)
            found = Truth(accuracy=height(run, float(slope or 0.0)) if name != "prelu" else 0.8)
        worse = 0.2 if run.learning_rate > 0.1 else 0.0
        return replace(found, accuracy=found.accuracy - worse, train_accuracy=1.0)

    configs = [
        run
        for activation in (RELU, *map(leaky, leaks))
        for initializer in (HE, XAVIER)
        for depth in (2, 8)
        for run in runs(num_seeds, activation=activation, initializer=initializer, depth=depth)
    ]
    plant(root / "leaks", [_short(run) for run in configs], truth)
    small = [
        run
        for activation in (RELU, leaky(0.01), leaky(0.25), PRELU, RRELU)
        for size in sizes
        for run in runs(num_seeds, activation=activation, dataset=images(size), depth=3)
    ]
    if small:
        plant(root / "small-data", [_short(run) for run in small], truth)
    return Evidence(root)


def _short(run: RunConfig) -> RunConfig:
    return replace(run, evaluation_steps=(run.num_steps,))


def decide(name: str, evidence: Evidence) -> Verdict:
    return verdict_of(name, evidence)


RIVALS = ("leaky-beats-relu-almost-always", "leaky-or-relu-depends")


def rivals(evidence: Evidence) -> tuple[str, ...]:
    found = [decide(name, evidence) for name in RIVALS]
    # the same runs, the same parts, the same intervals
    assert found[0].run_ids == found[1].run_ids
    both = [[(cell.where, cell.low, cell.high) for cell in verdict.settings] for verdict in found]
    assert both[0] == both[1]
    return tuple(verdict.name for verdict in found)


def test_a_leak_that_wins_everywhere_by_little_beats_relu_and_does_not_depend(
    tmp_path: Path,
) -> None:
    evidence = write(tmp_path, lambda _, slope: 0.815 if slope else 0.8)
    assert rivals(evidence) == ("supported", "refuted")


def test_a_winner_that_changes_with_the_depth_depends(tmp_path: Path) -> None:
    def height(run: RunConfig, slope: float) -> float:
        return 0.8 + (0.012 if run.depth == 8 else -0.012) * (slope > 0)

    assert rivals(write(tmp_path, height)) == ("refuted", "supported")


def test_a_difference_that_is_not_little_somewhere_is_conditional(tmp_path: Path) -> None:
    def height(run: RunConfig, slope: float) -> float:
        return 0.8 + (0.08 if run.depth == 8 else -0.005) * (slope > 0)

    assert rivals(write(tmp_path, height)) == ("refuted", "conditional")


def test_no_difference_is_no_win_for_either(tmp_path: Path) -> None:
    always, depends = rivals(write(tmp_path, lambda *_: 0.8))
    assert always in ("refuted", "inconclusive")
    assert depends == "inconclusive"


def test_one_seed_decides_neither(tmp_path: Path) -> None:
    evidence = write(tmp_path, lambda _, slope: 0.9 if slope else 0.8, num_seeds=1)
    assert rivals(evidence) == ("inconclusive", "inconclusive")


def test_few_seeds_say_how_many_would_decide(tmp_path: Path) -> None:
    evidence = write(tmp_path, lambda _, slope: 0.815 if slope else 0.8, num_seeds=2)
    verdict = decide(RIVALS[0], evidence)
    assert verdict.name == "inconclusive"
    assert verdict.low <= verdict.effect <= verdict.high
    assert verdict.seeds_needed is not None
    assert verdict.seeds_needed > 2


def test_the_two_rivals_name_each_other() -> None:
    assert [find_claim(name).disagrees_with for name in RIVALS] == list(reversed(RIVALS))


@pytest.mark.parametrize(("gain", "expected"), [(0.03, "supported"), (-0.01, "refuted")])
def test_a_larger_leak_wins_or_loses(tmp_path: Path, gain: float, expected: str) -> None:
    evidence = write(tmp_path, lambda _, slope: 0.8 + gain * (slope == 0.2))
    verdict = decide("leak-0.2-beats-0.01", evidence)
    assert verdict.name == expected
    assert verdict.effect == pytest.approx(gain, abs=0.005)


def test_a_larger_leak_that_wins_in_deep_networks_only_is_conditional(tmp_path: Path) -> None:
    def height(run: RunConfig, slope: float) -> float:
        return 0.8 + (0.04 if run.depth == 8 else -0.02) * (slope == 0.2)

    evidence = write(tmp_path, height)
    assert decide("leak-0.2-beats-0.01", evidence).name == "conditional"


def test_one_part_in_which_the_largest_leak_loses_is_enough(tmp_path: Path) -> None:
    evidence = write(tmp_path, lambda run, slope: 0.8 - 0.04 * (slope == 0.8) * (run.depth == 8))
    assert decide("larger-leak-not-always-better", evidence).name == "supported"


def test_a_largest_leak_that_loses_nowhere_refutes(tmp_path: Path) -> None:
    evidence = write(tmp_path, lambda _, slope: 0.8 + 0.02 * (slope == 0.8))
    assert decide("larger-leak-not-always-better", evidence).name == "refuted"


def test_without_a_larger_leak_nothing_is_said_of_it(tmp_path: Path) -> None:
    evidence = write(tmp_path, lambda *_: 0.8, leaks=(0.01, 0.2), num_seeds=2)
    with pytest.raises(MissingRunsError, match=r"larger than 0\.2"):
        decide("larger-leak-not-always-better", evidence)


def by_name(heights: dict[str, float]) -> Callable[[RunConfig], Truth]:
    """Return test accuracies by activation and, with a colon, by size: `prelu:200`."""

    def truth(run: RunConfig) -> Truth:
        sized = f"{run.activation.name}:{run.dataset['num_train']:g}"
        return Truth(accuracy=heights.get(sized, heights.get(run.activation.name, 0.8)))

    return truth


SMALL_DATA = [
    ("prelu-overfits-small-data", {"prelu:200": 0.75}, "supported"),
    ("prelu-overfits-small-data", {"prelu:4000": 0.75}, "refuted"),
    ("prelu-overfits-small-data", {"prelu:200": 0.85}, "refuted"),
    ("prelu-beats-relu-on-large-data", {"prelu:4000": 0.83}, "supported"),
    ("prelu-beats-relu-on-large-data", {"prelu:200": 0.9, "prelu:4000": 0.78}, "refuted"),
    ("rrelu-beats-prelu-on-small-data", {"rrelu:200": 0.83}, "supported"),
    ("rrelu-beats-prelu-on-small-data", {"rrelu:4000": 0.9, "rrelu:200": 0.78}, "refuted"),
]


@pytest.mark.parametrize(("name", "heights", "expected"), SMALL_DATA)
def test_planted_differences_on_few_and_many_images_are_found(
    tmp_path: Path, name: str, heights: dict[str, float], expected: str
) -> None:
    evidence = write(tmp_path, lambda *_: 0.8, variants=by_name(heights))
    assert decide(name, evidence).name == expected


def test_large_is_said_in_images(tmp_path: Path) -> None:
    verdict = decide("prelu-beats-relu-on-large-data", write(tmp_path, lambda *_: 0.8))
    assert any("Large means 4,000 images" in note for note in verdict.notes)


def test_sets_that_are_not_small_decide_nothing_about_small_ones(tmp_path: Path) -> None:
    evidence = write(tmp_path, lambda *_: 0.8, sizes=(4000,), num_seeds=2)
    for name in ("prelu-overfits-small-data", "rrelu-beats-prelu-on-small-data"):
        with pytest.raises(MissingRunsError, match="500 images or fewer"):
            decide(name, evidence)
    few = write(tmp_path / "few", lambda *_: 0.8, sizes=(200,), num_seeds=2)
    with pytest.raises(MissingRunsError, match="more than 500 images"):
        decide("prelu-beats-relu-on-large-data", few)


def test_a_claim_on_two_experiments_needs_both(tmp_path: Path) -> None:
    evidence = write(tmp_path, lambda *_: 0.8, sizes=(), num_seeds=2)
    with pytest.raises(MissingRunsError, match="small-data has not been run"):
        decide(RIVALS[0], evidence)
