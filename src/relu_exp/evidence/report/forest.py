"""Forest plot: every statistical claim's effect as the distance from its own threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from relu_exp.evidence.claims.verdicts import Rule, Verdict
from relu_exp.evidence.figures.files import save_png, save_svg
from relu_exp.evidence.figures.sheet import Sheet
from relu_exp.evidence.figures.style import RC, Look, plain
from relu_exp.evidence.report.looks import LOOKS, standardized

__all__ = ["draw_forest"]

DRAWN = {name: Look(look.color, look.marker) for name, look in LOOKS.items()}
TICKS = (-100, -10, -3, -1, 0, 1, 3, 10, 100)


def draw_forest(
    rules: Mapping[str, Rule], verdicts: Mapping[str, Verdict], targets: Sequence[Path]
) -> bool:
    """Draw the effects of all statistical claims to files; return whether there were any."""
    found = {
        claim: distances
        for claim, verdict in verdicts.items()
        if (distances := standardized(verdict, rules[claim]))
    }
    if not found:
        return False
    order = sorted(found, key=lambda claim: -found[claim].effect)
    with mpl.rc_context(RC):
        sheet = Sheet(1, 1, panel=(4.6, 0.17 * len(order) + 0.3))
        (axes,) = sheet.panels
        axes.axvline(0, color="#444444", linewidth=0.8)
        axes.axvspan(-1, 1, color="#f0f0f0", zorder=0)
        for row, claim in enumerate(order):
            distances, look = found[claim], DRAWN[verdicts[claim].name]
            axes.plot([distances.low, distances.high], [row, row], color=look.color, linewidth=1.3)
            axes.plot([distances.effect], [row], color=look.color, marker=look.marker)
        axes.set_yticks(range(len(order)), order)
        axes.set_ylim(len(order) - 0.4, -0.6)
        axes.set_xscale("symlog", linthresh=3, linscale=1.2)
        reach = max(5.0, *(abs(distances.effect) + 2 for distances in found.values()))
        axes.set_xlim(-reach, reach)
        axes.xaxis.set_major_locator(FixedLocator([tick for tick in TICKS if abs(tick) < reach]))
        axes.xaxis.set_major_formatter(FuncFormatter(plain))
        axes.xaxis.set_minor_locator(NullLocator())
        present = [name for name in DRAWN if any(verdicts[claim].name == name for claim in order)]
        figure = sheet.finish(
            title="How far each effect lies from its threshold",
            small_print=(
                "Bars: 95% intervals over seeds. Outside the band the interval lies wholly on one "
                "side of the threshold; Holm's correction may still leave the claim open.\n"
                "A claim about several settings is decided by them; its mark is their mean."
            ),
            x="← against the claim     distance ÷ half the interval's width     for the claim →",
            y="",
            handles=[DRAWN[name].handle(name) for name in present],
            tick_width=0.075 * max(map(len, order)) - 0.1,
        )
        for target in targets:
            (save_png if target.suffix == ".png" else save_svg)(figure, target)
    return True
