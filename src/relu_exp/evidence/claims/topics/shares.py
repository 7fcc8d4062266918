"""Claims about where the outputs of tanh lie before training: collapsed, piled up or spread."""

from __future__ import annotations

import pandas as pd

from relu_exp.evidence.claims.arms import measured
from relu_exp.evidence.claims.probes import (
    SHARES,
    SMALL,
    UNIT,
    XAVIER,
    layer_factor,
    output_shares,
    probed,
    started,
)
from relu_exp.evidence.claims.registry import Evidence, Literature, claim
from relu_exp.evidence.claims.shown import Shown
from relu_exp.evidence.claims.verdicts import Effects, Rule

__all__: list[str] = []

GLOROT = "Glorot, Bengio 2010, AISTATS, Understanding the difficulty of training deep networks"


PICTURED = Shown("activation", x="layer", rows="dataset_label", only={"depth": 10})
"""What the documents draw: the histograms of one network, on noise and on images."""


def _pictures(evidence: Evidence, start: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return runs of tanh, and shares of their outputs by layer, on noise and on images."""
    every_run, every_share = [], []
    for inputs, name in (("noise", "activation-histograms"), ("images", "signals")):
        runs = started(evidence[name], ["tanh"], [start]).assign(inputs=inputs)
        every_run.append(runs)
        every_share.append(output_shares(evidence[name], runs))
    return pd.concat(every_run), pd.concat(every_share, ignore_index=True)


def _least(shares: pd.DataFrame, share: str, grid: tuple[str, ...]) -> pd.DataFrame:
    """Return the least share over layers, per seed and setting."""
    least = shares.groupby([*grid, "seed"], observed=True)[share].min()
    return least.rename("effect").reset_index()


def _shares_in_words(shares: pd.DataFrame) -> str:
    """Return the mean shares of the last layer of the deepest network on images."""
    images = shares[shares["inputs"] == "images"]
    deepest = images[images["depth"] == images["depth"].max()]
    last = deepest[deepest["layer"] == deepest["layer"].max()]
    near, between, ends = (last[share].mean() for share in SHARES)
    return (
        f"On images, in the last of {last['depth'].iloc[0]} layers: {near:.1%} of outputs within "
        f"±0.125, {ends:.1%} beyond ±0.975, {between:.1%} between."
    )


RESOLUTION = 0.01
"""To which a share of a layer's outputs is known: it has a hundred units or more."""


COLLAPSE = Rule(
    measure="least share of outputs within ±0.125, over the layers from the second on",
    says=(
        "in every layer but the first, at least 95% of tanh's outputs lie within ±0.125, the five "
        "bars of the histogram around 0 of the 41 that tanh can reach"
    ),
    threshold=0.95,
    within=(0.0, 1.0),
    resolution=RESOLUTION,
    grid=("inputs", "depth"),
    need="every",
)


@claim(
    "small-normal-collapses-tanh",
    group="B",
    statement=(
        "With weights from N(0, 0.01²) every layer of a tanh network but the first outputs next to "
        "nothing."
    ),
    statement_ko=(
        "가중치를 N(0, 0.01²)에서 뽑으면 tanh 신경망에서 첫 층을 뺀 모든 층의 출력이 거의 0이 된다."
    ),
    sources={"D2": "4.2"},
    experiments=("activation-histograms", "signals"),
    rule=COLLAPSE,
    figure=PICTURED,
)
def small_normal_collapses_tanh(evidence: Evidence) -> Effects:
    """Measure the share of outputs near 0, from the second layer on."""
    runs, shares = _pictures(evidence, SMALL)
    later, first = shares[shares["layer"] > 1], shares[shares["layer"] == 1]
    by_inputs = first.groupby("inputs", observed=True)["near_zero"].mean()
    phrases = ", ".join(f"{share:.1%} on {inputs}" for inputs, share in by_inputs.items())
    return measured(
        _least(later, "near_zero", COLLAPSE.grid),
        runs,
        notes=(f"Of the first layer's outputs: {phrases}.",),
    )


PILE_UP = Rule(
    measure="least share of outputs beyond ±0.975, over the layers",
    says=(
        "in every layer more than half of tanh's outputs lie in the histogram's bars of −1 and 1, "
        "where the derivative is below 5% of its largest value"
    ),
    threshold=0.5,
    within=(0.0, 1.0),
    resolution=RESOLUTION,
    grid=("inputs", "depth"),
    need="every",
)


@claim(
    "unit-normal-saturates-tanh",
    group="B",
    statement="With weights from N(0, 1) the outputs of a tanh network pile up at −1 and 1.",
    statement_ko="가중치를 N(0, 1)에서 뽑으면 tanh 신경망의 출력이 −1과 1에 몰린다.",
    sources={"D2": "4.2"},
    experiments=("activation-histograms", "signals"),
    rule=PILE_UP,
    figure=PICTURED,
)
def unit_normal_saturates_tanh(evidence: Evidence) -> Effects:
    """Measure the share of outputs at the ends; tell what the gradients do meanwhile."""
    runs, shares = _pictures(evidence, UNIT)
    images = runs[runs["inputs"] == "images"]
    layers = probed(evidence["signals"], images, "activation_grad_norm")
    growth = layer_factor(layers, "activation_grad_norm", backward=True)["effect"]
    way = "grow" if growth.mean() > 1 else "shrink"
    note = (
        "The document goes on that gradients vanish there. Measured on images, on their way back "
        f"they {way} by a factor of {growth.mean():.2f} a layer: derivatives are small, but the "
        "weights they are multiplied with are large."
    )
    return measured(
        _least(shares, "at_ends", PILE_UP.grid), runs, notes=(_shares_in_words(shares), note)
    )


SPREAD = Rule(
    measure="least share of outputs neither within ±0.125 nor beyond ±0.975, over the layers",
    says=(
        "in every layer at least half of tanh's outputs lie neither within ±0.125 nor beyond "
        "±0.975: neither of the two pictures, collapse and pile-up, describes the layer"
    ),
    threshold=0.5,
    within=(0.0, 1.0),
    resolution=RESOLUTION,
    grid=("inputs", "depth"),
    need="every",
)


@claim(
    "xavier-spreads-tanh",
    group="B",
    statement="Xavier initialization keeps the outputs of every tanh layer widely spread.",
    statement_ko="Xavier 초기화를 쓰면 모든 tanh 층의 출력이 넓게 퍼져 있다.",
    sources={"D2": "4.3.1"},
    experiments=("activation-histograms", "signals"),
    rule=SPREAD,
    figure=PICTURED,
    literature=(
        Literature(
            GLOROT,
            "with the normalized initialization the activations of five tanh layers keep about the "
            "same spread, with the usual one they narrow from layer to layer (300×300 images)",
            "second-hand",
        ),
    ),
)
def xavier_spreads_tanh(evidence: Evidence) -> Effects:
    """Measure the share of outputs between collapse and pile-up."""
    runs, shares = _pictures(evidence, XAVIER)
    theory = (
        "Theory: tanh(x)² ≈ x² − 2x⁴/3, so that with Xavier a wide layer's mean square falls as "
        "1 / (2 · layer), slowly but without end."
    )
    return measured(
        _least(shares, "between", SPREAD.grid), runs, notes=(_shares_in_words(shares), theory)
    )
