"""Claims about what flows forward before training: outputs that collapse, saturate or spread."""

from __future__ import annotations

import pandas as pd

from relu_exp.evidence.claims.arms import (
    at_best_rate,
    described,
    differences,
    rates_in_words,
    scored,
)
from relu_exp.evidence.claims.probes import (
    HE,
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
from relu_exp.evidence.claims.verdicts import Effects, Rule
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.statistics import score

__all__: list[str] = []

GLOROT = "Glorot, Bengio 2010, AISTATS, Understanding the difficulty of training deep networks"


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
    figure="activation_histograms-tanh",
)
def small_normal_collapses_tanh(evidence: Evidence) -> Effects:
    """Measure the share of outputs near 0, from the second layer on."""
    runs, shares = _pictures(evidence, SMALL)
    later, first = shares[shares["layer"] > 1], shares[shares["layer"] == 1]
    by_inputs = first.groupby("inputs", observed=True)["near_zero"].mean()
    phrases = ", ".join(f"{share:.1%} on {inputs}" for inputs, share in by_inputs.items())
    return Effects(
        _least(later, "near_zero", COLLAPSE.grid),
        scope=described(runs),
        run_ids=list(runs["run_id"]),
        notes=(f"Of the first layer's outputs: {phrases}.",),
    )


