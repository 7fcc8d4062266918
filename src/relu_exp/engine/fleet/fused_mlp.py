"""A whole multilayer perceptron as one autograd node, in buffers that every step reuses.

It computes what `kernels.dense` computes layer by layer, bit for bit. It saves no arithmetic, only
the overhead around it: an autograd node and new memory for every layer. Where there are compiled
kernels, they compute it run by run, equal up to rounding (see `compiled_mlp`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from relu_exp.engine.fleet.compiled_mlp import CompiledMlp, can_compute
from relu_exp.engine.ops.kernels import Elementwise
from relu_exp.engine.ops.layout import new_stack, stacked
from relu_exp.engine.ops.products import Multiplication
from relu_exp.engine.ops.samples import (
    Samples,
    shared_bias,
    shared_product,
    subtract_shared_gradient_,
)

__all__ = ["FusedMlp"]


class FusedMlp:
    """Dense layers, the last of them linear, whose backward pass is the update (`optimizers`)."""

    def __init__(
        self, weights: Sequence[Tensor], biases: Sequence[Tensor], phi: Elementwise, x: Samples
    ) -> None:
        """Allocate the buffers.

        Args:
            weights: stacks (runs, out, in), one per layer; the backward pass updates them and the
                biases in place.
            biases: (runs, out, 1), one per layer.
            phi: the activation of all layers but the last; it must have a fast rule.
            x: a batch of the shape that the buffers are for.
        """
        linear = Elementwise("identity", ({},) * weights[0].shape[0])
        num_samples = x.labels.shape[1]
        rules = [*[phi] * (len(weights) - 1), linear]
        layers = [
            _Layer(W.detach(), b.detach(), rule, new_stack(W, W.shape[1], num_samples))
            for W, b, rule in zip(weights, biases, rules, strict=True)
        ]
        self.first = layers[0]
        # the gradients of layers of equal shape share one buffer
        buffers = {layer.a.shape: new_stack(layer.a, *layer.a.shape[1:]) for layer in layers}
        self.upper = [
            _UpperLayer(layer, below.a, buffers[below.a.shape]) for below, layer in pairwise(layers)
        ]
        # autograd calls `backward` only if an input of `forward` requires a gradient
        self.anchor = biases[0]
        self.num_passes = 0
        self.compiled: CompiledMlp | None = None
        if can_compute(weights[0], phi):
            activations = [layer.a for layer in layers]
            self.compiled = CompiledMlp(weights, biases, phi, num_samples, activations)

    def __call__(self, x: Samples) -> Tensor:
        """Return the outputs (runs, units, samples), in memory that the next call overwrites."""
        outputs: Tensor = _FusedMlpFunction.apply(self.anchor, self, x)
        return outputs

    def forward(self, x: Samples) -> Tensor:
        """Return the outputs and keep every layer's activations."""
        self.num_passes += 1
        if self.compiled is not None:
            return self.compiled.forward(x)
        first = self.first
        shared_product(first.W, x, out=first.a)
        a = first.activate(shared_bias(first.W, first.b, x))
        for layer in self.upper:
            a = layer.forward()
        return a

    def backward(self, grad: Tensor, x: Samples) -> None:
        """Subtract the gradients by all weights and biases, given the gradient by the outputs."""
        grad = stacked(grad)
        if self.compiled is not None:
            self.compiled.backward(grad, x)
            return
        for layer in reversed(self.upper):
            grad = layer.backward(grad)
        subtract_shared_gradient_(self.first.W, self.first.backward(grad), x)


class _FusedMlpFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, anchor: Tensor, mlp: FusedMlp, x: Samples) -> Tensor:
        outputs = mlp.forward(x).detach()
        ctx.mlp, ctx.x, ctx.num_passes = mlp, x, mlp.num_passes
        return outputs

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, ...]:
        if ctx.num_passes != ctx.mlp.num_passes:
            raise RuntimeError("a later pass has overwritten the activations of this one")
        ctx.mlp.backward(grads[0], ctx.x)
        return None, None, None


class _Layer:
    """One layer's parameters, its activations `a`, and its elementwise operations."""

    def __init__(self, W: Tensor, b: Tensor, phi: Elementwise, a: Tensor) -> None:
        self.W, self.b, self.a, self.db = W, b, a, torch.empty_like(b)
        self.phi = phi

    def activate(self, b: Tensor) -> Tensor:
        """Overwrite a = W h with φ(a + b)."""
        self.a += b
        return self.phi.forward_(self.a)

    def backward(self, grad: Tensor) -> Tensor:
        """Return dz, the gradient by W h + b, written over a; subtract its sum from b."""
        self.phi.backward(grad, self.a, self.a)
        self.b -= torch.sum(self.a, -1, keepdim=True, out=self.db)
        return self.a


class _UpperLayer:
    """A layer above the first: its input h is the output of the layer below."""

    def __init__(self, layer: _Layer, h: Tensor, dh: Tensor) -> None:
        self.layer, W, dz = layer, layer.W, layer.a
        self.product = Multiplication(layer.a, W, h)  # W h
        self.input_gradient = Multiplication(dh, W.transpose(1, 2), dz)  # dh = Wᵀ dz
        self.weight_update = Multiplication(W, dz, h.transpose(1, 2), alpha=-1)  # W −= dz hᵀ

    def forward(self) -> Tensor:
        self.product()
        return self.layer.activate(self.layer.b)

    def backward(self, grad: Tensor) -> Tensor:
        self.layer.backward(grad)
        dh = self.input_gradient()
        self.weight_update()
        return dh
