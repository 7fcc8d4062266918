"""Fast kernels: linear map and activation of a whole fleet in one differentiable operation.

A fleet's tensors carry the run first and the sample last: activations are (runs, units, samples),
weights (runs, out, in), biases (runs, out, 1). Tests compare every fast rule with the plain formula
of `activations`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from relu_exp.engine.activations import ACTIVATIONS
from relu_exp.engine.ops.layout import VECTORIZED, aligned, new_stack, padded, stacked
from relu_exp.engine.ops.precision import operand, rounded, rounds, with_rounded_grad
from relu_exp.engine.ops.products import add_product_, product
from relu_exp.engine.ops.samples import (
    Samples,
    shared_bias,
    shared_gradient,
    shared_product,
    subtract_shared_gradient_,
)

__all__ = [
    "RULES",
    "Elementwise",
    "conv2d",
    "convolutions",
    "dense",
    "gives_same_bits",
    "grouped_convolution",
    "linear",
    "zero_gradient_units",
]

aten = torch.ops.aten


@dataclass(frozen=True)
class Rule:
    """An activation in place, and its derivative from its own output.

    `forward_(z, **settings)` overwrites z with φ(z). `backward(grad, a, out, **settings)` writes
    grad · φ′(z) to `out`, which may be a itself, given a = φ(z). `zero_gradient_units(a)` is an
    optional shortcut that returns for which units (..., units) φ′ is 0 on every sample.
    """

    forward_: Callable[..., Any]
    backward: Callable[..., Any]
    # whether φ′ computed from the output is as exact as from the input, despite rounding
    is_exact: bool = True
    zero_gradient_units: Callable[[Tensor], Tensor] | None = None


RULES: Mapping[str, Rule] = {
    "identity": Rule(lambda z: z, lambda grad, a, out: out.copy_(grad)),
    "step": Rule(lambda z: z.copy_(z >= 0), lambda grad, a, out: out.zero_()),
    "sigmoid": Rule(
        torch.sigmoid_,
        lambda grad, a, out: aten.sigmoid_backward.grad_input(grad, a, grad_input=out),
    ),
    "tanh": Rule(
        torch.tanh_,
        lambda grad, a, out: aten.tanh_backward.grad_input(grad, a, grad_input=out),
    ),
    "relu": Rule(
        torch.relu_,
        lambda grad, a, out: aten.threshold_backward.grad_input(grad, a, 0, grad_input=out),
        zero_gradient_units=lambda a: a.amax(-1) <= 0,
    ),
    "leaky_relu": Rule(
        lambda z, negative_slope: aten.leaky_relu_(z, negative_slope),
        lambda grad, a, out, negative_slope: aten.leaky_relu_backward.grad_input(
            grad, a, negative_slope, True, grad_input=out
        ),
    ),
    "elu": Rule(
        lambda z, alpha: aten.elu_(z, alpha),
        lambda grad, a, out, alpha: aten.elu_backward.grad_input(
            grad, alpha, 1.0, 1.0, True, a, grad_input=out
        ),
        is_exact=False,
    ),
}
"""Activations with a fast rule; autograd differentiates the formulas of the others."""


@dataclass(frozen=True)
class Elementwise:
    """An activation with the settings of every run of a fleet."""

    name: str
    settings: tuple[Mapping[str, Any], ...]

    @property
    def is_fast(self) -> bool:
        """Whether the activation has a fast rule."""
        return self.name in RULES

    @cached_property
    def is_uniform(self) -> bool:
        """Whether all runs have the same settings."""
        return all(settings == self.settings[0] for settings in self.settings)

    def forward_(self, z: Tensor) -> Tensor:
        """Overwrite a stack z (runs, ...) with φ(z) by the fast rule."""
        rule = RULES[self.name]
        if self.is_uniform:
            rule.forward_(padded(z), **self.settings[0])
            return z
        for run, settings in enumerate(self.settings):
            own = stacked(z[run : run + 1].clone())
            rule.forward_(padded(own), **settings)
            z[run : run + 1] = own
        return z

    def backward(self, grad: Tensor, a: Tensor, out: Tensor) -> Tensor:
        """Write grad · φ′(z) to `out` by the fast rule, given a = φ(z); all are stacks."""
        rule = RULES[self.name]
        if self.is_uniform:
            rule.backward(padded(grad), padded(a), padded(out), **self.settings[0])
            return out
        for run, settings in enumerate(self.settings):
            of_run = slice(run, run + 1)
            dz, own = stacked(grad[of_run].clone()), stacked(a[of_run].clone())
            rule.backward(padded(dz), padded(own), padded(own), **settings)
            out[of_run] = own
        return out

    def plain(self, z: Tensor, **learned: Any) -> Tensor:
        """Return φ(z) by the plain formula, differentiable by autograd.

        `learned` holds tensors with a leading run axis: a trained slope, random numbers.
        """
        function, parts = ACTIVATIONS[self.name].function, [(slice(None), self.settings[0])]
        if not (self.is_uniform and gives_same_bits(z)):
            parts = [(slice(run, run + 1), each) for run, each in enumerate(self.settings)]
        values = [
            function(z[part], **settings, **{key: value[part] for key, value in learned.items()})
            for part, settings in parts
        ]
        return values[0] if len(values) == 1 else torch.cat(values)

    def derivative(self, z: Tensor, a: Tensor, **learned: Any) -> Tensor:
        """Return φ′(z) given a = φ(z), as in training or more exact."""
        if self.is_fast and RULES[self.name].is_exact:
            ones = new_stack(a, *a.shape[1:]).fill_(1)
            return self.backward(ones, stacked(a), new_stack(a, *a.shape[1:])).contiguous()
        with torch.enable_grad():
            point = z.detach().requires_grad_()
            value = self.plain(point, **learned)
            return torch.autograd.grad(value.sum(), point)[0]

    @property
    def zero_gradient_units(self) -> Callable[[Tensor], Tensor] | None:
        """Function from activations alone to the units whose φ′ is 0 on every sample.

        It maps (..., units, samples) to (..., units). None if the pre-activations are needed.
        """
        if not self.is_fast or not RULES[self.name].is_exact:
            return None
        shortcut = RULES[self.name].zero_gradient_units
        return shortcut or (lambda a: zero_gradient_units(self.derivative(a, a)))

    def keep(self, runs: Sequence[int]) -> Elementwise:
        """Return the same activation for some of the runs."""
        return Elementwise(self.name, tuple(self.settings[run] for run in runs))


def gives_same_bits(z: Tensor) -> bool:
    """Return whether elementwise functions of z (runs, ...) have the bits of each run alone."""
    return z.is_cuda or len(z) == 1 or z[0].numel() % VECTORIZED == 0


def zero_gradient_units(derivative: Tensor) -> Tensor:
    """Return which units have a zero derivative on every sample.

    Args:
        derivative: (..., units, samples).

    Returns:
        (..., units).
    """
    # the largest magnitude is found much faster than each value is compared
    return derivative.abs().amax(-1) == 0


def linear(h: Tensor | Samples, W: Tensor, b: Tensor, fused_update: bool = False) -> Tensor:
    """Return W h + b: (runs, out, samples), differentiable by autograd; see `dense`."""
    identity = Elementwise("identity", ({},) * W.shape[0])
    return dense(h, W, b, identity, fused_update=fused_update)


def dense(
    h: Tensor | Samples,
    W: Tensor,
    b: Tensor,
    phi: Elementwise,
    skip: Tensor | None = None,
    fused_update: bool = False,
) -> Tensor:
    """Return φ(W h + b + skip): (runs, out, samples), for an activation with a fast rule.

    Args:
        h: activations of the layer below (runs, in, samples), or the network's inputs.
        W: weights (runs, out, in).
        b: biases (runs, out, 1).
        phi: the activation.
        skip: added to the pre-activations (runs, out, samples).
        fused_update: the backward pass subtracts the gradients by W and b from them in place and
            returns none (see `optimizers`). It must start from learning rate × loss, and it
            overwrites the returned tensor.
    """
    below, x = (h, None) if isinstance(h, Tensor) else (None, h)
    result: Tensor = _Dense.apply(below, x, W, b, skip, phi, fused_update)
    return result


def conv2d(h: Tensor, W: Tensor, b: Tensor, padding: int, stride: int = 1) -> Tensor:
    """Return the convolutions of a fleet: (runs, samples, out, height, width).

    Args:
        h: (runs, samples, in, height, width).
        W: (runs, out, in, kernel, kernel).
        b: (runs, out, 1).
        padding: zeros added on each side.
        stride: positions from one application of the kernel to the next.
    """
    convolve = grouped_convolution if h.is_cuda else convolutions
    if not rounds():
        return convolve(h, W, b[:, :, 0], padding, stride)
    # biases are added in float32, and their gradients are sums in float32
    z = convolve(rounded(h), rounded(W), torch.zeros_like(b[:, :, 0]), padding, stride)
    return with_rounded_grad(z) + b[:, None, :, :, None]


def convolutions(h: Tensor, W: Tensor, b: Tensor, padding: int, stride: int = 1) -> Tensor:
    """Return the convolutions of `conv2d` with biases (runs, out), computed run by run.

    On a CPU, a grouped convolution is faster for small maps and slower for large ones, and a run's
    last bits may depend on its fleet: `benchmarks.convolutions` measures both.
    """
    # the backward pass of several channels is a third faster where they are stored last
    form = torch.channels_last if h.shape[2] > 1 else torch.contiguous_format
    runs = zip(h, W, b, strict=True)
    return torch.stack(
        [
            aligned(
                F.conv2d(
                    aligned(x).contiguous(memory_format=form),
                    aligned(w).contiguous(memory_format=form),
                    bias,
                    stride=stride,
                    padding=padding,
                )
            )
            for x, w, bias in runs
        ]
    )


def grouped_convolution(h: Tensor, W: Tensor, b: Tensor, padding: int, stride: int = 1) -> Tensor:
    """Return what `convolutions` returns, computed as one convolution with a group per run."""
    runs, samples, channels, *places = h.shape
    x = h.transpose(0, 1).reshape(samples, runs * channels, *places)
    z = F.conv2d(x, W.flatten(0, 1), b.flatten(), stride, padding, groups=runs)
    return z.reshape(samples, runs, -1, *z.shape[2:]).transpose(0, 1)


class _Dense(torch.autograd.Function):
    """a = φ(W h + b + skip); keeps only h and a for the backward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        h: Tensor | None,
        x: Samples | None,
        W: Tensor,
        b: Tensor,
        skip: Tensor | None,
        phi: Elementwise,
        fused_update: bool,
    ) -> Tensor:
        left = operand(W)
        if h is not None:
            z = product(left, operand(h))
            z += b
        else:
            assert x is not None
            x = x.each(operand) if rounds() else x
            z = shared_product(left, x)
            z += shared_bias(left, b, x)
        if skip is not None:
            z += skip
        a = phi.forward_(z)
        ctx.save_for_backward(h, W, b, a)
        ctx.x, ctx.phi, ctx.has_skip, ctx.fused_update = x, phi, skip is not None, fused_update
        return a

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        h, W, b, a = ctx.saved_tensors
        # every operation that needs a has run before this one, so a fused update may overwrite a
        out = a if ctx.fused_update else new_stack(a, *a.shape[1:])
        dz = ctx.phi.backward(stacked(grads[0]), a, out)
        db, dskip = dz.sum(-1, keepdim=True), dz if ctx.has_skip else None
        dz = operand(dz)
        dh = dW = None
        if h is None:
            if ctx.fused_update:
                subtract_shared_gradient_(W, dz, ctx.x)
            else:
                dW = shared_gradient(dz, ctx.x)
        else:
            ht = operand(h).transpose(1, 2)
            dh = product(operand(W).transpose(1, 2), dz)
            if ctx.fused_update:
                add_product_(W, dz, ht, alpha=-1)
            else:
                dW = product(dz, ht)
        if ctx.fused_update:
            b -= db
            db = None
        return dh, None, dW, db, dskip, None, None
