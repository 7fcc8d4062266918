"""Which of PyTorch's losses compares what: seen wherever a pass or the user's loss calls one."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["REGRESSIONS", "Comparison", "Losses"]

REGRESSIONS = frozenset({"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"})
"""Losses of numbers against numbers, which broadcast shapes that differ."""
_SEEN = REGRESSIONS | {"cross_entropy", "binary_cross_entropy_with_logits"}


@dataclass(frozen=True, eq=False)
class Comparison:
    """One call of a loss: what it compares, and its other arguments by name."""

    name: str
    function: Callable[..., Tensor]
    outputs: Tensor
    target: Tensor
    settings: Mapping[str, Any]

    @property
    def is_broadcast(self) -> bool:
        """Whether every output is compared with every target, because the shapes differ."""
        ours, theirs = self.outputs.shape, self.target.shape
        if self.name not in REGRESSIONS or ours.numel() != theirs.numel():
            return False
        try:
            return self.num_compared > ours.numel()
        except ValueError:  # the loss itself says that they do not fit
            return False

    @property
    def num_compared(self) -> int:
        """How many pairs are compared after broadcasting.

        Raises:
            ValueError: the shapes do not broadcast.
        """
        shapes = tuple(self.outputs.shape), tuple(self.target.shape)
        return math.prod(np.broadcast_shapes(*shapes))

    def mean(self, outputs: Tensor, target: Tensor, **settings: Any) -> Tensor:
        """Return the mean of the same loss for other outputs, a number."""
        return self.function(outputs, target, **{**self.settings, **settings, "reduction": "mean"})


class Losses(TorchFunctionMode):
    """Within the context, every call of one of PyTorch's losses on outputs with a gradient is kept.

    PyTorch's warning of shapes that broadcast is not printed; a finding says the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Comparison] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call the function, and keep what it compares if it is a loss."""
        kwargs = kwargs or {}
        found = _comparison(func, args, kwargs)
        if found is None:
            return func(*args, **kwargs)
        if found.outputs.requires_grad:
            self.seen.append(found)
        if not found.is_broadcast:
            return func(*args, **kwargs)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Using a target size")
            return func(*args, **kwargs)


def _comparison(func: Any, args: Any, kwargs: Any) -> Comparison | None:
    name = getattr(func, "__name__", "")
    if name not in _SEEN or getattr(func, "__module__", "") != "torch.nn.functional":
        return None
    try:
        given = dict(inspect.signature(func).bind(*args, **kwargs).arguments)
        outputs, target = given.pop("input"), given.pop("target")
        given = {k: v for k, v in given.items() if k not in ("size_average", "reduce")}
        if not isinstance(outputs, Tensor) or not isinstance(target, Tensor):
            return None
    except (TypeError, KeyError):
        return None  # the call itself says what is wrong with it
    return Comparison(name, func, outputs, target, given)
