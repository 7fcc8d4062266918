"""relu-exp without probes, and evaluated at the end only: what measuring costs."""

from __future__ import annotations

from functools import partial

from benchmarks.child import answer
from benchmarks.peers.fleet import UNMEASURED, measure

if __name__ == "__main__":
    answer(partial(measure, overrides=UNMEASURED))
