"""Claims about where outputs are centered, and what a shift does to the layers above."""

from __future__ import annotations

import pandas as pd

from relu_exp.evidence.claims.arms import at_best_rate, choose, measured, rates_in_words
from relu_exp.evidence.claims.probes import HE, SMALL, UNIT, XAVIER, layer_factor, probed, started
from relu_exp.evidence.claims.registry import Evidence, Literature, claim
from relu_exp.evidence.claims.verdicts import Effects, Rule

__all__: list[str] = []

GLOROT = "Glorot, Bengio 2010, AISTATS, Understanding the difficulty of training deep networks"

SIGMOID_MEAN = Rule(
    measure="distance of the outputs' mean from 0.5",
    says="the mean output of sigmoid over the hidden layers lies within 0.05 of 0.5",
    threshold=0.05,
    claimed_side="below",
    grid=("start", "depth"),
    need="every",
)
TANH_MEAN = Rule(
    measure="distance of the outputs' mean from 0",
    says="the mean output of tanh over the hidden layers lies within 0.05 of 0",
    threshold=0.05,
    claimed_side="below",
    grid=("start", "depth"),
    need="every",
)


def _centred(evidence: Evidence, activation: str, center: float) -> Effects:
    """Return how far an activation's mean output lies from a center, with all four starts."""
    frames = evidence["signals"]
    runs = started(frames, [activation], [SMALL, UNIT, XAVIER, HE])
    layers = probed(frames, runs, "activation_mean")
    means = layers.groupby(["start", "depth", "seed"])["activation_mean"].mean()
    effects = (means - center).abs().rename("effect").reset_index()
    low, high = layers["activation_mean"].min(), layers["activation_mean"].max()
    note = (
        f"Single layers' means lie between {low:.3f} and {high:.3f}. A mean is over all units and "
        "samples of a layer; a single unit's own mean may be elsewhere."
    )
    return measured(effects, runs, notes=(note,))


@claim(
    "sigmoid-outputs-not-centred",
    group="B",
    statement="Sigmoid's outputs center on 0.5, not on 0.",
    statement_ko="시그모이드의 출력은 0이 아니라 0.5를 중심으로 분포한다.",
    sources={"D2": "2.1"},
    experiments="signals",
    rule=SIGMOID_MEAN,
    figure="activation_histograms-sigmoid",
)
def sigmoid_outputs_not_centred(evidence: Evidence) -> Effects:
    """Measure the mean output, with four starts."""
    return _centred(evidence, "sigmoid", 0.5)


@claim(
    "tanh-outputs-centred",
    group="B",
    statement="Tanh's outputs center on 0, so that the next layer's inputs are not shifted.",
    statement_ko="tanh의 출력은 0을 중심으로 분포하므로 다음 층의 입력이 한쪽으로 치우치지 않는다.",
    sources={"D2": "2.2"},
    experiments="signals",
    rule=TANH_MEAN,
    figure="activation_histograms-tanh",
)
def tanh_outputs_centred(evidence: Evidence) -> Effects:
    """Measure the mean output, with four starts."""
    return _centred(evidence, "tanh", 0.0)


ELU_NEARER = Rule(
    measure="ELU's mean output over ReLU's, from the same weights",
    says=(
        "ELU's mean output, as it is and in units of its own standard deviation, is at least a "
        "tenth nearer 0 than ReLU's, both with He's initialization"
    ),
    threshold=0.9,
    claimed_side="below",
    ratio=True,
    unit="×",
    grid=("taken", "depth"),
    need="every",
)


