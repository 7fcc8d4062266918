"""The story: five ways to start a network; what a reader predicts, and what was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from relu_exp.evidence.claims.answers.numbers import digits
from relu_exp.evidence.claims.probes import END, NEAR_ZERO
from relu_exp.evidence.claims.registry import Evidence
from relu_exp.evidence.data.labels import korean_label
from relu_exp.evidence.data.texts import Text, entry, read_texts
from relu_exp.evidence.figures.style import looks, plain
from relu_exp.evidence.page.panels import Panel, Scale
from relu_exp.evidence.page.questions import View
from relu_exp.evidence.page.starts import EXPERIMENT, OPTIONS, Start, find_start
from relu_exp.evidence.page.words import WORDS

__all__ = ["ASKED", "Asked", "Seen", "Step", "story_steps"]


@dataclass(frozen=True)
class Asked:
    """A step as the file has it; the fields are explained there."""

    title: Text
    question: Text
    activation: str
    start: str
    measure: Literal["place", "spread"]
    claim: str
    why: Text


@dataclass(frozen=True)
class Seen:
    """What was measured: which option it is, a sentence, a number of each layer and a picture."""

    outcome: str
    found: Text
    why: Text
    facts: Text
    numbers: Sequence[str]
    panels: Sequence[Panel]
    ticks: Sequence[tuple[float, str]]
    view: View
    color: str


@dataclass(frozen=True)
class Step:
    """A step of the story; without `seen` its runs are missing, and `command` makes them."""

    asked: Asked
    options: Sequence[str]
    seen: Seen | None
    command: str


ASKED: tuple[Asked, ...] = tuple(
    entry(Asked, values, f"story.yaml: step {number}")
    for number, values in enumerate(read_texts(__package__, "story.yaml"), 1)
)


def story_steps(evidence: Evidence) -> list[Step]:
    """Return the steps of the story; none where the results have the runs of none.

    Histograms of one activation have one scale in all steps.
    """
    starts = [find_start(evidence, each.activation, each.start, each.measure) for each in ASKED]
    if not any(starts):
        return []
    shares: dict[str, list[Any]] = {}
    for asked, start in zip(ASKED, starts, strict=True):
        shares.setdefault(asked.activation, []).extend(start.shares if start else [])
    command = evidence.run(EXPERIMENT)
    return [
        Step(
            asked,
            OPTIONS[asked.measure],
            _seen(asked, start, Scale.of(shares[asked.activation])) if start else None,
            command,
        )
        for asked, start in zip(ASKED, starts, strict=True)
    ]


def _seen(asked: Asked, start: Start, scale: Scale) -> Seen:
    run, measured = start.runs.iloc[0], start.measured
    std = _weight_std(run)
    gain = std * float(run["width"]) ** 0.5
    words = {
        **measured.words,
        "layers": str(run["depth"]),
        "width": plain(float(run["width"])),
        "activation": str(run["activation_label"]),
        "start": asked.start,
        "seeds": str(len(start.runs)),
        "near": plain(NEAR_ZERO),
        "edge": digits(1 - END),
        "std": digits(std),
        "gain": digits(gain),
        "kept": digits(gain / math.sqrt(2)),
    }
    facts = [
        text.format(**words, inputs=inputs)
        for text, inputs in zip(WORDS["story_facts"], _inputs(run), strict=True)
    ]
    return Seen(
        outcome=measured.outcome,
        found=_filled(WORDS[f"told_{measured.outcome}"], words),
        why=_filled(asked.why, words),
        facts=Text(*facts),
        numbers=measured.by_layer,
        panels=[scale.panel(share) for share in start.shares],
        ticks=scale.ticks,
        view=View(
            EXPERIMENT,
            words["activation"],
            str(run["initializer_label"]),
            int(run["depth"]),
            float(run["learning_rate"]),
        ),
        color=looks(start.runs)[run["activation_label"]].color,
    )


def _filled(text: Text, words: Mapping[str, str]) -> Text:
    return Text(*(each.format(**words) for each in text))


def _inputs(run: pd.Series[Any]) -> Text:
    """Return what the network was shown, in words."""
    if run["dataset"] == "gaussian":
        return _filled(WORDS["story_noise"], {"samples": plain(float(run["dataset.num_samples"]))})
    return Text(str(run["dataset_label"]), korean_label(str(run["dataset_label"])))


def _weight_std(run: pd.Series[Any]) -> float:
    """Return the standard deviation of the weights between layers of one width."""
    if run["initializer"] == "normal":
        return float(run["initializer.std"])
    # Xavier divides by the mean of inputs and outputs, He by the inputs: here they are equal
    return float(run["initializer.gain"]) / math.sqrt(float(run["width"]))
