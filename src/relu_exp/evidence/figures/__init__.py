"""Figures: a registry of functions from frames to drawings, one file per topic."""

from relu_exp.evidence.figures import accuracy, dead, functions, histograms, layers, loss
from relu_exp.evidence.figures.catalog import FIGURES, DoesNotApply, Drawing, FigureKind, draw
from relu_exp.evidence.figures.style import RC

__all__ = ["FIGURES", "RC", "DoesNotApply", "Drawing", "FigureKind", "draw"]

TOPICS = (functions, histograms, layers, accuracy, loss, dead)
"""Imported so that their figures register; the order is that of a report."""
