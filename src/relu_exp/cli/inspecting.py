"""The command that measures a network of one's own: `inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from relu_exp.cli.options import Debug, Language, path

__all__ = ["inspect"]


def inspect(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:CALLABLE", help="Function that returns the network, as my_module:build."
        ),
    ],
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            metavar="FILE",
            parser=path,
            help="A batch (x, y), saved with torch.save; loaded with weights_only.",
        ),
    ],
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", parser=path, help="Also write all numbers as CSV."),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(
            "--page", metavar="FILE", parser=path, help="Also write all as one offline HTML page."
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            "--results",
            metavar="DIR",
            parser=path,
            help="Also add it to a result folder of its own.",
        ),
    ] = None,
    language: Language = "en",
    debug: Debug = False,
) -> None:
    """Measure the layers of your own network on a batch, and say why it does not learn."""
    from relu_exp.evidence.data.language import language as writing_in
    from relu_exp.inspection.inspecting import inspect as inspect_network
    from relu_exp.inspection.loading import load_batch, load_model
    from relu_exp.inspection.sentences import TABLE_WORDS as WORDS

    batch = load_batch(data)
    report = inspect_network(load_model(model), batch)
    with writing_in(language):
        print(report)
        if csv is not None:
            report.csv(csv)
        if page is not None:
            print(WORDS("page", path=report.save(page, language)))
        if results is not None:
            print(WORDS("results", path=report.to_results(results)))
