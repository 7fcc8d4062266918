"""Verification: trains some finished runs again, recomputes studies, and compares both."""

from __future__ import annotations

import math
import random
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from relu_exp.core.naming import printable
from relu_exp.core.plugin_loading import load_plugins
from relu_exp.core.schema import FINISHED, UsageError
from relu_exp.results.store import Store, arrow_schema
from relu_exp.session.data_checks import see_data_as_they_are
from relu_exp.session.verify.agreement import LIMITS
from relu_exp.session.verify.retraining import Found, train_again

__all__ = ["NUM_SAMPLED", "verify"]

NUM_SAMPLED = 10
_STUDIES = {"formulas": "checks"}
"""Studies that can be recomputed → the table that each fills."""


def verify(
    results: Path,
    num_sampled: int = NUM_SAMPLED,
    seed: int | None = None,
    device: str = "auto",
    plugins: Sequence[str] = (),
    with_studies: bool = False,
) -> int:
    """Train random finished runs again, print how each compares, and return the exit code.

    Runs made by the same code on the same kind of machine must give the same bits; others must
    agree as far as their training is stable (`agreement`). Studies are recomputed on request, or if
    there are no runs; timings cannot be compared.

    Args:
        results: folder of one experiment, or of several.
        num_sampled: runs to train again; all if there are fewer.
        seed: selects the runs; None: a new seed every time.
        device: where to train; `auto` is the device of each run, if available.
        plugins: modules with the user's own entries that the runs need.
        with_studies: whether studies are recomputed in addition to runs.

    Raises:
        UsageError: there is nothing to verify, results are damaged, or data are missing.
    """
    from relu_exp.evidence.data.frames import find_results

    load_plugins(plugins)
    see_data_as_they_are()
    stores = [Store(root) for root in find_results(results)]
    for store in stores:
        store.check_version()
    found = [run for store in stores for run in _finished(store)]
    studies = [study for store in stores for study in _studies(store)]
    if not found and not studies:
        raise UsageError(f"{results} holds no finished run: there is nothing to verify")
    seed = secrets.randbelow(10**6) if seed is None else seed
    # reproducible on purpose: the same seed selects the same runs
    sampled = random.Random(seed).sample(found, min(num_sampled, len(found)))  # noqa: S311
    counts: Counter[str] = Counter()
    for run in sampled:
        counts[_say(f"{run.store.root.name} {run.run_id}", *train_again(run, device, plugins))] += 1
    for store, part_id in studies:
        again = _again(store, part_id, with_studies or not found)
        counts[_say(f"{store.root.name} {part_id}", *again)] += 1
    words = ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items()))
    print(f"{len(sampled)} of {len(found):,} finished runs trained again (--seed {seed}): {words}")
    return 1 if counts["differs"] or counts["failed"] else 0


def _say(name: str, kind: str, text: str) -> str:
    # training may take minutes: print each line as soon as it is known
    print(printable(f"{kind:10}{' '.join(f'{name}: {text}'.split())}"), flush=True)
    return kind


def _finished(store: Store) -> list[Found]:
    """Return the finished runs of an experiment, sorted by id; the newest row of each."""
    found: dict[str, Found] = {}
    for part_id in store.part_ids():
        rows = store.read_part(part_id, "runs", ["run_id", "status", "session"]).to_pylist()
        for row in rows:
            run = Found(store, str(row["run_id"]), part_id, str(row["session"]))
            known = found.get(run.run_id)
            if row["status"] in FINISHED and (known is None or known.session < run.session):
                found[run.run_id] = run
    return [found[run_id] for run_id in sorted(found)]


def _studies(store: Store) -> Iterator[tuple[Store, str]]:
    manifest: dict[str, Any] = store.latest_manifest() or {}
    made = {*store.part_ids()}
    for part_id in (manifest.get("studies") or {}).values():
        if part_id in made:
            yield store, part_id


def _again(store: Store, part_id: str, is_wanted: bool) -> tuple[str, str]:
    """Recompute a study; return how it compares with the stored results, and the details."""
    _, _, rest = part_id.partition("study-")
    name = rest.rpartition("-")[0]
    if name not in _STUDIES:
        return "skipped", "a study of timings, which differ every time"
    if not is_wanted:
        return "skipped", "--studies recomputes it, which takes about a minute"
    from relu_exp.engine.studies.registry import STUDIES

    table = _STUDIES[name]
    there = store.read_part(part_id, table).to_pylist()
    columns = STUDIES[name].make("cpu", (store.latest_manifest() or {}).get("budget"))[table]
    here = pa.table(dict(columns), schema=arrow_schema(table)).to_pylist()
    keys = ("check", "case")
    then, now = ({tuple(row[key] for key in keys): row for row in rows} for rows in (there, here))
    for key in [*then, *now]:
        if not _is_near(then.get(key), now.get(key)):
            name = ", ".join(map(str, key))
            return "differs", f"{name}: the outcome differs, or a value by more than 2%"
    is_same = sorted(map(repr, there)) == sorted(map(repr, here))
    return ("identical" if is_same else "agrees"), f"{len(here):,} checks"


def _is_near(one: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    if one is None or other is None or one["holds"] != other["holds"]:
        return False
    return all(
        one[column] == other[column]
        or math.isclose(one[column], other[column], rel_tol=LIMITS["number"], abs_tol=1e-6)
        for column in ("expected", "found")
    )
