"""Starting worker processes on this machine; imports little, so that they can start early."""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
import sys
from multiprocessing.context import ForkServerContext, SpawnContext

__all__ = ["end_with_parent", "processes", "warm_up"]

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Ask the system to kill this process as soon as its parent has ended (Linux only).

    A worker that outlives a killed command could save a fleet that the next command is training.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def processes() -> SpawnContext | ForkServerContext:
    """Return the multiprocessing context for worker processes.

    On Linux a fork server loads torch once for all of them. On other systems it is not safe to
    fork a process that has loaded the system's frameworks, so each worker starts from scratch.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["relu_exp.launchers.preload"])
    return context


def warm_up() -> None:
    """Begin loading torch for the workers, while this process still composes and plans."""
    if processes().get_start_method() == "forkserver":
        from multiprocessing import forkserver

        forkserver.ensure_running()
