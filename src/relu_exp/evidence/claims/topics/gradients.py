"""Claims about what flows back: gradients that vanish, keep their size or are all the same."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from relu_exp.evidence.claims.arms import choose, measured
from relu_exp.evidence.claims.probes import SMALL, XAVIER, layer_factor, probed, started
from relu_exp.evidence.claims.registry import Evidence, Literature, claim
from relu_exp.evidence.claims.shown import Shown
from relu_exp.evidence.claims.verdicts import Effects, Rule

__all__: list[str] = []

SAME = Rule(
    measure="distance of the units' weight gradients from their mean, relative to their size",
    says=(
        "in the layers from the second on, the gradients of a layer's units are within 10% of "
        "their mean: equal weights give 0, unrelated gradients 1"
    ),
    threshold=0.1,
    claimed_side="below",
    grid=("inputs", "depth"),
    need="every",
)


@claim(
    "small-normal-gradients-identical",
    group="B",
    statement=(
        "With weights from N(0, 0.01²) the outputs of tanh layers are so near 0 that all units "
        "have the same gradient."
    ),
    statement_ko=(
        "가중치를 N(0, 0.01²)에서 뽑으면 tanh 층의 출력이 0에 아주 가까워 모든 유닛의 기울기가 "
        "같아진다."
    ),
    sources={"D2": "4.2, 4.3"},
    experiments=("signals", "activation-histograms"),
    rule=SAME,
    figure=Shown(
        "weight_grad_spread",
        x="layer",
        series=("dataset_label",),
        columns="depth",
        line=SAME.threshold,
    ),
)
def small_normal_gradients_identical(evidence: Evidence) -> Effects:
    """Measure how far the gradients of a layer's units are from their mean."""
    found = []
    for inputs, name in (("images", "signals"), ("noise", "activation-histograms")):
        runs = started(evidence[name], ["tanh"], [SMALL, XAVIER]).assign(inputs=inputs)
        quantities = ("weight_grad_spread", "weight_grad_norm")
        found.append(probed(evidence[name], runs, *quantities))
    layers = pd.concat(found, ignore_index=True)
    small = layers[(layers["start"] == SMALL) & (layers["layer"] > 1)]
    means = small.groupby([*SAME.grid, "seed"])["weight_grad_spread"].mean()
    effects = means.rename("effect").reset_index()
    runs = small.drop_duplicates("run_id")
    sizes = layers.assign(size=np.log10(layers["weight_grad_norm"].clip(lower=1e-38)))
    by_start = sizes.groupby(["depth", "start"])["size"].mean().unstack("start")
    orders = by_start[XAVIER] - by_start[SMALL]
    phrases = "; ".join(f"depth {depth}: {order:.0f}" for depth, order in orders.items())
    note = f"They are small: by orders of magnitude below those with Xavier, {phrases}."
    return measured(effects, runs, notes=(note,))


SHALLOW, DEEP = 5, 20
LEFT = 0.75
"""What is left of the share when it has fallen by enough to be named."""
VANISH = Rule(
    measure="share of the gradient that arrives at depth 20 over that at depth 5, times the limit",
    says=(
        "of the gradient by the last hidden layer's activations a share arrives at the first; "
        "twenty layers against five, that share falls to less than three quarters with sigmoid and "
        "with tanh (effect: the ratio over 3/4), and not with ReLU (effect: 3/4 over the ratio); "
        "each below 1"
    ),
    threshold=1.0,
    claimed_side="below",
    ratio=True,
    unit="×",
    grid=("activation",),
    need="every",
    version=2,
    since=date(2026, 11, 26),
    reason=(
        "a limit of one half on the share itself said nothing of added layers: what is judged is "
        "how the share changes from 5 layers to 20, by activation"
    ),
)


