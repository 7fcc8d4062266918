"""Claims about dying units: planted deaths and revivals get their verdicts, absent ones none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from planted_layers import WIDTH, Layers, none_dead, plant
from planted_runs import ELU, LEAKY, RELU, runs

from relu_exp.core.schema import Choice, RunConfig
from relu_exp.evidence.claims.korean import in_korean
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError
from relu_exp.evidence.claims.topics.dying_depth import dead_at_most, without_signal
from relu_exp.evidence.claims.verdicts import Verdict

from planted_claims import verdict_of

RATES = (0.1, 0.4)


def write(
    root: Path,
    truth: Callable[[RunConfig], Layers],
    *,
    depths: tuple[int, ...] = (2, 10),
    rates: tuple[float, ...] = RATES,
    num_seeds: int = 8,
) -> Evidence:
    """Write dying-relu, probed before and after training; WIDTH units are all there are."""
    configs = [
        replace(run, probe_steps=(0, run.num_steps), width=WIDTH)
        for activation in (RELU, LEAKY, ELU)
        for depth in depths
        for run in runs(num_seeds, rates, activation=activation, depth=depth)
    ]
    plant(root / "dying-relu", configs, truth)
    return Evidence(root)


def dying(share: Callable[[RunConfig], float], zero: float = 0.6) -> Callable[[RunConfig], Layers]:
    """Return a truth in which ReLU networks lose that share of every layer, and others none."""

    def truth(run: RunConfig) -> Layers:
        # the larger rate learns worse: the smaller is every depth's best
        accuracy = 0.9 if run.learning_rate == RATES[0] else 0.7
        if run.activation.name != "relu":
            return none_dead(run, accuracy=accuracy, zero=(0.0, 0.0))
        # a unit more or less, by seed
        more_or_less = run.seed // (1 + run.depth // 10) % 2
        lost = min(WIDTH, round(share(run) * WIDTH) + more_or_less)
        dead = [[0] * run.depth, [lost] * run.depth]
        return Layers(dead, accuracy=accuracy, zero=(0.5, zero))

    return truth


def decide(name: str, evidence: Evidence) -> Verdict:
    return verdict_of(name, evidence)


@pytest.mark.parametrize(("share", "expected"), [(0.6, "supported"), (0.1, "refuted")])
def test_the_share_at_the_largest_rate_decides_whether_half_die(
    tmp_path: Path, share: float, expected: str
) -> None:
    evidence = write(tmp_path, dying(lambda run: share if run.learning_rate == 0.4 else 0.0))
    verdict = decide("high-learning-rate-kills-half", evidence)
    assert verdict.name == expected
    assert verdict.effect == pytest.approx(share + 0.05)
    assert verdict.num_seeds == 8
    assert verdict.run_ids


def test_half_may_die_at_one_depth_only(tmp_path: Path) -> None:
    evidence = write(tmp_path, dying(lambda run: 0.8 if run.depth == 10 else 0.0))
    verdict = decide("high-learning-rate-kills-half", evidence)
    assert verdict.name == "conditional"
    assert {cell.where["depth"]: cell.verdict for cell in verdict.settings} == {
        "2": "refuted",
        "10": "supported",
    }


def fails(run: RunConfig, found: Layers, how: str) -> Layers:
    """Return layers of a run that did not survive: it diverged, or it ended at chance."""
    return replace(found, diverged=True) if how == "diverged" else replace(found, accuracy=0.1)


@pytest.mark.parametrize("how", ["diverged", "chance"])
def test_a_rate_at_which_most_runs_do_not_learn_is_not_the_large_one(
    tmp_path: Path, how: str
) -> None:
    # a loss that is finite is no survival: a network at chance is as lost as one that diverged
    def truth(run: RunConfig) -> Layers:
        found = dying(lambda run: 0.9 if run.learning_rate == 0.4 else 0.0)(run)
        return fails(run, found, how) if run.learning_rate == 0.4 else found

    verdict = decide("high-learning-rate-kills-half", write(tmp_path, truth))
    assert verdict.name == "refuted"
    assert any("Depth 2, width 10: judged at 0.1." in note for note in verdict.notes)


def test_units_of_runs_that_do_not_learn_do_not_count(tmp_path: Path) -> None:
    def truth(run: RunConfig) -> Layers:
        lost = run.learning_rate == 0.4 and run.seed < 4
        found = dying(lambda _: 1.0 if lost else 0.1)(run)
        return fails(run, found, "chance") if lost else found

    verdict = decide("high-learning-rate-kills-half", write(tmp_path, truth))
    assert verdict.name == "refuted"
    assert verdict.num_seeds == 4
    assert verdict.effect < 0.25


def test_one_rate_is_no_large_rate(tmp_path: Path) -> None:
    evidence = write(tmp_path, dying(lambda _: 0.5), rates=(0.1,), num_seeds=2)
    with pytest.raises(MissingRunsError, match="one learning rate"):
        decide("high-learning-rate-kills-half", evidence)


def test_networks_that_learn_at_no_rate_decide_nothing(tmp_path: Path) -> None:
    evidence = write(tmp_path, lambda run: none_dead(run, accuracy=0.1), num_seeds=2)
    for name in ("high-learning-rate-kills-half", "dying-grows-with-depth"):
        with pytest.raises(MissingRunsError, match="failed to learn"):
            decide(name, evidence)


@pytest.mark.parametrize(("share", "expected"), [(0.5, "supported"), (0.1, "refuted")])
def test_units_that_were_zero_somewhere_are_lost_or_not(
    tmp_path: Path, share: float, expected: str
) -> None:
    verdict = decide("one-negative-input-kills", write(tmp_path, dying(lambda _: share)))
    assert verdict.name == expected


def at_start(truth: Callable[[RunConfig], Layers], share: float) -> Callable[[RunConfig], Layers]:
    """Return a truth in which so many units more are dead before training, too."""

    def more(run: RunConfig) -> Layers:
        found = truth(run)
        lost = round(share * WIDTH) if run.depth == 10 else 0
        return replace(found, dead=[[lost] * run.depth, found.dead[1]])

    return more


def test_death_that_grows_with_depth_is_found(tmp_path: Path) -> None:
    grows = write(tmp_path / "a", at_start(dying(lambda run: run.depth / 20), 0.3))
    assert decide("dying-grows-with-depth", grows).name == "supported"
    falls = write(tmp_path / "b", dying(lambda run: 0.5 - run.depth / 20))
    assert decide("dying-grows-with-depth", falls).name == "refuted"


def test_death_that_grows_in_training_only_is_conditional(tmp_path: Path) -> None:
    verdict = decide("dying-grows-with-depth", write(tmp_path, dying(lambda run: run.depth / 20)))
    assert verdict.name == "conditional"
    sides = {cell.where["when"]: cell.verdict for cell in verdict.settings}
    assert sides == {
        "before training": "refuted",
        "at the limit": "supported",
        "one rate below it": "supported",
    }


def test_depths_are_compared_at_equal_fractions_of_their_limits(tmp_path: Path) -> None:
    # a network loses the same share at its own limit, which is lower where it is deep: at shared
    # rates the deeper one seems to lose more
    def truth(run: RunConfig) -> Layers:
        limit = 0.2 if run.depth == 10 else 0.4
        found = dying(lambda run: {0.1: 0.0, 0.2: 0.3}.get(run.learning_rate * 0.2 / limit, 0.9))
        layers = replace(found(run), accuracy=0.9 if run.learning_rate == 0.1 else 0.7)
        return fails(run, layers, "chance") if run.learning_rate > limit else layers

    verdict = decide("dying-grows-with-depth", write(tmp_path, truth, rates=(0.1, 0.2, 0.4)))
    assert verdict.name == "refuted"
    assert "supported" not in {cell.verdict for cell in verdict.settings}
    assert any("depth 2, width 10: 0.4, depth 10, width 10: 0.2" in one for one in verdict.notes)


def test_theory_of_the_start_is_that_of_sampled_networks() -> None:
    rng, (samples, width, depth) = np.random.default_rng(0), (2, 4000, 6)
    x = np.linalg.qr(rng.normal(size=(50, samples)))[0]
    shares = []
    for _ in range(depth):
        x = rng.normal(size=(width, len(x))) * np.sqrt(2 / len(x)) @ x
        shares.append((x <= 0).all(axis=1).mean())
        x = np.maximum(x, 0)
    assert dead_at_most(depth) == pytest.approx(np.mean(shares), abs=0.02)
    assert dead_at_most(1) == 0.25
    off = [
        any((rng.random((10, 3)) < 0.5).all(axis=1)) for _ in range(4000)
    ]  # signs of three units in ten layers
    assert without_signal(10, 3) == pytest.approx(np.mean(off), abs=0.03)


def test_one_depth_is_not_compared(tmp_path: Path) -> None:
    evidence = write(tmp_path, dying(lambda _: 0.5), depths=(2,), num_seeds=2)
    with pytest.raises(MissingRunsError, match="one depth"):
        decide("dying-grows-with-depth", evidence)


def test_elu_without_a_dead_unit_where_relu_loses_some_prevents_dying(tmp_path: Path) -> None:
    verdict = decide("elu-prevents-dying", write(tmp_path, dying(lambda _: 0.3), num_seeds=2))
    assert verdict.name == "supported"


def with_dead_elu(how: str) -> Callable[[RunConfig], Layers]:
    """Return a truth in which one seed of ELU has a dead unit at the larger rate."""

    def truth(run: RunConfig) -> Layers:
        found = dying(lambda _: 0.3)(run)
        if run.activation.name == "elu" and run.learning_rate == 0.4 and run.seed == 1:
            found = replace(found, dead=[[0] * run.depth, [1] + [0] * (run.depth - 1)])
            return found if how == "learns" else fails(run, found, how)
        return found

    return truth


def test_one_dead_unit_of_a_run_that_learns_is_a_counter_example(tmp_path: Path) -> None:
    verdict = decide("elu-prevents-dying", write(tmp_path, with_dead_elu("learns"), num_seeds=2))
    assert verdict.name == "conditional"
    failed = [cell.where for cell in verdict.settings if cell.verdict == "refuted"]
    assert {where["learning_rate"] for where in failed} == {"0.4"}


@pytest.mark.parametrize("how", ["diverged", "chance"])
def test_dead_units_of_runs_that_do_not_learn_refute_nothing(tmp_path: Path, how: str) -> None:
    verdict = decide("elu-prevents-dying", write(tmp_path, with_dead_elu(how), num_seeds=2))
    assert verdict.name == "supported"
    beyond = [note for note in verdict.notes if "without having learned" in note]
    # how many units a run that diverged had lost says nothing of its end
    assert len(beyond) == (how == "chance")
    assert all("of ELU's units are dead, too" in note and in_korean(note) for note in beyond)
    assert all("learning rate 0.4" in note for note in beyond)


def keeps(accuracies: dict[tuple[str, float], float]) -> Callable[[RunConfig], Layers]:
    """Return a truth in which ReLU loses a fifth at 0.1 and half at 0.4, with such accuracies."""

    def truth(run: RunConfig) -> Layers:
        found = dying(lambda run: 0.2 if run.learning_rate == 0.1 else 0.5)(run)
        name = run.activation.name
        return replace(found, accuracy=accuracies.get((name, run.learning_rate), 0.9))

    return truth


KEPT = [
    ({("relu", 0.4): 0.3}, "supported"),
    ({("relu", 0.4): 0.3, ("leaky_relu", 0.1): 0.8, ("leaky_relu", 0.4): 0.3}, "refuted"),
    ({("relu", 0.4): 0.3, ("leaky_relu", 0.4): 0.3}, "conditional"),
]


@pytest.mark.parametrize(("accuracies", "expected"), KEPT)
def test_a_leak_must_keep_the_accuracy_where_units_die(
    tmp_path: Path, accuracies: dict[tuple[str, float], float], expected: str
) -> None:
    # not one of its units is dead in any of the three
    verdict = decide("leaky-relu-prevents-dying", write(tmp_path, keeps(accuracies)))
    assert verdict.name == expected
    where = {(cell.where["dead of ReLU"], cell.verdict) for cell in verdict.settings}
    if expected == "conditional":
        assert where == {("10% or more", "supported"), ("40% or more", "refuted")}


@pytest.mark.parametrize("name", ["leaky-relu-prevents-dying", "elu-prevents-dying"])
def test_where_relu_loses_nothing_nothing_is_prevented(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingRunsError, match="nothing to prevent"):
        decide(name, write(tmp_path, none_dead, num_seeds=2))


def come_back(root: Path, dead: Callable[[RunConfig], list[list[int]]]) -> Evidence:
    """Write revivals and dying-relu, probed three times, with and without momentum."""
    plain = Choice("sgd", (("momentum", 0.0), ("weight_decay", 0.0)))
    moving = Choice("sgd", (("momentum", 0.9), ("weight_decay", 0.0)))
    for name, optimizers in (("revivals", (plain, moving)), ("dying-relu", (plain,))):
        configs = [
            replace(run, optimizer=optimizer, probe_steps=(0, 10, 20), width=WIDTH)
            for optimizer in optimizers
            for run in runs(2, (0.1,), depth=2)
        ]
        plant(root / name, configs, lambda run: Layers(dead(run), zero=(0.5,) * 3))
    return Evidence(root)


def test_units_that_stay_dead_never_recover(tmp_path: Path) -> None:
    verdict = decide(
        "dead-units-never-recover", come_back(tmp_path, lambda _: [[0, 0], [2, 1], [3, 1]])
    )
    assert verdict.name == "supported"
    assert verdict.effect == 0


def test_revivals_are_counted_exactly_and_by_layer(tmp_path: Path) -> None:
    # of four units dead in the second layer one is left: three came back
    verdict = decide(
        "dead-units-never-recover", come_back(tmp_path, lambda _: [[0, 0], [2, 4], [2, 1]])
    )
    assert verdict.name == "conditional"
    found = {
        (cell.where["layer"], cell.where["optimizer"]): cell.effect for cell in verdict.settings
    }
    assert found == {
        ("first", "SGD"): 0,
        ("first", "SGD, momentum 0.9"): 0,
        ("deeper", "SGD"): 0.75,
        ("deeper", "SGD, momentum 0.9"): 0.75,
    }
    # two seeds of three sets of runs
    assert "36 units that were dead at a probe, 18 were alive" in verdict.text


def test_revivals_in_every_part_refute(tmp_path: Path) -> None:
    verdict = decide(
        "dead-units-never-recover", come_back(tmp_path, lambda _: [[0, 0], [2, 4], [1, 1]])
    )
    assert verdict.name == "refuted"


def test_without_deaths_there_is_nothing_to_come_back(tmp_path: Path) -> None:
    with pytest.raises(MissingRunsError, match="no unit died"):
        decide("dead-units-never-recover", come_back(tmp_path, lambda _: [[0, 0]] * 3))


@pytest.mark.parametrize(
    "name",
    [
        "high-learning-rate-kills-half",
        "dead-units-never-recover",
        "one-negative-input-kills",
        "dying-grows-with-depth",
        "leaky-relu-prevents-dying",
        "elu-prevents-dying",
        "relu-activations-are-sparse",
    ],
)
def test_without_results_nothing_is_decided(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingRunsError, match="has not been run"):
        decide(name, Evidence(tmp_path))


@pytest.mark.parametrize(("zero", "expected"), [(0.7, "supported"), (0.55, "refuted")])
def test_zeros_after_training_decide_whether_activations_are_sparse(
    tmp_path: Path, zero: float, expected: str
) -> None:
    evidence = write(tmp_path, dying(lambda _: 0.0, zero))
    assert decide("relu-activations-are-sparse", evidence).name == expected


def test_one_seed_decides_nothing(tmp_path: Path) -> None:
    evidence = write(tmp_path, dying(lambda _: 0.6), num_seeds=1)
    for name in ("high-learning-rate-kills-half", "one-negative-input-kills"):
        assert decide(name, evidence).name == "inconclusive"
