"""`relu-exp list` and `claim`: experiments, registry entries with settings, and claims."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib import import_module
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relu_exp.core.labels import Label
from relu_exp.core.naming import nearest
from relu_exp.core.plugin_loading import load_plugins
from relu_exp.core.registry import Registry
from relu_exp.core.schema import UsageError
from relu_exp.core.settings import Setting

if TYPE_CHECKING:
    from relu_exp.evidence.claims.registry import Claim

__all__ = ["KINDS", "show", "show_claim"]

_REGISTRIES = {
    "activations": ("relu_exp.engine.activations", "ACTIVATIONS"),
    "initializers": ("relu_exp.engine.initializers", "INITIALIZERS"),
    "networks": ("relu_exp.engine.networks", "NETWORKS"),
    "datasets": ("relu_exp.engine.data.datasets", "DATASETS"),
    "optimizers": ("relu_exp.engine.optimizers", "OPTIMIZERS"),
    "launchers": ("relu_exp.core.launchers", "LAUNCHERS"),
    "figures": ("relu_exp.evidence.figures", "FIGURES"),
}

KINDS = ("experiments", *_REGISTRIES, "claims")
"""What can be listed."""


def show(kind: str | None, plugins: Iterable[str], results: Path = Path("results")) -> None:
    """Print one kind, or all of them: tables on a terminal, tab-separated lines otherwise.

    On a terminal, the table of one kind also has the help of each setting and the name in print.
    Claims are shown with the verdicts in `results`.

    Raises:
        UsageError: there is no such kind, or a plugin cannot be imported.
    """
    if kind is not None and kind not in KINDS:
        raise UsageError(f"cannot list {kind!r}{nearest(kind, KINDS)}; valid: {', '.join(KINDS)}")
    load_plugins(plugins)
    if kind == "claims" and sys.stdout.isatty() and _show_verdicts(results):
        return
    for each in KINDS if kind is None else [kind]:
        if each == "claims":
            rows = _claims(results)
        else:
            rows = _experiments() if each == "experiments" else _entries(each)
            if kind in _REGISTRIES and sys.stdout.isatty():
                rows = _in_full(each, rows)
        if sys.stdout.isatty():
            _show_table(each, rows)
        else:
            for row in rows:
                print("\t".join([each, *row.values()]))


def _show_verdicts(results: Path) -> bool:
    """Print every claim's verdict with its effect; return whether there are any verdicts."""
    from rich.console import Console

    from relu_exp.evidence.claims.registry import all_claims
    from relu_exp.evidence.report.saved_verdicts import of_claim, read_verdicts
    from relu_exp.evidence.report.verdict_table import show_verdicts

    verdicts = read_verdicts(results)
    if not verdicts:
        return False
    every = {claim.id: of_claim(claim, verdicts) for claim in all_claims()}
    show_verdicts(every, Console(highlight=False))
    return True


def _experiments() -> list[Mapping[str, str]]:
    from relu_exp.config import experiments

    return [
        {"name": each.name, "title": each.title, "question": each.question}
        for each in experiments()
    ]


def _claims(results: Path) -> list[Mapping[str, str]]:
    from relu_exp.evidence.claims.registry import GROUPS, all_claims
    from relu_exp.evidence.report.saved_verdicts import read_verdicts

    verdicts = read_verdicts(results)
    return [
        {
            "name": claim.id,
            "group": f"{claim.group} {GROUPS[claim.group]}",
            "verdict": str(verdicts.get(claim.id, {}).get("verdict", "")),
            "statement": claim.statement,
            "answer": str(verdicts.get(claim.id, {}).get("answer", "")),
        }
        for claim in all_claims()
    ]


def show_claim(id: str, plugins: Iterable[str], results: Path, language: str = "en") -> None:
    """Print a claim with its rule and its verdict in `results`.

    In Korean all is Korean; in English, statement and verdict are in both languages.

    Raises:
        UsageError: there is no such claim (the nearest is named), the verdicts are damaged, or a
            plugin cannot be imported.
    """
    from relu_exp.evidence.claims.registry import Evidence, find_claim
    from relu_exp.evidence.claims.runs import command
    from relu_exp.evidence.report.saved_verdicts import read_verdicts

    load_plugins(plugins)
    claim = find_claim(id)
    found = read_verdicts(results).get(id, {})
    is_there = any((results / name).is_dir() for name in claim.experiments)
    saved = "" if is_there else found.get("command", "")
    again = saved or command(claim, Evidence(results))
    if language == "ko":
        from relu_exp.session.korean_claim import rows_in_korean

        rows = rows_in_korean(claim, found, results, again)
    else:
        rows = _rows_of_claim(claim, found, results, again)
    before = None
    for name, text in rows:
        if text:
            print(f"{_padded('' if name == before else name)}{text}")
        before = name


def _padded(name: str) -> str:
    """Return the name of a field as wide as the column of names; Hangul is two columns wide."""
    return name + " " * (12 - len(name) - sum("가" <= sign <= "힣" for sign in name))


