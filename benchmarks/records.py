"""What was measured, as a file beside the table it makes: where, when, on what, and every value."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from relu_exp.results.provenance import describe_machine

__all__ = ["RESULTS", "save"]

RESULTS = Path(__file__).parents[1] / "results" / "benchmarks"


def save(file: Path, table: str, content: Mapping[str, Any]) -> None:
    """Write values as JSON and, beside it, the table as Markdown; print the table."""
    record = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "-m", _program(), *sys.argv[1:]]),
        **describe_machine(),
        **content,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    file.with_suffix(".md").write_text(table + "\n")
    print(table)
    print(f"written: {file} and {file.with_suffix('.md').name}", file=sys.stderr)


def _program() -> str:
    stem = Path(sys.argv[0]).stem
    return "benchmarks" if stem == "__main__" else f"benchmarks.{stem}"
