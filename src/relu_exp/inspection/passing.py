"""One pass of a network forward and backward, and what the engine measures of its layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from relu_exp.core.lines import one_line
from relu_exp.core.schema import UsageError
from relu_exp.inspection.batches import Batch, Loss
from relu_exp.inspection.comparing import Losses
from relu_exp.inspection.finding import Finding
from relu_exp.inspection.measuring import (
    Measured,
    measure_layer,
    oriented,
    predict,
)
from relu_exp.inspection.nodes import Layer, Use
from relu_exp.inspection.objective import check_objective
from relu_exp.inspection.scaling import Arriving, arriving_at
from relu_exp.inspection.seeing import Seeing
from relu_exp.inspection.sentences import Sentence
from relu_exp.inspection.untouched import eager, random_state_kept, state_kept, without_reentry

__all__ = ["Pass", "Weights", "take_pass", "weights_of"]


_ALIKE = 1e-3
"""Differences of gradients that are rounding, relative to the largest gradient."""


@dataclass(frozen=True)
class Weights:
    """What one multiplication by weights shows of them.

    Attributes:
        name: the parameter's name.
        is_trained: whether they require a gradient.
        is_reached: whether the loss depends on them by a gradient.
        are_identical: whether all units have the same weights, and learn the same.
        zero_share: share of their gradient that is exactly zero.
        is_half: whether their gradient is in half precision.
        is_finite: whether they are.
        has_finite_gradient: whether their gradient is, if there is one.
        linear_below: name of the weights right below that are with these one linear layer, and
            not a narrower one; empty if there are none.
    """

    name: str
    is_trained: bool
    is_reached: bool
    are_identical: bool
    zero_share: float
    is_half: bool
    is_finite: bool
    has_finite_gradient: bool
    linear_below: str = ""


@dataclass
class Pass:
    """The outcome of a pass: layers in the order in which they were used.

    `loss` is None where it was not seen, because the training loop computes it; then nothing of
    `objective`, the findings about what the loss compares, and of the `inputs` is known.
    """

    loss: float | None
    layers: list[Measured]
    weights: list[Weights]
    unseen: list[Sentence]
    mode: str
    predictions: dict[str, list[float]]
    gradients: Mapping[str, Tensor] = field(default_factory=dict)
    objective: Sequence[Finding] = ()
    inputs: Sequence[Arriving] = ()


def take_pass(model: nn.Module, batch: Batch, loss: Loss, activations: Sequence[Any] = ()) -> Pass:
    """Run a batch forward and backward in the network's own mode, and leave it as it was.

    Raises:
        UsageError: the network, its backward pass or the loss fails, or the loss is not one number.
    """
    with (
        random_state_kept(),
        state_kept(model),
        eager(),
        without_reentry(),
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        seeing = Seeing(model, activations)
        seeing.feed([batch.args, batch.kwargs])
        losses = Losses()
        with _blamed("the network"), losses, seeing:
            outputs = model(*batch.args, **batch.kwargs)
        seeing.finish()
        with _blamed("the loss"), losses:
            value = loss(outputs, batch.target)
        if not isinstance(value, Tensor) or value.numel() != 1:
            raise UsageError("the loss must be one number: take the mean over the batch")
        parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
        gradients, by_layer, by_use = _gradients(value, parameters, seeing.layers, seeing.uses)
        measured = [
            measure_layer(layer, grad, by_use.get(id(layer.use)), counts_values=True)
            for layer, grad in zip(seeing.layers, by_layer, strict=True)
        ]
        weights = [weights_of(use, by_use.get(id(use))) for use in seeing.uses]
        return Pass(
            loss=float(value.detach()),
            layers=measured,
            weights=weights,
            unseen=seeing.unseen,
            mode="training" if model.training else "evaluation",
            predictions=predict(seeing.layers, seeing.uses),
            gradients={n: g for n, g in gradients.items() if g is not None},
            objective=check_objective(losses.seen, weights[-1].name) if weights else (),
            inputs=arriving_at(seeing.uses),
        )


@contextmanager
def _blamed(what: str) -> Iterator[None]:
    """Say in one line which part of the user's code failed; its error is the cause."""
    try:
        yield
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"{what} fails on this batch ({type(error).__name__}: {one_line(error)})"
        ) from error


def _gradients(
    value: Tensor, parameters: Mapping[str, Tensor], layers: Sequence[Layer], uses: Sequence[Use]
) -> tuple[dict[str, Tensor | None], list[Tensor | None], dict[int, Tensor]]:
    """Return the gradients by parameters, by the layers' activations, and by use of weights."""
    edges = [layer.above.edge for layer in layers if layer.above.edge is not None]
    inner = [use for use in uses if use.edge is not None and not use.weight.is_leaf]
    wanted = [*parameters.values(), *edges, *(use.edge for use in inner)]
    found: Sequence[Tensor | None] = [None] * len(wanted)
    if value.requires_grad and wanted:
        with _blamed("the backward pass"):
            found = torch.autograd.grad(value, wanted, allow_unused=True)
    by_parameter = dict(zip(parameters, found[: len(parameters)], strict=True))
    place = iter(found[len(parameters) : len(parameters) + len(edges)])
    by_layer = [None if layer.above.edge is None else next(place) for layer in layers]
    by_tensor = {id(p): by_parameter[name] for name, p in parameters.items()}
    by_tensor |= {
        id(use.weight): grad
        for use, grad in zip(inner, found[len(parameters) + len(edges) :], strict=True)
    }
    by_use = {id(use): by_tensor.get(id(use.weight)) for use in uses}
    return by_parameter, by_layer, {key: grad for key, grad in by_use.items() if grad is not None}


def weights_of(use: Use, grad: Tensor | None) -> Weights:
    """Return what a use of weights shows of them, given their gradient, None if there is none."""
    weight = oriented(use, use.weight.detach())
    rows = weight.reshape(weight.shape[0], -1)
    is_wide = rows.shape[0] > 1 and "embedding" not in use.function
    return Weights(
        name=use.name or f"weights {use.order}",
        is_trained=use.weight.requires_grad,
        is_reached=grad is not None,
        are_identical=is_wide and bool((rows == rows[:1]).all()) and _learns_alike(use, grad),
        zero_share=float((grad == 0).float().mean()) if grad is not None else 0.0,
        is_half=use.weight.dtype in (torch.float16, torch.bfloat16),
        is_finite=bool(rows.isfinite().all()),
        has_finite_gradient=grad is None or bool(grad.isfinite().all()),
        linear_below=_linear_below(use),
    )


def _linear_below(use: Use) -> str:
    below = use.stacked_on
    if below is None or below.num_readers > 1:
        return ""  # such as what a residual branch and its skip receive
    num_out, num_between = oriented(use, use.weight).shape[:2]
    num_in = oriented(below, below.weight).shape[1]
    # a narrow middle is a factorization, and meant
    is_bottleneck = num_between < min(num_in, num_out)
    return "" if is_bottleneck else below.name or f"weights {below.order}"


def _learns_alike(use: Use, grad: Tensor | None) -> bool:
    """Return whether all units have the same gradient; outputs that start at zero do not."""
    if grad is None:
        return True
    rows = oriented(use, grad.detach().float())
    return float((rows - rows[:1]).abs().max()) <= _ALIKE * float(rows.abs().max())