@claim(
    "gradients-vanish-with-depth",
    group="B",
    statement=(
        "With sigmoid and tanh, the gradient that reaches the first layer shrinks as layers are "
        "added; with ReLU it does not."
    ),
    statement_ko=(
        "층이 많아질수록 첫 층에 전달되는 기울기가 시그모이드와 tanh에서는 작아지지만, ReLU에서는 "
        "그렇지 않다."
    ),
    sources={
        "D0": "ReLU, opening",
        "D1": "Sigmoid, drawbacks; ReLU, advantages",
        "D2": "1, 2.1",
        "D3": "Sigmoid; tanh",
        "D4": "1, 2",
    },
    experiments="vanishing-gradients",
    rule=VANISH,
    figure=Shown("activation_grad_norm", x="layer", columns="depth", log=True),
    literature=(
        Literature(
            "Glorot, Bengio 2010, AISTATS",
            "with the usual initialization back-propagated gradients of tanh networks shrink from "
            "the top layer down, with the normalized one they do not (5 layers)",
            "second-hand",
        ),
    ),
)
def gradients_vanish_with_depth(evidence: Evidence) -> Effects:
    """Measure how the share that arrives changes with depth; each activation with its own start."""
    frames = evidence["vanishing-gradients"]
    runs = choose(frames.runs, activation=["sigmoid", "tanh", "relu"], depth=[SHALLOW, DEEP])
    layers = probed(frames, runs, "activation_grad_norm")
    shares = layer_factor(layers, "activation_grad_norm", backward=True, whole=True)
    arms = shares.pivot(index=["activation", "seed"], columns="depth", values="effect")
    ratio = (arms[DEEP] / arms[SHALLOW] / LEFT).rename("effect").reset_index()
    effect = (1 / ratio["effect"]).where(ratio["activation"] == "relu", ratio["effect"])
    logs = shares.assign(_log=np.log(shares["effect"]))
    means = np.exp(logs.groupby(["activation", "depth"])["_log"].mean())
    phrases = "; ".join(
        f"{activation}: "
        + ", ".join(f"{value:.2g} ({depth})" for (_, depth), value in of_it.items())
        for activation, of_it in means.groupby("activation")
    )
    note = (
        f"Share of the gradient that arrives (depth): {phrases}. Theory, with Xavier: "
        "tanh's falls as one over the root of the depth, sigmoid's about fourfold a layer."
    )
    return measured(ratio.assign(effect=effect), runs, notes=(note,))


BALANCE = Rule(
    measure="factor, up or down, by which a variance changes from one layer to the next",
    says=(
        "with Xavier, a unit's variance over the samples from layer to layer, and the mean square "
        "of the gradients on their way back, change by less than a tenth on average, in ten layers "
        "of equal width: in whichever direction the mean over seeds has changed"
    ),
    threshold=1.1,
    claimed_side="below",
    ratio=True,
    unit="×",
    grid=("activation", "direction"),
    need="every",
    version=2,
    since=date(2026, 11, 26),
    reason=(
        "the variance of all of a layer's outputs is mostly that of the units' means: what the "
        "derivation speaks of is a unit's variance over the samples"
    ),
)


@claim(
    "xavier-balances-variance",
    group="B",
    statement=(
        "Xavier keeps the variance of a layer's outputs equal to that of its inputs, and the "
        "variance of gradients the same before and after a layer."
    ),
    statement_ko=(
        "Xavier 초기화를 쓰면 순전파에서는 출력의 분산이, 역전파에서는 기울기의 분산이 층을 지나도 "
        "유지된다."
    ),
    sources={"D2": "4.3.1"},
    experiments="signals",
    rule=BALANCE,
    figure=Shown("activation_sample_std", x="layer", log=True),
    literature=(
        Literature(
            "Glorot, Bengio 2010, AISTATS, section 4.2.1",
            "derived for linear layers, that is for symmetric activations of slope 1 at 0; sigmoid "
            "is neither",
            "second-hand",
        ),
    ),
)
def xavier_balances_variance(evidence: Evidence) -> Effects:
    """Decide for the linear units of its derivation and for those it is recommended for."""
    frames = evidence["signals"]
    runs = started(frames, ["identity", "tanh", "sigmoid"], [XAVIER], [10])
    layers = probed(frames, runs, "activation_sample_std", "activation_grad_norm")
    ways = []
    for direction, quantity in (
        ("forward", "activation_sample_std"),
        ("backward", "activation_grad_norm"),
    ):
        # the square: the norm is over as many values in every layer
        squares = layers.assign(square=layers[quantity] ** 2)
        factors = layer_factor(squares, "square", backward=direction == "backward")
        ways.append(factors.assign(direction=direction))
    found = pd.concat(ways, ignore_index=True)
    # the mean is folded, not each seed: seeds on both sides of 1 are no change
    logs = np.log(found["effect"])
    sides = np.sign(logs.groupby([found[key] for key in BALANCE.grid]).transform("mean"))
    note = (
        "Xavier's derivation assumes units that are linear around 0 with slope 1. Sigmoid has "
        "slope 1/4 there, so that a layer takes 1/16 of the variance."
    )
    return measured(found.assign(effect=np.exp(logs * sides)), runs, notes=(note,))
