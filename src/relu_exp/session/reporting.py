"""Builds reports, verdicts and exports: at once, or in another process during training."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from relu_exp.core.naming import printable
from relu_exp.core.plugin_loading import load_plugins
from relu_exp.evidence.data.commands import about_results
from relu_exp.launchers.processes import end_with_parent, processes, start
from relu_exp.results.store import Store
from relu_exp.session.sharing import Sharing

if TYPE_CHECKING:
    from relu_exp.evidence.report.report import Built

__all__ = [
    "Interrupted",
    "Reports",
    "export",
    "has_results",
    "index",
    "judge",
    "print_figures",
    "report",
    "report_all",
    "show_verdicts",
]


class Interrupted(Exception):  # noqa: N818  (an ending, not a mistake)
    """Ctrl-C, with a message that says what was kept and how to continue."""

    exit_code = 130


def report(root: Path, *, all_figures: bool = False, language: str = "en") -> None:
    """Build the report of one experiment in a language, and print its summary.

    With `all_figures` figures leave nothing out, however much there is.

    Raises:
        UsageError: there are no results, or they cannot be read.
        Interrupted: Ctrl-C.
    """
    from relu_exp.evidence.report.report import build

    with _interruptible(root, language, all_figures=all_figures):
        _show(build(root, all_figures=all_figures, language=language), language)


@contextmanager
def _interruptible(results: Path, language: str, *, all_figures: bool) -> Iterator[None]:
    """Say after Ctrl-C which command builds reports again."""
    try:
        yield
    except KeyboardInterrupt:
        more = ["--all-figures"] if all_figures else []
        more += ["--language", language] if language != "en" else []
        again = about_results("report", *more, results=results, option="")
        raise Interrupted(f"interrupted: all runs are kept; {again} builds the report") from None


def report_all(
    results: Path,
    plugins: Sequence[str] = (),
    language: str = "en",
    *,
    all_figures: bool = False,
) -> None:
    """Build the report of one experiment, or of all experiments in a folder.

    `language` is that of the reports, and the initial one of the page about all experiments. With
    `all_figures` figures leave nothing out, however much there is.

    Raises:
        UsageError: there are no results, they cannot be read, a plugin cannot be imported, or
            there is no such language.
        Interrupted: Ctrl-C.
    """
    from relu_exp.evidence.data.language import check_language
    from relu_exp.evidence.report.report import build, find_results

    check_language(language)
    load_plugins(plugins)
    roots = find_results(results)
    if roots == [results]:
        report(results, all_figures=all_figures, language=language)
        return
    built: list[Built] = []
    pieces = [partial(build, root, all_figures=all_figures, language=language) for root in roots]
    with _interruptible(results, language, all_figures=all_figures):
        try:
            with Sharing("reports") as sharing:
                built.extend(sharing.each(pieces))
        finally:
            for one in built:
                _show(one, language)
        judge(results, language)


def print_figures(
    results: Path,
    kind: str,
    size: str,
    language: str = "en",
    step: int | None = None,
    layers: Sequence[int] = (),
    plugins: Sequence[str] = (),
) -> None:
    """Write figures of one experiment, or of all in a folder and their claims, for print.

    With `step` or `layers` only histograms of activations are written.

    Raises:
        UsageError: there are no results, they cannot be read, there is no such format, size,
            language, step or layer, or no figure can be drawn.
        Interrupted: Ctrl-C.
    """
    from relu_exp.evidence.data.language import check_language
    from relu_exp.evidence.data.language import language as writing_in
    from relu_exp.evidence.figures.printing import check_format, size_named
    from relu_exp.evidence.report.figure_files import FOLDER, write_claims, write_figures
    from relu_exp.evidence.report.report import find_results
    from relu_exp.session.words import text

    def tell(name: str, paths: Sequence[Path], folder: Path) -> None:
        with writing_in(language):
            name = name or text("of_claims")
            _tell(text("told_figures", name=name, n=len(paths), path=folder / FOLDER))

    check_language(language)
    check_format(kind)
    size_named(size)
    load_plugins(plugins)
    roots = find_results(results)
    try:
        for root in roots:
            paths = write_figures(root, kind, size, language, step=step, layers=layers)
            tell(root.name, paths, root)
        if roots != [results] and step is None and not layers:
            paths = write_claims(results, kind, size, language)
            tell("", paths, results)
    except KeyboardInterrupt:
        raise Interrupted("interrupted: the figures written so far are kept") from None


def export(results: Path, kind: str, out: Path | None) -> None:
    """Export results to another format, and print where they are.

    Raises:
        UsageError: there is no such kind, a package is missing, or the results cannot be read.
        Interrupted: Ctrl-C.
    """
    from relu_exp.evidence.export import export

    try:
        _tell(f"{kind}: {export(results, kind, out)}")
    except KeyboardInterrupt:
        raise Interrupted("interrupted: nothing was written") from None


def has_results(results: Path) -> bool:
    """Return whether any experiment in a folder has results."""
    return results.is_dir() and any(Store(folder).part_ids() for folder in results.iterdir())


def index(results: Path, language: str = "en") -> None:
    """Write the page with links to the reports of all experiments in a folder."""
    from relu_exp.evidence.data.language import language as writing_in
    from relu_exp.evidence.page.markdown import build_korean_index
    from relu_exp.evidence.report.report import build_index
    from relu_exp.session.words import text

    path = build_korean_index(results) if language == "ko" else build_index(results)
    with writing_in(language):
        _tell(text("told_index", path=path))


def judge(results: Path, language: str = "en") -> dict[str, dict[str, Any]]:
    """Judge every claim by the experiments in a folder; write verdicts, page and index.

    Returns:
        The verdicts as written, by claim.

    Raises:
        UsageError: the results cannot be read, or the pages cannot be written.
    """
    from relu_exp.evidence.data.language import in_language
    from relu_exp.evidence.data.language import language as writing_in
    from relu_exp.evidence.data.texts import Text
    from relu_exp.evidence.page.markdown import build_korean_claims, build_korean_index
    from relu_exp.evidence.page.page import build_page
    from relu_exp.evidence.report.report import build_index
    from relu_exp.evidence.report.verdict_pages import build, read_verdicts
    from relu_exp.session.words import text

    with Sharing("verdicts") as sharing:
        judged = build(results, each=sharing.each)
        if language == "ko":
            build_korean_claims(judged)
            build_korean_index(results, judged.summary, judged.evidence.at)
        else:
            build_index(results, judged.summary, judged.evidence.at)
        sharing.title = "page"
        page = build_page(judged, language, sharing.each)
    with writing_in(language):
        counts = in_language(Text(judged.summary["sentence"], judged.summary["sentence_ko"]))
        _tell(text("told_claims", path=judged.markdown, counts=counts))
        _tell(text("told_page", path=page))
    return read_verdicts(results)


def show_verdicts(results: Path) -> None:
    """Print the verdicts in `results`, at most one screen for each group."""
    from relu_exp.evidence.report.verdict_pages import read_verdicts
    from relu_exp.evidence.report.verdict_table import show_verdicts

    is_terminal = sys.stdout.isatty()
    console = Console(highlight=False) if is_terminal else Console(width=120, highlight=False)
    show_verdicts(read_verdicts(results), console, console.height - 7 if is_terminal else None)


class Reports:
    """Builds reports one after the other in another process, while this one trains.

    Leaving the context waits for all reports; after an exception it abandons them.
    """

    def __init__(self, plugins: Sequence[str], language: str = "en") -> None:
        self.plugins = tuple(plugins)
        self.language = language
        self.num_begun = 0
        self.builder: tuple[BaseProcess, Connection] | None = None

    def begin(self, root: Path) -> None:
        """Queue a report, and print the summaries of those that are finished.

        Raises:
            UsageError: the results of an earlier one cannot be read.
        """
        if self.builder is None:
            self.builder = self._start()
        _, pipe = self.builder
        while self.num_begun and pipe.poll():
            self._show_next(pipe)
        # if the builder has died, _show_next() notices
        with suppress(OSError):
            pipe.send(root)
        self.num_begun += 1

    def finish(self) -> None:
        """Wait for all reports, and print their summaries."""
        if self.builder is None:
            return
        process, pipe = self.builder
        while self.num_begun:
            self._show_next(pipe)
        pipe.close()
        process.join()
        self.builder = None

    def _start(self) -> tuple[BaseProcess, Connection]:
        ours, theirs = multiprocessing.Pipe()
        arguments = (theirs, self.plugins, self.language)
        process = processes().Process(target=_build_each, args=arguments, daemon=True)
        start(process)
        # only the builder holds its end now, so that our end closes when it dies
        theirs.close()
        return process, ours

    def _show_next(self, pipe: Connection) -> None:
        try:
            built = pipe.recv()
        except (EOFError, OSError):
            built = RuntimeError("the process that builds reports has died")
        self.num_begun -= 1
        if isinstance(built, Exception):
            raise built
        _show(built, self.language)

    def __enter__(self) -> Reports:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Finish all reports, or abandon them after an exception."""
        try:
            if kind is None:
                self.finish()
        finally:
            if self.builder is not None:
                self.builder[0].terminate()