PILE_UP = Rule(
    measure="least share of outputs beyond ±0.975, over the layers",
    says=(
        "in every layer more than half of tanh's outputs lie in the histogram's bars of −1 and 1, "
        "where the derivative is below 5% of its largest value"
    ),
    threshold=0.5,
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
    figure="activation_histograms-tanh",
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
    return Effects(
        _least(shares, "at_ends", PILE_UP.grid),
        scope=described(runs),
        run_ids=list(runs["run_id"]),
        notes=(_shares_in_words(shares), note),
    )


SPREAD = Rule(
    measure="least share of outputs neither within ±0.125 nor beyond ±0.975, over the layers",
    says=(
        "in every layer at least half of tanh's outputs lie neither within ±0.125 nor beyond "
        "±0.975: neither of the two pictures, collapse and pile-up, describes the layer"
    ),
    threshold=0.5,
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
    figure="activation_histograms-tanh",
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
    return Effects(
        _least(shares, "between", SPREAD.grid),
        scope=described(runs),
        run_ids=list(runs["run_id"]),
        notes=(_shares_in_words(shares), theory),
    )


STARVE = Rule(
    measure="factor of the outputs' standard deviation from one layer to the next",
    says="from layer to layer the spread of ReLU's outputs falls by at least a tenth on average",
    threshold=0.9,
    claimed_side="below",
    ratio=True,
    unit="×",
    grid=("depth",),
    need="every",
)
PRESERVE = Rule(
    measure="factor, up or down, of the outputs' standard deviation from one layer to the next",
    says=(
        "from layer to layer the spread of ReLU's outputs changes by less than a tenth on average, "
        "in either direction"
    ),
    threshold=1.1,
    claimed_side="below",
    ratio=True,
    unit="×",
    grid=("depth",),
    need="every",
)


def _relu_layers(evidence: Evidence, start: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    frames = evidence["signals"]
    runs = started(frames, ["relu"], [start])
    quantities = ("activation_std", "activation_mean", "zero_fraction", "effective_rank")
    return runs, probed(frames, runs, *quantities)


@claim(
    "xavier-starves-relu",
    group="B",
    statement="Under Xavier initialization ReLU's outputs sink towards 0 with every layer.",
    statement_ko="Xavier 초기화에서는 층이 깊어질수록 ReLU의 출력이 0에 가까워진다.",
    sources={"D1": "ReLU, advantages", "D2": "4.3.2"},
    experiments="signals",
    rule=STARVE,
    figure="activation_std_by_layer",
    literature=(
        Literature(
            "He et al. 2015, arXiv:1502.01852, section 2.2",
            "derivation: a ReLU layer with Xavier's weights halves the variance of the signal",
            "second-hand",
        ),
    ),
)
def xavier_starves_relu(evidence: Evidence) -> Effects:
    """Measure the factor of the spread per layer; theory says 1/√2."""
    runs, layers = _relu_layers(evidence, XAVIER)
    effects = layer_factor(layers, "activation_std")
    scope, ids = described(runs), list(runs["run_id"])
    note = "A wide layer halves the mean square (He et al. 2015): a factor of 1/√2 = 0.707."
    return Effects(
        effects,
        scope=scope,
        run_ids=ids,
        notes=(note,),
    )


@claim(
    "he-preserves-relu",
    group="B",
    statement="Under He initialization the outputs of all ReLU layers stay equally spread.",
    statement_ko="He 초기화에서는 모든 ReLU 층의 출력이 비슷한 정도로 퍼져 있다.",
    sources={"D1": "ReLU, advantages", "D2": "4.3.2"},
    experiments="signals",
    rule=PRESERVE,
    figure="activation_std_by_layer",
)
def he_preserves_relu(evidence: Evidence) -> Effects:
    """Measure the factor of the spread per layer; tell what becomes alike in spite of it."""
    runs, layers = _relu_layers(evidence, HE)
    found = layer_factor(layers, "activation_std")
    effects = found.assign(effect=found["effect"].where(found["effect"] > 1, 1 / found["effect"]))
    scope, ids = described(runs), list(runs["run_id"])
    deepest = layers[layers["depth"] == layers["depth"].max()]
    rank = deepest.groupby("layer")["effective_rank"].mean()
    notes = (
        f"{layers['zero_fraction'].mean():.0%} of the outputs are exactly 0, as with any scale.",
        f"What is not preserved: in the deepest network the effective rank of a layer falls from "
        f"{rank.iloc[0]:.1f} to {rank.iloc[-1]:.1f}. Outputs differ between units, but less and "
        "less between images.",
    )
    return Effects(
        effects,
        scope=scope,
        run_ids=ids,
        notes=notes,
    )


SUITS = Rule(
    measure="test accuracy with Xavier minus that with the best other start",
    says=(
        "no other start, chosen by validation among N(0, 0.01²), N(0, 1) and He, beats Xavier by a "
        "percentage point of test accuracy, each at its own best learning rate"
    ),
    threshold=-0.01,
    grid=("depth",),
    need="every",
)


@claim(
    "xavier-suits-sigmoid",
    group="B",
    statement="Xavier is the initialization to use with sigmoid.",
    statement_ko="시그모이드에는 Xavier 초기화를 써야 한다.",
    sources={"D2": "4.3.1, 5"},
    experiments=("sigmoid-starts", "signals"),
    rule=SUITS,
    figure="learning_rate_sensitivity",
)
def xavier_suits_sigmoid(evidence: Evidence) -> Effects:
    """Measure test accuracy against the best other start; tell what gradients say of it."""
    frames = evidence["sigmoid-starts"]
    runs = scored(started(frames, ["sigmoid"], [SMALL, UNIT, XAVIER, HE]))
    tuned = at_best_rate(runs, ["start", "depth"])
    tuned = tuned.assign(validation=score(tuned, "final_validation_accuracy"))
    validation = tuned.groupby(["depth", "start"])["validation"].mean()
    effects, chosen = [], []
    for depth, each in validation.groupby("depth"):
        other = str(each.droplevel("depth").drop(XAVIER).idxmax())
        here = tuned[tuned["depth"] == depth]
        effects.append(differences(here, "start", XAVIER, other, "accuracy", ["depth"]))
        chosen.append(f"depth {depth}: {other}")
    scope, ids = described(runs), list(runs["run_id"])
    found = pd.concat(effects, ignore_index=True)
    notes = (
        f"Best other start: {'; '.join(chosen)}.",
        rates_in_words(tuned, ["start", "depth"]),
        _sigmoid_gradients(evidence["signals"]),
    )
    return Effects(
        found,
        scope=scope,
        run_ids=ids,
        notes=notes,
    )


def _sigmoid_gradients(frames: Frames) -> str:
    """Return the factor per layer by which sigmoid's gradients change on their way back."""
    runs = started(frames, ["sigmoid"], [SMALL, UNIT, XAVIER, HE])
    layers = probed(frames, runs, "activation_grad_norm")
    factors = layer_factor(layers, "activation_grad_norm", backward=True)
    means = factors.groupby("start")["effect"].mean().sort_values(ascending=False)
    phrases = ", ".join(f"{start} {mean:.2g}" for start, mean in means.items())
    return (
        f"Before training a gradient changes per layer by: {phrases}. Sigmoid's slope at 0 is 1/4, "
        "so that weights four times Xavier's would keep it."
    )
