"""Starting worker processes on this machine; imports little, so that they can start early."""

from __future__ import annotations

import ast
import ctypes
import multiprocessing
import signal
import sys
from functools import cache
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType

from relu_exp.core.plugin_loading import entries_of_script
from relu_exp.core.schema import UsageError

__all__ = ["become_server", "end_with_parent", "processes", "start", "warm_up"]

TRAINING = "relu_exp.launchers.preload"
"""The module that loads what processes need for training."""

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Ask the system to kill this process as soon as its parent has ended (Linux only).

    A worker that outlives a killed command could save a fleet that the next command is training.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def become_server() -> None:
    """Make this process a fork server: it ends with its parent, and lends no code of the user's."""
    # otherwise it would go on loading after the command has ended, and hold its terminal or pipe
    end_with_parent()
    # the server's path begins with the folder that the user stands in, which must lend no code
    sys.path[:] = [place for place in sys.path if place]


def processes(preload: str = TRAINING) -> SpawnContext | ForkServerContext:
    """Return the multiprocessing context for worker processes.

    On Linux a fork server loads a module once for all of them, that of the first context that
    starts one; for training it loads torch. On other systems it is not safe to
    fork a process that has loaded the system's frameworks, so each worker starts from scratch.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preload])
    return context


def start(process: BaseProcess) -> None:
    """Start a worker process; a script without a main guard is not run again by it.

    Python imports the main script in every worker. Without a guard that would start the whole
    command anew.

    Raises:
        UsageError: the script has no guard, and adds entries that the workers need.
    """
    main = sys.modules["__main__"]
    script = _script_of(main)
    if script is None or _has_guard(script):
        process.start()
        return
    if added := entries_of_script():
        raise UsageError(
            f"{script} adds {', '.join(added)} and calls relu-exp without a main guard: put the "
            'call under `if __name__ == "__main__":`, or the entries in a file for --plugin'
        )
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        process.start()
    finally:
        sys.modules["__main__"] = main


def _script_of(main: ModuleType) -> Path | None:
    """Return the file that a worker would import as its main module, if there is one."""
    spec = main.__spec__
    if spec is not None and spec.name.rpartition(".")[2] == "__main__":
        return None
    file = spec.origin if spec is not None else getattr(main, "__file__", None)
    return Path(file) if file else None


@cache
def _has_guard(script: Path) -> bool:
    """Return whether a script asks for its `__name__`, or is no Python that we can read."""
    try:
        lines = ast.parse(script.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return True
    return any(
        isinstance(node, ast.Name) and node.id == "__name__"
        for line in lines
        if isinstance(line, ast.If)
        for node in ast.walk(line.test)
    )


def warm_up() -> None:
    """Begin loading torch for the workers, while this process still composes and plans."""
    if processes().get_start_method() == "forkserver":
        from multiprocessing import forkserver

        forkserver.ensure_running()
