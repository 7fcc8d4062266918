"""Results on disk: Parquet parts and manifests, each put in place by one atomic rename."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from relu_exp.core.lines import last_line
from relu_exp.core.schema import FINISHED, SCHEMA_VERSION, TABLES, UsageError
from relu_exp.results.atomic import flush, put_folder, write_text
from relu_exp.results.reading import check_is_file, is_plain_name, read_manifest, read_table

__all__ = ["CHECKSUMS", "Columns", "End", "Store", "arrow_schema", "new_session"]

Columns = Mapping[str, Sequence[Any]]
"""A table: column → values, all of the same length."""

_LEFTOVER_SECONDS = 600
"""A part is written within seconds: the writer of an unfinished one this old was killed."""

CHECKSUMS = "SHA256SUMS"
"""File of a part with the checksums of the others, as `sha256sum --check` reads it."""
_MOST_CHECKSUM_BYTES = 100_000

_MOST_REASON = 300
"""Characters of the reason why a run did not finish."""

_REPORT_BEGUN = ".report-" + "[0-9a-f]" * 8
"""Pattern of the folders in which reports are built; other files may lie beside them."""

_ARROW_TYPES: Mapping[str, pa.DataType] = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "binary": pa.binary(),
    "list<int32>": pa.list_(pa.int32()),
}


def arrow_schema(table: str) -> pa.Schema:
    """Return the Parquet schema of a table, stamped with the schema version."""
    fields = [(column, _ARROW_TYPES[kind]) for column, kind in TABLES[table].items()]
    return pa.schema(fields, metadata={"relu_exp_schema": str(SCHEMA_VERSION)})


class End(NamedTuple):
    """How a run ended, in which session, the reason if it did not finish, and its `made_from`."""

    status: str
    session: str
    reason: str
    made_from: str = ""

    @property
    def rank(self) -> tuple[bool, str]:
        """Priority among several rows of one run."""
        return self.status in FINISHED, self.session


@dataclass(frozen=True)
class Store:
    """One result set: `parts/<fleet>/<table>.parquet` and `manifests/<session>.json` in a folder.

    During training it also holds `checkpoints/<fleet>.pt` and the lock file.

    A part holds all tables of one fleet or one study. It is written to a temporary folder that is
    then renamed, so that readers see all of it or nothing, even if the writer is killed.
    """

    root: Path

    @property
    def parts(self) -> Path:
        """The folder of the parts."""
        return self.root / "parts"

    @property
    def manifests(self) -> Path:
        """The folder of the manifests, one per command."""
        return self.root / "manifests"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints of fleets in training."""
        return self.root / "checkpoints"

    def open(self) -> None:
        """Make the folders, check that they are writable, and delete leftovers of killed commands.

        Raises:
            UsageError: the folder cannot be written, or holds results of another schema version.
        """
        here = (self.root, self.parts, self.manifests, self.checkpoints)
        for path in (*here, self.root / "jobs", self.root / ".lock"):
            # a link from an archive may point anywhere
            if path.is_symlink():
                raise UsageError(
                    f"{path} is a link, and results are only written inside {self.root.parent}: "
                    "choose another place with --results DIR"
                )
        try:
            self.parts.mkdir(parents=True, exist_ok=True)
            self.manifests.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.parts):
                pass
        except OSError as error:
            raise UsageError(
                f"results cannot be written to {self.root}: {_reason(error)}; "
                "choose another place with --results DIR"
            ) from error
        self.check_version()
        self._clear_leftovers()

    def _clear_leftovers(self) -> None:
        """Delete unfinished files."""
        for folder in (self.parts, self.manifests, self.checkpoints):
            for leftover in list(folder.glob(".*")):
                _clear(leftover)
        self.clear_reports()

    def begin_report(self) -> Path:
        """Make a temporary folder in which a report is built before it is moved to its place.

        Its modification time must be renewed meanwhile, because old folders are deleted as
        leftovers.

        Raises:
            OSError: the folder cannot be made.
        """
        self.clear_reports()
        begun = self.root / f".report-{secrets.token_hex(4)}"
        begun.mkdir()
        return begun

    def clear_reports(self) -> None:
        """Delete unfinished reports, and nothing else."""
        for leftover in list(self.root.glob(_REPORT_BEGUN)):
            if leftover.is_dir() and not leftover.is_symlink():
                _clear(leftover)

    def check_version(self) -> None:
        """Raise a UsageError if the newest manifest has another schema version."""
        manifest = self.latest_manifest()
        version = manifest.get("schema_version") if manifest else SCHEMA_VERSION
        if version != SCHEMA_VERSION:
            raise UsageError(
                f"{self.root} holds results of schema version {version}, this is version "
                f"{SCHEMA_VERSION}: choose another place with --results DIR"
            )

    def write_part(self, part_id: str, tables: Mapping[str, Columns]) -> None:
        """Write all tables of a fleet atomically; a part of the same name is replaced.

        Raises:
            UsageError: the disk is full or cannot be written.
        """

        def write(name: str, path: Path) -> None:
            columns = tables.get(name) or {column: [] for column in TABLES[name]}
            _write_table(pa.table(dict(columns), schema=arrow_schema(name)), path)

        self._place(part_id, write)

    def pack_part(self, part_id: str) -> dict[str, bytes]:
        """Return the contents of a part's files by table, to be sent to another machine."""
        return {name: (self.parts / part_id / f"{name}.parquet").read_bytes() for name in TABLES}

    def unpack_part(self, part_id: str, packed: Mapping[str, bytes]) -> None:
        """Write a part that was packed on another machine, atomically.

        Raises:
            UsageError: the disk is full or cannot be written.
        """
        self._place(part_id, lambda name, path: path.write_bytes(packed[name]))

    def _place(self, part_id: str, write: Callable[[str, Path], object]) -> None:
        """Write every table to a temporary folder, then move the folder into its place."""
        # readers ignore names with a leading dot
        unfinished = self.parts / f".{part_id}-{secrets.token_hex(4)}"
        try:
            unfinished.mkdir(parents=True)
            sums = []
            for name in TABLES:
                path = unfinished / f"{name}.parquet"
                write(name, path)
                flush(path)
                sums.append(f"{_checksum(path)}  {path.name}\n")
            (unfinished / CHECKSUMS).write_text("".join(sums))
            flush(unfinished / CHECKSUMS)
            flush(unfinished)
            put_folder(unfinished, self.parts / part_id)
            flush(self.parts)
        except OSError as error:
            raise UsageError(
                f"cannot write results to {self.root}: {_reason(error)}; "
                "finished runs are kept, run the same command to continue"
            ) from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def drop_runs(self, part_id: str, run_ids: Collection[str]) -> None:
        """Delete all rows of some runs from a part, and the part if it holds no other run.

        Raises:
            UsageError: the part is damaged, or the disk is full or cannot be written.
        """
        kept = {}
        for name in TABLES:
            table = self.read_part(part_id, name)
            if "run_id" in TABLES[name]:
                table = table.filter(pc.invert(pc.is_in(table["run_id"], pa.array(list(run_ids)))))
            kept[name] = table
        if kept["runs"].num_rows:
            self._place(part_id, lambda name, path: _write_table(kept[name], path))
            return
        # gone in one step for those who read meanwhile
        gone = self.parts / f".{part_id}-{secrets.token_hex(4)}"
        try:
            (self.parts / part_id).rename(gone)
        except OSError as error:
            raise UsageError(f"cannot write results to {self.root}: {_reason(error)}") from error
        shutil.rmtree(gone, ignore_errors=True)

    def part_ids(self) -> list[str]:
        """Return the names of the finished parts, in order."""
        if not self.parts.is_dir():
            return []
        return sorted(path.name for path in self.parts.iterdir() if not path.name.startswith("."))

    def read(self, table: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield a table of every part, one by one.

        Raises:
            UsageError: a part is damaged, truncated or made by another schema version.
        """
        for part_id in self.part_ids():
            yield self.read_part(part_id, table, columns)

    def read_part(self, part_id: str, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return one table of one part; empty if the part was deleted since it was listed.

        Raises:
            UsageError: the part is damaged, truncated or made by another schema version.
        """
        path = self.parts / part_id / f"{table}.parquet"
        try:
            return read_table(path, arrow_schema(table), columns)
        except UsageError:
            if os.path.lexists(path.parent):
                raise
            # only parts of runs that did not finish are ever deleted
            empty = arrow_schema(table).empty_table()
            return empty if columns is None else empty.select(list(columns))

    def checksum_problem(self, part_id: str) -> str | None:
        """Return which file of a part is not the one that was written; empty if all are.

        Returns:
            None where the part was written by older code, without checksums.
        """
        folder = self.parts / part_id
        path = folder / CHECKSUMS
        if not path.exists():
            return None
        try:
            check_is_file(path)
            with path.open("rb") as file:
                lines = file.read(_MOST_CHECKSUM_BYTES).decode().splitlines()
            stated = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
            for name in TABLES:
                check_is_file(folder / f"{name}.parquet")
                if stated[f"{name}.parquet"] != _checksum(folder / f"{name}.parquet"):
                    return f"{name}.parquet has another checksum than when it was written"
        except (OSError, ValueError, KeyError) as error:
            return f"its checksums cannot be compared: {type(error).__name__}: {error}"
        return ""

    def ends(self) -> dict[str, End]:
        """Return how each run ended; of several rows, a finished one, then the newest, counts."""
        found: dict[str, End] = {}
        columns = ("run_id", "status", "session", "error", "made_from")
        for part in self.read("runs", columns):
            rows = (part[column].to_pylist() for column in columns)
            for run_id, status, session, error, made_from in zip(*rows, strict=True):
                reason = last_line(error or "")[:_MOST_REASON]
                # interned, because a hundred thousand runs share a handful of texts
                words = (status or "", session or "", reason, made_from or "")
                end = End(*map(sys.intern, words))
                if run_id not in found or end.rank > found[run_id].rank:
                    found[run_id] = end
        return found

    def finished(self) -> set[str]:
        """Return the run_ids of the runs that are done or diverged."""
        return {run_id for run_id, end in self.ends().items() if end.status in FINISHED}

    def write_manifest(self, manifest: Mapping[str, Any]) -> Path:
        """Write the manifest of one command, named after its session, atomically."""
        target = self.manifests / f"{manifest['session']}.json"
        self._write_text(target, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
        return target

    def write_diff(self, diff: str) -> str:
        """Store a diff of the working tree beside the manifests, and return its file name.

        The name is a hash of the content, so that many commands from one tree store it once.
        """
        target = self.manifests / f"{hashlib.sha256(diff.encode()).hexdigest()[:16]}.diff"
        if not target.exists():
            self._write_text(target, diff)
        return target.name

    def _write_text(self, target: Path, text: str) -> None:
        try:
            self.manifests.mkdir(parents=True, exist_ok=True)
            write_text(target, text)
        except OSError as error:
            raise UsageError(
                f"cannot write {target}: {_reason(error)}; finished runs are kept, run the same "
                "command to continue"
            ) from error

    def read_manifest(self, session: str) -> dict[str, Any] | None:
        """Return the manifest of a session, or None if it is missing or damaged."""
        try:
            return self.manifest_of(session) or None
        except UsageError:
            return None

    def latest_manifest(self) -> dict[str, Any] | None:
        """Return the newest manifest, or None if there is none.

        Raises:
            UsageError: it cannot be read.
        """
        found = sorted(self.manifests.glob("[!.]*.json")) if self.manifests.is_dir() else []
        return read_manifest(found[-1]) if found else None

    def looks(self) -> int:
        """Return the most looks that any command planned to take at these results, at least 1.

        A manifest that cannot be read says nothing.
        """
        sessions = [path.stem for path in self.manifests.glob("[!.]*.json")]
        found = (self.read_manifest(session) or {} for session in sessions)
        return max([int(manifest.get("looks") or 1) for manifest in found], default=1)

    def manifest_of(self, session: object) -> dict[str, Any]:
        """Return the manifest of a session, or an empty one if it is missing."""
        path = self.manifests / f"{session}.json"
        if not (is_plain_name(session) and path.is_file()):
            return {}
        return read_manifest(path)


def _write_table(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="zstd")


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _clear(leftover: Path) -> None:
    """Delete an unfinished file or folder if it is old; a recent one may still be in use."""
    with suppress(OSError):
        if time.time() - leftover.lstat().st_mtime <= _LEFTOVER_SECONDS:
            return
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()


def _reason(error: OSError) -> str:
    """Return the system's error message, without pyarrow's prefix."""
    return error.strerror or str(error).rpartition("] ")[2]


def new_session() -> str:
    """Return a name for a command's session: its start in UTC and four random hex digits."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(2)}"
