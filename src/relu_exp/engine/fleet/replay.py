"""A step recorded once and then replayed: on a GPU, launching its kernels takes longer than they.

A recording repeats the same operations on the same memory. So a step that is to be recorded changes
its parameters and its optimizer's state in place, draws nothing and waits for no number; what
differs from step to step is copied to where the recording reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor

__all__ = ["RECORDERS", "Recorder", "Replay"]

_NUM_WARM_UPS = 3
"""Steps before the recording: libraries choose their algorithms, optimizers make their state."""


class Recorder(Protocol):
    """Records what one call does, and does it again."""

    def warm_up(self, step: Callable[[], Tensor]) -> Tensor:
        """Do a step as recording will and return its result."""

    def record(self, step: Callable[[], Tensor]) -> None:
        """Note what a step does without doing it."""

    def replay(self) -> Tensor:
        """Do what was noted; the result lies in the same memory each time."""


class CudaGraph:
    """A CUDA graph, see "whole-network capture" in PyTorch's notes on CUDA semantics."""

    def __init__(self) -> None:
        self._graph = torch.cuda.CUDAGraph()
        self._side = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def warm_up(self, step: Callable[[], Tensor]) -> Tensor:
        """Do a step beside the default stream, which cannot be captured."""
        main = torch.cuda.current_stream()
        self._side.wait_stream(main)
        with torch.cuda.stream(self._side):
            result = step()
        main.wait_stream(self._side)
        return result

    def record(self, step: Callable[[], Tensor]) -> None:
        """Capture a step."""
        with torch.cuda.graph(self._graph):
            self._result = step()

    def replay(self) -> Tensor:
        """Launch the whole step at once."""
        self._graph.replay()
        return self._result


RECORDERS: Mapping[str, Callable[[], Recorder]] = {"cuda": CudaGraph}
"""Device → what records there; the steps on other devices are taken one by one."""


class Replay:
    """One fleet's steps: the first are taken as they are, then one is recorded and replayed.

    The warm-ups are steps of the training like all others: nothing has to be undone. A fleet of
    other tensors needs another replay.
    """

    def __init__(self, recorder: Recorder) -> None:
        """Start with nothing recorded."""
        self._recorder = recorder
        self._num_warm_ups = 0
        self._given: Tensor | None = None

    def take(self, step: Callable[[Tensor], Tensor], given: Tensor) -> Tensor:
        """Return step(given), where step and the shape of `given` are the same in every call."""
        if self._num_warm_ups < _NUM_WARM_UPS:
            self._num_warm_ups += 1
            return self._recorder.warm_up(lambda: step(given))
        if self._given is None:
            place = self._given = given.clone()
            self._recorder.record(lambda: step(place))
        self._given.copy_(given)
        return self._recorder.replay().clone()
