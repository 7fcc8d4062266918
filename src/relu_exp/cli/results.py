"""The commands that read results: `report`, `verify`, `compare`, `contrast` and `export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relu_exp.cli.completion import complete_export
from relu_exp.cli.options import (
    HERE,
    AnyPlace,
    Debug,
    Device,
    Language,
    Place,
    Plugins,
    path,
    whole,
)
from relu_exp.core.schema import UsageError

__all__ = ["compare", "contrast", "export", "report", "verify"]


def report(
    results: Place = HERE,
    language: Language = "en",
    all_figures: Annotated[
        bool,
        typer.Option(
            "--all-figures",
            help="Draw every combination, layer, rate and threshold, however many.",
        ),
    ] = False,
    figures: Annotated[
        str | None,
        typer.Option(
            "--figures",
            metavar="pdf|png|svg",
            help="Only write figures for slides and papers, to RESULTS/print.",
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="slide|column|page",
            help="Their place: letters of at least 14 points on a slide, 8 in a paper.  "
            "[default: page]",
        ),
    ] = None,
    step: Annotated[
        int | None,
        typer.Option(
            "--step",
            metavar="N",
            parser=whole("--step", 0, 1_000_000_000),
            help="Of those figures only histograms of activations, after N updates.",
        ),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option("--layers", metavar="N,...", help="The same, of these layers."),
    ] = None,
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Rebuild figures, reports, verdicts and the page from the results; trains nothing."""
    from relu_exp.session.reporting import print_figures, report_all

    if figures is not None:
        place = size or "page"
        print_figures(results, figures, place, language, step, _numbers(layers), plugin or ())
        return
    for option, value in (("--size", size), ("--step", step), ("--layers", layers)):
        if value is not None:
            raise UsageError(f"{option} is about files of figures: add --figures pdf, png or svg")
    report_all(results, plugin or (), language, all_figures=all_figures)


def _numbers(layers: str | None) -> list[int]:
    """Return the layers of `--layers 1,3,5`.

    Raises:
        UsageError: they are no whole numbers from 1.
    """
    words = [] if layers is None else layers.split(",")
    if any(not word.strip().isdecimal() or int(word) < 1 for word in words):
        raise UsageError(f"--layers {layers} is not valid: name layers as in --layers 1,3,5")
    return [int(word) for word in words]


def verify(
    results: AnyPlace,
    sample: Annotated[
        int | None,
        typer.Option(
            "--sample",
            metavar="N",
            parser=whole("--sample", 1, 1_000_000),
            help="Runs to train again; 10 by default.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="S",
            parser=whole("--seed", 0, 999_999_999),
            help="Selects the runs; a new seed every time by default.",
        ),
    ] = None,
    studies: Annotated[
        bool, typer.Option("--studies", help="Also recompute formulas, which takes about a minute.")
    ] = False,
    rows: Annotated[
        bool, typer.Option("--rows", help="Train nothing: check all rows and files, in seconds.")
    ] = False,
    device: Device = "auto",
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Train some finished runs again and compare every table; exit 1 when something differs."""
    if rows:
        from relu_exp.session.verify.audit import check_results

        if sample is not None or seed is not None or studies:
            raise UsageError("--rows trains nothing: leave --sample, --seed and --studies out")
        raise typer.Exit(check_results(results))
    from relu_exp.session.verify.verification import NUM_SAMPLED
    from relu_exp.session.verify.verification import verify as verify_results

    code = verify_results(results, sample or NUM_SAMPLED, seed, device, plugin or (), studies)
    raise typer.Exit(code)


def compare(
    before: AnyPlace,
    after: Annotated[Path, typer.Argument(metavar="RESULTS", parser=path, help="Another one.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Show what changed between two result sets: configurations, versions, verdicts, effects."""
    from relu_exp.evidence.compare.comparison import compare as compare_results

    print(compare_results(before, after, as_json=as_json), end="")


def contrast(
    results: Annotated[
        Path, typer.Argument(metavar="RESULTS", parser=path, help="Folder of one experiment.")
    ],
    arm: Annotated[
        str | None,
        typer.Option("--arm", metavar="KEY,...", help="Keys whose values are the arms."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="VALUE,...", help="The arm to compare with, key by key."),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="KEY,...", help="Keys whose values are compared apart."),
    ] = None,
    margin: Annotated[
        str | None,
        typer.Option("--margin", metavar="M", help="Smallest difference that matters."),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option("--metric", metavar="accuracy|loss|r2|updates:train_loss<0.5"),
    ] = None,
    format: Annotated[
        str, typer.Option("--format", metavar="table|csv|markdown|latex", help="What to print.")
    ] = "table",
    language: Language = "en",
    plugin: Plugins = None,
    debug: Debug = False,
) -> None:
    """Compare every arm of a sweep with one of them, fairly: tuned, paired, with intervals."""
    from relu_exp.core.plugin_loading import load_plugins
    from relu_exp.evidence.contrasts.printing import printed

    load_plugins(plugin or ())
    stated = {"arm": arm, "against": against, "by": by, "margin": margin, "metric": metric}
    given = {key: value for key, value in stated.items() if value is not None}
    print(printed(results, given, format, language), end="")


def export(
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="tensorboard|csv",
            help="Output format.",
            autocompletion=complete_export,
        ),
    ],
    results: Place = HERE,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="DIR", parser=path, help="Output folder; RESULTS/KIND by default."
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Write results for TensorBoard, or as one CSV table per kind."""
    from relu_exp.session.reporting import export

    export(results, to, out)
