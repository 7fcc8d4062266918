"""The claim that sigmoid's variance grows from layer to layer until the top layer saturates."""

from __future__ import annotations

from datetime import date

import pandas as pd

from relu_exp.evidence.claims.arms import at_best_rate, choose, measured, rates_in_words
from relu_exp.evidence.claims.probes import layer_factor, probed
from relu_exp.evidence.claims.registry import Evidence, Literature, claim
from relu_exp.evidence.claims.shown import EFFECT, Shown
from relu_exp.evidence.claims.verdicts import Effects, Rule

__all__: list[str] = []

GLOROT = "Glorot, Bengio 2010, AISTATS, Understanding the difficulty of training deep networks"
GROWTH, SATURATED = 1.1, 0.5

GROWS = Rule(
    measure="times the limit: growth of the variance over a tenth a layer, saturation over a half",
    says=(
        "from layer to layer a unit's variance over the samples grows by at least a tenth on "
        "average (effect: the factor over 1.1), and at least half of the top layer's outputs are "
        "saturated, with a derivative below 5% of its largest (effect: the share over a half): "
        "before training, and at the probe during training where it is largest on average over "
        "seeds; each above 1"
    ),
    threshold=1.0,
    unit="×",
    grid=("half", "moment", "initializer"),
    need="every",
    version=2,
    since=date(2026, 11, 26),
    reason=(
        "the variance of all of a layer's outputs is mostly that of the units' means, and whether "
        "the top layer saturates was never judged"
    ),
)


@claim(
    "sigmoid-variance-grows",
    group="B",
    statement=(
        "Because sigmoid's outputs are all positive, their variance grows from layer to layer "
        "until the top layer saturates."
    ),
    statement_ko=(
        "시그모이드의 출력은 항상 양수이므로 층을 지날수록 분산이 커지고, "
        "결국 마지막 층이 포화된다."
    ),
    sources={"D2": "2.1"},
    experiments="sigmoid-layers",
    rule=GROWS,
    figure=Shown(
        EFFECT,
        x="moment",
        series=("initializer",),
        rows="half",
        words="times_the_limit",
        line=1.0,
    ),
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
    """Decide both halves at the start and during training at each start's best rate."""
    frames = evidence["sigmoid-layers"]
    runs = choose(frames.runs, activation="sigmoid")
    tuned = at_best_rate(runs, ["initializer"])
    quantities = ("activation_sample_std", "saturated_fraction")
    layers = probed(frames, tuned, *quantities, steps=None)
    layers["moment"] = layers["step"].map(lambda step: "training" if step else "start")
    layers["variance"] = layers["activation_sample_std"] ** 2
    growth = layer_factor(layers, "variance")
    top = layers[layers["layer"] == layers["depth"]]
    halves = {
        "variance grows": growth.assign(effect=growth["effect"] / GROWTH),
        "top layer saturates": top.assign(effect=top["saturated_fraction"] / SATURATED),
    }
    effects, when = [], []
    for half, every in halves.items():
        largest, step = _at_largest(every)
        effects.append(largest.assign(half=half))
        when.append(f"{half}: {step}")
    shares = top.groupby("moment")["saturated_fraction"].max()
    notes = (
        f"Largest on average, by updates: {'; '.join(when)}.",
        f"The largest share of saturated outputs in the top layer of any run: before training "
        f"{shares['start']:.1%}, during training {shares.get('training', float('nan')):.1%}.",
        rates_in_words(tuned, ["initializer"]),
    )
    return measured(pd.concat(effects, ignore_index=True), tuned, notes=notes)


def _at_largest(every: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return `effect` at the probe where its mean over seeds is largest, and which that is.

    One probe for all seeds of a start and moment: the largest of each seed would be luck.
    """
    keys = ["initializer", "moment"]
    means = every.groupby([*keys, "step"])["effect"].mean().reset_index()
    best = means.sort_values("effect", ascending=False).drop_duplicates(keys)
    trained = best[best["moment"] == "training"]
    pairs = zip(trained["initializer"], trained["step"], strict=True)
    words = ", ".join(f"{initializer} {step}" for initializer, step in pairs)
    return every.merge(best[[*keys, "step"]], on=[*keys, "step"]), words
