"""Copies of a network, measured in its place: started again, in float32, or updated once."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from relu_exp.core.schema import Choice, UsageError
from relu_exp.engine.initializers import INITIALIZERS, Fan, draw_weights, uniform_from_normal
from relu_exp.engine.probes.measurements import update_ratio
from relu_exp.inspection.batches import Batch
from relu_exp.inspection.measuring import second_moment
from relu_exp.inspection.nodes import Use
from relu_exp.inspection.seeing import Seeing
from relu_exp.inspection.untouched import eager, random_state_kept, state_kept

__all__ = [
    "OF_ANOTHER_NETWORK",
    "choice_of",
    "copied",
    "ids_of",
    "in_float32",
    "restarted",
    "step",
    "updated_once",
]

OF_ANOTHER_NETWORK = (
    "the optimizer has none of the network's parameters: it was made for another network, or "
    "before the network was copied"
)


def copied(value: Any) -> Any:
    """Return a deep copy of a network, or of several things that belong together.

    Raises:
        UsageError: it cannot be copied.
    """
    try:
        with random_state_kept():
            return copy.deepcopy(value)
    except Exception as error:
        raise UsageError(
            f"the network cannot be copied, so nothing can be tried on it ({error})"
        ) from error


def choice_of(initializer: str, settings: Mapping[str, object]) -> Choice:
    """Return an initializer by name with its settings; `xavier_normal(gain=4)` is one word.

    Raises:
        UsageError: there is none, or a setting is not valid.
    """
    name, _, inside = initializer.partition("(")
    stated = dict(settings)
    for pair in filter(None, inside.rstrip(")").split(",")):
        key, _, value = pair.partition("=")
        try:
            stated[key.strip()] = float(value)
        except ValueError:
            stated[key.strip()] = value.strip()
    return INITIALIZERS.resolve(name.strip(), stated)


def restarted(
    model: nn.Module, batch: Batch, choice: Choice, activations: Any = (), seed: int = 0
) -> nn.Module:
    """Return a copy whose weights are drawn by an initializer; biases are zero unless it has them.

    Embeddings, normalizations and weights that are made of other parameters stay as they are.
    """
    again: nn.Module = copied(model)
    with random_state_kept(), state_kept(again), eager(), torch.enable_grad():
        seeing = Seeing(again, activations)
        seeing.feed([batch.args, batch.kwargs])
        with seeing:
            again(*batch.args, **batch.kwargs)
        seeing.finish()
    gains = {
        id(layer.use): 1 / math.sqrt(moment) if (moment := second_moment(layer)) > 0 else 1.0
        for layer in seeing.layers
    }
    draws = torch.Generator().manual_seed(seed)
    biases = dict(again.named_parameters())
    seen: set[int] = set()
    for use in seeing.uses:
        is_plain = isinstance(use.weight, nn.Parameter) and "embedding" not in use.function
        if is_plain and id(use.weight) not in seen:
            seen.add(id(use.weight))
            bias = use.bias if use.bias is not None else biases.get(f"{use.name}.bias")
            _draw(use, choice, gains.get(id(use), 1.0), draws, bias)
    return again


@torch.no_grad()
def _draw(
    use: Use, choice: Choice, gain: float, draws: torch.Generator, bias: Tensor | None
) -> None:
    shape = use.weight.shape
    if use.is_transposed:
        shape = torch.Size([shape[1], shape[0], *shape[2:]])
    area = math.prod(shape[2:])
    fan = Fan(shape[1] * area, shape[0] * area, gain)
    z = torch.randn(shape, generator=draws)
    drawn = draw_weights(choice, z, fan)
    use.weight.copy_(drawn.transpose(0, 1) if use.is_transposed else drawn)
    if bias is not None:
        bias.zero_()
        if INITIALIZERS[choice.name].draws_biases:
            numbers = uniform_from_normal(torch.randn(bias.shape, generator=draws))
            bias.copy_(numbers / math.sqrt(fan.fan_in))


def in_float32(model: nn.Module, batch: Batch) -> tuple[nn.Module, Batch]:
    """Return a copy in float32, and its batch."""
    return copied(model).float(), Batch(
        tuple(_float(each) for each in batch.args),
        {key: _float(each) for key, each in batch.kwargs.items()},
        _float(batch.target),
    )


def _float(value: Any) -> Any:
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.float()
    return {k: _float(v) for k, v in value.items()} if isinstance(value, Mapping) else value


def ids_of(optimizer: torch.optim.Optimizer) -> set[int]:
    """Return the ids of the parameters that an optimizer updates."""
    return {id(each) for group in optimizer.param_groups for each in group["params"]}


def step(
    model: nn.Module, optimizer: torch.optim.Optimizer, gradients: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Update a copy by its own optimizer, and return what its parameters were before."""
    before = {}
    for name, parameter in model.named_parameters():
        parameter.grad = gradients.get(name)
        before[name] = parameter.detach().clone()
    with random_state_kept():
        optimizer.step()
    return before


def updated_once(
    model: nn.Module, optimizer: torch.optim.Optimizer, gradients: Mapping[str, Tensor]
) -> tuple[dict[str, float], dict[str, float]]:
    """Update a copy by a copy of the optimizer.

    Returns:
        Parameter of the optimizer → the size of its update relative to its own, and → the share of
        its numbers that have a gradient and are the same afterwards.
    """
    again, its_optimizer = copied((model, optimizer))
    before = step(again, its_optimizer, gradients)
    ratios, lost = {}, {}
    held = ids_of(its_optimizer)
    for name, parameter in again.named_parameters():
        grad = gradients.get(name)
        if grad is not None and id(parameter) in held:
            old, new = before[name], parameter.detach()
            ratios[name] = float(update_ratio(old.float()[None], new.float()[None])[0])
            moving = grad != 0
            same = (old == new) & moving
            lost[name] = float(same.sum()) / max(int(moving.sum()), 1)
    return ratios, lost
