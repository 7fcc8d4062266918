"""The kind of this machine: the same code gives the same bits on machines of one kind."""

from __future__ import annotations

import hashlib
import os
import platform
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["KIND", "describe", "num_real_cores", "processor_model"]

KIND = ("system", "processor", "model")
"""The parts of a machine's description that decide the bits of a run."""

_VECTORS = ("sse", "ssse", "avx", "fma", "f16c", "amx", "asimd", "sve", "bf16", "i8mm")
"""Prefixes of the instruction sets by which libraries choose their kernels."""


@cache
def describe() -> dict[str, Any]:
    """Return a description of this machine."""
    return {
        "system": platform.system(),
        "processor": platform.machine(),
        "model": processor_model(),
        "cores": os.cpu_count(),
    }


def processor_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name and, on Linux, a hash of its vector instruction sets.

    The name alone is not enough, because a virtual machine may hide instructions.
    """
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor()
    pairs = (line.partition(":") for line in lines)
    found = {key.strip(): value.strip() for key, _, value in pairs}
    words = (found.get("flags") or found.get("Features") or "").split()
    vectors = sorted(word for word in words if word.startswith(_VECTORS))
    name = found.get("model name") or found.get("CPU implementer") or platform.processor()
    return f"{name} {hashlib.sha256(' '.join(vectors).encode()).hexdigest()[:6]}"


def num_real_cores(cpus: Path = Path("/sys/devices/system/cpu")) -> int:
    """Return the number of physical cores that this process may use.

    If the system does not say which logical cores share one, each of them counts.
    """
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    usable = os.sched_getaffinity(0)
    siblings = {_text(cpus / f"cpu{each}/topology/thread_siblings_list") for each in usable}
    return len(usable) if None in siblings else len(siblings)


def _text(file: Path) -> str | None:
    try:
        return file.read_text().strip()
    except OSError:
        return None