@claim(
    "elu-outputs-nearer-zero",
    group="B",
    statement="ELU's mean output is nearer 0 than ReLU's.",
    statement_ko="ELU 출력의 평균은 ReLU 출력의 평균보다 0에 가깝다.",
    sources={"D2": "3.2"},
    experiments="signals",
    rule=ELU_NEARER,
    figure="activation_histograms-ELU",
    literature=(
        Literature(
            "Clevert, Unterthiner, Hochreiter 2016, arXiv:1511.07289",
            "ELU's negative values push mean activations towards 0 (median over units during "
            "training of an 8-layer network on MNIST)",
            "second-hand",
        ),
    ),
)
def elu_outputs_nearer_zero(evidence: Evidence) -> Effects:
    """Measure the ratio of mean outputs, as they are and in spreads."""
    frames = evidence["signals"]
    runs = started(frames, ["elu", "relu"], [HE])
    layers = probed(frames, runs, "activation_mean", "activation_std")
    layers["in spreads"] = layers["activation_mean"].abs() / layers["activation_std"]
    layers["as it is"] = layers["activation_mean"].abs()
    parts = []
    for taken in ("as it is", "in spreads"):
        means = layers.groupby(["activation", "depth", "seed"])[taken].mean().unstack("activation")
        ratio = (means["elu"] / means["relu"]).rename("effect").reset_index()
        parts.append(ratio.assign(taken=taken))
    effects = pd.concat(parts, ignore_index=True)
    deepest = layers[layers["depth"] == layers["depth"].max()]
    std = deepest.groupby(["activation", "layer"])["activation_std"].mean()
    last = int(deepest["layer"].max())
    note = (
        f"He's scale is made for ReLU: over {last} layers ELU's spread goes from "
        f"{std['elu'][1]:.2f} to {std['elu'][last]:.2f}, ReLU's from {std['relu'][1]:.2f} to "
        f"{std['relu'][last]:.2f}, and the mean with it."
    )
    return measured(effects, runs, notes=(note,))


GROWS = Rule(
    measure="factor of the outputs' variance from one sigmoid layer to the next",
    says=(
        "from layer to layer the variance of sigmoid's outputs grows by at least a tenth on "
        "average: at the start, and at the probe during training where it grows most"
    ),
    threshold=1.1,
    ratio=True,
    unit="×",
    grid=("moment", "initializer"),
    need="every",
)


@claim(
    "sigmoid-variance-grows",
    group="B",
    statement=(
        "Because sigmoid's outputs are all positive, their variance grows from layer to layer "
        "until the top layer saturates."
    ),
    statement_ko=(
        "시그모이드의 출력은 항상 양수이므로 층을 지날수록 분산이 커지고, 결국 맨 위층이 포화된다."
    ),
    sources={"D2": "2.1"},
    experiments="sigmoid-layers",
    rule=GROWS,
    figure="activation_std_by_layer",
    literature=(
        Literature(
            GLOROT,
            "the top of four sigmoid layers saturates at 0 within the first epochs and may leave "
            "it much later; lower layers do not (300×300 images, uniform initialization)",
            "second-hand",
        ),
    ),
)
def sigmoid_variance_grows(evidence: Evidence) -> Effects:
    """Decide at the start and during training at each start's best rate."""
    frames = evidence["sigmoid-layers"]
    runs = choose(frames.runs, activation="sigmoid")
    tuned = at_best_rate(runs, ["initializer"])
    layers = probed(frames, tuned, "activation_std", "saturated_fraction", steps=None)
    layers["variance"] = layers["activation_std"] ** 2
    factors = layer_factor(layers, "variance")
    factors["moment"] = factors["step"].map(lambda step: "training" if step else "start")
    most = factors.groupby(["moment", "initializer", "seed"])["effect"].max().reset_index()
    top = layers[layers["layer"] == layers["depth"]]
    saturated = top.groupby(["initializer", "step"])["saturated_fraction"].mean()
    worst = "; ".join(
        f"{name}: at most {of_it.max():.1%}" for name, of_it in saturated.groupby("initializer")
    )
    notes = (
        f"Saturated outputs of the top layer (derivative below 5% of its largest), at the worst "
        f"probe: {worst}.",
        rates_in_words(tuned, ["initializer"]),
    )
    return measured(most, tuned, notes=notes)