def _build_each(pipe: Connection, plugins: Sequence[str], language: str) -> None:
    """Build the reports requested through the pipe, and send each back, or its error."""
    end_with_parent()
    # Ctrl-C reaches this process too, but the parent prints the message
    with suppress(KeyboardInterrupt, EOFError, OSError):
        while True:
            pipe.send(_built(pipe.recv(), plugins, language))


def _built(root: Path, plugins: Sequence[str], language: str) -> Built | Exception:
    try:
        from relu_exp.evidence.report.report import build

        load_plugins(plugins)
        return build(root, language=language)
    except Exception as error:
        return error


def _show(built: Built, language: str) -> None:
    from relu_exp.evidence.data.language import language as writing_in
    from relu_exp.session.words import text

    with writing_in(language):
        _show_summary(built.summary)
        errors = Console(stderr=True, highlight=False)
        for warning in built.warnings:
            line = printable(text("told_note", text=warning))
            errors.print(line, markup=False, soft_wrap=True)
        _tell(text("told_report", path=built.html))


def _show_summary(rows: Sequence[Mapping[str, str]]) -> None:
    """Print the table of results, with as many columns as there is room for."""
    # a terminal wraps lines, a file does not
    console = Console(highlight=False) if sys.stdout.isatty() else Console(width=160)
    from relu_exp.evidence.report.words import text

    lost = (text("column_diverged"), text("column_failed"))
    done, num_runs = text("column_done"), text("column_runs")
    columns = [
        column
        for column in (rows[0] if rows else ())
        if not (column in lost and all(row[column] in ("0", "—") for row in rows))
        and not (column == done and all(row[done] == row[num_runs] for row in rows))
    ]
    shown = list(columns)
    learned = [column for column in columns if column.startswith(text("column_learned", name=""))]
    spare_columns = (done, text("column_n"), text("column_validation"), num_runs)
    for spare in (*spare_columns, *learned, text("column_dead"), None):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in columns:
            is_number = any(row[column][:1].isdigit() for row in rows)
            table.add_column(column, justify="right" if is_number else "left")
        for row in rows:
            table.add_row(*(escape(row[column]) for column in columns))
        # a table never measures wider than its console, so measure on a wide one
        if Console(width=1000).measure(table).maximum <= console.width:
            break
        columns = [column for column in columns if column != spare]
    if columns:
        console.print(table)
    if left_out := [column for column in shown if column not in columns]:
        console.print(text("too_wide", columns=", ".join(left_out)))


def _tell(line: str) -> None:
    """Print where something is: a folder of somebody else's may have any name."""
    print(printable(line))