def _rows_of_claim(
    claim: Claim, found: Mapping[str, Any], results: Path, command: str
) -> list[tuple[str, str]]:
    """Return what is shown of a claim in English: names of fields and their texts."""
    from relu_exp.evidence.claims.registry import Evidence
    from relu_exp.evidence.claims.runs import why_skipped
    from relu_exp.evidence.data.commands import about_results
    from relu_exp.evidence.data.frames import find_results
    from relu_exp.evidence.report.looks import conditions

    said = ", ".join(f"{source.document} ({source.section})" for source in claim.sources)
    rows = [("claim", claim.id), ("", claim.statement)]
    if claim.statement_ko != claim.statement:
        rows.append(("", claim.statement_ko))
    rows += [("documents", said), ("rule", claim.rule.says)]
    rows += [("", english) for english, _ in conditions(claim.rule)]
    if not claim.rule.is_exact:
        rows.append(("measure", claim.rule.measure))
    if found:
        rows.append(("verdict", found["verdict"]))
        rows += [("answer", found[key]) for key in ("answer", "answer_ko") if found[key]]
        rows.append(("evidence", found["says"]))
        rows += [("", found["says_ko"])] if found["says_ko"] else []
        rows += [("part", _part(cell, claim.rule.unit)) for cell in found["cells"]]
        rows += [("scope", found["scope"]), ("", found["scope_ko"])]
        rows.append(("runs", str(found["num_runs"])))
        for note, korean in zip_longest(found["notes"], found["notes_ko"], fillvalue=""):
            rows += [("note", note), ("", korean)]
    elif skipped := why_skipped(claim, Evidence(results)):
        rows += [("verdict", "not decided"), ("evidence", skipped.en), ("", skipped.ko)]
    else:
        every = about_results("reproduce", results=results)
        hint = f"`{every}` decides every claim"
        with suppress(UsageError):
            find_results(results)  # there are runs to decide it on
            finished = about_results("report", results=results, option="")
            hint += f", `{finished}` those whose runs are finished"
        rows.append(("verdict", f"none in {results}: {hint}"))
    rows += [
        ("literature", f"{paper.reference}: {paper.found} ({paper.known})")
        for paper in claim.literature
    ]
    return [*rows, ("command", command)]


def _part(cell: Mapping[str, Any], unit: str) -> str:
    """Return one setting of a claim with its verdict and effect, in one line."""
    where = ", ".join(f"{key} {value}" for key, value in cell["where"].items())
    if cell["effect"] is None:
        return f"{where}: {cell['verdict']}"
    text = f"{where}: {cell['verdict']}, {cell['effect']:.3g}{unit}"
    if cell["low"] is None or cell["high"] is None:
        return text
    return f"{text} [{cell['low']:.3g}, {cell['high']:.3g}]"


def _entries(kind: str) -> list[Mapping[str, str]]:
    return [
        {
            "name": entry.name,
            "settings": " ".join(
                f"{key}={_shown(setting.default)}" for key, setting in entry.settings.items()
            ),
            "summary": entry.summary,
            "reference": entry.reference,
            **({"on this machine": _is_here(entry)} if kind == "datasets" else {}),
        }
        for entry in _registry(kind).values()
    ]


def _is_here(entry: Any) -> str:
    """Return whether a data set is on this machine: its folder, or how to get it."""
    from relu_exp.core.absent_data import DATA_FOLDER, AbsentDataError

    if entry.is_bundled:
        return "yes, with the package"
    if entry.where is None:
        return ""
    try:
        return f"yes, in {entry.where()}"
    except AbsentDataError as absent:
        ways = [f"`apt install {absent.package}`"] if absent.package else []
        if absent.folder:
            ways.append(f"set {DATA_FOLDER} to the folder that holds {absent.folder}")
        return f"no: {', or '.join(ways) or absent}"


def _registry(kind: str) -> Registry[Any]:
    module, name = _REGISTRIES[kind]
    registry: Registry[Any] = getattr(import_module(module), name)
    return registry


def _in_full(kind: str, rows: Iterable[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Return rows of entries with how each is shown in print, and what its settings mean."""
    from relu_exp.evidence.data.labels import NAMES

    found: list[Mapping[str, str]] = []
    for row in rows:
        entry = _registry(kind)[row["name"]]
        label: Label | None = getattr(entry, "label", None)
        texts = (label.en, label.ko, label.color) if label else (NAMES.get(entry.name, ""),)
        settings = "\n".join(_setting(key, each) for key, each in entry.settings.items())
        shown_as = ", ".join(filter(None, texts))
        found.append({"name": row["name"], "shown as": shown_as, **row, "settings": settings})
    return found


def _setting(key: str, setting: Setting) -> str:
    """Return a setting in a line: its default, what it means and which values are valid."""
    means = "; ".join(filter(None, (setting.help, setting.limits)))
    return f"{key}={_shown(setting.default)}" + (f": {means}" if means else "")


def _shown(value: object) -> str:
    """Return a value as written in an override."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _show_table(kind: str, rows: Iterable[Mapping[str, str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    found = list(rows)
    columns = [column for column in found[0] if any(row[column] for row in found)] if found else []
    table = Table(title=kind, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, no_wrap=column == "name")
    for row in found:
        table.add_row(*(escape(row[column]) for column in columns))
    Console().print(table)
