"""Figures: a registry of functions from frames to drawings, one file per topic."""

from relu_exp.evidence.figures import (
    accuracy,
    accuracy_map,
    contrasts,
    dead,
    functions,
    histograms,
    layers,
    learned,
    loss,
    pictures,
)
from relu_exp.evidence.figures.catalog import (
    FIGURES,
    DoesNotApply,
    Drawing,
    FigureKind,
    draw,
    figure,
    finished,
)
from relu_exp.evidence.figures.sheet import Sheet
from relu_exp.evidence.figures.style import RC, looks

__all__ = [
    "FIGURES",
    "RC",
    "DoesNotApply",
    "Drawing",
    "FigureKind",
    "Sheet",
    "draw",
    "figure",
    "finished",
    "looks",
]

TOPICS = (
    *(functions, histograms, layers, accuracy, accuracy_map, loss, dead, learned),
    *(pictures, contrasts),
)
"""Imported so that their figures register; the order is that of a report."""
