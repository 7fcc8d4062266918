"""Claims about where units' means lie, before training and after it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd

from relu_exp.evidence.claims.arms import at_best_rate, choose, measured, own_values, rates_in_words
from relu_exp.evidence.claims.probes import HE, SMALL, UNIT, XAVIER, probed, started, with_start
from relu_exp.evidence.claims.registry import Evidence, Literature, MissingRunsError, claim
from relu_exp.evidence.claims.shown import OWN, Shown
from relu_exp.evidence.claims.verdicts import Effects, Rule

__all__: list[str] = []

SINCE = date(2026, 11, 26)
TRAINED = "five-activations"
GAIN = "initializer.gain"
MEANS = ("activation_mean", "activation_unit_mean_rms", "activation_sample_std")

SIGMOID_MEAN = Rule(
    measure="distance of sigmoid units' means from 0.5 (root mean square over units)",
    says=(
        "a unit's mean over the samples lies on average over layers less than 0.25 from 0.5, where "
        "it would be as near to 0 or 1: before training, from all four starts, and after it"
    ),
    threshold=0.25,
    claimed_side="below",
    grid=("moment", "start", "depth"),
    need="every",
    version=2,
    since=SINCE,
    reason=(
        "before training symmetry makes the mean over all units 0.5 whatever single units do: each "
        "unit's own mean is judged, and after training too"
    ),
)
TANH_MEAN = Rule(
    measure="units' means over their spread over the samples (root mean squares)",
    says=(
        "the means of tanh units, by which the next layer's inputs are shifted, are on average "
        "over layers less than half of the units' spread over the samples: before training, from "
        "all four starts, on images and on centered noise, and after it on images"
    ),
    threshold=0.5,
    claimed_side="below",
    ratio=True,
    unit="×",
    grid=("moment", "inputs", "start", "depth"),
    need="every",
    version=2,
    since=SINCE,
    reason=(
        "means of opposite signs cancel over units, yet shift the next layer: their root mean "
        "square against the spread is judged, and after training too"
    ),
)


def _by_layer(
    evidence: Evidence, name: str, activation: str, inputs: str = "images"
) -> pd.DataFrame:
    """Return the layers of the four starts before training, with `moment` and `inputs`."""
    runs = started(evidence[name], [activation], [SMALL, UNIT, XAVIER, HE])
    layers = probed(evidence[name], runs, *MEANS)
    return layers.assign(moment="start", inputs=inputs)


def _after_training(evidence: Evidence, activation: str) -> tuple[pd.DataFrame, str]:
    """Return the layers after training at the best rate, and the rates in words.

    Raises:
        MissingRunsError: no run was probed after training.
    """
    frames = evidence[TRAINED]
    tuned = at_best_rate(with_start(choose(frames.runs, activation=activation)), ["depth"])
    layers = probed(frames, tuned, *MEANS, steps="last")
    layers = layers[layers["step"] == layers["num_steps"]]
    if layers.empty:
        raise MissingRunsError(f"{TRAINED} was not probed after training")
    layers = layers.assign(moment="trained", inputs="images")
    return layers, rates_in_words(tuned, ["depth"])


def _mean_over_layers(
    layers: pd.DataFrame, value: Callable[[pd.DataFrame], pd.Series], grid: tuple[str, ...]
) -> pd.DataFrame:
    """Return the mean over layers of what `value` makes of them, per seed and setting."""
    means = layers.assign(effect=value(layers)).groupby([*grid, "seed"])["effect"].mean()
    return means.reset_index()


def _from_half(layers: pd.DataFrame) -> pd.Series:
    """Return the root mean square distance of the units' means from 0.5."""
    squares = layers["activation_unit_mean_rms"] ** 2 - layers["activation_mean"] + 0.25
    return squares.clip(lower=0) ** 0.5


def _in_spreads(layers: pd.DataFrame) -> pd.Series:
    """Return the units' means in units of their spread; where nothing varies, none is known."""
    spread = layers["activation_sample_std"]
    return layers["activation_unit_mean_rms"] / spread.where(spread > 0)


@claim(
    "sigmoid-outputs-not-centred",
    group="B",
    statement="Sigmoid's outputs center on 0.5, not on 0.",
    statement_ko="시그모이드의 출력은 0이 아니라 0.5를 중심으로 분포한다.",
    sources={"D2": "2.1"},
    experiments=("signals", TRAINED),
    rule=SIGMOID_MEAN,
    figure=Shown(
        OWN,
        x="layer",
        series=("initializer_label",),
        columns="depth",
        only={"experiment": "signals"},
        words="distance_from_half",
        line=SIGMOID_MEAN.threshold,
    ),
)
def sigmoid_outputs_not_centred(evidence: Evidence) -> Effects:
    """Measure each unit's mean, from four starts and after training."""
    after, rates = _after_training(evidence, "sigmoid")
    layers = pd.concat([_by_layer(evidence, "signals", "sigmoid"), after], ignore_index=True)
    whole = layers.groupby("moment")["activation_mean"].agg(["min", "max"])
    phrases = "; ".join(
        f"{moment} {row['min']:.2f} to {row['max']:.2f}" for moment, row in whole.iterrows()
    )
    notes = (f"Means over all units of a layer: {phrases}.", f"After training. {rates}")
    effects = _mean_over_layers(layers, _from_half, SIGMOID_MEAN.grid)
    values = own_values(layers.assign(distance=_from_half(layers)), "distance", "layer")
    return measured(effects, layers.drop_duplicates("run_id"), notes=notes, values=values)


