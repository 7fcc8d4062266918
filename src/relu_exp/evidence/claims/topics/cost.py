"""Cost: what an activation takes to compute, alone and in a network. Group F.

The timings come from one machine. An effect is a ratio of two times of the same repeat, taken
within a fraction of a second of each other; repeats take the place of
seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from relu_exp.evidence.claims.registry import Evidence, Literature, MissingRunsError, claim
from relu_exp.evidence.claims.shown import EFFECT, Shown
from relu_exp.evidence.claims.verdicts import Effects, Rule
from relu_exp.evidence.data.labels import NAMES

__all__ = ["more_activations_cost_more", "relu_computes_faster", "relu_zeros_lighten_network"]

EXPERIMENT = "cost"
OTHERS = ("sigmoid", "tanh", "elu")
"""What the documents call dearer than ReLU."""


FASTER = Rule(
    measure="time of the other function over ReLU's",
    says=(
        "computed on the same numbers, sigmoid, tanh and ELU each take at least 1.1 times as long "
        "as ReLU, forward and backward"
    ),
    threshold=1.1,
    ratio=True,
    unit="×",
    grid=("direction", "function", "numbers"),
    over="repeat",
    need="every",
)


@claim(
    "relu-computes-faster",
    group="F",
    statement="ReLU is cheaper to compute than sigmoid, tanh and ELU, forward and backward.",
    statement_ko="ReLU는 순전파와 역전파 모두 시그모이드, tanh, ELU보다 계산 비용이 적게 든다.",
    sources={
        "D1": "ReLU 의 장점",
        "D2": "2.3",
        "D3": "ReLU(Rectified Linear Unit)",
        "D4": "2",
    },
    experiments=EXPERIMENT,
    rule=FASTER,
    figure=Shown(
        EFFECT,
        x="numbers",
        series=("function",),
        columns="direction",
        words="time_ratio",
        line=1.1,
        log=True,
    ),
    literature=(
        Literature(
            "Krizhevsky, Sutskever, Hinton 2012, NIPS 25, section 3.1",
            "counts training iterations, not the time of the function: it is cited for speed of "
            "convergence and says nothing of the cost of computing",
            "second-hand",
        ),
    ),
)
def relu_computes_faster(evidence: Evidence) -> Effects:
    """Compare each function's time with ReLU's on equally many numbers."""
    every = _timings(evidence)
    alone = every[every["part"] == "elementwise"].rename(columns={"size": "numbers"})
    found = _over(alone, "relu", OTHERS, ["direction", "numbers"])
    network = every[(every["part"] == "activations") & (every["amount"] > 0)]
    full = network[network["amount"] == network["amount"].max()]
    whole = _over(full, "relu", OTHERS, ["direction", "size"])
    notes = [
        f"In a whole network of width {size} the {direction} takes, with the other function in "
        f"place of ReLU: {_listed(group)}."
        for (direction, size), group in _on("cpu", whole).groupby(["direction", "size"])
    ]
    return _measured(found, evidence, "functions of PyTorch alone, float32", notes)


LIGHTER = Rule(
    measure="time of the network as it is over its time with units zeroed",
    says=(
        "the same network takes at least 1.1 times as long when no unit is silenced as when half "
        "or nine tenths of its hidden units output zero on every sample"
    ),
    threshold=1.1,
    ratio=True,
    unit="×",
    grid=("direction", "zeroed"),
    over="repeat",
)


@claim(
    "relu-zeros-lighten-network",
    group="F",
    statement="Units that ReLU sets to zero make the network cheaper to run.",
    statement_ko="ReLU가 일부 유닛의 출력을 0으로 만들므로 신경망의 계산이 가벼워진다.",
    sources={"D3": "ReLU(Rectified Linear Unit)"},
    experiments=EXPERIMENT,
    rule=LIGHTER,
    figure=Shown(EFFECT, x="zeroed", series=("direction",), words="time_ratio", line=1.1),
)
def relu_zeros_lighten_network(evidence: Evidence) -> Effects:
    """Compare one architecture with and without units that are silent on every sample."""
    every = _timings(evidence)
    found = _lighter(every, "zeroed")
    removed = _on("cpu", _lighter(every, "removed"))
    notes = [
        "Taking those units out of the matrices, which ReLU's zeros do not, makes it lighter by: "
        f"{_listed(group)} ({direction})."
        for direction, group in removed.groupby("direction")
    ]
    return _measured(found, evidence, "dense matrix products, 5 layers of width 300", notes)


MORE = Rule(
    measure="time with an activation after every hidden layer over time with none",
    says=(
        "whichever of ReLU, ELU, tanh and sigmoid it is, and at either width, the same network "
        "takes at least 1.05 times as long with it after each of its five hidden layers as without "
        "any"
    ),
    threshold=1.05,
    ratio=True,
    unit="×",
    grid=("direction", "function", "width"),
    over="repeat",
    need="every",
    margin=1.05,
    version=2,
    since=date(2026, 11, 26),
    reason="the mean over functions hid what a single one costs, ReLU first: each must cost more",
)


@claim(
    "more-activations-cost-more",
    group="F",
    statement="The more activations a network has, the more it takes to compute.",
    statement_ko="활성화 함수를 많이 쓸수록 신경망의 연산량이 늘어난다.",
    sources={"D3": "Pytorch 코드 실습"},
    experiments=EXPERIMENT,
    rule=MORE,
    figure=Shown(
        EFFECT,
        x="width",
        series=("function",),
        columns="direction",
        words="time_ratio",
        line=1.05,
    ),
)
def more_activations_cost_more(evidence: Evidence) -> Effects:
    """Compare one architecture with all of its activations and with none."""
    every = _timings(evidence)
    network = every[every["part"] == "activations"].rename(columns={"size": "width"})
    none = network[network["amount"] == 0].drop(columns=["activation", "amount"])
    some = network[network["amount"] > 0].merge(
        none, on=["direction", "width", "repeat", "device"], suffixes=("", "_none")
    )
    some = some.assign(
        effect=some["seconds"] / some["seconds_none"], function=some["activation"].map(_name)
    )
    most = some["amount"].max()
    found = some[some["amount"] == most]
    scope = f"5 hidden layers, batch of 128, {most:g} activations against none"
    half = _on("cpu", some[some["amount"] < most])
    notes = [f"With activations after the first two layers only: {_listed(half)}."]
    return _measured(found, evidence, scope, notes)


def _timings(evidence: Evidence) -> pd.DataFrame:
    """Return the table `timings`.

    Raises:
        MissingRunsError: nothing was timed.
    """
    found = evidence[EXPERIMENT].studied("timings")
    if found.empty:
        raise MissingRunsError(f"{EXPERIMENT} has no timings: {evidence.run(EXPERIMENT)}")
    return found


def _over(
    timed: pd.DataFrame, base: str, others: Sequence[str], within: Sequence[str]
) -> pd.DataFrame:
    """Return the time of each of `others` over that of `base`, in the same repeat and place.

    Raises:
        MissingRunsError: one of them was not timed.
    """
    keys = [*within, "repeat", "device"]
    times = timed.pivot(index=keys, columns="activation", values="seconds")
    missing = [name for name in (base, *others) if name not in times]
    if missing:
        raise MissingRunsError(f"{', '.join(missing)} was not timed")
    ratios = times[list(others)].div(times[base], axis=0).reset_index()
    ratios = ratios.melt(keys, list(others), value_name="effect")
    return ratios.assign(function=ratios["activation"].map(_name))


def _lighter(every: pd.DataFrame, part: str) -> pd.DataFrame:
    """Return a whole network's time over that of one with a share of its units zeroed or removed.

    Raises:
        MissingRunsError: one of the two was not timed.
    """
    keys = ["direction", "size", "repeat", "device"]
    whole = every[(every["part"] == "zeroed") & (every["amount"] == 0)]
    less = every[(every["part"] == part) & (every["amount"] > 0)]
    both = less.merge(whole[[*keys, "seconds"]], on=keys, suffixes=("", "_whole"))
    if both.empty:
        raise MissingRunsError(f"no network with units {part} was timed")
    return both.assign(
        effect=both["seconds_whole"] / both["seconds"],
        zeroed=both["amount"].map("{:.0%}".format),
    )


def _measured(found: pd.DataFrame, evidence: Evidence, scope: str, notes: Sequence[str]) -> Effects:
    """Return the ratios of times on one CPU thread; on a GPU, where there was one, elsewhere."""
    machine = evidence[EXPERIMENT].manifest
    words = [str(value) for value in (machine.get("machine") or {}).values()]
    torch = (machine.get("packages") or {}).get("torch", "?")
    place = f"one thread of this machine's CPU ({' '.join(words[:2]) or 'unknown'}), PyTorch"
    rows = found.rename(columns={"repeat": "seed"})
    on_gpu = _on("cuda", rows)
    return Effects(
        _on("cpu", rows),
        scope=f"{scope}; {place} {torch}; repeats stand for seeds",
        notes=notes,
        elsewhere={} if on_gpu.empty else {"GPU": on_gpu},
    )


def _on(device: str, found: pd.DataFrame) -> pd.DataFrame:
    return found.loc[found["device"] == device]


def _listed(found: pd.DataFrame) -> str:
    """Return the geometric means over repeats, by function or by share, in one line."""
    by = "function" if "function" in found else "zeroed"
    logs = found.assign(effect=np.log(found["effect"])).groupby(by, sort=True)["effect"].mean()
    return ", ".join(f"{name} {np.exp(value):.2g}×" for name, value in logs.items())


def _name(activation: str) -> str:
    return NAMES.get(activation, activation)
