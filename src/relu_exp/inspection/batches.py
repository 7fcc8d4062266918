"""The batch of an inspection: a tuple, a dictionary, the first of a DataLoader; and its loss."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relu_exp.core.schema import UsageError
from relu_exp.inspection.trace import tensors_in
from relu_exp.inspection.untouched import random_state_kept

__all__ = ["Batch", "Loss", "default_loss", "first_batch"]

Loss = Callable[..., Tensor]
"""(outputs, target) → the mean loss, a number; for a dictionary, (outputs, batch)."""


@dataclass(frozen=True)
class Batch:
    """The arguments of a network and what its outputs are compared with.

    `target` is the whole dictionary if the batch is one.
    """

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    target: Any


def first_batch(data: Any, model: nn.Module) -> Batch:
    """Return a batch on the network's device: `data` itself, or the first of a loader.

    Args:
        data: `(x, y)`, `(x1, x2, ..., y)`, a dictionary of keywords, or an iterable of these. A
            dictionary without a keyword of the network is given to it whole.
        model: says on which device, and whether in half precision.

    Raises:
        UsageError: it is no batch.
    """
    if isinstance(data, Tensor):
        raise UsageError("a batch is (x, y): the target is missing; without one, pass (x, None)")
    if not isinstance(data, tuple | list | Mapping):
        data = _first_of(data)
    reference = next((p for p in model.parameters() if p.is_floating_point()), None)
    data = _moved(data, reference)
    if isinstance(data, Mapping):
        return _filled(Batch((data,), {}, data), model)
    if not isinstance(data, tuple | list) or len(data) < 2:
        raise UsageError("a batch is (x, y), a dictionary, or a DataLoader of these")
    *args, target = data
    return _filled(Batch(tuple(args), {}, target), model)


def _filled(batch: Batch, model: nn.Module) -> Batch:
    """Return a batch, its dictionary as keywords if the network has any of them.

    Raises:
        UsageError: it has no sample.
    """
    if any(each.numel() == 0 for each in tensors_in(batch.args)[:1]):
        raise UsageError("the batch is empty: it has no sample")
    (first, *more) = batch.args
    if more or not isinstance(first, Mapping):
        return batch
    try:
        taken = inspect.signature(model.forward).parameters
    except ValueError:  # compiled by torch.jit
        return Batch((), first, batch.target)
    takes_any = any(each.kind is each.VAR_KEYWORD for each in taken.values())
    return Batch((), first, batch.target) if takes_any or set(first) & set(taken) else batch


def _first_of(loader: Any) -> Any:
    """Return the first batch of a loader; all random states stay as they were, also its own."""
    sampler = getattr(loader, "sampler", None)
    owners = [getattr(owner, "generator", None) for owner in (loader, sampler)]
    generators = [each for each in owners if isinstance(each, torch.Generator)]
    states = [each.get_state() for each in generators]
    try:
        with random_state_kept():  # a loader draws seeds from it
            return next(iter(loader))
    except TypeError as error:
        raise UsageError(
            "a batch is (x, y), a dictionary, or a DataLoader of these, not "
            f"{type(loader).__name__}"
        ) from error
    except StopIteration:
        raise UsageError("the loader has no batch") from None
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


def _moved(value: Any, reference: Tensor | None) -> Any:
    """Return a batch on the device of a parameter, its floats in half precision if that is."""
    if isinstance(value, Tensor) and reference is not None:
        is_half = reference.dtype in (torch.float16, torch.bfloat16)
        is_cast = value.is_floating_point() and (is_half or reference.dtype == torch.float64)
        # the copy keeps a batch that the network overwrites
        return value.detach().to(reference.device, reference.dtype if is_cast else None, copy=True)
    if isinstance(value, Mapping):
        return {key: _moved(each, reference) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_moved(each, reference) for each in value]
    return value


def default_loss(outputs: Any, target: Any) -> Tensor:
    """Return the loss that fits: the model's own, cross-entropy for classes, else squared error.

    Raises:
        UsageError: none fits.
    """
    own = outputs.get("loss") if isinstance(outputs, Mapping) else getattr(outputs, "loss", None)
    if isinstance(own, Tensor):
        return own
    if isinstance(outputs, tuple | list) and outputs:
        outputs = outputs[0]
    logits = getattr(outputs, "logits", outputs)
    if isinstance(target, Mapping):
        target = target.get("labels", target.get("label"))
    if not isinstance(logits, Tensor) or not isinstance(target, Tensor):
        raise UsageError("the network's outputs and the target are no tensors: pass loss=")
    if target.is_floating_point():
        if target.shape == logits.shape:
            return F.mse_loss(logits, target)
        if target.numel() == logits.numel():
            return F.mse_loss(logits.reshape(target.shape), target)
    elif target.dim() == logits.dim() - 1 and logits.shape[1] > 1:
        if logits.shape[:-1] == target.shape:
            return F.cross_entropy(logits.flatten(0, -2), target.flatten())
        return F.cross_entropy(logits, target)
    elif target.numel() == logits.numel() and int(target.max()) <= 1:
        return F.binary_cross_entropy_with_logits(
            logits, target.reshape(logits.shape).to(logits.dtype)
        )
    raise UsageError(
        f"no usual loss fits outputs of shape {tuple(logits.shape)} and a target of "
        f"{tuple(target.shape)} ({str(target.dtype).removeprefix('torch.')}): pass loss=, a "
        "function of both"
    )
