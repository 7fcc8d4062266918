"""Claims about signals and gradients: planted layers get their verdicts, missing ones are said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from planted_runs import ELU, HE, RELU, SIGMOID, SMALL, TANH, XAVIER

from relu_exp.core.schema import HISTOGRAM_BINS, Choice, RunConfig
from relu_exp.evidence.claims.probes import layer_factor, output_shares, probed, started
from relu_exp.evidence.claims.registry import Evidence, MissingRunsError, find_claim
from relu_exp.evidence.claims.verdicts import Verdict
from relu_exp.evidence.data.frames import Frames
from relu_exp.results.store import Store

import synthetic
from planted_claims import verdict_of

IDENTITY = Choice("identity")
UNIT = Choice("normal", (("std", 1.0),))
TWICE = Choice("he_normal", (("gain", 2 * 2**0.5), ("mode", "fan_in")))
FOUR = Choice("he_normal", (("gain", 4 * 2**0.5), ("mode", "fan_in")))
OWN = Choice("he_normal", (("gain", 1.2452), ("mode", "fan_in")))
STARTS = (SMALL, UNIT, XAVIER, HE)
SEEDS = range(8)

Layers = Mapping[str, Sequence[float]]
Truth = Callable[[RunConfig], dict[str, Any]]
"""What a run measures: quantities per layer, `shares` of its outputs, `accuracy`, `diverged`."""


def sweep(
    activations: Sequence[Choice],
    starts: Sequence[Choice],
    depths: Sequence[int],
    learning_rates: Sequence[float] = (0.1,),
    width: int = 50,
    probe_steps: Sequence[int] = (0,),
) -> list[RunConfig]:
    return synthetic.configs(
        activations=activations,
        initializers=starts,
        depths=depths,
        learning_rates=learning_rates,
        seeds=SEEDS,
        width=width,
        num_steps=max(probe_steps),
        probe_steps=probe_steps,
    )


EXPERIMENTS: Mapping[str, list[RunConfig]] = {
    "signals": sweep([IDENTITY, SIGMOID, TANH, RELU, ELU], STARTS, [5, 10]),
    "activation-histograms": sweep([TANH], STARTS, [5, 10], width=100),
    "vanishing-gradients": [
        *sweep([SIGMOID, TANH], [XAVIER], [5, 20]),
        *sweep([RELU], [HE], [5, 20]),
    ],
    "large-weights": sweep(
        [RELU], [HE, TWICE, FOUR, UNIT], [5, 10], [0.01, 0.1], probe_steps=(0, 4)
    ),
    "sigmoid-layers": sweep([SIGMOID], [XAVIER, UNIT], [4], [0.1, 0.3], probe_steps=(0, 1, 4)),
    "five-activations": [
        run
        for one, start in ((SIGMOID, XAVIER), (TANH, XAVIER), (RELU, HE), (ELU, OWN))
        for run in sweep([one], [start], [1, 4], [0.1, 0.3], probe_steps=(0, 4))
    ],
    "sigmoid-starts": sweep([SIGMOID], STARTS, [1, 5], [0.1, 0.3]),
}


def plant(root: Path, experiment: str, truth: Truth, configs: Sequence[RunConfig] = ()) -> None:
    """Write the results of an experiment whose runs measure what `truth` says, with noise."""
    store = Store(root / experiment)
    store.open()
    tables = synthetic.empty_tables()
    runs = list(configs) or EXPERIMENTS[experiment]
    for config in runs:
        add(tables, config, truth(config))
    store.write_part("planted", tables)
    synthetic.write_manifest(store, [config.run_id for config in runs])


def add(tables: dict[str, Any], config: RunConfig, truth: dict[str, Any]) -> None:
    rng = np.random.default_rng(int(config.run_id, 16))
    diverged = truth.get("diverged", False)
    accuracy = truth.get("accuracy", 0.9) + 0.002 * rng.normal()
    finals = {f"final_{split}_accuracy": accuracy for split in ("train", "validation", "test")}
    synthetic.add_rows(
        tables["runs"],
        **{**config.as_row(), **({} if diverged else finals)},
        status="diverged" if diverged else "done",
        diverged_at=1 if diverged else None,
        session=synthetic.SESSION,
    )
    healthy = {
        "activation_mean": 0.0,
        "activation_std": 1.0,
        "activation_sample_std": 1.0,
        "activation_unit_mean_rms": 0.1,
        "zero_fraction": 0.5,
        "dead_fraction": 0.0,
        "saturated_fraction": 0.0,
        "effective_rank": 10.0,
        "weight_grad_spread": 1.0,
        "weight_grad_norm": 1.0,
        "activation_grad_norm": 1.0,
    }
    for step in [step for step in config.probe_steps if step == 0 or not diverged]:
        measured = {**healthy, **truth}
        measured |= truth.get("trained", {}) if step else {}
        for layer in range(1, config.depth + 1):
            at = {"run_id": config.run_id, "step": step, "layer": layer}
            for quantity in healthy:
                value = measured[quantity]
                value = value(layer, config.depth) if callable(value) else value
                noisy = value * float(np.exp(0.01 * rng.normal()))
                synthetic.add_rows(tables["layers"], **at, quantity=quantity, value=noisy)
            shares = measured.get("shares", (0.1, 0.8, 0.1))
            shares = shares(layer, config.depth) if callable(shares) else shares
            counts = histogram(shares, rng)
            synthetic.add_rows(tables["histograms"], **at, kind="activation", counts=counts)


def histogram(shares: Sequence[float], rng: np.random.Generator) -> list[int]:
    """Return counts with shares near 0, between and at −1 and 1."""
    counts = [0] * (HISTOGRAM_BINS["activation"][2] + 2)
    near, between, ends = rng.multinomial(5000, shares)
    # bars of 0, of ±0.5 and of ±1, after the one for what lies below all bars
    counts[31], counts[41], counts[51] = int(near), int(between), int(ends)
    return counts


def everywhere(**truth: Any) -> Truth:
    return lambda run: truth


def verdict(root: Path, claim: str, **truths: Truth) -> Verdict:
    """Plant the experiments of a claim, `signals` for signals, and return its verdict."""
    found = find_claim(claim)
    for experiment in found.experiments:
        truth = truths.get(experiment.replace("-", "_"), truths.get("all", everywhere()))
        plant(root, experiment, truth)
    return verdict_of(claim, Evidence(root))


def by_activation(**truths: dict[str, Any]) -> Truth:
    return lambda run: truths.get(run.activation.name, {})


def by_depth(**truths: dict[str, Any]) -> Truth:
    return lambda run: truths.get(f"d{run.depth}", {})


def shrinking(factor: float) -> Callable[[int, int], float]:
    """Return what falls by a factor per layer on its way up."""
    return lambda layer, depth: factor**layer


def vanishing(factor: float) -> Callable[[int, int], float]:
    """Return what falls by a factor per layer on its way down."""
    return lambda layer, depth: factor ** (depth - layer)


PICTURES = [
    ("small-normal-collapses-tanh", (0.99, 0.01, 0.0), (0.3, 0.7, 0.0)),
    ("unit-normal-saturates-tanh", (0.05, 0.05, 0.9), (0.1, 0.6, 0.3)),
    ("xavier-spreads-tanh", (0.2, 0.75, 0.05), (0.7, 0.3, 0.0)),
]


@pytest.mark.parametrize(("claim", "claimed", "other"), PICTURES)
def test_outputs_collapse_pile_up_or_spread(
    claim: str, claimed: Sequence[float], other: Sequence[float], tmp_path: Path
) -> None:
    plain = {"shares": claimed}, {"shares": other}
    assert verdict(tmp_path / "a", claim, all=everywhere(**plain[0])).name == "supported"
    assert verdict(tmp_path / "b", claim, all=everywhere(**plain[1])).name == "refuted"
    mixed = by_depth(d5=plain[0], d10=plain[1])
    assert verdict(tmp_path / "c", claim, all=mixed).name == "conditional"


def test_the_first_layer_need_not_collapse(tmp_path: Path) -> None:
    def shares(layer: int, depth: int) -> Sequence[float]:
        return (0.3, 0.7, 0.0) if layer == 1 else (0.99, 0.01, 0.0)

    found = verdict(tmp_path, "small-normal-collapses-tanh", all=everywhere(shares=shares))
    assert found.name == "supported"
    one_alive = by_depth(
        d5={"shares": lambda layer, depth: (0.5, 0.5, 0) if layer == 3 else (1.0, 0, 0)},
        d10={"shares": lambda layer, depth: (0.5, 0.5, 0) if layer == 9 else (1.0, 0, 0)},
    )
    again = verdict(tmp_path / "b", "small-normal-collapses-tanh", all=one_alive)
    assert again.name == "refuted"


def small_share(layer: int, depth: int) -> float:
    """Return gradients of which a tenth arrives at the first layer, at any depth."""
    return 0.1 if layer == 1 else 1.0


HALF = {"activation_mean": 0.5, "activation_unit_mean_rms": 0.51}
GROWING = {"activation_sample_std": shrinking(1.2), "saturated_fraction": 0.8}

CASES: list[tuple[str, str, Truth]] = [
    ("small-normal-gradients-identical", "supported", everywhere(weight_grad_spread=0.01)),
    ("small-normal-gradients-identical", "refuted", everywhere(weight_grad_norm=1e-20)),
    ("xavier-starves-relu", "supported", everywhere(activation_std=shrinking(0.7))),
    ("xavier-starves-relu", "refuted", everywhere(activation_std=shrinking(0.97))),
    ("he-preserves-relu", "supported", everywhere(activation_std=shrinking(0.97))),
    ("he-preserves-relu", "refuted", everywhere(activation_std=shrinking(0.8))),
    ("he-preserves-relu", "refuted", everywhere(activation_std=shrinking(1.25))),
    ("sigmoid-outputs-not-centred", "supported", everywhere(**HALF)),
    # every other unit at 0 and at 1: the mean over units is 0.5 all the same
    (
        "sigmoid-outputs-not-centred",
        "refuted",
        everywhere(activation_mean=0.5, activation_unit_mean_rms=0.5**0.5),
    ),
    (
        "sigmoid-outputs-not-centred",
        "conditional",
        everywhere(**HALF, trained={"activation_unit_mean_rms": 0.8}),
    ),
    ("tanh-outputs-centred", "supported", everywhere(activation_unit_mean_rms=0.2)),
    # the mean over units is 0, those of the units are not
    ("tanh-outputs-centred", "refuted", everywhere(activation_unit_mean_rms=0.9)),
    ("tanh-outputs-centred", "conditional", everywhere(trained={"activation_unit_mean_rms": 0.9})),
    (
        "elu-outputs-nearer-zero",
        "supported",
        by_activation(
            elu={"activation_unit_mean_rms": 0.2}, relu={"activation_unit_mean_rms": 0.5}
        ),
    ),
    ("elu-outputs-nearer-zero", "refuted", everywhere()),
    (
        "elu-outputs-nearer-zero",
        "conditional",
        by_activation(
            elu={"activation_unit_mean_rms": 0.8, "activation_sample_std": 4.0},
            relu={"activation_unit_mean_rms": 0.5},
        ),
    ),
    (
        "gradients-vanish-with-depth",
        "supported",
        by_activation(
            sigmoid={"activation_grad_norm": vanishing(0.25)},
            tanh={"activation_grad_norm": vanishing(0.95)},
        ),
    ),
    # a share that is small at any depth does not shrink as layers are added
    ("gradients-vanish-with-depth", "conditional", everywhere(activation_grad_norm=small_share)),
    (
        "gradients-vanish-with-depth",
        "refuted",
        by_activation(relu={"activation_grad_norm": vanishing(0.7)}),
    ),
    ("xavier-balances-variance", "supported", everywhere()),
    # units' means may spread or not: it is the variance over samples that is judged
    ("xavier-balances-variance", "supported", everywhere(activation_std=shrinking(0.8))),
    (
        "xavier-balances-variance",
        "refuted",
        everywhere(activation_sample_std=shrinking(0.8), activation_grad_norm=vanishing(1.3)),
    ),
    (
        "xavier-balances-variance",
        "conditional",
        by_activation(sigmoid={"activation_grad_norm": vanishing(0.25)}),
    ),
    ("sigmoid-variance-grows", "supported", everywhere(**GROWING)),
    ("sigmoid-variance-grows", "refuted", everywhere(activation_std=shrinking(1.2))),
    # the variance grows, and the top layer never saturates
    (
        "sigmoid-variance-grows",
        "conditional",
        everywhere(activation_sample_std=shrinking(1.2)),
    ),
    ("sigmoid-variance-grows", "conditional", everywhere(trained=GROWING)),
]


@pytest.mark.parametrize(("claim", "expected", "truth"), CASES, ids=lambda case: str(case)[:40])
def test_planted_layers_get_their_verdict(
    claim: str, expected: str, truth: Truth, tmp_path: Path
) -> None:
    found = verdict(tmp_path, claim, all=truth)
    assert found.name == expected
    assert found.num_seeds == len(SEEDS)
    assert found.run_ids


@pytest.mark.parametrize(
    ("xavier", "others", "expected"),
    [(0.9, 0.85, "supported"), (0.9, 0.901, "supported"), (0.85, 0.9, "refuted")],
)
def test_xavier_suits_sigmoid_unless_another_start_does_better(
    xavier: float, others: float, expected: str, tmp_path: Path
) -> None:
    def truth(run: RunConfig) -> dict[str, Any]:
        # only at one rate does anything learn: the best rate of each start must be taken
        height = xavier if run.initializer == XAVIER else others
        return {"accuracy": height if run.learning_rate == 0.3 else 0.2}

    found = verdict(tmp_path, "xavier-suits-sigmoid", sigmoid_starts=truth)
    assert found.name == expected


def large(dead: float, growth: float, lost: bool) -> Truth:
    def truth(run: RunConfig) -> dict[str, Any]:
        if run.initializer == HE:
            return {}
        return {
            "activation_grad_norm": vanishing(growth),
            "trained": {"dead_fraction": dead},
            "accuracy": 0.1 if lost else 0.9,
        }

    return truth


@pytest.mark.parametrize(
    ("dead", "growth", "lost", "dying", "exploding"),
    [
        (0.5, 5.0, True, "supported", "supported"),
        (0.0, 1.0, False, "refuted", "refuted"),
        (0.0, 5.0, True, "conditional", "supported"),
        (0.5, 5.0, False, "supported", "conditional"),
    ],
)
def test_large_weights_kill_and_explode(
    dead: float, growth: float, lost: bool, dying: str, exploding: str, tmp_path: Path
) -> None:
    truth = large(dead, growth, lost)
    killed = verdict(tmp_path, "large-weights-kill-or-explode-relu", all=truth)
    assert killed.name == dying
    grown = verdict_of("gradients-can-explode", Evidence(tmp_path))
    assert grown.name == exploding


def test_divergence_is_a_loss(tmp_path: Path) -> None:
    def truth(run: RunConfig) -> dict[str, Any]:
        grown = {"activation_grad_norm": vanishing(5.0)}
        return {} if run.initializer == HE else {**grown, "diverged": True}

    found = verdict(tmp_path, "gradients-can-explode", all=truth)
    assert found.name == "supported"
    assert any("N(0, 1) 100.0%" in note for note in found.notes)


def test_units_are_counted_where_training_goes_on(tmp_path: Path) -> None:
    """At the larger rate large weights diverge at once: what is alive there is alive untrained."""

    def truth(run: RunConfig) -> dict[str, Any]:
        if run.initializer == HE:
            return {}
        grown = {"activation_grad_norm": vanishing(5.0)}
        if run.learning_rate == 0.1:
            return {**grown, "diverged": True}
        return {**grown, "trained": {"dead_fraction": 0.15}}

    found = verdict(tmp_path, "large-weights-kill-or-explode-relu", all=truth)
    # 0.9 / 0.85 is above the limit; a mean with untrained units would be below it
    assert found.name == "supported", found.text
    assert any("0.01 (15% dead, He 0%)" in note for note in found.notes)


def test_a_start_that_diverges_at_every_rate_is_not_judged_for_dying(tmp_path: Path) -> None:
    def truth(run: RunConfig) -> dict[str, Any]:
        if run.initializer == HE:
            return {}
        grown = {"activation_grad_norm": vanishing(5.0), "trained": {"dead_fraction": 0.5}}
        return {**grown, "diverged": run.initializer == UNIT and run.depth == 10}

    found = verdict(tmp_path, "large-weights-kill-or-explode-relu", all=truth)
    assert found.name == "supported"
    judged = {tuple(setting.where.values()) for setting in found.settings}
    assert ("gradients", "N(0, 1)", "10") in judged
    assert ("units at one rate", "N(0, 1)", "5") in judged
    assert ("units at one rate", "N(0, 1)", "10") not in judged


CLAIMS = sorted(
    {claim for claim, *_ in [*PICTURES, *CASES]}
    | {
        "xavier-suits-sigmoid",
        "large-weights-kill-or-explode-relu",
        "gradients-can-explode",
    }
)


def test_all_fifteen_claims_are_here() -> None:
    assert len(CLAIMS) == 15


@pytest.mark.parametrize("claim", CLAIMS)
def test_results_without_the_arms_are_missing_runs(claim: str, tmp_path: Path) -> None:
    only = sweep([Choice("softplus")], [HE], [5])
    found = find_claim(claim)
    for experiment in found.experiments:
        plant(tmp_path, experiment, everywhere(), only)
    with pytest.raises(MissingRunsError):
        verdict_of(claim, Evidence(tmp_path))


@pytest.mark.parametrize("claim", CLAIMS)
def test_no_results_are_missing_runs(claim: str, tmp_path: Path) -> None:
    with pytest.raises(MissingRunsError, match="has not been run"):
        verdict_of(claim, Evidence(tmp_path))


def test_an_arm_that_is_absent_is_named(tmp_path: Path) -> None:
    plant(tmp_path, "signals", everywhere(), sweep([RELU], [HE], [5]))
    frames = Frames.open(tmp_path / "signals")
    with pytest.raises(MissingRunsError, match=r"no finished run of relu started with Xavier"):
        started(frames, ["relu"], ["Xavier"])
    with pytest.raises(MissingRunsError, match="at depth 10"):
        started(frames, ["relu"], ["He"], [5, 10])


def test_runs_that_were_not_probed_are_missing(tmp_path: Path) -> None:
    unprobed = [replace(run, probe_steps=()) for run in sweep([RELU, TANH], STARTS, [5])]
    plant(tmp_path, "signals", everywhere(), unprobed)
    frames = Frames.open(tmp_path / "signals")
    with pytest.raises(MissingRunsError, match="no probe of activation_std"):
        probed(frames, frames.runs, "activation_std")
    with pytest.raises(MissingRunsError, match="no histograms"):
        output_shares(frames, frames.runs)


def test_a_layer_factor_is_a_geometric_mean_per_step(tmp_path: Path) -> None:
    truth = everywhere(activation_std=shrinking(0.5), activation_grad_norm=vanishing(2.0))
    plant(tmp_path, "signals", truth, sweep([RELU], [HE], [5]))
    frames = Frames.open(tmp_path / "signals")
    layers = probed(frames, frames.runs, "activation_std", "activation_grad_norm")
    down = layer_factor(layers, "activation_std")["effect"]
    back = layer_factor(layers, "activation_grad_norm", backward=True)["effect"]
    whole = layer_factor(layers, "activation_grad_norm", backward=True, whole=True)["effect"]
    assert down.to_numpy() == pytest.approx(0.5, rel=0.05)
    assert back.to_numpy() == pytest.approx(2.0, rel=0.05)
    assert whole.to_numpy() == pytest.approx(16.0, rel=0.1)
