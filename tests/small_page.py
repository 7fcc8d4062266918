"""The page of a few planted runs: every claim and three of its pictures, without any training."""

from __future__ import annotations

from pathlib import Path

from relu_exp.core.schema import Choice
from relu_exp.evidence.page.page import build_page
from relu_exp.evidence.report.verdict_pages import Judged, build

import synthetic

HE = Choice("he_normal", (("gain", 2**0.5), ("mode", "fan_in")))
STARTS = (Choice("normal", (("std", 0.01),)), Choice("normal", (("std", 1.0),)), HE)


def write_small_page(root: Path, language: str = "en") -> Judged:
    """Write results and their page below `root`, and return what was judged."""
    runs = synthetic.configs(("tanh", "relu"), STARTS, (2, 5), (0.1,), (0, 1), width=16)
    for name in ("activation-histograms", "dying-relu", "convergence-speed"):
        synthetic.write(root / name, runs)
    judged = build(root)
    build_page(judged, language)
    return judged