@claim(
    "tanh-outputs-centred",
    group="B",
    statement="Tanh's outputs center on 0, so that the next layer's inputs are not shifted.",
    statement_ko="tanh의 출력은 0을 중심으로 분포하므로 다음 층의 입력이 한쪽으로 치우치지 않는다.",
    sources={"D2": "2.2"},
    experiments=("signals", "activation-histograms", TRAINED),
    rule=TANH_MEAN,
    figure=Shown(
        "unit_mean_in_spreads",
        x="layer",
        series=("initializer_label",),
        columns="dataset_label",
        only={"depth": 10},
        line=TANH_MEAN.threshold,
    ),
)
def tanh_outputs_centred(evidence: Evidence) -> Effects:
    """Measure the units' means in spreads, from four starts and after training."""
    after, rates = _after_training(evidence, "tanh")
    every = [
        _by_layer(evidence, "signals", "tanh"),
        _by_layer(evidence, "activation-histograms", "tanh", "noise"),
        after,
    ]
    layers = pd.concat(every, ignore_index=True)
    sigmoid = _by_layer(evidence, "signals", "sigmoid")
    shift = _in_spreads(sigmoid[sigmoid["layer"] == 1]).groupby(sigmoid["start"]).median()[XAVIER]
    notes = (
        f"Sigmoid's in the first layer, with Xavier on images: {shift:.1f} spreads (median).",
        "Noise is centered, so an odd function's outputs are. Images are not: each pixel has a "
        "mean of its own, and the first layer passes it on.",
        f"After training. {rates}",
    )
    effects = _mean_over_layers(layers, _in_spreads, TANH_MEAN.grid)
    return measured(effects, layers.drop_duplicates("run_id"), notes=notes)


ELU_NEARER = Rule(
    measure="ELU units' means over ReLU units' means (root mean squares)",
    says=(
        "the means of ELU's units, as they are and in units of their own spread over the samples, "
        "are at least a tenth nearer 0 than those of ReLU's, before and after training, each with "
        "the initialization that keeps its own signal"
    ),
    threshold=0.9,
    claimed_side="below",
    ratio=True,
    unit="×",
    grid=("taken", "moment", "depth"),
    need="every",
    version=2,
    since=SINCE,
    reason=(
        "with ReLU's gain ELU's signal grows from layer to layer, and its mean with it: it now has "
        "its own gain, and units' means do not cancel"
    ),
)


@claim(
    "elu-outputs-nearer-zero",
    group="B",
    statement="ELU's mean output is nearer 0 than ReLU's.",
    statement_ko="ELU 출력의 평균은 ReLU 출력의 평균보다 0에 가깝다.",
    sources={"D2": "3.2"},
    experiments=TRAINED,
    rule=ELU_NEARER,
    figure=Shown("activation_unit_mean_rms", x="layer", columns="moment", rows="depth"),
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
    """Measure the ratio of units' means, as they are and in spreads, before and after training."""
    frames = evidence[TRAINED]
    runs = choose(frames.runs, activation=["elu", "relu"])
    tuned = at_best_rate(runs, ["activation", "depth"])
    layers = probed(frames, tuned, *MEANS, steps=None)
    layers = layers[layers["step"].isin([0]) | (layers["step"] == layers["num_steps"])]
    layers = layers.assign(moment=np.where(layers["step"] == 0, "start", "trained"))
    layers["in spreads"] = _in_spreads(layers)
    layers["as it is"] = layers["activation_unit_mean_rms"]
    parts = []
    for taken in ("as it is", "in spreads"):
        keys = ["activation", "moment", "depth", "seed"]
        means = layers.groupby(keys)[taken].mean().unstack("activation")
        ratio = (means["elu"] / means["relu"]).rename("effect").reset_index()
        parts.append(ratio.assign(taken=taken))
    whole = layers.groupby(["moment", "activation"])["activation_mean"].mean().reset_index()
    phrases = ", ".join(
        f"{row['activation']} {row['activation_mean']:.2f} ({row['moment']})"
        for row in whole.to_dict("records")
    )
    notes = (
        f"Means over all units, where signs cancel: {phrases}.",
        f"ELU's gain is {float(runs.loc[runs['activation'] == 'elu', GAIN].iloc[0]):.3g}, "
        "1 / √E[ELU(z)²] for z of N(0, 1); ReLU's is √2.",
        rates_in_words(tuned, ["activation", "depth"]),
    )
    return measured(pd.concat(parts, ignore_index=True), tuned, notes=notes)
