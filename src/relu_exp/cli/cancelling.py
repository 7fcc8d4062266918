"""Cancelling: what asks a program to end does what Ctrl-C does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["cancelled_like_ctrl_c"]

_ASK_TO_END = ("SIGTERM", "SIGHUP")
"""Sent by `kill`, `timeout`, schedulers and systems that shut down; by a terminal that closes."""


@contextmanager
def cancelled_like_ctrl_c() -> Iterator[None]:
    """Within the context, let signals that ask a program to end raise a KeyboardInterrupt.

    Workers are then stopped, jobs of a cluster are cancelled, and what was saved stays. A signal
    that somebody ignores or handles, as `nohup` does, is left alone.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        known = [getattr(signal, name) for name in _ASK_TO_END if hasattr(signal, name)]
        before = {each: signal.getsignal(each) for each in known}
    ours = [each for each, handler in before.items() if handler is signal.SIG_DFL]
    for each in ours:
        signal.signal(each, _cancel)
    try:
        yield
    finally:
        for each in ours:
            signal.signal(each, signal.SIG_DFL)


def _cancel(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
