"""The compiled kernels in `c`: built once on a machine that has a C compiler, and loaded.

They compute what PyTorch's operations compute elsewhere in the engine, faster, and equal up to
rounding. Where there is no compiler, or PyTorch brings no BLAS library that can be called, the
operations themselves are used; so they are where `RELU_EXP_COMPILED` is `off`.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from relu_exp.engine.data.places import cache_folder
from relu_exp.results.atomic import write_whole

__all__ = ["OFF", "Library", "library", "pointer"]

OFF = "RELU_EXP_COMPILED"
"""With this environment variable set to `off`, nothing is compiled, and PyTorch computes all."""

_SOURCES = sorted(Path(__file__).with_name("c").glob("*.[ch]"))
_COMPILERS = ("cc", "gcc", "clang")
_FLAGS = (
    *("-std=c11", "-O3", "-shared", "-fPIC"),
    # every operation as it is written, and no errno: a loop that sets it cannot be vectorized
    *("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
)
_SECONDS = 60


@dataclass(frozen=True)
class Library:
    """The compiled functions, and the address of the matrix product that they call."""

    functions: Any
    gemm: int


def library() -> Library | None:
    """Return the compiled kernels, or None where there are none."""
    return None if os.environ.get(OFF) == "off" else _loaded()


@cache
def _loaded() -> Library | None:
    try:
        suffix = "dylib" if platform.system() == "Darwin" else "so"
        blas = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / f"libtorch_cpu.{suffix}"))
        gemm = ctypes.cast(blas.sgemm_, ctypes.c_void_p).value
        functions = _functions()
    except (OSError, AttributeError, subprocess.SubprocessError):
        return None
    functions.mlp_scratch.restype = ctypes.c_int64
    return Library(functions, gemm) if gemm else None


def _functions() -> ctypes.CDLL:
    built = _built()
    try:
        return ctypes.CDLL(str(built))
    except OSError:
        # a damaged file: once more
        built.unlink()
        return ctypes.CDLL(str(_built()))


def _built() -> Path:
    """Return the shared library for this processor and compiler; build it if it is not there.

    Raises:
        OSError, SubprocessError: there is no compiler, or it fails, or others could have written
            what lies in the folder.
    """
    compiler = os.environ.get("CC") or next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler is None:
        raise FileNotFoundError("no C compiler")
    parts = [*(source.read_bytes() for source in _SOURCES), _processor()]
    parts += [word.encode() for word in (compiler, *_FLAGS)]
    name = hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    target = cache_folder() / "compiled" / f"{name}.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory() as folder:
            built = Path(folder) / "kernels.so"
            _compile(compiler, built)
            write_whole(target, lambda file: _write_mine(file, built.read_bytes()))
    if not (_is_mine(target.parent) and _is_mine(target)):
        raise PermissionError(f"others may write {target}")
    return target


def _write_mine(file: BinaryIO, content: bytes) -> None:
    """Write a file that is nobody else's from its first byte on."""
    os.fchmod(file.fileno(), 0o600)
    file.write(content)


def _is_mine(path: Path) -> bool:
    """Return whether a path is this user's and nobody else may write to it."""
    found = path.stat()
    return not hasattr(os, "getuid") or (
        found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    )


def _compile(compiler: str, out: Path) -> None:
    """Compile for this very processor if the compiler can, else for all of its family."""
    sources = [str(source) for source in _SOURCES if source.suffix == ".c"]
    for processor in (["-march=native"], []):
        command = [*compiler.split(), *_FLAGS, *processor, *sources, "-o", str(out), "-lm"]
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
        if done.returncode == 0:
            return
    done.check_returncode()


def _processor() -> bytes:
    """Return what tells apart the processors that need code of their own."""
    known = [platform.machine(), platform.processor(), platform.version()]
    if (file := Path("/proc/cpuinfo")).exists():
        lines = file.read_text(errors="replace").splitlines()
        known += [line for line in lines if line.startswith(("flags", "Features", "model"))]
    return "\n".join(dict.fromkeys(known)).encode()


def pointer(tensor: Tensor | None) -> ctypes.c_void_p:
    """Return the address of a tensor's first number; it must outlive every use of the address."""
    return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())
