"""Optimizers over stacked parameters: every run has its own learning rate.

An update is made of plain sums, products, quotients and roots, each of which is rounded once and so
the same however a loop over the runs is vectorized; fused operations (`addcmul`, `lerp`) are not.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from relu_exp.core.registry import Registry, Setting
from relu_exp.engine.ops.layout import kept, stacked

__all__ = ["OPTIMIZERS", "Optimizer", "OptimizerEntry"]


class Optimizer(Protocol):
    """Updates stacked parameters in place; keeps a state per run.

    Its attributes are tensors, lists of tensors and numbers, and all there is to its state: a
    checkpoint holds them. What changes from step to step are tensors that change in place: a step
    may be recorded and replayed (see `replay`).
    """

    @property
    def descends(self) -> bool:
        """Whether an update is the gradient of learning rate × loss and nothing else.

        Then dense layers may take it on the way back (`Stack.forward` with `descends`).
        """

    def step(self, loss: Tensor, parameters: Sequence[Tensor], decays: int) -> None:
        """Take one step down the losses (runs,); the first `decays` parameters decay."""

    def keep(self, index: Tensor) -> None:
        """Drop the state of the runs that `index` leaves out."""


@dataclass(frozen=True)
class OptimizerEntry:
    """A registered optimizer: made from the learning rates (runs,) and its settings."""

    name: str
    make: Callable[..., Optimizer]
    summary: str
    reference: str
    settings: Mapping[str, Setting] = field(default_factory=dict)


OPTIMIZERS: Registry[OptimizerEntry] = Registry("optimizer")

_WEIGHT_DECAY = Setting(0.0, "L2 penalty, added to the gradient", at_least=0)


def _like(vector: Tensor, parameter: Tensor) -> Tensor:
    """Return (runs,) in the shape (runs, 1, 1, ...) that broadcasts over a parameter."""
    return vector.reshape(-1, *[1] * (parameter.dim() - 1))


def _zeros_like(parameter: Tensor) -> Tensor:
    return stacked(torch.zeros_like(parameter))


def _total(loss: Tensor) -> Tensor:
    """Return the sum of losses (runs,), each of which has the gradient it has alone.

    To go back from one number loads half a second less of PyTorch than from several.
    """
    with torch.enable_grad():
        return loss.sum()


def _gradients(loss: Tensor, parameters: Sequence[Tensor], clip: float) -> list[Tensor]:
    grads = list(torch.autograd.grad(_total(loss), parameters))
    return _clipped(grads, clip) if clip else grads


def _clipped(grads: Sequence[Tensor], clip: float) -> list[Tensor]:
    """Return gradients, each run's scaled to a norm of at most `clip` over all of them.

    As by torch.nn.utils.clip_grad_norm_. Pascanu, Mikolov, Bengio 2013, arXiv:1211.5063.
    """
    squares = [grad.reshape(len(grad), -1).square().sum(1) for grad in grads]
    # one after the other: a sum over a stack of them may depend on the number of runs
    norm = functools.reduce(torch.add, squares).sqrt()
    factor = (clip / (norm + 1e-6)).clamp(max=1)
    return [grad * _like(factor, grad) for grad in grads]


def _decayed(parameter: Tensor, grad: Tensor, weight_decay: float) -> Tensor:
    return grad + parameter * weight_decay if weight_decay else grad


@dataclass
class Sgd:
    """Stochastic gradient descent: v ← μv + g, w ← w − ηv."""

    learning_rates: Tensor
    momentum: float = 0.0
    weight_decay: float = 0.0
    gradient_clip: float = 0.0
    velocities: list[Tensor] = field(default_factory=list)

    @property
    def descends(self) -> bool:
        """Whether there is neither momentum nor weight decay nor a limit to gradients."""
        return not (self.momentum or self.weight_decay or self.gradient_clip)

    @torch.no_grad()
    def step(self, loss: Tensor, parameters: Sequence[Tensor], decays: int) -> None:
        """Update the parameters in place."""
        if self.descends:
            return self._descend(loss, parameters)
        grads = _gradients(loss, parameters, self.gradient_clip)
        if self.momentum and not self.velocities:
            self.velocities = [_zeros_like(parameter) for parameter in parameters]
        for index, (parameter, grad) in enumerate(zip(parameters, grads, strict=True)):
            update = _decayed(parameter, grad, self.weight_decay if index < decays else 0.0)
            if self.momentum:
                update = self.velocities[index].mul_(self.momentum).add_(update)
            parameter -= update * _like(self.learning_rates, parameter)

    def _descend(self, loss: Tensor, parameters: Sequence[Tensor]) -> None:
        """Subtract the gradients of ηL, of all parameters that the way back has not updated."""
        with torch.enable_grad():
            scaled = loss * self.learning_rates
        torch.autograd.backward(_total(scaled))
        for parameter in parameters:
            if parameter.grad is not None:
                parameter -= parameter.grad
                parameter.grad = None

    def keep(self, index: Tensor) -> None:
        """Drop the state of the runs that `index` leaves out."""
        self.learning_rates = self.learning_rates[index]
        self.velocities = [kept(velocity, index) for velocity in self.velocities]


@dataclass
class Adam:
    """Adam: first and second moments of the gradient, with bias correction."""

    learning_rates: Tensor
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    gradient_clip: float = 0.0
    num_steps: Tensor = field(init=False)
    first: list[Tensor] = field(default_factory=list)
    second: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start to count."""
        device = self.learning_rates.device
        self.num_steps = torch.zeros((), dtype=torch.float64, device=device)

    @property
    def descends(self) -> bool:
        """Never: an update depends on all gradients before."""
        return False

    @torch.no_grad()
    def step(self, loss: Tensor, parameters: Sequence[Tensor], decays: int) -> None:
        """Update the parameters in place."""
        grads = _gradients(loss, parameters, self.gradient_clip)
        if not self.first:
            self.first = [_zeros_like(parameter) for parameter in parameters]
            self.second = [_zeros_like(parameter) for parameter in parameters]
        self.num_steps += 1
        correction1 = 1 - self.beta1**self.num_steps
        correction2 = 1 - self.beta2**self.num_steps
        for index, (parameter, grad) in enumerate(zip(parameters, grads, strict=True)):
            g = _decayed(parameter, grad, self.weight_decay if index < decays else 0.0)
            m = self.first[index].mul_(self.beta1).add_(g * (1 - self.beta1))
            v = self.second[index].mul_(self.beta2).add_(g.square() * (1 - self.beta2))
            update = m / (v.sqrt() / correction2**0.5 + self.epsilon)
            rates = _like(self.learning_rates, parameter) / correction1
            parameter -= update * rates

    def keep(self, index: Tensor) -> None:
        """Drop the state of the runs that `index` leaves out."""
        self.learning_rates = self.learning_rates[index]
        self.first = [kept(moment, index) for moment in self.first]
        self.second = [kept(moment, index) for moment in self.second]


def _register(name: str, make: Callable[..., Optimizer], reference: str, **settings: Any) -> None:
    summary = (make.__doc__ or name).strip().splitlines()[0]
    OPTIMIZERS.add(OptimizerEntry(name, make, summary, reference, settings))


_register(
    "sgd",
    Sgd,
    "Robbins, Monro 1951, Ann. Math. Statist. 22(3); momentum as in torch.optim.SGD",
    momentum=Setting(0.0, "share of the last update kept", at_least=0, below=1),
    weight_decay=_WEIGHT_DECAY,
)
_register(
    "adam",
    Adam,
    "Kingma, Ba 2015, arXiv:1412.6980",
    beta1=Setting(0.9, "decay of the first moment", at_least=0, below=1),
    beta2=Setting(0.999, "decay of the second moment", at_least=0, below=1),
    epsilon=Setting(1e-8, "added to the denominator", at_least=0),
    weight_decay=_WEIGHT_DECAY,
)
