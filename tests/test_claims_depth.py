"""Claims about depth and starts: planted accuracies by depth come out as they were planted."""

from __future__ import annotations

from collections.abc import Callable
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
SKIPS = [
    Choice(
        "residual_mlp", (("block_size", 2), ("branch_scale", branch_scale), ("output", "logits"))
    )
    for branch_scale in (1.0, "depth")
]
Accuracy = Callable[[RunConfig], float]


def deep_sigmoid(root: Path, accuracy: Accuracy) -> Evidence:
    configs = [
        run
        for initializer in (XAVIER, WIDE)
        for optimizer in (SGD, ADAM)
        for depth in (2, 9, 10)
        for run in runs(
            activation=SIGMOID, initializer=initializer, optimizer=optimizer, depth=depth
        )
    ]
    plant(root / "deep-sigmoid", configs, lambda run: Truth(accuracy=accuracy(run)))
    return Evidence(root)


def depth_limit(root: Path, accuracy: Accuracy) -> Evidence:
    started = [(SIGMOID, XAVIER), (TANH, XAVIER), (RELU, HE), (LEAKY, HE), (RELU, XAVIER)]
    configs = [
        run
        for activation, initializer in started
        for network in (PLAIN, *SKIPS)
        for depth in ((5, 21, 41) if network is PLAIN else (41,))
        for run in runs(
            activation=activation, initializer=initializer, network=network, depth=depth
        )
    ]
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
        if run.network != PLAIN:
            return 0.93
        return 0.5 if run.depth == 41 else 0.9

    def half(run: RunConfig) -> float:
        return 0.5 if run.network == SKIPS[0] else restored(run)

    name = "skip-connections-restore-depth"
    verdict = decide(name, depth_limit(tmp_path / "1", restored))
    assert verdict.name == "supported"
    assert any("Against 41 plain layers" in note for note in verdict.notes)
    assert decide(name, depth_limit(tmp_path / "2", half)).name == "conditional"
    none = depth_limit(tmp_path / "3", lambda run: 0.5 if run.depth == 41 else 0.9)
    assert decide(name, none).name == "refuted"


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


def test_larger_networks_must_be_slower_and_overfit_in_depth_and_width(tmp_path: Path) -> None:
    def sizes(root: Path, size: Callable[[RunConfig], float]) -> Evidence:
        configs = [
            run
            for depth in (1, 12)
            for width in (16, 128)
            for run in runs(activation=RELU, depth=depth, width=width)
        ]
        plant(
            root / "model-size",
            configs,
            lambda run: Truth(time=30 * size(run), final_losses=(0.01, 0.2 * size(run))),
        )
        return Evidence(root)

    name = "deeper-is-slower-and-overfits"
    grows = sizes(tmp_path / "1", lambda run: 1 + run.depth / 12 + (run.width or 0) / 128)
    assert decide(name, grows).name == "supported"
    by_depth = sizes(tmp_path / "2", lambda run: 1 + run.depth / 12 - (run.width or 0) / 256)
    assert decide(name, by_depth).name == "conditional"


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
