"""Claims about depth and starts: planted accuracies by depth come out as they were planted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from planted_runs import HE, LEAKY, RELU, SIGMOID, SMALL, TANH, XAVIER, Truth, plant, runs

from relu_exp.core.schema import Choice, RunConfig
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError

from planted_claims import verdict_of

WIDE = Choice("xavier_normal", (("gain", 4.0),))
SGD = Choice("sgd", (("momentum", 0.0), ("weight_decay", 0.0)))
ADAM = Choice("adam", (("beta1", 0.9), ("beta2", 0.999)))
PLAIN = Choice("mlp", (("output", "logits"),))
UNSCALED, SCALED, NORMALIZED = (
    Choice(
        "residual_mlp", (("block_size", 2), ("branch_scale", scale), *more, ("output", "logits"))
    )
    for scale, more in ((1.0, ()), ("depth", ()), (1.0, (("normalization", "layer"),)))
)
Accuracy = Callable[[RunConfig], float]


def waited(configs: Sequence[RunConfig], num_steps: int) -> list[RunConfig]:
    """Return runs of so many updates, evaluated at the start and the end."""
    return [replace(run, num_steps=num_steps, evaluation_steps=(0, num_steps)) for run in configs]


def deep_sigmoid(root: Path, accuracy: Accuracy, num_steps: int = 4000) -> Evidence:
    configs = [
        run
        for initializer in (XAVIER, WIDE)
        for optimizer in (SGD, ADAM)
        for depth in (2, 9, 10)
        for run in runs(
            activation=SIGMOID, initializer=initializer, optimizer=optimizer, depth=depth
        )
    ]
    configs = waited(configs, num_steps)
    plant(root / "deep-sigmoid", configs, lambda run: Truth(accuracy=accuracy(run)))
    return Evidence(root)


def depth_limit(root: Path, accuracy: Accuracy, num_steps: int = 1500) -> Evidence:
    started = [(SIGMOID, XAVIER), (TANH, XAVIER), (RELU, HE), (LEAKY, HE), (RELU, XAVIER)]
    configs = [
        run
        for activation, initializer in started
        for network in (PLAIN, UNSCALED, SCALED, NORMALIZED)
        for depth in ((5, 21, 41) if network is PLAIN else (41,))
        for run in runs(
            activation=activation, initializer=initializer, network=network, depth=depth
        )
    ]
    configs = waited(configs, num_steps)
    plant(root / "depth-limit", configs, lambda run: Truth(accuracy=accuracy(run)))
    return Evidence(root)


def small_init(root: Path, truth: Callable[[RunConfig], Truth]) -> Evidence:
    configs = [
        run
        for activation in (TANH, RELU)
        for initializer in (SMALL, XAVIER, *([HE] if activation is RELU else []))
        for depth in (1, 10)
        for run in runs(activation=activation, initializer=initializer, depth=depth)
    ]
    plant(root / "small-init-depth", configs, truth)
    return Evidence(root)


def decide(name: str, evidence: Evidence):  # type: ignore[no-untyped-def]
    return verdict_of(name, evidence)


@pytest.mark.parametrize(
    ("deep", "verdict"),
    [
        (lambda run: 0.1, "supported"),
        (lambda run: 0.8, "refuted"),
        (lambda run: 0.9 if run.initializer == WIDE else 0.1, "conditional"),
        (lambda run: 0.9 if run.optimizer == ADAM else 0.1, "conditional"),
    ],
)
def test_deep_sigmoid_fails_or_works_by_start_and_optimizer(
    tmp_path: Path, deep: Accuracy, verdict: str
) -> None:
    evidence = deep_sigmoid(tmp_path, lambda run: 0.9 if run.depth == 2 else deep(run))
    assert decide("sigmoid-fails-beyond-nine-layers", evidence).name == verdict


def test_a_setting_in_which_two_layers_fail_says_nothing_of_nine(tmp_path: Path) -> None:
    evidence = deep_sigmoid(
        tmp_path, lambda run: 0.1 if run.optimizer == SGD or run.depth > 2 else 0.9
    )
    verdict = decide("sigmoid-fails-beyond-nine-layers", evidence)
    assert {cell.where["optimizer"] for cell in verdict.settings} == {"Adam"}
    assert any(note.startswith("Left out") for note in verdict.notes)
    nothing = deep_sigmoid(tmp_path / "nothing", lambda run: 0.1)
    with pytest.raises(MissingRunsError, match="two sigmoid layers"):
        decide("sigmoid-fails-beyond-nine-layers", nothing)


def test_too_few_updates_tell_no_slow_network_from_one_that_does_not_learn(tmp_path: Path) -> None:
    short = deep_sigmoid(tmp_path, lambda run: 0.9 if run.depth == 2 else 0.1, num_steps=400)
    with pytest.raises(MissingRunsError, match="4,000 updates"):
        decide("sigmoid-fails-beyond-nine-layers", short)
    short = depth_limit(tmp_path, lambda run: 0.9 if run.depth == 5 else 0.1, num_steps=300)
    for name in (
        "relu-trains-deeper",
        "relu-fails-at-dozens-of-layers",
        "skip-connections-restore-depth",
    ):
        with pytest.raises(MissingRunsError, match="1,500 updates"):
            decide(name, short)


def only_relu(run: RunConfig) -> float:
    return 0.9 if run.activation.name == "relu" or run.depth == 5 else 0.1


def test_depth_that_only_relu_trains(tmp_path: Path) -> None:
    assert decide("relu-trains-deeper", depth_limit(tmp_path / "1", only_relu)).name == "supported"
    assert (
        decide("relu-trains-deeper", depth_limit(tmp_path / "2", lambda run: 0.9)).name == "refuted"
    )
    not_tanh = depth_limit(
        tmp_path / "3", lambda run: 0.1 if run.activation == SIGMOID and run.depth > 5 else 0.9
    )
    verdict = decide("relu-trains-deeper", not_tanh)
    assert verdict.name == "conditional"
    held = {cell.where["rival"] for cell in verdict.settings if cell.verdict == "supported"}
    assert held == {"sigmoid"}


def test_a_depth_at_which_nothing_learns_decides_nothing(tmp_path: Path) -> None:
    nothing = depth_limit(tmp_path / "1", lambda run: 0.9 if run.depth == 5 else 0.12)
    with pytest.raises(MissingRunsError, match="more updates"):
        decide("relu-trains-deeper", nothing)
    never = depth_limit(tmp_path / "2", lambda run: 0.12)
    for name in ("relu-fails-at-dozens-of-layers", "skip-connections-restore-depth"):
        with pytest.raises(MissingRunsError, match="more updates"):
            decide(name, never)


def test_dozens_of_layers_fail_or_work_by_their_start(tmp_path: Path) -> None:
    def by_start(run: RunConfig) -> float:
        return 0.3 if run.depth == 41 and run.initializer == XAVIER else 0.9

    name = "relu-fails-at-dozens-of-layers"
    assert decide(name, depth_limit(tmp_path / "1", by_start)).name == "conditional"
    assert decide(name, depth_limit(tmp_path / "2", lambda run: 0.9)).name == "refuted"
    fails = depth_limit(tmp_path / "3", lambda run: 0.5 if run.depth == 41 else 0.9)
    assert decide(name, fails).name == "supported"


def test_skips_restore_depth_only_if_they_do_everywhere(tmp_path: Path) -> None:
    def restored(run: RunConfig) -> float:
        # blocks that are neither scaled nor normalized say nothing
        if run.network == UNSCALED:
            return 0.1
        if run.network != PLAIN:
            return 0.93
        return 0.5 if run.depth == 41 else 0.9

    def half(run: RunConfig) -> float:
        return 0.5 if run.network == SCALED else restored(run)

    name = "skip-connections-restore-depth"
    verdict = decide(name, depth_limit(tmp_path / "1", restored))
    assert verdict.name == "supported"
    assert any("Against 41 plain layers" in note for note in verdict.notes)
    assert decide(name, depth_limit(tmp_path / "2", half)).name == "conditional"
    none = depth_limit(tmp_path / "3", lambda run: 0.5 if run.depth == 41 else 0.9)
    assert decide(name, none).name == "refuted"


def test_a_small_loss_takes_a_small_gap_to_be_restored(tmp_path: Path) -> None:
    def nearly(run: RunConfig) -> float:
        # within 2 points of 5 layers, and a third of what was lost is still missing
        if run.network != PLAIN:
            return 0.882
        return 0.845 if run.depth == 41 else 0.9

    name = "skip-connections-restore-depth"
    verdict = decide(name, depth_limit(tmp_path / "1", nearly))
    assert verdict.name == "refuted"
    assert verdict.effect == pytest.approx(0.67, abs=0.1)
    with pytest.raises(MissingRunsError, match="lost nothing"):
        decide(name, depth_limit(tmp_path / "2", lambda run: 0.9))


def test_small_weights_fail_only_in_deep_networks_or_not(tmp_path: Path) -> None:
    def fails(run: RunConfig) -> Truth:
        return Truth(accuracy=0.1 if run.initializer == SMALL and run.depth == 10 else 0.9)

    def depth_fails_all(run: RunConfig) -> Truth:
        return Truth(accuracy=0.1 if run.depth == 10 else 0.9)

    name = "small-init-fails-deep"
    assert decide(name, small_init(tmp_path / "1", fails)).name == "supported"
    # a depth that fails from Xavier's start too is no fault of the small one
    assert decide(name, small_init(tmp_path / "2", depth_fails_all)).name == "refuted"


def test_he_against_xavier_is_found_with_its_depth(tmp_path: Path) -> None:
    def truth(factor: float, deep: float) -> Callable[[RunConfig], Truth]:
        def of(run: RunConfig) -> Truth:
            slower = deep if run.depth == 10 else factor
            return Truth(time=40.0 * (slower if run.initializer == XAVIER else 1.0))

        return of

    name = "he-beats-xavier-for-relu"
    found = decide(name, small_init(tmp_path / "1", truth(1.5, 1.5)))
    assert found.name == "supported"
    assert found.effect == pytest.approx(1.5, rel=0.05)
    assert decide(name, small_init(tmp_path / "2", truth(0.5, 0.5))).name == "refuted"
    assert decide(name, small_init(tmp_path / "3", truth(0.5, 2.0))).name == "conditional"


def sizes(root: Path, time: Callable[[RunConfig], float], gap: Callable[[RunConfig], float]):  # type: ignore[no-untyped-def]
    """Write model-size: the rate of 0.1 is the fastest; a gap is the test loss over 0.1."""
    configs = [
        run
        for depth, width in ((1, 16), (1, 128), (12, 128))
        for run in runs(8, (0.05, 0.1, 0.2), activation=RELU, depth=depth, width=width)
    ]

    def truth(run: RunConfig) -> Truth:
        slower = 1.0 if run.learning_rate == 0.1 else 1.5
        return Truth(time=30 * time(run) * slower, test_gap=gap(run))

    plant(root / "model-size", configs, truth)
    return Evidence(root)


def test_larger_networks_must_be_slower_and_overfit_in_depth_and_width(tmp_path: Path) -> None:
    def size(run: RunConfig) -> float:
        return 1 + run.depth / 12 + (run.width or 0) / 128

    name = "deeper-is-slower-and-overfits"
    grows = decide(name, sizes(tmp_path / "1", size, lambda run: 0.1 * size(run)))
    assert grows.name == "supported"
    less = decide(name, sizes(tmp_path / "2", size, lambda run: 0.1 / size(run)))
    assert less.name == "conditional"
    held = {cell.where["what grows"] for cell in less.settings if cell.verdict == "supported"}
    assert held == {"operations"}


def test_a_gap_that_comes_of_training_longer_is_no_overfitting(tmp_path: Path) -> None:
    # at the end the larger network's loss is the lower, and its gap the larger
    def slow(run: RunConfig) -> float:
        return 3.0 if run.width == 16 else 1.0

    verdict = decide("deeper-is-slower-and-overfits", sizes(tmp_path, slow, lambda run: 0.2))
    overfits = [cell for cell in verdict.settings if cell.where["what grows"] == "overfitting"]
    assert {cell.verdict for cell in overfits} == {"refuted"}


@pytest.mark.parametrize(
    ("name", "experiment"),
    [
        ("sigmoid-fails-beyond-nine-layers", "deep-sigmoid"),
        ("relu-trains-deeper", "depth-limit"),
        ("relu-fails-at-dozens-of-layers", "depth-limit"),
        ("skip-connections-restore-depth", "depth-limit"),
        ("small-init-fails-deep", "small-init-depth"),
        ("he-beats-xavier-for-relu", "small-init-depth"),
        ("deeper-is-slower-and-overfits", "model-size"),
    ],
)
def test_results_without_the_runs_decide_nothing(
    tmp_path: Path, name: str, experiment: str
) -> None:
    with pytest.raises(MissingRunsError, match="has not been run"):
        decide(name, Evidence(tmp_path))
    other = Choice("softplus")
    plant(tmp_path / experiment, runs(2, activation=other, depth=3), lambda run: Truth())
    with pytest.raises(MissingRunsError, match="no finished run with"):
        decide(name, Evidence(tmp_path))
