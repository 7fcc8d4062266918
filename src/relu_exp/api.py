"""The Python API: run a sweep, open results as DataFrames, draw them and compare their arms."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from relu_exp.core.arguments import is_experiment
from relu_exp.core.naming import nearest
from relu_exp.core.plugin_loading import entries_of_script
from relu_exp.core.schema import UsageError, histogram_edges
from relu_exp.evidence.data.frames import Frames, find_results

if TYPE_CHECKING:
    from relu_exp.evidence.figures import Drawing

__all__ = ["Results", "contrast", "draw", "open", "run"]


@dataclass(frozen=True)
class Results:
    """The results of one experiment as tidy DataFrames; `docs/api.md` documents their columns."""

    frames: Frames = field(repr=False)

    @property
    def path(self) -> Path:
        """The folder of the results."""
        return self.frames.root

    @property
    def runs(self) -> pd.DataFrame:
        """One row per run: its settings, its labels, how it ended and its final metrics."""
        return self.frames.runs.drop(columns="part")

    @property
    def curves(self) -> pd.DataFrame:
        """One row per run, step and split: `loss`, and `accuracy` or `r2`."""
        return self.frames.curves

    @property
    def layers(self) -> pd.DataFrame:
        """One row per run, step, layer and quantity: `value`."""
        return self.frames.layers

    def histogram(self, step: int, layer: int, kind: str = "activation") -> pd.DataFrame:
        """Return the values of a layer at a step: a row per run and bin, `low`, `high`, `count`.

        The first bin reaches down to minus infinity, and the last up to infinity.

        Raises:
            UsageError: no run has such a histogram; those there are are named.
        """
        every = self.frames.histograms
        rows = every[(every["step"] == step) & (every["layer"] == layer) & (every["kind"] == kind)]
        if rows.empty:
            there = ", ".join(
                f"{name} {sorted(every[name].unique())}" for name in ("step", "layer", "kind")
            )
            raise UsageError(
                f"no histogram at step={step} layer={layer} kind={kind}; measured were {there}"
            )
        edges = np.array([-np.inf, *histogram_edges(kind), np.inf])
        return pd.concat(
            [
                pd.DataFrame(
                    {
                        "run_id": str(run_id),
                        "low": edges[:-1].round(6),
                        "high": edges[1:].round(6),
                        "count": counts,
                    }
                )
                for run_id, counts in zip(rows["run_id"], rows["counts"], strict=True)
            ],
            ignore_index=True,
        )

    def _repr_html_(self) -> str:
        """Return the best results as a notebook shows them."""
        from relu_exp.evidence.report.summary import best_results

        table = best_results(self.frames)
        title = str(self.frames.manifest.get("title") or self.path.name)
        shown = pd.DataFrame(table.as_dicts()).to_html(index=False, border=0)
        return f"<p><b>{escape(title)}</b> ({len(self.runs):,} runs)</p>{shown}"


def run(experiment: str | Path, *overrides: str, results: str | Path = "results") -> Results:
    """Train the missing runs of an experiment, write its report, and return its results.

    Args:
        experiment: its name, or the path of its YAML file.
        overrides: as on the command line, `activation=relu,gelu`.
        results: the folder that has a subfolder for each experiment.

    Raises:
        UsageError: something is not valid; the message is one line.
    """
    from relu_exp.config import sweeps
    from relu_exp.session.session import Options, train

    if wrong := [word for word in overrides if is_experiment(word)]:
        raise UsageError(f"{wrong[0]} is no override: write KEY=VALUE")
    (sweep,) = sweeps([str(experiment)], overrides)
    # other processes have no entries of a notebook's cell or of this script
    num_workers = 1 if entries_of_script() else None
    train([str(experiment)], overrides, Options(Path(results), num_workers=num_workers))
    return open(Path(results) / sweep.name)


def open(path: str | Path) -> Results:
    """Return the results in the folder of one experiment.

    Raises:
        UsageError: there are none, there are several experiments, or they cannot be read.
    """
    root = Path(path)
    if (folders := find_results(root)) != [root]:
        names = ", ".join(folder.name for folder in folders[:12])
        raise UsageError(f"{root} holds several experiments: name one of {names}")
    return Results(Frames.open(root))


class Drawings(list["Drawing"]):
    """The drawings of a figure; a notebook shows them all."""

    def _repr_html_(self) -> str:
        """Return the pictures, each above its caption."""
        return "".join(
            f'<img alt="{escape(each.title)}" style="max-width:100%" '
            f'src="data:image/png;base64,{b64encode(each._repr_png_()).decode()}">'
            f"<p>{escape(each.caption)}</p>"
            for each in self
        )


def draw(results: Results | str | Path, figure: str) -> Drawings:
    """Return the drawings of a figure, which a notebook shows; `relu-exp list figures` names them.

    Raises:
        UsageError: there is no such figure, or the results cannot be drawn as it.
    """
    from relu_exp.evidence.figures import FIGURES, DoesNotApply
    from relu_exp.evidence.figures import draw as drawings

    if figure not in FIGURES:
        raise UsageError(f"unknown figure {figure!r}{nearest(figure, FIGURES)}")
    try:
        return Drawings(drawings(figure, _opened(results).frames))
    except DoesNotApply as reason:
        raise UsageError(f"{figure}: {reason}") from reason


def contrast(
    results: Results | str | Path,
    arm: str | Sequence[str] | None = None,
    against: str | Sequence[str | float] | None = None,
    *,
    by: str | Sequence[str] | None = None,
    margin: float | None = None,
    metric: str | None = None,
) -> pd.DataFrame:
    """Return every arm against one of them: tuned, paired by seed, with 95% intervals.

    What is left out is what the experiment states. The columns are those of the CSV.

    Raises:
        UsageError: the results cannot be compared so.
    """
    from relu_exp.evidence.contrasts.printing import contrast_in
    from relu_exp.evidence.contrasts.table import as_frame

    stated = {"arm": arm, "against": against, "by": by, "margin": margin, "metric": metric}
    given = {key: value for key, value in stated.items() if value is not None}
    return as_frame(contrast_in(_opened(results).frames, given)[0])


def _opened(results: Results | str | Path) -> Results:
    return results if isinstance(results, Results) else open(results)
