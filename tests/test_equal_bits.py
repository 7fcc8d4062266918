"""A run's bits are its own: in any fleet, and on every code path this processor can take."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relu_exp.core.run_keys import SCHEDULES
from relu_exp.core.schema import RunConfig
from relu_exp.engine.activations import ACTIVATIONS
from relu_exp.engine.training import train_fleet

from configs import make_run

OPTIMIZERS = [
    "sgd",
    ("sgd", {"momentum": 0.9, "weight_decay": 1e-3}),
    ("adam", {"weight_decay": 1e-3}),
    "adamw",
    ("rmsprop", {"momentum": 0.9}),
]
NETWORKS = [
    "mlp",
    ("residual_mlp", {"block_size": 1}),
    "residual_mlp",
    ("residual_mlp", {"normalization": "layer"}),
]
DATA = st.one_of(
    st.builds(
        lambda features: ("gaussian", {"num_samples": 250, "num_features": features}),
        st.integers(1, 800),
    ),
    st.just(("moons", {"num_samples": 250})),
    st.just(("digits", {"num_train": 250})),
    st.just(("mnist5k", {"num_train": 250})),
    st.just(("friedman1", {"num_samples": 250})),
)


@st.composite
def fleets(draw: st.DrawFn) -> list[RunConfig]:
    dataset, network = draw(DATA), draw(st.sampled_from(NETWORKS))
    is_binary = dataset[0] == "moons" and draw(st.booleans())
    name, own = (network, {}) if isinstance(network, str) else network
    output = draw(st.sampled_from(["sigmoid", "tanh", "linear"])) if is_binary else "logits"
    output = "regression" if dataset[0] == "friedman1" else output
    shape = {
        "dataset": dataset,
        "network": (name, {**own, "output": output}),
        "activation": draw(st.sampled_from(sorted(ACTIVATIONS))),
        "optimizer": draw(st.sampled_from(OPTIMIZERS)),
        "schedule": draw(st.sampled_from(SCHEDULES)),
        "initializer": draw(st.sampled_from(["he_normal", "torch_default"])),
        "depth": draw(st.integers(0, 3)),
        "width": draw(st.integers(1, 130)),
        "batch_size": draw(st.integers(1, 200)),
        "probe_samples": draw(st.integers(1, 100)),
        "num_steps": 5,
        "probe_steps": (0, 4),
        "evaluation_steps": (0, 5),
    }
    size, seeds = draw(st.integers(2, 17)), draw(st.integers(1, 3))
    # one run in a fleet may diverge, whereupon the others go on without it
    rates = [0.001 * (index + 1) for index in range(size)]
    if draw(st.booleans()):
        rates[draw(st.integers(0, size - 1))] = 1e30
    return [
        make_run(**shape, seed=index * seeds // size, learning_rate=rate)
        for index, rate in enumerate(rates)
    ]


def rows(tables: dict[str, dict[str, list[Any]]], run_id: str) -> list[str]:
    """Return all that was measured of a run, in words that tell any two numbers apart."""
    found = []
    for name, columns in tables.items():
        every = [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ]
        for row in every:
            if row.get("run_id") == run_id:
                found.append(f"{name} { ({**row, 'seconds': None}) }")
    return found


@pytest.mark.equal_bits
@pytest.mark.usefixtures("one_thread")
@given(fleets(), st.data())
@settings(max_examples=60)
def test_a_run_has_in_any_fleet_the_bits_that_it_has_alone(
    fleet: list[RunConfig], data: st.DataObject
) -> None:
    together = train_fleet(fleet)
    for place in {len(fleet) - 1, data.draw(st.integers(0, len(fleet) - 1))}:
        run = fleet[place]
        pairs = zip(rows(together, run.run_id), rows(train_fleet([run]), run.run_id), strict=True)
        assert [pair for pair in pairs if len({*pair}) > 1] == []


MARK = "@pytest.mark.equal_bits"

CODE_PATHS = {
    "MKL_ENABLE_INSTRUCTIONS": ("AVX2", "SSE4_2"),
    "ATEN_CPU_CAPABILITY": ("avx2", "default"),
    "MKL_CBWR": ("COMPATIBLE", "AUTO,STRICT"),
    "RELU_EXP_COMPILED": ("off",),
}
"""What tells a processor to compute as another would; one that does not obey computes as always."""


@pytest.mark.parametrize(
    ("variable", "value"),
    [(variable, value) for variable, values in CODE_PATHS.items() for value in values],
)
def test_bits_are_equal_on_the_code_paths_of_other_processors(variable: str, value: str) -> None:
    # a process of its own: libraries read these variables once
    tests = Path(__file__).parent
    marked = [str(path) for path in sorted(tests.glob("test_*.py")) if MARK in path.read_text()]
    words = ["-q", "-m", "equal_bits", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, *marked],
        env={**os.environ, variable: value},
        capture_output=True,
        text=True,
        cwd=tests.parent,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert len(marked) >= 5
