"""Optimizers over stacked parameters: every run has its own learning rate.

Every optimizer does the same three things: compute the gradients of the loss, turn them into a
direction, and subtract learning rate × direction from the parameters. It uses only sums, products,
quotients and roots, each rounded by itself, so a run gets the same bits in every fleet;
PyTorch's fused elementwise operations (`addcmul`, `lerp`) do not guarantee that. The compiled
kernels do the same in one pass over the numbers.

The fused update
    Without momentum, weight decay and a limit to gradients, the direction is the gradient g itself,
    and the update η g is the gradient of η × loss. So the backward pass starts from η × loss, and
    each dense layer subtracts the gradient by its weights from them at once:

        plain:  g = dz hᵀ (a new tensor), then W ← W − η g
        fused:  W ← W − dz hᵀ in a single matrix product, where dz already contains η

    So no gradient of a weight is stored, and one pass over the weights replaces three. The layer
    first computes the gradient for the layer below, which needs the weights from before the update.
    `kernels.dense` does this for one layer and `fused_mlp.FusedMlp` for a whole network. Parameters
    that other operations use (convolutions, learned slopes) get an ordinary gradient, which
    `take_fused_step` subtracts. The others need the gradients themselves and are never fused.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from relu_exp.core.labels import Label, summary_of
from relu_exp.core.registry import Registry
from relu_exp.core.settings import Setting
from relu_exp.engine.ops import compiled_updates as compiled
from relu_exp.engine.ops.layout import kept, stacked

__all__ = ["OPTIMIZERS", "Optimizer", "OptimizerEntry", "gradients_of", "take_fused_step"]


class Optimizer(Protocol):
    """Updates stacked parameters in place; keeps a state per run.

    Its attributes are its whole state: tensors, lists of tensors and numbers, which a checkpoint
    stores. Whatever changes from step to step is a tensor that is updated in place, so that a step
    can be recorded and replayed (see `replay`). `learning_rates` (runs,) are among it: a schedule
    overwrites them before each step (see `rates`).
    """

    learning_rates: Tensor

    @property
    def fused_update(self) -> bool:
        """Whether dense layers update their parameters in the backward pass (see `optimizers`)."""

    def step(
        self, gradients: Sequence[Tensor], parameters: Sequence[Tensor], num_decaying: int
    ) -> None:
        """Take one step, given the gradients of every run's loss by the parameters.

        Weight decay applies to the first parameters. It is not called where the backward pass is
        the update.
        """

    def keep(self, index: Tensor) -> None:
        """Keep the state of these runs only."""


@dataclass(frozen=True)
class OptimizerEntry:
    """A registered optimizer: made from the learning rates (runs,) and its settings."""

    name: str
    make: Callable[..., Optimizer]
    summary: str
    reference: str
    settings: Mapping[str, Setting] = field(default_factory=dict)
    label: Label | None = None


OPTIMIZERS: Registry[OptimizerEntry] = Registry("optimizer")

_WEIGHT_DECAY = Setting(0.0, "L2 penalty, added to the gradient", at_least=0)


def _per_run(vector: Tensor, parameter: Tensor) -> Tensor:
    """Return (runs,) reshaped to (runs, 1, 1, ...), which broadcasts over a parameter."""
    return vector.reshape(-1, *[1] * (parameter.dim() - 1))


def _zeros_like(parameter: Tensor) -> Tensor:
    return stacked(torch.zeros_like(parameter))


def _total(loss: Tensor) -> Tensor:
    """Return the sum of the losses (runs,); no run's gradient depends on the other runs.

    A backward pass from a single number loads half a second less of PyTorch than from several.
    """
    with torch.enable_grad():
        return loss.sum()


def gradients_of(loss: Tensor, parameters: Sequence[Tensor]) -> Sequence[Tensor]:
    """Return the gradients by the parameters (runs, ...), given the losses (runs,)."""
    return torch.autograd.grad(_total(loss), parameters)


def take_fused_step(loss: Tensor, learning_rates: Tensor, parameters: Sequence[Tensor]) -> None:
    """Run the backward pass of η × loss (runs,), and update the parameters that it left."""
    with torch.enable_grad():
        scaled = loss * learning_rates
    torch.autograd.backward(_total(scaled))
    with torch.no_grad():
        for parameter in parameters:
            if parameter.grad is not None:
                parameter -= parameter.grad
                parameter.grad = None


def _clipped(grads: Sequence[Tensor], clip: float) -> Sequence[Tensor]:
    """Return gradients, each run's scaled to a norm of at most `clip` over all of them, if not 0.

    As by torch.nn.utils.clip_grad_norm_. Pascanu, Mikolov, Bengio 2013, arXiv:1211.5063.
    """
    if not clip:
        return grads
    squares = [grad.reshape(len(grad), -1).square().sum(1) for grad in grads]
    # one after the other: a sum over a stack of them may depend on the number of runs
    norm = functools.reduce(torch.add, squares).sqrt()
    factor = (clip / (norm + 1e-6)).clamp(max=1)
    return [grad * _per_run(factor, grad) for grad in grads]


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
    def fused_update(self) -> bool:
        """Whether there is neither momentum nor weight decay nor a limit to gradients."""
        return not (self.momentum or self.weight_decay or self.gradient_clip)

    @torch.no_grad()
    def step(
        self, gradients: Sequence[Tensor], parameters: Sequence[Tensor], num_decaying: int
    ) -> None:
        """Update the parameters in place."""
        gradients = _clipped(gradients, self.gradient_clip)
        for index, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
            decay = self.weight_decay if index < num_decaying else 0.0
            velocity = self._velocity(index, parameter)
            rates = self.learning_rates
            if compiled.sgd(parameter, gradient, velocity, rates, decay, self.momentum):
                continue
            direction = _decayed(parameter, gradient, decay)
            if velocity is not None:
                direction = velocity.mul_(self.momentum).add_(direction)
            parameter -= _per_run(rates, parameter) * direction

    def _velocity(self, index: int, parameter: Tensor) -> Tensor | None:
        """Return the velocity of a parameter, None without momentum."""
        if not self.momentum:
            return None
        if index == len(self.velocities):
            self.velocities.append(_zeros_like(parameter))
        return self.velocities[index]

    def keep(self, index: Tensor) -> None:
        """Keep the state of these runs only."""
        self.learning_rates = self.learning_rates[index]
        self.velocities = [kept(velocity, index) for velocity in self.velocities]


@dataclass
class Adam:
    """Adam: first and second moments of the gradient, with bias correction.

    A decoupled decay shrinks the parameters themselves, w ← w − η λ w, and not by the moments.
    """

    learning_rates: Tensor
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    gradient_clip: float = 0.0
    decay_is_decoupled: bool = False
    num_steps: Tensor = field(init=False)
    first: list[Tensor] = field(default_factory=list)
    second: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Set the number of steps to 0."""
        device = self.learning_rates.device
        self.num_steps = torch.zeros((), dtype=torch.float64, device=device)

    @property
    def fused_update(self) -> bool:
        """Never: an update depends on all earlier gradients."""
        return False

    @torch.no_grad()
    def step(
        self, gradients: Sequence[Tensor], parameters: Sequence[Tensor], num_decaying: int
    ) -> None:
        """Update the parameters in place."""
        gradients = _clipped(gradients, self.gradient_clip)
        if not self.first:
            self.first = [_zeros_like(parameter) for parameter in parameters]
            self.second = [_zeros_like(parameter) for parameter in parameters]
        self.num_steps += 1
        rates = self.learning_rates / (1 - self.beta1**self.num_steps)
        root = (1 - self.beta2**self.num_steps) ** 0.5
        for index, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
            decay = self.weight_decay if index < num_decaying else 0.0
            if decay and self.decay_is_decoupled:
                parameter *= _per_run(1 - self.learning_rates * decay, parameter)
                decay = 0.0
            m, v = self.first[index], self.second[index]
            betas = self.beta1, self.beta2
            if compiled.adam(parameter, gradient, (m, v), rates, decay, betas, root, self.epsilon):
                continue
            g = _decayed(parameter, gradient, decay)
            m.mul_(self.beta1).add_(g * (1 - self.beta1))
            v.mul_(self.beta2).add_(g.square() * (1 - self.beta2))
            parameter -= _per_run(rates, parameter) * (m / (v.sqrt() / root + self.epsilon))

    def keep(self, index: Tensor) -> None:
        """Keep the state of these runs only."""
        self.learning_rates = self.learning_rates[index]
        self.first = [kept(moment, index) for moment in self.first]
        self.second = [kept(moment, index) for moment in self.second]


