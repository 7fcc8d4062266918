"""Leaves a network as it was: buffers, attributes, random numbers, compiled code, checkpoints."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
import torch.utils.checkpoint as checkpoints
from torch import Tensor, nn

__all__ = ["eager", "random_state_kept", "state_kept", "unwrapped", "without_reentry"]


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the network inside a compiled one or one for parallel training."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and type(model).__name__ in (
            "DataParallel",
            "DistributedDataParallel",
        ):
            inner = model.module
        if not isinstance(inner, nn.Module):
            return model
        model = inner


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Put back every random state when the context ends: PyTorch's, NumPy's and Python's."""
    cpu, ours, numbers = torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002
    has_gpus = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    on_gpus = torch.cuda.get_rng_state_all() if has_gpus else []
    try:
        yield
    finally:
        torch.set_rng_state(cpu)
        if on_gpus:
            torch.cuda.set_rng_state_all(on_gpus)
        random.setstate(ours)
        np.random.set_state(numbers)  # noqa: NPY002


@contextmanager
def eager() -> Iterator[None]:
    """Run compiled modules and functions as they were written."""
    with torch.compiler.set_stance("force_eager"):
        yield


@contextmanager
def without_reentry() -> Iterator[None]:
    """Run blocks under `checkpoint(use_reentrant=True)` as plain ones.

    Such a checkpoint cannot give the gradients of single tensors. As under it, nothing inside has a
    gradient if no tensor that the block receives has one.
    """

    class Plain:
        @staticmethod
        def apply(function: Any, _: bool, *args: Any) -> Any:
            has_gradient = any(isinstance(each, Tensor) and each.requires_grad for each in args)
            with torch.set_grad_enabled(has_gradient and torch.is_grad_enabled()):
                return function(*args)

    before = checkpoints.CheckpointFunction
    checkpoints.CheckpointFunction = Plain  # type: ignore[misc,assignment]
    try:
        yield
    finally:
        checkpoints.CheckpointFunction = before  # type: ignore[misc]


@contextmanager
def state_kept(model: nn.Module) -> Iterator[None]:
    """Let a network work on copies of its buffers, and put its attributes back.

    Its parameters, their gradients and its mode are not touched, and nothing that the pass changes
    in the network itself, such as a counter or the averages of a normalization, stays changed.
    """
    copies: dict[int, Tensor] = {}
    held: list[tuple[Any, dict[str, Any]]] = []
    for module in model.modules():
        held.append((module.__dict__, dict(module.__dict__)))
        held.append((module._buffers, dict(module._buffers)))
    with ExitStack() as stack:
        stack.callback(_put_back, held)
        for module in model.modules():
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    copy = copies.setdefault(id(buffer), buffer.detach().clone())
                    module._buffers[name] = copy
        yield


def _put_back(held: list[tuple[Any, dict[str, Any]]]) -> None:
    for contents, before in held:
        if isinstance(contents, dict):
            contents.clear()
            contents.update(before)
        else:  # buffers of a module that is compiled by torch.jit; none can be added
            for name, buffer in before.items():
                contents[name] = buffer
