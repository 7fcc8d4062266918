"""Claims about what flows forward before training: outputs that collapse, saturate or spread."""

from __future__ import annotations

import pandas as pd

from relu_exp.evidence.claims.arms import (
    at_best_rate,
    differences,
    measured,
    own_values,
    rates_in_words,
    scored,
)
from relu_exp.evidence.claims.probes import HE, SMALL, UNIT, XAVIER, layer_factor, probed, started
from relu_exp.evidence.claims.registry import Evidence, Literature, claim
from relu_exp.evidence.claims.shown import OWN, Shown
from relu_exp.evidence.claims.verdicts import Effects, Rule
from relu_exp.evidence.data.frames import Frames
from relu_exp.evidence.data.statistics import score

__all__: list[str] = []

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
    figure=Shown("activation_std", x="layer", columns="depth", log=True),
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
    note = "A wide layer halves the mean square (He et al. 2015): a factor of 1/√2 = 0.707."
    return measured(effects, runs, notes=(note,))


@claim(
    "he-preserves-relu",
    group="B",
    statement="Under He initialization the outputs of all ReLU layers stay equally spread.",
    statement_ko="He 초기화에서는 모든 ReLU 층의 출력이 비슷한 정도로 퍼져 있다.",
    sources={"D1": "ReLU, advantages", "D2": "4.3.2"},
    experiments="signals",
    rule=PRESERVE,
    figure=Shown("activation_std", x="layer", columns="depth", log=True),
)
def he_preserves_relu(evidence: Evidence) -> Effects:
    """Measure the factor of the spread per layer; tell what becomes alike in spite of it."""
    runs, layers = _relu_layers(evidence, HE)
    found = layer_factor(layers, "activation_std")
    effects = found.assign(effect=found["effect"].where(found["effect"] > 1, 1 / found["effect"]))
    deepest = layers[layers["depth"] == layers["depth"].max()]
    rank = deepest.groupby("layer")["effective_rank"].mean()
    notes = (
        f"{layers['zero_fraction'].mean():.0%} of the outputs are exactly 0, as with any scale.",
        f"What is not preserved: in the deepest network the effective rank of a layer falls from "
        f"{rank.iloc[0]:.1f} to {rank.iloc[-1]:.1f}. Outputs differ between units, but less and "
        "less between images.",
    )
    return measured(effects, runs, notes=notes)


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
    figure=Shown(
        OWN, x="depth", series=("initializer_label",), words="best_test_accuracy", share=True
    ),
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
    found = pd.concat(effects, ignore_index=True)
    notes = (
        f"Best other start: {'; '.join(chosen)}.",
        rates_in_words(tuned, ["start", "depth"]),
        _sigmoid_gradients(evidence["signals"]),
    )
    values = own_values(tuned, "accuracy")
    return measured(found, runs, notes=notes, values=values)


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