def adamw(learning_rates: Tensor, **settings: Any) -> Adam:
    """AdamW: Adam whose weight decay is decoupled from the gradient's moments."""
    return Adam(learning_rates, decay_is_decoupled=True, **settings)


@dataclass
class RmsProp:
    """RMSprop: the gradient by the root of its mean square, v ← αv + (1 − α)g², w ← w − ηg / √v."""

    learning_rates: Tensor
    alpha: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0
    weight_decay: float = 0.0
    gradient_clip: float = 0.0
    squares: list[Tensor] = field(default_factory=list)
    velocities: list[Tensor] = field(default_factory=list)

    @property
    def fused_update(self) -> bool:
        """Never: an update depends on all earlier gradients."""
        return False

    @torch.no_grad()
    def step(
        self, gradients: Sequence[Tensor], parameters: Sequence[Tensor], num_decaying: int
    ) -> None:
        """Update the parameters in place."""
        gradients = _clipped(gradients, self.gradient_clip)
        if not self.squares:
            self.squares = [_zeros_like(parameter) for parameter in parameters]
            if self.momentum:
                self.velocities = [_zeros_like(parameter) for parameter in parameters]
        for index, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
            decay = self.weight_decay if index < num_decaying else 0.0
            square, rates = self.squares[index], self.learning_rates
            velocity = self.velocities[index] if self.momentum else None
            numbers = self.alpha, self.epsilon, self.momentum
            if compiled.rmsprop(parameter, gradient, square, velocity, rates, decay, *numbers):
                continue
            g = _decayed(parameter, gradient, decay)
            square.mul_(self.alpha).add_(g.square() * (1 - self.alpha))
            direction = g / (square.sqrt() + self.epsilon)
            if velocity is not None:
                direction = velocity.mul_(self.momentum).add_(direction)
            parameter -= _per_run(rates, parameter) * direction

    def keep(self, index: Tensor) -> None:
        """Keep the state of these runs only."""
        self.learning_rates = self.learning_rates[index]
        self.squares = [kept(square, index) for square in self.squares]
        self.velocities = [kept(velocity, index) for velocity in self.velocities]


