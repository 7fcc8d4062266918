"""Recording a training step once and replaying it: on a GPU, launching kernels would take longer.

A recording repeats the same operations on the same memory. So a step that is recorded must update
the parameters and the optimizer's state in place, draw no random numbers and read no number from
the device. What differs from step to step is copied to the memory that the recording reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor

__all__ = ["RECORDERS", "Recorder", "Replay"]

_NUM_WARM_UPS = 3
"""Steps before the recording: libraries choose algorithms, optimizers allocate their state."""


class Recorder(Protocol):
    """Records the operations of one call and repeats them."""

    def warm_up(self, step: Callable[[], Tensor]) -> Tensor:
        """Take a step without recording it and return its result."""

    def record(self, step: Callable[[], Tensor]) -> None:
        """Record a step without executing it."""

    def replay(self) -> Tensor:
        """Execute the recorded step; its result lies in the same memory every time."""


class CudaGraph:
    """A CUDA graph: see "whole-network capture" in PyTorch's notes on CUDA semantics."""

    def __init__(self) -> None:
        self._graph = torch.cuda.CUDAGraph()
        self._side = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def warm_up(self, step: Callable[[], Tensor]) -> Tensor:
        """Take a step on a side stream, because the default stream cannot be captured."""
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
        """Launch the whole step in one call."""
        self._graph.replay()
        return self._result


RECORDERS: Mapping[str, Callable[[], Recorder]] = {"cuda": CudaGraph}
"""Device → recorder; on other devices steps are not recorded."""


class Replay:
    """Takes the steps of one fleet: a few warm-up steps, then one is recorded and replayed.

    The warm-up steps are ordinary training steps. When runs leave the fleet its tensors change, and
    a new `Replay` is needed.
    """

    def __init__(self, recorder: Recorder) -> None:
        """Start with nothing recorded."""
        self._recorder = recorder
        self._num_warm_ups = 0
        self._inputs: Tensor | None = None

    def take(self, step: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
        """Return step(inputs), where step and the shape of `inputs` are the same in every call."""
        if self._num_warm_ups < _NUM_WARM_UPS:
            self._num_warm_ups += 1
            return self._recorder.warm_up(lambda: step(inputs))
        if self._inputs is None:
            copy = self._inputs = inputs.clone()
            self._recorder.record(lambda: step(copy))
        self._inputs.copy_(inputs)
        return self._recorder.replay().clone()