def _register(name: str, make: Callable[..., Optimizer], reference: str, **settings: Any) -> None:
    OPTIMIZERS.add(OptimizerEntry(name, make, summary_of(make), reference, settings))


_BETAS = {
    "beta1": Setting(0.9, "decay of the first moment", at_least=0, below=1),
    "beta2": Setting(0.999, "decay of the second moment", at_least=0, below=1),
}
_EPSILON = Setting(1e-8, "added to the denominator", at_least=0)

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
    **_BETAS,
    epsilon=_EPSILON,
    weight_decay=_WEIGHT_DECAY,
)
_register(
    "adamw",
    adamw,
    "Loshchilov, Hutter 2019, arXiv:1711.05101; as in torch.optim.AdamW",
    **_BETAS,
    epsilon=_EPSILON,
    weight_decay=Setting(0.01, "share of a weight lost a step, by the rate", at_least=0),
)
_register(
    "rmsprop",
    RmsProp,
    "Tieleman, Hinton 2012, Coursera lecture 6.5; as in torch.optim.RMSprop",
    alpha=Setting(0.99, "decay of the mean square", at_least=0, below=1),
    epsilon=_EPSILON,
    momentum=Setting(0.0, "share of the last update kept", at_least=0, below=1),
    weight_decay=_WEIGHT_DECAY,
)
